"""A first look at what somebody points to, and what they asked for: what every format is recognised by and read with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from pellucid.columns import Kind
from pellucid.errors import EmptyFileError, FileMissingError
from pellucid.formats.source import ParsedAnnotations, ParsedPredictions

HEAD_BYTES = 65_536
"""Bytes read to recognise a file."""
MAX_PROBED_FILES = 5_000
"""Files of a folder that are looked at to recognise it."""


@dataclass(frozen=True)
class Probe:
    """head: the beginning of a file's text, '' for a folder."""

    path: Path
    head: str

    @cached_property
    def is_dir(self) -> bool:
        return self.path.is_dir()

    @cached_property
    def file_names(self) -> list[str]:
        """Of the files below a folder, by their path in it, sorted; of a very large folder some."""
        file_paths = (file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if not file.is_dir()) if self.is_dir else iter(())
        return sorted(islice(file_paths, MAX_PROBED_FILES))

    def files_with_suffix(self, *suffixes: str) -> list[str]:
        """The names that end so, whatever their case."""
        return [file_name for file_name in self.file_names if file_name.lower().endswith(suffixes)]

    def read_head(self, file_name: str) -> str:
        """The beginning of a file below the folder."""
        return read_head(self.path / file_name)


def read_head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES).decode("utf-8-sig", "replace").lstrip()


def probe_source(source: str | Path) -> Probe:
    """Raises FileMissing, FileEmpty, and OSError for what may not be read."""
    path = Path(source)
    if not path.exists():
        raise FileMissingError(path)
    if path.is_dir():
        next(path.iterdir(), None)  # says at once that it may not be read
        return Probe(path, "")
    head = read_head(path)
    if not head.strip():
        raise EmptyFileError(path, "data")
    return Probe(path, head)


@dataclass(frozen=True)
class ReadOptions:
    """What the user said of a source: kind: the view's, if there is one · pictures: the folder image paths are relative to, a local one ·
    first_pixel: the number of the first pixel where a format leaves it open · concepts: names that the view knows."""

    kind: Kind | None = None
    image_folder: str | None = None
    first_pixel: int | None = None
    concepts: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class AnnotationFormat:
    """name: of `--format` · is_it: whether it is what is looked at · read: into columns."""

    name: str
    matches: Callable[[Probe], bool]
    read: Callable[[Probe, ReadOptions], ParsedAnnotations]


@dataclass(frozen=True)
class PredictionFormat:
    name: str
    matches: Callable[[Probe], bool]
    read: Callable[[Probe, ReadOptions], ParsedPredictions]


def list_files(probe: Probe, suffix: str) -> Iterator[Path]:
    """The file itself, or all those below the folder that end so, in the order of their names."""
    if not probe.is_dir:
        yield probe.path
        return
    yield from (file for file in sorted(probe.path.rglob("*")) if file.name.lower().endswith(suffix) and file.is_file())
