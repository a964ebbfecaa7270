"""COCO and LVIS annotations: one JSON file with `images`, `annotations` and `categories`, or a
folder with one per split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.keypoints import VISIBLE, StatedKeypoints
from pellucid.core.outlines import encode_keypoints
from pellucid.core.tables import (
    PARTIAL,
    UNANNOTATED,
    Annotations,
    Float64Array,
    Images,
    Int32Array,
    Kind,
    StringArray,
    string_column,
)
from pellucid.evaluation.object_keypoints import COCO_SIGMAS
from pellucid.formats.builder import DatasetBuilder, skipped_notes
from pellucid.formats.dataset import (
    BoxShapes,
    Note,
    ParsedAnnotations,
    check_boxes,
    create_images,
    find_split,
    normalize_image_path,
    normalize_text,
)
from pellucid.formats.errors import InvalidRecordError, UnlistedConceptError, UnlistedImageError
from pellucid.formats.json_rows import is_json_lines
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import HEAD_BYTES, AnnotationFormat, Probe, ReadOptions
from pellucid.formats.readers.coco_categories import CocoId
from pellucid.formats.readers.coco_keypoints import box_of_keypoints, check_points
from pellucid.formats.readers.coco_shapes import box_of_mask, box_of_segmentation, turned_box
from pellucid.formats.shape_agreement import MAX_SHAPES, shape_notes

NAME = "coco"

COCO_SHAPES = BoxShapes(("xywh", "xyxy", "cxcywh"), "xywh")
EMPTY_CATEGORIES = ("empty", "none", "background", "blank", "nothing", "no finding", "negative")
"""Categories of annotations without a box that state an image with nothing on it, as in camera
trap data sets."""


class CocoImage(msgspec.Struct):
    id: CocoId
    file_name: str | None = None
    width: float | None = 0
    height: float | None = 0
    coco_url: str | None = None
    neg_category_ids: list[CocoId] | None = None
    not_exhaustive_category_ids: list[CocoId] | None = None


class CocoAnnotation(msgspec.Struct):
    image_id: CocoId
    category_id: CocoId
    bbox: list[float] | None = None
    iscrowd: int | bool | None = 0
    area: float | None = None
    segmentation: Any = None
    keypoints: list[float] | None = None
    num_keypoints: int | None = None
    attributes: Any = None

    def __post_init__(self) -> None:
        if self.attributes and self.bbox and not self.segmentation:
            self.segmentation, self.bbox = turned_box(self.attributes, self.bbox)


class CocoCategory(msgspec.Struct):
    id: CocoId
    name: str
    keypoints: list[str] | None = None
    skeleton: list[tuple[int, int]] | None = None
    sigmas: list[float] | None = None
    """Of its keypoints: not in COCO, whose sigmas are in its evaluation."""


class CocoFile(msgspec.Struct):
    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


VISIBILITIES = (0, 1, 2)
COCO_KEYS = "images|annotations|categories|licenses|info"


def matches(probe: Probe) -> bool:
    """Whether the source is a COCO JSON object, or a folder with such files, one per split."""
    if probe.is_dir:
        return any(is_coco(probe.read_head(file_name)) for file_name in annotation_files(probe))
    return is_coco(probe.head)


def is_coco(head: str) -> bool:
    """Whether a text begins like a COCO file. In a whole file `images` or `annotations` are
    required: Label Studio writes `categories` and `info` beside other formats."""
    is_whole = len(head) < HEAD_BYTES
    telling_keys = "images|annotations" if is_whole else COCO_KEYS
    coco_key = re.search(rf'"({telling_keys})"\s*:', head)
    foreign_keys = (
        '"annotated_regions"',
        '"label_groups"',
        '"items"',
        '"predicted_iou"',
        '"caption"',
        '"segments_info"',
        '"imagePath"',
        '"detection_categories"',
    )
    return (
        head.startswith("{")
        and coco_key is not None
        and not is_json_lines(head)
        and not any(key in head for key in foreign_keys)
    )


def annotation_files(probe: Probe) -> list[str]:
    """`instances*.json` if present (COCO also ships other tasks), else Roboflow's files, else any
    JSON files."""
    json_files = probe.files_with_suffix(".json")
    instance_files = [
        file_name
        for file_name in json_files
        if file_name.rsplit("/", maxsplit=1)[-1].startswith("instances")
    ]
    return (
        instance_files
        or [file_name for file_name in json_files if file_name.endswith("_annotations.coco.json")]
        or json_files
    )


OTHER_TASKS = ("captions", "person_keypoints", "panoptic", "stuff", "image_info")
"""How the files begin that COCO ships for other tasks, of the same images."""


def unread_files(probe: Probe) -> list[str]:
    """Files of annotations that are left out, as others are named `instances`."""
    chosen = annotation_files(probe)
    return [
        file_name
        for file_name in probe.files_with_suffix(".json")
        if file_name not in chosen
        and not file_name.rsplit("/", maxsplit=1)[-1].startswith(OTHER_TASKS)
        and is_coco(head := probe.read_head(file_name))
        and '"annotations"' in head
    ]


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Boxes with their concepts; `iscrowd` becomes an ignored region. A file without boxes gives
    tags.

    LVIS: unverified concepts of an image are unknown; concepts not annotated exhaustively become
    ignored regions.
    """
    if probe.is_dir:
        return read_folder(probe, options)
    path = probe.path
    document: CocoFile = parse_json(path, CocoFile, "COCO")
    listed_count = len(document.images) + len(document.categories)
    document.images = without_repetitions(document.images)
    document.categories = without_repetitions(document.categories)
    repeated_count = listed_count - len(document.images) - len(document.categories)
    image_index_by_id = {image.id: index for index, image in enumerate(document.images)}
    if len(image_index_by_id) < len(document.images):
        raise InvalidRecordError(
            path,
            "images",
            f"{len(document.images) - len(image_index_by_id)} duplicate image ids",
            "Give each image a unique id.",
        )
    image_paths = [
        normalize_image_path(path, image_file_name(path, index, image), options.image_folder)
        for index, image in enumerate(document.images)
    ]
    concept_index_by_id = {category.id: index for index, category in enumerate(document.categories)}
    check_categories(path, document.categories, concept_index_by_id)
    image_indexes = np.array(
        [
            find_image_index(image_index_by_id, annotation.image_id, path, index)
            for index, annotation in enumerate(document.annotations)
        ],
        np.int32,
    )
    concept_indexes = np.array(
        [
            find_concept_index(concept_index_by_id, annotation.category_id, path, index)
            for index, annotation in enumerate(document.annotations)
        ],
        np.int32,
    )
    images = create_images(
        image_paths,
        width=[pixel_length(image.width) for image in document.images],
        height=[pixel_length(image.height) for image in document.images],
        image_ids=[str(image.id) for image in document.images],
    )
    message = f"{format_count(repeated_count, 'image or category', 'images or categories')} listed"
    repeated = Note("repeated", f"{message} again with the same content: read once", repeated_count)
    notes = [repeated] if repeated_count else []
    if document.annotations and all(
        not annotation.bbox and not annotation.segmentation and not annotation.keypoints
        for annotation in document.annotations
    ):
        annotations = tag_annotations(image_indexes, concept_indexes, len(document.categories))
    else:
        annotations, box_notes = box_annotations(
            path, document, images, image_indexes, concept_indexes
        )
        notes += box_notes
    annotations = add_lvis_annotations(path, document, concept_index_by_id, images, annotations)
    return ParsedAnnotations(
        str(path),
        NAME,
        tags_kind(annotations, options) if annotations.box is None else "detection",
        [category.name for category in document.categories],
        [str(category.id) for category in document.categories],
        True,
        images,
        annotations,
        None,
        notes,
        box_shapes=None if annotations.box is None else COCO_SHAPES,
    )


def read_folder(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Merge one file per split; the split is inferred from the file or folder name."""
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    concept_ids: dict[str, str] = {}
    for file_name in annotation_files(probe):
        if not is_coco(probe.read_head(file_name)):
            continue
        split_source = read(Probe(probe.path / file_name, probe.read_head(file_name)), options)
        for concept_name, concept_id in zip(
            split_source.concepts, split_source.concept_ids, strict=True
        ):
            concept_ids[concept_name] = (
                concept_id if concept_ids.get(concept_name, concept_id) == concept_id else ""
            )
        path_words = [
            *file_name.split("/")[:-1],
            *re.split(r"[_.-]", file_name.rsplit("/", maxsplit=1)[-1]),
        ]
        split = find_split(path_words)
        folder_prefix = (
            f"{file_name.rpartition('/')[0]}/"
            if file_name.endswith("/_annotations.coco.json")
            else ""
        )
        builder.notes += split_source.notes
        for image_index, path in enumerate(split_source.images.path):
            builder.add_unique_image(
                f"{folder_prefix}{path}",
                split_source.images.width[image_index],
                split_source.images.height[image_index],
                split,
                split_source.images.source_id[image_index],
                annotated=bool(split_source.images.stated[image_index] != UNANNOTATED),
            )
        builder.add_annotations(
            split_source, [f"{folder_prefix}{path}" for path in split_source.images.path], file_name
        )
    if unread := unread_files(probe):
        message = f"not read beside instances*.json: {summarize_names(unread)}"
        builder.notes.append(Note("files_not_read", message, len(unread)))
    annotations = builder.build(options.kind, list(concept_ids), list(concept_ids.values()))
    has_boxes = annotations.annotations.box is not None
    return replace(annotations, box_shapes=COCO_SHAPES if has_boxes else None)


def image_file_name(path: Path, image_index: int, image: CocoImage) -> str:
    """The image's file name. LVIS has none, so it is taken from the end of `coco_url`."""
    file_name = (
        (image.coco_url or "").rsplit("/", maxsplit=1)[-1]
        if image.file_name is None
        else image.file_name
    )
    if not file_name and image.file_name is None:
        raise InvalidRecordError(
            path, f"$.images[{image_index}]", "missing file_name", "Add the image's file_name."
        )
    return file_name


def box_annotations(
    path: Path,
    document: CocoFile,
    images: Images,
    image_indexes: Int32Array,
    concept_indexes: Int32Array,
) -> tuple[Annotations, list[Note]]:
    """Annotations with a box or a shape. An annotation without either, of a category such as
    `empty`, states an image with nothing on it; others leave their image not annotated."""
    located_boxes = [
        annotation_box(path, index, annotation)
        for index, annotation in enumerate(document.annotations)
    ]
    notes = unlocated_notes(document, located_boxes, images, image_indexes)
    is_used = np.array([box is not None for box in located_boxes], bool)
    is_used &= images.stated[image_indexes] != UNANNOTATED
    used_rows = np.flatnonzero(is_used)
    used = [document.annotations[row] for row in used_rows.tolist()]
    boxes = np.array([located_boxes[row] for row in used_rows.tolist()], float).reshape(-1, 4)
    notes += check_boxes(path, boxes, lambda index: f"$.annotations[{used_rows[index]}]")
    areas = np.array(
        [
            boxes[index, 2] * boxes[index, 3] if annotation.area is None else annotation.area
            for index, annotation in enumerate(used)
        ],
        float,
    )
    if outline_count := sum(not annotation.bbox for annotation in used):
        message = (
            f"{outline_count:,} outlines or masks without a bbox: their boxes are those around them"
        )
        notes.append(Note("polygons", message, outline_count, "info"))
    notes += segmentation_notes(used, boxes)
    crowd = np.array([bool(annotation.iscrowd) for annotation in used], bool)
    return Annotations(
        image_indexes[used_rows],
        concept_indexes[used_rows],
        boxes,
        crowd,
        np.ones(len(used), bool),
        areas,
        outline_texts(path, document, used_rows.tolist()),
    ), notes


def segmentation_notes(annotations: Sequence[CocoAnnotation], boxes: Float64Array) -> list[Note]:
    """Notes on segmentations that cannot be read, and on those that are not in their box."""
    unread = sum(
        bool(annotation.segmentation)
        and not is_polygons(annotation.segmentation)
        and not is_encoded_mask(annotation.segmentation)
        for annotation in annotations
    )
    message = (
        f"{format_count(unread, 'segmentation')} not read: expected polygons [[x, y, x, y, ...]] "
        'of at least three points, or {"size": [height, width], "counts": ...}'
    )
    notes = [Note("segmentation", message, unread)] if unread else []
    shaped = [row for row, one in enumerate(annotations) if one.bbox and one.segmentation]
    rows = shaped[:: max(1, len(shaped) // MAX_SHAPES)]
    extents = [box_of_segmentation(annotations[row].segmentation) for row in rows]
    known = [(row, extent) for row, extent in zip(rows, extents, strict=True) if extent]
    if known:
        stated = boxes[[row for row, _ in known]]
        notes += shape_notes(stated, np.array([extent for _, extent in known], float))
    return notes


def unlocated_notes(
    document: CocoFile,
    boxes: list[list[float] | None],
    images: Images,
    image_indexes: Int32Array,
) -> list[Note]:
    """Notes on annotations without a box or a shape. Sets the images of those that do not mean
    an empty image to not annotated."""
    located = {
        annotation.category_id
        for annotation, box in zip(document.annotations, boxes, strict=True)
        if box is not None
    }
    name_by_id = {category.id: category.name for category in document.categories}
    rows = [row for row, box in enumerate(boxes) if box is None]
    empty_rows = [
        row
        for row in rows
        if (category_id := document.annotations[row].category_id) not in located
        and name_by_id.get(category_id, "").strip().lower() in EMPTY_CATEGORIES
    ]
    other_rows = sorted(set(rows) - set(empty_rows))
    notes = []
    if empty_rows:
        names = {name_by_id[document.annotations[row].category_id] for row in empty_rows}
        message = (
            f"{format_count(len(empty_rows), 'annotation')} of {summarize_names(sorted(names))} "
            "without a box: read as images with nothing on them"
        )
        notes.append(Note("empty_images", message, len(empty_rows), "info"))
    if other_rows:
        skipped_images = np.unique(image_indexes[other_rows])
        images.stated[skipped_images] = UNANNOTATED
        skipped_counts = {"without a box or a shape": len(other_rows)}
        notes += skipped_notes(skipped_counts, len(skipped_images), 0, {})
    return notes


def outline_texts(path: Path, document: CocoFile, rows: list[int]) -> StringArray | None:
    """Keypoints, polygons or run-length encoded masks as JSON, '' where there is none; None if
    there is none at all."""
    categories = {category.id: category for category in document.categories}
    texts = []
    for row in rows:
        annotation = document.annotations[row]
        shape = annotation.segmentation
        if not is_polygons(shape) and not is_encoded_mask(shape):
            shape = None
        if annotation.keypoints:
            stated = stated_keypoints(path, row, annotation, categories[annotation.category_id])
            stated.segmentation = shape
            texts.append(encode_keypoints(stated))
        else:
            texts.append("" if shape is None else msgspec.json.encode(shape).decode())
    return string_column(texts) if any(texts) else None


def stated_keypoints(
    path: Path, row: int, annotation: CocoAnnotation, category: CocoCategory
) -> StatedKeypoints:
    """The keypoints of an annotation. With `num_keypoints` 0 none is labelled, whatever they say,
    as pycocotools has it."""
    location = f"$.annotations[{row}].keypoints"
    numbers = annotation.keypoints or []
    if category.keypoints and len(numbers) == 2 * len(category.keypoints):
        visible = float(VISIBLE)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        numbers = [number for x, y in pairs for number in (x, y, visible)]
    points = check_points(path, location, numbers)
    odd = next((number for number in points[2::3] if number not in VISIBILITIES), None)
    if odd is not None:
        raise InvalidRecordError(
            path,
            location,
            f"the visibility of a keypoint is {odd:g}",
            "Write x, y and visibility (0, 1 or 2) of each keypoint, in pixels.",
        )
    count = len(points) // 3
    if annotation.num_keypoints == 0:
        points[2::3] = [0.0] * count
    if category.sigmas is not None and len(category.sigmas) != count:
        raise InvalidRecordError(
            path,
            location,
            f"{count} keypoints, but {len(category.sigmas)} sigmas of category '{category.name}'",
            "Give each keypoint a sigma.",
        )
    lines = [(first - 1, second - 1) for first, second in category.skeleton or ()]
    lines = [line for line in lines if min(line) >= 0 and max(line) < count]
    is_default = count == len(COCO_SIGMAS)
    return StatedKeypoints(points, category.sigmas, None if is_default or not lines else lines)


def is_polygons(segmentation: Any) -> bool:
    return (
        isinstance(segmentation, list)
        and bool(segmentation)
        and all(
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and all(type(coordinate) in (int, float) for coordinate in polygon)
            for polygon in segmentation
        )
    )


def is_encoded_mask(segmentation: Any) -> bool:
    """Whether it is a mask in COCO's run-length encoding, compressed or not."""
    if not isinstance(segmentation, dict) or set(segmentation) != {"size", "counts"}:
        return False
    counts = segmentation["counts"]
    return box_of_mask(segmentation) is not None and isinstance(counts, str | list)


def annotation_box(
    path: Path, annotation_index: int, annotation: CocoAnnotation
) -> list[float] | None:
    """The box of an annotation, or around its shape; None if it has neither."""
    shape = annotation.segmentation or annotation.keypoints
    if annotation.bbox and (any(annotation.bbox) or not shape):  # four zeros state no box
        if len(annotation.bbox) == 4:
            return annotation.bbox
        raise InvalidRecordError(
            path,
            f"$.annotations[{annotation_index}].bbox",
            f"expected 4 numbers, found {len(annotation.bbox)}",
            "Write [left, top, width, height] in pixels.",
        )
    return box_of_segmentation(annotation.segmentation) or box_of_keypoints(annotation.keypoints)


def tags_kind(annotations: Annotations, options: ReadOptions) -> Kind:
    """Classification if the user says so and no image has two concepts, else tagging."""
    images = annotations.image[annotations.positive]
    has_one_concept = len(np.unique(images)) == len(images)
    return "classification" if options.kind == "classification" and has_one_concept else "tagging"


def tag_annotations(
    image_indexes: Int32Array, concept_indexes: Int32Array, concept_count: int
) -> Annotations:
    """One tag per image and concept; duplicates are removed."""
    _, first_occurrences = np.unique(
        image_indexes.astype(np.int64) * concept_count + concept_indexes, return_index=True
    )
    kept_rows = np.sort(first_occurrences)
    return Annotations(
        image_indexes[kept_rows],
        concept_indexes[kept_rows],
        None,
        np.zeros(len(kept_rows), bool),
        np.ones(len(kept_rows), bool),
        None,
    )


def add_lvis_annotations(
    path: Path,
    document: CocoFile,
    concept_index_by_id: dict[CocoId, int],
    images: Images,
    annotations: Annotations,
) -> Annotations:
    """Add LVIS' per-image labels: verified negatives as absent concepts, non-exhaustive concepts
    as ignored regions."""
    if annotations.box is None or all(image.neg_category_ids is None for image in document.images):
        return annotations
    images.stated[:] = PARTIAL
    negatives = [
        (
            image_index,
            find_concept_index(concept_index_by_id, category_id, path, image_index),
            ignore,
        )
        for image_index, image in enumerate(document.images)
        for category_ids, ignore in (
            (image.neg_category_ids, False),
            (image.not_exhaustive_category_ids, True),
        )
        for category_id in category_ids or ()
    ]
    image_indexes, concept_indexes = (
        np.array([negative[position] for negative in negatives], np.int32).reshape(-1)
        for position in (0, 1)
    )
    is_ignored = np.array([negative[2] for negative in negatives], bool)
    boxes = np.zeros((len(negatives), 4))
    boxes[is_ignored, 2], boxes[is_ignored, 3] = (
        images.width[image_indexes[is_ignored]],
        images.height[image_indexes[is_ignored]],
    )
    return annotations.concat(
        Annotations(
            image_indexes,
            concept_indexes,
            boxes,
            is_ignored,
            is_ignored.copy(),
            boxes[:, 2] * boxes[:, 3],
        )
    )


def pixel_length(length: float | None) -> int:
    return round(length) if length and 0 < length < 1 << 31 else 0


Listed = TypeVar("Listed", CocoImage, CocoCategory)


def without_repetitions(records: Sequence[Listed]) -> list[Listed]:
    """The records without those that repeat an earlier one, with all of its fields."""
    first: dict[CocoId, Listed] = {}
    for record in records:
        first.setdefault(record.id, record)
    return [r for r in records if first[r.id] is r or first[r.id] != r]


def check_categories(
    path: Path, categories: list[CocoCategory], concept_index_by_id: dict[CocoId, int]
) -> None:
    if not categories:
        raise InvalidRecordError(
            path,
            "categories",
            "the list is empty",
            'List the concepts: [{"id": 1, "name": "dent"}].',
        )
    name_counts = Counter(normalize_text(category.name) for category in categories)
    duplicates = [concept_name for concept_name, count in name_counts.items() if count > 1]
    if duplicates:
        raise InvalidRecordError(
            path,
            "categories",
            f"'{duplicates[0]}' is listed twice (spaces around names do not count)",
            "Use unique names.",
        )
    if len(concept_index_by_id) < len(categories):
        raise InvalidRecordError(
            path, "categories", "duplicate category ids", "Give each category a unique id."
        )


def index_of_id(index_by_id: dict[CocoId, int], coco_id: CocoId) -> int | None:
    """The index of an id, which may be written as a number in one place and as text in another."""
    index = index_by_id.get(coco_id)
    if index is None:
        text = str(coco_id).removesuffix(".0")
        index = index_by_id.get(text)
        if index is None and text.lstrip("-").isdecimal():
            index = index_by_id.get(int(text))
    return index


def find_image_index(
    image_index_by_id: dict[CocoId, int], image_id: CocoId, path: Path, annotation_index: int
) -> int:
    if (index := index_of_id(image_index_by_id, image_id)) is None:
        raise UnlistedImageError(path, f"$.annotations[{annotation_index}].image_id", image_id)
    return index


def find_concept_index(
    concept_index_by_id: dict[CocoId, int], category_id: CocoId, path: Path, annotation_index: int
) -> int:
    if (index := index_of_id(concept_index_by_id, category_id)) is None:
        raise UnlistedConceptError(
            path,
            f"$.annotations[{annotation_index}].category_id",
            category_id,
            list(concept_index_by_id),
        )
    return index


FORMAT = AnnotationFormat(NAME, matches, read)
