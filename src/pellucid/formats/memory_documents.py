"""COCO documents in memory: they are read as their files would be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pellucid.formats.errors import InMemoryDataError

NAME = "COCO document in memory"
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


@contextmanager
def as_file(document: Any) -> Iterator[Path]:
    """A temporary JSON file of the document; numbers may be NumPy's."""
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        path = Path(folder) / "document.json"
        path.write_bytes(msgspec.json.encode(document, enc_hook=plain_value))
        yield path


def plain_value(value: Any) -> Any:
    """The Python value of a NumPy scalar or array."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise InMemoryDataError(f"a {type(value).__name__} in a COCO document")
