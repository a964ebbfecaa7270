"""COCO annotations, and LVIS': `images`, `annotations` and `categories` in one JSON file, or a folder with one a split."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.columns import OPEN, SPLITS, Annotations, Images, Integers, Longs, Texts, texts
from pellucid.errors import ConceptUnknown, ImageUnknown, RecordBad
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.outgoing import SHORT, Outgoing, file_for, folder_for, write_json
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import AnnotationSource, Note, check_boxes, image_path, listed_images, split_in

NAME = "coco"

Identity = int | str


class Image(msgspec.Struct):
    id: Identity
    file_name: str | None = None
    width: float = 0
    height: float = 0
    coco_url: str | None = None
    neg_category_ids: list[Identity] | None = None
    not_exhaustive_category_ids: list[Identity] | None = None


class Annotation(msgspec.Struct):
    image_id: Identity
    category_id: Identity
    bbox: list[float] | None = None
    iscrowd: int | bool = 0
    area: float | None = None
    segmentation: Any = None


class Category(msgspec.Struct):
    id: Identity
    name: str


class File(msgspec.Struct):
    images: list[Image]
    categories: list[Category]
    annotations: list[Annotation] = []


def is_it(look: Look) -> bool:
    """A JSON object that holds `images`; a folder with such files, one a split."""
    if look.is_dir:
        return any(is_coco(look.head_of(name)) for name in annotation_files(look))
    return is_coco(look.head)


def is_coco(head: str) -> bool:
    known = re.search(r'"(images|annotations|categories|licenses|info)"\s*:', head)
    others = ('"annotated_regions"', '"label_groups"', '"items"', '"predicted_iou"', '"caption"', '"segments_info"', '"imagePath"')
    return head.startswith("{") and known is not None and not any(word in head for word in others)


def annotation_files(look: Look) -> list[str]:
    """Instances where there are some, as a set of COCO holds other tasks too; else Roboflow's and any other."""
    names = look.ending(".json")
    instances = [name for name in names if name.rsplit("/", maxsplit=1)[-1].startswith("instances")]
    return instances or [name for name in names if name.endswith("_annotations.coco.json")] or names[:8]


def read(look: Look, asked: Asked) -> AnnotationSource:
    """Boxes with their concepts; `iscrowd` becomes an ignored region. Without any box, the concepts of each image (tags).

    LVIS: what nobody verified of an image is unknown, and a concept that is not annotated exhaustively is an ignored region.
    """
    if look.is_dir:
        return read_folder(look, asked)
    path = look.path
    file: File = parsed_json(path, File, "COCO")
    rows = {image.id: row for row, image in enumerate(file.images)}
    if len(rows) < len(file.images):
        raise RecordBad(path, "images", f"{len(file.images) - len(rows)} image ids stand twice", "Give each image its own id.")
    names = [image_path(path, name_of(path, row, image), asked.pictures) for row, image in enumerate(file.images)]
    concepts = {category.id: row for row, category in enumerate(file.categories)}
    check_categories(path, file.categories, concepts)
    image = np.array([found(rows, note.image_id, path, row) for row, note in enumerate(file.annotations)], np.int32)
    concept = np.array([known(concepts, note.category_id, path, row) for row, note in enumerate(file.annotations)], np.int32)
    images = listed_images(
        names, width=[pixels(image.width) for image in file.images], height=[pixels(image.height) for image in file.images],
        ids=[str(image.id) for image in file.images],
    )  # fmt: skip
    notes: list[Note] = []
    if file.annotations and all(note.bbox is None and not note.segmentation for note in file.annotations):
        annotations = tags(image, concept, len(file.categories))
    else:
        annotations, notes = boxes(path, file, image, concept)
    annotations = lvis(path, file, concepts, images, annotations)
    return AnnotationSource(
        str(path), NAME, "tagging" if annotations.box is None else "detection", [category.name for category in file.categories],
        [str(category.id) for category in file.categories], True, images, annotations, None, notes,
    )  # fmt: skip


def read_folder(look: Look, asked: Asked) -> AnnotationSource:
    """A file a split, joined; the file's name or its folder's says which."""
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    names: dict[str, str] = {}
    for name in annotation_files(look):
        if not is_coco(look.head_of(name)):
            continue
        part = read(Look(look.path / name, look.head_of(name)), asked)
        for concept, identity in zip(part.concepts, part.concept_ids, strict=True):
            names[concept] = identity if names.get(concept, identity) == identity else ""
        words = [*name.split("/")[:-1], *re.split(r"[_.-]", name.rsplit("/", maxsplit=1)[-1])]
        split = split_in(words)
        below = f"{name.rpartition('/')[0]}/" if name.endswith("/_annotations.coco.json") else ""
        gathering.notes += part.notes
        for row, path in enumerate(part.images.path):
            gathering.record(f"{below}{path}", part.images.width[row], part.images.height[row], split, part.images.source_id[row])
        gathering.columns(part, [f"{below}{path}" for path in part.images.path], name)
    return gathering.source(asked.kind, list(names), list(names.values()))


def name_of(path: Path, row: int, image: Image) -> str:
    """LVIS has no file names: the address ends in it."""
    name = (image.coco_url or "").rsplit("/", maxsplit=1)[-1] if image.file_name is None else image.file_name
    if not name and image.file_name is None:
        raise RecordBad(path, f"$.images[{row}]", "it has no file_name", "Name its picture.")
    return name


def boxes(path: Path, file: File, image: Integers, concept: Integers) -> tuple[Annotations, list[Note]]:
    box = np.array([box_of(path, row, note) for row, note in enumerate(file.annotations)], float).reshape(-1, 4)
    notes = check_boxes(path, box, lambda row: f"$.annotations[{row}]")
    area = np.array([box[row, 2] * box[row, 3] if note.area is None else note.area for row, note in enumerate(file.annotations)], float)
    outlined = sum(note.bbox is None for note in file.annotations)
    if outlined:
        notes.append(Note("polygons", f"{outlined:,} outlines without a bbox taken by their bounding box", outlined, "info"))
    crowd = np.array([bool(note.iscrowd) for note in file.annotations], bool)
    return Annotations(image, concept, box, crowd, np.ones(len(image), bool), area, outlines(file.annotations)), notes


def outlines(annotations: list[Annotation]) -> Texts | None:
    """Polygons as they stand; masks in run lengths are not drawn."""
    if not any(isinstance(note.segmentation, list) and note.segmentation for note in annotations):
        return None
    return texts([json.dumps(note.segmentation) if is_polygons(note.segmentation) else "" for note in annotations])


def is_polygons(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(
        isinstance(part, list) and len(part) >= 6 and len(part) % 2 == 0 and all(type(number) in (int, float) for number in part)
        for part in value
    )  # fmt: skip


def box_of(path: Path, row: int, note: Annotation) -> list[float]:
    if note.bbox is not None and len(note.bbox) == 4:
        return note.bbox
    outline = note.segmentation
    if note.bbox is None and isinstance(outline, list) and outline and all(isinstance(part, list) and len(part) >= 4 for part in outline):
        numbers = [float(number) for part in outline for number in part[: len(part) // 2 * 2]]
        xs, ys = numbers[::2], numbers[1::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    where = f"$.annotations[{row}]" if note.bbox is None else f"$.annotations[{row}].bbox"
    what = "it has no bbox" if note.bbox is None else f"it has {len(note.bbox)} numbers"
    raise RecordBad(path, where, what, "Write [left, top, width, height] in pixels.")


def tags(image: Integers, concept: Integers, concepts: int) -> Annotations:
    """Each concept once an image."""
    _, first = np.unique(image.astype(np.int64) * concepts + concept, return_index=True)
    rows = np.sort(first)
    return Annotations(image[rows], concept[rows], None, np.zeros(len(rows), bool), np.ones(len(rows), bool), None)


def lvis(path: Path, file: File, concepts: dict[Identity, int], images: Images, annotations: Annotations) -> Annotations:
    """With what LVIS says of each image: verified negatives as absent concepts, concepts not exhausted as ignored regions."""
    if annotations.box is None or all(image.neg_category_ids is None for image in file.images):
        return annotations
    images.stated[:] = OPEN
    more = [
        (row, known(concepts, identity, path, row), ignore)
        for row, image in enumerate(file.images)
        for several, ignore in ((image.neg_category_ids, False), (image.not_exhaustive_category_ids, True))
        for identity in several or ()
    ]
    owner, concept = (np.array([one[place] for one in more], np.int32).reshape(-1) for place in (0, 1))
    ignore = np.array([one[2] for one in more], bool)
    box = np.zeros((len(more), 4))
    box[ignore, 2], box[ignore, 3] = images.width[owner[ignore]], images.height[owner[ignore]]
    return annotations.followed_by(Annotations(owner, concept, box, ignore, ignore.copy(), box[:, 2] * box[:, 3]))


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


def write(outgoing: Outgoing, path: Path) -> None:
    """One file, or a folder with one a split where `path` has no ending."""
    if path.suffix:
        outgoing.one_split("one file of COCO")
        write_json(file_for(path), document(outgoing, np.arange(len(outgoing.images))))
        return
    folder = folder_for(path)
    for place, split in enumerate(SPLITS):
        rows = np.flatnonzero(outgoing.images.split == place)
        if len(rows):
            write_json(folder / f"instances_{SHORT[split]}.json", document(outgoing, rows))


def document(outgoing: Outgoing, rows: Longs) -> dict[str, Any]:
    """The images at `rows`, with their annotations, or with predictions and their scores."""
    images, table = outgoing.images, outgoing.rows
    image_ids, concept_ids = numbers_of(images.source_id.tolist()), numbers_of(outgoing.concept_ids)
    wanted = np.zeros(len(images), bool)
    wanted[rows] = True
    if isinstance(table, Annotations):
        table = table.take(wanted[table.image])
        outgoing.cannot("COCO", "statements that a concept is absent", int((~table.positive).sum()))
        table = table.take(table.positive)
        if table.box is None:
            outgoing.cannot("COCO", "tags that are unknown", int(table.ignore.sum()))
            table = table.take(~table.ignore)
    else:
        table = table.take(wanted[table.image])
    records = []
    for row in range(len(table)):
        record: dict[str, Any] = {
            "id": row + 1, "image_id": image_ids[table.image[row]], "category_id": concept_ids[table.concept[row]],
        }  # fmt: skip
        if table.box is not None:
            record |= {"bbox": table.box[row].tolist(), "area": float(table.box[row, 2] * table.box[row, 3]), "iscrowd": 0}
        if isinstance(table, Annotations):
            record |= {"area": float(table.area[row])} if table.area is not None else {}
            record |= {"iscrowd": int(table.ignore[row])}
        else:
            record |= {"score": float(table.score[row])}
        records.append(record)
    return {
        "images": [
            {"id": image_ids[row], "file_name": str(images.path[row]), "width": int(images.width[row]), "height": int(images.height[row])}
            for row in rows.tolist()
        ],
        "categories": [{"id": concept_ids[row], "name": name} for row, name in enumerate(outgoing.concepts)],
        "annotations": records,
    }  # fmt: skip


def numbers_of(identities: list[str]) -> list[int]:
    """The ids that the files gave, where all are different integers; else numbers from 1."""
    first = [identity.split("\n")[0] for identity in identities]
    if all(one.isascii() and one.isdecimal() for one in first) and len({int(one) for one in first}) == len(first):
        return [int(one) for one in first]
    return list(range(1, len(first) + 1))


FORMAT = AnnotationFormat(NAME, is_it, read)
