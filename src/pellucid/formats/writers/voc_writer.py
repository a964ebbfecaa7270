"""Write Pascal VOC annotations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import SPLITS, Annotations, Float64Array
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.voc import CORNER_TAGS, NAME, ZERO_BASED
from pellucid.formats.writers.export_data import SHORT_SPLIT_NAMES, ExportData, find_sizes
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder, write_xml

IMAGE_FOLDER = "JPEGImages"


def write(export_data: ExportData, path: Path) -> None:
    """`Annotations`, `ImageSets`, `JPEGImages` and `labelmap.txt`.

    Pixels are numbered from 0, and the right and bottom edges are not part of the box, as other
    programs read these files; each file says so. Numbers with fractions keep them.
    """
    annotations = export_data.annotations
    if export_data.kind != "detection" or annotations is None or annotations.box is None:
        raise ExportError(NAME, "Pascal VOC supports only boxes; write csv or parquet")
    export_data.note_dropped_rows(
        "Pascal VOC", "absent-concept labels", int((~annotations.positive).sum())
    )
    annotations = annotations.take(annotations.positive)
    export_data.note_dropped_outlines("Pascal VOC")
    assert annotations.box is not None
    unprintable = [name for name in export_data.concepts if not name.isprintable()]
    if unprintable:
        raise ExportError(NAME, f"concept {unprintable[0]!r} has a character that XML cannot hold")
    note_fractions(export_data, annotations.box)
    image_stems = stem_paths(export_data.images.path.tolist())
    image_sizes = find_sizes(export_data)
    with new_folder(path) as folder:
        write_annotation_files(export_data, annotations, image_stems, image_sizes, folder)
        write_image_sets(export_data, image_stems, folder / "ImageSets" / "Main")
        write_label_map(export_data.concepts, folder / "labelmap.txt")
        copy_images(export_data, folder / IMAGE_FOLDER)


def write_annotation_files(
    export_data: ExportData,
    annotations: Annotations,
    image_stems: list[str],
    image_sizes: list[tuple[int, int]],
    folder: Path,
) -> None:
    """One XML file an image, in `Annotations`."""
    boxes = annotations.box
    assert boxes is not None
    for image, annotation_rows in export_data.rows_by_image(annotations):
        image_path = str(export_data.images.path[image])
        root = Element("annotation")
        add_text_element(root, "folder", IMAGE_FOLDER)
        add_text_element(root, "filename", image_path)
        source_element = SubElement(root, "source")
        add_text_element(source_element, "annotation", ZERO_BASED)
        size_element = SubElement(root, "size")
        for side, length in (
            ("width", image_sizes[image][0]),
            ("height", image_sizes[image][1]),
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
                (x, y, x + width, y + height),
                strict=True,
            ):
                is_whole = coordinate == int(coordinate)
                text = str(int(coordinate)) if is_whole else repr(round(coordinate, 9))
                add_text_element(corners_element, side, text)
        file = folder / "Annotations" / f"{image_stems[image]}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_xml(file, root)


def write_image_sets(export_data: ExportData, image_stems: list[str], folder: Path) -> None:
    """One list of images a split."""
    folder.mkdir(parents=True)
    for split_index, split in enumerate(SPLITS):
        members = np.flatnonzero(export_data.images.split == split_index).tolist()
        if members:
            (folder / f"{SHORT_SPLIT_NAMES[split]}.txt").write_text(
                "".join(f"{image_stems[image]}\n" for image in members), encoding="utf-8"
            )


def stem_paths(image_paths: list[str]) -> list[str]:
    """The image paths without their endings, by which VOC's lists name images; raises
    ExportError if two are the same."""
    stems = [str(PurePosixPath(image_path).with_suffix("")) for image_path in image_paths]
    repeated = [stem for stem, count in Counter(stems).items() if count > 1]
    if repeated:
        raise ExportError(NAME, f"two images would share {repeated[0]}.xml")
    return stems


def note_fractions(export_data: ExportData, boxes: Float64Array) -> None:
    count = int((boxes != np.floor(boxes)).any(axis=1).sum())
    if count:
        message = (
            f"{format_count(count, 'box', 'boxes')} with fractions of pixels: kept, but some "
            "programs read whole numbers only"
        )
        export_data.notes.append(Note("fractions", message, count, "info"))


def write_label_map(concepts: list[str], path: Path) -> None:
    """The concepts in their order; left out if a name could not be told from the separators."""
    if not any(":" in concept or "\n" in concept for concept in concepts):
        lines = ["# label:color_rgb:parts:actions", *(f"{concept}:::" for concept in concepts)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def add_text_element(parent: Element, tag: str, content: str) -> None:
    SubElement(parent, tag).text = content
