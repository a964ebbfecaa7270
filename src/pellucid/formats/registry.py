"""The formats that Pellucid reads and writes, and those of other packages."""

from __future__ import annotations

from importlib.metadata import entry_points

from pellucid.formats.errors import InvalidPluginError, UnknownFormatNameError
from pellucid.formats.probe import AnnotationFormat, PredictionFormat, Probe, ReadOptions
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
    image_folder,
    image_list,
    json_annotations,
    json_predictions,
    keras_yolo,
    kitti,
    kitti_results,
    label_studio,
    labelme,
    labelme_results,
    megadetector,
    mmdetection,
    open_images,
    parquet_records,
    prediction_strings,
    ultralytics_classes,
    via,
    voc,
    vott,
    wider_face,
    yolo,
    yolo_predictions,
)
from pellucid.formats.tabular import table
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
    keras_yolo.FORMAT,
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
    ultralytics_classes.PREDICTION_FORMAT,
    parquet_records.PREDICTION_FORMAT,
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


def matches_source(
    reader: AnnotationFormat | PredictionFormat, probe: Probe, options: ReadOptions
) -> bool:
    """Whether a source has the format; in a table, with the columns that the user named."""
    if reader is table.FORMAT:
        return table.matches(probe, options)
    if reader is table.PREDICTION_FORMAT:
        return table.matches_predictions(probe, options)
    if reader is image_folder.FORMAT:
        return image_folder.has_image_files(probe)
    if reader is coco_results.PREDICTION_FORMAT and options.kind in ("classification", "tagging"):
        is_empty = probe.head.strip("[] \n") == ""
        return reader.matches(probe) and (is_empty or coco_results.has_objects(probe))
    return reader.matches(probe)


def check_format_name(format: str | None, format_names: tuple[str, ...]) -> str | None:
    if format is not None and format not in format_names:
        raise UnknownFormatNameError(format, format_names)
    return format
