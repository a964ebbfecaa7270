"""Find concepts that a file exchanges: the boxes of each overlap annotations of another of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_agreement import BoxAgreement
from pellucid.ingest.references import Interpretation

BOXES_PER_CONCEPT = 40
"""Most confident boxes of each concept that are compared."""
MAX_SORTED = 200_000
"""Boxes that are compared."""
MIN_OVERLAPPING, MIN_TOGETHER = 5, 16
"""Boxes of a concept that must overlap an annotation, to say anything about it, and of all that
are exchanged."""
MIN_OTHER_SHARE, MAX_OWN_SHARE = 0.8, 0.1
"""Of these boxes, the share that overlaps the other concept, and their own, if exchanged."""


def find_exchanges(
    agreement: BoxAgreement, image_refs: Interpretation, concept_refs: Interpretation
) -> dict[int, int]:
    """Concept as read → concept of the annotations, of those that are exchanged among each other.
    Alone, a concept whose boxes overlap another one may as well be a model that is wrong."""
    per_concept = replace(agreement, confident_rows=rows_of_each_concept(agreement.source))
    counts = per_concept.concept_counts(image_refs)
    other: dict[int, int] = {}
    overlapping_boxes: dict[int, int] = {}
    for key, concept in enumerate(concept_refs.positions.tolist()):
        overlapping = counts[key].sum()
        best = int(counts[key].argmax())
        if (
            concept >= 0
            and best != concept
            and overlapping >= MIN_OVERLAPPING
            and counts[key, best] >= MIN_OTHER_SHARE * overlapping
            and counts[key, concept] <= MAX_OWN_SHARE * overlapping
        ):
            other[concept] = best
            overlapping_boxes[concept] = int(overlapping)
    exchanged = closed_part(other)
    box_count = sum(overlapping_boxes[concept] for concept in exchanged)
    return exchanged if box_count >= MIN_TOGETHER else {}


def rows_of_each_concept(source: ParsedPredictions) -> Int64Array:
    """The rows of the highest scores of each concept."""
    kept = most_confident(source.score)
    order = kept[np.lexsort((-source.score[kept], source.concept[kept]))]
    concepts = source.concept[order]
    first = np.searchsorted(concepts, concepts)
    rows: Int64Array = order[np.arange(len(order)) - first < BOXES_PER_CONCEPT]
    return rows


def most_confident(score: Float64Array) -> Int64Array:
    """The rows of the MAX_SORTED highest scores: to sort millions takes seconds."""
    if len(score) <= MAX_SORTED:
        return np.arange(len(score))
    return np.argpartition(-score, MAX_SORTED)[:MAX_SORTED]


def closed_part(other: dict[int, int]) -> dict[int, int]:
    """The largest part in which each concept is also another's."""
    while outside := set(other) ^ set(other.values()):
        other = {
            concept: target
            for concept, target in other.items()
            if concept not in outside and target not in outside
        }
    return other
