"""Read predictions from a table: one row per prediction, or one row per image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.errors import EmptyFileError, summarize_names
from pellucid.core.tables import Float64Array, Int8Array, Int64Array
from pellucid.formats.dataset import (
    BoxUnit,
    Note,
    ParsedPredictions,
    parse_split,
    validate_predictions,
)
from pellucid.formats.errors import ColumnsMissingError, InvalidRecordError
from pellucid.formats.probe import ReadOptions
from pellucid.formats.tabular.binary_scores import parse_positive_scores
from pellucid.formats.tabular.box_columns import BoxLayout, corners_of, list_shapes
from pellucid.formats.tabular.box_evidence import FRACTIONS_MESSAGE, are_fractions
from pellucid.formats.tabular.box_layout_choice import raw_boxes
from pellucid.formats.tabular.box_roles import reject_unread_boxes
from pellucid.formats.tabular.column_names import normalize_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles, assign_roles
from pellucid.formats.tabular.left_out_rows import reject_annotated_rows, reject_left_out_rows
from pellucid.formats.tabular.long_format import NAME
from pellucid.formats.tabular.merged_images import reject_merged_images
from pellucid.formats.tabular.reader import TableReader
from pellucid.formats.tabular.rows_without_image import reject_summary_rows, reject_videos
from pellucid.formats.tabular.split_columns import split_of_cell
from pellucid.formats.tabular.tile_coordinates import reject_tile_coordinates
from pellucid.formats.tabular.top_k import (
    RankedConcepts,
    find_numbered_pairs,
    has_list_cells,
    parse_list_cells,
    parse_numbered_pairs,
)
from pellucid.formats.tabular.unread_columns import (
    reject_answers,
    reject_failures,
    reject_several_models,
    reject_unread_shapes,
)
from pellucid.formats.tabular.wide_scores import (
    find_score_columns,
    group_by_affixes,
    parse_wide_scores,
)


def has_prediction_columns(reader: TableReader, options: ReadOptions) -> bool:
    roles = assign_roles(reader, "predictions", options.concepts, options.columns)
    return roles.image is not None and (
        (roles.score is not None and roles.concept is not None)
        or bool(roles.concept_columns)
        or bool(reader.drop_index_columns(roles.unassigned_columns(reader)))
    )


def explain_prediction_columns(reader: TableReader, options: ReadOptions) -> None:
    """Raise the error that says which column of a table is missing."""
    roles = assign_roles(reader, "predictions", options.concepts, options.columns)
    missing = "image" if roles.image is None else "score" if roles.score is None else "concept"
    if missing == "concept" and options.kind == "classification" and len(options.concepts) == 2:
        first, second = options.concepts
        raise ColumnsMissingError(
            reader.path,
            "the concept",
            list(reader.column_types),
            f"If '{roles.score}' is the probability of one of the two classes, rename it to that "
            f"class: '{first}' or '{second}'; else name the concept with --columns concept=COLUMN.",
        )
    if missing == "concept" and len(options.concepts) == 1:
        (only,) = options.concepts
        raise ColumnsMissingError(
            reader.path,
            "the concept",
            list(reader.column_types),
            f"Add a column concept with '{only}' in each row, the only concept of the view.",
        )
    raise ColumnsMissingError(
        reader.path,
        f"the {missing}",
        list(reader.column_types),
        f"Name it with --columns {missing}=COLUMN, or rename it to {missing}"
        + (", or specify --no-scores if there is none." if missing == "score" else "."),
    )


ID_WORDS = ("id", "index", "idx", "key")


def parse_prediction_table(reader: TableReader, options: ReadOptions) -> ParsedPredictions:
    """Predictions with a score column, the k best concepts per image, or one column of scores per
    concept."""
    if not reader.row_count:
        raise EmptyFileError(reader.path, "at least one row")
    roles = assign_roles(reader, "predictions", options.concepts, options.columns)
    if roles.image is None:
        explain_prediction_columns(reader, options)
    assert roles.image is not None
    last_word = normalize_column_name(roles.image).rsplit("_", maxsplit=1)[-1]
    return replace(
        parse_by_roles(reader, options, roles, roles.image),
        stated_splits=stated_splits(reader, roles),
        has_id_column=last_word in ID_WORDS or last_word.endswith("id"),
    )


def stated_splits(reader: TableReader, roles: ColumnRoles) -> Int8Array | None:
    """The split of each image, by its first row; None without a column of splits."""
    if roles.split is None or roles.image is None:
        return None
    texts, text_of_row = reader.encode_column(roles.split)
    splits = [parse_split(split_of_cell(roles.split, text)) for text in texts]
    split_of_text = np.array([-1 if split is None else split for split in splits], np.int8)
    first_rows = np.unique(reader.encode_column(roles.image)[1], return_index=True)[1]
    return np.asarray(split_of_text[text_of_row[first_rows]], np.int8)


def parse_by_roles(
    reader: TableReader, options: ReadOptions, roles: ColumnRoles, image: str
) -> ParsedPredictions:
    """image: the column of the images."""
    image_keys, image_indexes = reader.encode_column(image)
    if "" in image_keys:
        row = int(np.flatnonzero(image_indexes == image_keys.index(""))[0])
        raise InvalidRecordError(
            reader.path,
            reader.row_location(row),
            f"missing image in '{image}'",
            "Write the image in each row, also where cells were merged.",
        )
    reject_summary_rows(reader, image_keys, image_indexes)
    reject_videos(reader, image_keys)
    is_detection = options.kind == "detection"
    names_both = {"concept", "score"} <= set(options.columns)
    if not is_detection and not roles.concept_columns and not names_both:
        ranked = parse_ranked_concepts(reader, roles)
        if ranked is not None:
            return parse_ranked_predictions(reader, image_keys, image_indexes, ranked)
    if not is_detection and has_score_columns(reader, roles, options):
        return parse_wide_scores(reader, roles, image_keys, image_indexes, options.concepts)
    if roles.score is None or roles.concept is None:
        if is_detection:
            explain_prediction_columns(reader, options)
        return parse_wide_scores(reader, roles, image_keys, image_indexes, options.concepts)
    if not options.columns:
        reject_annotated_rows(reader, roles)
        reject_failures(reader, roles)
        reject_several_models(reader, roles)
        reject_left_out_rows(reader, roles)
        reject_merged_images(reader, roles, image_indexes)
        if not is_detection:
            reject_answers(reader, roles)
    if is_detection:
        reject_unread_shapes(reader, roles, options)
    if roles.layout is not None and is_detection and not options.columns:
        reject_tile_coordinates(reader, roles, image_indexes)
    predictions = parse_long_predictions(reader, roles, image_keys, image_indexes, is_detection)
    is_binary = options.kind == "classification" and len(options.concepts) == 2
    return parse_positive_scores(predictions, roles.score, names_both) if is_binary else predictions


def has_score_columns(reader: TableReader, roles: ColumnRoles, options: ReadOptions) -> bool:
    """Whether a table with one row per image has columns of scores for most concepts: they say
    more than a column of the best concept, which may be the true one."""
    if roles.image is None or not reader.is_unique(roles.image) or options.columns:
        return False
    candidates = [c for c in roles.unassigned_columns(reader) if reader.is_numeric(c)]
    columns = find_score_columns(reader, candidates, options.concepts)
    named = group_by_affixes(columns, options.concepts)
    most = max((len(group) for group in named.values()), default=0)
    return most > 1 and most * 2 >= len(options.concepts)


def parse_ranked_concepts(reader: TableReader, roles: ColumnRoles) -> RankedConcepts | None:
    if len(pairs := find_numbered_pairs(reader)) > 1:
        return parse_numbered_pairs(reader, pairs)
    return parse_list_cells(reader, roles) if has_list_cells(reader, roles) else None


def parse_ranked_predictions(
    reader: TableReader,
    image_keys: list[str],
    image_indexes: np.ndarray,
    ranked: RankedConcepts,
) -> ParsedPredictions:
    best_count = len(ranked.rows) // max(1, reader.row_count)
    note = Note("columns", f"the {best_count} best concepts of each image are read", 1, "info")
    return validate_predictions(
        ParsedPredictions(
            reader.path,
            NAME,
            image_keys,
            image_indexes[ranked.rows],
            ranked.concept_keys,
            ranked.concepts,
            "name",
            ranked.scores,
            None,
            "pixels",
            ranked.rows + reader.first_record,
            reader.row_noun,
            [note],
        )
    )


def parse_long_predictions(
    reader: TableReader,
    roles: ColumnRoles,
    image_keys: list[str],
    image_indexes: np.ndarray,
    is_detection: bool,
) -> ParsedPredictions:
    assert roles.score is not None
    assert roles.concept is not None
    concept_keys, concept_indexes = reader.encode_column(roles.concept)
    scores = reader.number_column(roles.score)
    layout = require_layout(reader, roles) if is_detection else None
    raw = None if layout is None else raw_boxes(reader, layout)
    rows: Int64Array | slice = slice(None)
    record_numbers: Int64Array | range = range(
        reader.first_record, reader.first_record + reader.row_count
    )
    if "" in concept_keys:  # images without predictions
        empty_concept = concept_keys.index("")
        rows = np.flatnonzero(concept_indexes != empty_concept)
        is_stated = ~np.isnan(scores)
        if raw is not None:
            is_stated |= ~np.isnan(raw).any(axis=1) & (raw > 0).any(axis=1)
        nameless = np.flatnonzero((concept_indexes == empty_concept) & is_stated)
        if len(nameless):
            has_score = not np.isnan(scores[nameless[0]])
            raise InvalidRecordError(
                reader.path,
                reader.row_location(int(nameless[0])),
                f"{f'a score in {roles.score!r}' if has_score else 'a box'} but no concept in "
                f"'{roles.concept}'",
                "Add the concept; leave the score empty too for an image without predictions.",
            )
        concept_indexes = concept_indexes[rows]
        concept_indexes -= concept_indexes > empty_concept
        concept_keys.remove("")
        record_numbers = rows + reader.first_record
    predictions = ParsedPredictions(
        reader.path,
        NAME,
        image_keys,
        image_indexes[rows],
        concept_keys,
        concept_indexes,
        "name",
        scores[rows],
        None,
        "pixels",
        record_numbers,
        reader.row_noun,
        [columns_note(reader, roles, layout)],
    )
    if layout is not None and raw is not None:
        predictions = add_boxes(predictions, layout, raw[rows])
    return validate_predictions(predictions)


def add_boxes(
    predictions: ParsedPredictions, layout: BoxLayout, raw: Float64Array
) -> ParsedPredictions:
    """The predictions with their boxes; the import decides by evidence what the numbers of an
    unnamed layout mean."""
    boxes = corners_of(layout, raw)
    unit: BoxUnit = "fractions" if are_fractions(boxes) else "pixels"
    notes = list(predictions.notes)
    if unit == "fractions":
        notes.append(Note("fractions", FRACTIONS_MESSAGE, 1, "info"))
    is_list = len(layout.columns) == 1 and not layout.is_certain
    shapes = list_shapes(layout) if is_list else None
    return replace(
        predictions,
        box=boxes,
        unit=unit,
        notes=notes,
        box_shapes=shapes,
        stated_shape=layout.shape if layout.is_certain else None,
    )


def require_layout(reader: TableReader, roles: ColumnRoles) -> BoxLayout:
    reject_unread_boxes(reader, roles.layout, roles.coordinates)
    if roles.layout is None:
        raise InvalidRecordError(
            reader.path,
            "header",
            f"missing box columns; found {summarize_names(reader.column_types, 12)}",
            "Add x, y, width, height (pixels), or name them with --columns xmin=..,ymin=..,"
            "xmax=..,ymax=...",
        )
    return roles.layout


def columns_note(reader: TableReader, roles: ColumnRoles, layout: BoxLayout | None) -> Note:
    roles = replace(roles, layout=layout)
    unread = roles.unassigned_columns(reader)
    message = f"columns: {roles.description()}"
    if unread:
        message += f"; not read: {summarize_names(unread, 12)}"
    return Note("columns", message, max(1, len(unread)), "info")
