"""Write FiftyOne data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.core.tables import Annotations, Predictions
from pellucid.formats.readers.fiftyone import NAME, LabelRecord
from pellucid.formats.writers.export_data import ExportData, require_image_sizes, score_of
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder, write_json

IMAGE_FOLDER = "data"


def write(export_data: ExportData, path: Path) -> None:
    """`samples.json`, `metadata.json` and the images in `data/`, as `Dataset.from_dir` with
    `FiftyOneDataset` reads them. Without a version number, it infers the fields of the samples."""
    export_data.note_dropped_outlines("FiftyOne")
    samples = sample_documents(export_data)
    metadata = {"name": path.name, "media_type": "image", "info": {}}
    with new_folder(path) as folder:
        write_json(folder / "samples.json", {"samples": samples})
        write_json(folder / "metadata.json", metadata)
        copy_images(export_data, folder / IMAGE_FOLDER)


def sample_documents(export_data: ExportData) -> list[dict[str, Any]]:
    """One record an image, with its labels."""
    is_detection = export_data.kind == "detection"
    image_sizes = (
        require_image_sizes(export_data, NAME)
        if is_detection
        else [(0, 0)] * len(export_data.images)
    )
    samples: list[dict[str, Any]] = [
        {
            "filepath": f"{IMAGE_FOLDER}/{image_path}",
            "tags": [export_data.split_name(image_index)],
            "metadata": {
                "_cls": "ImageMetadata",
                "width": image_sizes[image_index][0],
                "height": image_sizes[image_index][1],
            },
        }
        for image_index, image_path in enumerate(export_data.images.path)
    ]
    for field_name, entries in (
        ("ground_truth", exportable_labels(export_data)),
        ("predictions", export_data.predictions),
    ):
        for image, entry_rows in export_data.rows_by_image(entries) if entries is not None else ():
            labels = (
                [
                    label_document(export_data, entries, entry_row, image_sizes[image])
                    for entry_row in entry_rows
                ]
                if entries is not None
                else []
            )
            label_list = (
                {"_cls": "Detections", "detections": labels}
                if is_detection
                else {"_cls": "Classifications", "classifications": labels}
            )
            samples[image][field_name] = label_list
    return samples


def exportable_labels(export_data: ExportData) -> Annotations | None:
    """The annotations, with ignored boxes, which are `iscrowd`, but without unknown tags."""
    annotations = export_data.annotations
    if annotations is None or annotations.box is None:
        return None if annotations is None else export_data.exportable_annotations("FiftyOne")
    export_data.note_dropped_rows("FiftyOne", "negative labels", int((~annotations.positive).sum()))
    return annotations.take(annotations.positive)


def label_document(
    export_data: ExportData,
    entries: Annotations | Predictions,
    entry_row: int,
    image_size: tuple[int, int],
) -> LabelRecord:
    label: LabelRecord = {
        "_cls": "Detection" if entries.box is not None else "Classification",
        "label": export_data.concepts[entries.concept[entry_row]],
    }
    if entries.box is not None:
        x, y, width, height = entries.box[entry_row].tolist()
        label["bounding_box"] = [
            x / image_size[0],
            y / image_size[1],
            width / image_size[0],
            height / image_size[1],
        ]
    if isinstance(entries, Predictions):
        if (score := score_of(entries, entry_row)) is not None:
            label["confidence"] = score
    elif entries.box is not None:
        label["iscrowd"] = bool(entries.ignore[entry_row])
    return label
