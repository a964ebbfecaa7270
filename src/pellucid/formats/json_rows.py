"""Rows of the JSON that people's own programs write: a list of records, a list under a key, JSON
lines, one entry or one file per image; detections of an image as objects or as parallel lists.

The rows are read as those of a table, whose columns are understood by their names and contents.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.errors import MalformedFileError, format_count, summarize_names
from pellucid.formats.dataset import parse_split
from pellucid.formats.errors import UnequalListsError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.json_frames import frame_records
from pellucid.formats.parsing import decode_utf8, load_lines, parse_json
from pellucid.formats.probe import HEAD_BYTES, ReadOptions
from pellucid.formats.tabular.column_names import IMAGE_NAMES, normalize_column_name

Row = dict[str, Any]


LIST_KEYS = (
    *("predictions", "detections", "results", "annotations", "instances", "objects", "preds"),
    *("data", "items", "records", "outputs", "data_list"),
)
"""Keys of the list of records of a file, or of the objects of an image."""
SCORE_KEYS = ("score", "confidence", "conf", "prob", "probability")
BOX_KEYS = (
    *("bbox", "bboxes", "box", "boxes", "pred_boxes", "bounding_box", "boundingBox"),
    "detection_boxes",
)
LABEL_STEMS = ("label", "class", "category", "name", "concept", "tag", "pred_class")
"""Keys, in the singular, of lists with one value per object."""
SINGULAR_NAMES = {
    "classes": "class",
    "categories": "category",
    "pred_classes": "pred_class",
    **dict.fromkeys(BOX_KEYS, "bbox"),
    "detection_boxes": "detection_box",
}
IMAGE_COLUMN = "image"
PAIR_FIELDS = ("label", "score")
NOT_OF_IMAGES = {
    *("id", "width", "height", "w", "h", "x", "y", "left", "top", "right", "bottom", "area"),
    *("xmin", "ymin", "xmax", "ymax", "x1", "y1", "x2", "y2", "category_id", "class_id"),
}
"""Fields of records with objects that would be taken for those of each object."""
FAILURE_KEYS = ("error", "failure", "exception")
"""Fields in which programs write, as text, why an image has no result."""
NO_RESULT = "no result"
"""The field of a row of an image whose entry is null."""


def is_json_lines(head: str) -> bool:
    """Whether the text has one JSON object per line."""
    first_line, separator, rest = head.partition("\n")
    if not (first_line.startswith("{") and separator and rest.lstrip().startswith("{")):
        return False
    try:
        msgspec.json.decode(first_line)
    except msgspec.DecodeError:
        return False
    return True


def parse_document(path: Path, head: str) -> Any:
    """The decoded file; of JSON lines, a list of all of them, and of a data frame one of its
    records."""
    is_first_cut = head.startswith("{") and len(head) >= HEAD_BYTES and "\n" not in head.strip()
    if not is_json_lines(head) and not (is_first_cut and has_second_line(path)):
        document = parse_json(path, Any, "predictions")
        records = frame_records(document)
        if records is None and isinstance(document, Mapping):
            return without_wrapper(document)
        return document if records is None else records
    documents = []
    for line_number, line in load_lines(path):
        try:
            documents.append(msgspec.json.decode(line))
        except msgspec.DecodeError as error:
            raise MalformedFileError(path, f"line {line_number} is not valid JSON") from error
    return documents


def reject_repeated_images(path: Path, document: Any) -> None:
    """Raises MalformedFileError if the images are keys of an object that states one of them twice:
    a reader keeps the last of its values alone."""
    if not isinstance(document, Mapping) or not any(map(is_image_file, document)):
        return
    keys = json.loads(decode_utf8(path), object_pairs_hook=lambda pairs: [key for key, _ in pairs])
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise MalformedFileError(
            path,
            f"states {format_count(len(repeated), 'image')} twice ({summarize_names(repeated)}). "
            "Expected one entry for each: write a list of records instead, or remove one",
        )


def has_second_line(path: Path) -> bool:
    """Whether a second JSON object follows on a line of its own."""
    with path.open("rb") as file:
        file.readline()
        return file.readline().lstrip().startswith(b"{")


def document_rows(document: Any) -> Iterator[Row]:
    """The rows of a file; none of one that has neither records nor entries by image."""
    if isinstance(document, Mapping):
        document = with_named_image(document)
        if names_concepts(document):
            yield from concept_rows(document)
            return
        listed = find_record_list(document)
        entries = image_entries(document)
        if listed is not None and image_key(document) is None:
            yield from document_rows(listed)
        elif image_key(document) is not None or entries is None:
            yield from image_rows(document)
        elif all(isinstance(entry, Mapping) and image_key(entry) for entry in entries.values()):
            # numbered records, as pandas writes them: the number is not the image
            yield from document_rows(list(entries.values()))
        elif are_groups(entries):
            for name, records in entries.items():
                split = {"split": name} if parse_split(name) is not None else {}
                for row in document_rows(records):
                    yield {**row, **split}
        else:
            for image, entry in entries.items():
                yield from entry_rows(str(image), entry)
        return
    for record in document if isinstance(document, list) else ():
        if isinstance(record, Mapping):
            yield from image_rows(with_named_image(record))


def named_image_field(options: ReadOptions) -> tuple[str | None, ReadOptions]:
    """The field that the user named as the image, if any, and the options for rows that have it
    under its known name."""
    match options.columns.get(IMAGE_COLUMN):
        case [field_name] if field_name != IMAGE_COLUMN:
            columns = {**options.columns, IMAGE_COLUMN: (IMAGE_COLUMN,)}
            return field_name, replace(options, columns=columns)
    return None, options


def with_image_field(document: Any, field_name: str) -> Any:
    """The document, as `parse_document` gives it, with a field of its records, on whatever level,
    under the known name of the image."""
    if isinstance(document, list):
        return [with_image_field(record, field_name) for record in document]
    if not isinstance(document, Mapping):
        return document
    if field_name in document:
        others = {key: value for key, value in document.items() if key != field_name}
        return {**others, IMAGE_COLUMN: document[field_name]}
    return {key: with_image_field(value, field_name) for key, value in document.items()}


NESTED_NAMES = ("path", "file_name", "filename", "name")


def with_named_image(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record with the name of its image in place of facts about it, as Roboflow's inference
    writes them: `{"image": {"path": "a.jpg", "width": 640}}`."""
    facts = record.get(IMAGE_COLUMN)
    if not isinstance(facts, Mapping):
        return record
    names = [facts[key] for key in NESTED_NAMES if isinstance(facts.get(key), str)]
    return {**record, IMAGE_COLUMN: names[0]} if names else record


def without_wrapper(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries by image under a key, such as `images` or `results`, if there is one such key."""
    wrapped = [
        entries
        for entries in document.values()
        if isinstance(entries, Mapping) and entries and all(map(is_image_file, entries))
    ]
    is_wrapper = len(wrapped) == 1 and not any(map(is_image_file, document))
    return wrapped[0] if is_wrapper and image_key(document) is None else document


def are_groups(entries: Mapping[str, Any]) -> bool:
    """Whether each entry lists records of several images, such as those of a split: the records
    name their images, and the keys are none."""
    are_named = all(
        is_record_list(records) and all(map(image_key, records)) for records in entries.values()
    )
    if not are_named or any(map(is_image_file, entries)):
        return False
    images = [
        {record[str(image_key(record))] for record in records} for records in entries.values()
    ]
    return any(len(names) > 1 for names in images)


def names_concepts(document: Mapping[str, Any]) -> bool:
    """Whether each key is an image file, and each value the name of its concept or a list of
    names, some of which occur again: captions do not."""
    names: list[str] = []
    for key, value in document.items():
        values = [value] if isinstance(value, str) else value
        if not is_image_file(key) or not isinstance(values, list):
            return False
        if not all(isinstance(name, str) and not is_image_file(name) for name in values):
            return False
        names += values
    return bool(names) and (len(set(names)) < len(names) or len(document) < 3)


def concept_rows(document: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of `{"a.jpg": "cat"}`, or of `{"a.jpg": ["cat", "dog"]}`."""
    is_list = any(isinstance(value, list) for value in document.values())
    for image, value in document.items():
        if is_list:
            names = [value] if isinstance(value, str) else value
            yield {IMAGE_COLUMN: image, "labels": cell(names)}
        else:
            yield {IMAGE_COLUMN: image, "label": value}


def image_entries(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a model said of each image, by its name; None if the values are something else. Facts
    about the whole, such as the name of the model, may stand beside them."""
    if document and all(map(are_pairs, document.values())):
        return dict(document)
    entries = {
        key: entry
        for key, entry in document.items()
        if entry is None or isinstance(entry, Mapping) or is_record_list(entry)
    }
    others = len(document) - len(entries)
    has_content = any(entry is not None for entry in entries.values())
    return entries if has_content and others < len(entries) else None


def entry_rows(image: str, entry: Any) -> Iterator[Row]:
    """The rows of an image: of its objects, its parallel lists or itself."""
    if isinstance(entry, Mapping):
        yield from image_rows({**entry, IMAGE_COLUMN: image})
        return
    if entry is None:
        yield {IMAGE_COLUMN: image, NO_RESULT: True}
        return
    if not entry:
        yield {IMAGE_COLUMN: image}
        return
    for record in entry:
        fields = dict(zip(PAIR_FIELDS, record, strict=True)) if are_pairs(entry) else record
        yield {**flat_fields(fields), IMAGE_COLUMN: image}


def are_pairs(entry: Any) -> bool:
    """Whether an entry lists a concept and its score: `[["cat", 0.9], ["dog", 0.1]]`."""
    return (
        isinstance(entry, list)
        and bool(entry)
        and all(
            isinstance(pair, list)
            and len(pair) == len(PAIR_FIELDS)
            and isinstance(pair[0], str)
            and isinstance(pair[1], float)
            for pair in entry
        )
    )


def without_failures(rows: Sequence[Row]) -> tuple[list[Row], set[str]]:
    """The rows without what says that an image has no result, and the names of these images. An
    image with other rows has a result."""
    kept: list[Row] = []
    failed: set[str] = set()
    others: set[str] = set()
    for row in rows:
        key = image_key(row)
        if key is None or not is_failure(row, key):
            kept.append(row)
            others.add(str(row.get(key)) if key else "")
        else:
            kept.append({key: row[key]})
            failed.add(str(row[key]))
    return kept, failed - others


def is_failure(row: Row, key: str) -> bool:
    """Whether a row has nothing but its image and why there is no result."""
    reasons = [
        name
        for name, value in row.items()
        if name == NO_RESULT or (name.lower() in FAILURE_KEYS and isinstance(value, str) and value)
    ]
    return bool(reasons) and set(row) == {key, *reasons}


def image_rows(record: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of a record: one, or one per object if it lists them."""
    record = with_plain_lists(record)
    objects = find_record_list(record)
    parallel = {} if objects is not None else parallel_lists(record)
    name = image_key(record)
    image = {} if name is None else {name: record[name]}
    about_image = image_fields(record)
    if objects is not None:
        yield from ({**about_image, **flat_fields(each), **image} for each in objects)
        if not objects:
            failures = {k: v for k, v in record.items() if k.lower() in FAILURE_KEYS and v}
            yield {**image, **failures} if failures else {**about_image, **image}
    elif parallel:
        count = len(next(iter(parallel.values())))
        for index in range(count):
            fields = {key: values[index] for key, values in parallel.items()}
            of_object = {singular(key): cell(value) for key, value in fields.items()}
            yield {**about_image, **of_object, **image}
        if not count:
            yield {**about_image, **image}
    else:
        yield {**image, **flat_fields(record)}


def image_fields(record: Mapping[str, Any]) -> Row:
    """What a record says of its image beside the objects: its split, its size, the user's own
    fields. Not what could be taken for the concept, score or box of each object."""
    size = {f"image_{key}": record[key] for key in ("width", "height") if key in record}
    is_sized = all(type(length) in (int, float) for length in size.values())
    return {
        **(size if len(size) == 2 and is_sized else {}),
        **{
            key: value
            for key, value in record.items()
            if isinstance(value, str | int | float | bool)
            and key.lower() not in NOT_OF_IMAGES
            and not describes_object(key)
            and not is_score_key(key)
            and key.lower() not in FAILURE_KEYS
        },
    }


def with_plain_lists(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record with its parallel lists under their plain names: those of MMDetection are in
    `pred_instances`, those of TensorFlow's object detection begin with `detection_`."""
    plain = {
        key if key in BOX_KEYS else key.removeprefix("detection_"): value
        for key, value in record.items()
    }
    instances = plain.get("pred_instances")
    if isinstance(instances, Mapping) and parallel_lists(instances):
        del plain["pred_instances"]
        plain |= instances
    return plain if len(plain) >= len(record) else record


def image_key(record: Mapping[str, Any]) -> str | None:
    """The field that names the image, by the names that tables use too."""
    named = {
        "".join(normalize_column_name(key).split("_")): key
        for key, value in record.items()
        if isinstance(value, str | int)
    }
    names = (name for tier in IMAGE_NAMES[:2] for name in tier)
    return next((named[name] for name in names if name in named), None)


def find_record_list(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The list of records under a known key, None if there is none."""
    return next((record[key] for key in LIST_KEYS if is_record_list(record.get(key))), None)


def is_record_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def parallel_lists(record: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The lists of one value per object, if one of them is of scores, or of boxes beside labels."""
    lists = {key: value for key, value in record.items() if isinstance(value, list)}
    scores = next((value for key, value in lists.items() if is_score_key(key)), None)
    labels = [key for key in lists if singular(key).lower() in (*LABEL_STEMS, "class_id")]
    if scores is None and labels:
        scores = next((lists[key] for key in BOX_KEYS if are_boxes(lists.get(key))), None)
    if scores is None or not (labels or any(key in BOX_KEYS for key in lists)):
        return {}
    for key in (*labels, *(key for key in BOX_KEYS if key in lists)):
        if len(lists[key]) != len(scores):
            counts = ", ".join(f"{len(value):,} {name}" for name, value in lists.items())
            raise UnequalListsError(f"found {counts} of one image")
    return {key: value for key, value in lists.items() if len(value) == len(scores)}


def are_boxes(value: Any) -> bool:
    """Whether a value is a list of boxes, each a list of its own; an empty one may be."""
    return isinstance(value, list) and all(isinstance(box, list) for box in value)


def is_score_key(key: str) -> bool:
    stem = key.lower().removeprefix("pred_").removesuffix("ies").removesuffix("s")
    return stem in (*SCORE_KEYS, "probabilit", "confidence")


def singular(key: str) -> str:
    return SINGULAR_NAMES.get(key, key.removesuffix("s"))


def flat_fields(record: Mapping[str, Any]) -> Row:
    """The fields of an object; those of nested objects have its name in front, such as `bbox_x` and
    `prediction_label`, but for scores by concept."""
    fields: Row = {}
    for key, value in record.items():
        if not isinstance(value, Mapping):
            fields[singular(key) if key in BOX_KEYS else key] = cell(value)
        elif scores := score_row(value):
            fields |= scores
        elif is_score_key(key) or key in UNINFORMATIVE_KEYS or are_flags(record, key):
            fields |= {name: cell(item) for name, item in value.items()}
        else:
            prefix = "bbox" if key in BOX_KEYS else key
            fields |= {f"{prefix}_{name}": cell(item) for name, item in value.items()}
    return fields


def are_flags(record: Mapping[str, Any], key: str) -> bool:
    """Whether a field, the only one of labels, says of each concept whether it is there:
    `"labels": {"dog": true}`."""
    labels = [name for name in record if singular(name).lower() in LABEL_STEMS]
    value = record[key]
    is_free = labels == [key] and not {*value} & {*record}
    return is_free and bool(value) and all(isinstance(item, bool) for item in value.values())


UNINFORMATIVE_KEYS = ("top1", "top_1", "best", "result")
"""Names of nested objects that say nothing of their fields."""


def score_row(value: Mapping[str, Any]) -> Row:
    """The score of each concept of `{"cat": {"confidence": 0.9}, ...}`; none of other objects."""
    scores = {
        name: next((number for key, number in item.items() if is_score_key(key)), None)
        for name, item in value.items()
        if isinstance(item, Mapping) and not any(map(describes_object, item))
    }
    is_complete = len(scores) == len(value) and None not in scores.values()
    return scores if is_complete else {}


def describes_object(key: str) -> bool:
    """Whether a field is the concept or the box of one of several objects."""
    return key in BOX_KEYS or singular(key).lower() in LABEL_STEMS


def cell(value: Any) -> Any:
    """Lists as text, which tables have in their cells too; objects likewise."""
    return msgspec.json.encode(value).decode() if isinstance(value, list | Mapping) else value


def row_columns(rows: Iterable[Row]) -> dict[str, list[Any]]:
    """The rows as columns, None where a row has no such field."""
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
