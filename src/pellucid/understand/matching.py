"""Which prediction answers which annotation, for each kind of view.

A lower score never takes an annotation from a higher one, so the outcome of a prediction does not
depend on the threshold: one pass here serves every threshold, curve and tab.
"""

from __future__ import annotations

import numpy as np

from pellucid import kernel
from pellucid.columns import CLOSED, UNANNOTATED, Annotations, Bytes, Flags, Images, Integers, Kind, Longs, Predictions
from pellucid.understand import greedy, greedy_in_c
from pellucid.understand.outcomes import IGNORED, MATCHED, NOT_HIGHEST, WRONG, Matching


def match(
    kind: Kind, concepts: int, images: Images, annotations: Annotations, predictions: Predictions, start: Longs, iou: float
) -> Matching:  # fmt: skip
    """Match every prediction once. `iou` (0 to 1) is used in detection alone.

    predictions: in gallery order; start: int64 (splits * concepts + 1,), where their runs begin.
    """
    if kind == "detection":
        if kernel.library is None:
            found = greedy.match_boxes(annotations, predictions, iou, concepts)
        else:
            found = greedy_in_c.match_boxes(images, annotations, predictions, start, iou, concepts)
        found.state[(found.state == WRONG) & unverified(concepts, images, annotations, predictions)] = IGNORED
        return found
    own_annotation, own_prediction = same_image_and_concept(annotations, predictions, concepts)
    if kind == "classification":
        state = classified(images, predictions, own_annotation >= 0)
    else:
        state = tagged(images, annotations, predictions, own_annotation)
    matched = state == MATCHED
    partner = np.where(matched, own_annotation, -1).astype(np.int32)
    answer = np.full(len(annotations), -1, np.int32)
    answer[partner[matched]] = np.flatnonzero(matched)
    return Matching(state, partner, np.full(len(state), np.nan), answer, own_prediction, None)


def unverified(concepts: int, images: Images, annotations: Annotations, predictions: Predictions) -> Flags:
    """Boxes of a concept that nobody looked for in their image (LVIS, Open Images; an image nobody annotated): they are no errors."""
    unsure = images.stated != CLOSED
    if not unsure.any():
        return np.zeros(len(predictions), bool)
    listed = np.unique(annotations.image.astype(np.int64) * concepts + annotations.concept)
    key = predictions.image.astype(np.int64) * concepts + predictions.concept
    return np.asarray(unsure[predictions.image] & ~np.isin(key, listed))


def same_image_and_concept(annotations: Annotations, predictions: Predictions, concepts: int) -> tuple[Integers, Integers]:
    """Per prediction the annotation of the same image and concept, and the reverse; -1 where there is none."""
    annotated = annotations.image.astype(np.int64) * concepts + annotations.concept
    predicted = predictions.image.astype(np.int64) * concepts + predictions.concept
    return positions(annotated, predicted), positions(predicted, annotated)


def positions(keys: Longs, wanted: Longs) -> Integers:
    """Where each wanted key stands in `keys` (unique, any order); -1 where it does not."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int32)
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    found = order[place]
    return np.where(keys[found] == wanted, found, -1).astype(np.int32)


def classified(images: Images, predictions: Predictions, agrees: np.ndarray) -> Bytes:
    """An image's predicted concept is the one with the highest score; ties: the concept listed first."""
    order = np.lexsort((predictions.concept, -predictions.score, predictions.image))
    image = predictions.image[order]
    first = np.ones(len(order), bool)
    first[1:] = image[1:] != image[:-1]
    highest = order[first]
    state = np.full(len(predictions), NOT_HIGHEST, np.int8)
    state[highest] = np.where(agrees[highest], MATCHED, WRONG)
    nobody = images.stated[predictions.image[highest]] == UNANNOTATED
    state[highest[nobody]] = IGNORED
    return state


def tagged(images: Images, annotations: Annotations, predictions: Predictions, own: Integers) -> Bytes:
    """Each concept alone: positive, negative or unknown; an unknown takes no part."""
    stated = images.stated[predictions.image]
    listed = own >= 0
    positive = listed.copy()
    positive[listed] = annotations.positive[own[listed]]
    unknown = ~listed & (stated != CLOSED)
    unknown[listed] = annotations.ignore[own[listed]]
    return np.where(unknown, IGNORED, np.where(positive, MATCHED, WRONG)).astype(np.int8)
