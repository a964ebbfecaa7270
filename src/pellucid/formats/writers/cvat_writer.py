"""Write CVAT for images XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from pellucid.core.tables import SPLITS
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.cvat import NAME
from pellucid.formats.writers.export_data import SHORT_SPLIT_NAMES, ExportData, prepare_export_file


def write(export_data: ExportData, path: Path) -> None:
    """Write one XML file; splits become subsets."""
    if export_data.annotations is None:
        raise ExportError(
            NAME,
            "the CVAT format supports annotations only; write predictions as coco, yolo, csv or "
            "parquet",
        )
    annotations = export_data.exportable_annotations("CVAT")
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for concept in export_data.concepts:
        SubElement(SubElement(labels, "label"), "name").text = concept
    for image, annotation_rows in export_data.rows_by_image(annotations):
        images = export_data.images
        image_element = SubElement(
            root,
            "image",
            id=str(image),
            name=str(images.path[image]),
            subset=SHORT_SPLIT_NAMES[SPLITS[images.split[image]]],
            width=str(int(images.width[image])),
            height=str(int(images.height[image])),
        )
        for annotation_row in annotation_rows:
            concept = export_data.concepts[annotations.concept[annotation_row]]
            if annotations.box is None:
                SubElement(image_element, "tag", label=concept)
                continue
            x, y, width, height = annotations.box[annotation_row].tolist()
            sides = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
            SubElement(
                image_element,
                "box",
                {
                    "label": concept,
                    "occluded": "0",
                    **{side: repr(coordinate) for side, coordinate in sides.items()},
                },
            )
    ElementTree(root).write(prepare_export_file(path), encoding="utf-8", xml_declaration=True)
