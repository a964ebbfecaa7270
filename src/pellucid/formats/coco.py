"""COCO annotations: `images`, `annotations` and `categories` in one JSON file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.columns import Annotations
from pellucid.errors import ConceptUnknown, FileMalformed, ImageUnknown, RecordBad
from pellucid.formats.source import AnnotationSource, check_boxes, image_path, listed_images

ANNOTATIONS = "coco"

Identity = int | str


class Image(msgspec.Struct):
    id: Identity
    file_name: str
    width: float = 0
    height: float = 0


class Annotation(msgspec.Struct):
    image_id: Identity
    category_id: Identity
    bbox: tuple[float, float, float, float] | None = None
    iscrowd: int | bool = 0
    area: float | None = None


class Category(msgspec.Struct):
    id: Identity
    name: str


class File(msgspec.Struct):
    images: list[Image]
    categories: list[Category]
    annotations: list[Annotation] = []


def is_annotations(path: Path, head: str) -> bool:
    """A JSON object that holds `images`."""
    return head.startswith("{") and re.search(r'"(images|annotations|categories|licenses|info)"\s*:', head) is not None


def read_annotations(path: Path, pictures: str | None) -> AnnotationSource:
    """Boxes with their concepts; `iscrowd` becomes an ignored region."""
    file = decode(path, File)
    rows = {image.id: row for row, image in enumerate(file.images)}
    if len(rows) < len(file.images):
        raise RecordBad(path, "images", f"{len(file.images) - len(rows)} image ids stand twice", "Give each image its own id.")
    names = [image_path(path, image.file_name, pictures) for image in file.images]
    concepts = {category.id: row for row, category in enumerate(file.categories)}
    check_categories(path, file.categories, concepts)
    image = [found(rows, note.image_id, path, row) for row, note in enumerate(file.annotations)]
    concept = [known(concepts, note.category_id, path, row) for row, note in enumerate(file.annotations)]
    box = np.array([note.bbox or no_box(path, row) for row, note in enumerate(file.annotations)], float).reshape(-1, 4)
    notes = check_boxes(path, box, lambda row: f"$.annotations[{row}]")
    area = np.array([box[row, 2] * box[row, 3] if note.area is None else note.area for row, note in enumerate(file.annotations)], float)
    images = listed_images(
        names, width=[pixels(image.width) for image in file.images], height=[pixels(image.height) for image in file.images],
        ids=[str(image.id) for image in file.images],
    )  # fmt: skip
    annotations = Annotations(
        np.array(image, np.int32), np.array(concept, np.int32), box,
        np.array([bool(note.iscrowd) for note in file.annotations], bool), np.ones(len(image), bool), area,
    )  # fmt: skip
    return AnnotationSource(
        str(path), ANNOTATIONS, "detection", [category.name for category in file.categories],
        [str(category.id) for category in file.categories], True, images, annotations, None, notes,
    )  # fmt: skip


def pixels(length: float) -> int:
    return round(length) if 0 < length < 1 << 31 else 0


def check_categories(path: Path, categories: list[Category], rows: dict[Identity, int]) -> None:
    if not categories:
        raise RecordBad(path, "categories", "the list is empty", 'List the concepts: [{"id": 1, "name": "dent"}].')
    twice = [name for name, times in Counter(category.name for category in categories).items() if times > 1]
    if twice:
        raise RecordBad(path, "categories", f"'{twice[0]}' stands twice", "Give each concept its own name.")
    if len(rows) < len(categories):
        raise RecordBad(path, "categories", "two concepts have one id", "Give each concept its own id.")


def found(rows: dict[Identity, int], wanted: Identity, path: Path, row: int) -> int:
    if (place := rows.get(wanted)) is None:
        raise ImageUnknown(path, f"$.annotations[{row}].image_id", wanted)
    return place


def known(rows: dict[Identity, int], wanted: Identity, path: Path, row: int) -> int:
    if (place := rows.get(wanted)) is None:
        raise ConceptUnknown(path, f"$.annotations[{row}].category_id", wanted, list(rows))
    return place


def no_box(path: Path, row: int) -> Any:
    raise RecordBad(path, f"$.annotations[{row}]", "it has no bbox", "Write [left, top, width, height] in pixels.")


def decode(path: Path, kind: Any) -> Any:
    """Parse JSON, saying where it is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=kind)
    except msgspec.ValidationError as error:
        raise FileMalformed(path, f"not as COCO wants it: {str(error)[0].lower()}{str(error)[1:]}") from error
    except msgspec.DecodeError as error:
        size = path.stat().st_size
        what = f"is cut short after byte {size:,}" if "truncated" in str(error) else f"is no valid JSON: {error}"
        raise FileMalformed(path, what) from error
    except RecursionError as error:
        raise FileMalformed(path, "is nested too deeply to be COCO") from error
    except UnicodeDecodeError as error:
        raise FileMalformed(path, f"is no valid UTF-8 text at byte {error.start:,}") from error
