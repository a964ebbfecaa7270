"""Write Hugging Face image folders: a folder a split with `metadata.jsonl` and the images, as
`datasets.load_dataset("imagefolder", data_dir=...)` reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pellucid.core.tables import SPLITS, Annotations
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.hugging_face_records import NAME
from pellucid.formats.writers.export_data import ExportData
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder

SPLIT_NAMES = {"training": "train", "validation": "validation", "test": "test"}


def write(export_data: ExportData, path: Path) -> None:
    """Detection: `objects` with `bbox` ([left, top, width, height] in pixels) and `category`;
    classification: `label`; tagging: `labels`."""
    if export_data.annotations is None:
        raise ExportError(NAME, "the format holds annotations only; write csv or parquet")
    annotations = export_data.exportable_annotations("Hugging Face")
    export_data.note_dropped_outlines("Hugging Face")
    lines: dict[str, list[str]] = {}
    for image, rows in export_data.rows_by_image(annotations):
        record = {
            "file_name": str(export_data.images.path[image]),
            **label_columns(export_data, annotations, rows),
        }
        split = SPLITS[export_data.images.split[image]]
        lines.setdefault(SPLIT_NAMES[split], []).append(json.dumps(record, ensure_ascii=False))
    with new_folder(path) as folder:
        for split_name, records in lines.items():
            (folder / split_name).mkdir()
            metadata = folder / split_name / "metadata.jsonl"
            metadata.write_text("\n".join(records) + "\n", encoding="utf-8")
        copy_images(export_data, folder, split_names=SPLIT_NAMES)


def label_columns(
    export_data: ExportData, annotations: Annotations, rows: list[int]
) -> dict[str, Any]:
    concepts = [export_data.concepts[annotations.concept[row]] for row in rows]
    if annotations.box is not None:
        boxes = [annotations.box[row].tolist() for row in rows]
        return {"objects": {"bbox": boxes, "category": concepts}}
    if export_data.kind == "tagging":
        return {"labels": concepts}
    return {"label": concepts[0] if concepts else None}
