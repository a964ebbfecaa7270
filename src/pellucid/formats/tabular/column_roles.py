"""Detection of column roles in tables by column name."""

from __future__ import annotations

import re

from pellucid.formats.tabular.reader import TableReader, normalize_column_name

IMAGE_COLUMNS = (
    "image",
    "image_path",
    "path",
    "filename",
    "file_name",
    "file",
    "image_name",
    "image_file",
    "img",
    "image_id",
    "id",
)
CONCEPT_COLUMNS = (
    "concept",
    "label",
    "class",
    "category",
    "class_name",
    "category_name",
    "label_name",
    "name",
    "tag",
    "tags",
    "labels",
    "concepts",
)
SCORE_COLUMNS = ("score", "confidence", "conf", "probability", "prob")
SPLIT_COLUMNS = ("split", "subset", "partition", "set")
IGNORE_COLUMNS = ("ignore", "iscrowd", "difficult")
VALUE_COLUMNS = ("value",)
SIZE_COLUMN_SETS = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("x1", "y1", "w", "h"),
)
CENTER_COLUMN_SETS = (
    ("x_center", "y_center", "width", "height"),
    ("cx", "cy", "width", "height"),
    ("cx", "cy", "w", "h"),
    ("xc", "yc", "w", "h"),
    ("x_center", "y_center", "w", "h"),
)
BOX_LIST_COLUMNS = ("bbox", "box", "bounding_box")
"""Columns of four numbers: ambiguous, as they could be width and height or corners."""
CORNER_COLUMN_SETS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
TRUE_WORDS, FALSE_WORDS = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
CONCEPT_LIST_COLUMNS = ("tags", "labels", "concepts")
"""Column names that indicate a list."""
INDEX_COLUMN_PATTERN = re.compile(r"(unnamed|column)_?\d*|index|_*index_level_0_*|")
"""Names of an exported data frame index."""


class ColumnRoles:
    """The role of each column, detected by its name."""

    def __init__(self, reader: TableReader) -> None:
        self.column_by_normalized_name = {
            normalize_column_name(column_name): column_name
            for column_name in reversed(reader.column_types)
        }
        self.image_column = self.find_column(IMAGE_COLUMNS)
        self.concept_column = self.find_column(CONCEPT_COLUMNS)
        self.score_column = self.find_column(SCORE_COLUMNS)
        self.split_column = self.find_column(SPLIT_COLUMNS)
        self.ignore_column = self.find_column(IGNORE_COLUMNS)
        self.value_column: str | None = (
            None  # only for tags; otherwise a column of that name is metadata
        )
        self.size_columns = next(
            (
                column_set
                for column_set in SIZE_COLUMN_SETS
                if all(
                    normalized_name in self.column_by_normalized_name
                    for normalized_name in column_set
                )
            ),
            None,
        )
        self.center_columns = next(
            (
                column_set
                for column_set in CENTER_COLUMN_SETS
                if all(
                    normalized_name in self.column_by_normalized_name
                    for normalized_name in column_set
                )
            ),
            None,
        )
        self.box_list_column = self.find_column(BOX_LIST_COLUMNS)
        self.corner_columns = next(
            (
                column_set
                for column_set in CORNER_COLUMN_SETS
                if all(
                    normalized_name in self.column_by_normalized_name
                    for normalized_name in column_set
                )
            ),
            None,
        )

    def find_column(self, candidates: tuple[str, ...]) -> str | None:
        return next(
            (
                self.column_by_normalized_name[normalized_name]
                for normalized_name in candidates
                if normalized_name in self.column_by_normalized_name
            ),
            None,
        )

    @property
    def has_boxes(self) -> bool:
        return bool(self.size_columns or self.corner_columns or self.center_columns)

    def unassigned_columns(self, reader: TableReader) -> list[str]:
        """Columns without a role in the long format."""
        box_columns = [
            self.column_by_normalized_name[normalized_name]
            for normalized_name in (
                self.center_columns or self.size_columns or self.corner_columns or ()
            )
        ]
        assigned_columns = {
            self.image_column,
            self.concept_column,
            self.score_column,
            self.split_column,
            self.ignore_column,
            self.value_column,
            *box_columns,
        }
        return [
            column_name
            for column_name in reader.column_types
            if column_name not in assigned_columns
        ]
