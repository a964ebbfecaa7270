"""The objects of a COCO file, checked and without repetitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pellucid.core.errors import format_count
from pellucid.formats.dataset import Note, normalize_text
from pellucid.formats.errors import InvalidRecordError, UnlistedConceptError, UnlistedImageError
from pellucid.formats.marked_records import reject_marked_records
from pellucid.formats.parsing import parse_json
from pellucid.formats.readers.coco_categories import CocoId
from pellucid.formats.readers.coco_shapes import turned_box

SET_FLAGS = (1, True, "1", "true", "True")
"""How files say that a flag is set."""


class CocoImage(msgspec.Struct):
    id: CocoId
    file_name: str | None = None
    width: float | None = 0
    height: float | None = 0
    coco_url: str | None = None
    neg_category_ids: list[CocoId] | None = None
    not_exhaustive_category_ids: list[CocoId] | None = None
    deleted: Any = False
    split: Any = None
    subset: Any = None


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
    ignore: Any = 0
    difficult: Any = 0
    deleted: Any = False
    angle: Any = None
    rotation: Any = None
    score: float | None = None

    def __post_init__(self) -> None:
        if self.attributes and self.bbox and not self.segmentation:
            self.segmentation, self.bbox = turned_box(self.attributes, self.bbox)


class CocoCategory(msgspec.Struct):
    id: CocoId
    name: str
    supercategory: Any = None
    keypoints: list[str] | None = None
    skeleton: list[tuple[int, int]] | None = None
    sigmas: list[float] | None = None
    """Of its keypoints: not in COCO, whose sigmas are in its evaluation."""


class CocoFile(msgspec.Struct):
    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


Listed = TypeVar("Listed", CocoImage, CocoCategory)


def parse_document(path: Path) -> tuple[CocoFile, list[Note]]:
    """The file without images and categories that repeat others, and a note on these.

    Raises:
        InvalidRecordError: an id or a name is there twice.
    """
    document: CocoFile = parse_json(path, CocoFile, "COCO")
    listed_count = len(document.images) + len(document.categories)
    document.images = without_repetitions(document.images)
    document.categories = without_repetitions(document.categories)
    image_count = len({image.id for image in document.images})
    if image_count < len(document.images):
        raise InvalidRecordError(
            path,
            "images",
            f"{len(document.images) - image_count} duplicate image ids",
            "Give each image a unique id.",
        )
    check_categories(path, document.categories)
    reject_deleted(path, document)
    reject_marked_records(path)
    reject_angles(path, document)
    count = listed_count - len(document.images) - len(document.categories)
    message = (
        f"{format_count(count, 'image or category', 'images or categories')} listed again with "
        "the same content: read once"
    )
    notes = [Note("repeated", message, count)] if count else []
    return document, [*notes, *score_notes(document.annotations)]


def score_notes(annotations: Sequence[CocoAnnotation]) -> list[Note]:
    """A warning on annotations with several scores, as predictions have them."""
    scores = {annotation.score for annotation in annotations} - {None}
    if len(scores) < 2:
        return []
    count = sum(annotation.score is not None for annotation in annotations)
    message = (
        f"{format_count(count, 'annotation')} with a score, which is not read: they may be "
        "predictions of a model. Check that this is the ground truth"
    )
    return [Note("scored_annotations", message, count)]


def without_repetitions(records: Sequence[Listed]) -> list[Listed]:
    """The records without those that repeat an earlier one, with all of its fields."""
    first: dict[CocoId, Listed] = {}
    for record in records:
        first.setdefault(record.id, record)
    return [r for r in records if first[r.id] is r or content(first[r.id]) != content(r)]


def content(record: Listed) -> Listed:
    """The record without the group of a category, which some writers change."""
    if isinstance(record, CocoCategory):
        return msgspec.structs.replace(record, supercategory=None)
    return record


def check_categories(path: Path, categories: list[CocoCategory]) -> None:
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
    if len({category.id for category in categories}) < len(categories):
        raise InvalidRecordError(
            path, "categories", "duplicate category ids", "Give each category a unique id."
        )


def reject_deleted(path: Path, document: CocoFile) -> None:
    """Raises InvalidRecordError if images or annotations are marked as deleted, as annotation
    tools do with what is no part of the data set any more."""
    flags = {
        "images": [image.deleted for image in document.images],
        "annotations": [annotation.deleted for annotation in document.annotations],
    }
    for key, values in flags.items():
        deleted = [index for index, value in enumerate(values) if value in SET_FLAGS]
        if deleted:
            raise InvalidRecordError(
                path,
                f"$.{key}[{deleted[0]}].deleted",
                f"it is set in {format_count(len(deleted), 'record')}: they may not count",
                "Leave these records out, or remove the field `deleted`.",
            )


MIN_ANGLE = 1e-3
"""Angles nearer to 0 are rounding errors."""


def reject_angles(path: Path, document: CocoFile) -> None:
    """Raises InvalidRecordError if boxes without a shape are rotated by a field of their own, whose
    unit, direction and centre nothing states."""
    for index, annotation in enumerate(document.annotations):
        angle = annotation.angle or annotation.rotation
        has_shape = annotation.segmentation or annotation.keypoints
        is_number = isinstance(angle, int | float) and not isinstance(angle, bool)
        if is_number and not has_shape and MIN_ANGLE < angle % 360 < 360 - MIN_ANGLE:
            raise InvalidRecordError(
                path,
                f"$.annotations[{index}]",
                f"the box is rotated by {angle:g}, which is not read",
                "Write its four corners as segmentation, or remove the field to compare upright "
                "boxes.",
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


def pixel_length(length: float | None) -> int:
    return round(length) if length and 0 < length < 1 << 31 else 0
