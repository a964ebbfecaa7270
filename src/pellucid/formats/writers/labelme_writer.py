"""Write LabelMe: one JSON file per image, beside it."""

from __future__ import annotations

import base64
import io
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pellucid.core.masks import Masks, decode_counts
from pellucid.core.tables import Annotations, BoolArray
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.labelme import NAME
from pellucid.formats.writers.export_data import SHORT_SPLIT_NAMES, ExportData, find_sizes
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder, write_json
from pellucid.formats.writers.object_outlines import find_shape, mask_of_shape

VERSION = "5.5.0"
"""Of the program whose files these are like."""
EMPTY: dict[str, Any] = {"group_id": None, "description": "", "flags": {}}


def write(export_data: ExportData, path: Path) -> None:
    """A folder per split with the images and their JSON files: rectangles, polygons, and masks
    for objects of several parts; the concepts of tags and classes as flags."""
    if export_data.annotations is None:
        raise ExportError(NAME, "LabelMe has no scores; write predictions as coco, csv or parquet")
    export_data.note_dropped_keypoints("LabelMe")
    annotations = export_data.exportable_annotations("LabelMe")
    sizes = find_sizes(export_data)
    with new_folder(path) as folder:
        for image, rows in export_data.rows_by_image(annotations):
            image_path = PurePosixPath(str(export_data.images.path[image]))
            file = folder / SHORT_SPLIT_NAMES[export_data.split_name(image)] / image_path
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(
                file.with_suffix(".json"),
                image_document(export_data, annotations, rows, image_path.name, sizes[image]),
            )
        copy_images(export_data, folder, SHORT_SPLIT_NAMES)


def image_document(
    export_data: ExportData,
    annotations: Annotations,
    rows: list[int],
    image_name: str,
    size: tuple[int, int],
) -> dict[str, Any]:
    names = [export_data.concepts[annotations.concept[row]] for row in rows]
    has_boxes = annotations.box is not None
    return {
        "version": VERSION,
        "flags": {} if has_boxes else dict.fromkeys(names, True),
        "shapes": [
            {"label": name, **EMPTY, **object_shape(annotations, row, size)}
            for name, row in zip(names, rows, strict=True)
        ]
        if has_boxes
        else [],
        "imagePath": image_name,
        "imageData": None,
        "imageHeight": size[1] or None,
        "imageWidth": size[0] or None,
    }


def object_shape(annotations: Annotations, row: int, size: tuple[int, int]) -> dict[str, Any]:
    shape = find_shape(annotations, row)
    if isinstance(shape, list) and len(shape) == 1:
        points = np.reshape(shape[0], (-1, 2)).tolist()
        return {"shape_type": "polygon", "points": points}
    if shape is not None:
        if min(size) <= 0:
            raise ExportError(NAME, "masks need the size of their image: add it with --images DIR")
        return mask_shape(decode_pixels(mask_of_shape(shape, size)))
    assert annotations.box is not None
    x, y, width, height = annotations.box[row].tolist()
    return {"shape_type": "rectangle", "points": [[x, y], [x + width, y + height]]}


def decode_pixels(mask: Masks) -> BoolArray:
    """The pixels of one mask, bool (height, width)."""
    counts = decode_counts(mask.counts(0))
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(int(mask.width[0]), int(mask.height[0])).T


def mask_shape(pixels: BoolArray) -> dict[str, Any]:
    """A PNG image of the box around the pixels, whose corners are the points, both within."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, bottom, left, right = (int(n) for n in (rows[0], rows[-1], columns[0], columns[-1]))
    patch = pixels[top : bottom + 1, left : right + 1]
    file = io.BytesIO()
    Image.fromarray(patch.astype(np.uint8) * 255).convert("1").save(file, "PNG")
    return {
        "shape_type": "mask",
        "points": [[left, top], [right, bottom]],
        "mask": base64.b64encode(file.getvalue()).decode("ascii"),
    }
