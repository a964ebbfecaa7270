"""Pascal VOC: one XML file per image, with `ImageSets` for the splits; also variants of other
tools with 0-based pixels, and roLabelImg's rotated boxes.

VOC numbers pixels from 1 and includes the last one. The first pixel is inferred once per dataset:
any coordinate that is 0 or fractional means 0-based pixels. (Everingham et al., The PASCAL Visual
Object Classes Challenge, development kit, 2012.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pellucid.core.errors import MalformedFileError, format_count
from pellucid.core.masks import Masks
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.builder import BoxCoordinates, DatasetBuilder
from pellucid.formats.curves import rotate_box
from pellucid.formats.dataset import Inference, ParsedAnnotations
from pellucid.formats.image_location import ImageLocator, names_repeat
from pellucid.formats.instance_maps import masks_of_instances, parse_instance_map
from pellucid.formats.marked_records import does_not_count, is_mark, text_of
from pellucid.formats.parsing import element_text, load_lines, parse_number, parse_xml
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files

NAME = "voc"
VOID = 255
"""The pixel value of borders between objects."""
MIN_BOX_OVERLAP = 0.5
"""IoU of an object's box and the box around its mask."""
ZERO_BASED = "pixels from 0, right and bottom edges excluded"
"""What Pellucid's own files say of their pixels, in `source/annotation`."""
CORNER_TAGS = ("xmin", "ymin", "xmax", "ymax")
Outline = list[tuple[float, float]]


def matches(probe: Probe) -> bool:
    """Whether the source is a VOC XML file, or a folder with such files."""
    if not probe.is_dir:
        return is_voc(probe.head)
    return any(is_voc(probe.load_head(name)) for name in probe.sample_with_suffix(".xml"))


def is_voc(head: str) -> bool:
    return (
        "<annotation" in head
        and "<annotations" not in head
        and ("<bndbox>" in head or ("<size>" in head and "<polygon>" not in head))
    )


@dataclass(frozen=True)
class VocObject:
    """One object, with its corners as in the file."""

    image: int
    concept: str
    corners: BoxCoordinates
    difficult: bool
    location: str
    outline: Outline | None = None
    """The corners of a rotated box, of which `corners` is the box around them."""


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    picture_folder = probe.path / "JPEGImages"
    has_image_files = probe.is_dir and options.image_folder is None and picture_folder.is_dir()
    image_folder = str(picture_folder) if has_image_files else options.image_folder
    builder = DatasetBuilder(str(probe.path), NAME, image_folder)
    objects_by_file, is_zero_based = parse_files(probe, builder)
    voc_objects = [voc_object for objects in objects_by_file.values() for voc_object in objects]
    first_pixel, evidence = choose_first_pixel(voc_objects, is_zero_based, options.first_pixel)
    add_objects(probe, builder, objects_by_file, first_pixel)
    builder.add_note("first_pixel", int(bool(voc_objects)), evidence)
    difficult_count = sum(voc_object.difficult for voc_object in voc_objects)
    builder.add_note(
        "difficult", difficult_count, f"{difficult_count:,} difficult objects set as ignored"
    )
    source = builder.build(
        options.kind,
        parse_label_map(probe.path) if probe.is_dir else [],
        image_folder=str(picture_folder) if has_image_files else None,
    )
    source.inferences.append(
        Inference(
            "first pixel",
            str(first_pixel),
            evidence,
            [f"--first-pixel {1 - first_pixel}"],
            options.first_pixel is not None,
        )
    )
    return source


def parse_files(probe: Probe, builder: DatasetBuilder) -> tuple[dict[Path, list[VocObject]], bool]:
    """The objects of each file, and whether all files say that their pixels count from 0."""
    objects_by_file: dict[Path, list[VocObject]] = {}
    stated: set[str] = set()
    files = list(list_files(probe, ".xml"))
    locator = ImageLocator(probe.path, builder.image_folder, names_repeat(files))
    for file in files:
        root = parse_xml(file)
        if root.tag != "annotation":
            raise MalformedFileError(
                file, f"expected root element <annotation>, found <{root.tag}>"
            )
        objects_by_file[file] = parse_objects(builder, locator, file, root)
        stated.add(element_text(root, "source/annotation", "") or "")
    builder.notes.extend(locator.notes())
    return objects_by_file, stated == {ZERO_BASED}


def choose_first_pixel(
    voc_objects: Sequence[VocObject], is_zero_based: bool, forced: int | None
) -> tuple[int, str]:
    """Whether pixels count from 0 or from 1, and the evidence."""
    if forced is not None:
        return forced, first_pixel_evidence(voc_objects, forced, True)
    if is_zero_based:
        return 0, "pixels are numbered from 0, as the files say"
    first_pixel = infer_first_pixel(voc_objects)
    return first_pixel, first_pixel_evidence(voc_objects, first_pixel, False)


def add_objects(
    probe: Probe,
    builder: DatasetBuilder,
    objects_by_file: Mapping[Path, Sequence[VocObject]],
    first_pixel: int,
) -> None:
    """Add the objects, with the masks of their images where these are of the boxes."""
    mask_count = mismatch_count = 0
    for file, file_objects in objects_by_file.items():
        boxes = [object_box(voc_object, first_pixel) for voc_object in file_objects]
        mask_file = segmentation_file(probe, file)
        masks = parse_object_masks(mask_file, boxes)
        mask_count += masks is not None
        mismatch_count += masks is None and mask_file is not None
        for row, (voc_object, box) in enumerate(zip(file_objects, boxes, strict=True)):
            add_object(builder, voc_object, box, masks, row)
    builder.add_note("masks", mask_count, f"masks of {format_count(mask_count, 'image')} read")
    builder.add_note(
        "masks_not_read",
        mismatch_count,
        f"masks of {format_count(mismatch_count, 'image')} not read: they are not those of the "
        "boxes, in their order",
        "warning",
    )


def parse_objects(
    builder: DatasetBuilder, locator: ImageLocator, file: Path, root: Element
) -> list[VocObject]:
    """The objects of one file. Its split is that of the folder it lies in."""
    image_name = element_text(root, "filename") or f"{file.stem}.jpg"
    image_name = (
        image_name if "." in image_name.rsplit("/", maxsplit=1)[-1] else f"{image_name}.jpg"
    )
    size_texts = [element_text(root, f"size/{side}", "0") or "0" for side in ("width", "height")]
    width, height = (
        parse_number(size_text, file, "size", "width or height") for size_text in size_texts
    )
    split, image_name = locator.locate(file, image_name)
    image = builder.add_unique_image(image_name, width, height, split, file.stem)
    reject_objects_elsewhere(file, root)
    voc_objects = []
    for object_index, object_element in enumerate(root.iterfind("object")):
        location = f"{file.name} object {object_index}"
        if element_text(object_element, "deleted") in ("1", "true"):
            raise MalformedFileError(
                file, f"object {object_index} is marked as deleted: it may not count. Remove it"
            )
        reject_marked_object(file, object_index, object_element)
        corners, outline = parse_object_box(object_element, file, object_index, location)
        voc_objects.append(
            VocObject(
                image,
                element_text(object_element, "name"),
                corners,
                element_text(object_element, "difficult").strip().lower() in ("1", "true", "yes"),
                location,
                outline,
            )
        )
    return voc_objects


def reject_marked_object(file: Path, object_index: int, element: Element) -> None:
    """Raise MalformedFileError if a field that VOC does not have says that the object does not
    count."""
    for field in element:
        if is_mark(field.tag, False) and does_not_count(field.tag, field.text):
            raise MalformedFileError(
                file,
                f"object {object_index}: <{field.tag}> is {text_of(field.text)}: it may not count. "
                f"Leave such objects out, or remove <{field.tag}>; <difficult> is read as ignored",
            )


def reject_objects_elsewhere(file: Path, root: Element) -> None:
    """Raise MalformedFileError if the objects are not where VOC has them: FAIR1M and others."""
    if root.find("object") is None and root.find(".//object") is not None:
        parent = next(element.tag for element in root.iter() if element.find("object") is not None)
        raise MalformedFileError(
            file,
            f"has its objects in <{parent}>, as FAIR1M does: they are not read. Expected <object> "
            "elements of Pascal VOC; convert them, or write DOTA's text files for rotated boxes",
        )


def parse_object_box(
    object_element: Element, file: Path, object_index: int, location: str
) -> tuple[BoxCoordinates, Outline | None]:
    """The corners of the box, and the outline of a rotated one, which roLabelImg writes as center,
    size and angle in radians, clockwise."""
    boxes = object_element.findall("bndbox") or object_element.findall("robndbox")
    if len(boxes) != 1:
        problem = "has several bndbox: write one" if boxes else "is missing bndbox"
        raise MalformedFileError(file, f"object {object_index} {problem}")
    [box] = boxes

    def number(tag: str) -> float:
        return parse_number(element_text(box, tag), file, location, tag)

    if box.tag == "bndbox":
        x_min, y_min, x_max, y_max = map(number, CORNER_TAGS)
        return (x_min, y_min, x_max, y_max), None
    cx, cy, width, height = map(number, ("cx", "cy", "w", "h"))
    left, top, right, bottom = cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2
    outline = rotate_box((left, top, right, bottom), math.degrees(number("angle")))
    if len(outline) == 2:
        outline = [(left, top), (right, top), (right, bottom), (left, bottom)]
    xs, ys = zip(*outline, strict=True)
    return (min(xs), min(ys), max(xs), max(ys)), outline


def object_box(voc_object: VocObject, first_coordinate: int) -> BoxCoordinates:
    """[left, top, width, height] of corners that may be in any order."""
    x_min, y_min, x_max, y_max = voc_object.corners
    left, right = sorted((x_min - first_coordinate, x_max))
    top, bottom = sorted((y_min - first_coordinate, y_max))
    return left, top, right - left, bottom - top


def add_object(
    builder: DatasetBuilder,
    voc_object: VocObject,
    box: BoxCoordinates,
    masks: Masks | None,
    row: int,
) -> None:
    image, concept = voc_object.image, voc_object.concept
    location, ignore = voc_object.location, voc_object.difficult
    if voc_object.outline is not None:
        builder.add_outline(image, concept, voc_object.outline, location, ignore, keep_outline=True)
    elif masks is None:
        builder.add_box(image, concept, box, location, ignore)
    else:
        builder.add_encoded_mask(image, concept, masks, row, location, box, ignore)


def segmentation_file(probe: Probe, file: Path) -> Path | None:
    """The picture with the instances of an annotation file, `SegmentationObject/NAME.png`."""
    path = file.parent.parent / "SegmentationObject" / f"{file.stem}.png"
    return path if probe.is_dir and path.is_file() else None


def parse_object_masks(path: Path | None, boxes: list[BoxCoordinates]) -> Masks | None:
    """The mask of each object: pixels with its number, from 1 in the order of the annotation file;
    255 is the border between objects. None if there is no picture, or its objects are not those
    of the boxes."""
    if path is None:
        return None
    numbers, masks = masks_of_instances(parse_instance_map(path))
    rows = [row for row, number in enumerate(numbers) if number not in (0, VOID)]
    if [numbers[row] for row in rows] != list(range(1, len(boxes) + 1)):
        return None
    object_masks = masks[np.array(rows, np.int64)]
    mask_boxes, none_ignored = measure_masks(object_masks).box, np.zeros(len(boxes), bool)
    overlap = pairwise_iou(mask_boxes, np.reshape(boxes, (-1, 4)), none_ignored)
    return object_masks if (overlap >= MIN_BOX_OVERLAP).all() else None


def infer_first_pixel(voc_objects: Sequence[VocObject]) -> int:
    """0 if a coordinate is 0, negative or fractional; else 1, as in VOC."""
    coordinates = [coordinate for voc_object in voc_objects for coordinate in voc_object.corners]
    return (
        0
        if any(coordinate <= 0 or coordinate != int(coordinate) for coordinate in coordinates)
        else 1
    )


def first_pixel_evidence(
    voc_objects: Sequence[VocObject], first_coordinate: int, is_forced: bool
) -> str:
    if is_forced:
        return f"pixels are numbered from {first_coordinate}, as requested"
    if first_coordinate:
        return (
            "pixels are numbered from 1, as in VOC: no coordinate is 0 (use --first-pixel 0 for "
            "0-based pixels)"
        )
    zero_count = sum(0 in voc_object.corners for voc_object in voc_objects)
    reason = (
        f"{zero_count:,} boxes have a coordinate of 0"
        if zero_count
        else "some coordinates are not integers"
    )
    return f"pixels are numbered from 0: {reason} (use --first-pixel 1 for 1-based pixels)"


def parse_label_map(folder: Path) -> list[str]:
    """The concepts that `labelmap.txt` lists as `name:color:parts:actions`, in order."""
    path = folder / "labelmap.txt"
    lines = [line for _, line in load_lines(path)] if path.is_file() else []
    fields = [line.split(":") for line in lines if not line.startswith("#")]
    named = [(parts[0].strip(), parts[1]) for parts in fields if len(parts) == 4]
    return [name for name, color in named if name and (name, color) != ("background", "0,0,0")]


FORMAT = AnnotationFormat(NAME, matches, read)
