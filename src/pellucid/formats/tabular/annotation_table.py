"""Read annotations from a table: one row per annotation, or one row per image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pellucid.core.errors import summarize_names
from pellucid.formats.dataset import Note, ParsedAnnotations, encode_texts, normalize_image_paths
from pellucid.formats.errors import AmbiguousColumnsError, ColumnsMissingError, InvalidRecordError
from pellucid.formats.probe import ReadOptions
from pellucid.formats.tabular.amounts import reject_amounts, reject_flags_as_concepts
from pellucid.formats.tabular.annotators import annotator_notes
from pellucid.formats.tabular.box_evidence import FRACTIONS_MESSAGE, are_fractions
from pellucid.formats.tabular.box_roles import reject_unread_boxes
from pellucid.formats.tabular.box_rows import parse_box_rows
from pellucid.formats.tabular.column_names import (
    CONCEPT_NAMES,
    Purpose,
    looks_like_metadata,
    name_tier,
    parse_column_name,
)
from pellucid.formats.tabular.column_roles import ColumnRoles, assign_roles
from pellucid.formats.tabular.concept_cells import has_tag_values
from pellucid.formats.tabular.flags import FALSE_WORDS, TRUE_WORDS
from pellucid.formats.tabular.label_rows import parse_label_rows
from pellucid.formats.tabular.left_out_rows import reject_left_out_rows
from pellucid.formats.tabular.long_format import build_table_annotations
from pellucid.formats.tabular.merged_images import reject_merged_images
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.rows_without_image import reject_summary_rows, reject_videos
from pellucid.formats.tabular.tile_coordinates import reject_tile_coordinates
from pellucid.formats.tabular.wide_annotations import (
    flag_texts,
    one_hot_columns,
    parse_one_hot,
    reject_marks,
)


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
    reject_unread_boxes(reader, roles.layout, roles.coordinates, options.kind is None)
    missing = "the image" if roles.image is None else "the concept"
    if roles.image is not None:
        reject_marks(reader, roles)
    role = "image" if roles.image is None else "concept"
    remedy = f"Name it with --columns {role}=COLUMN, or rename it to {role}."
    numbered = numbered_concept_columns(reader)
    if role == "concept" and len(numbered) > 1:
        remedy = (
            f"For several concepts per image, join {summarize_names(numbered, 4)} in one column, "
            f"such as 'cat|red'; for one of them specify --columns concept={numbered[0]}."
        )
    elif role == "concept" and roles.layout is not None:
        remedy += " Where all boxes are of one class, add a column with its name."
    raise ColumnsMissingError(reader.path, missing, list(reader.column_types), remedy)


def numbered_concept_columns(reader: TableReader) -> list[str]:
    """The columns that are called like a concept with a number: `label_1`, `label2`."""
    return [
        column
        for column in reader.column_types
        if (match := re.fullmatch(r"(.*\D)[ _-]?\d+", column))
        and name_tier(parse_column_name(match[1].rstrip(" _-")).rest, CONCEPT_NAMES) is not None
    ]


def parse_annotation_table(reader: TableReader, options: ReadOptions) -> ParsedAnnotations:
    """The annotations of a table, of the view's kind or the kind that the columns show."""
    roles = assign_roles(reader, purpose_of(options), forced=options.columns)
    assert roles.image is not None
    if options.kind in (None, "detection"):
        reject_unread_boxes(reader, roles.layout, roles.coordinates, options.kind is None)
    image_keys, image_indexes = reader.encode_column(roles.image)
    if "" in image_keys:
        empty_row = int(np.flatnonzero(image_indexes == image_keys.index(""))[0])
        raise InvalidRecordError(
            reader.path, reader.row_location(empty_row), "missing image", "Specify the image path."
        )
    reject_summary_rows(reader, image_keys, image_indexes)
    reject_videos(reader, image_keys)
    image_paths, path_index_by_key = encode_texts(
        normalize_image_paths(reader.path, image_keys, options.image_folder)
    )
    image_indexes = path_index_by_key[image_indexes] if len(image_keys) else image_indexes
    reject_weak_concept(reader, roles)
    if not options.columns:
        reject_left_out_rows(reader, roles)
        reject_merged_images(reader, roles, image_indexes)
        if options.has_scores:  # what was predicted is there, however unlikely
            reject_amounts(reader, roles)
        reject_flags_as_concepts(reader, roles)
    reject_structures(reader, roles.image)
    if options.kind == "tagging":
        roles = flag_column_as_tag(reader, roles, options)
    if roles.concept is None and roles.layout and options.kind in (None, "detection"):
        explain_annotation_columns(reader, options)
    if roles.concept is None:
        return parse_one_hot(reader, roles, options.kind, image_paths, image_indexes)
    if roles.layout and options.kind in (None, "detection"):
        is_value = has_tag_values(reader, roles.value)
        roles = replace(roles, has_tag_values=is_value)
        if not options.columns:
            reject_tile_coordinates(reader, roles, image_indexes)
        long_rows = parse_box_rows(reader, roles)
        long_rows.notes.extend(annotator_notes(reader, image_indexes))
    else:
        roles, long_rows = parse_label_rows(reader, roles, options, image_indexes)
    annotations = build_table_annotations(reader, roles, image_paths, image_indexes, long_rows)
    annotations.notes.extend(placeholder_notes(annotations.concepts))
    if long_rows.boxes is not None and are_fractions(long_rows.boxes):
        fractions = Note("fractions", FRACTIONS_MESSAGE, 1, "info")
        return replace(annotations, unit="fractions", notes=[*annotations.notes, fractions])
    return annotations


PLACEHOLDER_WORDS = (
    *("none", "nothing", "unknown", "unlabeled", "unlabelled", "todo", "tbd", "n.a.", "n/a", "xxx"),
    *("?", "??", "-", "--", "\u2014", "."),
)
"""What people write where there is no concept, or none yet; some data sets have such classes."""


def placeholder_notes(concepts: Sequence[str]) -> list[Note]:
    """A warning on concepts whose name may say that there is none."""
    placeholders = [name for name in concepts if name.strip().lower() in PLACEHOLDER_WORDS]
    if not placeholders:
        return []
    message = (
        f"read as concepts, whatever their name says: {summarize_names(placeholders)}. Leave the "
        "cell empty where an image has none, and leave out rows that nobody labelled"
    )
    return [Note("placeholders", message, len(placeholders))]


def reject_structures(reader: TableReader, image_column: str) -> None:
    """Raise InvalidRecordError if the images are structures, as Hugging Face stores them."""
    if reader.column_types[image_column].startswith("STRUCT"):
        raise InvalidRecordError(
            reader.path,
            f"column {image_column}",
            f"its cells are structures ({reader.column_types[image_column][:60]}), not names",
            "Write a column with the file names; a Hugging Face data set can be added as it is in "
            "Python: view.add(name, dataset).",
        )


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
    if len(flags) > 1 and not set(flags) & set(reader.encode_column(roles.concept)[0]):
        raise AmbiguousColumnsError(
            reader.path,
            "concept",
            [roles.concept, *flags],
            f"concept={roles.concept} or " + ",".join(f"concept={flag}" for flag in flags[:3]),
        )
