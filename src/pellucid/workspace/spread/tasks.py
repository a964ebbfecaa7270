"""The tasks of an evaluation: functions of a job and what is asked, which read files and leave one. Each may run anywhere, and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.addresses import is_remote
from pellucid.columns import NOT_RUN, SPLITS, Annotations, Floats, Integers, Longs, Predictions
from pellucid.errors import MalformedFileError
from pellucid.formats.cells import escape_glob
from pellucid.understand.evaluation import VALIDATION
from pellucid.understand.histogrammed import Block, Scale, Tally, picked, tally
from pellucid.understand.orders import order_by_key
from pellucid.understand.outcomes import Staircase
from pellucid.understand.shards import MatchedShard, Shard, Stretch, counted, match_shard, merged
from pellucid.understand.thresholds import Threshold, fewest_errors
from pellucid.workspace.far import store_of
from pellucid.workspace.spread.job import Job, Part, shard_name, stretch_name
from pellucid.workspace.stored import Stored, put
from pellucid.workspace.tables import SIDES, threshold_columns

ANNOTATED = ("image", "concept", "ignore", "positive")
PREDICTED = ("image", "concept", "score", "order")
OUTCOME = ("state", "partner", "iou")


def query(location: str, words: str, *, threads: int = 1) -> dict[str, Any]:
    """What a question of a Parquet table finds, as NumPy columns; `words` has `{table}` where the table is read. Raises FileMalformed."""
    import duckdb

    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("SET preserve_insertion_order = true")
        if is_remote(location):
            store, _ = store_of(location)
            connection.register_filesystem(store)
        path = escape_glob(location)  # in a store too, names are no patterns
        table = f"read_parquet('{path.replace(chr(39), chr(39) * 2)}', file_row_number = true, hive_partitioning = false)"
        try:
            found = connection.execute(words.format(table=table)).fetchnumpy()
        except duckdb.Error as error:
            raise MalformedFileError(location, f"is no readable table: {str(error).split(chr(10), maxsplit=1)[0]}") from error
    return {name: np.ma.filled(column, np.nan) if np.ma.isMaskedArray(column) else column for name, column in found.items()}


def part_rows(job: Job, part: Part) -> str:
    """The task `partition`: put some rows of a table in the order of the shards that they belong to."""
    boxes = job.kind == "detection"
    columns = [*(ANNOTATED if part.table == "annotations" else PREDICTED), *(SIDES if boxes else ())]
    quoted = [f'"{name}"' for name in columns]
    words = f"SELECT {', '.join(quoted)} FROM {{table}} WHERE file_row_number >= {part.begin} AND file_row_number < {part.end}"
    found = query(getattr(job, part.table), words)
    shard = (np.searchsorted(job.edges, found["image"], side="right") - 1).astype(np.int32)
    order, start = order_by_key(shard, job.shards)
    rows = {name: column[order] for name, column in found.items() if name not in SIDES}
    if boxes:
        rows["box"] = np.stack([found[side] for side in SIDES], axis=1)[order]
    if part.table == "annotations":
        rows["row"] = order + np.int32(part.begin)
    put(job.file(part.name), {**rows, "start": start})
    return part.name


@dataclass(frozen=True)
class Matched:
    """Asked: match this shard, which is parted into these files."""

    shard: int
    parts: tuple[Part, ...]


def match(job: Job, asked: Matched) -> str:
    """Match a shard of images and leave its sorted runs."""
    first, last = job.edges[asked.shard], job.edges[asked.shard + 1]
    images = query(
        job.images, f"SELECT split, stated, coverage FROM {{table}} WHERE file_row_number >= {first} AND file_row_number < {last}"
    )  # fmt: skip
    annotated, predicted = (rows_of_shard(job, asked, table) for table in ("annotations", "predictions"))
    rows = annotated.pop("row")
    annotations = Annotations(**{"box": None, "area": None, **annotated})
    predictions = Predictions(**{"box": None, **predicted})
    shard = Shard(first, images["split"], images["stated"], annotations, rows, predictions)
    able = annotations.positive & ~annotations.ignore & (images["coverage"][annotations.image - first] != NOT_RUN)
    runs = images["split"][annotations.image[able] - first].astype(np.int64) * job.concepts + annotations.concept[able]
    found = columns_of(match_shard(job.kind, job.concepts, shard, job.iou))
    put(job.file(shard_name(asked.shard)), {**found, "answerable": np.bincount(runs, minlength=len(SPLITS) * job.concepts)})
    return shard_name(asked.shard)


def rows_of_shard(job: Job, asked: Matched, table: str) -> dict[str, Any]:
    pieces = []
    for part in asked.parts:
        if part.table != table:
            continue
        file = Stored(job.file(part.name))
        begin, end = file.read(["start"], asked.shard, asked.shard + 2)["start"].tolist()
        names = [*(ANNOTATED if table == "annotations" else PREDICTED), *(["row"] if table == "annotations" else [])]
        pieces.append(file.read([*names, *(["box"] if job.kind == "detection" else [])], begin, end))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def columns_of(found: MatchedShard) -> dict[str, Any]:
    """A matched shard as columns of one file; `lowest` and `highest` are the scores at the ends of its runs."""
    table = found.predictions.columns()
    filled = np.diff(found.start) > 0
    ends = np.full((2, len(filled)), np.nan)
    ends[:, filled] = found.predictions.score[found.start[1:][filled] - 1], found.predictions.score[found.start[:-1][filled]]
    columns = {
        **table, "state": found.state, "partner": found.partner, "iou": found.iou, "owner": found.owner, "start": found.start,
        "lowest": ends[0], "highest": ends[1], "rows": found.rows,
    }  # fmt: skip
    if found.staircase is not None:
        columns |= {f"staircase.{name}": column for name, column in vars(found.staircase).items()}
    return {name: np.ascontiguousarray(column) for name, column in columns.items() if column is not None}


def staircase_of(file: Stored) -> tuple[Integers, Staircase]:
    columns = file.read(["rows", *(f"staircase.{name}" for name in ("start", "score", "iou"))])
    return columns.pop("rows"), Staircase(**{name.partition(".")[2]: column for name, column in columns.items()})


@dataclass(frozen=True)
class Runs:
    """Asked: of a shard, the predictions of runs first to last, held against a scale."""

    shard: int
    first: int
    last: int
    scale: Scale


def block_of(job: Job, asked: Runs) -> tuple[Floats, Block]:
    """All scores of the runs, and those that are counted."""
    file = Stored(job.file(shard_name(asked.shard)))
    start = file.read(["start"], asked.first, asked.last + 1)["start"]
    rows = file.read(["score", "state"], int(start[0]), int(start[-1]))
    those = counted(rows["score"], rows["state"], 0)
    return rows["score"], (those.score, those.right)


def tallied(job: Job, asked: Runs) -> tuple[Longs, Tally]:
    """The first pass over runs that are too long for one memory: all rows by bin, and the tally of those that are counted."""
    score, block = block_of(job, asked)
    return np.bincount(asked.scale.bins_of(score), minlength=asked.scale.bins), tally(asked.scale, block)


@dataclass(frozen=True, eq=False)
class Picked:
    runs: Runs
    wanted: Any


def pick(job: Job, asked: Picked) -> Block:
    """The second pass: what lies in the wanted bins."""
    return picked(asked.runs.scale, asked.wanted, block_of(job, asked.runs)[1])


@dataclass(frozen=True)
class Reduced:
    """Asked: merge this stretch from all shards. annotations: for each of its runs, how many a prediction can answer."""

    number: int
    stretch: Stretch
    annotations: tuple[int, ...]


def reduce(job: Job, asked: Reduced) -> str:
    """Merge the runs of a stretch from all shards, and find the thresholds of those that are whole and of validation."""
    stretch = asked.stretch
    names = [*PREDICTED, *OUTCOME, *(["box"] if job.kind == "detection" else ["owner"])]
    pieces, keys = [], []
    for shard in range(job.shards):
        file = Stored(job.file(shard_name(shard)))
        start = file.read(["start"], stretch.first, stretch.last + 1)["start"]
        begin, end = int(start[0]), int(start[-1])
        if stretch.is_part:
            falling = -file.read(["score"], begin, end)["score"]
            begin, end = (begin + np.searchsorted(falling, [-stretch.high, -stretch.low], side="right")).tolist()
            start = np.array([begin, end])
        if begin < end:
            pieces.append(file.read(names, begin, end))
            keys.append(np.repeat(np.arange(len(start) - 1, dtype=np.int32), np.diff(start)))
    rows = {name: np.concatenate([piece[name] for piece in pieces]) for name in names}
    order, start = merged(np.concatenate(keys), rows["score"], stretch.last - stretch.first)
    rows = {name: column[order] for name, column in rows.items()}
    found = thresholds_in(job, asked, rows, start)
    columns = threshold_columns(tuple(found.values()))
    chosen = {f"threshold.{name}": column for name, column in columns.items()}
    put(job.file(stretch_name(asked.number)), {**rows, **chosen, "threshold.concept": np.array(list(found), np.int32)})
    return stretch_name(asked.number)


def thresholds_in(job: Job, asked: Reduced, rows: dict[str, Any], start: Longs) -> dict[int, Threshold]:
    """By concept; of runs that are here as a whole, of validation, with a counted prediction."""
    found: dict[int, Threshold] = {}
    for place, run in enumerate(range(asked.stretch.first, asked.stretch.last)):
        split, concept = divmod(run, job.concepts)
        if split != VALIDATION or asked.stretch.is_part:
            continue
        mine = slice(int(start[place]), int(start[place + 1]))
        counts = counted(rows["score"][mine], rows["state"][mine], asked.annotations[place])
        if len(counts.score):
            found[concept] = fewest_errors(counts)
    return found
