"""Records of Hugging Face data sets: which fields hold the concepts and the boxes.

Data sets name their fields freely. A field is a candidate by its name; where no name is known,
because its feature is a `ClassLabel`. Fields that number or repeat another count as one; two that
say different things stop the import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pellucid.core.errors import InvalidChoiceError, summarize_names
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.concept_fields import FieldValues, drop_repeats
from pellucid.formats.dataset import BoxShapes, ParsedAnnotations
from pellucid.formats.errors import AmbiguousColumnsError, InvalidRecordError
from pellucid.formats.parsing import parse_number
from pellucid.formats.probe import ReadOptions

NAME = "hugging-face"
Fields = dict[str, Any]
OBJECTS_KEY = "objects"
BOX_KEYS = ("bbox", "bboxes", "box", "boxes")
PLAIN_KEYS = ("category", "categories", "label", "labels", "class", "classes", "tags")
NAME_KEYS = ("category_name", "class_name", "label_name", "label_text", "class_label")
NAMES_KEYS = ("category_names", "class_names", "label_names")
ID_KEYS = ("category_id", "class_id")
CONCEPT_KEYS = (*PLAIN_KEYS, *NAME_KEYS, *NAMES_KEYS, *ID_KEYS)
IGNORE_KEYS = ("iscrowd", "is_crowd", "crowd")
NO_LABEL = -1
"""The number of a `ClassLabel` without a label, as in test sets."""
SIZE_KEYS = ("width", "height")
UNNEEDED_KEYS = {"id", "image_id", "area", *SIZE_KEYS}
"""Of records and objects: facts that the image and the boxes give as well."""


RECORD_KEYS = (OBJECTS_KEY, *BOX_KEYS, *CONCEPT_KEYS, *IGNORE_KEYS, *SIZE_KEYS)


@dataclass(frozen=True)
class Record:
    """One image.

    Attributes:
        image: its index in the builder
        fields: with the names of classes, see `name_classes`
        location: for messages
    """

    image: int
    fields: Fields
    location: str


def build_annotations(
    builder: DatasetBuilder,
    records: Sequence[Record],
    features: Mapping[str, Any],
    options: ReadOptions,
    image_folder: str | None,
) -> ParsedAnnotations:
    """Add the boxes or the labels of all records. features: of each column, as in the metadata of
    Parquet files.

    Raises:
        AmbiguousColumnsError: several fields could be the concept.
        InvalidRecordError: a record does not have what its data set promises.
    """
    requested = concept_option(options)
    if any(record.fields.get(OBJECTS_KEY) is not None for record in records):
        count_unread(builder, records, {OBJECTS_KEY})
        records = [object_record(builder.path, record) for record in records]
        features = object_features(features.get(OBJECTS_KEY))
        read_records = add_boxes
    elif any(record.fields.get(key) is not None for record in records for key in BOX_KEYS):
        records = [as_parallel_lists(record) for record in records]
        read_records = add_boxes
    else:
        read_records = add_labels
    key = choose_concept_key(builder.path, records, features, requested)
    concept_names = class_names(features.get(key)) if key else []
    read_records(builder, records, key)
    annotations = builder.build(options.kind, concept_names, image_folder=image_folder)
    if annotations.annotations.box is None:
        return annotations
    # [left, top, width, height] by convention, but some data sets write corners or centres
    return replace(annotations, box_shapes=BoxShapes(("xywh", "xyxy", "cxcywh", "yxyx"), "xywh"))


def image_size(fields: Fields) -> tuple[float, float]:
    """The stated width and height of an image in pixels, 0 if unknown."""
    width, height = (fields.get(key) for key in SIZE_KEYS)
    if isinstance(width, int | float) and isinstance(height, int | float):
        return width, height
    return 0, 0


def concept_option(options: ReadOptions) -> str | None:
    for role in options.columns:
        if role != "concept":
            raise InvalidChoiceError("--columns", role, ("concept",))
    return next(iter(options.columns.get("concept", ())), None)


def object_record(path: str, record: Record) -> Record:
    """The fields of all objects as parallel lists, whether written as a dict or as a list."""
    objects = record.fields.get(OBJECTS_KEY) or {}
    if isinstance(objects, Mapping):
        fields = {key: values if is_list(values) else [values] for key, values in objects.items()}
    elif is_list(objects) and all(isinstance(each, Mapping) for each in objects):
        keys = dict.fromkeys(key for each in objects for key in each)
        fields = {key: [each.get(key) for each in objects] for key in keys}
    else:
        raise InvalidRecordError(
            path,
            record.location,
            f"objects is {objects!r:.40}",
            "Write objects as {bbox: [[left, top, width, height], ...], category: [...]}.",
        )
    return replace(record, fields=fields)


def as_parallel_lists(record: Record) -> Record:
    """The fields of a record with boxes of its own as parallel lists; of one box, lists of one."""
    boxes = first_value(record.fields, BOX_KEYS)
    if is_list(boxes) and (not boxes or is_list(boxes[0])):
        return record
    fields = {key: [value] for key, value in record.fields.items() if value is not None}
    return replace(record, fields=fields)


def is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def listed(value: Any) -> Sequence[Any]:
    """The items of a list; a single value as a list of one, None as none."""
    if isinstance(value, list | tuple):
        return value
    return [] if value is None else [value]


def object_features(feature: Any) -> Mapping[str, Any]:
    """The features of the fields of `objects`: within `feature` or a list of one."""
    if isinstance(feature, list) and feature:
        return object_features(feature[0])
    if isinstance(feature, Mapping):
        inner = feature.get("feature")
        return object_features(inner) if isinstance(inner, Mapping | list) else feature
    return {}


def class_names(feature: Any) -> list[str]:
    """The names of a `ClassLabel`, or of a list of them; none of another feature."""
    if isinstance(feature, list):
        return class_names(feature[0]) if len(feature) == 1 else []
    if not isinstance(feature, Mapping):
        return []
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return [str(name) for name in names]
    return class_names(feature.get("feature"))


def name_classes(value: Any, feature: Any, path: str, location: str) -> Any:
    """The value of a field with the names of its `ClassLabel` for numbers, at any depth.

    Raises:
        InvalidRecordError: a number has no name.
    """
    names = class_names(feature)
    if names and value == NO_LABEL:
        return None
    if names and isinstance(value, int):
        if not 0 <= value < len(names):
            raise InvalidRecordError(
                path,
                location,
                f"concept {value} is not in 0 to {len(names) - 1}",
                "See the names in its features.",
            )
        return names[value]
    if isinstance(value, list | tuple):
        inner = feature if names else object_features(feature)
        return [name_classes(item, inner, path, location) for item in value]
    if isinstance(value, Mapping):
        nested = object_features(feature)
        return {
            key: name_classes(item, nested.get(key), path, location) for key, item in value.items()
        }
    return value


def choose_concept_key(
    path: str, records: Sequence[Record], features: Mapping[str, Any], requested: str | None
) -> str | None:
    """The field that holds the concepts, None if no record has one."""
    keys = dict.fromkeys(key for record in records for key in record.fields)
    if requested is not None:
        if requested not in keys:
            raise InvalidChoiceError("--columns concept", requested, tuple(keys))
        return requested
    named = [key for key in CONCEPT_KEYS if key in keys]
    labelled = [key for key in keys if class_names(features.get(key))]
    values_by_key = {}
    for key in named or labelled:
        values = concept_values(records, key)
        if any(values):
            values_by_key[key] = values
    candidates = drop_repeats(values_by_key)
    if len(candidates) > 1:
        raise AmbiguousColumnsError(path, "concept", candidates)
    return next(iter(candidates), None)


def concept_values(records: Iterable[Record], key: str) -> FieldValues:
    """What a field says of each record."""
    return [
        tuple(str(item) for item in listed(record.fields.get(key)) if item is not None)
        for record in records
    ]


def count_unread(builder: DatasetBuilder, records: Iterable[Record], read: set[str]) -> None:
    for record in records:
        for key, value in record.fields.items():
            if key not in read | UNNEEDED_KEYS and value not in (None, []):
                builder.skip_key(key)


def add_labels(builder: DatasetBuilder, records: Sequence[Record], key: str | None) -> None:
    count_unread(builder, records, {key or ""})
    for record in records:
        for concept in listed(record.fields.get(key) if key else None):
            builder.add_tag(record.image, str(concept))


def add_boxes(builder: DatasetBuilder, records: Sequence[Record], key: str | None) -> None:
    count_unread(builder, records, {key or "", *BOX_KEYS, *IGNORE_KEYS})
    for record in records:
        boxes = first_value(record.fields, BOX_KEYS) or []
        concepts = (record.fields.get(key) if key else None) or []
        ignored = first_value(record.fields, IGNORE_KEYS) or [False] * len(boxes)
        if not boxes and any(record.fields.values()):
            raise InvalidRecordError(
                builder.path,
                record.location,
                f"objects without boxes; found {summarize_names(record.fields, 8)}",
                "Write objects as {bbox: [[left, top, width, height], ...], category: [...]}.",
            )
        if not len(boxes) == len(concepts) == len(ignored):
            raise InvalidRecordError(
                builder.path,
                record.location,
                f"found {len(boxes)} boxes and {len(concepts)} categories",
                "Their numbers must match.",
            )
        for box, concept, is_ignored in zip(boxes, concepts, ignored, strict=True):
            if concept is None:
                builder.skip_shape(record.image, "box without a category")
                continue
            builder.add_box(
                record.image,
                str(concept),
                parse_box(builder.path, record.location, box),
                record.location,
                bool(is_ignored),
            )


def parse_box(path: str, location: str, box: Any) -> tuple[float, float, float, float]:
    if not is_list(box) or len(box) != 4:
        raise InvalidRecordError(
            path, location, f"invalid bbox {box!r:.40}", "Write [left, top, width, height]."
        )
    x, y, width, height = (parse_number(side, path, location, "bbox") for side in box)
    return x, y, width, height


def first_value(fields: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((fields[key] for key in keys if key in fields), None)
