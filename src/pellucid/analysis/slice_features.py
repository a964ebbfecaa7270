"""Item properties for slices: box size, crowding, image format, user metadata.

A property is a column over items (rows of annotations or predictions). Pixel statistics are
computed elsewhere, in the same form.
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
from pellucid.evaluation.error_causes import image_pairs
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.similarity import pairwise_similarity

MAX_CATEGORIES = 60
"""Maximum number of distinct texts for a property to be categorical."""
MAX_CATEGORICAL_NUMBERS = 8
"""Maximum number of distinct numbers for a user column to be categorical."""


@dataclass(frozen=True, eq=False)
class Property:
    """A property of items that slices are made of.

    Attributes:
        name: as in conditions
        values: float64 (n,), NaN if unknown; of texts, indices into `labels`, -1 if unknown
    """

    name: str
    values: Float64Array | Int64Array
    labels: tuple[str, ...] | None = None

    def select(self, item_rows: Int64Array | BoolArray) -> Property:
        """The property of some of the items."""
        return Property(self.name, self.values[item_rows], self.labels)


@dataclass(frozen=True)
class Condition:
    """A range or a set of values of one property.

    Attributes:
        name: of the property
        low <= value < high (None: unbounded), or value in `values`
    """

    name: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] | None = None

    def matches(self, item_property: Property) -> BoolArray:
        """Which items satisfy the condition; the upper bound is not part of its range."""
        if item_property.labels is not None:
            label_indices = [
                label_index
                for label_index, label in enumerate(item_property.labels)
                if label in (self.values or ())
            ]
            return np.isin(item_property.values, label_indices)
        low, high = (
            -np.inf if self.low is None else self.low,
            np.inf if self.high is None else self.high,
        )
        return np.asarray(
            (item_property.values >= low) & (item_property.values < high)
        )  # False for NaN

    @property
    def expression(self) -> str:
        """The condition as URL text; parsed by `decode_condition`."""
        if self.values is not None:
            categories = "|".join(escape_delimiters(category) for category in self.values)
            return f"{escape_delimiters(self.name)}={categories}"
        return f"{escape_delimiters(self.name)}={format_bound(self.low)}..{format_bound(self.high)}"


def escape_delimiters(token: str) -> str:
    """Percent-encode the delimiters of conditions in a name."""
    for delimiter in ("%", "=", "|", ".."):
        token = token.replace(
            delimiter, "".join(f"%{ord(character):02X}" for character in delimiter)
        )
    return token


def format_bound(bound: float | None) -> str:
    """A bound as filters write it; empty for none."""
    return "" if bound is None else repr(float(bound))


def decode_condition(expression: str) -> Condition:
    """The inverse of `Condition.expression`. Raises ValueError."""
    property_name, equals_sign, operand = expression.partition("=")
    if not property_name or not equals_sign:
        raise ValueError(expression)
    low, range_sign, high = operand.partition("..")
    try:
        if range_sign:
            return Condition(
                unquote(property_name), float(low) if low else None, float(high) if high else None
            )
    except ValueError:
        pass
    return Condition(
        unquote(property_name), values=tuple(unquote(category) for category in operand.split("|"))
    )


def geometry_properties(
    evaluation: Evaluation, item_rows: Int64Array, is_annotation: bool, neighbour_rows: Int64Array
) -> list[Property]:
    """Properties of boxes: `size` (square root of the area) and `border` (distance to the
    nearest image edge) in pixels, `share` of the image in percent, `aspect` (width / height),
    `overlap` (highest IoU with another of neighbour_rows, same table), `crowding` (how many
    others are in the image). Empty except for detection."""
    item_table = evaluation.item_table(is_annotation)
    if item_table.box is None:
        return []
    item_images, images = item_table.image[item_rows], evaluation.images
    left, top, width, height = np.asarray(item_table.box[item_rows], float).reshape(-1, 4).T
    image_width, image_height = (
        np.where(pixels[item_images] > 0, pixels[item_images], np.nan)
        for pixels in (images.width, images.height)
    )
    area = np.maximum(width, 0) * np.maximum(height, 0)
    border = np.maximum(
        0, np.minimum.reduce([left, top, image_width - left - width, image_height - top - height])
    )
    overlap, crowding = overlap_and_crowding(item_table, item_rows, neighbour_rows, len(images))
    return [
        Property("size", np.sqrt(area)),
        Property("share", 100 * area / (image_width * image_height)),
        Property(
            "aspect",
            np.divide(width, height, out=np.full(len(item_rows), np.nan), where=height > 0),
        ),
        Property("border", border),
        Property("crowding", crowding),
        Property("overlap", overlap),
    ]


def overlap_and_crowding(
    item_table: Annotations | Predictions,
    item_rows: Int64Array,
    neighbour_rows: Int64Array,
    image_count: int,
) -> tuple[Float64Array, Float64Array]:
    """Per row, the highest IoU with another box of its image, and the number of other boxes."""
    assert item_table.box is not None
    neighbour_images = np.asarray(item_table.image[neighbour_rows], np.int64)
    image_order = np.argsort(neighbour_images, kind="stable")
    image_starts = np.searchsorted(neighbour_images[image_order], np.arange(image_count + 1))
    best_iou, neighbour_counts = np.zeros(len(item_rows)), np.zeros(len(item_rows))
    for item_positions, pair_items, pair_neighbours in image_pairs(
        item_table.image[item_rows], image_starts, neighbour_rows[image_order]
    ):
        is_other = pair_neighbours != item_rows[item_positions[pair_items]]
        pair_items, pair_neighbours = pair_items[is_other], pair_neighbours[is_other]
        ious = pairwise_similarity(
            item_table, item_rows[item_positions[pair_items]], item_table, pair_neighbours
        )
        np.maximum.at(best_iou, item_positions[pair_items], ious)
        neighbour_counts[item_positions] = np.bincount(pair_items, minlength=len(item_positions))
    return best_iou, neighbour_counts


def file_properties(images: Images) -> list[Property]:
    """Per image: `width`, `height`, `shape` (landscape, portrait or square) and `file`
    (extension)."""
    image_width, image_height = (
        np.where(pixels > 0, pixels.astype(float), np.nan)
        for pixels in (images.width, images.height)
    )
    shape_index = np.where(
        np.isnan(image_width) | np.isnan(image_height),
        -1,
        np.where(image_width > image_height, 0, np.where(image_width < image_height, 1, 2)),
    )
    extensions = [
        path.rpartition("/")[2].rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
        for path in images.path.tolist()
    ]
    return [
        Property("width", image_width),
        Property("height", image_height),
        Property("shape", shape_index.astype(np.int64), ("landscape", "portrait", "square")),
        categorical_property("file", extensions),
    ]


def metadata_properties(metadata: dict[str, list[str]]) -> list[Property]:
    """User metadata columns, one text per image ('' if missing): numeric if all values are
    numbers, else categorical; columns with a single value or too many distinct texts are
    skipped."""
    properties = []
    for column_name, column_values in metadata.items():
        numeric_values = parse_numbers(column_values)
        distinct_count = len(set(column_values) - {""})
        if numeric_values is not None and distinct_count > MAX_CATEGORICAL_NUMBERS:
            properties.append(Property(column_name, numeric_values))
        elif 1 < distinct_count <= MAX_CATEGORIES or ("" in column_values and distinct_count == 1):
            properties.append(categorical_property(column_name, column_values))
    return properties


def categorical_property(property_name: str, column_values: list[str]) -> Property:
    """A property with labels; empty cells are unknown."""
    labels = tuple(sorted(set(column_values) - {""}))
    label_index = {label: index for index, label in enumerate(labels)}
    return Property(
        property_name,
        np.array([label_index.get(category, -1) for category in column_values], np.int64),
        labels,
    )


def parse_numbers(column_values: list[str]) -> Float64Array | None:
    """The cells as numbers, NaN for empty ones; None if one is no number."""
    try:
        return np.array([float(cell) if cell else np.nan for cell in column_values], float)
    except ValueError:
        return None
