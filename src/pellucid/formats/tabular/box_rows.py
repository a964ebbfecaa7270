"""Rows of annotation tables that are boxes."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import EXHAUSTIVE, PARTIAL, BoolArray, Float64Array, StringArray
from pellucid.formats.dataset import BoxShape, BoxShapes, Note
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.tabular.box_columns import corners_of, list_shapes
from pellucid.formats.tabular.box_evidence import are_fractions, look_like_corners
from pellucid.formats.tabular.box_layout_choice import raw_boxes
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.concept_cells import (
    parse_boolean_column,
    parse_concept_texts,
    parse_positive_flags,
)
from pellucid.formats.tabular.long_format import LongRows
from pellucid.formats.tabular.reader import TableReader


def parse_box_rows(reader: TableReader, roles: ColumnRoles) -> LongRows:
    """One object per row. A row without a concept, or with a concept that never has a box, states
    an image with nothing on it."""
    assert roles.concept is not None
    layout = roles.layout
    assert layout is not None
    concept_texts = parse_concept_texts(reader, roles)
    is_list_column = len(layout.columns) == 1 and not layout.is_certain
    raw = raw_boxes(reader, layout)
    is_open = not layout.is_certain  # a list, or x and y that may be of the center
    boxes = raw.copy() if is_open else corners_of(layout, raw)
    is_positive = parse_positive_flags(reader, roles.value if roles.has_tag_values else None)
    has_box = ~np.isnan(raw).all(axis=1) & ~(raw == 0).all(axis=1) & ~(raw == -1).all(axis=1)
    is_object = (concept_texts != "") & (has_box | ~is_positive)
    reject_nameless_boxes(reader, roles.concept, has_box & (concept_texts == ""))
    reject_missing_boxes(reader, concept_texts, is_object, boxes)
    row_indexes = np.flatnonzero(is_object)
    boxes, is_positive = boxes[row_indexes], is_positive[row_indexes]
    boxes[~is_positive] = 0  # absent concepts have no box
    long_rows = LongRows(
        "detection",
        row_indexes,
        [str(concept_text) for concept_text in concept_texts[row_indexes]],
        boxes,
        parse_boolean_column(reader, roles.ignore)[row_indexes],
        is_positive,
        EXHAUSTIVE if is_positive.all() else PARTIAL,
    )
    if is_list_column:
        long_rows.box_shapes = list_shapes(layout)
    elif is_open:
        default: BoxShape | None = None if are_fractions(boxes) else "xywh"
        corners: tuple[BoxShape, ...] = ("xyxy",) if look_like_corners(boxes[is_positive]) else ()
        long_rows.box_shapes = BoxShapes(("xywh", *corners, "cxcywh"), default)
    long_rows.notes += empty_row_notes(concept_texts[~is_object])
    return long_rows


def reject_nameless_boxes(reader: TableReader, concept_column: str, is_nameless: BoolArray) -> None:
    """Raise InvalidRecordError for a row with a box whose concept is missing."""
    for row in np.flatnonzero(is_nameless)[:1].tolist():
        cell = str(reader.text_column(concept_column)[row])
        found = f"'{cell}' in '{concept_column}' means a missing one" if cell else "no concept"
        raise InvalidRecordError(
            reader.path,
            reader.row_location(row),
            f"a box, but {found} ({format_count(int(is_nameless.sum()), 'row')} of this kind)",
            "Write the concept in another way; empty the box too to state an image with nothing on "
            "it.",
        )


def reject_missing_boxes(
    reader: TableReader, concept_texts: StringArray, is_object: BoolArray, boxes: Float64Array
) -> None:
    """Raise InvalidRecordError for a row without a box whose concept has boxes in other rows."""
    unlocated = {*concept_texts[~is_object]} & {*concept_texts[is_object]} - {""}
    is_missing = np.isin(concept_texts, sorted(unlocated)) & ~is_object
    is_missing &= np.isnan(boxes).all(axis=1)
    for row in np.flatnonzero(is_missing)[:1].tolist():
        raise InvalidRecordError(
            reader.path,
            reader.row_location(row),
            f"no box for '{concept_texts[row]}', which has boxes in other rows",
            "Add the box, or empty the concept to state an image with nothing on it.",
        )


def empty_row_notes(concept_texts: StringArray) -> list[Note]:
    """A note on rows without a box that name a concept. concept_texts: of the rows without one."""
    named = concept_texts[concept_texts != ""]
    if not len(named):
        return []
    message = (
        f"{format_count(len(named), 'row')} without a box ({summarize_names(sorted(set(named)))}): "
        "read as images with nothing on them"
    )
    return [Note("rows_without_box", message, len(named))]
