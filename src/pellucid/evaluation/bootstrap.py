"""Confidence intervals of thresholds: bootstrap over the validation images (Efron, 1979),
percentile method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray, Float64Array, Int64Array
from pellucid.evaluation.evaluation import VALIDATION, Evaluation
from pellucid.evaluation.match_result import MATCHED, WRONG
from pellucid.evaluation.objectives import Objective, objective_values

RESAMPLES = 200
CONFIDENCE_LEVEL = 0.9
MAX_UNBINNED = 20_000
"""Above this number of predictions of a concept they are resampled individually, in BIN_COUNT bins
of equal size, not by image: the interval is narrow then in any case."""
BIN_COUNT = 2_048
Interval = tuple[float, float]


def threshold_intervals(
    evaluation: Evaluation, resamples: int = RESAMPLES, seed: int = 0
) -> list[Interval | None]:
    """For each concept, the 90 % bootstrap interval of its threshold over validation sets of as
    many images.

    Fallback thresholds have the interval of all concepts together; None without predictions on
    validation.
    """
    concept_scores = [
        load_concept_scores(evaluation, concept) for concept in range(len(evaluation.concepts))
    ]
    has_fallback = any(threshold.source == "fallback" for threshold in evaluation.thresholds)
    score_sets = [
        bin_scores(scores) if len(scores[0]) > MAX_UNBINNED else scores
        for scores in (
            [*concept_scores, merge_scores(concept_scores)] if has_fallback else concept_scores
        )
    ]
    del concept_scores
    image_count, covered_index = index_covered_images(evaluation)
    rng = np.random.default_rng(seed)
    replicates = np.full((resamples, len(score_sets)), np.nan)
    for sample in range(resamples):
        image_weights = draw_images(rng, image_count)
        for set_index, scores in enumerate(score_sets):
            if isinstance(scores, ScoreBins):
                replicates[sample, set_index] = replicate_bin_threshold(scores, rng)
            elif len(scores[0]):
                replicates[sample, set_index] = replicate_threshold(
                    scores[0], scores[1], image_weights[covered_index[scores[2]]]
                )
    intervals = [
        percentile_interval(replicates[:, set_index]) for set_index in range(len(score_sets))
    ]
    return [
        intervals[-1]
        if threshold.source == "fallback" and has_fallback
        else intervals[concept_index]
        for concept_index, threshold in enumerate(evaluation.thresholds)
    ]


def index_covered_images(evaluation: Evaluation) -> tuple[int, Int64Array]:
    """The number of validation images that the model ran on, and the index of each image among
    them."""
    is_covered = (evaluation.images.split == VALIDATION) & (evaluation.coverage != NOT_RUN)
    return int(is_covered.sum()), np.where(is_covered, np.cumsum(is_covered) - 1, 0)


def draw_images(rng: np.random.Generator, image_count: int) -> Int64Array:
    """How often each image occurs among as many drawn with replacement."""
    drawn = rng.integers(0, max(1, image_count), image_count)
    return np.bincount(drawn, minlength=image_count)


ConceptScores = tuple[Float64Array, BoolArray, Int64Array]


def load_concept_scores(evaluation: Evaluation, concept: int) -> ConceptScores:
    """Descending scores, whether each is a match, and their images."""
    begin, end = evaluation.all_predictions.span(VALIDATION, concept)
    state = evaluation.state[begin:end]
    is_counted = (state == MATCHED) | (state == WRONG)
    predictions = evaluation.predictions
    return (
        np.asarray(predictions.score[begin:end][is_counted]),
        np.asarray(state[is_counted] == MATCHED),
        np.asarray(predictions.image[begin:end][is_counted], np.int64),
    )


def empty_scores() -> ConceptScores:
    """The scores of a concept without predictions."""
    return np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64)


def merge_scores(score_sets: list[ConceptScores]) -> ConceptScores:
    """The scores of several sets, highest first; of equal ones, those of the first set first."""
    score, is_match, image = (
        np.concatenate([scores[component] for scores in score_sets]) for component in range(3)
    )
    order = np.argsort(-score, kind="stable")
    return score[order], is_match[order], image[order]


def replicate_threshold(score: Float64Array, is_match: BoolArray, weights: Int64Array) -> float:
    """The lowest threshold with the fewest errors, predictions weighted by the draws of their
    image; NaN if none was drawn."""
    is_drawn = weights > 0
    score, is_match, weights = score[is_drawn], is_match[is_drawn], weights[is_drawn]
    if not len(score):
        return np.nan
    is_last_of_score = np.append(score[1:] != score[:-1], True)
    errors = np.concatenate(
        [[0], np.cumsum(np.where(is_match, -weights, weights))[is_last_of_score]]
    )
    best_index = len(errors) - 1 - int(np.argmin(errors[::-1]))
    distinct_scores = score[is_last_of_score]
    if best_index == 0:
        return float(np.nextafter(score[0], np.inf))
    return (
        float(distinct_scores[-1])
        if best_index == len(distinct_scores)
        else float((distinct_scores[best_index - 1] + distinct_scores[best_index]) / 2)
    )


@dataclass(frozen=True, eq=False)
class ScoreBins:
    """Predictions in BIN_COUNT equal bins, best first: number of matches and errors per bin.

    Attributes:
        thresholds: the value that includes the first 0, 1, 2, ... bins.
    """

    match_counts: Int64Array
    error_counts: Int64Array
    thresholds: Float64Array


def bin_scores(scores: ConceptScores) -> ScoreBins:
    """Sorted scores in `BIN_COUNT` bins of equally many predictions. There must be at least one."""
    score, is_match, _ = scores
    edges = np.linspace(0, len(score), BIN_COUNT + 1).astype(np.int64)
    match_counts = np.add.reduceat(is_match.astype(np.int64), edges[:-1])
    thresholds = np.concatenate([[np.nextafter(score[0], np.inf)], score[edges[1:] - 1]])
    return ScoreBins(match_counts, np.diff(edges) - match_counts, thresholds)


def replicate_bin_threshold(bins: ScoreBins, rng: np.random.Generator) -> float:
    """The lowest threshold with the fewest errors, predictions resampled individually; thresholds
    are between bins."""
    errors = np.concatenate(
        [[0], np.cumsum(rng.poisson(bins.error_counts) - rng.poisson(bins.match_counts))]
    )
    return float(bins.thresholds[len(errors) - 1 - int(np.argmin(errors[::-1]))])


def percentile_interval(replicates: Float64Array) -> Interval | None:
    """The central 90 % of the valid replicates."""
    valid_replicates = replicates[~np.isnan(replicates)]
    if not len(valid_replicates):
        return None
    low, high = np.quantile(
        valid_replicates,
        [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2],
        method="inverted_cdf",
    ).tolist()
    return float(low), float(high)


def objective_interval(
    evaluation: Evaluation,
    concept: int | None,
    objective: Objective,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Interval of a threshold for an objective, of one concept or all together; None if few
    replicates reach the objective."""
    concepts = [concept] if concept is not None else list(range(len(evaluation.concepts)))
    scores = merge_scores(
        [load_concept_scores(evaluation, concept_index) for concept_index in concepts]
        or [empty_scores()]
    )
    score_count = len(scores[0])
    if not score_count:
        return None
    sampler = bin_replicates if score_count > MAX_UNBINNED else image_replicates
    draw = sampler(evaluation, concepts, scores, objective)
    rng = np.random.default_rng(seed)
    replicates = np.array([draw(rng) for _ in range(resamples)])
    return (
        percentile_interval(replicates)
        if (~np.isnan(replicates)).mean() > CONFIDENCE_LEVEL / 2
        else None
    )


Replicate = Callable[[np.random.Generator], float]
"""Draws one replicate of the threshold; NaN if none reaches the objective."""


def matchable_rows(evaluation: Evaluation, concepts: Sequence[int]) -> Int64Array:
    """The annotations of the concepts in validation."""
    starts = evaluation.matchable_starts[VALIDATION]
    return np.concatenate(
        [evaluation.matchable_annotations[starts[c] : starts[c + 1]] for c in concepts]
    )


def bin_replicates(
    evaluation: Evaluation, concepts: Sequence[int], scores: ConceptScores, objective: Objective
) -> Replicate:
    """Poisson counts of the bins of scores, for many items."""
    bins = bin_scores(scores)
    annotation_count = len(matchable_rows(evaluation, concepts))

    def draw(rng: np.random.Generator) -> float:
        matches, errors = rng.poisson(bins.match_counts), rng.poisson(bins.error_counts)
        return replicate_objective_threshold(
            bins.thresholds,
            np.cumsum(matches),
            np.cumsum(matches + errors),
            float(rng.poisson(annotation_count)),
            objective,
        )

    return draw


def image_replicates(
    evaluation: Evaluation, concepts: Sequence[int], scores: ConceptScores, objective: Objective
) -> Replicate:
    """Images drawn with replacement."""
    score, is_match, image = scores
    image_count, covered_index = index_covered_images(evaluation)
    annotated = evaluation.annotations.image[matchable_rows(evaluation, concepts)]
    annotations_per_image = np.bincount(covered_index[annotated], minlength=image_count)
    item_image = covered_index[image]

    def draw(rng: np.random.Generator) -> float:
        image_weights = draw_images(rng, image_count)
        weights = image_weights[item_image]
        is_drawn = weights > 0
        if not is_drawn.any():
            return np.nan
        weights, drawn_score = weights[is_drawn], score[is_drawn]
        is_last_of_score = np.append(drawn_score[1:] != drawn_score[:-1], True)
        distinct = drawn_score[is_last_of_score]
        midpoints = np.append((distinct[:-1] + distinct[1:]) / 2, distinct[-1])
        return replicate_objective_threshold(
            np.concatenate([[np.nextafter(distinct[0], np.inf)], midpoints]),
            np.cumsum(weights * is_match[is_drawn])[is_last_of_score],
            np.cumsum(weights)[is_last_of_score],
            float((image_weights * annotations_per_image).sum()),
            objective,
        )

    return draw


def replicate_objective_threshold(
    candidate_thresholds: Float64Array,
    tp: Int64Array,
    predicted_counts: Int64Array,
    annotation_count: float,
    objective: Objective,
) -> float:
    """candidate_thresholds: one more than the sums; the first predicts nothing. NaN if none
    reaches the objective."""
    objective_value = objective_values(
        objective,
        np.concatenate([[0.0], tp]),
        np.concatenate([[0.0], predicted_counts]),
        max(annotation_count, float(tp[-1])),
    )
    best_index = len(objective_value) - 1 - int(np.argmax(objective_value[::-1]))
    return (
        np.nan
        if np.isneginf(objective_value[best_index])
        else float(candidate_thresholds[best_index])
    )
