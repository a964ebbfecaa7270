"""COCO and LVIS annotations: one JSON file with `images`, `annotations` and `categories`, or a
folder with one per split."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import (
    PARTIAL,
    UNANNOTATED,
    Annotations,
    Images,
    Int32Array,
    Kind,
)
from pellucid.formats.builder import DatasetBuilder, note_skipped
from pellucid.formats.dataset import (
    BoxShapes,
    Note,
    ParsedAnnotations,
    check_boxes,
    create_images,
    find_split,
    normalize_image_paths,
    parse_split,
)
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.json_rows import is_json_lines
from pellucid.formats.probe import HEAD_BYTES, AnnotationFormat, Probe, ReadOptions
from pellucid.formats.readers.coco_categories import CocoId
from pellucid.formats.readers.coco_document import (
    SET_FLAGS,
    CocoAnnotation,
    CocoFile,
    find_concept_index,
    find_image_index,
    image_file_name,
    parse_document,
    pixel_length,
)
from pellucid.formats.readers.coco_groups import (
    group_category,
    keep_one_group_note,
    without_group,
)
from pellucid.formats.readers.coco_keypoints import box_of_keypoints
from pellucid.formats.readers.coco_outlines import outline_texts, segmentation_notes
from pellucid.formats.readers.coco_shapes import box_of_segmentation

NAME = "coco"

COCO_SHAPES = BoxShapes(("xywh", "xyxy", "cxcywh"), "xywh")
EMPTY_CATEGORIES = ("empty", "none", "background", "blank", "nothing", "no finding", "negative")
"""Categories of annotations without a box that state an image with nothing on it, as in camera
trap data sets."""


COCO_KEYS = "images|annotations|categories|licenses|info"


def matches(probe: Probe) -> bool:
    """Whether the source is a COCO JSON object, or a folder with such files, one per split."""
    if probe.is_dir:
        return any(is_coco(probe.load_head(file_name)) for file_name in annotation_files(probe))
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
    first_record = re.search(r'"annotations"\s*:\s*\[\s*(\{[^{}]*\})', head)
    has_own_records = (
        first_record is not None and '"image_id"' not in first_record[1] and '"images"' not in head
    )
    return (
        head.startswith("{")
        and coco_key is not None
        and not has_own_records
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
        and is_coco(head := probe.load_head(file_name))
        and '"annotations"' in head
    ]


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Boxes with their concepts; `iscrowd` becomes an ignored region. A file without boxes gives
    tags.

    LVIS: unverified concepts of an image are unknown; concepts not annotated exhaustively become
    ignored regions.
    """
    if probe.is_dir:
        return parse_folder(probe, options)
    parsed, group = parse_file(probe, options)
    return parsed if group is None else without_group(parsed, group)


def parse_file(probe: Probe, options: ReadOptions) -> tuple[ParsedAnnotations, str | None]:
    """The annotations of a file, and the name of the category that is the group of the others."""
    path = probe.path
    document, notes = parse_document(path)
    group = group_category(document)
    image_index_by_id = {image.id: index for index, image in enumerate(document.images)}
    concept_index_by_id = {category.id: index for index, category in enumerate(document.categories)}
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
    images = listed_images(path, document, options)
    if document.annotations and all(
        not annotation.bbox and not annotation.segmentation and not annotation.keypoints
        for annotation in document.annotations
    ):
        annotations = tag_annotations(image_indexes, concept_indexes, len(document.categories))
        notes += tag_notes(annotations, options)
    else:
        annotations, box_notes = box_annotations(
            path, document, images, image_indexes, concept_indexes
        )
        notes += box_notes
    annotations = add_lvis_annotations(path, document, concept_index_by_id, images, annotations)
    parsed = ParsedAnnotations(
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
    return parsed, None if group is None else group.name


def listed_images(path: Path, document: CocoFile, options: ReadOptions) -> Images:
    """The image table of a file."""
    return create_images(
        normalize_image_paths(
            path,
            [image_file_name(path, index, image) for index, image in enumerate(document.images)],
            options.image_folder,
        ),
        width=[pixel_length(image.width) for image in document.images],
        height=[pixel_length(image.height) for image in document.images],
        image_ids=[str(image.id) for image in document.images],
        split=[split_of_field(image.split or image.subset) for image in document.images],
    )


def split_of_field(text: object) -> int:
    """The index of the split that a field of an image names, -1 if it names none."""
    split = parse_split(text) if isinstance(text, str) else None
    return -1 if split is None else split


def parse_folder(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Merge one file per split; the split is inferred from the file or folder name."""
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    concept_ids: dict[str, str] = {}
    parsed_files = {
        file_name: parse_file(Probe(probe.path / file_name, probe.load_head(file_name)), options)
        for file_name in annotation_files(probe)
        if is_coco(probe.load_head(file_name))
    }
    groups = {group for _, group in parsed_files.values()}
    group = groups.pop() if len(groups) == 1 else None  # else one of the files has objects of it
    for file_name, (split_source, _) in parsed_files.items():
        if group is not None:
            split_source = without_group(split_source, group)
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
                split if split >= 0 else int(split_source.images.split[image_index]),
                split_source.images.source_id[image_index],
                annotated=bool(split_source.images.stated[image_index] != UNANNOTATED),
            )
        builder.add_annotations(
            split_source, [f"{folder_prefix}{path}" for path in split_source.images.path], file_name
        )
    if unread := unread_files(probe):
        message = f"not read beside instances*.json: {summarize_names(unread)}"
        builder.notes.append(Note("files_not_read", message, len(unread)))
    builder.notes = keep_one_group_note(builder.notes)
    annotations = builder.build(options.kind, list(concept_ids), list(concept_ids.values()))
    has_boxes = annotations.annotations.box is not None
    return replace(annotations, box_shapes=COCO_SHAPES if has_boxes else None)


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
    notes = note_unlocated(document, located_boxes, images, image_indexes)
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
    sizes = np.stack([images.width, images.height], axis=1)[image_indexes[used_rows]]
    notes += segmentation_notes(used, boxes, sizes.astype(float))
    if flagged := sum(
        (a.ignore in SET_FLAGS or a.difficult in SET_FLAGS) and not a.iscrowd for a in used
    ):
        message = (
            f"{format_count(flagged, 'annotation')} with 'ignore' or 'difficult' and without "
            "'iscrowd': not ignored, as pycocotools has it. Set iscrowd to 1 to ignore them"
        )
        notes.append(Note("ignore_flags", message, flagged))
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


def note_unlocated(
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
        notes += note_skipped(skipped_counts, len(skipped_images), 0, {})
    return notes


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


def tag_notes(annotations: Annotations, options: ReadOptions) -> list[Note]:
    """A note where each image has one concept, as those of a classifier have."""
    is_single = len(np.unique(annotations.image)) == len(annotations) > 1
    if not is_single or options.kind is not None:
        return []
    message = (
        "each image has one category: read as tags. For a classification view, specify --kind "
        "classification"
    )
    return [Note("single_tags", message, len(annotations), "info")]


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


FORMAT = AnnotationFormat(NAME, matches, read)
