"""Column tables of images, annotations and predictions.

Shared by all layers. Rows refer to images and concepts by index; names are
resolved once, at import. Boxes are `[left, top, width, height]` in pixels of the displayed image.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from pellucid.core.masks import Masks, concat_masks, no_masks

Kind = Literal["classification", "tagging", "detection"]
KINDS: tuple[Kind, ...] = ("classification", "tagging", "detection")

Geometry = Literal["box", "mask", "oriented_box", "keypoints"]
GEOMETRIES: tuple[Geometry, ...] = ("box", "mask", "oriented_box", "keypoints")
"""How the objects of a detection view are located."""

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]
UInt32Array = NDArray[np.uint32]
BoolArray = NDArray[np.bool_]
StringArray = NDArray[np.object_]

UNANNOTATED, EXHAUSTIVE, PARTIAL = 0, 1, 2
"""Annotation state of an image: none; exhaustive (an unlisted concept is absent); partial (only
listed ones are known)."""

NOT_RUN, RUN_EMPTY, HAS_PREDICTIONS = 0, 1, 2
"""Coverage of an image: the model was not run on it; was run without any prediction; has
predictions."""


class Table:
    """Columns of equal length. A column that does not apply (e.g. boxes in classification) is
    None."""

    def to_dict(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(cast(Any, self))}

    def take(self, rows: Any) -> Self:
        """Select `rows` (indices, a mask or a slice) of every column."""
        return type(self)(
            **{key: None if array is None else array[rows] for key, array in self.to_dict().items()}
        )

    def concat(self, following: Self) -> Self:
        """Concatenate the rows of this table and `following`."""
        if len(cast(Any, self)) == 0:
            return following
        own_arrays, following_arrays = self.to_dict(), following.to_dict()
        lengths = len(cast(Any, self)), len(cast(Any, following))
        return type(self)(
            **{
                key: concat_columns(array, following_arrays[key], *lengths)
                for key, array in own_arrays.items()
            }
        )

    def replace(self, **arrays: Any) -> Self:
        return type(self)(**{**self.to_dict(), **arrays})


def concat_columns(first: Any, second: Any, first_length: int, second_length: int) -> Any:
    """Concatenate two columns; if only one of them exists, the other is filled with '' (masks:
    with none, numbers: with NaN)."""
    if first is None and second is None:
        return None
    if isinstance(first, Masks) or isinstance(second, Masks):
        return concat_masks(
            [
                no_masks(row_count) if masks is None else masks
                for masks, row_count in ((first, first_length), (second, second_length))
            ]
        )
    if "f" in (getattr(column, "dtype", np.dtype("O")).kind for column in (first, second)):
        known = first if second is None else second
        first, second = (
            np.full((row_count, *known.shape[1:]), np.nan) if array is None else array
            for array, row_count in ((first, first_length), (second, second_length))
        )
        return np.concatenate([first, second])
    first, second = (
        string_column([""] * row_count) if array is None else array
        for array, row_count in ((first, first_length), (second, second_length))
    )
    return np.concatenate([first, second])


@dataclass(frozen=True, eq=False)
class Images(Table):
    """The images of a view or version, as columns.

    Attributes:
        path: unique, `/` as separator
        split: index into SPLITS
        width, height: pixels as displayed, 0 where unknown
        root: index into the view's image folders, -1 if none
        source_id: the id in the source file, else ''
        stated: UNANNOTATED, EXHAUSTIVE or PARTIAL
        metadata: JSON object of additional columns, else ''
    """

    path: StringArray
    split: Int8Array
    width: Int32Array
    height: Int32Array
    root: Int32Array
    source_id: StringArray
    stated: Int8Array
    metadata: StringArray

    def __len__(self) -> int:
        return len(self.path)


@dataclass(frozen=True, eq=False)
class Annotations(Table):
    """Annotations, as columns.

    Attributes:
        image, concept: indices
        box: float64 (n, 4), None except in detection
        ignore: crowd and difficult regions
        positive: False for an explicit negative label (tagging)
        area: of the object in square pixels, in COCO often less than the box area; None except in
            detection
        outline: polygons, JSON `[[x, y, x, y, ...], ...]` in pixels, or a mask in COCO's run-length
            encoding, JSON `{"size": [height, width], "counts": "..."}`, else ''; None if no row has
            any
        mask: of every row in a version that compares masks, else None
        corners: float64 (n, 8), `x, y, ...` in pixels, of every row in a version that compares
            oriented boxes, else None
        keypoints: float64 (n, 5 * K), `x, y, visibility, sigma, links, ...` of every row in a
            version that compares keypoints, else None: see evaluation/object_keypoints
    """

    image: Int32Array
    concept: Int32Array
    box: Float64Array | None
    ignore: BoolArray
    positive: BoolArray
    area: Float64Array | None
    outline: StringArray | None = None
    mask: Masks | None = None
    corners: Float64Array | None = None
    keypoints: Float64Array | None = None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, eq=False)
class Predictions(Table):
    """Predictions, as columns.

    Attributes:
        image, concept: indices
        score: any finite float64
        box: as in Annotations
        order: row index in the input, used to break ties
        mask, corners, keypoints: as in Annotations
        area: of the object in square pixels; None: of its box
    """

    image: Int32Array
    concept: Int32Array
    score: Float64Array
    box: Float64Array | None
    order: Int32Array
    mask: Masks | None = None
    area: Float64Array | None = None
    corners: Float64Array | None = None
    keypoints: Float64Array | None = None

    def __len__(self) -> int:
        return len(self.image)


NO_SCORE = float("inf")
"""In the place of the scores of predictions that have none: it reaches every threshold, and is null
in JSON."""


def string_column(strings: Any) -> StringArray:
    """Object array of Python strings."""
    array = np.empty(len(strings), dtype=object)
    array[:] = strings
    return array


def empty_image_table() -> Images:
    return Images(
        string_column([]),
        np.zeros(0, np.int8),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        string_column([]),
        np.zeros(0, np.int8),
        string_column([]),
    )


def empty_annotation_table(has_boxes: bool) -> Annotations:
    return Annotations(
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros((0, 4)) if has_boxes else None,
        np.zeros(0, bool),
        np.zeros(0, bool),
        np.zeros(0) if has_boxes else None,
    )


def empty_prediction_table(has_boxes: bool) -> Predictions:
    return Predictions(
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0),
        np.zeros((0, 4)) if has_boxes else None,
        np.zeros(0, np.int32),
    )
