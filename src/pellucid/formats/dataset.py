"""Results of readers: columns with the file's own references to images and concepts."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.masks import Masks
from pellucid.core.tables import (
    EXHAUSTIVE,
    SPLITS,
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int8Array,
    Int32Array,
    Int64Array,
    Kind,
    Split,
    StringArray,
    string_column,
)
from pellucid.formats.errors import (
    InvalidBoxError,
    InvalidScoreError,
    PathTraversalError,
    UnknownSplitError,
)

Severity = Literal["info", "warning"]


@dataclass(frozen=True)
class Note:
    """Something a reader found that a person should know.

    Attributes:
        kind: a short fixed word for programs
    """

    kind: str
    message: str
    count: int = 1
    severity: Severity = "warning"


@dataclass(frozen=True)
class Inference:
    """A property of a source that was inferred from its data.

    Attributes:
        question: `boxes`, `category ids`, ...
        answer: the chosen interpretation
        evidence: a sentence
        alternatives: the others, with their evidence
        forced: whether the user specified it
    """

    question: str
    answer: str
    evidence: str
    alternatives: list[str] = field(default_factory=list)
    forced: bool = False


BoxUnit = Literal["pixels", "fractions"]
BoxShape = Literal["xywh", "xyxy", "cxcywh", "yxyx", "yxhw"]


@dataclass(frozen=True)
class BoxShapes:
    """What the four numbers of boxes may mean, to be decided by evidence at import.

    Attributes:
        default: what the format states; None where it states nothing
    """

    candidates: tuple[BoxShape, ...]
    default: BoxShape | None = None


@dataclass(frozen=True, eq=False)
class ParsedAnnotations:
    """Annotations as a reader returns them.

    Attributes:
        concepts: names in the file's order
        concept_ids: the file's ids ('' if it uses names)
        concepts_listed: whether the file lists its concepts (otherwise sorted by name)
        images: split -1, width and height 0 if unknown
        image_folder: the folder of the image files, if known, else None
        unit: of the boxes; `fractions` of the image size are converted to pixels when the size is
            known
        box_shapes: where the numbers of a box are as written and have several possible meanings
        stated_shape: where names of columns say what the numbers are, what they say; `box` is
            [left, top, width, height] then
    """

    path: str
    format: str
    kind: Kind
    concepts: list[str]
    concept_ids: list[str]
    concepts_listed: bool
    images: Images
    annotations: Annotations
    image_folder: str | None = None
    notes: list[Note] = field(default_factory=list)
    unit: BoxUnit = "pixels"
    inferences: list[Inference] = field(default_factory=list)
    box_shapes: BoxShapes | None = None
    stated_shape: BoxShape | None = None


def create_images(
    image_paths: list[str],
    split: Any = -1,
    stated: Any = EXHAUSTIVE,
    width: Any = 0,
    height: Any = 0,
    image_ids: list[str] | None = None,
    metadata: StringArray | None = None,
) -> Images:
    """Create the image table. Missing properties are unknown; image files are located later."""
    image_count = len(image_paths)

    def filled_column(fill: Any, dtype: type) -> Any:
        return np.broadcast_to(np.asarray(fill, dtype), image_count).copy()

    return Images(
        string_column(image_paths),
        filled_column(split, np.int8),
        filled_column(width, np.int32),
        filled_column(height, np.int32),
        filled_column(-1, np.int32),
        string_column(image_ids or [""] * image_count),
        filled_column(stated, np.int8),
        string_column([""] * image_count) if metadata is None else metadata,
    )


ImageKeyKind = Literal["path", "id", "stem"]
ConceptInterpretation = Literal["name", "id", "position", "column"]


@dataclass(frozen=True, eq=False)
class ParsedPredictions:
    """Predictions as a reader returns them.

    Attributes:
        image_keys: the file's image references
        image: index into them, one per row
        image_key_kind: what the format uses as image keys, if ambiguous
        concept_keys, concept: likewise
        concept_interpretation: names, annotation ids, zero-based positions, or columns of a wide
            table
        box: [left, top, width, height] in `unit`
        record_numbers: of each row in the file
        alternative: the same file with its columns in another order, if possible
        box_shape: whether the file's boxes start with the top left corner or the center
        box_shapes: where the numbers of `box` are as written and the file does not state their
            meaning
        mask: run lengths in pixels of the image, nothing for rows without
        outline: polygons as in Annotations, in `outline_unit`
        area: where it is not that of the box, NaN: of the outline
        keypoints: float64 (n, 3 * K), `x, y, visibility, ...` in `outline_unit`, NaN where a row
            has no point
        not_run: bool, of image_keys, images on which the model failed
        stated_shape: where names of columns say what the numbers are, what they say; `box` is
            [left, top, width, height] even so
        stated_splits: int8, of image_keys, the split that the file states; -1 where it states none
        has_id_column: whether the column of a table with the image keys is called an id
        remedy_for_names: what helps if no concept key is known
    """

    path: str
    format: str
    image_keys: list[str]
    image: Int32Array
    concept_keys: list[str]
    concept: Int32Array
    concept_interpretation: ConceptInterpretation
    score: Float64Array
    box: Float64Array | None
    unit: BoxUnit
    record_numbers: Int64Array | range
    record_noun: str = "record"
    notes: list[Note] = field(default_factory=list)
    image_key_kind: ImageKeyKind = "path"
    alternative: ParsedPredictions | None = None
    box_shape: BoxShape = "xywh"
    box_shapes: BoxShapes | None = None
    mask: Masks | None = None
    outline: StringArray | None = None
    outline_unit: BoxUnit = "pixels"
    area: Float64Array | None = None
    keypoints: Float64Array | None = None
    not_run: BoolArray | None = None
    stated_shape: BoxShape | None = None
    stated_splits: Int8Array | None = None
    has_id_column: bool = False
    remedy_for_names: str = ""

    def row_location(self, row: int) -> str:
        """The location of a row in its file, for messages."""
        return f"{self.record_noun} {int(self.record_numbers[row])}"


SPLIT_ALIASES: dict[str, Split] = {
    "train": "training",
    "training": "training",
    "trn": "training",
    "tr": "training",
    "fit": "training",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "va": "validation",
    "validate": "validation",
    "dev": "validation",
    "publictest": "validation",  # of FER2013
    "test": "test",
    "testing": "test",
    "te": "test",
    "privatetest": "test",
}


SPLIT_COMPANIONS = {"set", "data", "dataset", "images", "imgs", "img", "seg", "split"}
"""Words that stand beside a split: `training_set`, `seg_train`, `val_images`."""
SHORT_ALIAS = 2
"""Length up to which an alias is one alone."""


def parse_split(alias: str) -> int | None:
    """The index in SPLITS of a split alias, with or without a year suffix; None for other words."""
    word = re.sub(r"(19|20)\d\d$", "", alias.strip().lower())
    if word not in SPLIT_ALIASES:
        rest = [part for part in re.split(r"[_\-. ]+", word) if part not in SPLIT_COMPANIONS]
        word = rest[0] if len(rest) == 1 and len(rest[0]) > SHORT_ALIAS else word
    split = SPLIT_ALIASES.get(word)
    return None if split is None else SPLITS.index(split)


def find_split(aliases: Iterable[str]) -> int:
    """The split index of the first alias that is a split; -1 if there is none."""
    return next(
        (split_index for alias in aliases if (split_index := parse_split(alias)) is not None), -1
    )


def split_of_folder(folder: str) -> int:
    """The split that one of the folders of a relative path names, -1 if there is none."""
    return find_split(folder.split("/"))


def split_of_file(file: Path, root: Path) -> int:
    """The split named by the folders of a file below the source, -1 if there is none."""
    return -1 if file == root else split_of_folder(file.parent.relative_to(root).as_posix())


def require_split(alias: str, path: object, record: object) -> int:
    """The split index of an alias; raises UnknownSplitError."""
    split_index = parse_split(alias)
    if split_index is None:
        raise UnknownSplitError(path, record, alias)
    return split_index


def encode_texts(texts_to_encode: Iterable[Any]) -> tuple[list[str], Int32Array]:
    """Distinct texts in order of appearance, and each value's index among them."""
    code_by_text: dict[str, int] = {}
    codes = [code_by_text.setdefault(text, len(code_by_text)) for text in texts_to_encode]
    return list(code_by_text), np.array(codes, np.int32)


def encode_ids(ids: Sequence[int | float | str]) -> tuple[list[str], Int32Array]:
    """Distinct ids as texts, and each id's index among them."""
    if all(type(identifier) is int and abs(identifier) < 1 << 62 for identifier in ids):
        return encode_integers(np.array(ids, np.int64))
    return encode_texts([str(identifier) for identifier in ids])


def encode_integers(integers: Int64Array) -> tuple[list[str], Int32Array]:
    """Distinct integers as texts in ascending order, and each value's index among them."""
    if not len(integers):
        return [], np.zeros(0, np.int32)
    minimum, maximum = int(integers.min()), int(integers.max())
    if maximum - minimum > 20 * len(integers) + 1_000_000:
        unique_integers, codes = np.unique(integers, return_inverse=True)
        return [str(integer) for integer in unique_integers.tolist()], codes.astype(np.int32)
    is_present = np.zeros(maximum - minimum + 1, bool)
    is_present[integers - minimum] = True
    code_by_offset = np.cumsum(is_present, dtype=np.int32) - 1
    return [
        str(integer) for integer in (np.flatnonzero(is_present) + minimum).tolist()
    ], code_by_offset[integers - minimum]


def normalize_text(text: str) -> str:
    """The text without surrounding spaces, in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", text.strip())


def normalize_image_path(path: object, raw_path: str, image_folder: str | None = None) -> str:
    """The relative image path with `/` separators; raises PathTraversalError if it is outside the
    image folder.

    Args:
        image_folder: absolute paths in it become relative to it, and so do those of another machine
            whose last parts name a file in it
    """
    posix_path = raw_path.replace("\\", "/")
    if image_folder is not None:
        posix_path = posix_path.removeprefix(
            os.path.abspath(image_folder).replace("\\", "/").rstrip("/") + "/"
        )
    segments = [segment for segment in posix_path.split("/") if segment not in ("", ".")]
    is_absolute = posix_path.startswith("/") or posix_path[1:3] == ":/"
    if not segments or ".." in segments or "\0" in posix_path or "://" in posix_path:
        raise PathTraversalError(path, raw_path)
    if is_absolute:
        existing_tail = find_path_tail(segments, image_folder)
        if existing_tail is None:
            raise PathTraversalError(path, raw_path)
        return existing_tail
    return "/".join(segments)


def normalize_image_paths(
    path: object, raw_paths: Sequence[str], image_folder: str | None = None
) -> list[str]:
    """The relative paths of all images of a source; raises PathTraversalError, which names the
    folder that several absolute paths share."""
    try:
        return [normalize_image_path(path, raw_path, image_folder) for raw_path in raw_paths]
    except PathTraversalError as error:
        common_folder = find_common_folder(raw_paths)
        if not common_folder:
            raise
        raise PathTraversalError(path, raw_paths[0], common_folder) from error


def find_common_folder(raw_paths: Sequence[str]) -> str:
    """The folder below which several absolute paths lie; empty if there is none."""
    folders = [posixpath.dirname(raw_path.replace("\\", "/")) for raw_path in raw_paths]
    are_absolute = all(folder.startswith("/") for folder in folders)
    if len(folders) < 2 or not (are_absolute or all(folder[1:3] == ":/" for folder in folders)):
        return ""
    return posixpath.commonpath(folders).rstrip("/")


def find_path_tail(segments: list[str], image_folder: str | None) -> str | None:
    """The longest end of a path that is a file in the image folder; None if there is none."""
    if image_folder is None:
        return None
    tails = ("/".join(segments[start:]) for start in range(len(segments)))
    return next((tail for tail in tails if Path(image_folder, tail).is_file()), None)


MAX_MAGNITUDE = 1e150
"""Larger values can overflow in sums of scores and areas of boxes."""
CHECK_CHUNK_ROWS = 1 << 20
"""Rows checked at a time, to keep temporary arrays small."""


def check_scores(predictions: ParsedPredictions) -> None:
    """Raise InvalidScoreError for the first score that is not finite."""
    invalid_rows = np.flatnonzero(~(np.abs(predictions.score) < MAX_MAGNITUDE))
    if len(invalid_rows):
        raise InvalidScoreError(
            predictions.path,
            predictions.row_location(int(invalid_rows[0])),
            predictions.score[invalid_rows[0]],
        )


def check_magnitudes(path: object, boxes: Float64Array, row_location: Any) -> None:
    """Raise InvalidBoxError for the first box with a number that is not finite or no coordinate:
    whatever the numbers of the others mean.

    Args:
        row_location: as in `check_boxes`
    """
    invalid_rows = np.flatnonzero(~(np.abs(boxes) < MAX_MAGNITUDE).all(axis=1))
    if len(invalid_rows):
        row = int(invalid_rows[0])
        raise InvalidBoxError(path, row_location(row), boxes[row].tolist())


def check_boxes(path: object, boxes: Float64Array, row_location: Any) -> list[Note]:
    """Raise InvalidBoxError for the first box that is not finite or has a negative size; report
    boxes of zero size.

    Args:
        row_location: a function from a row to its location in the file
    """
    zero_size_count = 0
    for start in range(0, len(boxes), CHECK_CHUNK_ROWS):
        chunk = boxes[start : start + CHECK_CHUNK_ROWS]
        invalid_rows = np.flatnonzero(
            ~(np.abs(chunk) < MAX_MAGNITUDE).all(axis=1) | (chunk[:, 2:] < 0).any(axis=1)
        )
        if len(invalid_rows):
            invalid_row = start + int(invalid_rows[0])
            raise InvalidBoxError(
                path,
                row_location(invalid_row),
                [float(coordinate) for coordinate in boxes[invalid_row]],
            )
        zero_size_count += int((chunk[:, 2:] == 0).any(axis=1).sum())
    if not zero_size_count:
        return []
    return [
        Note(
            "zero_size",
            f"{format_count(zero_size_count, 'box', 'boxes')} with zero width or height: kept, "
            "but they cannot match",
            zero_size_count,
        )
    ]


def validate_predictions(predictions: ParsedPredictions) -> ParsedPredictions:
    """Check scores and boxes, add notes, and return the same predictions."""
    check_scores(predictions)
    if predictions.box is not None:
        predictions.notes.extend(
            check_boxes(predictions.path, predictions.box, predictions.row_location)
        )
    return predictions
