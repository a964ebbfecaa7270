"""COCO metrics of boxes and masks, equal to those of pycocotools, without loops over images.

Matching is done for ten IoUs and four area ranges on the overlapping pairs of boxes; precision is
evaluated at true positives only, as it falls between them. The kernel does it in one pass;
`tally_numpy` is the NumPy version.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid import _native
from pellucid.core.tables import (
    NOT_RUN,
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.greedy_native import group_by_run, native_shapes
from pellucid.evaluation.greedy_numpy import assign_greedily, overlapping_pairs
from pellucid.evaluation.matching import find_unverified
from pellucid.evaluation.object_keypoints import takes_one
from pellucid.evaluation.sorting import sort_runs_by_score


@dataclass(frozen=True)
class CocoProtocol:
    """The bounds of COCO's metrics.

    Attributes:
        max_detections: per image and concept, by descending score
        area_ranges: by name, in square pixels, both bounds inclusive; `all` comes first
    """

    max_detections: tuple[int, ...]
    area_ranges: Mapping[str, tuple[float, float]]


IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREA_RANGES = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
OBJECTS = CocoProtocol((1, 10, 100), AREA_RANGES)
KEYPOINTS = CocoProtocol((20,), {name: AREA_RANGES[name] for name in ("all", "medium", "large")})
"""The small ones of COCO have no keypoints."""


@dataclass(frozen=True, eq=False)
class CocoMetrics:
    """The metrics of one evaluation."""

    stats: dict[str, float | None]
    """The twelve metrics by COCO name, ten of keypoints; None where COCO gives -1."""
    ap: Float64Array
    """AP per concept, NaN without annotations."""
    ap50: Float64Array
    """AP per concept at IoU 0.5 (of keypoints OKS 0.5), NaN without annotations."""
    ar: Float64Array
    """AR at the most detections per concept, NaN without annotations."""


@dataclass(frozen=True, eq=False)
class CocoInputs:
    """The boxes of a split in evaluation order: concept, descending score, image, input order.

    Attributes:
        concept_starts: int64 (concepts + 1,), the first prediction of each concept
    """

    predictions: Predictions
    annotations: Annotations
    concept_starts: Int64Array


@dataclass(frozen=True, eq=False)
class CocoTally:
    """Precision and true positives from which COCO's metrics are computed.

    Attributes:
        precision: float64 (areas, IoUs, concepts, recalls), the maximum at that recall or higher
        hits: int64 (areas, caps, IoUs, concepts), true positives
        positives: int64 (areas, concepts), annotations that count
    """

    precision: Float64Array
    hits: Int64Array
    positives: Int64Array


def compute_coco_metrics(evaluation: Evaluation, split: int) -> CocoMetrics:
    """AP and AR over the covered images of a split, as pycocotools' `COCOeval` with its default
    parameters."""
    if not evaluation.has_scores:
        return undefined_metrics(evaluation)
    inputs = coco_inputs(evaluation, split)
    return coco_metrics(inputs, len(evaluation.concepts), len(evaluation.images))


def undefined_metrics(evaluation: Evaluation) -> CocoMetrics:
    """Without scores there is no AP, and no AR at the highest-scored detections."""
    concepts, areas = len(evaluation.concepts), len(AREA_RANGES)
    stats = keypoint_stats if evaluation.geometry == "keypoints" else coco_stats
    none = np.full(concepts, np.nan)
    precision = np.full((areas, len(IOUS), concepts), np.nan)
    recall = np.full((areas, len(OBJECTS.max_detections), len(IOUS), concepts), np.nan)
    return CocoMetrics(stats(precision, recall), none, none, none)


def coco_metrics(inputs: CocoInputs, concept_count: int, image_count: int) -> CocoMetrics:
    """COCO's twelve figures, or its ten of keypoints where both sides have them, and AP by concept.

    Equal to pycocotools' `COCOeval`, but for annotations with the id 0, which it takes for
    unmatched.

    Args:
        inputs: the objects to compare
        concept_count: how many concepts there are; AP is NaN for one without annotations
        image_count: how many images there are
    """
    are_keypoints = (
        inputs.annotations.keypoints is not None and inputs.predictions.keypoints is not None
    )
    tally = (
        tally_numpy(inputs, concept_count, image_count, KEYPOINTS if are_keypoints else OBJECTS)
        if _native.library is None or are_keypoints
        else tally_native(inputs, concept_count, image_count)
    )
    return metrics_of_tally(tally, are_keypoints)


def metrics_of_tally(tally: CocoTally, are_keypoints: bool = False) -> CocoMetrics:
    """The figures of what was counted, as `COCOeval.summarize` takes their means."""
    has_annotations = tally.positives > 0
    precision = np.where(has_annotations[:, None], tally.precision.mean(axis=-1), np.nan)
    recall = np.where(
        has_annotations[:, None, None],
        tally.hits / np.maximum(tally.positives, 1)[:, None, None],
        np.nan,
    )
    stats = keypoint_stats if are_keypoints else coco_stats
    ap = np.mean(precision[0], axis=0)
    return CocoMetrics(
        stats(precision, recall), ap, precision[0, 0], np.mean(recall[0, -1], axis=0)
    )


def tally_numpy(
    inputs: CocoInputs, concept_count: int, image_count: int, protocol: CocoProtocol = OBJECTS
) -> CocoTally:
    """What is counted, without the native library."""
    inputs, rank = within_limit(inputs, concept_count, image_count, protocol)
    pairs = [
        np.concatenate(arrays) for arrays in zip(*close_pairs(inputs, concept_count), strict=True)
    ]
    return tally_pairs(inputs, rank, pairs, concept_count, protocol)


def within_limit(
    inputs: CocoInputs, concept_count: int, image_count: int, protocol: CocoProtocol = OBJECTS
) -> tuple[CocoInputs, Int64Array]:
    """The predictions within the most that are considered of an image and concept, and the rank of
    each."""
    rank = rank_in_group(
        inputs.predictions.concept.astype(np.int64) * image_count + inputs.predictions.image
    )
    is_considered = rank < protocol.max_detections[-1]
    predictions, rank = inputs.predictions.take(is_considered), rank[is_considered]
    concept_starts = np.searchsorted(predictions.concept, np.arange(concept_count + 1))
    return CocoInputs(predictions, inputs.annotations, concept_starts), rank


def tally_pairs(
    inputs: CocoInputs,
    rank: Int64Array,
    pairs: list[np.ndarray],
    concept_count: int,
    protocol: CocoProtocol = OBJECTS,
) -> CocoTally:
    """pairs: rows of predictions and annotations, and their similarity, grouped by prediction."""
    predictions = inputs.predictions
    tally = empty_tally(concept_count, protocol)
    for area_index, (min_area, max_area) in enumerate(protocol.area_ranges.values()):
        is_ignored = inputs.annotations.ignore | is_outside_range(
            annotation_areas(inputs.annotations), min_area, max_area
        )
        tally.positives[area_index] = np.bincount(
            inputs.annotations.concept[~is_ignored], minlength=concept_count
        )
        for iou_index, iou in enumerate(IOUS):
            is_tp, is_skipped = match_at_iou(
                inputs, pairs, is_ignored, min_area, max_area, float(iou)
            )
            tally.precision[area_index, iou_index] = precision_at_recalls(
                inputs, is_tp, is_skipped, tally.positives[area_index]
            )
            for cap_index, max_detections in enumerate(protocol.max_detections):
                tally.hits[area_index, cap_index, iou_index] = np.bincount(
                    predictions.concept[is_tp & (rank < max_detections)], minlength=concept_count
                )
    return tally


def empty_tally(concept_count: int, protocol: CocoProtocol) -> CocoTally:
    """The counts of no objects."""
    areas, caps = len(protocol.area_ranges), len(protocol.max_detections)
    return CocoTally(
        np.zeros((areas, len(IOUS), concept_count, len(RECALLS))),
        np.zeros((areas, caps, len(IOUS), concept_count), np.int64),
        np.zeros((areas, concept_count), np.int64),
    )


def tally_native(inputs: CocoInputs, concept_count: int, image_count: int) -> CocoTally:
    """The same by the kernel (bitwise equal), with concepts on several threads."""
    assert _native.library is not None
    library, pointer, int64_arg = _native.library, _native.pointer, _native.int64_arg
    run_annotations = group_by_run(
        inputs.annotations, inputs.annotations.concept, concept_count, image_count
    )
    area = np.ascontiguousarray(
        annotation_areas(inputs.annotations)[run_annotations.annotation_rows]
    )
    image, box, own_area = (
        np.ascontiguousarray(array)
        for array in (
            inputs.predictions.image,
            inputs.predictions.box,
            prediction_areas(inputs.predictions),
        )
    )
    predicted_shapes, annotated_shapes = native_shapes(inputs.predictions, run_annotations)
    constants = [
        IOUS,
        np.array(list(AREA_RANGES.values())),
        RECALLS,
        np.array(OBJECTS.max_detections, np.int64),
    ]
    settings = _native.CocoSettings(*(pointer(constant) for constant in constants))
    annotation_pointers, tally = run_annotations.pointers, empty_tally(concept_count, OBJECTS)

    def tally_span(first_concept: int, last_concept: int) -> None:
        image_slots, image_counts = (
            np.full(image_count, -1, np.int32),
            np.zeros(image_count, np.int32),
        )
        _native.check_memory(
            library.coco_runs(
                int64_arg(first_concept),
                int64_arg(last_concept),
                int64_arg(concept_count),
                pointer(inputs.concept_starts),
                pointer(image),
                pointer(box),
                pointer(own_area),
                ctypes.byref(annotation_pointers),
                pointer(area),
                predicted_shapes.reference,
                annotated_shapes.reference,
                ctypes.byref(settings),
                pointer(image_slots),
                pointer(image_counts),
                pointer(tally.precision),
                pointer(tally.hits),
                pointer(tally.positives),
            )
        )

    _native.run_parallel(tally_span, _native.balance_spans(inputs.concept_starts))
    return tally


def split_inputs(evaluation: Evaluation, split: int) -> CocoInputs:
    """The verified predictions and the annotations on the covered images of a split, in gallery
    order."""
    is_covered = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
    annotations = evaluation.annotations.take(is_covered[evaluation.annotations.image])
    begin, end = evaluation.all_predictions.split_span(split)
    predictions = evaluation.predictions.take(slice(begin, end))
    first_run = split * len(evaluation.concepts)
    concept_starts = (
        evaluation.row_index.start[first_run : first_run + len(evaluation.concepts) + 1] - begin
    )
    annotations, predictions, concept_starts = drop_unverified(
        evaluation.images,
        annotations,
        predictions,
        concept_starts,
        evaluation.unannotated_concepts,
    )
    return CocoInputs(predictions, annotations, concept_starts)


def coco_inputs(evaluation: Evaluation, split: int) -> CocoInputs:
    """The same with ties in the order of pycocotools."""
    inputs = split_inputs(evaluation, split)
    predictions, concept_starts = inputs.predictions, inputs.concept_starts
    image_rank = image_id_ranks(evaluation.images)
    if (np.diff(image_rank) < 0).any():  # else gallery order is correct
        score_order = np.arange(len(predictions), dtype=np.int32)
        ranked_predictions = predictions.replace(
            image=image_rank[predictions.image].astype(np.int32)
        )
        sort_runs_by_score(score_order, concept_starts, ranked_predictions)
        predictions = predictions.take(score_order)
    return replace(inputs, predictions=predictions)


def drop_unverified(
    images: Images,
    annotations: Annotations,
    predictions: Predictions,
    concept_starts: Int64Array,
    unannotated_concepts: Sequence[int] = (),
) -> tuple[Annotations, Predictions, Int64Array]:
    """As in LVIS: drop unverified predictions and negative annotations.

    Args:
        concept_starts: the first prediction of each concept
    """
    is_unverified = find_unverified(
        len(concept_starts) - 1, images, annotations, predictions, unannotated_concepts
    )
    if is_unverified.any():
        predictions = predictions.take(~is_unverified)
        concept_starts = np.searchsorted(predictions.concept, np.arange(len(concept_starts)))
    return annotations.take(annotations.positive), predictions, concept_starts


def image_id_ranks(images: Images) -> Int64Array:
    """Rank of each image among equal scores: by id, as in pycocotools; by path if ids are not
    integers."""
    image_ids = [source_id.split("\n")[0] for source_id in images.source_id]
    if all(image_id.removeprefix("-").isdecimal() for image_id in image_ids):
        order = np.array(
            sorted(range(len(images)), key=lambda image_row: int(image_ids[image_row])), np.int64
        )
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return rank
    return np.argsort(np.argsort(images.path, kind="stable"), kind="stable")


def rank_in_group(group_keys: Int64Array) -> Int64Array:
    """Rank of each row within its group, in row order."""
    order = np.argsort(group_keys, kind="stable")
    sorted_keys = group_keys[order]
    is_first = np.ones(len(group_keys), bool)
    is_first[1:] = sorted_keys[1:] != sorted_keys[:-1]
    group_starts = np.flatnonzero(is_first)
    rank = np.empty(len(group_keys), np.int64)
    rank[order] = np.arange(len(group_keys)) - np.repeat(
        group_starts, np.diff(np.append(group_starts, len(group_keys)))
    )
    return rank


def close_pairs(
    inputs: CocoInputs, concept_count: int
) -> list[tuple[Int64Array, Int64Array, Float64Array]]:
    """Pairs that reach the lowest IoU threshold, grouped by prediction."""
    empty_batch = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    batches = [empty_batch]
    for prediction, annotation, pair_iou in overlapping_pairs(
        inputs.annotations, inputs.predictions, concept_count
    ):
        is_close = pair_iou >= IOUS[0]
        batches.append((prediction[is_close], annotation[is_close], pair_iou[is_close]))
    return batches


def annotation_areas(annotations: Annotations) -> Float64Array:
    """Areas of objects in square pixels, float64 (n,)."""
    assert annotations.area is not None
    return annotations.area


def prediction_areas(predictions: Predictions) -> Float64Array:
    """Of the boxes, or of the masks where the file states no boxes, as in pycocotools."""
    if predictions.area is not None:
        return predictions.area
    assert predictions.box is not None
    return np.asarray(predictions.box[:, 2] * predictions.box[:, 3])


def is_outside_range(box_areas: Float64Array, min_area: float, max_area: float) -> BoolArray:
    """Whether areas, in square pixels, are beyond a range; both of its ends belong to it."""
    return np.asarray((box_areas < min_area) | (box_areas > max_area))


def match_at_iou(
    inputs: CocoInputs,
    pairs: list[np.ndarray],
    is_ignored: BoolArray,
    min_area: float,
    max_area: float,
    iou_threshold: float,
) -> tuple[BoolArray, BoolArray]:
    """Which predictions are true positives, and which are ignored, at one IoU threshold and area
    range."""
    prediction, annotation, pair_iou = pairs
    is_close = pair_iou >= min(iou_threshold, 1 - 1e-10)
    prediction_rows, assigned, _ = assign_greedily(
        prediction[is_close],
        annotation[is_close],
        pair_iou[is_close],
        is_ignored[annotation[is_close]],
        (inputs.annotations.ignore & ~takes_one(inputs.annotations))[annotation[is_close]],
    )
    is_tp = np.zeros(len(inputs.predictions), bool)
    is_tp[prediction_rows] = ~is_ignored[assigned]
    is_skipped = is_outside_range(prediction_areas(inputs.predictions), min_area, max_area)
    is_skipped[prediction_rows] = is_ignored[assigned]
    return is_tp, is_skipped


def precision_at_recalls(
    inputs: CocoInputs, is_tp: BoolArray, is_skipped: BoolArray, positives: Int64Array
) -> Float64Array:
    """Per concept, the interpolated precision at each of the 101 recalls; 0 if the recall is not
    reached."""
    counted_totals = np.cumsum(~is_skipped)
    concept_offsets = np.concatenate([[0], counted_totals])[inputs.concept_starts]
    tp_rows = np.flatnonzero(is_tp)
    edges = np.searchsorted(tp_rows, inputs.concept_starts)
    recall_precision = np.zeros((len(positives), len(RECALLS)))
    for concept in np.flatnonzero(positives):
        first, last = edges[concept], edges[concept + 1]
        if first < last:
            tp_counts = np.arange(1, last - first + 1)
            precision = tp_counts / (
                counted_totals[tp_rows[first:last]] - concept_offsets[concept] + np.spacing(1)
            )
            interpolated = np.maximum.accumulate(precision[::-1])[::-1]
            recall_position = np.searchsorted(tp_counts / positives[concept], RECALLS)
            recall_precision[concept, recall_position < len(interpolated)] = interpolated[
                recall_position[recall_position < len(interpolated)]
            ]
    return recall_precision


def coco_stats(precision: Float64Array, recall: Float64Array) -> dict[str, float | None]:
    """The twelve figures of boxes and masks by the names that COCO gives them; None: undefined."""
    small, medium, large = 1, 2, 3
    return {
        "AP": mean_valid(precision[0]),
        "AP50": mean_valid(precision[0, 0]),
        "AP75": mean_valid(precision[0, 5]),
        "APs": mean_valid(precision[small]),
        "APm": mean_valid(precision[medium]),
        "APl": mean_valid(precision[large]),
        "AR1": mean_valid(recall[0, 0]),
        "AR10": mean_valid(recall[0, 1]),
        "AR100": mean_valid(recall[0, 2]),
        "ARs": mean_valid(recall[small, 2]),
        "ARm": mean_valid(recall[medium, 2]),
        "ARl": mean_valid(recall[large, 2]),
    }


def keypoint_stats(precision: Float64Array, recall: Float64Array) -> dict[str, float | None]:
    """The ten figures of keypoints by the names that COCO gives them; None if undefined."""
    medium, large = 1, 2
    return {
        "AP": mean_valid(precision[0]),
        "AP50": mean_valid(precision[0, 0]),
        "AP75": mean_valid(precision[0, 5]),
        "APm": mean_valid(precision[medium]),
        "APl": mean_valid(precision[large]),
        "AR": mean_valid(recall[0, 0]),
        "AR50": mean_valid(recall[0, 0, 0]),
        "AR75": mean_valid(recall[0, 0, 5]),
        "ARm": mean_valid(recall[medium, 0]),
        "ARl": mean_valid(recall[large, 0]),
    }


def mean_valid(metric_values: Float64Array) -> float | None:
    """Mean over the concepts that have annotations; None if there are none."""
    valid_values = metric_values[~np.isnan(metric_values)]
    return float(valid_values.mean()) if len(valid_values) else None
