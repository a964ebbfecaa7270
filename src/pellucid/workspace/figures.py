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
from pellucid.workspace.loaded import Results
from pellucid.workspace.notebook import figures_svg

MIN_ANNOTATIONS = 30
"""Annotations under which a figure is said to rest on few."""
HISTOGRAM_BINS = 60
DEFAULT_OBJECTIVES = ("errors", "f1", "precision:0.9", "precision:0.95", "recall:0.9", "recall:0.95", "cost:1,2", "cost:2,1", "cost:1,5", "cost:5,1")


@dataclass(frozen=True)
class OperatingPoint:
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
class ScoreHistogram:
    """Scores: edges rise, one more than bins · right, wrong: predictions that match, that do not · other: that take no part."""

    edges: list[float]
    right: list[int]
    wrong: list[int]
    other: list[int]


@dataclass(frozen=True)
class ReliabilityDiagram:
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
    at: OperatingPoint
    curve: CurveFigures
    histogram: ScoreHistogram
    calibration: ReliabilityDiagram | None

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


def operating_point(tp: int, fp: int, fn: int) -> OperatingPoint:
    return OperatingPoint(tp, fp, fn, precision(tp, fp), recall(tp, fn), f1(tp, fp, fn))


def split_figures(results: Results, split: int, concept: int | None, thresholds: Floats) -> SplitFigures:
    evaluation = results.evaluation
    counts = count(evaluation, split, thresholds)
    concept_slice = slice(None) if concept is None else slice(concept, concept + 1)
    tp, fp, fn = (int(concept_counts[concept_slice].sum()) for concept_counts in (counts.tp, counts.fp, counts.fn))
    score_histogram = histogram(evaluation, split, concept, HISTOGRAM_BINS)
    image_count = int(((evaluation.images.split == split) & (evaluation.coverage != 0)).sum())
    return SplitFigures(
        SPLITS[split], tp + fn, image_count, operating_point(tp, fp, fn), curve_figures(curve(evaluation, split, concept)),
        ScoreHistogram(score_histogram.edges.tolist(), score_histogram.right.tolist(), score_histogram.wrong.tolist(), score_histogram.other.tolist()),
        reliability_diagram(calibration(evaluation, split, concept)) if tp + fn else None,
    )  # fmt: skip


def curve_figures(threshold_curve: Curve) -> CurveFigures:
    return CurveFigures(
        threshold_curve.threshold.tolist(), threshold_curve.tp.tolist(), threshold_curve.fp.tolist(), threshold_curve.errors.tolist(), nan_to_none(threshold_curve.precision), nan_to_none(threshold_curve.recall),
        nan_to_none(threshold_curve.f1),
    )  # fmt: skip


def nan_to_none(array: Floats) -> list[float | None]:
    return [None if np.isnan(element) else element for element in array.tolist()]


def reliability_diagram(calibration_bins: Calibration | None) -> ReliabilityDiagram | None:
    if calibration_bins is None:
        return None
    return ReliabilityDiagram(
        calibration_bins.edges.tolist(), calibration_bins.number.tolist(), calibration_bins.right.tolist(), nan_to_none(calibration_bins.mean_score), nan_to_none(calibration_bins.share), calibration_bins.error,
        describe_calibration(calibration_bins),
    )  # fmt: skip


def describe_calibration(calibration_bins: Calibration) -> str:
    """What the curve means, in a sentence."""
    overconfidence = np.where(calibration_bins.number >= MIN_BIN_PREDICTIONS, calibration_bins.mean_score - calibration_bins.share, 0.0)
    overconfident, underconfident = np.flatnonzero(overconfidence > CALIBRATION_TOLERANCE), np.flatnonzero(overconfidence < -CALIBRATION_TOLERANCE)
    if not len(overconfident) and not len(underconfident):
        return "Scores can be read as chances: they are right about as often as they say."
    phrases = []
    for bin_indexes, phrase in (
        (overconfident, "too sure of itself (right less often than it says)"),
        (underconfident, "too modest (right more often than it says)"),
    ):
        if len(bin_indexes):
            low, high = calibration_bins.edges[bin_indexes[0]], calibration_bins.edges[bin_indexes[-1] + 1]
            phrases.append(f"{phrase} at scores of {low:.2f} to {high:.2f}")
    return f"The model is {' and '.join(phrases)}."


MIN_BIN_PREDICTIONS, CALIBRATION_TOLERANCE = 5, 0.05
"""Predictions that a bin must have to be judged, and how far a score may be from the share of right ones."""


def figure_remarks(results: Results, concept: int | None, figures_by_split: Sequence[SplitFigures]) -> list[str]:
    """What a reader should know before believing a figure."""
    concept_name = "all concepts" if concept is None else results.evaluation.concepts[concept]
    sparse_splits = [figures for figures in figures_by_split if figures.images and figures.annotations < MIN_ANNOTATIONS]
    messages = [
        f"{figures.split}: {'no' if not figures.annotations else f'only {figures.annotations}'} annotations of {concept_name} carry these figures"
        for figures in sparse_splits
    ]
    annotated_splits = {figures.split: figures for figures in figures_by_split if figures.annotations}
    if "training" in annotated_splits and "validation" in annotated_splits:
        messages += train_gap_remarks(annotated_splits["training"].at, annotated_splits["validation"].at)
    return messages


def train_gap_remarks(training: OperatingPoint, validation: OperatingPoint) -> list[str]:
    """Whether training is so much better that the model learnt it by heart, or so much worse that its labels are noisy: by a test of two
    shares of right decisions, at 1 %."""
    trials = [(point.tp, point.tp + point.fp + point.fn) for point in (training, validation)]
    if min(decision_count for _, decision_count in trials) < MIN_ANNOTATIONS:
        return []
    (a, n), (b, m) = trials
    pooled = (a + b) / (n + m)
    standard_error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    difference = a / n - b / m
    if not standard_error or abs(difference) < 2.58 * standard_error or abs(difference) < 0.05:
        return []
    shares = f"{100 * a / n:.0f} % of decisions right on training, {100 * b / m:.0f} % on validation"
    if difference > 0:
        return [f"{shares}: the model knows its training images better than new ones (overfitted)"]
    return [f"{shares}: worse on what it was trained on, which points to noisy training annotations or a harder split"]


def objective_thresholds(results: Results, concept: int | None, objective_names: Sequence[str]) -> list[ThresholdFigures]:
    """Thresholds for each objective, on validation. concept None: one threshold for all concepts together. Raises ObjectiveBad."""
    evaluation = results.evaluation
    counted_predictions = evaluation.counted(VALIDATION, concept) if concept is not None else pool_counted(evaluation)
    threshold_list = []
    for objective_name in objective_names:
        objective = parsed(objective_name)
        threshold_list.append(threshold_figures(objective_name, best_for(counted_predictions, objective), objective_interval(evaluation, concept, objective)))
    return threshold_list


def pool_counted(evaluation: Evaluation) -> Counted:
    counted_by_concept = [evaluation.counted(VALIDATION, concept_index) for concept_index in range(len(evaluation.concepts))]
    score = np.concatenate([counted.score for counted in counted_by_concept]) if counted_by_concept else np.zeros(0)
    is_correct = np.concatenate([counted.right for counted in counted_by_concept]) if counted_by_concept else np.zeros(0, bool)
    order = np.argsort(-score, kind="stable")
    return Counted(score[order], is_correct[order], sum(counted.annotations for counted in counted_by_concept))


def threshold_figures(objective_name: str, threshold: Threshold | None, interval: Interval | None) -> ThresholdFigures:
    if threshold is None:
        return ThresholdFigures(objective_name, None, None, None, None, None, None, None, None, None)
    point = operating_point(threshold.tp, threshold.fp, threshold.fn)
    return ThresholdFigures(objective_name, threshold.value, threshold.errors, threshold.tp, threshold.fp, threshold.fn, point.precision, point.recall, point.f1, interval)


@dataclass(frozen=True)
class ConfusionFigures:
    """order: concepts such that those taken for each other lie together · annotated, predicted, number: the cells that are not 0, by
    position in the concepts (none: their number)."""

    order: list[int]
    annotated: list[int]
    predicted: list[int]
    number: list[int]


def confusion_figures(results: Results, split: int, thresholds: Floats) -> ConfusionFigures:
    confusion_matrix: Confusion = confusion(results.evaluation, split, thresholds)
    annotated, predicted, cell_counts = confusion_matrix.cells(results.evaluation)
    order: Longs = clustered(len(results.evaluation.concepts), annotated, predicted, cell_counts)
    return ConfusionFigures(order.tolist(), annotated.tolist(), predicted.tolist(), cell_counts.tolist())


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
class ErrorCauses:
    """gains: of detection over all concepts, null elsewhere · ap: at the version's IoU, which they add to."""

    causes: list[CauseFigures]
    ap: float | None
    gains: list[Gain]
    false_positives: float | None
    false_negatives: float | None


def cause_figures(results: Results, split: int, concept: int | None, thresholds: Floats) -> ErrorCauses:
    evaluation = results.evaluation
    causes = []
    for tab, find_causes in (("extra", causes_of_extra), ("missing", causes_of_missing)):
        error_rows = Selection(evaluation, "extra" if tab == "extra" else "missing", split, concept, thresholds).every()
        cause_counts = np.bincount(find_causes(evaluation, error_rows, thresholds), minlength=len(CAUSES))
        causes += [CauseFigures(tab, CAUSES[cause_index], int(cause_counts[cause_index])) for cause_index in np.argsort(-cause_counts, kind="stable") if cause_counts[cause_index]]
    if evaluation.kind != "detection" or concept is not None:
        return ErrorCauses(causes, None, [], None, None)
    tide_figures: Tide | None = results.tide(split)
    if tide_figures is None:
        return ErrorCauses(causes, None, [], None, None)
    gains = [Gain(kind, gain, tide_figures.number[kind]) for kind, gain in sorted(tide_figures.gain.items(), key=lambda pair: -pair[1])]
    return ErrorCauses(causes, tide_figures.ap, gains, tide_figures.false_positives, tide_figures.false_negatives)


@dataclass(frozen=True)
class TabChange:
    """What would change were a threshold moved from `before` to `after`: of each tab the items that enter (positive) or leave, and how
    to see them: the tab, the threshold to look at it at, and what narrows it down."""

    tab: str
    change: int
    threshold: float
    only: str


def tab_changes(evaluation: Evaluation, split: int, concept: int, before: float, after: float) -> list[TabChange]:
    low, high = min(before, after), max(before, after)
    curve_points = curve_at(evaluation, split, concept, np.array([low, high]))
    sign = 1 if after < before else -1
    matched, wrong = int(curve_points.tp[0] - curve_points.tp[1]), int(curve_points.fp[0] - curve_points.fp[1])
    score_range = f"{low!r}..{high!r}"
    return [
        TabChange("matched", sign * matched, low, f"score:{score_range}"),
        TabChange("missing", sign * wrong, low, f"score:{score_range}"),
        TabChange("extra", -sign * matched, high, f"answered:{score_range}"),
    ]
