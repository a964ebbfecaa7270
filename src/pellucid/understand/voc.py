"""Average precision as PASCAL VOC counts it, for figures that are compared with older papers.

VOC's rule is not COCO's: a box claims the annotation that it overlaps most, taken or not, and is false when another
came first. Equal scores go by image path, then by input order (VOC's own code leaves them undefined).
Source: Everingham et al., The PASCAL VOC Challenge, 2010, and its development kit.
"""

from __future__ import annotations

import numpy as np

from pellucid.columns import NOT_RUN, Floats
from pellucid.understand.average_precision import looked_for
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.greedy import overlapping_pairs

TENTHS = np.linspace(0, 1, 11)
"""Compared exactly, as published figures were: 0.6 is here a bit over 9/15."""


def voc_average_precision(
    evaluation: Evaluation, split: int, iou: float = 0.5, eleven_points: bool = False, inclusive_pixels: bool = False
) -> Floats:  # fmt: skip
    """AP per concept on the covered images of a split, float64 (concepts,); NaN where there is no annotation.

    eleven_points: the mean of the best precision at recalls 0, 0.1 ... 1 (VOC until 2009), else the whole area under the
    curve. inclusive_pixels: a box from pixel 1 to 3 is 3 wide, not 2, as the development kit counts ("+1").
    """
    inside = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
    annotations = evaluation.annotations.take(inside[evaluation.annotations.image])
    runs = evaluation.all_predictions
    begin, end = runs.whole(split)
    run = split * len(evaluation.concepts)
    start = evaluation.derived.start[run : run + len(evaluation.concepts) + 1] - begin
    predictions = evaluation.predictions.take(slice(begin, end))
    annotations, predictions, _ = looked_for(evaluation.images, annotations, predictions, start)
    wider = 1.0 if inclusive_pixels else 0.0
    difficult = annotations.ignore
    boxes = annotations.replaced(box=widened(annotations.box, wider), ignore=np.zeros(len(annotations), bool))
    found = predictions.replaced(box=widened(predictions.box, wider))
    claimed = np.full(len(predictions), -1, np.int64)
    for prediction, annotation, value in overlapping_pairs(boxes, found, len(evaluation.concepts)):
        order = np.lexsort((annotation, -value, prediction))
        _, first = np.unique(prediction[order], return_index=True)
        best = order[first]
        best = best[value[best] >= iou]
        claimed[prediction[best]] = annotation[best]
    claims = np.flatnonzero(claimed >= 0)
    _, first = np.unique(claimed[claims], return_index=True)
    hit = np.zeros(len(predictions), bool)
    hit[claims[first]] = True
    passed = np.zeros(len(predictions), bool)
    passed[claims] = difficult[claimed[claims]]
    result = np.full(len(evaluation.concepts), np.nan)
    positives = np.bincount(annotations.concept[~difficult], minlength=len(evaluation.concepts))
    for concept in np.flatnonzero(positives):
        counted = (predictions.concept == concept) & ~passed
        result[concept] = area(hit[counted], int(positives[concept]), eleven_points)
    return result


def widened(box: Floats | None, by: float) -> Floats:
    assert box is not None
    return np.asarray(box + np.array([0, 0, by, by]))


def area(hit: np.ndarray, positives: int, eleven_points: bool) -> float:
    """Under the curve of the best precision at each recall or beyond; hit: by falling score."""
    true = np.cumsum(hit)
    precision = true / np.arange(1, len(hit) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    recall = true / positives
    if eleven_points:
        place = np.searchsorted(recall, TENTHS)
        return float(best[place[place < len(best)]].sum() / len(TENTHS))
    return float((best[hit] / positives).sum())
