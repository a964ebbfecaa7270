"""Average precision as defined by PASCAL VOC, for comparison with older papers.

Unlike COCO, a box claims the annotation with the highest IoU, claimed or not, and is a false
positive if another claimed it first. Ties are broken by image path, then by input order (undefined
in VOC's code). Source: Everingham et al., The PASCAL VOC Challenge, 2010, and its development kit.
"""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Int64Array, Predictions
from pellucid.evaluation.coco_metrics import split_inputs
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.greedy_numpy import overlapping_pairs

ELEVEN_RECALLS = np.linspace(0, 1, 11)
"""Compared exactly, as in published results: 0.6 is slightly above 9/15 here."""


def voc_average_precision(
    evaluation: Evaluation,
    split: int,
    iou_threshold: float = 0.5,
    eleven_point: bool = False,
    inclusive_pixels: bool = False,
) -> Float64Array:
    """AP per concept on the covered images of a split, float64 (concepts,); NaN without
    annotations.

    Args:
        eleven_point: mean interpolated precision at recalls 0, 0.1 ... 1 (VOC until 2009), else the
            full area under the curve.
        inclusive_pixels: a box from pixel 1 to 3 is 3 wide, not 2, as in the development kit ("+1")
    """
    inputs = split_inputs(evaluation, split)
    annotations, predictions = inputs.annotations, inputs.predictions
    claimed = claim_annotations(
        annotations, predictions, len(evaluation.concepts), iou_threshold, inclusive_pixels
    )
    claiming = np.flatnonzero(claimed >= 0)
    _, first_index = np.unique(claimed[claiming], return_index=True)
    is_tp, is_skipped = np.zeros((2, len(predictions)), bool)
    is_tp[claiming[first_index]] = True
    is_difficult = annotations.ignore
    is_skipped[claiming] = is_difficult[claimed[claiming]]
    average_precisions = np.full(len(evaluation.concepts), np.nan)
    positives = np.bincount(annotations.concept[~is_difficult], minlength=len(evaluation.concepts))
    for concept in np.flatnonzero(positives):
        is_counted = (predictions.concept == concept) & ~is_skipped
        average_precisions[concept] = precision_recall_area(
            is_tp[is_counted], int(positives[concept]), eleven_point
        )
    return average_precisions


def claim_annotations(
    annotations: Annotations,
    predictions: Predictions,
    concept_count: int,
    iou_threshold: float,
    inclusive_pixels: bool,
) -> Int64Array:
    """For each prediction the annotation of its concept with the highest IoU, -1 if it is below
    the threshold."""
    extra_pixels = 1.0 if inclusive_pixels else 0.0
    widened_annotations = annotations.replace(
        box=widen_boxes(annotations.box, extra_pixels), ignore=np.zeros(len(annotations), bool)
    )
    widened_predictions = predictions.replace(box=widen_boxes(predictions.box, extra_pixels))
    claimed = np.full(len(predictions), -1, np.int64)
    for prediction, annotation, iou in overlapping_pairs(
        widened_annotations, widened_predictions, concept_count
    ):
        order = np.lexsort((annotation, -iou, prediction))
        _, first_index = np.unique(prediction[order], return_index=True)
        best_pairs = order[first_index]
        best_pairs = best_pairs[iou[best_pairs] >= iou_threshold]
        claimed[prediction[best_pairs]] = annotation[best_pairs]
    return claimed


def widen_boxes(box: Float64Array | None, extra_pixels: float) -> Float64Array:
    """Boxes with larger width and height: VOC counts the pixels of both corners as the object's."""
    assert box is not None
    return np.asarray(box + np.array([0, 0, extra_pixels, extra_pixels]))


def precision_recall_area(is_tp: np.ndarray, positives: int, eleven_point: bool) -> float:
    """Area under the interpolated precision-recall curve; is_tp: by descending score."""
    tp_counts = np.cumsum(is_tp)
    precision = tp_counts / np.arange(1, len(is_tp) + 1)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    recall = tp_counts / positives
    if eleven_point:
        recall_position = np.searchsorted(recall, ELEVEN_RECALLS)
        return float(
            interpolated[recall_position[recall_position < len(interpolated)]].sum()
            / len(ELEVEN_RECALLS)
        )
    return float((interpolated[is_tp] / positives).sum())
