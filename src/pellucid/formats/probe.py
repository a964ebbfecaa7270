"""Probing of sources for format detection, reader options and reader interfaces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from pellucid.core.errors import EmptyFileError, FileMissingError
from pellucid.core.tables import Kind
from pellucid.formats.dataset import ParsedAnnotations, ParsedPredictions

HEAD_BYTES = 65_536
"""Number of bytes read to detect the format of a file."""
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""First bytes of UTF-16 text, as Excel writes it."""
MAX_PROBED_FILES = 5_000
"""Maximum number of files listed to detect the format of a folder."""


@dataclass(frozen=True)
class Probe:
    """A source whose format is to be detected. head: the beginning of a file's text, '' for a
    folder."""

    path: Path
    head: str

    @cached_property
    def is_dir(self) -> bool:
        return self.path.is_dir()

    @cached_property
    def file_names(self) -> list[str]:
        """Relative paths of all files in the folder, sorted; truncated for very large folders."""
        file_paths = (
            (
                file.relative_to(self.path).as_posix()
                for file in self.path.rglob("*")
                if not file.is_dir()
            )
            if self.is_dir
            else iter(())
        )
        return sorted(islice(file_paths, MAX_PROBED_FILES))

    def files_with_suffix(self, *suffixes: str) -> list[str]:
        """Files with one of the suffixes, ignoring case."""
        return [file_name for file_name in self.file_names if file_name.lower().endswith(suffixes)]

    def read_head(self, file_name: str) -> str:
        """The beginning of a file in the folder."""
        return read_head(self.path / file_name)


def read_head(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    encoding = "utf-16" if head[:2] in UTF16_MARKS else "utf-8-sig"
    return head.decode(encoding, "replace").lstrip()


def probe_source(source: str | Path) -> Probe:
    """Raises FileMissingError, EmptyFileError, and OSError for unreadable files."""
    path = Path(source)
    if not path.exists():
        raise FileMissingError(path)
    if path.is_dir():
        next(path.iterdir(), None)  # raises OSError now if it is not readable
        return Probe(path, "")
    head = read_head(path)
    if not head.strip():
        raise EmptyFileError(path, "data")
    return Probe(path, head)


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a source. kind: the view's, if any · image_folder: the local folder that
    image paths are relative to · first_pixel: the index of the first pixel, if the format does not
    define it · concepts: the view's concept names · columns: columns of a table by role ·
    separator: of several concepts in one cell; `none` for one concept per cell."""

    kind: Kind | None = None
    image_folder: str | None = None
    first_pixel: int | None = None
    concepts: tuple[str, ...] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    separator: str | None = None


def create_read_options(
    kind: Kind | None = None,
    image_folder: str | None = None,
    first_pixel: int | None = None,
    concepts: Collection[str] = (),
    columns: Mapping[str, str | Sequence[str]] | None = None,
    separator: str | None = None,
) -> ReadOptions:
    """Options as given by the user. image_folder: a local folder or a URL, which readers do not
    need."""
    return ReadOptions(
        kind,
        None if image_folder is None or "://" in image_folder else image_folder,
        first_pixel,
        tuple(concepts),
        {
            role: (column_names,) if isinstance(column_names, str) else tuple(column_names)
            for role, column_names in (columns or {}).items()
        },
        separator,
    )


@dataclass(frozen=True)
class AnnotationFormat:
    """name: for `--format` · matches: whether a source has this format · read: parse it into
    columns."""

    name: str
    matches: Callable[[Probe], bool]
    read: Callable[[Probe, ReadOptions], ParsedAnnotations]


@dataclass(frozen=True)
class PredictionFormat:
    name: str
    matches: Callable[[Probe], bool]
    read: Callable[[Probe, ReadOptions], ParsedPredictions]


def list_files(probe: Probe, suffix: str) -> Iterator[Path]:
    """The file itself, or all files in the folder with the suffix, sorted by path."""
    if not probe.is_dir:
        yield probe.path
        return
    yield from (
        file
        for file in sorted(probe.path.rglob("*"))
        if file.name.lower().endswith(suffix) and file.is_file()
    )
