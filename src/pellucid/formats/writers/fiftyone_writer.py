"""Write FiftyOne data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.core.tables import Annotations, Predictions
from pellucid.formats.readers.fiftyone import NAME, LabelRecord
from pellucid.formats.writers.export_data import (
    ExportData,
    create_export_folder,
    require_image_sizes,
    write_json,
)


def write(export_data: ExportData, path: Path) -> None:
    """`samples.json` and `metadata.json`; images are referenced, not copied: FiftyOne expects them
    in `data/`."""
    folder = create_export_folder(path)
    is_detection = export_data.kind == "detection"
    image_sizes = (
        require_image_sizes(export_data, NAME)
        if is_detection
        else [(0, 0)] * len(export_data.images)
    )
    samples: list[dict[str, Any]] = [
        {
            "filepath": f"data/{image_path}",
            "tags": [export_data.split_name(image_index)],
            "metadata": {
                "width": image_sizes[image_index][0],
                "height": image_sizes[image_index][1],
            },
        }
        for image_index, image_path in enumerate(export_data.images.path)
    ]
    annotations = (
        export_data.exportable_annotations("FiftyOne")
        if export_data.annotations is not None
        else None
    )
    for field_name, entries in (
        ("ground_truth", annotations),
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
    write_json(folder / "samples.json", {"samples": samples})
    write_json(
        folder / "metadata.json",
        {"_cls": "FiftyOneDataset", "name": path.name, "media_type": "image", "sample_fields": []},
    )


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
        label["confidence"] = float(entries.score[entry_row])
    return label
