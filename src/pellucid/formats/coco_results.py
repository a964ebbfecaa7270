"""COCO results: a JSON list of boxes with scores, as pycocotools takes it and Detectron2 writes it (`coco_instances_results.json`).

Results as ultralytics writes them (`predictions.json`) are the same list; there image ids are file stems,
sometimes turned into integers, and a `file_name` may stand beside them.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid import kernel
from pellucid.errors import ExportImpossible, FileMalformed, RecordBad, ScoreBad
from pellucid.formats.cells import exactly, text_literal
from pellucid.formats.coco import Identity, numbers_of
from pellucid.formats.look import Asked, Look, PredictionFormat
from pellucid.formats.outgoing import Outgoing, file_for
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import ImageNaming, PredictionSource, checked, codes, codes_of_integers

NAME = "coco-results"


def is_it(look: Look) -> bool:
    """A JSON list, empty or of records that have a category_id."""
    head = look.head
    return head.startswith("[") and ("category_id" in head or re.match(r"\[\s*\]", head) is not None)


TABLE = """
    CREATE TEMP VIEW results AS SELECT {image} AS image, category_id AS concept, score, bbox
    FROM read_json({path}, format = 'array', hive_partitioning = false, maximum_object_size = 67108864, columns = {{
        image_id: 'VARCHAR', file_name: 'VARCHAR', category_id: 'VARCHAR', bbox: 'DOUBLE[]', score: 'DOUBLE'}})
"""
NUMBERS = """
    SELECT {image} AS image, {concept} AS concept, score,
           bbox[1] AS x, bbox[2] AS y, bbox[3] AS w, bbox[4] AS h, len(bbox) AS numbers
    FROM results
"""
A_LOOK = 2_000
"""Records by which a file is judged to number its images and concepts; then all are read as integers, if they are."""


def read_predictions(path: Path) -> PredictionSource:
    """Boxes with scores; ids stay texts until they are held against the version's images and concepts."""
    found = None if kernel.library is None else plain_columns(path)
    return from_columns(path, *(found or parsed_columns(path)))


def plain_columns(path: Path) -> tuple[dict[str, Any], ImageNaming] | None:
    """The columns of a file in the plain form that all writers but a few use, by the kernel; None for any other.

    Read in parts, so that the text of a large file is never in memory as a whole.
    """
    half = middle(path)
    spans = [(0, None)] if half is None else [(0, half), (half, None)]
    with ThreadPoolExecutor(len(spans)) as threads:
        found = list(threads.map(lambda span: read_span(path, *span), spans))
    if any(one is None for one in found):
        return None
    columns = [column for one in found if one for column in one]
    image, concept, score, box = (np.concatenate(several) for several in zip(*columns, strict=True))
    return {"image": image, "concept": concept, "score": score, "box": box}, "id"


PART, LONGEST = 1 << 22, 1 << 24
OPENING, AFTER, CLOSED = 0, 3, 4
"""How far the list is; see results.c."""
SHORTEST = 50
"""Bytes of the shortest record with its four keys."""

Columns = tuple[Any, ...]


def middle(path: Path) -> int | None:
    """A place near the middle of a large file where a record seems to end. Whoever reads up to there finds out whether one does."""
    size = path.stat().st_size
    if size < 4 * PART:
        return None
    with path.open("rb") as file:
        file.seek(size // 2)
        found = re.search(rb"\}\s*,\s*\{", file.read(1 << 16))
    return None if found is None else size // 2 + found.start() + 1


def read_span(path: Path, begin: int, end: int | None) -> list[Columns] | None:
    """The columns from byte `begin` to `end`, part by part; None where the text is not plain, or is no whole number of records."""
    whole: list[Columns] = []
    stage, rest = np.array([AFTER if begin else OPENING], np.int32), b""
    with path.open("rb") as file:
        file.seek(begin)
        while part := file.read(PART if end is None else min(PART, end - file.tell())):
            text = rest + part
            cut = text.rfind(b"}") + 1 if len(part) == PART else len(text)
            done = read_part(text[:cut], stage, whole)
            if done is None or len(text) - done > LONGEST:
                return None
            rest = text[done:]
    if rest:  # a file may end with a whole part
        done = read_part(rest, stage, whole)
        if done is None:
            return None
        rest = rest[done:]
    ended = stage[0] == (CLOSED if end is None else AFTER) and not rest.strip()
    return whole if ended else None


def read_part(text: bytes, stage: Any, whole: list[Columns]) -> int | None:
    """Append the columns of the whole records of a text; returns how many bytes are done with, None where it is not plain."""
    assert kernel.library is not None
    room, rows = len(text) // SHORTEST + 1, np.zeros(1, np.int64)
    columns = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room), np.empty((room, 4))
    place, integer = kernel.address, kernel.integer
    done: int = kernel.library.read_results(
        text, integer(len(text)), integer(room), *(place(column) for column in columns), place(rows), place(stage)
    )
    whole.append(tuple(column[: rows[0]].copy() for column in columns))
    return None if done < 0 else done


def parsed_columns(path: Path) -> tuple[dict[str, Any], ImageNaming]:
    """The columns of any file that is valid JSON, by DuckDB."""
    import duckdb

    with path.open("rb") as file:
        named = b'"file_name"' in file.read(4096)
    try:
        with duckdb.connect() as connection:
            image = "coalesce(file_name, image_id)" if named else "image_id"
            connection.execute(TABLE.format(image=image, path=text_literal(exactly(path))))
            columns = read_columns(connection)
    except duckdb.Error as error:
        parsed_json(path, list[Result], "COCO results")  # tells exactly where and why, if it can
        raise FileMalformed(path, str(error).split("\n", maxsplit=1)[0]) from error
    check_columns(path, columns)
    box = np.empty((len(columns["score"]), 4))
    for side, name in enumerate("xywh"):
        box[:, side] = np.ma.filled(columns[name], np.nan)
    return {"image": columns["image"], "concept": columns["concept"], "score": columns["score"], "box": box}, "path" if named else "id"


def read_columns(connection: Any) -> dict[str, Any]:
    """The results as columns. Ids that are plain integers are read as such: making texts of millions takes seconds."""
    whole = "count(*) = count({0}) AND bool_and(CAST(TRY_CAST({0} AS BIGINT) AS VARCHAR) = {0})"
    question = f"SELECT {whole.format('image')}, {whole.format('concept')} FROM (FROM results LIMIT {A_LOOK})"
    integers = dict(zip(("image", "concept"), connection.execute(question).fetchone(), strict=True))
    wanted = {name: integer(name) if yes else name for name, yes in integers.items()}
    columns: dict[str, Any] = connection.execute(NUMBERS.format(**wanted)).fetchnumpy()
    if any(yes and np.ma.getmaskarray(columns[name]).any() for name, yes in integers.items()):
        columns = connection.execute(NUMBERS.format(image="image", concept="concept")).fetchnumpy()
    return columns


def integer(name: str) -> str:
    """The id as an integer; NULL where that would not be the id itself."""
    number = f"TRY_CAST({name} AS BIGINT)"
    return f"CASE WHEN CAST({number} AS VARCHAR) = {name} THEN {number} END"


def coded(column: Any) -> tuple[list[str], Any]:
    values = np.ma.getdata(column)
    return codes(values) if values.dtype == object else codes_of_integers(values)


class Result(msgspec.Struct):
    image_id: Identity
    category_id: Identity
    bbox: tuple[float, float, float, float]
    score: float


def check_columns(path: Path, columns: dict[str, Any]) -> None:
    """Every record has its four facts, or the first that has not is named."""
    for name, column in (("image_id", "image"), ("category_id", "concept"), ("score", "score")):
        absent = np.flatnonzero(np.ma.getmaskarray(columns[column]))
        if len(absent):
            if name == "score":
                raise ScoreBad(path, f"$[{absent[0]}]", "absent")
            raise RecordBad(path, f"$[{absent[0]}]", f"it has no {name}", "Write image_id, category_id, bbox and score.")
    numbers = np.ma.filled(columns["numbers"], 0)
    wrong = np.flatnonzero(numbers != 4)
    if len(wrong):
        raise RecordBad(path, f"$[{wrong[0]}].bbox", f"it has {numbers[wrong[0]]} numbers", "Write [left, top, width, height] in pixels.")


def from_columns(path: Path, columns: dict[str, Any], named_by: ImageNaming) -> PredictionSource:
    image_keys, image = coded(columns["image"])
    concept_keys, concept = coded(columns["concept"])
    score, box = np.ma.filled(columns["score"], np.nan), columns["box"]
    source = PredictionSource(
        str(path), NAME, image_keys, image, concept_keys, concept, "id",
        score, box, "pixels", range(len(score)), images_named_by=named_by,
    )  # fmt: skip
    return checked(source)


def read(look: Look, asked: Asked) -> PredictionSource:
    return read_predictions(look.path)


def write(outgoing: Outgoing, path: Path) -> None:
    """A list of results; ids are those of the annotations' own file."""
    table = outgoing.predictions
    if table is None or table.box is None:
        raise ExportImpossible("coco", "COCO results are boxes with scores; write csv or parquet")
    image_ids, concept_ids = numbers_of(outgoing.images.source_id.tolist()), numbers_of(outgoing.concept_ids)
    rows = zip(table.image.tolist(), table.concept.tolist(), table.box.tolist(), table.score.tolist(), strict=True)
    results = [
        {"image_id": image_ids[image], "category_id": concept_ids[concept], "bbox": box, "score": score}
        for image, concept, box, score in rows
    ]
    file_for(path).write_bytes(msgspec.json.encode(results))


PREDICTION_FORMAT = PredictionFormat(NAME, is_it, read)
