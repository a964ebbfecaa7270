"""Which column of a table names the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.formats.errors import AmbiguousColumnsError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.tabular.column_names import FOLDER_NAMES, GROUP_NAMES, IMAGE_NAMES, ColumnName
from pellucid.formats.tabular.reader import TableReader


def find_image_column(reader: TableReader, names: Sequence[ColumnName]) -> str | None:
    """Paths before ids; of several columns, the one that determines the others. Without a known
    name, the only column whose cells are file names of images.

    Raises:
        AmbiguousColumnsError: no column determines the others, or the same name occurs in
            several folders.
    """
    unmarked = [name for name in names if not name.marker]
    column = choose_image_column(reader, unmarked)
    if column is not None:
        reject_split_image_names(reader, unmarked, column)
    return column


def choose_image_column(reader: TableReader, unmarked: Sequence[ColumnName]) -> str | None:
    files = [name.column for name in unmarked if has_image_names(reader, name.column)]
    for tier, tier_names in enumerate(IMAGE_NAMES):
        if tier == len(IMAGE_NAMES) - 1 and len(files) == 1:
            return files[0]  # a column `id` beside names of files numbers the rows
        columns = [
            name.column
            for rest in tier_names
            for name in unmarked
            if name.rest == rest and not reader.is_empty(name.column)
        ]
        named_files = [column for column in columns if has_image_names(reader, column)]
        columns = named_files or columns
        if columns:
            return determining_column(reader, columns)
    return files[0] if len(files) == 1 else None


def has_image_names(reader: TableReader, column: str) -> bool:
    """Whether the first cells are file names of images."""
    cells = [cell for cell in reader.first_texts(column) if cell]
    return bool(cells) and all(is_image_file(cell.replace("\\", "/")) for cell in cells)


def determining_column(reader: TableReader, columns: Sequence[str]) -> str:
    """The first column whose value determines all others. Raises AmbiguousColumnsError."""
    for column in columns:
        if all(reader.determines(column, other) for other in columns if other != column):
            return column
    raise AmbiguousColumnsError(reader.path, "image", columns)


def reject_split_image_names(reader: TableReader, names: Sequence[ColumnName], image: str) -> None:
    """Raise AmbiguousColumnsError if the same image name occurs with different folders or ids."""
    for name in names:
        if name.column == image or reader.is_empty(name.column):
            continue
        if may_name_folders(reader, name) and not reader.determines(image, name.column):
            raise AmbiguousColumnsError(
                reader.path,
                "image",
                [image, name.column],
                f"image={image}, or with a column that joins both (the same {image} occurs with "
                f"several values of {name.column})",
            )


def may_name_folders(reader: TableReader, name: ColumnName) -> bool:
    """Whether a column may hold a part of the image's name: by its own name, and if that is as
    often one of a property of objects, by the order of the rows."""
    if name.rest not in GROUP_NAMES:
        return name.rest in FOLDER_NAMES
    values, indexes = reader.encode_column(name.column)
    return 1 < len(values) == 1 + np.count_nonzero(np.diff(indexes))


def is_row_index(reader: TableReader, name: ColumnName) -> bool:
    """Whether a column named `index` numbers the rows."""
    return name.rest == "index" and reader.row_count > 1 and reader.is_unique(name.column)
