"""A version evaluated in pieces and put together: to the last bit what one process makes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pellucid.addresses import is_remote
from pellucid.columns import Longs, Predictions, no_predictions
from pellucid.errors import PellucidError, VersionModifiedError, PredictionsMissingError
from pellucid.understand.evaluation import VALIDATION, Evaluation, evaluate
from pellucid.understand.histogrammed import Scale, Tally, fewest_errors_of, wanted_bins
from pellucid.understand.outcomes import MATCHED
from pellucid.understand.shards import gathered_staircase, stretches_with_parts
from pellucid.understand.thresholds import Counted, Threshold, fallback
from pellucid.workspace.manifests import VersionManifest
from pellucid.workspace.mapped import read_mapped, write_mapped
from pellucid.workspace.mirror import WORK
from pellucid.workspace.spread import tasks
from pellucid.workspace.spread.engines import Engine
from pellucid.workspace.spread.job import shard_name, stretch_name
from pellucid.workspace.spread.plan import Plan, make_plan
from pellucid.workspace.storage import follow
from pellucid.workspace.stored import Chained, Stored, present, remove
from pellucid.workspace.tables import THRESHOLD_COLUMNS, read_annotations, read_images, thresholds_of_columns

if TYPE_CHECKING:
    from pellucid.workspace.version import Version

ROWS = 4_000_000
"""Predictions that a worker holds at a time, unless said otherwise: about 1 GB of memory."""

Steps = Callable[[str, int, int], None]
"""Told of each step: its name, how much of it is done, of how much."""


def quietly(step: str, done: int, of: int) -> None: ...


def evaluate_in_pieces(version: Version, engine: Engine, rows: int = ROWS, progress: Steps = quietly) -> None:
    """Match a version's predictions again and keep what is found. What an earlier call had done of the same plan is not done again.

    rows: the most predictions that a worker holds at a time. Raises VersionNotRun, VersionChanged, WorkersLost.
    """
    manifest = version.latest_manifest
    if manifest.predictions is None:
        raise PredictionsMissingError(version.name)
    try:
        evaluated(version, manifest, engine, rows, progress)
    except (PellucidError, OSError) as error:  # whoever was first took away what this one was working on
        follow(version.folder, at_once=True)
        if version.latest_manifest.generation != manifest.generation:
            raise VersionModifiedError(version.name) from error
        raise


def evaluated(version: Version, manifest: VersionManifest, engine: Engine, rows: int, progress: Steps) -> None:
    here = version.location
    names = {"images": manifest.images, "annotations": manifest.annotations, "predictions": manifest.predictions}
    tables = {table: f"{here}/{name}" for table, name in names.items()}
    state = msgspec.json.encode(manifest).decode()
    plan = make_plan(manifest.kind, len(manifest.concepts), manifest.iou, tables, state, f"{here}/{WORK}", rows)
    spread = Spread(plan, engine, progress)
    spread.match()
    stretches = spread.reduce()
    with room_for(plan) as room:
        found = put_together(version, plan, stretches, spread.thresholds(stretches), room)
        progress("writing", 0, 1)
        version.save_evaluation(manifest, found)
        progress("writing", 1, 1)
    remove(f"{here}/{WORK}")


@dataclass(frozen=True, eq=False)
class Spread:
    """The steps of a plan, each of which waits for the one before."""

    plan: Plan
    engine: Engine
    progress: Steps

    def match(self) -> None:
        plan = self.plan
        self._each("parting", tasks.part_rows, [(part.name, part) for part in plan.parts])
        shards = range(plan.job.shards)
        self._each("matching", tasks.match, [(shard_name(shard), tasks.Matched(shard, plan.parts)) for shard in shards])

    def reduce(self) -> list[str]:
        """Returns the files of the stretches, in the order of the gallery."""
        long = np.flatnonzero(self._predicted > self.plan.rows).tolist()
        tallies = {run: self._tallies(run, run + 1) for run in long}
        by_bin = {run: (asks[0].scale, rows) for run, (asks, rows, _) in tallies.items()}
        found = stretches_with_parts(self._predicted, self.plan.rows, by_bin)
        asks = [tasks.Reduced(number, one, tuple(self._answerable[one.first : one.last].tolist())) for number, one in enumerate(found)]
        named = [(stretch_name(ask.number), ask) for ask in asks]
        self._each("reducing", tasks.reduce, named)
        return [self.plan.job.file(name) for name, _ in named]

    def thresholds(self, stretches: Sequence[str]) -> tuple[Threshold, ...]:
        """Of every concept: found with its run; of a run in parts, and where there was nothing to cut between, from histograms."""
        concepts = self.plan.job.concepts
        first = VALIDATION * concepts
        annotations = self._answerable[first : first + concepts].tolist()
        known: dict[int, Threshold] = {}
        for location in stretches:
            columns = Stored(location).read([f"threshold.{name}" for name in (*THRESHOLD_COLUMNS, "concept")])
            columns = {name.partition(".")[2]: column for name, column in columns.items()}
            known |= dict(zip(columns.pop("concept").tolist(), thresholds_of_columns(columns), strict=True))
        for concept in np.flatnonzero(self._predicted[first : first + concepts] > self.plan.rows).tolist():
            found = self._threshold(first + concept, first + concept + 1, annotations[concept])
            known |= {} if found is None else {concept: found}
        if len(known) < concepts:
            shared = self._threshold(first, first + concepts, sum(annotations))
            none = np.zeros(0), np.zeros(0, bool)
            known = {concept: fallback(Counted(*none, number), shared) for concept, number in enumerate(annotations)} | known
        return tuple(known[concept] for concept in range(concepts))

    def _each(self, step: str, task: Callable[..., str], asks: Sequence[tuple[str, object]]) -> None:
        """Have done what is not done yet."""
        done = present(self.plan.job.work, [name for name, _ in asks])
        left = [ask for name, ask in asks if name not in done]
        self.progress(step, len(done), len(asks))
        for number, _ in enumerate(self.engine.each(task, self.plan.job, left), len(done) + 1):
            self.progress(step, number, len(asks))

    @cached_property
    def _shards(self) -> dict[str, Longs]:
        """What shards tell of themselves, a row a shard: where its runs begin, their lowest and highest scores, ..."""
        names = ("start", "answerable", "lowest", "highest")
        files = [Stored(self.plan.job.file(shard_name(shard))).read(names) for shard in range(self.plan.job.shards)]
        return {name: np.stack([file[name] for file in files]) for name in names}

    @cached_property
    def _predicted(self) -> Longs:
        return np.asarray(np.diff(self._shards["start"], axis=1).sum(axis=0))

    @cached_property
    def _answerable(self) -> Longs:
        return np.asarray(self._shards["answerable"].sum(axis=0))

    def _tallies(self, first: int, last: int) -> tuple[list[tasks.Runs], Longs, Tally]:
        """The first pass over some runs: what was asked, all rows by bin, and the counted ones."""
        ends = (self._shards[name][:, first:last] for name in ("lowest", "highest"))
        lowest, highest = (end[~np.isnan(end)] for end in ends)
        scale = Scale(float(lowest.min()), float(highest.max()))
        asks = [tasks.Runs(shard, first, last, scale) for shard in range(self.plan.job.shards)]
        found = [result for _, result in self.engine.each(tasks.tallied, self.plan.job, asks)]
        return asks, np.sum([rows for rows, _ in found], axis=0), sum((tally for _, tally in found[1:]), found[0][1])

    def _threshold(self, first: int, last: int, annotations: int) -> Threshold | None:
        """Of some runs taken as one, in two passes; None where they have no counted prediction."""
        if not self._predicted[first:last].any():
            return None
        asks, _, found = self._tallies(first, last)
        if not found.rows.any():
            return None
        wanted = wanted_bins(found, annotations)
        blocks = [block for _, block in self.engine.each(tasks.pick, self.plan.job, [tasks.Picked(ask, wanted) for ask in asks])]
        score, right = (np.concatenate(columns) for columns in zip(*blocks, strict=True))
        return fewest_errors_of(asks[0].scale, found, wanted, (score, right), annotations)


def put_together(version: Version, plan: Plan, stretches: Sequence[str], thresholds: tuple[Threshold, ...], room: Path) -> Evaluation:
    """The version as it is understood, its columns mapped from one file in `room`."""
    manifest = version.latest_manifest
    images, coverage = read_images(version.folder / manifest.images)
    annotations, _ = read_annotations(version.folder / manifest.annotations)
    boxes, concepts = plan.job.kind == "detection", tuple(one.name for one in manifest.concepts)
    if not stretches:
        return evaluate(manifest.kind, concepts, images, coverage, annotations, no_predictions(boxes), manifest.iou)
    files = [Stored(location) for location in stretches]
    names = [*tasks.PREDICTED, *tasks.OUTCOME, *(["box"] if boxes else ["owner"])]
    write_mapped(room / "assembled", {name: Chained(files, name) for name in names})
    columns = read_mapped(room / "assembled")
    assert columns is not None
    predictions = Predictions(**{"box": None, **{name: columns[name] for name in (*tasks.PREDICTED, *(["box"] if boxes else []))}})
    state, partner = columns["state"], columns["partner"]
    answer, own = (np.full(len(annotations), -1, np.int32) for _ in range(2))
    rows = np.flatnonzero(state == MATCHED)
    answer[partner[rows]] = rows
    stairs = None
    if boxes:
        shards = [tasks.staircase_of(Stored(plan.job.file(shard_name(shard)))) for shard in range(plan.job.shards)]
        stairs = gathered_staircase(shards, len(annotations))
    else:
        rows = np.flatnonzero(columns["owner"] >= 0)
        own[columns["owner"][rows]] = rows
    return Evaluation(
        manifest.kind, concepts, manifest.iou, images, coverage, annotations, predictions,
        state, partner, columns["iou"], answer, own, stairs, chosen=thresholds,
    )  # fmt: skip


@contextmanager
def room_for(plan: Plan) -> Iterator[Path]:
    """A folder of this machine for the columns as a whole: beside the workspace, or where this machine keeps what is passing."""
    folder = None if is_remote(plan.job.work) else plan.job.work
    with tempfile.TemporaryDirectory(prefix="pellucid-", dir=folder) as room:
        yield Path(room)
