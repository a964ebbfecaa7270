"""Metrics of a version for the figures page: curves, calibration, objectives, error causes, of a
split and a concept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.analysis.calibration import Calibration, measure_calibration
from pellucid.analysis.confusion import ConfusionMatrix, build_confusion_matrix, order_by_confusion
from pellucid.analysis.curves import Curve, build_curve, curve_at_thresholds
from pellucid.analysis.tide import TideReport
from pellucid.browse.selection import TabSelection
from pellucid.core.display import Displayed
from pellucid.core.tables import SPLITS, Float64Array, Int64Array
from pellucid.evaluation.bootstrap import Interval, objective_interval
from pellucid.evaluation.counts import count_outcomes, f1, histogram, precision, recall
from pellucid.evaluation.error_causes import CAUSES, false_negative_causes, false_positive_causes
from pellucid.evaluation.evaluation import TRAINING, VALIDATION, Evaluation
from pellucid.evaluation.objectives import optimize_objective, parse_objective
from pellucid.evaluation.thresholds import (
    ScoredPredictions,
    Threshold,
    min_error_thresholds,
)
from pellucid.results.curves_svg import curves_svg

MIN_ANNOTATIONS = 30
"""Below this number of annotations, metrics get a remark."""
HISTOGRAM_BINS = 60
DEFAULT_OBJECTIVES = (
    "errors",
    "f1",
    "precision:0.9",
    "precision:0.95",
    "recall:0.9",
    "recall:0.95",
    "cost:1,2",
    "cost:2,1",
    "cost:1,5",
    "cost:5,1",
)


@dataclass(frozen=True)
class OperatingPoint:
    """Counts and metrics of a split, at one threshold per concept."""

    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class CurveFigures:
    """Columns of equal length: counts and metrics at each threshold; null where undefined."""

    threshold: list[float]
    tp: list[int]
    fp: list[int]
    errors: list[int]
    precision: list[float | None]
    recall: list[float | None]
    f1: list[float | None]


@dataclass(frozen=True)
class ScoreHistogram:
    """Histogram of scores.

    Attributes:
        edges: one more than bins
        right, wrong: true and false positives
        other: ignored predictions
    """

    edges: list[float]
    right: list[int]
    wrong: list[int]
    other: list[int]


@dataclass(frozen=True)
class ReliabilityDiagram:
    """Per bin: predictions, how many match, their mean score and the share that match (null in an
    empty bin)

    Attributes:
        error: the expected calibration error
    """

    edges: list[float]
    number: list[int]
    right: list[int]
    score: list[float | None]
    share: list[float | None]
    error: float
    verdict: str


@dataclass(frozen=True)
class SplitFigures(Displayed):
    """Metrics of one split: at the thresholds, and curves against the threshold."""

    split: str
    annotations: int
    images: int
    at: OperatingPoint
    curve: CurveFigures
    histogram: ScoreHistogram
    calibration: ReliabilityDiagram | None

    @property
    def svg(self) -> str:
        """The curves as a standalone SVG drawing."""
        return curves_svg(self.curve)


@dataclass(frozen=True)
class ThresholdFigures:
    """A threshold for an objective.

    Attributes:
        threshold: null if no threshold reaches it
        equally_good: the range of thresholds that serve the objective as well
        interval: 90 %, by bootstrap
    """

    objective: str
    threshold: float | None
    errors: int | None
    tp: int | None
    fp: int | None
    fn: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    equally_good: tuple[float, float] | None
    interval: tuple[float, float] | None


def operating_point(tp: int, fp: int, fn: int) -> OperatingPoint:
    return OperatingPoint(tp, fp, fn, precision(tp, fp), recall(tp, fn), f1(tp, fp, fn))


def split_figures(
    evaluation: Evaluation, split: int, concept: int | None, thresholds: Float64Array
) -> SplitFigures:
    counts = count_outcomes(evaluation, split, thresholds)
    concept_slice = slice(None) if concept is None else slice(concept, concept + 1)
    tp, fp, fn = (
        int(concept_counts[concept_slice].sum())
        for concept_counts in (counts.tp, counts.fp, counts.fn)
    )
    has_scores = evaluation.has_scores
    score_histogram = histogram(evaluation, split, concept, HISTOGRAM_BINS)
    image_count = int(((evaluation.images.split == split) & (evaluation.coverage != 0)).sum())
    return SplitFigures(
        SPLITS[split],
        tp + fn,
        image_count,
        operating_point(tp, fp, fn),
        curve_figures(build_curve(evaluation, split, concept)) if has_scores else NO_CURVES,
        ScoreHistogram(
            score_histogram.edges.tolist(),
            score_histogram.right.tolist(),
            score_histogram.wrong.tolist(),
            score_histogram.other.tolist(),
        ),
        reliability_diagram(measure_calibration(evaluation, split, concept))
        if tp + fn and has_scores
        else None,
    )


NO_CURVES = CurveFigures([], [], [], [], [], [], [])
"""Without scores there is no threshold to draw them against."""


def curve_figures(threshold_curve: Curve) -> CurveFigures:
    return CurveFigures(
        threshold_curve.threshold.tolist(),
        threshold_curve.tp.tolist(),
        threshold_curve.fp.tolist(),
        threshold_curve.errors.tolist(),
        nan_to_none(threshold_curve.precision),
        nan_to_none(threshold_curve.recall),
        nan_to_none(threshold_curve.f1),
    )


def nan_to_none(array: Float64Array) -> list[float | None]:
    return [None if np.isnan(element) else element for element in array.tolist()]


def reliability_diagram(calibration_bins: Calibration | None) -> ReliabilityDiagram | None:
    if calibration_bins is None:
        return None
    return ReliabilityDiagram(
        calibration_bins.edges.tolist(),
        calibration_bins.prediction_counts.tolist(),
        calibration_bins.match_counts.tolist(),
        nan_to_none(calibration_bins.mean_score),
        nan_to_none(calibration_bins.match_rate),
        calibration_bins.error,
        describe_calibration(calibration_bins),
    )


def describe_calibration(calibration_bins: Calibration) -> str:
    """A one-sentence summary of the calibration."""
    overconfidence = np.where(
        calibration_bins.prediction_counts >= MIN_BIN_PREDICTIONS,
        calibration_bins.mean_score - calibration_bins.match_rate,
        0.0,
    )
    overconfident, underconfident = (
        np.flatnonzero(overconfidence > CALIBRATION_TOLERANCE),
        np.flatnonzero(overconfidence < -CALIBRATION_TOLERANCE),
    )
    if not len(overconfident) and not len(underconfident):
        return "The model is well calibrated: its scores match the observed precision."
    phrases = []
    for bin_indexes, phrase in (
        (overconfident, "overconfident (precision is lower than the scores)"),
        (underconfident, "underconfident (precision is higher than the scores)"),
    ):
        if len(bin_indexes):
            breaks = np.flatnonzero(np.diff(bin_indexes) > 1) + 1
            ranges = [
                f"{calibration_bins.edges[run[0]]:.2f} to {calibration_bins.edges[run[-1] + 1]:.2f}"
                for run in np.split(bin_indexes, breaks)
            ]
            phrases.append(f"{phrase} at scores of {', '.join(ranges)}")
    return f"The model is {' and '.join(phrases)}."


MIN_BIN_PREDICTIONS, CALIBRATION_TOLERANCE = 5, 0.05
"""Fewest predictions of a bin that is judged, and the allowed difference between its mean score
and its precision."""


def figure_remarks(
    evaluation: Evaluation, concept: int | None, figures_by_split: Sequence[SplitFigures]
) -> list[str]:
    """Warnings about the reliability of the metrics."""
    concept_name = "all concepts" if concept is None else evaluation.concepts[concept]
    sparse_splits = [
        figures
        for figures in figures_by_split
        if figures.images and figures.annotations < MIN_ANNOTATIONS
    ]
    messages = [
        f"{figures.split}: metrics are based on "
        f"{'no' if not figures.annotations else f'only {figures.annotations}'} annotations of "
        f"{concept_name}"
        for figures in sparse_splits
    ]
    annotated_splits = {
        figures.split: figures for figures in figures_by_split if figures.annotations
    }
    if "training" in annotated_splits and "validation" in annotated_splits:
        messages += train_gap_remarks(
            annotated_splits["training"].at,
            annotated_splits["validation"].at,
            lambda: validation_fitted_to_training(evaluation, concept),
        )
    return messages


MIN_SHARE_GAP = 0.05
"""Smallest difference between training and validation that is remarked on."""


def validation_fitted_to_training(evaluation: Evaluation, concept: int | None) -> OperatingPoint:
    """Validation at the thresholds that make the fewest errors on training. Those in use make the
    fewest on validation, so training looks worse at them even where the model does equally well."""
    concept_count = len(evaluation.concepts)
    predictions = [
        evaluation.concept_predictions(TRAINING, index) for index in range(concept_count)
    ]
    thresholds = np.array([threshold.value for threshold in min_error_thresholds(predictions)])
    counts = count_outcomes(evaluation, VALIDATION, thresholds)
    rows = slice(None) if concept is None else slice(concept, concept + 1)
    return operating_point(
        int(counts.tp[rows].sum()), int(counts.fp[rows].sum()), int(counts.fn[rows].sum())
    )


def train_gap_remarks(
    training: OperatingPoint, validation: OperatingPoint, fit: Callable[[], OperatingPoint]
) -> list[str]:
    """Whether training is significantly better (overfitting) or worse (noisy labels) than
    validation: a two-proportion test of the shares of correct decisions, at 1 %.

    Args:
        fit: validation at the thresholds that are best on training. Training is worse if it is
            worse than that too.
    """
    trials = [(point.tp, point.tp + point.fp + point.fn) for point in (training, validation)]
    if min(decision_count for _, decision_count in trials) < MIN_ANNOTATIONS:
        return []
    (a, n), (b, m) = trials
    pooled = (a + b) / (n + m)
    standard_error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    difference = a / n - b / m
    if (
        not standard_error
        or abs(difference) < 2.58 * standard_error
        or abs(difference) < MIN_SHARE_GAP
    ):
        return []
    shares = (
        f"TP / (TP + FP + FN) is {100 * a / n:.0f} % on training, {100 * b / m:.0f} % on validation"
    )
    if difference > 0:
        return [f"{shares}: the model does better on its training images (overfitting)"]
    fitted = fit()
    if a / n > fitted.tp / max(1, fitted.tp + fitted.fp + fitted.fn) - MIN_SHARE_GAP:
        return []
    return [
        f"{shares}: worse on training, which suggests noisy training annotations or a harder split"
    ]


def objective_thresholds(
    evaluation: Evaluation, concept: int | None, objective_names: Sequence[str]
) -> list[ThresholdFigures]:
    """Thresholds for each objective, on validation; none without scores. concept None: one
    threshold for all concepts together. Raises InvalidObjectiveError."""
    if not evaluation.has_scores:
        return []
    counted_predictions = (
        evaluation.concept_predictions(VALIDATION, concept)
        if concept is not None
        else pool_counted(evaluation)
    )
    threshold_list = []
    for objective_name in objective_names:
        objective = parse_objective(objective_name)
        threshold_list.append(
            threshold_figures(
                objective_name,
                optimize_objective(counted_predictions, objective),
                objective_interval(evaluation, concept, objective),
            )
        )
    return threshold_list


def pool_counted(evaluation: Evaluation) -> ScoredPredictions:
    counted_by_concept = [
        evaluation.concept_predictions(VALIDATION, concept_index)
        for concept_index in range(len(evaluation.concepts))
    ]
    score = (
        np.concatenate([counted.score for counted in counted_by_concept])
        if counted_by_concept
        else np.zeros(0)
    )
    is_correct = (
        np.concatenate([counted.is_match for counted in counted_by_concept])
        if counted_by_concept
        else np.zeros(0, bool)
    )
    order = np.argsort(-score, kind="stable")
    return ScoredPredictions(
        score[order],
        is_correct[order],
        sum(counted.annotation_count for counted in counted_by_concept),
    )


def threshold_figures(
    objective_name: str, threshold: Threshold | None, interval: Interval | None
) -> ThresholdFigures:
    if threshold is None:
        return ThresholdFigures(
            objective_name, None, None, None, None, None, None, None, None, None, None
        )
    point = operating_point(threshold.tp, threshold.fp, threshold.fn)
    return ThresholdFigures(
        objective_name,
        threshold.value,
        threshold.errors,
        threshold.tp,
        threshold.fp,
        threshold.fn,
        point.precision,
        point.recall,
        point.f1,
        threshold.equally_good,
        interval,
    )


@dataclass(frozen=True)
class ConfusionFigures:
    """A confusion matrix as the page shows it.

    Attributes:
        order: concepts, clustered so that confused ones are adjacent
        annotated, predicted, number: the non-zero cells, by concept index (the number of concepts
            stands for none)
    """

    order: list[int]
    annotated: list[int]
    predicted: list[int]
    number: list[int]


def confusion_figures(
    evaluation: Evaluation, split: int, thresholds: Float64Array
) -> ConfusionFigures:
    confusion_matrix: ConfusionMatrix = build_confusion_matrix(evaluation, split, thresholds)
    annotated, predicted, cell_counts = confusion_matrix.cells(evaluation)
    order: Int64Array = order_by_confusion(
        len(evaluation.concepts), annotated, predicted, cell_counts
    )
    return ConfusionFigures(
        order.tolist(), annotated.tolist(), predicted.tolist(), cell_counts.tolist()
    )


@dataclass(frozen=True)
class CauseFigures:
    """Number of errors of a tab with a cause."""

    tab: str
    cause: str
    number: int


@dataclass(frozen=True)
class Gain:
    """Increase of AP if all errors of a type were fixed, as defined by TIDE."""

    kind: str
    gain: float
    number: int


@dataclass(frozen=True)
class ErrorCauses(Displayed):
    """Errors by type with the AP that fixing each would gain.

    Attributes:
        gains: in detection over all concepts, empty otherwise
        ap: at the version's IoU, the baseline of the gains
    """

    causes: list[CauseFigures]
    ap: float | None
    gains: list[Gain]
    false_positives: float | None
    false_negatives: float | None


def cause_figures(
    evaluation: Evaluation,
    split: int,
    concept: int | None,
    thresholds: Float64Array,
    tide: Callable[[int], TideReport | None],
) -> ErrorCauses:
    """tide: gives the TIDE figures of a split; asked for in detection with all concepts only."""
    causes = []
    for tab, find_causes in (("extra", false_negative_causes), ("missing", false_positive_causes)):
        error_rows = TabSelection(
            evaluation, "extra" if tab == "extra" else "missing", split, concept, thresholds
        ).all_rows()
        cause_counts = np.bincount(
            find_causes(evaluation, error_rows, thresholds), minlength=len(CAUSES)
        )
        causes += [
            CauseFigures(tab, CAUSES[cause_index], int(cause_counts[cause_index]))
            for cause_index in np.argsort(-cause_counts, kind="stable")
            if cause_counts[cause_index]
        ]
    if evaluation.kind != "detection" or concept is not None:
        return ErrorCauses(causes, None, [], None, None)
    tide_figures = tide(split)
    if tide_figures is None:
        return ErrorCauses(causes, None, [], None, None)
    gains = [
        Gain(kind, gain, tide_figures.error_counts[kind])
        for kind, gain in sorted(tide_figures.ap_gains.items(), key=lambda pair: -pair[1])
    ]
    return ErrorCauses(
        causes,
        tide_figures.ap,
        gains,
        tide_figures.false_positive_gain,
        tide_figures.false_negative_gain,
    )


@dataclass(frozen=True)
class TabChange:
    """Effect on a tab of moving a threshold from `before` to `after`: the number of items that
    enter (positive) or leave, and how to list them: the tab, the threshold and the filter."""

    tab: str
    change: int
    threshold: float
    only: str


def tab_changes(
    evaluation: Evaluation, split: int, concept: int, before: float, after: float
) -> list[TabChange]:
    low, high = min(before, after), max(before, after)
    curve_points = curve_at_thresholds(evaluation, split, concept, np.array([low, high]))
    sign = 1 if after < before else -1
    matched, wrong = (
        int(curve_points.tp[0] - curve_points.tp[1]),
        int(curve_points.fp[0] - curve_points.fp[1]),
    )
    score_range = f"{low!r}..{high!r}"
    return [
        TabChange("matched", sign * matched, low, f"score:{score_range}"),
        TabChange("missing", sign * wrong, low, f"score:{score_range}"),
        TabChange("extra", -sign * matched, high, f"answered:{score_range}"),
    ]
