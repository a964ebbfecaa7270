"""How good a version is, and at which threshold: everything that the figures page shows, of one split and concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.columns import SPLITS, Floats, Longs
from pellucid.understand.calibration import Calibration, calibration
from pellucid.understand.causes import CAUSES, causes_of_extra, causes_of_missing
from pellucid.understand.confusion import Confusion, clustered, confusion
from pellucid.understand.counts import count, f1, histogram, precision, recall
from pellucid.understand.curves import Curve, curve, curve_at
from pellucid.understand.evaluation import VALIDATION, Evaluation
from pellucid.understand.gallery import Selection
from pellucid.understand.intervals import Interval, objective_interval
from pellucid.understand.objectives import best_for, parsed
from pellucid.understand.thresholds import Counted, Threshold
from pellucid.understand.tide import Tide
from pellucid.workspace.loaded import Loaded
from pellucid.workspace.notebook import figures_svg

FEW = 30
"""Annotations under which a figure is said to rest on few."""
BINS = 60
OFFERED = ("errors", "f1", "precision:0.9", "precision:0.95", "recall:0.9", "recall:0.95", "cost:1,2", "cost:2,1", "cost:1,5", "cost:5,1")


@dataclass(frozen=True)
class Spot:
    """A split or version at one threshold a concept."""

    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class CurveFigures:
    """Columns of one length: at each threshold what is found and what is wrong; null where undefined."""

    threshold: list[float]
    tp: list[int]
    fp: list[int]
    errors: list[int]
    precision: list[float | None]
    recall: list[float | None]
    f1: list[float | None]


@dataclass(frozen=True)
class Bins:
    """Scores: edges rise, one more than bins · right, wrong: predictions that match, that do not · other: that take no part."""

    edges: list[float]
    right: list[int]
    wrong: list[int]
    other: list[int]


@dataclass(frozen=True)
class Reliability:
    """A bin each: predictions, how many of them match, their mean score and the share that match (null in an empty bin) · error: the
    expected calibration error."""

    edges: list[float]
    number: list[int]
    right: list[int]
    score: list[float | None]
    share: list[float | None]
    error: float
    verdict: str


@dataclass(frozen=True)
class SplitFigures:
    """Of one split: at the thresholds, and along them."""

    split: str
    annotations: int
    images: int
    at: Spot
    curve: CurveFigures
    histogram: Bins
    calibration: Reliability | None

    @property
    def svg(self) -> str:
        """The curves, as a drawing."""
        return figures_svg(self)

    def _repr_html_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class ThresholdFigures:
    """A threshold for an objective. threshold: null where no cut reaches it · interval: 90 %, by bootstrap."""

    objective: str
    threshold: float | None
    errors: int | None
    tp: int | None
    fp: int | None
    fn: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    interval: tuple[float, float] | None


def spot(tp: int, fp: int, fn: int) -> Spot:
    return Spot(tp, fp, fn, precision(tp, fp), recall(tp, fn), f1(tp, fp, fn))


def split_figures(loaded: Loaded, split: int, concept: int | None, thresholds: Floats) -> SplitFigures:
    evaluation = loaded.evaluation
    counts = count(evaluation, split, thresholds)
    chosen = slice(None) if concept is None else slice(concept, concept + 1)
    tp, fp, fn = (int(column[chosen].sum()) for column in (counts.tp, counts.fp, counts.fn))
    found = histogram(evaluation, split, concept, BINS)
    images = int(((evaluation.images.split == split) & (evaluation.coverage != 0)).sum())
    return SplitFigures(
        SPLITS[split], tp + fn, images, spot(tp, fp, fn), curve_figures(curve(evaluation, split, concept)),
        Bins(found.edges.tolist(), found.right.tolist(), found.wrong.tolist(), found.other.tolist()),
        reliability(calibration(evaluation, split, concept)) if tp + fn else None,
    )  # fmt: skip


def curve_figures(found: Curve) -> CurveFigures:
    return CurveFigures(
        found.threshold.tolist(), found.tp.tolist(), found.fp.tolist(), found.errors.tolist(), nulls(found.precision), nulls(found.recall),
        nulls(found.f1),
    )  # fmt: skip


def nulls(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


def reliability(found: Calibration | None) -> Reliability | None:
    if found is None:
        return None
    return Reliability(
        found.edges.tolist(), found.number.tolist(), found.right.tolist(), nulls(found.mean_score), nulls(found.share), found.error,
        verdict(found),
    )  # fmt: skip


def verdict(found: Calibration) -> str:
    """What the curve means, in a sentence."""
    off = np.where(found.number >= TOLD_BY, found.mean_score - found.share, 0.0)
    sure, modest = np.flatnonzero(off > NEAR), np.flatnonzero(off < -NEAR)
    if not len(sure) and not len(modest):
        return "Scores can be read as chances: they are right about as often as they say."
    said = []
    for where, words in (
        (sure, "too sure of itself (right less often than it says)"),
        (modest, "too modest (right more often than it says)"),
    ):
        if len(where):
            low, high = found.edges[where[0]], found.edges[where[-1] + 1]
            said.append(f"{words} at scores of {low:.2f} to {high:.2f}")
    return f"The model is {' and '.join(said)}."


TOLD_BY, NEAR = 5, 0.05
"""Predictions that a bin must have to be judged, and how far a score may be from the share of right ones."""


def remarks(loaded: Loaded, concept: int | None, several: Sequence[SplitFigures]) -> list[str]:
    """What a reader should know before believing a figure."""
    name = "all concepts" if concept is None else loaded.evaluation.concepts[concept]
    few = [one for one in several if one.images and one.annotations < FEW]
    said = [
        f"{one.split}: {'no' if not one.annotations else f'only {one.annotations}'} annotations of {name} carry these figures"
        for one in few
    ]
    known = {one.split: one for one in several if one.annotations}
    if "training" in known and "validation" in known:
        said += gap(known["training"].at, known["validation"].at)
    return said


def gap(training: Spot, validation: Spot) -> list[str]:
    """Whether training is so much better that the model learnt it by heart, or so much worse that its labels are noisy: by a test of two
    shares of right decisions, at 1 %."""
    trials = [(one.tp, one.tp + one.fp + one.fn) for one in (training, validation)]
    if min(whole for _, whole in trials) < FEW:
        return []
    (a, n), (b, m) = trials
    pooled = (a + b) / (n + m)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    apart = a / n - b / m
    if not spread or abs(apart) < 2.58 * spread or abs(apart) < 0.05:
        return []
    shares = f"{100 * a / n:.0f} % of decisions right on training, {100 * b / m:.0f} % on validation"
    if apart > 0:
        return [f"{shares}: the model knows its training images better than new ones (overfitted)"]
    return [f"{shares}: worse on what it was trained on, which points to noisy training annotations or a harder split"]


def objectives(loaded: Loaded, concept: int | None, asked: Sequence[str]) -> list[ThresholdFigures]:
    """Thresholds for each objective, on validation. concept None: one threshold for all concepts together. Raises ObjectiveBad."""
    evaluation = loaded.evaluation
    counted = evaluation.counted(VALIDATION, concept) if concept is not None else all_counted(evaluation)
    found = []
    for words in asked:
        objective = parsed(words)
        found.append(threshold_figures(words, best_for(counted, objective), objective_interval(evaluation, concept, objective)))
    return found


def all_counted(evaluation: Evaluation) -> Counted:
    several = [evaluation.counted(VALIDATION, place) for place in range(len(evaluation.concepts))]
    score = np.concatenate([one.score for one in several]) if several else np.zeros(0)
    right = np.concatenate([one.right for one in several]) if several else np.zeros(0, bool)
    order = np.argsort(-score, kind="stable")
    return Counted(score[order], right[order], sum(one.annotations for one in several))


def threshold_figures(words: str, one: Threshold | None, interval: Interval | None) -> ThresholdFigures:
    if one is None:
        return ThresholdFigures(words, None, None, None, None, None, None, None, None, None)
    at = spot(one.tp, one.fp, one.fn)
    return ThresholdFigures(words, one.value, one.errors, one.tp, one.fp, one.fn, at.precision, at.recall, at.f1, interval)


@dataclass(frozen=True)
class ConfusionFigures:
    """order: concepts such that those taken for each other lie together · annotated, predicted, number: the cells that are not 0, by
    position in the concepts (none: their number)."""

    order: list[int]
    annotated: list[int]
    predicted: list[int]
    number: list[int]


def confusion_figures(loaded: Loaded, split: int, thresholds: Floats) -> ConfusionFigures:
    found: Confusion = confusion(loaded.evaluation, split, thresholds)
    annotated, predicted, number = found.cells(loaded.evaluation)
    order: Longs = clustered(len(loaded.evaluation.concepts), annotated, predicted, number)
    return ConfusionFigures(order.tolist(), annotated.tolist(), predicted.tolist(), number.tolist())


@dataclass(frozen=True)
class CauseFigures:
    """How many errors of a tab have a cause."""

    tab: str
    cause: str
    number: int


@dataclass(frozen=True)
class Gain:
    """What AP would rise by were all mistakes of a kind fixed, as TIDE counts them."""

    kind: str
    gain: float
    number: int


@dataclass(frozen=True)
class Causes:
    """gains: of detection over all concepts, null elsewhere · ap: at the version's IoU, which they add to."""

    causes: list[CauseFigures]
    ap: float | None
    gains: list[Gain]
    false_positives: float | None
    false_negatives: float | None


def cause_figures(loaded: Loaded, split: int, concept: int | None, thresholds: Floats) -> Causes:
    evaluation = loaded.evaluation
    causes = []
    for tab, work in (("extra", causes_of_extra), ("missing", causes_of_missing)):
        rows = Selection(evaluation, "extra" if tab == "extra" else "missing", split, concept, thresholds).every()
        number = np.bincount(work(evaluation, rows, thresholds), minlength=len(CAUSES))
        causes += [CauseFigures(tab, CAUSES[place], int(number[place])) for place in np.argsort(-number, kind="stable") if number[place]]
    if evaluation.kind != "detection" or concept is not None:
        return Causes(causes, None, [], None, None)
    found: Tide | None = loaded.tide(split)
    if found is None:
        return Causes(causes, None, [], None, None)
    gains = [Gain(kind, gain, found.number[kind]) for kind, gain in sorted(found.gain.items(), key=lambda pair: -pair[1])]
    return Causes(causes, found.ap, gains, found.false_positives, found.false_negatives)


@dataclass(frozen=True)
class Move:
    """What would change were a threshold moved from `before` to `after`: of each tab the items that enter (positive) or leave, and how
    to see them: the tab, the threshold to look at it at, and what narrows it down."""

    tab: str
    change: int
    threshold: float
    only: str


def moves(evaluation: Evaluation, split: int, concept: int, before: float, after: float) -> list[Move]:
    low, high = min(before, after), max(before, after)
    at = curve_at(evaluation, split, concept, np.array([low, high]))
    sign = 1 if after < before else -1
    matched, wrong = int(at.tp[0] - at.tp[1]), int(at.fp[0] - at.fp[1])
    stretch = f"{low!r}..{high!r}"
    return [
        Move("matched", sign * matched, low, f"score:{stretch}"),
        Move("missing", sign * wrong, low, f"score:{stretch}"),
        Move("extra", -sign * matched, high, f"answered:{stretch}"),
    ]
