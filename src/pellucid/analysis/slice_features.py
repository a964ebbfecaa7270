"""What can be said of an item: how large its box is, how crowded its picture, what its owner wrote beside it.

A property is a column over items (rows of annotations, or of predictions). Those of pixels are looked up elsewhere and take the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from pellucid.core.tables import (
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.error_causes import image_pairs
from pellucid.evaluation.evaluation import Evaluation

MOST_VALUES = 60
"""Different texts of a property beyond which it names things rather than kinds of them."""
FEW_NUMBERS = 8
"""Different numbers up to which a column of the user's counts as naming kinds."""


@dataclass(frozen=True, eq=False)
class Property:
    """name: as in conditions · values: float64 (n,), NaN where unknown; of texts, places in `labels`, -1 where unknown."""

    name: str
    values: Float64Array | Int64Array
    labels: tuple[str, ...] | None = None

    def at(self, rows: Int64Array | BoolArray) -> Property:
        return Property(self.name, self.values[rows], self.labels)


@dataclass(frozen=True)
class Condition:
    """name: of the property · low <= value < high (None: without end), or value among `values`."""

    name: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] | None = None

    def holds(self, column: Property) -> BoolArray:
        if column.labels is not None:
            wanted = [place for place, label in enumerate(column.labels) if label in (self.values or ())]
            return np.isin(column.values, wanted)
        low, high = -np.inf if self.low is None else self.low, np.inf if self.high is None else self.high
        return np.asarray((column.values >= low) & (column.values < high))  # NaN is neither

    @property
    def words(self) -> str:
        """As an address holds it; see `condition`."""
        if self.values is not None:
            return f"{safe(self.name)}={'|'.join(safe(value) for value in self.values)}"
        return f"{safe(self.name)}={shown(self.low)}..{shown(self.high)}"


def safe(text: str) -> str:
    """A name without the signs that conditions are written with."""
    for sign in ("%", "=", "|", ".."):
        text = text.replace(sign, "".join(f"%{ord(letter):02X}" for letter in sign))
    return text


def shown(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def condition(words: str) -> Condition:
    """The reverse of `Condition.words`. Raises ValueError."""
    name, sign, rest = words.partition("=")
    if not name or not sign:
        raise ValueError(words)
    low, dots, high = rest.partition("..")
    try:
        if dots:
            return Condition(unquote(name), float(low) if low else None, float(high) if high else None)
    except ValueError:
        pass
    return Condition(unquote(name), values=tuple(unquote(value) for value in rest.split("|")))


def geometry(evaluation: Evaluation, rows: Int64Array, annotations: bool, among: Int64Array) -> list[Property]:
    """Of boxes: `size` (the root of the area), `border` (to the nearest edge of the picture) in pixels, `share` of the picture in percent,
    `aspect` (width / height), `overlap` (the highest IoU with another of `among`, rows of the same table), `crowding` (how many of these
    the picture has beside it). Empty outside detection."""
    table = evaluation.annotations if annotations else evaluation.predictions
    if table.box is None:
        return []
    image, images = table.image[rows], evaluation.images
    left, top, width, height = np.asarray(table.box[rows], float).reshape(-1, 4).T
    wide, high = (np.where(side[image] > 0, side[image], np.nan) for side in (images.width, images.height))
    area = np.maximum(width, 0) * np.maximum(height, 0)
    border = np.maximum(0, np.minimum.reduce([left, top, wide - left - width, high - top - height]))
    overlap, crowding = company(table, rows, among, len(images))
    return [
        Property("size", np.sqrt(area)),
        Property("share", 100 * area / (wide * high)),
        Property("aspect", np.divide(width, height, out=np.full(len(rows), np.nan), where=height > 0)),
        Property("border", border),
        Property("crowding", crowding),
        Property("overlap", overlap),
    ]


def company(table: Annotations | Predictions, rows: Int64Array, among: Int64Array, images: int) -> tuple[Float64Array, Float64Array]:
    """Per row the highest IoU with another of its picture, and how many others there are."""
    assert table.box is not None
    image = np.asarray(table.image[among], np.int64)
    order = np.argsort(image, kind="stable")
    start = np.searchsorted(image[order], np.arange(images + 1))
    best, number = np.zeros(len(rows)), np.zeros(len(rows))
    for part, mine, others in image_pairs(table.image[rows], start, among[order]):
        other = others != rows[part[mine]]
        mine, others = mine[other], others[other]
        value = pairwise_iou(table.box[rows[part[mine]]], table.box[others], np.zeros(len(mine), bool))
        np.maximum.at(best, part[mine], value)
        number[part] = np.bincount(mine, minlength=len(part))
    return best, number


def of_pictures(images: Images) -> list[Property]:
    """One value an image: `width`, `height`, `shape` (landscape, portrait or square) and `file` kind."""
    wide, high = (np.where(side > 0, side.astype(float), np.nan) for side in (images.width, images.height))
    shape = np.where(np.isnan(wide) | np.isnan(high), -1, np.where(wide > high, 0, np.where(wide < high, 1, 2)))
    kinds = [path.rpartition("/")[2].rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else "" for path in images.path.tolist()]
    return [
        Property("width", wide),
        Property("height", high),
        Property("shape", shape.astype(np.int64), ("landscape", "portrait", "square")),
        of_texts("file", kinds),
    ]


def of_metadata(columns: dict[str, list[str]]) -> list[Property]:
    """The user's own columns, a text an image ('' where it says nothing): numbers where all are, else kinds; what names single images,
    or says the same of all, is left out."""
    found = []
    for name, told in columns.items():
        numbers = as_numbers(told)
        different = len(set(told) - {""})
        if numbers is not None and different > FEW_NUMBERS:
            found.append(Property(name, numbers))
        elif 1 < different <= MOST_VALUES or ("" in told and different == 1):
            found.append(of_texts(name, told))
    return found


def of_texts(name: str, told: list[str]) -> Property:
    labels = tuple(sorted(set(told) - {""}))
    place = {label: row for row, label in enumerate(labels)}
    return Property(name, np.array([place.get(one, -1) for one in told], np.int64), labels)


def as_numbers(told: list[str]) -> Float64Array | None:
    try:
        return np.array([float(one) if one else np.nan for one in told], float)
    except ValueError:
        return None
