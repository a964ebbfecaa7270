"""Whether the classes of a classifier, or its images, are in another order than they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.core.tables import Annotations, BoolArray, Int32Array, Int64Array
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.ingest.errors import AmbiguousInterpretationError
from pellucid.ingest.references import Interpretation

MIN_IMAGES = 20
"""Fewest images to tell from."""
LOW_AGREEMENT = 0.5
HIGH_AGREEMENT = 0.8
"""Shares of images whose highest score is of the annotated class: as read, and in another order."""


def class_order_notes(
    source: ParsedPredictions,
    image_rows: Int32Array,
    concepts: Int32Array,
    annotations: Annotations,
    names: Sequence[str],
) -> list[Note]:
    """A warning if few images have their highest score for the annotated class, and most would if
    the classes were exchanged one for one.

    Args:
        image_rows, concepts: of each prediction, negative where unknown
    """
    is_known = (image_rows >= 0) & (concepts >= 0) & (concepts < len(names))
    counts = confusion_counts(source, image_rows, concepts, is_known, annotations, len(names))
    total = int(counts.sum())
    if total < MIN_IMAGES or np.trace(counts) > LOW_AGREEMENT * total:
        return []
    from scipy.optimize import linear_sum_assignment

    annotated, predicted = linear_sum_assignment(counts, maximize=True)
    share = counts[annotated, predicted].sum() / total
    if share < HIGH_AGREEMENT:
        return []
    example = next(pair for pair in zip(predicted, annotated, strict=True) if pair[0] != pair[1])
    message = (
        f"the highest score is of the annotated class in {np.trace(counts) / total:.0%} of the "
        f"images; with the classes in another order ('{names[example[0]]}' read as "
        f"'{names[example[1]]}', ...) it would be in {share:.0%}. Check the order of the classes, "
        "or name them with --map"
    )
    return [Note("class_order", message, total)]


def reject_other_images(
    source: ParsedPredictions,
    chosen: Interpretation,
    readings: Iterable[Interpretation],
    concepts: Int32Array,
    annotations: Annotations,
    concept_count: int,
) -> None:
    """Raise AmbiguousInterpretationError if few images have their highest score for the annotated
    class, and most would with another reading of the image ids that resolves all of them.

    Args:
        concepts: of each prediction, negative where unknown
    """
    is_known = (concepts >= 0) & (concepts < concept_count)

    def agreement(reading: Interpretation) -> tuple[float, int]:
        rows = reading.positions[source.image]
        known = is_known & (rows >= 0)
        counts = confusion_counts(source, rows, concepts, known, annotations, concept_count)
        return float(np.trace(counts)) / max(1, int(counts.sum())), int(counts.sum())

    share, total = agreement(chosen)
    if total < MIN_IMAGES or share > LOW_AGREEMENT:
        return
    for rival in readings:
        if not rival.is_complete or rival.agrees_with(chosen):
            continue
        rival_share, rival_total = agreement(rival)
        if rival_total >= MIN_IMAGES and rival_share >= HIGH_AGREEMENT:
            evidence = [
                (chosen.name, f"the highest score is of the annotated class in {share:.0%}"),
                (rival.name, f"in {rival_share:.0%} of the images"),
            ]
            raise AmbiguousInterpretationError(source.path, "image ids", evidence, "--image-ids")


def confusion_counts(
    source: ParsedPredictions,
    image_rows: Int32Array,
    concepts: Int32Array,
    is_known: BoolArray,
    annotations: Annotations,
    concept_count: int,
) -> Int64Array:
    """Images by the annotated class and that with the highest score: int64 (classes, classes)."""
    rows = np.flatnonzero(is_known)
    order = rows[np.lexsort((-source.score[rows], image_rows[rows]))]
    _, first = np.unique(image_rows[order], return_index=True)
    best = order[first]
    image_count = 1 + int(max(image_rows.max(initial=-1), annotations.image.max(initial=-1)))
    class_of_image = np.full(image_count, -1)
    is_positive = annotations.positive & (annotations.concept < concept_count)
    class_of_image[annotations.image[is_positive]] = annotations.concept[is_positive]
    annotated = class_of_image[image_rows[best]]
    counts = np.zeros((concept_count, concept_count), np.int64)
    np.add.at(counts, (annotated[annotated >= 0], concepts[best][annotated >= 0]), 1)
    return counts
