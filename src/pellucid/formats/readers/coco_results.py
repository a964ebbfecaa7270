"""COCO results: a JSON list of boxes with scores, as read by pycocotools and written by Detectron2
(`coco_instances_results.json`).

Ultralytics' `predictions.json` has the same structure; there image ids are file stems,
sometimes converted to integers, and records may have a `file_name` too. A `category_name` says
more than the number of the category.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid import _native
from pellucid.core.duckdb_cursor import open_cursor, query_errors
from pellucid.core.errors import MalformedFileError
from pellucid.core.masks import Masks, concat_masks
from pellucid.core.sql_quoting import escape_glob, quote_string
from pellucid.formats.dataset import (
    ImageKeyKind,
    ParsedPredictions,
    encode_integers,
    encode_texts,
    validate_predictions,
)
from pellucid.formats.errors import InvalidRecordError, InvalidScoreError
from pellucid.formats.marked_records import reject_marked_records
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions
from pellucid.formats.readers.coco_categories import CocoId, interpretation_of, require_category
from pellucid.formats.readers.coco_keypoints import parse_keypoint_results
from pellucid.formats.readers.coco_masks import MaskedColumns, build_masked, parse_masked_results

NAME = "coco-results"


NAMED_IMAGE = r'"(image|img|filename|image_name|image_path|path)"\s*:\s*"'
OTHER_SCORE_KEYS = ("confidence", "conf", "probability", "prob")


def matches(probe: Probe) -> bool:
    """Whether the file is a JSON list that is empty or has records with a category and an image_id
    or a file name of COCO's."""
    head = probe.head
    if '"score"' not in head and any(f'"{key}"' in head for key in OTHER_SCORE_KEYS):
        return False  # records of another program, whose fields are read as columns
    has_other_names = '"image_id"' not in head and re.search(NAMED_IMAGE, head) is not None
    return head.startswith("[") and (
        ('"category_id"' in head and not has_other_names)
        or '"category_name"' in head
        or re.match(r"\[\s*\]", head) is not None
    )


def has_objects(probe: Probe) -> bool:
    """Whether the records say where their objects are; of whole images they need not."""
    return any(f'"{key}"' in probe.head for key in ("bbox", "segmentation", "keypoints"))


RESULTS_VIEW_SQL = """
    CREATE TEMP VIEW results AS SELECT {image} AS image, {concept} AS concept, score, bbox
    FROM read_json(
        {path}, format = 'array', hive_partitioning = false, maximum_object_size = 67108864,
        columns = {{
            image_id: 'VARCHAR', file_name: 'VARCHAR', category_id: 'VARCHAR',
            category_name: 'VARCHAR', bbox: 'DOUBLE[]', score: 'DOUBLE'}})
"""
RESULTS_SQL = """
    SELECT {image} AS image, {concept} AS concept, score,
           bbox[1] AS x, bbox[2] AS y, bbox[3] AS w, bbox[4] AS h, len(bbox) AS numbers
    FROM results
"""
SHAPE_KEYS = ("keypoints", "segmentation", "poly")
SAMPLE_SIZE = 2_000
"""Records sampled to decide whether image and category ids are integers; then all are read as
integers if possible."""


def parse_results(path: Path) -> ParsedPredictions:
    """Boxes with scores; ids stay strings until they are resolved to the version's images and
    concepts."""
    native_columns = None if _native.library is None else parse_columns_native(path)
    return build_source(path, *(native_columns or parse_columns_duckdb(path)))


def parse_masks(path: Path) -> ParsedPredictions:
    """Masks with scores, and boxes where they are stated."""
    native_columns = (
        None if _native.library is None else parse_columns_native(path, with_masks=True)
    )
    if native_columns is None:
        return parse_masked_results(path, NAME)
    columns, image_key_kind = native_columns
    return build_masked(
        path,
        NAME,
        MaskedColumns(
            distinct_codes(columns["image"]),
            distinct_codes(columns["concept"]),
            image_key_kind,
            columns["score"],
            columns["box"],
            columns["mask"],
        ),
    )


def parse_columns_native(
    path: Path, with_masks: bool = False
) -> tuple[dict[str, Any], ImageKeyKind] | None:
    """Parse a file in the usual plain layout with the native parser; None for any other layout.

    The file is read in chunks, so a large file is never in memory as a whole.
    """
    split_offset = record_boundary(path)
    byte_ranges = [(0, None)] if split_offset is None else [(0, split_offset), (split_offset, None)]
    with ThreadPoolExecutor(len(byte_ranges)) as threads:
        chunks_by_range = list(
            threads.map(
                lambda byte_range: load_byte_range(path, byte_range[0], byte_range[1], with_masks),
                byte_ranges,
            )
        )
    if any(chunks is None for chunks in chunks_by_range):
        return None
    chunk_columns = [columns for chunks in chunks_by_range if chunks for columns in chunks]
    if not chunk_columns:
        return None
    plain = [columns[:4] for columns in chunk_columns]
    image, concept, score, box = (np.concatenate(arrays) for arrays in zip(*plain, strict=True))
    columns: dict[str, Any] = {"image": image, "concept": concept, "score": score, "box": box}
    if with_masks:
        columns["mask"] = concat_masks([columns[4] for columns in chunk_columns])
    return columns, "id"


PART, MAX_PENDING_BYTES = 1 << 22, 1 << 24
LIST_START, AFTER_RECORD, LIST_END = 0, 3, 4
"""Parser states; must match the enum in results.c."""
MIN_RECORD_BYTES = 50
"""Size in bytes of the shortest possible record with its four keys."""

Columns = tuple[Any, ...]


def record_boundary(path: Path) -> int | None:
    """A probable record boundary near the middle of a large file, to parse halves in parallel.
    read_span verifies it."""
    size = path.stat().st_size
    if size < 4 * PART:
        return None
    with path.open("rb") as file:
        file.seek(size // 2)
        boundary = re.search(rb"\}\s*,\s*\{", file.read(1 << 16))
    return None if boundary is None else size // 2 + boundary.start() + 1


def load_byte_range(
    path: Path, start: int, end: int | None, with_masks: bool
) -> list[Columns] | None:
    """Parse bytes `begin` to `end` in chunks; None if the layout is not plain or the range ends
    within a record."""
    chunks: list[Columns] = []
    parser_state, pending = np.array([AFTER_RECORD if start else LIST_START], np.int32), b""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(PART if end is None else min(PART, end - file.tell())):
            buffer = pending + block
            safe_end = buffer.rfind(b"}") + 1 if len(block) == PART else len(buffer)
            consumed = parse_chunk(buffer[:safe_end], parser_state, chunks, with_masks)
            if consumed is None or len(buffer) - consumed > MAX_PENDING_BYTES:
                return None
            pending = buffer[consumed:]
    if pending:  # the file size may be a multiple of the chunk size
        consumed = parse_chunk(pending, parser_state, chunks, with_masks)
        if consumed is None:
            return None
        pending = pending[consumed:]
    is_complete = (
        parser_state[0] == (LIST_END if end is None else AFTER_RECORD) and not pending.strip()
    )
    return chunks if is_complete else None


def parse_chunk(
    buffer: bytes, parser_state: Any, chunks: list[Columns], with_masks: bool
) -> int | None:
    """Append the columns of the complete records in `text`; return the bytes consumed, or None if
    the layout is not plain."""
    assert _native.library is not None
    capacity, row_count = len(buffer) // MIN_RECORD_BYTES + 1, np.zeros(1, np.int64)
    arrays = (
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.empty(capacity),
        np.empty((capacity, 4)),
    )
    address, integer = _native.pointer, _native.int64_arg
    counts = np.empty(len(buffer) + 1 if with_masks else 0, np.uint8)
    mask_end, mask_size = np.empty(capacity, np.int64), np.empty((capacity, 2), np.int32)
    mask_addresses = [address(array) for array in (counts, mask_end, mask_size)]
    consumed: int = _native.library.read_results(
        buffer,
        integer(len(buffer)),
        integer(capacity),
        *(address(array) for array in arrays),
        *(mask_addresses if with_masks else [None] * len(mask_addresses)),
        address(row_count),
        address(parser_state),
    )
    rows = int(row_count[0])
    columns: Columns = tuple(array[:rows].copy() for array in arrays)
    if with_masks:
        ends = np.concatenate([[0], mask_end[:rows]]).astype(np.int64)
        sizes = mask_size[:rows].T.copy()
        columns = (*columns, Masks(counts[: ends[-1]].copy(), ends, sizes[0], sizes[1]))
    chunks.append(columns)
    return None if consumed < 0 else consumed


def parse_columns_duckdb(path: Path) -> tuple[dict[str, Any], ImageKeyKind]:
    """Parse any valid JSON file with DuckDB."""
    with path.open("rb") as file:
        head = file.read(4096)
    has_file_names, has_names = (
        f'"{key}"'.encode() in head for key in ("file_name", "category_name")
    )
    try:
        with open_cursor() as connection:
            image_expression = "coalesce(file_name, image_id)" if has_file_names else "image_id"
            concept = (
                "coalesce(nullif(category_name, ''), category_id)" if has_names else "category_id"
            )
            connection.execute(
                RESULTS_VIEW_SQL.format(
                    image=image_expression,
                    concept=concept,
                    path=quote_string(escape_glob(path)),
                )
            )
            columns = query_columns(connection)
    except query_errors() as error:
        parse_json(path, list[CocoResult], "COCO results")  # raises a more precise error, if it can
        raise MalformedFileError(path, str(error).split("\n", maxsplit=1)[0]) from error
    check_columns(path, columns)
    box = np.empty((len(columns["score"]), 4))
    for side_index, side in enumerate("xywh"):
        box[:, side_index] = np.ma.filled(columns[side], np.nan)
    return {
        "image": columns["image"],
        "concept": columns["concept"],
        "score": columns["score"],
        "box": box,
    }, "path" if has_file_names else "id"


def query_columns(connection: Any) -> dict[str, Any]:
    """Query the results as columns. Integer ids are read as integers: converting millions to
    strings takes seconds."""
    integer_test = (
        "count(*) = count({0}) AND bool_and(CAST(TRY_CAST({0} AS BIGINT) AS VARCHAR) = {0})"
    )
    query = (
        f"SELECT {integer_test.format('image')}, {integer_test.format('concept')} FROM (FROM "
        f"results LIMIT {SAMPLE_SIZE})"
    )
    is_integer = dict(zip(("image", "concept"), connection.execute(query).fetchone(), strict=True))
    expressions = {
        key: integer_sql(key) if is_integer_column else key
        for key, is_integer_column in is_integer.items()
    }
    columns: dict[str, Any] = connection.execute(RESULTS_SQL.format(**expressions)).fetchnumpy()
    if any(
        is_integer_column and np.ma.getmaskarray(columns[key]).any()
        for key, is_integer_column in is_integer.items()
    ):
        columns = connection.execute(
            RESULTS_SQL.format(image="image", concept="concept")
        ).fetchnumpy()
    return columns


def integer_sql(expression: str) -> str:
    """SQL for the id as an integer; NULL if the conversion would change the id."""
    cast_expression = f"TRY_CAST({expression} AS BIGINT)"
    return f"CASE WHEN CAST({cast_expression} AS VARCHAR) = {expression} THEN {cast_expression} END"


def distinct_codes(id_column: Any) -> tuple[list[str], Any]:
    ids = np.ma.getdata(id_column)
    return encode_texts(ids) if ids.dtype == object else encode_integers(ids)


class CocoResult(msgspec.Struct):
    image_id: CocoId
    bbox: tuple[float, float, float, float]
    score: float
    category_id: CocoId | None = None
    category_name: str | None = None

    def __post_init__(self) -> None:
        require_category(self)


def check_columns(path: Path, columns: dict[str, Any]) -> None:
    """Check that every record has its four fields; raise an error that names the first incomplete
    one."""
    for key, column_name in (("image_id", "image"), ("category_id", "concept"), ("score", "score")):
        missing_rows = np.flatnonzero(np.ma.getmaskarray(columns[column_name]))
        if len(missing_rows):
            if key == "score":
                raise InvalidScoreError(path, f"$[{missing_rows[0]}]", "absent")
            raise InvalidRecordError(
                path,
                f"$[{missing_rows[0]}]",
                f"missing {key}",
                "Write image_id, category_id, bbox and score.",
            )
    box_lengths = np.ma.filled(columns["numbers"], 0)
    invalid_rows = np.flatnonzero(box_lengths != 4)
    if len(invalid_rows) and not box_lengths[invalid_rows[0]] and (shape := shape_key(path)):
        raise InvalidRecordError(
            path,
            f"$[{invalid_rows[0]}]",
            f"has {shape} but no bbox; predictions are compared by their boxes",
            "Write bbox ([left, top, width, height] in pixels) too.",
        )
    if len(invalid_rows):
        raise InvalidRecordError(
            path,
            f"$[{invalid_rows[0]}].bbox",
            f"found {box_lengths[invalid_rows[0]]} numbers",
            "Write [left, top, width, height] in pixels.",
        )


def build_source(
    path: Path, columns: dict[str, Any], images_named_by: ImageKeyKind
) -> ParsedPredictions:
    image_keys, image = distinct_codes(columns["image"])
    concept_keys, concept = distinct_codes(columns["concept"])
    score, box = np.ma.filled(columns["score"], np.nan), columns["box"]
    source = ParsedPredictions(
        str(path),
        NAME,
        image_keys,
        image,
        concept_keys,
        concept,
        interpretation_of(concept_keys),
        score,
        box,
        "pixels",
        range(len(score)),
        image_key_kind=images_named_by,
    )
    return validate_predictions(source)


def shape_key(path: Path) -> str | None:
    """The key of masks or keypoints in the records, if they have any."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return next((key for key in SHAPE_KEYS if f'"{key}"'.encode() in head), None)


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    reject_marked_records(probe.path, are_predictions=True)
    shape = shape_key(probe.path)
    if shape == "keypoints":
        keypoint_count = options.annotated_shapes().keypoint_count
        return parse_keypoint_results(probe.path, NAME, keypoint_count)
    if shape == "poly":
        return parse_masked_results(probe.path, NAME)
    if shape == "segmentation":
        return parse_masks(probe.path)
    return parse_results(probe.path)


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read)
