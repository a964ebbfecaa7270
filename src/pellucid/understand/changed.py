"""An evaluation after a change of mind: only what the change touches is worked out again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.columns import Annotations, Flags, Integers, Longs
from pellucid.understand.derived import run_starts
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.matching import match
from pellucid.understand.outcomes import Matching, Staircase


def at_iou(evaluation: Evaluation, iou: float) -> Evaluation:
    """The same predictions held against the same annotations at another least IoU (0 to 1): matched again, not sorted again."""
    found = match(
        evaluation.kind, len(evaluation.concepts), evaluation.images, evaluation.annotations, evaluation.predictions,
        evaluation.derived.start, iou,
    )  # fmt: skip
    return replace(
        evaluation, iou_threshold=iou, state=found.state, partner=found.partner, iou=found.iou, answer=found.answer, own=found.own,
        staircase=found.staircase, kept=None, chosen=None,
    )  # fmt: skip


def corrected(evaluation: Evaluation, images: Longs, annotations: Annotations) -> Evaluation:
    """With the annotations of these images (positions) replaced by others, which come after all that stay. Only these images are matched.

    annotations: of these images alone.
    """
    images = np.unique(images)
    touched = np.zeros(len(evaluation.images), bool)
    touched[images] = True
    stay = ~touched[evaluation.annotations.image]
    derived = evaluation.derived
    spans = [slice(*derived.prediction_image_start[[image, image + 1]]) for image in images.tolist()]
    rows = np.sort(np.concatenate([derived.prediction_of_image[span] for span in spans] or [np.zeros(0, np.int32)]))
    predictions = evaluation.predictions.take(rows)
    start = run_starts(len(evaluation.concepts), evaluation.images, predictions)
    found = match(
        evaluation.kind, len(evaluation.concepts), evaluation.images, annotations, predictions, start, evaluation.iou_threshold
    )  # fmt: skip
    return spliced(evaluation, stay, annotations, rows, found)


def spliced(evaluation: Evaluation, stay: Flags, annotations: Annotations, rows: Integers, found: Matching) -> Evaluation:
    """stay: which annotations keep their place, before the new ones; rows: the predictions that were matched again."""
    kept = int(stay.sum())
    place = np.append(np.where(stay, np.cumsum(stay) - 1, -1), -1).astype(np.int32)
    state, overlap = evaluation.state.copy(), evaluation.iou.copy()
    partner = place[evaluation.partner]
    state[rows], overlap[rows] = found.state, found.iou
    partner[rows] = np.where(found.partner >= 0, found.partner + kept, -1)
    back = np.append(rows, -1).astype(np.int32)
    return replace(
        evaluation, annotations=evaluation.annotations.take(stay).followed_by(annotations), state=state, partner=partner, iou=overlap,
        answer=np.concatenate([evaluation.answer[stay], back[found.answer]]), own=np.concatenate([evaluation.own[stay], back[found.own]]),
        staircase=joined(evaluation.staircase, stay, found.staircase), kept=None, chosen=None,
    )  # fmt: skip


def joined(before: Staircase | None, stay: Flags, after: Staircase | None) -> Staircase | None:
    if before is None or after is None:
        return None
    steps = np.repeat(stay, np.diff(before.start))
    count = np.concatenate([np.diff(before.start)[stay], np.diff(after.start)])
    return Staircase(
        np.concatenate([[0], np.cumsum(count)]), np.concatenate([before.score[steps], after.score]),
        np.concatenate([before.iou[steps], after.iou]),
    )  # fmt: skip
