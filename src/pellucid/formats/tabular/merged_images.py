"""Images of several places under one name: `0001.jpg` of each site, where nothing but the order of
the rows says that a column belongs to the name."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from pellucid.core.tables import Int32Array, Int64Array
from pellucid.formats.dataset import encode_texts
from pellucid.formats.errors import AmbiguousColumnsError
from pellucid.formats.tabular.annotators import NAMES, PASSES, annotator_name
from pellucid.formats.tabular.column_names import parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.flag_column import says_yes_and_no
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.unread_columns import MODEL_NAMES

MAX_ROWS = 100_000
"""Rows that are looked at."""
MIN_CROSSED = 0.6
"""Share of the images with several rows that must have several values of the column."""
MAX_CHANCE = 1e-4
"""Probability with which a property of objects would be in this order by chance."""


def reject_merged_images(reader: TableReader, roles: ColumnRoles, images: Int32Array) -> None:
    """Raise AmbiguousColumnsError if in every image the rows of each value of a column follow one
    another, as those of several images of one name do.

    Args:
        images: the index of each row's image
    """
    for column in reader.drop_index_columns(roles.unassigned_columns(reader)):
        values = encode_texts(reader.head_texts(column, MAX_ROWS))[1].astype(np.int64)
        are_several = may_be_several_images(images[:MAX_ROWS].astype(np.int64), values)
        if are_several and not is_of_another_kind(reader, roles, column):
            raise AmbiguousColumnsError(
                reader.path,
                "image",
                [str(roles.image), column],
                f"image={roles.image}, or with a column that joins both (the same {roles.image} "
                f"occurs with several values of {column}, one after the other)",
            )


def is_of_another_kind(reader: TableReader, roles: ColumnRoles, column: str) -> bool:
    """Whether a column has measures, flags, people, models, or says something of the concept."""
    name = parse_column_name(column).rest
    is_known = annotator_name(column) in NAMES | PASSES or name in MODEL_NAMES
    if is_known or reader.is_empty(column) or says_yes_and_no(reader, column):
        return True
    cells = [cell for cell in reader.first_texts(column) if cell]
    if any("." in cell and cell.replace(".", "").isdecimal() for cell in cells):
        return True
    concept = roles.concept
    return concept is not None and (
        reader.determines(concept, column) or reader.determines(column, concept)
    )


def may_be_several_images(images: Int64Array, values: Int64Array) -> bool:
    """Whether the rows of each value are together in every image, most images have several, and
    that is no chance.

    Args:
        images, values: int64 (n,), of each row, in its order
    """
    order = np.argsort(images, kind="stable")
    images, values = images[order], values[order]
    is_start = np.ones(len(images), bool)
    is_start[1:] = (images[1:] != images[:-1]) | (values[1:] != values[:-1])
    cells, cell_rows = np.unique(np.stack([images, values], axis=1), axis=0, return_counts=True)
    if int(is_start.sum()) != len(cells):
        return False  # a value comes back within an image
    image_rows, image_cells = np.bincount(images), np.bincount(cells[:, 0])
    has_several = image_rows > 1
    if (image_cells[has_several] > 1).sum() < MIN_CROSSED * has_several.sum():
        return False
    # of the n! orders of an image's rows, d! * product of c! keep the d values together, and of
    # these one in d! has them in the order of other images; numbers of single rows say nothing
    tells = image_cells < image_rows
    log_chance = (
        gammaln(cell_rows + 1)[tells[cells[:, 0]]].sum() - gammaln(image_rows + 1)[tells].sum()
    )
    is_ordered = (values[1:] >= values[:-1]) | (images[1:] != images[:-1])
    if not is_ordered.all():
        log_chance += gammaln(image_cells + 1)[tells].sum()
    return bool(log_chance < np.log(MAX_CHANCE))
