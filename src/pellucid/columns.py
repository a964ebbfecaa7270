"""The facts as columns: images, annotations, predictions.

One vocabulary for every layer. Rows refer to images and concepts by their position; texts are
resolved once, at import. Boxes are `[left, top, width, height]` in pixels of the image as displayed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

Kind = Literal["classification", "tagging", "detection"]
KINDS: tuple[Kind, ...] = ("classification", "tagging", "detection")

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]
Longs = NDArray[np.int64]
Bytes = NDArray[np.int8]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

UNANNOTATED, CLOSED, OPEN = 0, 1, 2
"""What is known of an image: nothing; everything (a concept not listed is absent); only what is listed."""

NOT_RUN, RUN, NAMED = 0, 1, 2
"""Coverage of an image: the model was not run on it; was run and said nothing; has rows in the predictions."""


class Table:
    """Columns of equal length. A column that does not apply (boxes outside detection) is None."""

    def columns(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(cast(Any, self))}

    def take(self, rows: Any) -> Self:
        """The same columns at `rows` (indices, a mask or a slice)."""
        return type(self)(**{name: None if column is None else column[rows] for name, column in self.columns().items()})

    def followed_by(self, other: Self) -> Self:
        """This table's rows and then the other's."""
        if len(cast(Any, self)) == 0:
            return other
        ours, theirs = self.columns(), other.columns()
        lengths = len(cast(Any, self)), len(cast(Any, other))
        return type(self)(**{name: end_to_end(column, theirs[name], *lengths) for name, column in ours.items()})

    def replaced(self, **columns: Any) -> Self:
        return type(self)(**{**self.columns(), **columns})


def end_to_end(first: Any, second: Any, length: int, other_length: int) -> Any:
    """Two columns as one; where one side alone has texts, the other has empty ones."""
    if first is None and second is None:
        return None
    first, second = (texts([""] * size) if column is None else column for column, size in ((first, length), (second, other_length)))
    return np.concatenate([first, second])


@dataclass(frozen=True, eq=False)
class Images(Table):
    """path: unique text, `/` between folders · split: index into SPLITS · width, height: pixels as
    displayed, 0 where unknown · root: index into the view's image folders, -1 without one ·
    source_id: the id its format gave it, else '' · stated: UNANNOTATED, CLOSED or OPEN ·
    metadata: a JSON object of the user's own columns, else ''."""

    path: Texts
    split: Bytes
    width: Integers
    height: Integers
    root: Integers
    source_id: Texts
    stated: Bytes
    metadata: Texts

    def __len__(self) -> int:
        return len(self.path)


@dataclass(frozen=True, eq=False)
class Annotations(Table):
    """image, concept: positions · box: float64 (n, 4), None outside detection · ignore: crowd and
    difficult regions · positive: False where a person stated that the concept is absent (tagging) ·
    area: of the thing itself in square pixels, in COCO often less than its box's; None outside detection ·
    outline: what to draw beside the box, JSON `[[x, y, x, y, ...], ...]` in pixels, else ''; None where none has one."""

    image: Integers
    concept: Integers
    box: Floats | None
    ignore: Flags
    positive: Flags
    area: Floats | None
    outline: Texts | None = None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True, eq=False)
class Predictions(Table):
    """image, concept: positions · score: any finite float64 · box: as in Annotations · order: the
    row's place in the input, which settles ties."""

    image: Integers
    concept: Integers
    score: Floats
    box: Floats | None
    order: Integers

    def __len__(self) -> int:
        return len(self.image)


def texts(values: Any) -> Texts:
    """A column of Python strings."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def no_images() -> Images:
    return Images(
        texts([]), np.zeros(0, np.int8), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32),
        texts([]), np.zeros(0, np.int8), texts([]),
    )  # fmt: skip


def no_annotations(boxes: bool) -> Annotations:
    return Annotations(
        np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 4)) if boxes else None,
        np.zeros(0, bool), np.zeros(0, bool), np.zeros(0) if boxes else None,
    )  # fmt: skip


def no_predictions(boxes: bool) -> Predictions:
    return Predictions(
        np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), np.zeros((0, 4)) if boxes else None,
        np.zeros(0, np.int32),
    )  # fmt: skip
