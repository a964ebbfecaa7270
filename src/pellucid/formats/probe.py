"""Probing of sources for format detection, reader options and reader interfaces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pellucid.core.errors import EmptyFileError, FileMissingError
from pellucid.core.files import check_regular
from pellucid.core.tables import Kind
from pellucid.formats.dataset import ParsedAnnotations, ParsedPredictions
from pellucid.formats.image_files import scan_folder
from pellucid.formats.parsing import UTF16_MARKS

HEAD_BYTES = 65_536
"""Number of bytes read to detect the format of a file."""
MAX_SAMPLED_FILES = 20
"""Files of a folder whose beginning is read to detect its format."""


@dataclass(frozen=True)
class Probe:
    """A source whose format is to be detected.

    Attributes:
        head: the beginning of a file's text, '' for a folder
    """

    path: Path
    head: str

    @cached_property
    def is_dir(self) -> bool:
        return self.path.is_dir()

    @cached_property
    def file_names(self) -> list[str]:
        """Relative paths of all files in the folder, sorted, without hidden and system files."""
        return self._listing[0]

    @property
    def ignored_file_count(self) -> int:
        """Number of hidden and system files in the folder."""
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[list[str], int]:
        return scan_folder(self.path) if self.is_dir else ([], 0)

    @cached_property
    def lower_names(self) -> list[str]:
        return [file_name.lower() for file_name in self.file_names]

    def files_with_suffix(self, *suffixes: str) -> list[str]:
        """Files with one of the suffixes, ignoring case."""
        return [
            file_name
            for file_name, lower_name in zip(self.file_names, self.lower_names, strict=True)
            if lower_name.endswith(suffixes)
        ]

    def sample_with_suffix(self, *suffixes: str) -> list[str]:
        """At most MAX_SAMPLED_FILES of these files, spread over all of them."""
        file_names = self.files_with_suffix(*suffixes)
        step = max(1, len(file_names) // MAX_SAMPLED_FILES)
        return file_names[::step][:MAX_SAMPLED_FILES]

    def load_head(self, file_name: str) -> str:
        """The beginning of a file in the folder."""
        return load_head(self.path / file_name)


def load_head(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    encoding = "utf-16" if head[:2] in UTF16_MARKS else "utf-8-sig"
    return head.decode(encoding, "replace").lstrip()


def probe_source(source: str | Path) -> Probe:
    """Raises FileMissingError, EmptyFileError, and OSError for unreadable files."""
    path = Path(source)
    if not path.exists():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        raise FileMissingError(path, sorted(sibling.name for sibling in siblings))
    check_regular(path)
    if path.is_dir():
        next(path.iterdir(), None)  # raises OSError now if it is not readable
        return Probe(path, "")
    head = load_head(path)
    if not head.strip():
        raise EmptyFileError(path, "data")
    return Probe(path, head)


@dataclass(frozen=True)
class AnnotatedShapes:
    """What the annotations of a view state, beside boxes.

    Attributes:
        keypoint_count: of an object, 0 if they have none or different numbers
    """

    has_masks: bool = False
    keypoint_count: int = 0


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a source.

    Attributes:
        kind: the view's, if any
        image_folder: the local folder that image paths are relative to
        first_pixel: the index of the first pixel, if the format does not define it
        concepts: the view's concept names
        columns: columns of a table by role
        separator: of several concepts in one cell; `none` for one concept per cell
        has_scores: of predictions, as the user says
        score_form: `percent` or `logits`, if the user says so
        annotated_shapes: those of the view, for readers of predictions that need them
    """

    kind: Kind | None = None
    image_folder: str | None = None
    first_pixel: int | None = None
    concepts: tuple[str, ...] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    separator: str | None = None
    has_scores: bool = True
    annotated_shapes: Callable[[], AnnotatedShapes] = AnnotatedShapes
    score_form: str | None = None


def create_read_options(
    kind: Kind | None = None,
    image_folder: str | None = None,
    first_pixel: int | None = None,
    concepts: Collection[str] = (),
    columns: Mapping[str, str | Sequence[str]] | None = None,
    separator: str | None = None,
    has_scores: bool = True,
    annotated_shapes: Callable[[], AnnotatedShapes] = AnnotatedShapes,
    score_form: str | None = None,
) -> ReadOptions:
    """Options as given by the user.

    Args:
        image_folder: a local folder or a URL, which readers do not need
    """
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
        has_scores,
        annotated_shapes,
        score_form,
    )


@dataclass(frozen=True)
class AnnotationFormat:
    """A format of annotations: how it is recognised and read.

    Attributes:
        name: for `--format`
        matches: whether a source has this format
        read: parse it into columns
        has_columns: whether the user may name its columns, as those of a table
    """

    name: str
    matches: Callable[[Probe], bool]
    read: Callable[[Probe, ReadOptions], ParsedAnnotations]
    has_columns: bool = False


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
    yield from (probe.path / file_name for file_name in probe.files_with_suffix(suffix))
