"""COCO and LVIS annotations: one JSON file with `images`, `annotations` and `categories`, or a
folder with one per split."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.core.tables import (
    PARTIAL,
    Annotations,
    Images,
    Int32Array,
    StringArray,
    string_column,
)
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import (
    Note,
    ParsedAnnotations,
    check_boxes,
    create_images,
    find_split,
    normalize_image_path,
)
from pellucid.formats.errors import InvalidRecordError, UnlistedConceptError, UnlistedImageError
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "coco"

CocoId = int | str


class CocoImage(msgspec.Struct):
    id: CocoId
    file_name: str | None = None
    width: float = 0
    height: float = 0
    coco_url: str | None = None
    neg_category_ids: list[CocoId] | None = None
    not_exhaustive_category_ids: list[CocoId] | None = None


class CocoAnnotation(msgspec.Struct):
    image_id: CocoId
    category_id: CocoId
    bbox: list[float] | None = None
    iscrowd: int | bool = 0
    area: float | None = None
    segmentation: Any = None


class CocoCategory(msgspec.Struct):
    id: CocoId
    name: str


class CocoFile(msgspec.Struct):
    images: list[CocoImage]
    categories: list[CocoCategory]
    annotations: list[CocoAnnotation] = []


def matches(probe: Probe) -> bool:
    """Whether the source is a COCO JSON object, or a folder with such files, one per split."""
    if probe.is_dir:
        return any(is_coco(probe.read_head(file_name)) for file_name in annotation_files(probe))
    return is_coco(probe.head)


def is_coco(head: str) -> bool:
    coco_key = re.search(r'"(images|annotations|categories|licenses|info)"\s*:', head)
    foreign_keys = (
        '"annotated_regions"',
        '"label_groups"',
        '"items"',
        '"predicted_iou"',
        '"caption"',
        '"segments_info"',
        '"imagePath"',
    )
    return (
        head.startswith("{")
        and coco_key is not None
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
        or json_files[:8]
    )


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
    notes: list[Note] = []
    if document.annotations and all(
        annotation.bbox is None and not annotation.segmentation
        for annotation in document.annotations
    ):
        annotations = tag_annotations(image_indexes, concept_indexes, len(document.categories))
    else:
        annotations, notes = box_annotations(path, document, image_indexes, concept_indexes)
    annotations = add_lvis_annotations(path, document, concept_index_by_id, images, annotations)
    return ParsedAnnotations(
        str(path),
        NAME,
        "tagging" if annotations.box is None else "detection",
        [category.name for category in document.categories],
        [str(category.id) for category in document.categories],
        True,
        images,
        annotations,
        None,
        notes,
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
            )
        builder.add_annotations(
            split_source, [f"{folder_prefix}{path}" for path in split_source.images.path], file_name
        )
    return builder.build(options.kind, list(concept_ids), list(concept_ids.values()))


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
    path: Path, document: CocoFile, image_indexes: Int32Array, concept_indexes: Int32Array
) -> tuple[Annotations, list[Note]]:
    boxes = np.array(
        [
            annotation_box(path, index, annotation)
            for index, annotation in enumerate(document.annotations)
        ],
        float,
    ).reshape(-1, 4)
    notes = check_boxes(path, boxes, lambda index: f"$.annotations[{index}]")
    areas = np.array(
        [
            boxes[index, 2] * boxes[index, 3] if annotation.area is None else annotation.area
            for index, annotation in enumerate(document.annotations)
        ],
        float,
    )
    outline_count = sum(annotation.bbox is None for annotation in document.annotations)
    if outline_count:
        notes.append(
            Note(
                "polygons",
                f"{outline_count:,} polygons without a bbox converted to bounding boxes",
                outline_count,
                "info",
            )
        )
    crowd = np.array([bool(annotation.iscrowd) for annotation in document.annotations], bool)
    return Annotations(
        image_indexes,
        concept_indexes,
        boxes,
        crowd,
        np.ones(len(image_indexes), bool),
        areas,
        polygon_texts(document.annotations),
    ), notes


def polygon_texts(annotations: list[CocoAnnotation]) -> StringArray | None:
    """Polygons as JSON; run-length encoded masks are not supported and give ''."""
    if not any(
        isinstance(annotation.segmentation, list) and annotation.segmentation
        for annotation in annotations
    ):
        return None
    return string_column(
        [
            json.dumps(annotation.segmentation) if is_polygons(annotation.segmentation) else ""
            for annotation in annotations
        ]
    )


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


def annotation_box(path: Path, annotation_index: int, annotation: CocoAnnotation) -> list[float]:
    if annotation.bbox is not None and len(annotation.bbox) == 4:
        return annotation.bbox
    segmentation = annotation.segmentation
    if (
        annotation.bbox is None
        and isinstance(segmentation, list)
        and segmentation
        and all(isinstance(polygon, list) and len(polygon) >= 4 for polygon in segmentation)
    ):
        coordinates = [
            float(coordinate)
            for polygon in segmentation
            for coordinate in polygon[: len(polygon) // 2 * 2]
        ]
        xs, ys = coordinates[::2], coordinates[1::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    location = (
        f"$.annotations[{annotation_index}]"
        if annotation.bbox is None
        else f"$.annotations[{annotation_index}].bbox"
    )
    problem = (
        "missing bbox"
        if annotation.bbox is None
        else f"expected 4 numbers, found {len(annotation.bbox)}"
    )
    raise InvalidRecordError(path, location, problem, "Write [left, top, width, height] in pixels.")


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


def pixel_length(length: float) -> int:
    return round(length) if 0 < length < 1 << 31 else 0


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
    duplicates = [
        concept_name
        for concept_name, count in Counter(category.name for category in categories).items()
        if count > 1
    ]
    if duplicates:
        raise InvalidRecordError(
            path, "categories", f"'{duplicates[0]}' is listed twice", "Use unique names."
        )
    if len(concept_index_by_id) < len(categories):
        raise InvalidRecordError(
            path, "categories", "duplicate category ids", "Give each category a unique id."
        )


def find_image_index(
    image_index_by_id: dict[CocoId, int], image_id: CocoId, path: Path, annotation_index: int
) -> int:
    if (index := image_index_by_id.get(image_id)) is None:
        raise UnlistedImageError(path, f"$.annotations[{annotation_index}].image_id", image_id)
    return index


def find_concept_index(
    concept_index_by_id: dict[CocoId, int], category_id: CocoId, path: Path, annotation_index: int
) -> int:
    if (index := concept_index_by_id.get(category_id)) is None:
        raise UnlistedConceptError(
            path,
            f"$.annotations[{annotation_index}].category_id",
            category_id,
            list(concept_index_by_id),
        )
    return index


FORMAT = AnnotationFormat(NAME, matches, read)
