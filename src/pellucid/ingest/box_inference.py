"""Infer the box format of a file from its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.tables import Annotations, Images
from pellucid.formats.dataset import BoxShapes, Inference, Note, ParsedPredictions
from pellucid.formats.errors import BoxFormatRequiredError, StatedShapeError
from pellucid.ingest.box_agreement import MIN_BOXES, MUCH_BETTER_RATIO
from pellucid.ingest.box_format_shares import (
    Variant,
    box_format_shares,
    convert_boxes,
    default_box_format,
    mean_overlaps,
    rank_formats,
)
from pellucid.ingest.box_formats import CORNER_SHAPES, BoxFormat, parse_box_format
from pellucid.ingest.errors import AmbiguousInterpretationError, NoMatchesError
from pellucid.ingest.misplaced_boxes import reject_cropped_images, reject_misplaced_boxes
from pellucid.ingest.mixed_units import reject_mixed_units
from pellucid.ingest.references import Interpretation
from pellucid.ingest.resized_boxes import is_common_size

MIN_OVERLAP_GAIN = 0.05
"""Required gain in mean IoU to decide what the numbers of boxes mean."""
MIN_ORDERED_BOXES = 20
"""From this many boxes on, the order of their numbers is evidence."""
MIN_SHARE_GAIN = 0.3
"""Alternative to MUCH_BETTER_RATIO: the required gain in share, as large boxes overlap in any
box format."""
EXAMPLE_FORMATS = (
    "xywh-pixels",
    "xyxy-pixels",
    "cxcywh-fractions",
    "xywh-percent",
    "xyxy-640-letterboxed",
)
CLEAR_RESIZED_SHARE = 0.5
"""Among the many squares that images may have been resized to, one agrees with some boxes by
chance."""
LOW_SHARE = 0.05
"""If fewer boxes overlap an annotation in every format, a note says so."""
VLM_SCALE, MIN_SCALED_IOU, SCALED_RATIO = 1000, 0.3, 1.5
"""Scale on which vision-language models count; the mean IoU on it from which it is plausible, and
how many times that of every plain meaning it must be."""
NO_OVERLAP = 0.1
"""Mean IoU below which boxes seem to be of other images."""
CONFIDENCE_SECOND = "-confidence-second"
"""Name suffix of a box format for the alternative column order of the file."""


def infer_box_format(
    source: ParsedPredictions,
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
    forced_format: str | None,
) -> tuple[ParsedPredictions, list[Inference]]:
    """The source with its boxes converted: the format's default, unless clearly more boxes agree in
    another format.

    Args:
        forced_format: the name of a box format set by the user
    """
    if source.box is None:
        return source, []
    if forced_format:
        variant, box_format = parse_boxes_option(source, forced_format)
        box_format = beside_stated_shape(source, box_format, forced_format)
        inference = Inference(
            "boxes", forced_format, f"boxes read as {forced_format} (--boxes)", [], True
        )
        return replace(convert_boxes(box_format, variant, image_refs, images), alternative=None), [
            inference
        ]
    if source.unit == "pixels":
        reject_mixed_units(source.path, source.box)
    if source.box_shapes is not None:
        return infer_open_shape(source, source.box_shapes, image_refs, images, annotations)
    return verify_box_format(source, image_refs, images, annotations)


def verify_box_format(
    source: ParsedPredictions, image_refs: Interpretation, images: Images, annotations: Annotations
) -> tuple[ParsedPredictions, list[Inference]]:
    """The boxes in the format that the file states, or in another with which clearly more boxes
    agree with an annotation.

    Raises:
        AmbiguousInterpretationError: two others agree equally well.
    """
    default_format = default_box_format(source)
    variants = [source] + ([source.alternative] if source.alternative else [])
    shares = {
        (variant_index, box_format): share
        for variant_index, variant in enumerate(variants)
        for box_format, share in box_format_shares(variant, image_refs, images, annotations).items()
    }
    if not shares:
        return source, []
    ranked, is_tied = rank_formats(shares, variants, image_refs, images, annotations)
    (variant_index, box_format), best_share = ranked[0]
    default_share = shares.get((0, default_format), 0.0)
    evidence = (
        f"{best_share:.0%} of confident boxes overlap an annotation, {default_share:.0%} as "
        f"{default_format.name}"
    )
    is_replaced = replaces_default(box_format, best_share, default_share)
    is_thin = len(source.score) < MIN_BOXES
    if not is_replaced or (is_thin and (is_tied or best_share < 0.5)):
        if is_replaced:
            source.notes.append(too_few_boxes_note(default_format, default_share, ranked[0]))
        elif source.keypoints is None:
            reject_misplaced_boxes(source, image_refs, images, annotations)
            if default_share < LOW_SHARE:
                source.notes.append(disagreement_note(default_share, ranked[0]))
        reason = f"{default_share:.0%} of confident boxes overlap an annotation"
        return source, [Inference("boxes", default_format.name, reason)]
    if box_format.is_resized and not is_common_size(box_format):
        reject_cropped_images(source, image_refs, images, annotations, best_share)
    named_shares = [
        (variant_name(index, as_written(source, box_format)), share)
        for (index, box_format), share in ranked[:4]
    ]
    if is_tied:
        rivals = [
            (name, f"{share:.0%} of confident boxes agree") for name, share in named_shares[:2]
        ]
        raise AmbiguousInterpretationError(source.path, "boxes", rivals, "--boxes")
    chosen_name = named_shares[0][0]
    message = f"boxes read as {chosen_name}: {evidence}"
    if is_thin:
        count = format_count(len(source.score), "box", "boxes")
        source.notes.append(Note("boxes_unsure", f"{message} (only {count}: check this)"))
    converted = convert_boxes(box_format, variants[variant_index], image_refs, images)
    others = [f"{name}: {share:.0%} agree" for name, share in named_shares[1:]]
    return replace(converted, alternative=None), [Inference("boxes", chosen_name, message, others)]


def too_few_boxes_note(
    default_format: BoxFormat, default_share: float, best: tuple[Variant, float]
) -> Note:
    (_, box_format), best_share = best
    message = (
        f"too few boxes to infer the box format: {default_share:.0%} overlap an annotation as "
        f"{default_format.name}, {best_share:.0%} as {box_format.name} (--boxes {box_format.name})"
    )
    return Note("boxes_unsure", message, 1)


def replaces_default(box_format: BoxFormat, share: float, default_share: float) -> bool:
    """Whether clearly more boxes agree than in the format that the file states."""
    return share >= min_overlap_share(box_format) and (
        share >= default_share * MUCH_BETTER_RATIO or share - default_share >= MIN_SHARE_GAIN
    )


def disagreement_note(share: float, best: tuple[Variant, float]) -> Note:
    (_, box_format), best_share = best
    message = f"only {share:.0%} of confident boxes overlap an annotation"
    if best_share > max(share, LOW_SHARE):
        message += f"; {best_share:.0%} as {box_format.name} (--boxes {box_format.name})"
    else:
        message += ", in any box format"
    return Note("boxes_disagree", message, 1)


def infer_open_shape(
    source: ParsedPredictions,
    shapes: BoxShapes,
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
) -> tuple[ParsedPredictions, list[Inference]]:
    """The boxes of a file that does not say what their four numbers mean: the meaning that the
    numbers allow, or with which the boxes overlap annotations better.

    Raises:
        BoxFormatRequiredError: the evidence does not decide.
    """
    assert source.box is not None
    if len(source.box) and not image_refs.explained_count:
        raise NoMatchesError(source.path, "images", source.image_keys, images.path)
    candidates = [
        BoxFormat(shape, source.unit)
        for shape in shapes.candidates
        if shape not in CORNER_SHAPES or (source.box[:, 2:] >= source.box[:, :2]).all()
    ]
    if len(candidates) > 1:
        candidates += scale_candidates(candidates, source, image_refs, images, annotations)
    names = [candidate.name for candidate in candidates]
    if len(candidates) == 1:
        chosen, evidence = candidates[0], "the numbers allow no other meaning"
    else:
        scores = mean_overlaps(candidates, source, image_refs, images, annotations)
        best, second = sorted(scores.values(), reverse=True)[:2]
        chosen = max(scores, key=scores.__getitem__)
        evidence = " ".join(f"mean IoU {score:.2f} as {f.name}," for f, score in scores.items())
        if best <= 0 or best - second < MIN_OVERLAP_GAIN:
            if not is_usual_corner(source, names):
                doubt = f"the numbers of its boxes could be {' or '.join(names)}"
                if best < NO_OVERLAP:
                    doubt += (
                        "; they overlap annotations in none of these, so check first that its "
                        "images are those of the version (--image-ids)"
                    )
                raise BoxFormatRequiredError(
                    source.path,
                    doubt,
                    names,
                    are_predictions=True,
                )
            chosen = candidates[0]
            evidence = "too few boxes to tell a corner from a centre; a corner is usual"
    evidence = f"boxes read as {chosen.name}: {evidence.rstrip(',')}"
    plain = replace(source, box_shapes=None)
    others = [name for name in names if name != chosen.name]
    return convert_boxes(chosen, plain, image_refs, images), [
        Inference("boxes", chosen.name, evidence, others)
    ]


def scale_candidates(
    candidates: Sequence[BoxFormat],
    source: ParsedPredictions,
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
) -> list[BoxFormat]:
    """The same on a scale of 0 to 1000, on which vision-language models count, where the boxes
    overlap annotations in no plain meaning."""
    assert source.box is not None
    largest = float(source.box.max(initial=0))
    has_sizes = bool((images.width[image_refs.positions[image_refs.positions >= 0]] > 0).any())
    if source.unit != "pixels" or largest > VLM_SCALE or not has_sizes or not len(annotations):
        return []
    plain = max(mean_overlaps(candidates, source, image_refs, images, annotations).values())
    scaled = [replace(candidate, unit=f"{VLM_SCALE} stretched") for candidate in candidates]
    best = max(mean_overlaps(scaled, source, image_refs, images, annotations).values())
    is_better = best >= MIN_SCALED_IOU and best >= SCALED_RATIO * plain
    return scaled if is_better or max(plain, best) < NO_OVERLAP else []


def is_usual_corner(source: ParsedPredictions, names: Sequence[str]) -> bool:
    """Whether the numbers are in pixels and start with a point, and are too few to tell whether it
    is a corner, as is usual, or the centre."""
    return (
        source.box is not None
        and len(source.box) < MIN_ORDERED_BOXES
        and list(names) == ["xywh-pixels", "cxcywh-pixels"]
    )


def min_overlap_share(box_format: BoxFormat) -> float:
    """The share of boxes that must agree. Resized squares need more evidence, and exchanged axes
    most: some boxes of images that EXIF turns agree with them too."""
    if box_format.shape == "yxhw":
        return 0.6
    return CLEAR_RESIZED_SHARE if box_format.is_resized else 0.1


def as_written(source: ParsedPredictions, box_format: BoxFormat) -> BoxFormat:
    """The format of the numbers as the file has them, which its columns may name as corners."""
    if source.stated_shape is None or box_format.shape != "xywh":
        return box_format
    return replace(box_format, shape=source.stated_shape)


def variant_name(variant_index: int, box_format: BoxFormat) -> str:
    return box_format.name if variant_index == 0 else box_format.name + CONFIDENCE_SECOND


def parse_boxes_option(
    source: ParsedPredictions, option_value: str
) -> tuple[ParsedPredictions, BoxFormat]:
    """The box format named by the user, and the source with the matching column order."""
    box_format = parse_box_format(option_value.removesuffix(CONFIDENCE_SECOND))
    variant = source.alternative if option_value.endswith(CONFIDENCE_SECOND) else source
    if box_format is None or variant is None:
        raise InvalidChoiceError(
            "--boxes",
            option_value,
            [
                *EXAMPLE_FORMATS,
                *([f"xywh-pixels{CONFIDENCE_SECOND}"] if source.alternative else []),
            ],
        )
    return variant, box_format


def beside_stated_shape(
    source: ParsedPredictions, box_format: BoxFormat, option_value: str
) -> BoxFormat:
    """The format of boxes whose columns state corners or centers: those are converted already, the
    unit is the user's.

    Raises:
        StatedShapeError: the user names another shape than the columns.
    """
    if source.stated_shape is None:
        return box_format
    if box_format.shape != source.stated_shape:
        raise StatedShapeError(source.path, option_value, source.stated_shape, box_format.unit)
    return replace(box_format, shape="xywh")
