"""Tasks of a distributed evaluation: functions of a job and a request that read files and write
one. They are safe to rerun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.tables import (
    NOT_RUN,
    SPLITS,
    Annotations,
    Float64Array,
    Int32Array,
    Int64Array,
    Predictions,
)
from pellucid.distributed.histogram_thresholds import (
    BinCounts,
    ScoreBins,
    ScoreBlock,
    count_bins,
    select_bins,
)
from pellucid.distributed.job import Job, TablePart, batch_file_name, shard_file_name
from pellucid.distributed.parquet_query import query_parquet
from pellucid.distributed.sharding import (
    MatchedShard,
    RunBatch,
    Shard,
    match_shard,
    merge_runs,
    select_countable,
)
from pellucid.distributed.stored_shapes import ROW_NUMBER, load_shapes
from pellucid.evaluation.evaluation import VALIDATION
from pellucid.evaluation.match_result import BestOverlapSteps
from pellucid.evaluation.sorting import counting_sort
from pellucid.evaluation.thresholds import Threshold, min_error_threshold
from pellucid.storage.column_file import ColumnFile, write_column_file
from pellucid.storage.parquet import BOX_COLUMN_NAMES, threshold_columns

ANNOTATION_COLUMNS = ("image", "concept", "ignore", "positive")
PREDICTION_COLUMNS = ("image", "concept", "score", "order")
MATCH_COLUMNS = ("state", "partner", "iou")


def partition_rows(job: Job, table_part: TablePart) -> str:
    """Sort the rows of a table part by shard and write them."""
    has_boxes = job.kind == "detection"
    column_names = [
        *(ANNOTATION_COLUMNS if table_part.table_name == "annotations" else PREDICTION_COLUMNS),
        *(BOX_COLUMN_NAMES if has_boxes else ()),
    ]
    quoted_names = [f'"{column_name}"' for column_name in column_names]
    sql = (
        f"SELECT {', '.join(quoted_names)} FROM {{table}} WHERE file_row_number >= "
        f"{table_part.begin} AND file_row_number < {table_part.end}"
    )
    unsorted = query_parquet(getattr(job, table_part.table_name), sql)
    shard_index = (np.searchsorted(job.shard_edges, unsorted["image"], side="right") - 1).astype(
        np.int32
    )
    order, start = counting_sort(shard_index, job.shard_count)
    partitioned = {
        column_name: data[order]
        for column_name, data in unsorted.items()
        if column_name not in BOX_COLUMN_NAMES
    }
    if has_boxes:
        partitioned["box"] = np.stack([unsorted[side] for side in BOX_COLUMN_NAMES], axis=1)[order]
    if table_part.table_name == "annotations":
        partitioned["row"] = order + np.int32(table_part.begin)
    write_column_file(job.file_path(table_part.file_name), {**partitioned, "start": start})
    return table_part.file_name


@dataclass(frozen=True)
class MatchRequest:
    """Match this shard, whose rows are in these table parts."""

    shard: int
    table_parts: tuple[TablePart, ...]


def match_images(job: Job, request: MatchRequest) -> str:
    """Match a shard of images and write its sorted runs."""
    first_image, end_image = job.shard_edges[request.shard], job.shard_edges[request.shard + 1]
    images = query_parquet(
        job.images,
        f"SELECT split, stated, coverage FROM {{table}} WHERE file_row_number >= {first_image} "
        f"AND file_row_number < {end_image}",
    )
    annotation_columns, prediction_columns = (
        load_shard_rows(job, request, table_name) for table_name in ("annotations", "predictions")
    )
    annotation_rows = annotation_columns.pop("row")
    annotations = Annotations(**{"box": None, "area": None, **annotation_columns})
    predictions = Predictions(**{"box": None, **prediction_columns})
    if job.has_shapes:
        edges = (first_image, end_image)
        annotations = annotations.replace(
            **load_shapes(job.annotations, ROW_NUMBER, annotation_rows, edges)
        )
        predictions = predictions.replace(
            **load_shapes(job.predictions, "order", predictions.order, edges)
        )
    shard = Shard(
        first_image, images["split"], images["stated"], annotations, annotation_rows, predictions
    )
    is_matchable = (
        annotations.positive
        & ~annotations.ignore
        & (images["coverage"][annotations.image - first_image] != NOT_RUN)
    )
    run_indices = (
        images["split"][annotations.image[is_matchable] - first_image].astype(np.int64)
        * job.concept_count
        + annotations.concept[is_matchable]
    )
    matched_columns = shard_columns(match_shard(job, shard))
    write_column_file(
        job.file_path(shard_file_name(request.shard)),
        {
            **matched_columns,
            "answerable": np.bincount(run_indices, minlength=len(SPLITS) * job.concept_count),
        },
    )
    return shard_file_name(request.shard)


def load_shard_rows(job: Job, request: MatchRequest, table_name: str) -> dict[str, Any]:
    pieces = []
    for table_part in request.table_parts:
        if table_part.table_name != table_name:
            continue
        column_file = ColumnFile(job.file_path(table_part.file_name))
        begin, end = column_file.read(["start"], request.shard, request.shard + 2)["start"].tolist()
        column_names = [
            *(ANNOTATION_COLUMNS if table_name == "annotations" else PREDICTION_COLUMNS),
            *(["row"] if table_name == "annotations" else []),
        ]
        pieces.append(
            column_file.read(
                [*column_names, *(["box"] if job.kind == "detection" else [])], begin, end
            )
        )
    return {
        column_name: np.concatenate([piece[column_name] for piece in pieces])
        for column_name in pieces[0]
    }


def shard_columns(matched_shard: MatchedShard) -> dict[str, Any]:
    """A matched shard as columns of one file; `lowest` and `highest` are the extreme scores of
    each run."""
    shapes: dict[str, Any] = dict.fromkeys(("mask", "area", "corners", "keypoints"))
    prediction_columns = matched_shard.predictions.replace(**shapes).to_dict()
    is_filled = np.diff(matched_shard.run_starts) > 0
    score_ends = np.full((2, len(is_filled)), np.nan)
    score_ends[:, is_filled] = (
        matched_shard.predictions.score[matched_shard.run_starts[1:][is_filled] - 1],
        matched_shard.predictions.score[matched_shard.run_starts[:-1][is_filled]],
    )
    shard_data = {
        **prediction_columns,
        "state": matched_shard.state,
        "partner": matched_shard.partner,
        "iou": matched_shard.iou,
        "owner": matched_shard.same_concept_annotation,
        "start": matched_shard.run_starts,
        "lowest": score_ends[0],
        "highest": score_ends[1],
        "rows": matched_shard.annotation_rows,
    }
    if matched_shard.staircase is not None:
        shard_data |= {
            f"staircase.{step_field}": data
            for step_field, data in vars(matched_shard.staircase).items()
        }
    return {
        column_name: np.ascontiguousarray(data)
        for column_name, data in shard_data.items()
        if data is not None
    }


def load_shard_steps(column_file: ColumnFile) -> tuple[Int32Array, BestOverlapSteps]:
    step_columns = column_file.read(
        ["rows", *(f"staircase.{step_field}" for step_field in ("start", "score", "iou"))]
    )
    return step_columns.pop("rows"), BestOverlapSteps(
        **{column_name.partition(".")[2]: data for column_name, data in step_columns.items()}
    )


@dataclass(frozen=True)
class RunRange:
    """The predictions of a shard in runs first_run to end_run (exclusive), with the bins for their
    scores."""

    shard: int
    first_run: int
    end_run: int
    score_bins: ScoreBins


def load_score_block(job: Job, run_range: RunRange) -> tuple[Float64Array, ScoreBlock]:
    """All scores of the runs, and the block of countable predictions."""
    column_file = ColumnFile(job.file_path(shard_file_name(run_range.shard)))
    start = column_file.read(["start"], run_range.first_run, run_range.end_run + 1)["start"]
    columns = column_file.read(["score", "state"], int(start[0]), int(start[-1]))
    countable = select_countable(columns["score"], columns["state"], 0)
    return columns["score"], (countable.score, countable.is_match)


def count_run_bins(job: Job, run_range: RunRange) -> tuple[Int64Array, BinCounts]:
    """The first pass over runs that do not fit in memory: counts per bin of all predictions, and
    of the countable ones."""
    score, block = load_score_block(job, run_range)
    return np.bincount(
        run_range.score_bins.bin_indices(score), minlength=run_range.score_bins.bin_count
    ), count_bins(run_range.score_bins, block)


@dataclass(frozen=True, eq=False)
class BinRequest:
    run_range: RunRange
    candidates: Any


def load_candidate_bins(job: Job, request: BinRequest) -> ScoreBlock:
    """The second pass: the countable predictions in the candidate bins."""
    return select_bins(
        request.run_range.score_bins,
        request.candidates,
        load_score_block(job, request.run_range)[1],
    )


@dataclass(frozen=True)
class ReduceRequest:
    """Merge this batch of runs from all shards.

    Attributes:
        annotation_counts: per run, the annotations that a prediction can match
    """

    batch_index: int
    batch: RunBatch
    annotation_counts: tuple[int, ...]


def reduce(job: Job, request: ReduceRequest) -> str:
    """Merge a batch of runs from all shards, and find the thresholds of its complete validation
    runs."""
    batch = request.batch
    column_names = [
        *PREDICTION_COLUMNS,
        *MATCH_COLUMNS,
        *(["box"] if job.kind == "detection" else ["owner"]),
    ]
    pieces, keys = [], []
    for shard in range(job.shard_count):
        column_file = ColumnFile(job.file_path(shard_file_name(shard)))
        start = column_file.read(["start"], batch.first_run, batch.end_run + 1)["start"]
        begin, end = int(start[0]), int(start[-1])
        if batch.is_partial_run:
            negated_score = -column_file.read(["score"], begin, end)["score"]
            begin, end = (
                begin
                + np.searchsorted(negated_score, [-batch.max_score, -batch.min_score], side="right")
            ).tolist()
            start = np.array([begin, end])
        if begin < end:
            pieces.append(column_file.read(column_names, begin, end))
            keys.append(np.repeat(np.arange(len(start) - 1, dtype=np.int32), np.diff(start)))
    combined = {
        column_name: np.concatenate([piece[column_name] for piece in pieces])
        for column_name in column_names
    }
    order, start = merge_runs(
        np.concatenate(keys), combined["score"], batch.end_run - batch.first_run
    )
    merged_columns = {column_name: data[order] for column_name, data in combined.items()}
    thresholds = batch_thresholds(job, request, merged_columns, start)
    threshold_data = threshold_columns(tuple(thresholds.values()))
    prefixed_columns = {
        f"threshold.{column_name}": data for column_name, data in threshold_data.items()
    }
    write_column_file(
        job.file_path(batch_file_name(request.batch_index)),
        {
            **merged_columns,
            **prefixed_columns,
            "threshold.concept": np.array(list(thresholds), np.int32),
        },
    )
    return batch_file_name(request.batch_index)


def batch_thresholds(
    job: Job, request: ReduceRequest, columns: dict[str, Any], start: Int64Array
) -> dict[int, Threshold]:
    """Thresholds by concept, for complete validation runs with at least one countable
    prediction."""
    thresholds: dict[int, Threshold] = {}
    for run_offset, run in enumerate(range(request.batch.first_run, request.batch.end_run)):
        split, concept = divmod(run, job.concept_count)
        if split != VALIDATION or request.batch.is_partial_run:
            continue
        run_slice = slice(int(start[run_offset]), int(start[run_offset + 1]))
        countable = select_countable(
            columns["score"][run_slice],
            columns["state"][run_slice],
            request.annotation_counts[run_offset],
        )
        if len(countable.score):
            thresholds[concept] = min_error_threshold(countable)
    return thresholds
