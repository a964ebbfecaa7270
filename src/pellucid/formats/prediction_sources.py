"""Read predictions in any format: a file, a folder, a URL or an object in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from pellucid.core.tables import string_column
from pellucid.formats import memory_documents
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.compressed_files import decompress
from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.download import download
from pellucid.formats.errors import (
    AnnotationsAsPredictionsError,
    NoTableError,
    PredictionKindError,
    UnrecognizedFormatError,
)
from pellucid.formats.probe import (
    AnnotationFormat,
    PredictionFormat,
    Probe,
    ReadOptions,
    probe_source,
)
from pellucid.formats.readers import (
    coco,
    coco_results,
    hugging_face,
    json_predictions,
    label_studio,
)
from pellucid.formats.registry import (
    PREDICTION_FORMATS,
    PREDICTION_READERS,
    READERS,
    check_format_name,
    matches_source,
)
from pellucid.formats.source_errors import convert_os_errors, describe_content, rename_errors
from pellucid.formats.tabular import dataframes, table
from pellucid.formats.tabular.box_lists import split_box_lists
from pellucid.formats.tabular.long_format import NAME as TABLE_NAME
from pellucid.formats.tabular.open_tables import open_memory_table
from pellucid.formats.tabular.prediction_table import (
    explain_prediction_columns,
    has_prediction_columns,
    parse_prediction_table,
)
from pellucid.formats.unscored import parse_unscored
from pellucid.formats.unsupported import reject_unsupported_format


def read_predictions(source: Any, format: str | None, options: ReadOptions) -> ParsedPredictions:
    """Read predictions from a path or from columns in dataframes; parsed ones are only checked.

    Args:
        format: one of PREDICTION_FORMATS, or None to detect it
        options: with the view's kind
    """
    kind = options.kind or "detection"
    with convert_os_errors(source):
        if isinstance(source, ParsedPredictions):
            predictions = source
        elif not options.has_scores:
            predictions = parse_unscored(
                source, format, options, parse_annotations, read_predictions
            )
        elif not isinstance(source, str | Path):
            predictions = parse_memory_predictions(source, options)
        else:
            with download(source) as local_path, decompress(local_path) as plain_path:
                predictions = parse_prediction_file(plain_path, format, options)
            if plain_path != Path(source):
                predictions = replace(predictions, path=str(source))
    if kind == "detection" and predictions.box is None:
        raise PredictionKindError(predictions.path, kind, "scores of images, without boxes")
    if kind != "detection" and predictions.box is not None:
        raise PredictionKindError(predictions.path, kind, "boxes")
    return predictions


def parse_memory_predictions(source: Any, options: ReadOptions) -> ParsedPredictions:
    if memory_documents.is_result_list(source):
        with memory_documents.as_file(source) as path:
            return replace(
                parse_prediction_file(path, coco_results.NAME, options), path=memory_documents.NAME
            )
    if memory_documents.are_records(source):
        with rename_errors(), memory_documents.as_json_file(source) as path:
            records = parse_prediction_file(path, None, options)
            return replace(records, path=memory_documents.RECORDS_NAME)
    table_reader = split_box_lists(open_memory_table(dataframes.table_columns(source)))
    if not has_prediction_columns(table_reader, options):
        explain_prediction_columns(table_reader, options)
    predictions = parse_prediction_table(table_reader, options)
    masks, outlines = dataframes.detection_masks(source), dataframes.detection_outlines(source)
    if masks is not None:
        return replace(predictions, mask=masks)
    if outlines is not None:
        return replace(predictions, outline=string_column(outlines))
    return predictions


def parse_prediction_file(
    source: str | Path, format: str | None, options: ReadOptions
) -> ParsedPredictions:
    probe = probe_source(source)
    stated_name = check_format_name(format, PREDICTION_FORMATS)
    format_name = stated_name or prediction_format_by_columns(probe, options)
    reader = find_prediction_reader(probe, format_name, options)
    if reader is json_predictions.PREDICTION_FORMAT and not format_name:
        reject_annotations(probe, but=(coco.FORMAT, hugging_face.FORMAT))
        reject_unsupported_format(probe, before_readers=True)
    if reader is None and not format_name and json_predictions.is_json(probe):
        if not json_predictions.holds_scored_annotations(probe):
            reject_annotations(probe)
            reject_unsupported_format(probe)
        reader = json_predictions.PREDICTION_FORMAT
    has_named_score = reader is json_predictions.PREDICTION_FORMAT and "score" in options.columns
    is_checked = bool(format_name) and not has_named_score
    if reader is None or (is_checked and not matches_source(reader, probe, options)):
        refuse_unknown_predictions(probe, stated_name, format_name, options)
    return reader.read(probe, options)


def prediction_format_by_columns(probe: Probe, options: ReadOptions) -> str | None:
    """The format of a source whose columns the user named; None without such names."""
    if not options.columns:
        return None
    if json_predictions.is_json(probe):
        return json_predictions.NAME
    if probe.is_dir:
        raise NoTableError(probe.path)
    return TABLE_NAME


def find_prediction_reader(
    probe: Probe, format_name: str | None, options: ReadOptions
) -> PredictionFormat | None:
    """The reader of a name; without a name, the first that recognises the source."""
    if format_name:
        return next((reader for reader in PREDICTION_READERS if reader.name == format_name), None)
    return next(
        (reader for reader in PREDICTION_READERS if matches_source(reader, probe, options)), None
    )


def refuse_unknown_predictions(
    probe: Probe, stated_name: str | None, format_name: str | None, options: ReadOptions
) -> NoReturn:
    """Raise the error that says most about a source that its reader, or none, recognises.

    Args:
        stated_name: the format as the user stated it
        format_name: that, or the format of the columns that the user named
    """
    if not format_name:
        reject_unsupported_format(probe)
    if format_name in (None, TABLE_NAME):
        table.explain_mismatch(probe, options, are_predictions=True)
    if format_name is None:
        reject_annotations(probe)
    raise UnrecognizedFormatError(
        probe.path, stated_name or "predictions", describe_content(probe), PREDICTION_FORMATS
    )


def reject_annotations(probe: Probe, but: Collection[AnnotationFormat] = ()) -> None:
    """Raises AnnotationsAsPredictionsError if the source is a file of annotations.

    Args:
        but: formats whose files may have scores
    """
    for reader in READERS:
        if reader is not table.FORMAT and reader not in but and reader.matches(probe):
            raise AnnotationsAsPredictionsError(probe.path, reader.name)


def contains_predictions(source: str | Path) -> bool:
    """Whether a source contains predictions rather than annotations."""
    with (
        convert_os_errors(source),
        download(source) as local_path,
        decompress(local_path) as plain_path,
    ):
        probe = probe_source(plain_path)
        annotation_format = next(
            (reader for reader in READERS if reader is not table.FORMAT and reader.matches(probe)),
            None,
        )
        if annotation_format is label_studio.FORMAT:
            return not label_studio.has_annotations(probe)
        if annotation_format is coco.FORMAT:
            return json_predictions.holds_scored_annotations(probe)
        if annotation_format is not None:
            return False
        is_known = any(reader.matches(probe) for reader in PREDICTION_READERS[:-1])
        is_scored_json = json_predictions.has_scores_by_concept(probe)
        return is_known or is_scored_json or table.contains_scores(probe)
