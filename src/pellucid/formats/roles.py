"""Which column of a table plays which part, by its name."""

from __future__ import annotations

import re

from pellucid.formats.cells import Cells, tidy

IMAGE = ("image", "image_path", "path", "filename", "file_name", "file", "image_name", "image_file", "img", "image_id", "id")
CONCEPT = (
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
SCORE = ("score", "confidence", "conf", "probability", "prob")
SPLIT = ("split", "subset", "partition", "set")
IGNORE = ("ignore", "iscrowd", "difficult")
VALUE = ("value",)
SIZED = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"), ("x1", "y1", "w", "h"))
CENTRED = (
    ("x_center", "y_center", "width", "height"), ("cx", "cy", "width", "height"), ("cx", "cy", "w", "h"), ("xc", "yc", "w", "h"),
    ("x_center", "y_center", "w", "h"),
)  # fmt: skip
LISTS = ("bbox", "box", "bounding_box")
"""Columns of four numbers, of which nobody can tell whether they are sides or corners."""
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
MANY = ("tags", "labels", "concepts")
"""Column names that promise a list."""
UNNAMED = re.compile(r"(unnamed|column)_?\d*|index|_*index_level_0_*|")
"""The index that a data frame leaves behind."""


class Roles:
    """Which column plays which part, by its name."""

    def __init__(self, cells: Cells) -> None:
        self.names = {tidy(name): name for name in reversed(cells.columns)}
        self.image = self.first(IMAGE)
        self.concept = self.first(CONCEPT)
        self.score = self.first(SCORE)
        self.split = self.first(SPLIT)
        self.ignore = self.first(IGNORE)
        self.value: str | None = None  # of tags alone; elsewhere a column of that name is the user's own
        self.sized = next((columns for columns in SIZED if all(name in self.names for name in columns)), None)
        self.centred = next((columns for columns in CENTRED if all(name in self.names for name in columns)), None)
        self.list_of_sides = self.first(LISTS)
        self.corners = next((columns for columns in CORNERS if all(name in self.names for name in columns)), None)

    def first(self, candidates: tuple[str, ...]) -> str | None:
        return next((self.names[name] for name in candidates if name in self.names), None)

    @property
    def has_boxes(self) -> bool:
        return bool(self.sized or self.corners or self.centred)

    def others(self, cells: Cells) -> list[str]:
        """Columns that play no part of the long form."""
        box = [self.names[name] for name in (self.centred or self.sized or self.corners or ())]
        taken = {self.image, self.concept, self.score, self.split, self.ignore, self.value, *box}
        return [name for name in cells.columns if name not in taken]
