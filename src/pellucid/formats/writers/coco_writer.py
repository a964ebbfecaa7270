"""Write COCO annotations and results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.core.keypoints import StatedKeypoints
from pellucid.core.tables import SPLITS, Annotations, Int64Array, Predictions, Split
from pellucid.evaluation.object_keypoints import default_sigmas, default_skeleton
from pellucid.formats.errors import ExportError
from pellucid.formats.writers.export_data import (
    SHORT_SPLIT_NAMES,
    ExportData,
    score_of,
    with_found_sizes,
)
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_file, new_folder, write_json, write_new_json
from pellucid.formats.writers.object_outlines import (
    concept_keypoints,
    find_points,
    find_shape,
    has_outlines,
)


def write(export_data: ExportData, path: Path) -> None:
    """Write one file; or, if `path` has no suffix, a folder with `annotations`, one file a split,
    and the images in `images`, as datumaro and most trainers expect it."""
    export_data = with_found_sizes(export_data)
    if path.suffix:
        export_data.note_dropped_splits("a single COCO file")
        write_new_json(
            path,
            build_document(export_data, np.arange(len(export_data.images))),
        )
        return
    with new_folder(path) as folder:
        (folder / "annotations").mkdir()
        for split, document in split_documents(export_data):
            file_name = f"instances_{SHORT_SPLIT_NAMES[split]}.json"
            write_json(folder / "annotations" / file_name, document)
        copy_images(export_data, folder / "images")


ROBOFLOW_SPLIT_NAMES = {"training": "train", "validation": "valid", "test": "test"}


def write_roboflow(export_data: ExportData, path: Path) -> None:
    """Write Roboflow's layout: a folder a split, with `_annotations.coco.json` and the images."""
    export_data = with_found_sizes(export_data)
    with new_folder(path) as folder:
        for split, document in split_documents(export_data):
            split_folder = folder / ROBOFLOW_SPLIT_NAMES[split]
            split_folder.mkdir()
            write_json(split_folder / "_annotations.coco.json", document)
        copy_images(export_data, folder, ROBOFLOW_SPLIT_NAMES)


def split_documents(export_data: ExportData) -> Iterator[tuple[Split, dict[str, Any]]]:
    """The COCO document of each split that has images."""
    for split_index, split in enumerate(SPLITS):
        image_rows = np.flatnonzero(export_data.images.split == split_index)
        if len(image_rows):
            yield split, build_document(export_data, image_rows)


def build_document(export_data: ExportData, image_rows: Int64Array) -> dict[str, Any]:
    """The COCO document of the given image rows, with annotations, or predictions and their
    scores."""
    images = export_data.images
    image_ids = numeric_ids(images.source_id.tolist())
    concept_ids = numeric_ids(export_data.concept_ids)
    entries = select_entries(export_data, image_rows)
    keypoints = concept_keypoints(entries, len(export_data.concepts))
    return {
        "images": [
            {
                "id": image_ids[image_row],
                "file_name": str(images.path[image_row]),
                "width": int(images.width[image_row]),
                "height": int(images.height[image_row]),
            }
            for image_row in image_rows.tolist()
        ],
        "categories": [
            {"id": concept_id, "name": name, **category_fields(points)}
            for concept_id, name, points in zip(
                concept_ids, export_data.concepts, keypoints, strict=True
            )
        ],
        "annotations": [
            {
                "id": row + 1,
                "image_id": image_ids[entries.image[row]],
                "category_id": concept_ids[entries.concept[row]],
                **object_fields(entries, row),
            }
            for row in range(len(entries))
        ],
    }


def select_entries(export_data: ExportData, image_rows: Int64Array) -> Annotations | Predictions:
    """The annotations or predictions of these images that COCO can hold; what is dropped is
    noted."""
    entries = export_data.exported_table
    is_exported = np.zeros(len(export_data.images), bool)
    is_exported[image_rows] = True
    if not isinstance(entries, Annotations):
        return entries.take(is_exported[entries.image])
    entries = entries.take(is_exported[entries.image])
    absent_count = int((~entries.positive).sum())
    export_data.note_dropped_rows("COCO", "absent-concept labels", absent_count)
    entries = entries.take(entries.positive)
    if entries.box is None:
        export_data.note_dropped_rows("COCO", "unknown tags", int(entries.ignore.sum()))
        entries = entries.take(~entries.ignore)
    return entries


def object_fields(entries: Annotations | Predictions, row: int) -> dict[str, Any]:
    """The box, area, crowd flag or score, shape and keypoints of a record."""
    fields: dict[str, Any] = {}
    if entries.box is not None:
        box = entries.box[row]
        fields |= {"bbox": box.tolist(), "area": float(box[2] * box[3]), "iscrowd": 0}
    if isinstance(entries, Annotations):
        if entries.area is not None:
            fields["area"] = float(entries.area[row])
        fields["iscrowd"] = int(entries.ignore[row])
    elif (score := score_of(entries, row)) is not None:
        fields["score"] = score
    if (shape := find_shape(entries, row)) is not None:
        fields["segmentation"] = shape
    return fields | keypoint_fields(entries, row)


def keypoint_fields(entries: Annotations | Predictions, row: int) -> dict[str, Any]:
    points = find_points(entries, row)
    if points is None:
        return {}
    return {"keypoints": points.keypoints, "num_keypoints": points.labelled_count}


def category_fields(points: StatedKeypoints | None) -> dict[str, Any]:
    """COCO's description of a category's keypoints, numbered; `sigmas`, which it has not, where
    they are not its own."""
    if points is None:
        return {}
    count = len(points.keypoints) // 3
    sigmas, skeleton = points.sigmas, points.skeleton
    if skeleton is None:
        skeleton = [*default_skeleton(count)]
    is_default = sigmas is None or tuple(sigmas) == default_sigmas(count)
    return {
        "keypoints": [str(number) for number in range(1, count + 1)],
        "skeleton": [[first + 1, second + 1] for first, second in skeleton],
        **({} if is_default else {"sigmas": sigmas}),
    }


def numeric_ids(source_ids: list[str]) -> list[int]:
    """The source's ids if all are distinct integers; else 1, 2, 3, ..."""
    first_ids = [source_id.split("\n")[0] for source_id in source_ids]
    if all(source_id.isascii() and source_id.isdecimal() for source_id in first_ids) and len(
        {int(source_id) for source_id in first_ids}
    ) == len(first_ids):
        return [int(source_id) for source_id in first_ids]
    return list(range(1, len(first_ids) + 1))


def result_points(predictions: Predictions, row: int) -> dict[str, Any]:
    points = find_points(predictions, row)
    return {} if points is None else {"keypoints": points.keypoints}


def write_results(export_data: ExportData, path: Path) -> None:
    """Write a list of results with the ids of the annotation file."""
    predictions = export_data.predictions
    if predictions is None or predictions.box is None:
        raise ExportError("coco", "COCO results need boxes with scores; write csv or parquet")
    image_ids, concept_ids = (
        numeric_ids(export_data.images.source_id.tolist()),
        numeric_ids(export_data.concept_ids),
    )
    prediction_rows = zip(
        predictions.image.tolist(),
        predictions.concept.tolist(),
        predictions.box.tolist(),
        (score_of(predictions, row) for row in range(len(predictions))),
        strict=True,
    )
    # Results with a bbox count with its area: masks that came without one are written without.
    has_boxes = predictions.mask is None or predictions.area is None
    has_shapes = has_outlines(predictions)
    results = [
        {
            "image_id": image_ids[image],
            "category_id": concept_ids[concept],
            **({"bbox": box} if has_boxes else {}),
            **({"segmentation": find_shape(predictions, row)} if has_shapes else {}),
            **result_points(predictions, row),
            **({} if score is None else {"score": score}),
        }
        for row, (image, concept, box, score) in enumerate(prediction_rows)
    ]
    with new_file(path) as temp_path:
        temp_path.write_bytes(msgspec.json.encode(results))
