"""COCO documents and records in memory: they are read as their JSON files would be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pellucid.formats.errors import InMemoryDataError

NAME = "COCO document in memory"
RECORDS_NAME = "records in memory"
ANNOTATION_KEYS = {"images", "annotations", "categories"}


def is_annotation_document(source: Any) -> bool:
    """Whether the source is COCO's dictionary of images, annotations and categories."""
    return (
        isinstance(source, Mapping)
        and source.keys() >= ANNOTATION_KEYS
        and all(isinstance(record, Mapping) for key in ANNOTATION_KEYS for record in source[key])
    )


def is_result_list(source: Any) -> bool:
    """Whether the source is COCO's list of results."""
    return (
        isinstance(source, list)
        and bool(source)
        and all(isinstance(record, Mapping) for record in source)
        and {"image_id", "category_id"} <= source[0].keys()
    )


def are_records(source: Any) -> bool:
    """Whether the source is a list of records with lists or records in them, or a dict from image
    to a list of records with boxes in another form than those of a Hugging Face pipeline."""
    if isinstance(source, list):
        records = [record for record in source if isinstance(record, Mapping)]
        return len(records) == len(source) > 0 and any(map(is_nested, records))
    if not isinstance(source, Mapping) or not source:
        return False
    lists = [records for records in source.values() if isinstance(records, list)]
    records = [record for records in lists for record in records]
    return (
        len(lists) == len(source)
        and bool(records)
        and all(isinstance(record, Mapping) for record in records)
        and not all(is_pipeline_record(record) for record in records)
    )


def is_nested(record: Mapping[str, Any]) -> bool:
    return any(
        isinstance(value, Mapping | list | tuple) or getattr(value, "ndim", 0) > 0
        for value in record.values()
    )


def is_pipeline_record(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a Hugging Face pipeline: a label, a score, perhaps a box of named
    corners."""
    box = record.get("box")
    return record.keys() <= {"label", "score", "box"} and (
        box is None or (isinstance(box, Mapping) and {"xmin", "ymin", "xmax", "ymax"} <= box.keys())
    )


@contextmanager
def as_file(document: Any) -> Iterator[Path]:
    """A temporary JSON file of a COCO document; numbers may be NumPy's."""
    with as_json_file(with_text_counts(document)) as path:
        yield path


@contextmanager
def as_json_file(document: Any) -> Iterator[Path]:
    """A temporary JSON file; numbers may be NumPy's."""
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        path = Path(folder) / "document.json"
        path.write_bytes(msgspec.json.encode(document, enc_hook=plain_value))
        yield path


def with_text_counts(document: Any) -> Any:
    """The document with run lengths as text: pycocotools has them as bytes."""
    if isinstance(document, Mapping):
        return {**document, "annotations": [with_text(row) for row in document["annotations"]]}
    return [with_text(record) for record in document]


def with_text(record: Mapping[str, Any]) -> Mapping[str, Any]:
    shape = record.get("segmentation")
    if not isinstance(shape, Mapping) or not isinstance(shape.get("counts"), bytes):
        return record
    counts = shape["counts"].decode("ascii", "replace")
    return {**record, "segmentation": {**shape, "counts": counts}}


def plain_value(value: Any) -> Any:
    """The Python value of a NumPy scalar or array."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise InMemoryDataError(f"a {type(value).__name__} in a document")
