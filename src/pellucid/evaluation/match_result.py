"""The result of matching: threshold-independent states of predictions and annotations."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.core.tables import Float64Array, Int8Array, Int32Array, Int64Array

IGNORED, MATCHED, WRONG, NOT_HIGHEST = 0, 1, 2, 3
"""State of a prediction at any threshold: ignored; matches an annotation; matches none;
not the highest score of its image (classification)."""


@dataclass(frozen=True, eq=False)
class BestOverlapSteps:
    """For every annotation, the best IoU among the predictions below any threshold.

    Steps are sorted by annotation, then ascending score; each is a prediction with at least the IoU
    of all lower-scored ones, so the last step below a threshold is the best match below it.

    Attributes:
        start: int64 (annotations + 1,), the first step of each annotation
    """

    start: Int64Array
    score: Float64Array
    iou: Float64Array


@dataclass(frozen=True, eq=False)
class Matching:
    """The assignment of predictions to annotations.

    Attributes:
        state: int8 per prediction
        partner: the matched annotation or ignored region, else -1
        iou: with the partner, else NaN
        matched_by: per annotation, the prediction that matched it, else -1
        same_concept_prediction: per annotation, the prediction of its image and concept, else -1
    """

    state: Int8Array
    partner: Int32Array
    iou: Float64Array
    matched_by: Int32Array
    same_concept_prediction: Int32Array
    overlap_steps: BestOverlapSteps | None
