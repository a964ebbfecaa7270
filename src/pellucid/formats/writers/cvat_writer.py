"""Write CVAT for images XML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from pellucid.core.tables import SPLITS, Annotations
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.cvat import NAME
from pellucid.formats.writers.export_data import SHORT_SPLIT_NAMES, ExportData, with_found_sizes
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_file, new_folder, write_xml
from pellucid.formats.writers.object_outlines import single_polygon


def write(export_data: ExportData, path: Path) -> None:
    """Write one XML file, whose splits are subsets; or, if `path` has no suffix, a folder with one
    file a split and the images in `images`, where datumaro looks for them."""
    if export_data.annotations is None:
        raise ExportError(
            NAME,
            "the CVAT format supports annotations only; write predictions as coco, yolo, csv or "
            "parquet",
        )
    export_data.note_dropped_keypoints("CVAT")
    annotations = export_data.exportable_annotations("CVAT")
    export_data = with_found_sizes(export_data)
    all_images = range(len(export_data.images))
    if path.suffix:
        with new_file(path) as temp_path:
            write_document(export_data, annotations, all_images, temp_path)
        return
    with new_folder(path) as folder:
        for split_index, split in enumerate(SPLITS):
            images = [row for row in all_images if export_data.images.split[row] == split_index]
            if images:
                file = folder / f"{SHORT_SPLIT_NAMES[split]}.xml"
                write_document(export_data, annotations, images, file)
        copy_images(export_data, folder / "images")


def write_document(
    export_data: ExportData, annotations: Annotations, images: Sequence[int], path: Path
) -> None:
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for concept in export_data.concepts:
        SubElement(SubElement(labels, "label"), "name").text = concept
    written = set(images)
    for image, annotation_rows in export_data.rows_by_image(annotations):
        if image in written:
            add_image(root, export_data, annotations, image, annotation_rows)
    write_xml(path, root)


def add_image(
    root: Element,
    export_data: ExportData,
    annotations: Annotations,
    image: int,
    annotation_rows: list[int],
) -> None:
    """One `image` element with its tags or boxes."""
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
            SubElement(image_element, "tag", label=concept, source="manual")
            continue
        size = int(images.width[image]), int(images.height[image])
        polygon = single_polygon(annotations, annotation_row, size)
        attributes = {
            "label": concept,
            "source": "manual",
            "occluded": "0",
            **(box_corners(annotations, annotation_row) if polygon is None else points(polygon)),
            "z_order": "0",
        }
        SubElement(image_element, "box" if polygon is None else "polygon", attributes)


def box_corners(annotations: Annotations, row: int) -> dict[str, str]:
    assert annotations.box is not None
    x, y, width, height = annotations.box[row].tolist()
    corners = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
    return {side: repr(coordinate) for side, coordinate in corners.items()}


def points(polygon: list[float]) -> dict[str, str]:
    pairs = zip(polygon[::2], polygon[1::2], strict=True)
    return {"points": ";".join(f"{x!r},{y!r}" for x, y in pairs)}
