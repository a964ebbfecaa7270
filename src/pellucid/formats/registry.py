"""Format readers and writers, one module per format. Formats are detected by content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pellucid.core.errors import (
    EmptyFileError,
    PellucidError,
    UnreadableFileError,
    format_count,
    summarize_names,
)
from pellucid.core.outlines import encode_mask
from pellucid.core.tables import string_column
from pellucid.core.urls import is_remote
from pellucid.formats import memory_documents
from pellucid.formats.compressed_files import decompress
from pellucid.formats.dataset import Note, ParsedAnnotations, ParsedPredictions
from pellucid.formats.download import download
from pellucid.formats.errors import (
    AnnotationsAsPredictionsError,
    InvalidPluginError,
    MultipleAnnotationFilesError,
    PredictionKindError,
    UnknownFormatNameError,
    UnrecognizedFormatError,
)
from pellucid.formats.image_files import is_image_file
from pellucid.formats.probe import (
    AnnotationFormat,
    PredictionFormat,
    Probe,
    ReadOptions,
    probe_source,
)
from pellucid.formats.readers import (
    celeba,
    cityscapes,
    coco,
    coco_results,
    createml,
    cvat,
    darknet,
    datumaro,
    deepomatic,
    dota,
    dota_results,
    fiftyone,
    hugging_face,
    hugging_face_memory,
    image_folder,
    image_list,
    json_annotations,
    json_predictions,
    kitti,
    kitti_results,
    label_studio,
    labelme,
    labelme_results,
    megadetector,
    mmdetection,
    open_images,
    prediction_strings,
    via,
    voc,
    vott,
    wider_face,
    yolo,
    yolo_predictions,
)
from pellucid.formats.split_files import (
    DATA_SUFFIXES,
    read_split_files,
    split_files,
    with_file_split,
)
from pellucid.formats.tabular import dataframes, table
from pellucid.formats.tabular.annotation_table import (
    explain_annotation_columns,
    has_annotation_columns,
    read_annotation_table,
)
from pellucid.formats.tabular.long_format import NAME as TABLE_NAME
from pellucid.formats.tabular.prediction_table import (
    explain_prediction_columns,
    has_prediction_columns,
    read_prediction_table,
)
from pellucid.formats.tabular.reader import open_memory_table
from pellucid.formats.unscored import read_unscored
from pellucid.formats.unsupported import reject_unsupported_format
from pellucid.formats.writers import (
    coco_writer,
    cvat_writer,
    dota_writer,
    fiftyone_writer,
    hugging_face_writer,
    label_studio_writer,
    labelme_writer,
    table_writer,
    voc_writer,
    yolo_writer,
)
from pellucid.formats.writers.export_data import Writer

BUILT_IN_READERS: tuple[AnnotationFormat, ...] = (
    fiftyone.FORMAT,
    cityscapes.FORMAT,
    coco.FORMAT,
    datumaro.FORMAT,
    vott.FORMAT,
    createml.FORMAT,
    label_studio.FORMAT,
    deepomatic.FORMAT,
    via.FORMAT,
    labelme.FORMAT,
    cvat.FORMAT,
    voc.FORMAT,
    yolo.FORMAT,
    darknet.FORMAT,
    hugging_face.FORMAT,
    open_images.FORMAT,
    kitti.FORMAT,
    dota.FORMAT,
    wider_face.FORMAT,
    celeba.FORMAT,
    image_list.FORMAT,
    image_folder.FORMAT,
    json_annotations.FORMAT,
    table.FORMAT,
)
"""In detection order: formats with the most specific signatures come first."""
BUILT_IN_PREDICTION_READERS: tuple[PredictionFormat, ...] = (
    label_studio.PREDICTION_FORMAT,
    deepomatic.PREDICTION_FORMAT,
    fiftyone.PREDICTION_FORMAT,
    coco_results.PREDICTION_FORMAT,
    megadetector.PREDICTION_FORMAT,
    mmdetection.PREDICTION_FORMAT,
    dota_results.FORMAT,
    kitti_results.FORMAT,
    labelme_results.FORMAT,
    yolo_predictions.PREDICTION_FORMAT,
    json_predictions.PREDICTION_FORMAT,
    prediction_strings.PREDICTION_FORMAT,
    table.PREDICTION_FORMAT,
)
WRITERS: dict[str, Writer] = {
    "coco": coco_writer.write,
    "coco-roboflow": coco_writer.write_roboflow,
    "yolo": yolo_writer.write,
    "voc": voc_writer.write,
    "cvat": cvat_writer.write,
    "labelme": labelme_writer.write,
    "dota": dota_writer.write,
    "label-studio": label_studio_writer.write,
    "fiftyone": fiftyone_writer.write,
    "hugging-face": hugging_face_writer.write,
    "csv": table_writer.write_csv,
    "parquet": table_writer.write_parquet,
}
"""Annotation writers by `--format` name."""
PREDICTION_WRITERS: dict[str, Writer] = {
    "coco": coco_writer.write_results,
    "yolo": yolo_writer.write_predictions,
    "label-studio": label_studio_writer.write,
    "fiftyone": fiftyone_writer.write,
    "csv": table_writer.write_csv,
    "parquet": table_writer.write_parquet,
}


def load_plugin_formats() -> list[AnnotationFormat | PredictionFormat]:
    """Formats of other packages, registered under the entry point group `pellucid.formats`.

    Raises:
        InvalidPluginError: an entry point cannot be imported or is not a format.
    """
    formats: list[AnnotationFormat | PredictionFormat] = []
    for entry_point in sorted(entry_points(group=PLUGIN_GROUP), key=lambda point: point.name):
        try:
            plugin = entry_point.load()
        except Exception as error:
            raise InvalidPluginError(
                entry_point.value, f"it cannot be imported: {error}"
            ) from error
        if not isinstance(plugin, AnnotationFormat | PredictionFormat):
            raise InvalidPluginError(entry_point.value, f"it is of type {type(plugin).__name__}")
        formats.append(plugin)
    return formats


PLUGIN_GROUP = "pellucid.formats"
NO_OPTIONS = ReadOptions()
PLUGINS = load_plugin_formats()
# Formats of other packages come first: they know their own files best.
READERS = (*(p for p in PLUGINS if isinstance(p, AnnotationFormat)), *BUILT_IN_READERS)
PREDICTION_READERS = (
    *(p for p in PLUGINS if isinstance(p, PredictionFormat)),
    *BUILT_IN_PREDICTION_READERS,
)
ANNOTATION_FORMATS = tuple(reader.name for reader in READERS)
PREDICTION_FORMATS = tuple(reader.name for reader in PREDICTION_READERS)


def read_annotations(
    source: Any, format: str | None = None, options: ReadOptions = NO_OPTIONS
) -> ParsedAnnotations:
    """Read images and annotations from a path or from columns in dataframes.

    format: one of ANNOTATION_FORMATS, or None to detect it.
    """
    with convert_os_errors(source):
        if not isinstance(source, str | Path):
            annotations = read_memory_annotations(source, options)
        else:
            with download(source) as local_path, decompress(local_path) as plain_path:
                annotations = read_annotation_file(plain_path, format, options)
            if plain_path != local_path:
                annotations = with_source(annotations, plain_path, local_path)
            if is_remote(str(source)):
                annotations = replace(
                    annotations,
                    path=str(source),
                    image_folder=remote_image_folder(
                        annotations.image_folder, local_path, str(source)
                    ),
                )
    if not len(annotations.images):
        raise EmptyFileError(annotations.path, "at least one image")
    return annotations


def with_source(
    annotations: ParsedAnnotations, read_path: Path, source_path: Path
) -> ParsedAnnotations:
    """The annotations of a file that was read from a temporary copy, as of the file itself."""
    folder = annotations.image_folder
    if folder is not None and Path(folder).is_relative_to(read_path.parent):
        folder = str(source_path.parent / Path(folder).relative_to(read_path.parent))
    return replace(annotations, path=str(source_path), image_folder=folder)


def remote_image_folder(local_folder: str | None, local_root: Path, source_url: str) -> str | None:
    """The URL of the image folder in the store, given the folder in the downloaded copy."""
    if local_folder is None or not Path(local_folder).is_relative_to(local_root):
        return None
    relative_folder = Path(local_folder).relative_to(local_root).as_posix()
    return f"{source_url.rstrip('/')}/{relative_folder}".removesuffix("/.")


@contextmanager
def renamed_errors() -> Iterator[None]:
    """Messages about the temporary file of records are about the records."""
    try:
        yield
    except PellucidError as error:
        text = re.sub(r"\S*/document\.json", memory_documents.RECORDS_NAME, str(error))
        error.args = (text,)
        raise


def read_memory_annotations(source: Any, options: ReadOptions) -> ParsedAnnotations:
    if memory_documents.is_annotation_document(source):
        with memory_documents.as_file(source) as path:
            return replace(
                read_annotation_file(path, coco.NAME, options), path=memory_documents.NAME
            )
    if hugging_face_memory.is_dataset(source) or hugging_face_memory.is_dataset_dict(source):
        return hugging_face_memory.read(source, options)
    if memory_documents.are_records(source):
        with renamed_errors(), memory_documents.as_json_file(source) as path:
            records = read_annotation_file(path, None, options)
            return replace(records, path=memory_documents.RECORDS_NAME)
    table_reader = open_memory_table(dataframes.table_columns(source))
    if not has_annotation_columns(table_reader, options):
        explain_annotation_columns(table_reader, options)
    annotations = read_annotation_table(table_reader, options)
    masks, texts = dataframes.detection_masks(source), dataframes.detection_outlines(source)
    if masks is not None:
        texts = [encode_mask(masks, row) for row in range(len(masks))]
    if texts is None:
        return annotations
    outlines = string_column(texts)
    return replace(annotations, annotations=annotations.annotations.replace(outline=outlines))


def read_annotation_file(
    source: str | Path, format: str | None, options: ReadOptions
) -> ParsedAnnotations:
    probe = probe_source(source)
    format_name = check_format_name(format, ANNOTATION_FORMATS)
    if format_name is None and options.columns:
        format_name = next(
            (reader.name for reader in READERS if reader.has_columns and reader.matches(probe)),
            TABLE_NAME,
        )
    if format_name is None:
        reject_unsupported_format(probe, before_readers=True)
    reader = next(
        (
            candidate
            for candidate in READERS
            if (candidate.name == format_name if format_name else fits(candidate, probe, options))
        ),
        None,
    )
    if reader is None and probe.is_dir and format is None:
        return read_annotation_folder(probe, options)
    if reader is None:
        reject_unsupported_format(probe)
        table.explain_mismatch(probe, options, are_predictions=False)
        raise UnrecognizedFormatError(
            probe.path, "annotations", describe_content(probe), ANNOTATION_FORMATS
        )
    if reader is table.FORMAT and format_name and not table.matches(probe, options):
        table.explain_mismatch(probe, options, are_predictions=False)
    if format and not matches_source(reader, probe, options):
        raise UnrecognizedFormatError(
            probe.path, format, describe_content(probe), ANNOTATION_FORMATS
        )
    annotations = reader.read(probe, options)
    if count := probe.ignored_file_count:
        message = f"{format_count(count, 'hidden, system or special file')} in the folder not read"
        annotations.notes.append(Note("system_files", message, count, "info"))
    if format is None and probe.is_dir:
        annotations.notes.extend(other_format_notes(probe, reader))
    return annotations


def fits(reader: AnnotationFormat, probe: Probe, options: ReadOptions) -> bool:
    """Whether a reader recognises a source. Tables of predictions without scores have columns of
    their own."""
    if reader is table.FORMAT and not options.has_scores:
        return table.matches(probe, options)
    return reader.matches(probe)


OWN_FILES = ("coco", "voc", "yolo", "labelme", "createml", "cvat", "via", "label-studio", "vott")
"""Formats whose files are of no other format."""


def other_format_notes(folder: Probe, chosen: AnnotationFormat) -> list[Note]:
    """A warning if a folder has annotation files of another format than the one that is read."""
    if chosen.name not in OWN_FILES:
        return []
    others = [
        reader.name
        for reader in READERS
        if reader.name in OWN_FILES and reader.name != chosen.name and reader.matches(folder)
    ]
    if not others:
        return []
    options = " or ".join(f"--format {name}" for name in others)
    message = (
        f"read as {chosen.name}; the folder also has files of {summarize_names(others)}, not read. "
        f"Specify {options} to read these"
    )
    return [Note("other_format", message, len(others))]


def matches_source(
    reader: AnnotationFormat | PredictionFormat, probe: Probe, options: ReadOptions
) -> bool:
    """Whether a source has the format; in a table, with the columns that the user named."""
    if reader is table.FORMAT:
        return table.matches(probe, options)
    if reader is table.PREDICTION_FORMAT:
        return table.matches_predictions(probe, options)
    if reader is image_folder.FORMAT:
        return image_folder.has_pictures(probe)
    return reader.matches(probe)


def read_annotation_folder(folder: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Read the only recognised annotation file at the top level of a folder, or one per split."""
    file_probes = [
        Probe(folder.path / file_name, folder.read_head(file_name))
        for file_name in folder.file_names
        if "/" not in file_name and not is_image_file(file_name)
    ]
    matches = [
        (file_probe, reader)
        for file_probe in file_probes
        if file_probe.head.strip()
        for reader in READERS
        if reader.matches(file_probe)
    ]
    if len({file_probe.path for file_probe, _ in matches}) > 1:
        raise MultipleAnnotationFilesError(
            folder.path,
            summarize_names(sorted({file_probe.path.name for file_probe, _ in matches})),
        )
    if matches:
        file_probe, reader = matches[0]
        unread = [
            probe.path.name
            for probe in file_probes
            if probe.path != file_probe.path and probe.path.suffix.lower() in DATA_SUFFIXES
        ]
        return with_file_split(reader.read(file_probe, options), file_probe.path, unread)
    reject_unsupported_format(folder)
    split_matches = [
        (file_probe, reader)
        for file_probe in split_files(folder)
        if file_probe.head.strip()
        for reader in READERS
        if reader.matches(file_probe)
    ]
    if split_matches:
        return read_split_files(folder, split_matches, options)
    raise UnrecognizedFormatError(
        folder.path, "annotations", describe_content(folder), ANNOTATION_FORMATS
    )


def read_predictions(source: Any, format: str | None, options: ReadOptions) -> ParsedPredictions:
    """Read predictions from a path or from columns in dataframes; parsed ones are only checked.

    format: one of PREDICTION_FORMATS, or None to detect it · options: with the view's kind.
    """
    kind = options.kind or "detection"
    with convert_os_errors(source):
        if isinstance(source, ParsedPredictions):
            predictions = source
        elif not options.has_scores:
            predictions = read_unscored(source, format, options, read_annotations, read_predictions)
        elif not isinstance(source, str | Path):
            predictions = read_memory_predictions(source, options)
        else:
            with download(source) as local_path, decompress(local_path) as plain_path:
                predictions = read_prediction_file(plain_path, format, options)
            if plain_path != Path(source):
                predictions = replace(predictions, path=str(source))
    if kind == "detection" and predictions.box is None:
        raise PredictionKindError(predictions.path, kind, "scores of images, without boxes")
    if kind != "detection" and predictions.box is not None:
        raise PredictionKindError(predictions.path, kind, "boxes")
    return predictions


def read_memory_predictions(source: Any, options: ReadOptions) -> ParsedPredictions:
    if memory_documents.is_result_list(source):
        with memory_documents.as_file(source) as path:
            return replace(
                read_prediction_file(path, coco_results.NAME, options), path=memory_documents.NAME
            )
    if memory_documents.are_records(source):
        with renamed_errors(), memory_documents.as_json_file(source) as path:
            records = read_prediction_file(path, None, options)
            return replace(records, path=memory_documents.RECORDS_NAME)
    table_reader = open_memory_table(dataframes.table_columns(source))
    if not has_prediction_columns(table_reader, options):
        explain_prediction_columns(table_reader, options)
    predictions = read_prediction_table(table_reader, options)
    masks, outlines = dataframes.detection_masks(source), dataframes.detection_outlines(source)
    if masks is not None:
        return replace(predictions, mask=masks)
    if outlines is not None:
        return replace(predictions, outline=string_column(outlines))
    return predictions


def read_prediction_file(
    source: str | Path, format: str | None, options: ReadOptions
) -> ParsedPredictions:
    probe = probe_source(source)
    format_name = check_format_name(format, PREDICTION_FORMATS)
    if format_name is None and options.columns:
        is_json = json_predictions.is_json(probe)
        format_name = json_predictions.NAME if is_json else TABLE_NAME
    reader = next(
        (
            candidate
            for candidate in PREDICTION_READERS
            if (
                candidate.name == format_name
                if format_name
                else matches_source(candidate, probe, options)
            )
        ),
        None,
    )
    if reader is json_predictions.PREDICTION_FORMAT and not format_name:
        reject_annotations(probe, but=(coco.FORMAT, hugging_face.FORMAT))
    if reader is None and not format_name and json_predictions.is_json(probe):
        if not json_predictions.holds_scored_annotations(probe):
            reject_annotations(probe)
            reject_unsupported_format(probe)
        reader = json_predictions.PREDICTION_FORMAT
    if reader is None or (format_name and not matches_source(reader, probe, options)):
        if not format_name:
            reject_unsupported_format(probe)
        if format_name in (None, TABLE_NAME):
            table.explain_mismatch(probe, options, are_predictions=True)
        if format_name is None:
            reject_annotations(probe)
        raise UnrecognizedFormatError(
            probe.path, format or "predictions", describe_content(probe), PREDICTION_FORMATS
        )
    return reader.read(probe, options)


def reject_annotations(probe: Probe, but: Collection[AnnotationFormat] = ()) -> None:
    """Raises AnnotationsAsPredictionsError if the source is a file of annotations. but: formats
    whose files may have scores."""
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
        return is_known or table.contains_scores(probe)


@contextmanager
def convert_os_errors(source: Any) -> Iterator[None]:
    """Convert OSError to UnreadableFileError."""
    try:
        yield
    except OSError as error:
        raise UnreadableFileError(
            error.filename or source, (error.strerror or str(error)).lower()
        ) from error


def check_format_name(format: str | None, format_names: tuple[str, ...]) -> str | None:
    if format is not None and format not in format_names:
        raise UnknownFormatNameError(format, format_names)
    return format


def describe_content(probe: Probe) -> str:
    head = probe.head
    if probe.is_dir:
        endings = Counter(Path(name).suffix.lower() or "no ending" for name in probe.file_names)
        counts = [f"{count:,} {ending}" for ending, count in endings.most_common(4)]
        files = f"files: {', '.join(counts)}" if counts else "no files"
        return f"a folder with {files}"
    if head[:1] in "{[":
        return f"JSON beginning with {' '.join(head[:60].split())}"
    if head.startswith("<"):
        return "XML or HTML"
    if "\0" in head or "\ufffd" in head[:200]:
        return "a binary file"
    return f"a file beginning with '{' '.join(head[:60].split())}'"


__all__ = [
    "ANNOTATION_FORMATS",
    "PREDICTION_FORMATS",
    "PREDICTION_WRITERS",
    "WRITERS",
    "contains_predictions",
    "read_annotations",
    "read_predictions",
]
