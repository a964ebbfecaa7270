"""What matching says of each prediction and annotation, whatever the threshold."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.columns import Int8Array, Float64Array, Int32Array, Int64Array

IGNORED, MATCHED, WRONG, NOT_HIGHEST = 0, 1, 2, 3
"""State of a prediction, whatever the threshold: takes no part; answers an annotation; answers none;
a score that is not its image's highest (classification)."""


@dataclass(frozen=True, eq=False)
class BestOverlapSteps:
    """For every annotation the best IoU among the predictions under any threshold.

    Steps lie by annotation, score ascending; each is a prediction that overlaps at least as well as all
    lower-scored ones, so the last step under a threshold is the best match there.
    start: int64 (annotations + 1,), where each annotation's steps begin.
    """

    start: Int64Array
    score: Float64Array
    iou: Float64Array


@dataclass(frozen=True, eq=False)
class Matching:
    """state: int8 per prediction · partner: the annotation it matched or that absorbed it, else -1 ·
    iou: with the partner, else NaN · answer: per annotation, the prediction that matched it, else -1 ·
    own: per annotation of an image, the prediction of that image and concept, else -1."""

    state: Int8Array
    partner: Int32Array
    iou: Float64Array
    matched_by: Int32Array
    same_concept_prediction: Int32Array
    overlap_steps: BestOverlapSteps | None
