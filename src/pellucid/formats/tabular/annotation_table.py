"""Read annotations from a table: one row per annotation, or one row per image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import EXHAUSTIVE, PARTIAL, BoolArray, Float64Array, StringArray
from pellucid.formats.dataset import (
    BoxShape,
    BoxShapes,
    Note,
    ParsedAnnotations,
    encode_texts,
    normalize_image_path,
)
from pellucid.formats.errors import AmbiguousColumnsError, ColumnsMissingError, InvalidRecordError
from pellucid.formats.probe import ReadOptions
from pellucid.formats.tabular.annotators import annotator_notes, reject_disagreement
from pellucid.formats.tabular.box_columns import corners_of
from pellucid.formats.tabular.box_evidence import (
    FRACTIONS_MESSAGE,
    are_fractions,
    look_like_corners,
)
from pellucid.formats.tabular.box_roles import raw_boxes, reject_unread_boxes
from pellucid.formats.tabular.cell_lists import find_separator, split_cell
from pellucid.formats.tabular.column_names import (
    CONCEPT_LIST_NAMES,
    CONCEPT_NAMES,
    looks_like_metadata,
    name_tier,
    parse_column_name,
)
from pellucid.formats.tabular.column_roles import (
    ColumnRoles,
    Purpose,
    assign_roles,
    has_image_names,
)
from pellucid.formats.tabular.flags import (
    FALSE_WORDS,
    NEGATIVE_WORDS,
    POSITIVE_WORDS,
    TRUE_WORDS,
)
from pellucid.formats.tabular.long_format import LongRows, build_table_annotations
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.wide_annotations import flag_texts, one_hot_columns, read_one_hot


def has_annotation_columns(reader: TableReader, options: ReadOptions) -> bool:
    roles = assign_roles(reader, purpose_of(options), forced=options.columns)
    return roles.image is not None and (
        roles.concept is not None or bool(one_hot_columns(reader, roles))
    )


def purpose_of(options: ReadOptions) -> Purpose:
    """Predictions without scores are read as annotations are, but state what was predicted."""
    return "annotations" if options.has_scores else "predictions"


def explain_annotation_columns(reader: TableReader, options: ReadOptions) -> None:
    """Raise the error that says which column of a table is missing."""
    roles = assign_roles(reader, purpose_of(options), forced=options.columns)
    reject_unread_boxes(reader, roles.layout, roles.coordinates)
    missing = "the image" if roles.image is None else "the concept"
    role = "image" if roles.image is None else "concept"
    raise ColumnsMissingError(
        reader.path,
        missing,
        list(reader.column_types),
        f"Name it with --columns {role}=COLUMN, or rename it to {role}.",
    )


def read_annotation_table(reader: TableReader, options: ReadOptions) -> ParsedAnnotations:
    """The annotations of a table, of the view's kind or the kind that the columns show."""
    roles = assign_roles(reader, purpose_of(options), forced=options.columns)
    assert roles.image is not None
    if options.kind in (None, "detection"):
        reject_unread_boxes(reader, roles.layout, roles.coordinates)
    image_keys, image_indexes = reader.encoded_column(roles.image)
    if "" in image_keys:
        empty_row = int(np.flatnonzero(image_indexes == image_keys.index(""))[0])
        raise InvalidRecordError(
            reader.path, reader.row_location(empty_row), "missing image", "Specify the image path."
        )
    image_paths, path_index_by_key = encode_texts(
        [normalize_image_path(reader.path, key, options.image_folder) for key in image_keys]
    )
    image_indexes = path_index_by_key[image_indexes] if len(image_keys) else image_indexes
    reject_weak_concept(reader, roles)
    if options.kind == "tagging":
        roles = flag_column_as_tag(reader, roles, options)
    if roles.concept is None and roles.layout and options.kind in (None, "detection"):
        explain_annotation_columns(reader, options)
    if roles.concept is None:
        return read_one_hot(reader, roles, options.kind, image_paths, image_indexes)
    if roles.layout and options.kind in (None, "detection"):
        is_value = has_tag_values(reader, roles.value)
        roles = replace(roles, has_tag_values=is_value)
        long_rows = read_box_rows(reader, roles)
        long_rows.notes.extend(annotator_notes(reader, image_indexes))
    else:
        roles, long_rows = read_label_rows(reader, roles, options, image_indexes)
    annotations = build_table_annotations(reader, roles, image_paths, image_indexes, long_rows)
    if long_rows.boxes is not None and are_fractions(long_rows.boxes):
        fractions = Note("fractions", FRACTIONS_MESSAGE, 1, "info")
        return replace(annotations, unit="fractions", notes=[*annotations.notes, fractions])
    return annotations


def flag_column_as_tag(
    reader: TableReader, roles: ColumnRoles, options: ReadOptions
) -> ColumnRoles:
    """Of tags, a single column of 0 and 1 that the user named is a tag that is there or not."""
    named = tuple(options.columns.get("concept", ()))
    if roles.concept is None or named != (roles.concept,):
        return roles
    if not {*flag_texts(reader, roles.concept)} <= {*TRUE_WORDS, *FALSE_WORDS, ""}:
        return roles
    return replace(roles, concept=None, concept_columns=named)


def reject_weak_concept(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise AmbiguousColumnsError if a column such as `name` stands beside columns of 0 and 1
    that could be the concepts."""
    if roles.concept is None or roles.layout is not None:
        return
    if name_tier(parse_column_name(roles.concept).rest, CONCEPT_NAMES) == 0:
        return
    flags = [c for c in one_hot_columns(reader, roles) if not looks_like_metadata(c)]
    if len(flags) > 1 and not set(flags) & set(reader.encoded_column(roles.concept)[0]):
        raise AmbiguousColumnsError(
            reader.path,
            "concept",
            [roles.concept, *flags],
            f"concept={roles.concept} or " + ",".join(f"concept={flag}" for flag in flags[:3]),
        )


def read_box_rows(reader: TableReader, roles: ColumnRoles) -> LongRows:
    """One object per row. A row without a concept, or with a concept that never has a box, states
    an image with nothing on it."""
    assert roles.concept is not None
    layout = roles.layout
    assert layout is not None
    concept_texts = read_concept_texts(reader, roles)
    is_list_column = len(layout.columns) == 1 and not layout.is_certain
    raw = raw_boxes(reader, layout)
    is_open = not layout.is_certain  # a list, or x and y that may be of the center
    boxes = raw.copy() if is_open else corners_of(layout, raw)
    is_positive = read_positive_flags(reader, roles.value if roles.has_tag_values else None)
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
        read_boolean_column(reader, roles.ignore)[row_indexes],
        is_positive,
        EXHAUSTIVE if is_positive.all() else PARTIAL,
    )
    if is_list_column:
        long_rows.box_shapes = BoxShapes(("xywh", "xyxy", "cxcywh", "yxyx"))
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


MIN_IMAGES_WITH_ONE = 10
"""Images needed to say that one concept is usual."""
MISSING_CONCEPTS = ("nan", "<na>", "null", "nat", "n/a", "#n/a")
"""How tables write a missing concept, in lower case."""


def read_concept_texts(reader: TableReader, roles: ColumnRoles) -> StringArray:
    """The concept of each row, '' where it is missing. Raises InvalidRecordError for a row that
    repeats the header."""
    assert roles.concept is not None
    texts = reader.text_column(roles.concept)
    repeats = np.flatnonzero(texts == roles.concept)
    if len(repeats) and reader.text_column(str(roles.image))[repeats[0]] == roles.image:
        raise InvalidRecordError(
            reader.path, reader.row_location(int(repeats[0])), "repeats the header", "Remove it."
        )
    is_missing = np.array([is_missing_concept(str(text)) for text in texts], bool)
    return np.where(is_missing, "", texts)


def is_missing_concept(text: str) -> bool:
    """R writes a missing value as NA; `Na` may be a concept."""
    return text == "NA" or text.lower() in MISSING_CONCEPTS


def missing_concept_notes(reader: TableReader, roles: ColumnRoles) -> list[Note]:
    """A note on rows without a concept; a warning where a word such as `null` may be one."""
    assert roles.concept is not None
    texts = reader.text_column(roles.concept)
    words = [str(text) for text in texts if not text or is_missing_concept(str(text))]
    if not words:
        return []
    named = sorted(set(words) - {""})
    cells = f" ({summarize_names(named)} in '{roles.concept}')" if named else ""
    message = f"{format_count(len(words), 'row')} without a concept{cells}"
    return [Note("no_concept", message, len(words), "warning" if named else "info")]


def read_label_rows(
    reader: TableReader, roles: ColumnRoles, options: ReadOptions, image_indexes: Any
) -> tuple[ColumnRoles, LongRows]:
    """Labels of images: one per image (classification), or several (tagging)."""
    concept_texts = read_concept_texts(reader, roles)
    assert roles.concept is not None
    if not options.columns:
        reject_exchanged_columns(reader, roles)
    row_indexes = np.flatnonzero(concept_texts != "")
    separator = None
    if options.kind != "classification" or options.separator:
        separator = find_separator(
            reader.path, roles.concept, concept_texts.tolist(), options.separator
        )
    has_lists = separator is not None or parse_column_name(roles.concept).rest in CONCEPT_LIST_NAMES
    pairs = {
        (image_index, concept_text)
        for image_index, concept_text in zip(
            image_indexes[row_indexes].tolist(), concept_texts[row_indexes], strict=True
        )
    }
    has_several_concepts = len(pairs) > len(set(image_indexes[row_indexes].tolist()))
    if options.kind is None and has_several_concepts and not has_lists:
        reject_disagreement(
            reader, image_indexes[row_indexes], concept_texts[row_indexes], row_indexes
        )
    announced_alone = has_lists and separator is None and not has_several_concepts
    if options.kind == "tagging" or (
        options.kind is None
        and (has_lists or has_several_concepts or has_tag_values(reader, roles.value))
    ):
        roles = replace(roles, has_tag_values=roles.value is not None)
        tag_rows = read_tag_rows(reader, roles, concept_texts, separator)
        if options.kind is None and not has_lists and not roles.has_tag_values:
            tag_rows.notes.extend(few_tags_notes(reader, roles, pairs))
        if options.kind is None and announced_alone and not roles.has_tag_values:
            tag_rows.notes.append(single_tags_note(roles.concept))
        return roles, tag_rows
    notes = missing_concept_notes(reader, roles)
    if roles.ignore is not None:
        is_ignored = read_boolean_column(reader, roles.ignore)[row_indexes]
        if count := int(is_ignored.sum()):
            message = f"{format_count(count, 'row')} left out: '{roles.ignore}' says so"
            notes.append(Note("ignored_rows", message, count))
        row_indexes = row_indexes[~is_ignored]
    long_rows = LongRows(
        options.kind or "classification",
        row_indexes,
        [str(concept_text) for concept_text in concept_texts[row_indexes]],
        None,
        np.zeros(len(row_indexes), bool),
        np.ones(len(row_indexes), bool),
        EXHAUSTIVE,
    )
    long_rows.notes += notes
    return roles, long_rows


def reject_exchanged_columns(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise AmbiguousColumnsError if the concepts are the names of image files and the images are
    not."""
    assert roles.image is not None
    assert roles.concept is not None
    if has_image_names(reader, roles.concept) and not has_image_names(reader, roles.image):
        raise AmbiguousColumnsError(
            reader.path,
            "image",
            [roles.image, roles.concept],
            f"image={roles.concept},concept={roles.image}, as the cells of {roles.concept} are the "
            "names of image files",
        )


def single_tags_note(column: str | None) -> Note:
    message = (
        f"no image has several concepts in '{column}': read as tags; use --kind classification if "
        "concepts exclude each other"
    )
    return Note("single_concepts", message, 1, "info")


MAX_FEW_SHARE = 0.1
"""Share of images with several concepts up to which these may be mistakes."""


def few_tags_notes(
    reader: TableReader, roles: ColumnRoles, pairs: Collection[tuple[int, str]]
) -> list[Note]:
    """A warning if nearly all images have one concept. pairs: image index and concept."""
    counts = Counter(image for image, _ in pairs)
    several = [image for image, count in counts.items() if count > 1]
    if len(several) > max(1, MAX_FEW_SHARE * len(counts)) or len(counts) < MIN_IMAGES_WITH_ONE:
        return []
    image = several[0]
    names = summarize_names(sorted(text for owner, text in pairs if owner == image))
    assert roles.image is not None
    key = reader.encoded_column(roles.image)[0][image]
    message = (
        f"read as tags, as {len(several):,} of {format_count(len(counts), 'image')} have several "
        f"concepts ('{key}': {names}). If they are mistakes, correct them and use --kind "
        "classification"
    )
    return [Note("few_tags", message, len(several))]


def read_tag_rows(
    reader: TableReader, roles: ColumnRoles, concept_texts: StringArray, separator: str | None
) -> LongRows:
    """A cell may hold several concepts. With negative labels, missing labels are unknown;
    `ignore` marks a row as unknown."""
    row_concepts = [
        (row_index, concept_text)
        for row_index, cell in enumerate(concept_texts)
        for concept_text in split_cell(cell, separator)
    ]
    row_indexes = np.array([row_index for row_index, _ in row_concepts], np.int64)
    is_positive = read_positive_flags(reader, roles.value)[row_indexes]
    is_ignored = read_boolean_column(reader, roles.ignore)[row_indexes]
    long_rows = LongRows(
        "tagging",
        row_indexes,
        [concept_name for _, concept_name in row_concepts],
        None,
        is_ignored,
        is_positive,
        EXHAUSTIVE if is_positive.all() else PARTIAL,
    )
    if separator is not None:
        name = {"list": "lists", "\n": "line breaks"}.get(separator, f"'{separator}'")
        message = f"{roles.concept}: several concepts per cell, separated by {name}"
        long_rows.notes.append(Note("separator", message, 1, "info"))
    return long_rows


def has_tag_values(reader: TableReader, value_column: str | None) -> bool:
    """Whether a column states for each row whether its concept is there."""
    return value_column is not None and {
        cell.lower() for cell in reader.encoded_column(value_column)[0]
    } <= {*POSITIVE_WORDS, *NEGATIVE_WORDS, ""}


def read_positive_flags(reader: TableReader, value_column: str | None) -> BoolArray:
    if value_column is None:
        return np.ones(reader.row_count, bool)
    cell_texts = [str(cell).lower() for cell in reader.text_column(value_column)]
    for row_index, cell_text in enumerate(cell_texts):
        if cell_text not in (*POSITIVE_WORDS, *NEGATIVE_WORDS, ""):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"{value_column} is '{cell_text}'",
                "Expected positive or negative, or 1 or 0.",
            )
    return np.array([cell_text not in NEGATIVE_WORDS for cell_text in cell_texts], bool)


def read_boolean_column(reader: TableReader, column_name: str | None) -> BoolArray:
    if column_name is None:
        return np.zeros(reader.row_count, bool)
    cell_texts = [str(cell).lower() for cell in reader.text_column(column_name)]
    for row_index, cell_text in enumerate(cell_texts):
        if cell_text not in (*TRUE_WORDS, *FALSE_WORDS, ""):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"{column_name} is '{cell_text}'",
                "Expected 0 or 1.",
            )
    return np.array([cell_text in TRUE_WORDS for cell_text in cell_texts], bool)
