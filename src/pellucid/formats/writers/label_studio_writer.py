"""Write Label Studio tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from pellucid.core.tables import Annotations, Predictions
from pellucid.core.urls import is_remote
from pellucid.formats.readers.label_studio import NAME
from pellucid.formats.readers.label_studio_regions import ResultValue
from pellucid.formats.readers.label_studio_tasks import TaskRecord
from pellucid.formats.writers.export_data import ExportData, require_image_sizes, score_of
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder, write_json, write_new_json
from pellucid.formats.writers.object_outlines import has_outlines, single_polygon

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT."""
CONTROL, OUTLINE_CONTROL, IMAGE = "concept", "outline", "image"
"""The names of the tags of the labelling configuration."""


def write(export_data: ExportData, path: Path) -> None:
    """Tasks to import into a project, with annotations, and with predictions as pre-annotations.

    One JSON file; or, if `path` has no suffix, a folder with `tasks.json`, the labelling
    configuration `labels.xml` and the images, which Label Studio serves if the folder is in its
    document root for local files.
    """
    export_data.note_dropped_splits("Label Studio")
    export_data.note_dropped_keypoints("Label Studio")
    if path.suffix:
        write_new_json(path, task_documents(export_data, local_addresses(export_data)))
        return
    folder_name = path.resolve().name
    addresses = [
        local_address(f"{folder_name}/images/{image_path}")
        for image_path in export_data.images.path
    ]
    tasks = task_documents(export_data, addresses)
    with new_folder(path) as folder:
        write_json(folder / "tasks.json", tasks)
        write_configuration(export_data, folder / "labels.xml")
        copy_images(export_data, folder / "images")


def local_address(path: str) -> str:
    return f"{LOCAL_FILES}{quote(path)}"


def local_addresses(export_data: ExportData) -> list[str]:
    """Where Label Studio finds each image: its URL, its path on this machine (if the document root
    is `/`), or just its name if the image is not known."""
    return [
        location
        if is_remote(location)
        else local_address(location.lstrip("/"))
        if location
        else str(image_path)
        for image_path, location in zip(
            export_data.images.path, export_data.image_locations, strict=True
        )
    ]


def task_documents(export_data: ExportData, addresses: list[str]) -> list[TaskRecord]:
    """One task an image. name: the image's path in the data set, as its address is another."""
    is_detection = export_data.kind == "detection"
    tasks: list[TaskRecord] = [
        {"id": row + 1, "data": {IMAGE: address, "name": str(image_path)}}
        for row, (image_path, address) in enumerate(
            zip(export_data.images.path, addresses, strict=True)
        )
    ]
    image_sizes = require_image_sizes(export_data, NAME) if is_detection else [(0, 0)] * len(tasks)
    if export_data.annotations is not None:
        annotations = export_data.exportable_annotations("Label Studio")
        for image, rows in export_data.rows_by_image(annotations):
            results = result_documents(export_data, annotations, rows, image_sizes[image])
            tasks[image]["annotations"] = [{"result": results}]
    if export_data.predictions is not None:
        predictions = export_data.predictions
        for image, rows in export_data.rows_by_image(predictions):
            results = result_documents(export_data, predictions, rows, image_sizes[image])
            for result, row in zip(results, rows, strict=True):
                if (score := score_of(predictions, row)) is not None:
                    result["score"] = score
            tasks[image]["predictions"] = [{"model_version": export_data.model, "result": results}]
    return tasks


def result_documents(
    export_data: ExportData,
    entries: Annotations | Predictions,
    rows: list[int],
    image_size: tuple[int, int],
) -> list[ResultValue]:
    return [{"to_name": IMAGE, **region(export_data, entries, row, image_size)} for row in rows]


def region(
    export_data: ExportData,
    entries: Annotations | Predictions,
    row: int,
    image_size: tuple[int, int],
) -> ResultValue:
    """A choice, or a rectangle or a polygon in percent of the image."""
    concept = export_data.concepts[entries.concept[row]]
    if entries.box is None:
        return {"from_name": CONTROL, "type": "choices", "value": {"choices": [concept]}}
    sizes = {"original_width": image_size[0], "original_height": image_size[1]}
    polygon = single_polygon(entries, row, image_size)
    if polygon is not None:
        points = [
            [x * 100 / image_size[0], y * 100 / image_size[1]]
            for x, y in zip(polygon[::2], polygon[1::2], strict=True)
        ]
        outline = {"points": points, "closed": True, "polygonlabels": [concept]}
        return {
            "from_name": OUTLINE_CONTROL,
            "type": "polygonlabels",
            **sizes,
            "value": outline,
        }
    x, y, width, height = entries.box[row].tolist()
    rectangle: dict[str, Any] = {
        "x": x * 100 / image_size[0],
        "y": y * 100 / image_size[1],
        "width": width * 100 / image_size[0],
        "height": height * 100 / image_size[1],
        "rotation": 0,
        "rectanglelabels": [concept],
    }
    return {"from_name": CONTROL, "type": "rectanglelabels", **sizes, "value": rectangle}


def write_configuration(export_data: ExportData, path: Path) -> None:
    """The labelling configuration to paste into the project's settings."""
    root = Element("View")
    SubElement(root, "Image", name=IMAGE, value=f"${IMAGE}")
    if export_data.kind == "detection":
        control = SubElement(root, "RectangleLabels", name=CONTROL, toName=IMAGE)
        tag = "Label"
    else:
        choice = "multiple" if export_data.kind == "tagging" else "single"
        control = SubElement(root, "Choices", name=CONTROL, toName=IMAGE, choice=choice)
        tag = "Choice"
    controls = [control]
    tables = (export_data.annotations, export_data.predictions)
    if any(has_outlines(table) for table in tables if table is not None):
        controls.append(SubElement(root, "PolygonLabels", name=OUTLINE_CONTROL, toName=IMAGE))
    for concept in export_data.concepts:
        for labels in controls:
            SubElement(labels, tag, value=concept)
    indent(root)
    ElementTree(root).write(path, encoding="unicode")
