"""Distributed evaluation of a version. The result is bit-identical to that of a single process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from pellucid.core.errors import PellucidError
from pellucid.core.tables import Int64Array, Predictions, empty_prediction_table
from pellucid.core.urls import is_remote
from pellucid.distributed import tasks
from pellucid.distributed.engines import Engine
from pellucid.distributed.errors import (
    PredictionsMissingError,
    UnscoredNotDistributedError,
    VersionModifiedError,
)
from pellucid.distributed.histogram_thresholds import (
    BinCounts,
    ScoreBins,
    candidate_bins,
    fewest_errors_from_bins,
)
from pellucid.distributed.job import batch_file_name, shard_file_name
from pellucid.distributed.plan import Plan, make_plan
from pellucid.distributed.sharding import concat_steps, plan_score_batches
from pellucid.distributed.stored_shapes import load_shapes
from pellucid.evaluation.evaluation import VALIDATION, Evaluation, build_evaluation
from pellucid.evaluation.match_result import MATCHED
from pellucid.evaluation.thresholds import ScoredPredictions, Threshold, fallback_threshold
from pellucid.storage.column_file import ColumnFile, ConcatColumnFiles, list_existing, remove_folder
from pellucid.storage.files import refresh_mirror
from pellucid.storage.manifests import VersionManifest
from pellucid.storage.mapped_columns import load_mapped, write_mapped
from pellucid.storage.parquet import (
    THRESHOLD_COLUMNS,
    build_thresholds,
    load_annotations,
    load_images,
)
from pellucid.storage.remote_workspace import EVALUATION_FOLDER

PREDICTIONS_PER_WORKER = 4_000_000
"""Default number of predictions that a worker holds in memory at a time: about 1 GB."""

StepCallback = Callable[[str, int, int], None]
"""Called with the step's name, the number of finished tasks and their total."""


def no_progress(step: str, done: int, total: int) -> None: ...


class StoredVersion(Protocol):
    """A version on disk whose evaluation can be replaced."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def location(self) -> str: ...
    @property
    def latest_manifest(self) -> VersionManifest: ...
    def save_evaluation(self, manifest: VersionManifest, evaluation: Evaluation) -> None: ...


def evaluate_distributed(
    version: StoredVersion,
    engine: Engine,
    max_rows: int = PREDICTIONS_PER_WORKER,
    progress: StepCallback = no_progress,
) -> None:
    """Match a version's predictions again and save the result. Finished tasks of an interrupted
    call with the same plan are reused.

    Raises PredictionsMissingError, UnscoredNotDistributedError, VersionModifiedError,
    WorkerFailureError.

    Args:
        max_rows: the maximum number of predictions that a worker holds at a time
    """
    manifest = version.latest_manifest
    if manifest.predictions is None:
        raise PredictionsMissingError(version.name)
    if not manifest.has_scores:
        raise UnscoredNotDistributedError(version.name)
    try:
        run_evaluation(version, manifest, engine, max_rows, progress)
    except (
        PellucidError,
        OSError,
    ) as error:  # a concurrent evaluation that finished first removes the work folder
        refresh_mirror(version.folder, blocking=True)
        if version.latest_manifest.generation != manifest.generation:
            raise VersionModifiedError(version.name) from error
        raise


def run_evaluation(
    version: StoredVersion,
    manifest: VersionManifest,
    engine: Engine,
    max_rows: int,
    progress: StepCallback,
) -> None:
    version_location = version.location
    file_names = {
        "images": manifest.images,
        "annotations": manifest.annotations,
        "predictions": manifest.predictions,
    }
    table_paths = {
        table: f"{version_location}/{file_name}" for table, file_name in file_names.items()
    }
    state = msgspec.json.encode(manifest).decode()
    plan = make_plan(
        manifest.kind,
        len(manifest.concepts),
        manifest.iou,
        manifest.unannotated_indexes,
        table_paths,
        state,
        f"{version_location}/{EVALUATION_FOLDER}",
        max_rows,
        manifest.geometry not in (None, "box"),
    )
    run = EvaluationRun(plan, engine, progress)
    run.match()
    stretches = run.reduce()
    with scratch_folder(plan) as scratch:
        evaluation = assemble_evaluation(
            version, plan, stretches, run.thresholds(stretches), scratch
        )
        progress("writing", 0, 1)
        version.save_evaluation(manifest, evaluation)
        progress("writing", 1, 1)
    remove_folder(f"{version_location}/{EVALUATION_FOLDER}")


@dataclass(frozen=True, eq=False)
class EvaluationRun:
    """Runs the steps of a plan one after another."""

    plan: Plan
    engine: Engine
    progress: StepCallback

    def match(self) -> None:
        plan = self.plan
        self._run_step(
            "partitioning",
            tasks.partition_rows,
            [(table_part.file_name, table_part) for table_part in plan.table_parts],
        )
        shards = range(plan.job.shard_count)
        self._run_step(
            "matching",
            tasks.match_images,
            [
                (shard_file_name(shard), tasks.MatchRequest(shard, plan.table_parts))
                for shard in shards
            ],
        )

    def reduce(self) -> list[str]:
        """Merge the run batches. Returns their files in gallery order."""
        long_runs = np.flatnonzero(self._prediction_counts > self.plan.max_rows).tolist()
        run_counts = {run: self._count_bins(run, run + 1) for run in long_runs}
        bin_counts = {
            run: (requests[0].score_bins, predictions_by_bin)
            for run, (requests, predictions_by_bin, _) in run_counts.items()
        }
        batches = plan_score_batches(self._prediction_counts, self.plan.max_rows, bin_counts)
        reduce_requests = [
            tasks.ReduceRequest(
                batch_index,
                batch,
                tuple(self._annotation_counts[batch.first_run : batch.end_run].tolist()),
            )
            for batch_index, batch in enumerate(batches)
        ]
        named_requests = [
            (batch_file_name(request.batch_index), request) for request in reduce_requests
        ]
        self._run_step("reducing", tasks.reduce, named_requests)
        return [self.plan.job.file_path(file_name) for file_name, _ in named_requests]

    def thresholds(self, batch_files: Sequence[str]) -> tuple[Threshold, ...]:
        """One threshold per concept: from the merged run, or from histograms if the run was split
        or is empty."""
        concepts = self.plan.job.concept_count
        first_run = VALIDATION * concepts
        annotations = self._annotation_counts[first_run : first_run + concepts].tolist()
        thresholds: dict[int, Threshold] = {}
        for location in batch_files:
            stored_columns = ColumnFile(location).read(
                [f"threshold.{column_name}" for column_name in (*THRESHOLD_COLUMNS, "concept")]
            )
            stored_columns = {key.partition(".")[2]: data for key, data in stored_columns.items()}
            thresholds |= dict(
                zip(
                    stored_columns.pop("concept").tolist(),
                    build_thresholds(stored_columns),
                    strict=True,
                )
            )
        for concept in np.flatnonzero(
            self._prediction_counts[first_run : first_run + concepts] > self.plan.max_rows
        ).tolist():
            threshold = self._threshold(
                first_run + concept, first_run + concept + 1, annotations[concept]
            )
            thresholds |= {} if threshold is None else {concept: threshold}
        if len(thresholds) < concepts:
            shared_threshold = self._threshold(first_run, first_run + concepts, sum(annotations))
            empty = np.zeros(0), np.zeros(0, bool)
            thresholds = {
                concept: fallback_threshold(
                    ScoredPredictions(*empty, annotation_count), shared_threshold
                )
                for concept, annotation_count in enumerate(annotations)
            } | thresholds
        return tuple(thresholds[concept] for concept in range(concepts))

    def _run_step(
        self, step: str, task: Callable[..., str], named_inputs: Sequence[tuple[str, object]]
    ) -> None:
        """Run the tasks whose output file does not exist yet."""
        finished = list_existing(
            self.plan.job.work_folder, [file_name for file_name, _ in named_inputs]
        )
        pending = [
            task_input for file_name, task_input in named_inputs if file_name not in finished
        ]
        self.progress(step, len(finished), len(named_inputs))
        for finished_count, _ in enumerate(
            self.engine.run_tasks(task, self.plan.job, pending), len(finished) + 1
        ):
            self.progress(step, finished_count, len(named_inputs))

    @cached_property
    def _shard_summaries(self) -> dict[str, Int64Array]:
        """Summaries of all shards, one row per shard: run starts, annotation counts, lowest and
        highest scores."""
        summary_fields = ("start", "answerable", "lowest", "highest")
        summaries = [
            ColumnFile(self.plan.job.file_path(shard_file_name(shard))).read(summary_fields)
            for shard in range(self.plan.job.shard_count)
        ]
        return {
            field_name: np.stack([summary[field_name] for summary in summaries])
            for field_name in summary_fields
        }

    @cached_property
    def _prediction_counts(self) -> Int64Array:
        return np.asarray(np.diff(self._shard_summaries["start"], axis=1).sum(axis=0))

    @cached_property
    def _annotation_counts(self) -> Int64Array:
        return np.asarray(self._shard_summaries["answerable"].sum(axis=0))

    def _count_bins(
        self, first_run: int, end_run: int
    ) -> tuple[list[tasks.RunRange], Int64Array, BinCounts]:
        """The first pass over some runs: the requests, all predictions by bin, and the countable
        ones."""
        score_ends = (
            self._shard_summaries[field_name][:, first_run:end_run]
            for field_name in ("lowest", "highest")
        )
        lowest, highest = (scores[~np.isnan(scores)] for scores in score_ends)
        score_bins = ScoreBins(float(lowest.min()), float(highest.max()))
        requests = [
            tasks.RunRange(shard, first_run, end_run, score_bins)
            for shard in range(self.plan.job.shard_count)
        ]
        results = [
            result
            for _, result in self.engine.run_tasks(tasks.count_run_bins, self.plan.job, requests)
        ]
        return (
            requests,
            np.sum([predictions_by_bin for predictions_by_bin, _ in results], axis=0),
            sum((bin_counts for _, bin_counts in results[1:]), results[0][1]),
        )

    def _threshold(self, first_run: int, end_run: int, annotations: int) -> Threshold | None:
        """The threshold of several runs combined, in two passes; None if they have no countable
        prediction."""
        if not self._prediction_counts[first_run:end_run].any():
            return None
        requests, _, bin_counts = self._count_bins(first_run, end_run)
        if not bin_counts.predictions.any():
            return None
        candidates = candidate_bins(bin_counts, annotations)
        blocks = [
            block
            for _, block in self.engine.run_tasks(
                tasks.load_candidate_bins,
                self.plan.job,
                [tasks.BinRequest(request, candidates) for request in requests],
            )
        ]
        score, matches = (
            np.concatenate(block_arrays) for block_arrays in zip(*blocks, strict=True)
        )
        return fewest_errors_from_bins(
            requests[0].score_bins, bin_counts, candidates, (score, matches), annotations
        )


def assemble_evaluation(
    version: StoredVersion,
    plan: Plan,
    batch_files: Sequence[str],
    thresholds: tuple[Threshold, ...],
    scratch: Path,
) -> Evaluation:
    """Build the evaluation; its columns are memory-mapped from one file in `scratch`."""
    manifest = version.latest_manifest
    images, coverage = load_images(version.folder / manifest.images)
    annotations, _ = load_annotations(version.folder / manifest.annotations)
    has_boxes, concepts = (
        plan.job.kind == "detection",
        tuple(concept.name for concept in manifest.concepts),
    )
    if not batch_files:
        return build_evaluation(
            manifest.kind,
            concepts,
            images,
            coverage,
            annotations,
            empty_prediction_table(has_boxes),
            manifest.iou,
            manifest.unannotated_indexes,
        )
    column_files = [ColumnFile(location) for location in batch_files]
    column_names = [
        *tasks.PREDICTION_COLUMNS,
        *tasks.MATCH_COLUMNS,
        *(["box"] if has_boxes else ["owner"]),
    ]
    write_mapped(
        scratch / "assembled",
        {column_name: ConcatColumnFiles(column_files, column_name) for column_name in column_names},
    )
    mapped_columns = load_mapped(scratch / "assembled")
    assert mapped_columns is not None
    predictions = Predictions(
        **{
            "box": None,
            **{
                column_name: mapped_columns[column_name]
                for column_name in (*tasks.PREDICTION_COLUMNS, *(["box"] if has_boxes else []))
            },
        }
    )
    if has_boxes:
        predictions = predictions.replace(
            **load_shapes(plan.job.predictions, "order", predictions.order)
        )
    state, partner = mapped_columns["state"], mapped_columns["partner"]
    matched_by, same_concept_prediction = (
        np.full(len(annotations), -1, np.int32) for _ in range(2)
    )
    prediction_rows = np.flatnonzero(state == MATCHED)
    matched_by[partner[prediction_rows]] = prediction_rows
    best_overlap_steps = None
    if has_boxes:
        shard_steps = [
            tasks.load_shard_steps(ColumnFile(plan.job.file_path(shard_file_name(shard))))
            for shard in range(plan.job.shard_count)
        ]
        best_overlap_steps = concat_steps(shard_steps, len(annotations))
    else:
        prediction_rows = np.flatnonzero(mapped_columns["owner"] >= 0)
        same_concept_prediction[mapped_columns["owner"][prediction_rows]] = prediction_rows
    return Evaluation(
        manifest.kind,
        concepts,
        manifest.iou,
        images,
        coverage,
        annotations,
        predictions,
        state,
        partner,
        mapped_columns["iou"],
        matched_by,
        same_concept_prediction,
        best_overlap_steps,
        known_thresholds=thresholds,
        unannotated_concepts=manifest.unannotated_indexes,
    )


@contextmanager
def scratch_folder(plan: Plan) -> Iterator[Path]:
    """A local temporary folder for the assembled columns: in the work folder, or in the system's
    if that is remote."""
    parent_folder = None if is_remote(plan.job.work_folder) else plan.job.work_folder
    with tempfile.TemporaryDirectory(prefix="pellucid-", dir=parent_folder) as scratch:
        yield Path(scratch)
