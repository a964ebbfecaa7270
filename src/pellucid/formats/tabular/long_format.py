"""Conversion of annotation tables to columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import (
    EXHAUSTIVE,
    UNANNOTATED,
    Annotations,
    Float64Array,
    Int8Array,
    Int64Array,
    Kind,
    StringArray,
    string_column,
)
from pellucid.formats.dataset import (
    BoxShapes,
    Note,
    ParsedAnnotations,
    check_boxes,
    check_magnitudes,
    create_images,
    require_split,
)
from pellucid.formats.errors import MultipleConceptsError, SplitConflictError
from pellucid.formats.tabular.column_names import CONCEPT_ID_NAMES, IMAGE_NAMES, parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.split_columns import split_of_cell

NAME = "table"


class LongRows:
    """Rows of the long format: row index in the table, concept name, box and flags."""

    def __init__(
        self,
        kind: Kind,
        row_indexes: Any,
        concept_names: list[str],
        boxes: Float64Array | None,
        is_ignored: Any,
        is_positive: Any,
        stated: int,
    ) -> None:
        self.kind: Kind = kind
        self.row_indexes = row_indexes
        self.concept_names = concept_names
        self.boxes = boxes
        self.is_ignored = is_ignored
        self.is_positive = is_positive
        self.stated = stated
        self.listed_concepts: list[str] | None = None
        self.box_shapes: BoxShapes | None = None
        self.notes: list[Note] = []

    def keep_first_rows(self, image_indexes: Any) -> None:
        """Remove rows that repeat the image and the concept of an earlier row."""
        pairs = list(zip(image_indexes[self.row_indexes].tolist(), self.concept_names, strict=True))
        first_index_by_pair = {pair: index for index, pair in reversed(list(enumerate(pairs)))}
        kept = sorted(first_index_by_pair.values())
        if len(kept) == len(pairs):
            return
        repeated_count = len(pairs) - len(kept)
        rows = format_count(repeated_count, "row repeats", "rows repeat")
        message = f"{rows} an earlier row: not read"
        self.notes.append(Note("repeated_rows", message, repeated_count))
        self.concept_names = [self.concept_names[index] for index in kept]
        self.row_indexes = self.row_indexes[kept]
        self.is_ignored, self.is_positive = self.is_ignored[kept], self.is_positive[kept]


def build_table_annotations(
    reader: TableReader,
    roles: ColumnRoles,
    image_paths: list[str],
    image_indexes: Any,
    long_rows: LongRows,
) -> ParsedAnnotations:
    concepts = long_rows.listed_concepts or sorted(set(long_rows.concept_names))
    concept_index_by_name = {
        concept_name: concept_index for concept_index, concept_name in enumerate(concepts)
    }
    if long_rows.kind == "classification":
        long_rows.keep_first_rows(image_indexes)
    annotation_images = image_indexes[long_rows.row_indexes].astype(np.int32)

    def location(annotation_index: int) -> str:
        return reader.row_location(int(long_rows.row_indexes[annotation_index]))

    notes: list[Note] = []
    if long_rows.boxes is not None and long_rows.box_shapes is None:
        notes = check_boxes(reader.path, long_rows.boxes, location)
    elif long_rows.boxes is not None:
        check_magnitudes(reader.path, long_rows.boxes, location)
    stated = np.full(len(image_paths), long_rows.stated, np.int8)
    if long_rows.kind == "classification":
        stated = require_one_concept_per_image(reader, image_paths, annotation_images, long_rows)
    metadata, column_note = parse_image_metadata(
        reader, roles, image_indexes, len(image_paths), long_rows
    )
    images = create_images(
        image_paths,
        parse_image_splits(reader, roles, image_paths, image_indexes),
        stated,
        *parse_image_sizes(reader, roles, image_indexes, len(image_paths)),
        image_ids=parse_image_ids(reader, roles, image_indexes, len(image_paths)),
        metadata=metadata,
    )
    concept_indexes = np.array(
        [concept_index_by_name[concept_name] for concept_name in long_rows.concept_names], np.int32
    )
    areas = None if long_rows.boxes is None else long_rows.boxes[:, 2] * long_rows.boxes[:, 3]
    annotations = Annotations(
        annotation_images,
        concept_indexes,
        long_rows.boxes,
        long_rows.is_ignored,
        long_rows.is_positive,
        areas,
    )
    return ParsedAnnotations(
        reader.path,
        NAME,
        long_rows.kind,
        concepts,
        parse_concept_ids(reader, roles, concepts),
        long_rows.listed_concepts is not None,
        images,
        annotations,
        None,
        [*long_rows.notes, *notes, column_note],
        box_shapes=long_rows.box_shapes,
        stated_shape=roles.layout.shape if roles.layout and roles.layout.is_certain else None,
    )


def parse_concept_ids(
    reader: TableReader, roles: ColumnRoles, concepts: Sequence[str]
) -> list[str]:
    """The numbers of the concepts, if a column beside their names gives each its own: predictions
    may use them."""
    if roles.concept is not None:
        for column in roles.unassigned_columns(reader):
            is_id = parse_column_name(column).rest in CONCEPT_ID_NAMES
            if is_id and reader.is_one_to_one(roles.concept, column):
                texts = (reader.text_column(name).tolist() for name in (roles.concept, column))
                ids = dict(zip(*texts, strict=True))
                return [str(ids.get(concept, "")) for concept in concepts]
    return [""] * len(concepts)


def parse_image_ids(
    reader: TableReader, roles: ColumnRoles, image_indexes: Any, image_count: int
) -> list[str] | None:
    """The ids of the images, if a column beside their paths numbers them."""
    assert roles.image is not None
    accepted = {name for tier in IMAGE_NAMES[1:] for name in tier}
    for column in roles.unassigned_columns(reader):
        is_id = parse_column_name(column).rest in accepted
        if is_id and not reader.is_empty(column) and reader.is_one_to_one(roles.image, column):
            ids = [""] * image_count
            for image_index, text in zip(
                image_indexes.tolist(), reader.text_column(column), strict=True
            ):
                ids[image_index] = str(text)
            return ids
    return None


def parse_image_sizes(
    reader: TableReader, roles: ColumnRoles, image_indexes: Any, image_count: int
) -> tuple[Int64Array, Int64Array]:
    """Width and height of each image, 0 if the table does not state them."""
    sizes = np.zeros((2, image_count), np.int64)
    for side, column_name in enumerate(roles.image_size or ()):
        lengths = reader.number_column(column_name)
        sizes[side, image_indexes] = np.where(lengths > 0, np.nan_to_num(lengths), 0).round()
    return sizes[0], sizes[1]


def require_one_concept_per_image(
    reader: TableReader, image_paths: list[str], annotation_images: Any, long_rows: LongRows
) -> Int8Array:
    concept_by_image: dict[int, str] = {}
    for image_index, concept in zip(
        annotation_images.tolist(), long_rows.concept_names, strict=True
    ):
        if concept_by_image.get(image_index, concept) != concept:
            raise MultipleConceptsError(
                reader.path, image_paths[image_index], concept_by_image[image_index], concept
            )
        concept_by_image[image_index] = concept
    stated = np.full(len(image_paths), UNANNOTATED, np.int8)
    stated[list(concept_by_image)] = EXHAUSTIVE
    return stated


def parse_image_splits(
    reader: TableReader, roles: ColumnRoles, image_paths: list[str], image_indexes: Any
) -> Int8Array:
    """Each image's split, -1 if the table does not specify it."""
    split_indexes = np.full(len(image_paths), -1, np.int8)
    if roles.split is None:
        return split_indexes
    cells = reader.text_column(roles.split)
    split_names = np.array([split_of_cell(roles.split, str(cell)) for cell in cells], object)
    split_index_by_name = {
        split_name: require_split(
            split_name,
            reader.path,
            reader.row_location(int(np.flatnonzero(split_names == split_name)[0])),
        )
        for split_name in set(split_names)
        if split_name
    }
    for row_index, (image_index, split_name) in enumerate(
        zip(image_indexes.tolist(), split_names, strict=True)
    ):
        if split_name and split_indexes[image_index] not in (-1, split_index_by_name[split_name]):
            raise SplitConflictError(
                reader.path,
                image_paths[image_index],
                f"another split before {reader.row_location(row_index)}",
                split_name,
            )
        if split_name:
            split_indexes[image_index] = split_index_by_name[split_name]
    return split_indexes


def parse_image_metadata(
    reader: TableReader,
    roles: ColumnRoles,
    image_indexes: Any,
    image_count: int,
    long_rows: LongRows,
) -> tuple[StringArray, Note]:
    """Extra columns with one value per image, as one JSON object per image; and a note on how
    each column is read."""
    used_columns = set(long_rows.listed_concepts or ())
    kept_columns: list[str] = []
    unread_columns: list[str] = []
    metadata_by_image: list[dict[str, str]] = [{} for _ in range(image_count)]
    for column_name in roles.unassigned_columns(reader):
        if column_name in used_columns:
            continue
        cell_by_image: dict[int, str] = {}
        cells = reader.text_column(column_name)
        is_constant = all(
            cell_by_image.setdefault(image_index, cell) == cell
            for image_index, cell in zip(image_indexes.tolist(), cells, strict=True)
        )
        (kept_columns if is_constant else unread_columns).append(column_name)
        if is_constant:
            for image_index, cell in cell_by_image.items():
                metadata_by_image[image_index][column_name] = cell
    unread_columns += [roles.score] if roles.score and roles.score not in kept_columns else []
    metadata = string_column(
        [
            json.dumps(image_metadata, ensure_ascii=False) if image_metadata else ""
            for image_metadata in metadata_by_image
        ]
    )
    return metadata, column_note(
        replace(roles, score=None), long_rows.listed_concepts or (), kept_columns, unread_columns
    )


def column_note(
    roles: ColumnRoles,
    listed_concepts: Sequence[str],
    kept_columns: Sequence[str],
    unread_columns: Sequence[str],
) -> Note:
    """How each column of a table is read."""
    texts = [f"columns: {roles.description()}"]
    if listed_concepts:
        texts[0] += f", concepts from {summarize_names(listed_concepts, 12)}"
    if kept_columns:
        texts.append(f"kept as image metadata: {summarize_names(kept_columns, 12)}")
    if unread_columns:
        texts.append(f"not read: {summarize_names(unread_columns, 12)}")
    return Note("columns", "; ".join(texts), max(1, len(unread_columns)), "info")
