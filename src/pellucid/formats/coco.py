"""COCO: annotations (`images`, `annotations`, `categories`) and results (a list of boxes with scores).

Results as ultralytics writes them (`predictions.json`) are the same list; there image ids are file stems,
sometimes turned into integers, and a `file_name` may stand beside them.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.columns import Annotations
from pellucid.errors import ConceptUnknown, FileEmpty, FileMalformed, ImageUnknown, RecordBad, ScoreBad
from pellucid.formats.cells import exactly, text_literal
from pellucid.formats.source import (
    AnnotationSource,
    ImageNaming,
    PredictionSource,
    check_boxes,
    check_scores,
    codes,
    codes_of_integers,
    image_path,
    listed_images,
)

ANNOTATIONS = "coco"
PREDICTIONS = "coco-results"

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


def is_predictions(path: Path, head: str) -> bool:
    """A JSON list, empty or of records that have a category_id."""
    return head.startswith("[") and ("category_id" in head or re.match(r"\[\s*\]", head) is not None)


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


TABLE = """
    CREATE TEMP VIEW results AS SELECT {image} AS image, category_id AS concept, score, bbox
    FROM read_json({path}, format = 'array', maximum_object_size = 67108864, columns = {{
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
    import duckdb

    with path.open("rb") as file:
        named = b'"file_name"' in file.read(4096)
    try:
        with duckdb.connect() as connection:
            image = "coalesce(file_name, image_id)" if named else "image_id"
            connection.execute(TABLE.format(image=image, path=text_literal(exactly(path))))
            columns = read_columns(connection)
    except duckdb.Error as error:
        decode(path, list[Result])  # tells exactly where and why, if it can
        raise FileMalformed(path, str(error).split("\n", maxsplit=1)[0]) from error
    return from_columns(path, columns, "path" if named else "id")


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


def from_columns(path: Path, columns: dict[str, Any], named_by: ImageNaming) -> PredictionSource:
    rows = len(columns["score"])
    if not rows and path.stat().st_size == 0:
        raise FileEmpty(path, "a list of predictions")
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
    image_keys, image = coded(columns["image"])
    concept_keys, concept = coded(columns["concept"])
    box = np.empty((rows, 4))
    for side, name in enumerate("xywh"):
        box[:, side] = np.ma.filled(columns.pop(name), np.nan)
    source = PredictionSource(
        str(path), PREDICTIONS, image_keys, image, concept_keys, concept, "id",
        np.ma.filled(columns["score"], np.nan), box, "pixels", np.arange(rows), images_named_by=named_by,
    )  # fmt: skip
    check_scores(source)
    source.notes.extend(check_boxes(path, box, source.place))
    return source
