"""Masks, corners and keypoints of objects, and their areas. They stay in the tables of a version:
a worker reads those of its images, and the assembled evaluation those of all."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.tables import Int64Array
from pellucid.distributed.parquet_query import query_parquet
from pellucid.storage.parquet import (
    CORNER_COLUMN_NAMES,
    KEYPOINT_COLUMN,
    MASK_COLUMN_NAMES,
    join_box_columns,
)

ROW_NUMBER = "file_row_number"
"""The key of annotations; that of predictions is their order, which no two of them share."""


def shape_column_names(location: str) -> list[str]:
    """The columns of shapes that a table has."""
    names = query_parquet(location, "SELECT * FROM {table} LIMIT 0")
    shapes = ("area", *MASK_COLUMN_NAMES, *CORNER_COLUMN_NAMES)
    return [name for name in names if name in shapes or name.startswith(KEYPOINT_COLUMN)]


def load_shapes(
    location: str, key: str, keys: Any, images: tuple[int, int] | None = None
) -> dict[str, Any]:
    """The columns of shapes of the rows with these keys, in their order.

    Args:
        key: the column that identifies a row
        keys: int (n,)
        images: the first of a shard and the one after its last, where all of these rows are
    """
    names = shape_column_names(location)
    if not names:
        return {}
    quoted = ", ".join(f'"{name}"' for name in (key, *names))
    where = "" if images is None else f" WHERE image >= {images[0]} AND image < {images[1]}"
    columns = query_parquet(location, f"SELECT {quoted} FROM {{table}}{where}")
    stored_keys: Int64Array = np.asarray(columns.pop(key), np.int64)
    order = np.argsort(stored_keys, kind="stable")
    rows = order[np.searchsorted(stored_keys[order], np.asarray(keys, np.int64))]
    shapes = join_box_columns(columns)
    shapes.pop("box")
    return {name: column[rows] for name, column in shapes.items()}
