"""A first look at what somebody points to, and what they asked for: what every format is recognised by and read with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from pellucid.columns import Kind
from pellucid.errors import FileEmpty, FileMissing
from pellucid.formats.source import AnnotationSource, PredictionSource

HEAD = 65_536
"""Bytes read to recognise a file."""
A_LOOK = 5_000
"""Files of a folder that are looked at to recognise it."""


@dataclass(frozen=True)
class Look:
    """head: the beginning of a file's text, '' for a folder."""

    path: Path
    head: str

    @cached_property
    def is_dir(self) -> bool:
        return self.path.is_dir()

    @cached_property
    def names(self) -> list[str]:
        """Of the files below a folder, by their path in it, sorted; of a very large folder some."""
        found = (file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if not file.is_dir()) if self.is_dir else iter(())
        return sorted(islice(found, A_LOOK))

    def ending(self, *endings: str) -> list[str]:
        """The names that end so, whatever their case."""
        return [name for name in self.names if name.lower().endswith(endings)]

    def head_of(self, name: str) -> str:
        """The beginning of a file below the folder."""
        return head_of(self.path / name)


def head_of(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(HEAD).decode("utf-8-sig", "replace").lstrip()


def look(source: str | Path) -> Look:
    """Raises FileMissing, FileEmpty, and OSError for what may not be read."""
    path = Path(source)
    if not path.exists():
        raise FileMissing(path)
    if path.is_dir():
        next(path.iterdir(), None)  # says at once that it may not be read
        return Look(path, "")
    head = head_of(path)
    if not head.strip():
        raise FileEmpty(path, "data")
    return Look(path, head)


@dataclass(frozen=True)
class Asked:
    """What the user said of a source: kind: the view's, if there is one · pictures: the folder image paths are relative to, a local one ·
    first_pixel: the number of the first pixel where a format leaves it open · concepts: names that the view knows."""

    kind: Kind | None = None
    pictures: str | None = None
    first_pixel: int | None = None
    concepts: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class AnnotationFormat:
    """name: of `--format` · is_it: whether it is what is looked at · read: into columns."""

    name: str
    is_it: Callable[[Look], bool]
    read: Callable[[Look, Asked], AnnotationSource]


@dataclass(frozen=True)
class PredictionFormat:
    name: str
    is_it: Callable[[Look], bool]
    read: Callable[[Look, Asked], PredictionSource]


def files_of(look: Look, ending: str) -> Iterator[Path]:
    """The file itself, or all those below the folder that end so, in the order of their names."""
    if not look.is_dir:
        yield look.path
        return
    yield from (file for file in sorted(look.path.rglob("*")) if file.name.lower().endswith(ending) and file.is_file())
