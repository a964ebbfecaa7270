"""CSV and Parquet tables: one row per annotation or prediction (long format), or one row per image
(wide format).

Long: `image, concept[, split]`, with a box, `ignore` or `value`; predictions with a `score`.
Wide: one 0/1 column per concept, or a list `a|b`; predictions with one score column per concept.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.errors import EmptyFileError
from pellucid.core.tables import EXHAUSTIVE, PARTIAL, Float64Array, Int64Array, Kind, StringArray
from pellucid.formats.dataset import (
    BoxUnit,
    Note,
    ParsedAnnotations,
    ParsedPredictions,
    encode_texts,
    normalize_image_path,
    validate_predictions,
)
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions
from pellucid.formats.tabular.column_roles import (
    CONCEPT_LIST_COLUMNS,
    FALSE_WORDS,
    TRUE_WORDS,
    VALUE_COLUMNS,
    ColumnRoles,
)
from pellucid.formats.tabular.long_format import NAME, LongRows, build_table_annotations
from pellucid.formats.tabular.reader import TableReader, normalize_column_name, open_table
from pellucid.formats.tabular.wide_format import one_hot_columns, read_one_hot, read_wide_scores


def has_annotation_columns(reader: TableReader) -> bool:
    roles = ColumnRoles(reader)
    return roles.image_column is not None and (
        roles.concept_column is not None or bool(one_hot_columns(reader, roles))
    )


def has_prediction_columns(reader: TableReader) -> bool:
    roles = ColumnRoles(reader)
    return roles.image_column is not None and (
        (roles.score_column is not None and roles.concept_column is not None)
        or bool(roles.unassigned_columns(reader))
    )


def is_text_table(probe: Probe) -> bool:
    """Whether the source is Parquet, or text with a delimiter in its first line that is neither
    JSON nor XML."""
    if probe.is_dir or probe.head[:1] in "{[<":
        return False
    header_line = probe.head.split("\n", maxsplit=1)[0]
    return probe.head.startswith("PAR1") or (
        "\0" not in probe.head and any(delimiter in header_line for delimiter in ",;\t|")
    )


def matches(probe: Probe) -> bool:
    return is_text_table(probe) and has_annotation_columns(open_table(probe.path))


def has_score_column(probe: Probe) -> bool:
    """Whether a table has a score column; annotation tables rarely have one."""
    return is_text_table(probe) and ColumnRoles(open_table(probe.path)).score_column is not None


def matches_predictions(probe: Probe) -> bool:
    return is_text_table(probe) and has_prediction_columns(open_table(probe.path))


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    return read_annotation_table(open_table(probe.path), options.kind, options.image_folder)


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    return read_prediction_table(
        open_table(probe.path), options.kind or "detection", options.concepts
    )


def read_annotation_table(
    reader: TableReader, kind: Kind | None, image_folder: str | None
) -> ParsedAnnotations:
    """kind: the view's, or None to infer it from the columns. image_folder: the folder of the
    images."""
    roles = ColumnRoles(reader)
    assert roles.image_column is not None
    image_keys, image_indexes = reader.encoded_column(roles.image_column)
    if "" in image_keys:
        empty_row = int(np.flatnonzero(image_indexes == image_keys.index(""))[0])
        raise InvalidRecordError(
            reader.path, reader.row_location(empty_row), "missing image", "Specify the image path."
        )
    image_paths, path_index_by_key = encode_texts(
        [normalize_image_path(reader.path, image_key, image_folder) for image_key in image_keys]
    )
    image_indexes = path_index_by_key[image_indexes] if len(image_keys) else image_indexes
    if roles.concept_column is None:
        return read_one_hot(reader, roles, image_paths, image_indexes)
    long_rows = read_long_rows(reader, roles, kind, image_indexes)
    annotations = build_table_annotations(reader, roles, image_paths, image_indexes, long_rows)
    if long_rows.boxes is not None and are_fractions(long_rows.boxes):
        return replace(
            annotations,
            unit="fractions",
            notes=[*annotations.notes, Note("fractions", FRACTIONS_MESSAGE, 1, "info")],
        )
    return annotations


def read_long_rows(
    reader: TableReader, roles: ColumnRoles, kind: Kind | None, image_indexes: Any
) -> LongRows:
    """The annotation of each row, for the view's kind or the kind inferred from the columns."""
    assert roles.concept_column is not None
    concept_texts = reader.text_column(roles.concept_column)
    row_indexes = np.flatnonzero(concept_texts != "")
    reject_box_list(reader, roles, kind)
    if roles.has_boxes and kind in (None, "detection"):
        concept_names = [str(concept_text) for concept_text in concept_texts[row_indexes]]
        value_column = roles.find_column(VALUE_COLUMNS)
        roles.value_column = value_column if has_tag_values(reader, value_column) else None
        is_positive = read_positive_flags(reader, roles)[row_indexes]
        boxes = read_box_columns(reader, roles)[row_indexes]
        boxes[~is_positive] = 0  # absent concepts have no box
        return LongRows(
            "detection",
            row_indexes,
            concept_names,
            boxes,
            read_boolean_column(reader, roles.ignore_column)[row_indexes],
            is_positive,
            EXHAUSTIVE if is_positive.all() else PARTIAL,
        )
    has_lists = normalize_column_name(roles.concept_column) in CONCEPT_LIST_COLUMNS or any(
        "|" in cell for cell in concept_texts
    )
    has_several_concepts = len(
        {
            (image_index, concept_text)
            for image_index, concept_text in zip(
                image_indexes[row_indexes].tolist(), concept_texts[row_indexes], strict=True
            )
        }
    ) > len(set(image_indexes[row_indexes].tolist()))
    value_column = roles.find_column(VALUE_COLUMNS)
    if kind == "tagging" or (
        kind is None and (has_lists or has_several_concepts or has_tag_values(reader, value_column))
    ):
        roles.value_column = value_column
        return read_tags(reader, roles, concept_texts)
    concept_names = [str(concept_text) for concept_text in concept_texts[row_indexes]]
    return LongRows(
        kind or "classification",
        row_indexes,
        concept_names,
        None,
        np.zeros(len(row_indexes), bool),
        np.ones(len(row_indexes), bool),
        EXHAUSTIVE,
    )


def reject_box_list(reader: TableReader, roles: ColumnRoles, kind: Kind | None) -> None:
    """Reject a column of four numbers: [left, top, width, height] and [left, top, right, bottom]
    are indistinguishable."""
    if roles.box_list_column and not roles.has_boxes and kind in (None, "detection"):
        problem = (
            f"column {roles.box_list_column} is ambiguous: it could contain left, top, width, "
            "height or left, top, right, bottom"
        )
        raise InvalidRecordError(
            reader.path,
            "header",
            problem,
            "Write columns x, y, width, height, or xmin, ymin, xmax, ymax.",
        )


def has_tag_values(reader: TableReader, value_column: str | None) -> bool:
    return value_column is not None and {
        str(cell).lower() for cell in reader.text_column(value_column)
    } <= {"positive", "negative", ""}


def read_tags(reader: TableReader, roles: ColumnRoles, concept_texts: StringArray) -> LongRows:
    """A row may contain a list `a|b`. With negative labels, missing labels are unknown; `ignore`
    marks a row as unknown."""
    row_concepts = [
        (row_index, concept_text.strip())
        for row_index, cell in enumerate(concept_texts)
        for concept_text in cell.split("|")
        if concept_text.strip()
    ]
    row_indexes = np.array([row_index for row_index, _ in row_concepts], np.int64)
    is_positive = read_positive_flags(reader, roles)[row_indexes]
    stated = EXHAUSTIVE if is_positive.all() else PARTIAL
    is_ignored = read_boolean_column(reader, roles.ignore_column)[row_indexes]
    return LongRows(
        "tagging",
        row_indexes,
        [concept_name for _, concept_name in row_concepts],
        None,
        is_ignored,
        is_positive,
        stated,
    )


def read_positive_flags(reader: TableReader, roles: ColumnRoles) -> np.ndarray:
    if roles.value_column is None:
        return np.ones(reader.row_count, bool)
    cell_texts = [str(cell).lower() for cell in reader.text_column(roles.value_column)]
    for row_index, cell_text in enumerate(cell_texts):
        if cell_text not in ("positive", "negative", ""):
            raise InvalidRecordError(
                reader.path,
                reader.row_location(row_index),
                f"value is '{cell_text}'",
                "Expected positive or negative.",
            )
    return np.array([cell_text != "negative" for cell_text in cell_texts], bool)


def read_boolean_column(reader: TableReader, column_name: str | None) -> np.ndarray:
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


def read_box_columns(reader: TableReader, roles: ColumnRoles) -> Float64Array:
    """[left, top, width, height] of every row, NaN where a cell is empty."""
    boxes = np.empty((reader.row_count, 4))
    box_columns = roles.center_columns or roles.size_columns or roles.corner_columns
    assert box_columns is not None
    for coordinate_index, normalized_name in enumerate(box_columns):
        boxes[:, coordinate_index] = reader.number_column(
            roles.column_by_normalized_name[normalized_name]
        )
    if roles.center_columns:
        boxes[:, :2] -= boxes[:, 2:] / 2
    elif not roles.size_columns:
        boxes[:, 2:] -= boxes[:, :2]
    return boxes


FRACTIONS_MESSAGE = "boxes interpreted as fractions of the image size: no coordinate exceeds 1"


def are_fractions(boxes: Float64Array) -> bool:
    """Whether all coordinates are at most 1 and some box is not empty."""
    complete_boxes = boxes[~np.isnan(boxes).any(axis=1)]
    return bool(len(complete_boxes)) and bool(
        (complete_boxes.max() <= 1) and (complete_boxes[:, 2:].max() > 0)
    )


def read_prediction_table(
    reader: TableReader, kind: Kind, concepts: Collection[str]
) -> ParsedPredictions:
    """Long format with a score column, or wide format with one score column per concept."""
    roles = ColumnRoles(reader)
    assert roles.image_column is not None
    if not reader.row_count:
        raise EmptyFileError(reader.path, "at least one row")
    image_keys, image_indexes = reader.encoded_column(roles.image_column)
    if roles.score_column is None or roles.concept_column is None:
        return read_wide_scores(reader, roles, image_keys, image_indexes, concepts)
    concept_keys, concept_indexes = reader.encoded_column(roles.concept_column)
    scores, boxes = reader.number_column(roles.score_column), None
    if kind == "detection":
        reject_box_list(reader, roles, kind)
        if not roles.has_boxes:
            raise InvalidRecordError(
                reader.path,
                "header",
                "missing box columns",
                "Add x, y, width, height (pixels) for a detection view.",
            )
        boxes = read_box_columns(reader, roles)
    record_numbers: Int64Array | range = range(
        reader.first_record, reader.first_record + reader.row_count
    )
    if "" in concept_keys:  # images without predictions
        empty_concept_index = concept_keys.index("")
        row_indexes = np.flatnonzero(concept_indexes != empty_concept_index)
        image_indexes, concept_indexes, scores, boxes = (
            image_indexes[row_indexes],
            concept_indexes[row_indexes],
            scores[row_indexes],
            boxes if boxes is None else boxes[row_indexes],
        )
        concept_indexes -= concept_indexes > empty_concept_index
        concept_keys.remove("")
        record_numbers = row_indexes + reader.first_record
    unit: BoxUnit = "fractions" if boxes is not None and are_fractions(boxes) else "pixels"
    predictions = ParsedPredictions(
        reader.path,
        NAME,
        image_keys,
        image_indexes,
        concept_keys,
        concept_indexes,
        "name",
        scores,
        boxes,
        unit,
        record_numbers,
        reader.row_noun,
    )
    if unit == "fractions":
        predictions.notes.append(Note("fractions", FRACTIONS_MESSAGE, 1, "info"))
    return validate_predictions(predictions)


FORMAT = AnnotationFormat(NAME, matches, read)
PREDICTION_FORMAT = PredictionFormat(NAME, matches_predictions, read_predictions)
