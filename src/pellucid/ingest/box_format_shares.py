"""How well the boxes of predictions agree with the annotations in each format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_agreement import MIN_BOXES, most_confident_rows
from pellucid.ingest.box_formats import (
    BoxFormat,
    convert_to_pixels,
    format_overlap_shares,
    mean_best_iou,
    possible_box_formats,
)
from pellucid.ingest.references import Interpretation
from pellucid.ingest.resized_boxes import fit_resized_formats, is_common_size

FORMAT_SAMPLE_SIZE = 1_000
"""Number of the most confident boxes used to compare box formats."""
TIE_RATIO = 0.9
"""If the second-best share is at least this fraction of the best, their overlaps decide."""
CLOSE_OVERLAP = 0.95
"""If the second-best mean IoU is at least this fraction of the best, the choice is unclear."""
CLEAR_SHARE, DEFAULT_SHARE = 0.95, 0.5
"""Shares of the best format and of the stated one, below both of which images resized to any size
are tried, not only those whose edge the boxes reach; of resized ones always."""
Variant = tuple[int, BoxFormat]


def rank_formats(
    shares: Mapping[Variant, float],
    variants: Sequence[ParsedPredictions],
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
) -> tuple[list[tuple[Variant, float]], bool]:
    """The formats with their shares, the best first, and whether the second is as good.
    Neighbouring sizes of resized images agree with the same boxes, but overlap them less."""
    ranked = sorted(
        ((variant, share) for variant, share in shares.items() if not is_needless(variant, shares)),
        key=lambda item: -item[1],
    )
    close = [variant for variant, share in ranked if share >= TIE_RATIO * ranked[0][1]]
    if len(close) == 1:
        return ranked, False
    overlaps = {
        variant: mean_overlaps([variant[1]], variants[variant[0]], image_refs, images, annotations)[
            variant[1]
        ]
        for variant in close
    }
    ranked.sort(key=lambda item: (-overlaps.get(item[0], -1.0), -item[1]))
    ranked = without_same_readings(ranked, overlaps, variants, image_refs, images)
    if len(ranked) == 1 or ranked[1][0] not in overlaps:
        return ranked, False
    best, second = (overlaps[variant] for variant, _ in ranked[:2])
    return ranked, second >= CLOSE_OVERLAP * best


SAME_BOXES = 0.6
"""Mean IoU with the boxes as written from which a reading as those of resized images is taken for
the same."""
PLAIN_OVERLAP = 0.85
"""Share of the best overlap from which boxes are taken as written, where the best reading is nearly
the same."""
EQUAL_BOXES = 0.96


def without_same_readings(
    ranked: Sequence[tuple[Variant, float]],
    overlaps: Mapping[Variant, float],
    variants: Sequence[ParsedPredictions],
    image_refs: Interpretation,
    images: Images,
) -> list[tuple[Variant, float]]:
    """One of the readings that give the same boxes: in square images, all ways to resize are one;
    in those of 640 pixels, boxes of images resized to 640 are as written, and of 672 nearly so.
    The plain one stays, else the first."""
    best = overlaps[ranked[0][0]]
    kept: list[tuple[Variant, float]] = []
    boxes_kept: list[Float64Array] = []
    plain_first = sorted(
        (each for each in ranked if each[0] in overlaps),
        key=lambda each: (
            each[0][1].is_resized or overlaps[each[0]] < PLAIN_OVERLAP * best,
            each[0][1].is_resized and not is_common_size(each[0][1]),
        ),
    )
    for each in plain_first:
        boxes = sample_boxes(each[0], variants, image_refs, images)
        limits = [
            EQUAL_BOXES if variant[1].is_resized == each[0][1].is_resized else SAME_BOXES
            for variant, _ in kept
        ]
        if not kept or not (mean_ious(boxes, np.stack(boxes_kept)) >= limits).any():
            kept.append(each)
            boxes_kept.append(boxes)
    kept.sort(key=lambda each: -overlaps[each[0]])
    return [*kept, *(each for each in ranked if each[0] not in overlaps)]


def sample_boxes(
    variant: Variant,
    variants: Sequence[ParsedPredictions],
    image_refs: Interpretation,
    images: Images,
) -> Float64Array:
    """Boxes of images whose size is known, in pixels by one format."""
    variant_index, box_format = variant
    source = variants[variant_index]
    assert source.box is not None
    positions = image_refs.positions[source.image]
    rows = np.flatnonzero(positions >= 0)
    rows = rows[images.width[positions[rows]] > 0][:FORMAT_SAMPLE_SIZE]
    image_rows = positions[rows]
    written = boxes_as_written(source, source.box[rows])
    return convert_to_pixels(
        box_format, written, images.width[image_rows], images.height[image_rows]
    )


def mean_ious(boxes: Float64Array, others: Float64Array) -> Float64Array:
    """The mean IoU of the boxes with those at the same places of each other reading.

    Args:
        boxes: [n, 4], left, top, width, height
        others: [readings, n, 4]
    """
    if not len(boxes):
        return np.zeros(len(others))
    start = np.maximum(boxes[:, :2], others[..., :2])
    end = np.minimum(boxes[:, :2] + boxes[:, 2:], others[..., :2] + others[..., 2:])
    shared = np.clip(end - start, 0, None).prod(axis=-1)
    union = boxes[:, 2:].prod(axis=-1) + others[..., 2:].prod(axis=-1) - shared
    means: Float64Array = (shared / np.maximum(union, 1e-12)).mean(axis=-1)
    return means


def is_needless(variant: Variant, shares: Mapping[Variant, float]) -> bool:
    """Whether a format has y first, which is rare, and x first agrees as well."""
    variant_index, box_format = variant
    usual_shape = {"yxyx": "xyxy", "yxhw": "xywh"}.get(box_format.shape)
    if usual_shape is None:
        return False
    usual = (variant_index, replace(box_format, shape=usual_shape))
    return shares.get(usual, 0.0) >= shares[variant]


def mean_overlaps(
    candidates: Sequence[BoxFormat],
    source: ParsedPredictions,
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
) -> dict[BoxFormat, float]:
    """The mean, over the most confident boxes, of the best IoU with an annotation."""
    assert source.box is not None
    rows = most_confident_rows(source.score, len(annotations))[:FORMAT_SAMPLE_SIZE]
    rows = rows[image_refs.positions[source.image[rows]] >= 0]
    image_rows = image_refs.positions[source.image[rows]]
    width, height = images.width[image_rows], images.height[image_rows]
    return {
        candidate: mean_best_iou(
            convert_to_pixels(candidate, boxes_as_written(source, source.box[rows]), width, height),
            image_rows,
            annotations,
        )
        for candidate in candidates
    }


def default_box_format(source: ParsedPredictions) -> BoxFormat:
    """The box format declared by the file format."""
    return BoxFormat(source.box_shape, source.unit)


def box_format_shares(
    source: ParsedPredictions, image_refs: Interpretation, images: Images, annotations: Annotations
) -> dict[BoxFormat, float]:
    """The share of the most confident boxes that agree in each format, its own first."""
    sample_rows = most_confident_rows(source.score, len(annotations))[:FORMAT_SAMPLE_SIZE]
    sample_rows = sample_rows[image_refs.positions[source.image[sample_rows]] >= 0]
    if not len(sample_rows) or source.box is None or not len(annotations):
        return {}
    image_rows = image_refs.positions[source.image[sample_rows]]
    is_known = images.width[image_rows] > 0
    if is_known.any():  # boxes of images without a size would agree in no unit but pixels
        sample_rows, image_rows = sample_rows[is_known], image_rows[is_known]
    has_sizes = bool(is_known.any())
    default_format, raw_boxes = (
        default_box_format(source),
        boxes_as_written(source, source.box[sample_rows]),
    )
    box_formats = [default_format] if has_sizes or not default_format.needs_sizes else []
    box_formats += [
        box_format
        for box_format in possible_box_formats(raw_boxes, has_sizes)
        if box_format != default_format
        and (source.stated_shape in (None, "xywh") or box_format.shape == "xywh")
    ]
    shares = format_overlap_shares(box_formats, raw_boxes, image_rows, images, annotations)
    is_thin = len(sample_rows) < MIN_BOXES
    if not has_sizes or is_thin or shares.get(default_format, 0.0) >= DEFAULT_SHARE:
        return shares
    best = max(shares, key=shares.__getitem__)
    if shares[best] >= CLEAR_SHARE and not best.is_resized:
        return shares
    others = [
        box_format
        for box_format in possible_box_formats(raw_boxes, has_sizes, reach_edge=False)
        if box_format not in shares
    ]
    shares |= format_overlap_shares(others, raw_boxes, image_rows, images, annotations)
    return fit_resized_formats(shares, raw_boxes, image_rows, images, annotations)


def boxes_as_written(source: ParsedPredictions, box: Float64Array) -> Float64Array:
    """The four numbers as written in the file. box: [left, top, width, height]."""
    if source.box_shape == "xywh":
        return box
    return np.stack(
        [box[:, 0] + box[:, 2] / 2, box[:, 1] + box[:, 3] / 2, box[:, 2], box[:, 3]], axis=1
    )


def convert_boxes(
    box_format: BoxFormat, source: ParsedPredictions, image_refs: Interpretation, images: Images
) -> ParsedPredictions:
    """The source with boxes converted to pixels from that format. Boxes of unknown images are
    unchanged."""
    if box_format == default_box_format(source):
        return source
    assert source.box is not None
    image_rows = image_refs.positions[source.image]
    box = convert_to_pixels(
        box_format,
        boxes_as_written(source, source.box),
        images.width[image_rows],
        images.height[image_rows],
    )
    box[image_rows < 0] = source.box[image_rows < 0]
    box[:, 2:] = np.maximum(box[:, 2:], 0)
    return replace(source, box=box, unit="pixels", box_shape="xywh")
