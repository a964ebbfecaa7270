"""Write Pascal VOC annotations."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np

from pellucid.core.tables import SPLITS
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.voc import CORNER_TAGS, NAME
from pellucid.formats.writers.export_data import SHORT_SPLIT_NAMES, ExportData, create_export_folder


def write(export_data: ExportData, path: Path) -> None:
    """`Annotations` and `ImageSets`. Integer boxes are written 1-based, as in VOC; others keep
    fractions and are 0-based."""
    annotations = export_data.annotations
    if export_data.kind != "detection" or annotations is None or annotations.box is None:
        raise ExportError(NAME, "Pascal VOC supports only boxes; write csv or parquet")
    export_data.note_dropped_rows(
        "Pascal VOC", "absent-concept labels", int((~annotations.positive).sum())
    )
    annotations = annotations.take(annotations.positive)
    assert annotations.box is not None
    boxes = annotations.box
    is_integral = bool((boxes == np.floor(boxes)).all()) and bool((boxes[:, :2] >= 0).all())
    first_coordinate = 1 if is_integral else 0
    folder = create_export_folder(path)
    for image, annotation_rows in export_data.rows_by_image(annotations):
        image_path = str(export_data.images.path[image])
        root = Element("annotation")
        add_text_element(root, "filename", image_path)
        size_element = SubElement(root, "size")
        for side, length in (
            ("width", export_data.images.width[image]),
            ("height", export_data.images.height[image]),
            ("depth", 3),
        ):
            add_text_element(size_element, side, str(int(length)))
        for annotation_row in annotation_rows:
            object_element = SubElement(root, "object")
            add_text_element(
                object_element, "name", export_data.concepts[annotations.concept[annotation_row]]
            )
            add_text_element(
                object_element, "difficult", str(int(annotations.ignore[annotation_row]))
            )
            x, y, width, height = boxes[annotation_row].tolist()
            corners_element = SubElement(object_element, "bndbox")
            for side, coordinate in zip(
                CORNER_TAGS,
                (x + first_coordinate, y + first_coordinate, x + width, y + height),
                strict=True,
            ):
                add_text_element(
                    corners_element, side, str(int(coordinate)) if is_integral else repr(coordinate)
                )
        file = folder / "Annotations" / f"{image_path}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    sets_folder = folder / "ImageSets" / "Main"
    sets_folder.mkdir(parents=True)
    for split_index, split in enumerate(SPLITS):
        image_paths = export_data.images.path[export_data.images.split == split_index]
        if len(image_paths):
            (sets_folder / f"{SHORT_SPLIT_NAMES[split]}.txt").write_text(
                "".join(f"{image_path}\n" for image_path in image_paths), encoding="utf-8"
            )


def add_text_element(parent: Element, tag: str, content: str) -> None:
    SubElement(parent, tag).text = content
