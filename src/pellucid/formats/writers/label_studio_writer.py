"""Write Label Studio tasks."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.tables import Annotations, Predictions
from pellucid.formats.readers.label_studio import NAME, ResultValue, TaskRecord
from pellucid.formats.writers.export_data import (
    ExportData,
    prepare_export_file,
    require_image_sizes,
    write_json,
)


def write(export_data: ExportData, path: Path) -> None:
    """Write tasks to import into a project, with annotations, and with predictions as
    pre-annotations."""
    export_data.note_dropped_splits("Label Studio")
    is_detection = export_data.kind == "detection"
    tasks: list[TaskRecord] = [
        {"id": image_row + 1, "data": {"image": str(image_path)}}
        for image_row, image_path in enumerate(export_data.images.path)
    ]
    image_sizes = require_image_sizes(export_data, NAME) if is_detection else [(0, 0)] * len(tasks)
    if export_data.annotations is not None:
        annotations = export_data.exportable_annotations("Label Studio")
        for image, entry_rows in export_data.rows_by_image(annotations):
            tasks[image]["annotations"] = [
                {
                    "result": [
                        result_document(
                            export_data, annotations, annotation_row, image_sizes[image]
                        )
                        for annotation_row in entry_rows
                    ]
                }
            ]
    if export_data.predictions is not None:
        predictions = export_data.predictions
        for image, entry_rows in export_data.rows_by_image(predictions):
            results = [
                {
                    **result_document(export_data, predictions, prediction_row, image_sizes[image]),
                    "score": float(predictions.score[prediction_row]),
                }
                for prediction_row in entry_rows
            ]
            tasks[image]["predictions"] = [{"model_version": export_data.model, "result": results}]
    write_json(prepare_export_file(path), tasks)


def result_document(
    export_data: ExportData,
    entries: Annotations | Predictions,
    entry_row: int,
    image_size: tuple[int, int],
) -> ResultValue:
    concept = export_data.concepts[entries.concept[entry_row]]
    if entries.box is None:
        return {
            "from_name": "concept",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": [concept]},
        }
    x, y, width, height = entries.box[entry_row].tolist()
    rectangle = {
        "x": x * 100 / image_size[0],
        "y": y * 100 / image_size[1],
        "width": width * 100 / image_size[0],
        "height": height * 100 / image_size[1],
        "rotation": 0,
        "rectanglelabels": [concept],
    }
    return {
        "from_name": "concept",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": image_size[0],
        "original_height": image_size[1],
        "value": rectangle,
    }
