"""COCO and LVIS annotations: one JSON file with `images`, `annotations` and `categories`, or a
folder with one per split."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.core.errors import summarize_names
from pellucid.core.tables import UNANNOTATED, Images
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import (
    BoxShapes,
    Note,
    ParsedAnnotations,
    create_images,
    find_split,
    normalize_image_paths,
    parse_split,
)
from pellucid.formats.json_rows import is_json_lines
from pellucid.formats.probe import HEAD_BYTES, AnnotationFormat, Probe, ReadOptions
from pellucid.formats.readers.coco_boxes import box_annotations
from pellucid.formats.readers.coco_document import (
    CocoFile,
    find_concept_index,
    find_image_index,
    image_file_name,
    parse_document,
    pixel_length,
)
from pellucid.formats.readers.coco_groups import group_category, keep_one_group_note, without_group
from pellucid.formats.readers.coco_tags import (
    add_lvis_annotations,
    tag_annotations,
    tag_notes,
    tags_kind,
)

NAME = "coco"
COCO_SHAPES = BoxShapes(("xywh", "xyxy", "cxcywh"), "xywh")
ONE_IMAGE = re.compile(r'\{[^\[\]{}]*"(image|filename|file_name|file|image_path)"\s*:\s*"')
"""The beginning of a document about one image."""
ENTRIES_BY_IMAGE = re.compile(r'"images"\s*:\s*\{\s*"[^"]+\.(jpe?g|png|bmp|tiff?|webp|gif)"', re.I)
"""An object of images by their names, in place of COCO's list."""
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
        and not (ONE_IMAGE.match(head) and '"images"' not in head)
        and not ENTRIES_BY_IMAGE.search(head)
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


FORMAT = AnnotationFormat(NAME, matches, read)
