"""Rows of a table that are of no image: they sum up the others, such as `Total`, or are of a
video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.tables import Int32Array
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import VIDEO_SUFFIXES
from pellucid.formats.tabular.reader import TableReader

SUMMARY_WORDS = (
    *("total", "totals", "grand total", "subtotal", "sum", "count", "average", "avg", "mean"),
    *("median", "overall", "all", "accuracy", "macro avg", "micro avg", "weighted avg"),
)
"""What stands in place of an image in such rows, in lower case and without a colon."""


def reject_summary_rows(
    reader: TableReader, image_keys: Sequence[str], image_indexes: Int32Array
) -> None:
    """Raise InvalidRecordError if an image is called as a row that sums up the others is."""
    for index, key in enumerate(image_keys):
        if key.strip().rstrip(":").lower() in SUMMARY_WORDS:
            row = int(np.flatnonzero(image_indexes == index)[0])
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row),
                f"'{key}' looks like a row that sums up the others, not like an image",
                "Remove the row; if it is an image, write its file name with the ending.",
            )


def reject_videos(reader: TableReader, image_keys: Sequence[str]) -> None:
    """Raise InvalidRecordError if an image is a video: its rows may be of different frames."""
    endings = tuple(VIDEO_SUFFIXES)
    for key in image_keys:
        if key.lower().endswith(endings):
            raise InvalidRecordError(
                reader.path,
                f"image '{key}'",
                "it is a video, not an image",
                "Write the frames as image files, and the name of its frame in each row.",
            )
