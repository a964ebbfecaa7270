"""Confusion matrix: annotated against predicted concepts, with a row and a column for "none".

In detection, boxes left unmatched within concepts are paired across concepts, each at most
once, highest IoU first. A row therefore sums to the annotations of its concept, a column to its
predictions; off-diagonal cells are the tabs Extra (by row) and Missing (by column).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.browse.selection import TabSelection
from pellucid.core.tables import BoolArray, Float64Array, Int32Array, Int64Array
from pellucid.evaluation.counts import count_outcomes
from pellucid.evaluation.error_causes import image_pairs, pair_ious
from pellucid.evaluation.evaluation import Evaluation

MAX_ORDERED_CONCEPTS = 3_000
"""Number of concepts above which they are not reordered: the cost is cubic."""


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Errors and matches by annotated and predicted concept.

    Attributes:
        extra_rows: annotations in Extra
        predicted_concepts: int32, the concept predicted instead of each (none: number of concepts)
        missing_rows: predictions in Missing
        annotated_concepts: the concept annotated instead
        matched_counts: int64, per concept, the diagonal
    """

    extra_rows: Int64Array
    predicted_concepts: Int32Array
    missing_rows: Int64Array
    annotated_concepts: Int32Array
    matched_counts: Int64Array

    def cells(self, evaluation: Evaluation) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Annotated concept, predicted concept (none: concept count) and count of non-zero
        cells."""
        none_index = len(self.matched_counts)
        matrix_size = none_index + 1
        extra_concepts = np.asarray(evaluation.annotations.concept[self.extra_rows], np.int64)
        is_unpaired = self.annotated_concepts == none_index
        cell_keys = np.concatenate(
            [
                np.repeat(
                    np.arange(none_index) * matrix_size + np.arange(none_index), self.matched_counts
                ),
                extra_concepts * matrix_size + self.predicted_concepts,
                none_index * matrix_size
                + evaluation.predictions.concept[self.missing_rows[is_unpaired]].astype(np.int64),
            ]
        )
        cell_key, cell_counts = np.unique(cell_keys, return_counts=True)
        return cell_key // matrix_size, cell_key % matrix_size, cell_counts


def build_confusion_matrix(
    evaluation: Evaluation, split: int, thresholds: Float64Array
) -> ConfusionMatrix:
    """Which concepts are predicted in place of which, in a split.

    Args:
        thresholds: of each concept
    """
    extra_rows = TabSelection(evaluation, "extra", split, None, thresholds).all_rows()
    missing_rows = TabSelection(evaluation, "missing", split, None, thresholds).all_rows()
    predicted_concepts, annotated_concepts = find_confused_concepts(
        evaluation, extra_rows, missing_rows
    )
    return ConfusionMatrix(
        extra_rows,
        predicted_concepts,
        missing_rows,
        annotated_concepts,
        count_outcomes(evaluation, split, thresholds).tp,
    )


def find_confused_concepts(
    evaluation: Evaluation, extra_rows: Int64Array, missing_rows: Int64Array
) -> tuple[Int32Array, Int32Array]:
    """The concept on the other side of each error; the number of concepts stands for none.

    Returns:
        The predicted concept of each extra annotation, and the annotated one of each missing
        annotation.
    """
    none_index = len(evaluation.concepts)
    predicted_concepts, annotated_concepts = (
        np.full(len(extra_rows), none_index, np.int32),
        np.full(len(missing_rows), none_index, np.int32),
    )
    extra_positions, missing_positions = match_across_concepts(evaluation, extra_rows, missing_rows)
    predicted_concepts[extra_positions] = evaluation.predictions.concept[
        missing_rows[missing_positions]
    ]
    annotated_concepts[missing_positions] = evaluation.annotations.concept[
        extra_rows[extra_positions]
    ]
    return predicted_concepts, annotated_concepts


def match_across_concepts(
    evaluation: Evaluation, extra_rows: Int64Array, missing_rows: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Positions in extra and missing of paired items: same image and, for boxes, IoU >=
    threshold, each box in one pair."""
    nothing = np.zeros(0, np.int64)
    if evaluation.kind == "tagging":
        return nothing, nothing
    missing_images = np.asarray(evaluation.predictions.image[missing_rows], np.int64)
    image_order = np.argsort(missing_images, kind="stable")
    image_starts = np.searchsorted(
        missing_images[image_order], np.arange(len(evaluation.images) + 1)
    )
    extra_parts, missing_parts, iou_parts = [nothing], [nothing], [np.zeros(0)]
    for extra_positions, pair_items, missing_positions in image_pairs(
        evaluation.annotations.image[extra_rows], image_starts, image_order
    ):
        extra_of_pair = extra_positions[pair_items]
        if evaluation.kind == "detection":
            ious = pair_ious(evaluation, missing_rows[missing_positions], extra_rows[extra_of_pair])
            is_close = ious >= evaluation.iou_threshold
            iou_parts.append(ious[is_close])
            extra_of_pair, missing_positions = extra_of_pair[is_close], missing_positions[is_close]
        extra_parts.append(extra_of_pair)
        missing_parts.append(missing_positions)
    extra, missing = np.concatenate(extra_parts), np.concatenate(missing_parts)
    if evaluation.kind == "classification":
        return extra, missing
    ious = np.concatenate(iou_parts)
    is_selected = select_unique_pairs(ious, extra, missing, evaluation, missing_rows)
    return extra[is_selected], missing[is_selected]


def select_unique_pairs(
    ious: Float64Array,
    extra_positions: Int64Array,
    missing_positions: Int64Array,
    evaluation: Evaluation,
    missing_rows: Int64Array,
) -> BoolArray:
    """Greedy one-to-one selection: highest IoU first, then the higher score, then input order."""
    is_selected = np.zeros(len(ious), bool)
    used: tuple[set[int], set[int]] = set(), set()
    for pair_index in np.lexsort(
        (
            missing_positions,
            extra_positions,
            -evaluation.predictions.score[missing_rows[missing_positions]],
            -ious,
        )
    ).tolist():
        extra_position, missing_position = (
            int(extra_positions[pair_index]),
            int(missing_positions[pair_index]),
        )
        if extra_position not in used[0] and missing_position not in used[1]:
            is_selected[pair_index] = True
            used[0].add(extra_position)
            used[1].add(missing_position)
    return is_selected


def order_by_confusion(
    concept_count: int,
    annotated_concepts: Int64Array,
    predicted_concepts: Int64Array,
    cell_counts: Int64Array,
) -> Int64Array:
    """An order of the concepts that places confused ones next to each other: within each
    connected component, by the second eigenvector of its graph Laplacian (Fiedler, 1973);
    components with most confusions first, unconfused concepts last."""
    is_confused = (
        (annotated_concepts != predicted_concepts)
        & (annotated_concepts < concept_count)
        & (predicted_concepts < concept_count)
    )
    if concept_count > MAX_ORDERED_CONCEPTS or not is_confused.any():
        return np.arange(concept_count)
    weights = np.zeros((concept_count, concept_count))
    weights[annotated_concepts[is_confused], predicted_concepts[is_confused]] = cell_counts[
        is_confused
    ]
    weights += weights.T
    components = sorted(
        connected_components(weights > 0),
        key=lambda component: (-weights[np.ix_(component, component)].sum(), component[0]),
    )
    return np.concatenate(
        [
            spectral_order(weights[np.ix_(component, component)], component)
            for component in components
        ]
    )


def connected_components(adjacency: BoolArray) -> list[Int64Array]:
    """The connected components of a graph; isolated nodes form one component at the end."""
    unvisited = set(range(len(adjacency)))
    components: list[Int64Array] = []
    singletons: list[int] = []
    while unvisited:
        component, frontier = set(), {min(unvisited)}
        while frontier:
            component |= frontier
            frontier = (
                set(np.flatnonzero(adjacency[sorted(frontier)].any(axis=0)).tolist()) - component
            )
        unvisited -= component
        if len(component) > 1:
            components.append(np.array(sorted(component)))
        else:
            singletons += component
    return [*components, np.array(sorted(singletons), np.int64)] if singletons else components


def spectral_order(weights: Float64Array, component: Int64Array) -> Int64Array:
    """An order of concepts in which those that are often confused are neighbours: by the second
    eigenvector of the normalised Laplacian (Fiedler's)."""
    if len(component) < 3 or not weights.any():
        return component
    scale = 1 / np.sqrt(weights.sum(axis=1))
    _, eigenvectors = np.linalg.eigh(np.eye(len(component)) - weights * scale[:, None] * scale)
    fiedler_vector = eigenvectors[:, 1] * scale
    return component[
        np.argsort(
            fiedler_vector
            if fiedler_vector[np.argmax(np.abs(fiedler_vector))] > 0
            else -fiedler_vector,
            kind="stable",
        )
    ]
