"""Hugging Face: `ImageFolder` with `metadata.jsonl` (its `metadata.csv` is a table), and data sets in Parquet with the pictures in them.

Concepts may be numbers; their names are read from the file's own description of its features (`ClassLabel`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pellucid.errors import FileMalformed, RecordBad
from pellucid.formats.cells import exactly
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.parsed import lines_of, number_of
from pellucid.formats.source import AnnotationSource, split_in, split_named

NAME = "hugging-face"
Record = dict[str, Any]
LABELS = ("label", "labels", "category", "class")
INSIDE = "objects"


def is_it(look: Look) -> bool:
    if look.is_dir:
        return bool(look.ending("metadata.jsonl")) or any(is_picture_table(look.path / name) for name in look.ending(".parquet")[:3])
    return is_lines(look.head) or (look.head.startswith("PAR1") and is_picture_table(look.path))


def is_lines(head: str) -> bool:
    return head.startswith("{") and '"file_name"' in head.split("\n", maxsplit=1)[0] and '"images"' not in head


def is_picture_table(path: Path) -> bool:
    """Whether it has a column `image` that holds pictures."""
    kind = columns_of(path).get("image", "")
    return kind.startswith("STRUCT") and "bytes" in kind


def columns_of(path: Path) -> dict[str, str]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning = false)", [exactly(path)]).fetchall()
    except duckdb.Error:
        return {}
    return {name: kind for name, kind, *_ in rows}


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    tables = sorted(look.path.rglob("*.parquet")) if look.is_dir else [look.path] if look.head.startswith("PAR1") else []
    if tables:
        return read_tables(look, asked, gathering, tables)
    for file in sorted(look.path.rglob("metadata.jsonl")) if look.is_dir else [look.path]:
        below = file.parent.relative_to(look.path).as_posix() if look.is_dir else "."
        split = split_in(Path(below).parts)
        for number, record in json_lines(file):
            name = record.get("file_name")
            if not isinstance(name, str):
                raise RecordBad(file, f"line {number}", "it has no file_name", "Name its picture.")
            read_record(gathering, gathering.image(f"{below}/{name}", split=split), record, [], f"{file.name} line {number}")
    return gathering.source(asked.kind)


def json_lines(file: Path) -> Iterator[tuple[int, Record]]:
    for number, line in lines_of(file):
        try:
            yield number, msgspec.json.decode(line, type=Record)
        except msgspec.MsgspecError as error:
            raise FileMalformed(file, f"line {number} is no JSON record: {error}") from error


def read_tables(look: Look, asked: Asked, gathering: Gathering, tables: list[Path]) -> AnnotationSource:
    names: list[str] = []
    for table in tables:
        names = names or feature_names(table)
        place = table.relative_to(look.path).as_posix() if look.is_dir else table.name
        split = split_named(table.stem.split("-")[0])
        for row, record in enumerate(rows_without_pictures(table)):
            image = gathering.image(f"{place}/{row:07d}", split=-1 if split is None else split, identity=record.pop("path", None) or "")
            read_record(gathering, image, record, names, f"{table.name} row {row}")
    return gathering.source(asked.kind, names, folder=str(look.path if look.is_dir else look.path.parent))


def rows_without_pictures(table: Path) -> Iterator[Record]:
    """The rows, with the picture's own path and without its bytes."""
    import duckdb

    others = [name for name in columns_of(table) if name in (*LABELS, INSIDE)]
    wanted = ", ".join(["image.path AS path", *others])
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT {wanted} FROM read_parquet(?, hive_partitioning = false)", [exactly(table)])
            while several := rows.fetchmany(5_000):
                for row in several:
                    yield dict(zip(["path", *others], row, strict=True))
    except duckdb.Error as error:
        raise FileMalformed(table, f"is no readable table: {str(error).split(chr(10), maxsplit=1)[0]}") from error


def feature_names(table: Path) -> list[str]:
    """The names of the first ClassLabel that the file describes, wherever it stands."""
    import duckdb

    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'huggingface'", [exactly(table)]
        ).fetchone()
    try:
        return class_label(msgspec.json.decode(found[0])) if found else []
    except msgspec.MsgspecError:
        return []


def class_label(value: Any) -> list[str]:
    if isinstance(value, dict):
        if value.get("_type") == "ClassLabel" and isinstance(value.get("names"), list):
            return [str(name) for name in value["names"]]
        several = list(value.values())
    else:
        several = value if isinstance(value, list) else []
    return next((found for one in several if (found := class_label(one))), [])


def read_record(gathering: Gathering, image: int, record: Record, names: list[str], place: str) -> None:
    """`objects` with `bbox` ([left, top, width, height], pixels) and their categories, or a label, or several."""
    objects = record.get(INSIDE)
    if objects is None:
        label = next((record[key] for key in LABELS if record.get(key) is not None), None)
        for one in label if isinstance(label, list) else [] if label is None else [label]:
            gathering.tag(image, named(gathering, one, names, place))
        return
    if isinstance(objects, dict):
        boxes = objects.get("bbox") or []
        key = next((word for word in ("category", "categories", "label", "labels") if word in objects), "category")
        concepts = objects.get(key) or []
    else:
        boxes = [one.get("bbox") for one in objects]
        concepts = [next((one[word] for word in ("category", "label") if word in one), None) for one in objects]
    if len(boxes) != len(concepts):
        raise RecordBad(gathering.path, place, f"it has {len(boxes)} boxes and {len(concepts)} categories", "Write as many of each.")
    for box, concept in zip(boxes, concepts, strict=True):
        if not isinstance(box, list | tuple) or len(box) != 4:
            raise RecordBad(gathering.path, place, f"a bbox is {box!r:.40}", "Write [left, top, width, height] in pixels.")
        left, top, width, height = (number_of(side, gathering.path, place, "a side") for side in box)
        gathering.box(image, named(gathering, concept, names, place), (left, top, width, height), place)


def named(gathering: Gathering, value: Any, names: list[str], place: str) -> str:
    if isinstance(value, int) and names:
        if not 0 <= value < len(names):
            raise RecordBad(gathering.path, place, f"concept {value} is none of 0 to {len(names) - 1}", "See the names in its features.")
        return names[value]
    return str(value)


FORMAT = AnnotationFormat(NAME, is_it, read)
