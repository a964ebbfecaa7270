"""Infer how a file is to be interpreted from its data.

The format's default is used unless it fails or another interpretation fits better: clearly more
of the most confident boxes then overlap an annotation. If two are too close, the user must
choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import (
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_formats import (
    BoxFormat,
    convert_to_pixels,
    format_overlap_shares,
    parse_box_format,
    possible_box_formats,
    select_image_annotations,
)
from pellucid.ingest.errors import AmbiguousInterpretationError
from pellucid.ingest.references import (
    Interpretation,
    best_interpretation,
    concept_interpretations,
    default_concept_interpretation,
    image_interpretations,
    is_sufficient,
)
from pellucid.storage.manifests import Concept

BOX_SAMPLE_SIZE = 5_000
"""Number of the most confident boxes used to compare interpretations."""
BETTER_RATIO, MUCH_BETTER_RATIO = 1.1, 3.0
"""Factor by which more boxes must agree with another interpretation than with the default. The
lower one is for an interpretation that alone resolves every key (of COCO's 80 concepts numbered
from 1, eleven keep their ids)."""
MIN_EXTRA_BOXES = 1.5
"""How many more boxes must agree with an interpretation that alone resolves every id."""
MIN_BOXES = 20
"""Boxes needed to override a default interpretation that resolves as many keys."""


@dataclass(frozen=True)
class Overrides:
    """Interpretations set by the user. boxes: name of a box format · image_ids, concept_ids:
    name of an interpretation · scores: `percent` or `logits`."""

    boxes: str | None = None
    image_ids: str | None = None
    concept_ids: str | None = None
    scores: str | None = None


@dataclass(frozen=True, eq=False)
class ResolvedReferences:
    """The chosen interpretations of image and concept keys, and the source with its boxes
    converted accordingly."""

    source: ParsedPredictions
    image_refs: Interpretation
    concept_refs: Interpretation
    notes: list[Note]
    inferences: list[Inference]


def resolve_references(
    source: ParsedPredictions,
    images: Images,
    is_candidate: BoolArray,
    concepts: Sequence[Concept],
    annotations: Annotations,
    overrides: Overrides,
) -> ResolvedReferences:
    """Choose the interpretation of image keys, concept keys and boxes. Clear evidence from
    boxes overrides the default.

    Raises AmbiguousInterpretationError, with the option to set, if two are too close.
    """
    image_candidates = image_interpretations(source, images, is_candidate)
    default = next(image_candidates)
    tried_interpretations = (
        [default]
        if is_sufficient(default) and not overrides.image_ids
        else [default, *image_candidates]
    )
    image_refs = default if is_sufficient(default) else best_interpretation(tried_interpretations)
    if overrides.image_ids:
        image_refs = select_interpretation(
            source.path, "--image-ids", overrides.image_ids, tried_interpretations
        )
    notes = (
        []
        if image_refs is default
        else [Note("reading", f"images matched by {image_refs.name}", 1, "info")]
    )
    inferences = [
        Inference(
            "image ids",
            image_refs.name,
            explanation_text(image_refs),
            [],
            bool(overrides.image_ids),
        )
    ]
    source, box_inferences = infer_box_format(source, image_refs, images, annotations, overrides)
    inferences += box_inferences
    notes += [
        Note("reading", inference.evidence, 1, "info")
        for inference in box_inferences
        if inference.alternatives or inference.forced
    ]
    concept_candidates = concept_interpretations(source, concepts)
    concept_refs = (
        best_interpretation(concept_candidates)
        if source.concept_interpretation == "column"
        else default_concept_interpretation(concept_candidates)
    )
    if overrides.concept_ids:
        concept_refs = select_interpretation(
            source.path, "--category-ids", overrides.concept_ids, concept_candidates
        )
    if source.box is None or (source.unit != "pixels" and not images.width.any()):
        return ResolvedReferences(
            source,
            image_refs,
            concept_refs,
            notes,
            [
                *inferences,
                Inference("category ids", concept_refs.name, explanation_text(concept_refs)),
            ],
        )
    confident_rows = most_confident_rows(source.score)
    share = agreement_share(
        source, confident_rows, image_refs, concept_refs, annotations, len(concepts), images
    )
    if (
        not overrides.image_ids and share * MUCH_BETTER_RATIO <= 1
    ):  # else none can be that much better
        for rival in rival_interpretations(image_refs, [*tried_interpretations, *image_candidates]):
            rival_share = agreement_share(
                source, confident_rows, rival, concept_refs, annotations, len(concepts), images
            )
            if len(confident_rows) >= MIN_BOXES and is_clearly_better(
                rival_share, share, MUCH_BETTER_RATIO
            ):
                notes = [contradiction_note("image ids", rival, image_refs, rival_share, share)]
                inferences[0] = Inference(
                    "image ids",
                    rival.name,
                    notes[0].message,
                    [f"{image_refs.name}: {share:.0%} agree"],
                )
                image_refs, share = rival, rival_share
    concept_inference = Inference(
        "category ids",
        concept_refs.name,
        f"{share:.0%} of confident boxes agree",
        [],
        bool(overrides.concept_ids),
    )
    for rival in (
        rival_interpretations(concept_refs, concept_candidates) if not overrides.concept_ids else ()
    ):
        rival_share = agreement_share(
            source, confident_rows, image_refs, rival, annotations, len(concepts), images
        )
        is_complete = concept_refs.explained_count < rival.explained_count == len(rival.positions)
        extra_boxes = (rival_share - share) * len(confident_rows)
        if is_clearly_better(
            rival_share, share, BETTER_RATIO if is_complete else MUCH_BETTER_RATIO
        ) and (not is_complete or extra_boxes >= MIN_EXTRA_BOXES):
            if not is_complete and len(confident_rows) < MIN_BOXES:
                notes.append(
                    contradiction_note("category ids", concept_refs, rival, share, rival_share)
                )
                continue
            notes.append(
                contradiction_note("category ids", rival, concept_refs, rival_share, share)
            )
            concept_inference = Inference(
                "category ids",
                rival.name,
                notes[-1].message,
                [f"{concept_refs.name}: {share:.0%} agree"],
            )
            concept_refs, share = rival, rival_share
    any_concept_share = agreement_share(
        source,
        confident_rows,
        image_refs,
        merge_concepts_to_one(concept_refs),
        annotations.replace(concept=annotations.concept * 0),
        1,
        images,
    )
    if any_concept_share >= 0.1 and share * MUCH_BETTER_RATIO < any_concept_share:
        message = (
            f"{any_concept_share:.0%} of confident boxes overlap an annotation, but only "
            f"{share:.0%} overlap one of the same concept: "
            f"check the concept ids (read as {concept_inference.answer})"
        )
        notes.append(Note("concepts_disagree", message, 1))
    return ResolvedReferences(
        source, image_refs, concept_refs, notes, [*inferences, concept_inference]
    )


def merge_concepts_to_one(concept_refs: Interpretation) -> Interpretation:
    """Map all resolved concepts to one concept."""
    return Interpretation(
        "any", np.where(concept_refs.positions >= 0, 0, concept_refs.positions).astype(np.int32)
    )


def explanation_text(interpretation: Interpretation) -> str:
    return f"resolves {interpretation.explained_count:,} of {len(interpretation.positions):,}"


def select_interpretation(
    path: str, option: str, interpretation_name: str, interpretations: Sequence[Interpretation]
) -> Interpretation:
    """The interpretation with the given name. Raises InvalidChoiceError."""
    selected = next(
        (
            interpretation
            for interpretation in interpretations
            if interpretation.name.replace(" ", "-") == interpretation_name.replace(" ", "-")
        ),
        None,
    )
    if selected is None:
        raise InvalidChoiceError(
            option,
            interpretation_name,
            [interpretation.name.replace(" ", "-") for interpretation in interpretations],
        )
    return selected


def infer_box_format(
    source: ParsedPredictions,
    image_refs: Interpretation,
    images: Images,
    annotations: Annotations,
    overrides: Overrides,
) -> tuple[ParsedPredictions, list[Inference]]:
    """The source with its boxes converted: the format's default, unless clearly more boxes
    agree in another format."""
    if source.box is None:
        return source, []
    if overrides.boxes:
        variant, box_format = parse_boxes_option(source, overrides.boxes)
        inference = Inference(
            "boxes", overrides.boxes, f"boxes read as {overrides.boxes} (--boxes)", [], True
        )
        return replace(convert_boxes(box_format, variant, image_refs, images), alternative=None), [
            inference
        ]
    default_format = default_box_format(source)
    variants = [source] + ([source.alternative] if source.alternative else [])
    shares = {
        (variant_index, box_format): share
        for variant_index, variant in enumerate(variants)
        for box_format, share in box_format_shares(variant, image_refs, images, annotations).items()
    }
    default_share = shares.get((0, default_format), 0.0)
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    if not ranked:
        return source, []
    (variant_index, box_format), best_share = ranked[0]
    default_inference = Inference(
        "boxes",
        default_format.name,
        f"{default_share:.0%} of confident boxes overlap an annotation",
    )
    if not (
        best_share >= min_overlap_share(box_format)
        and (
            best_share >= default_share * MUCH_BETTER_RATIO
            or best_share - default_share >= MIN_SHARE_GAIN
        )
    ):
        if default_share < 0.05:
            message = (
                f"only {default_share:.0%} of confident boxes overlap an annotation, in any box "
                "format"
            )
            source.notes.append(Note("boxes_disagree", message, 1))
        return source, [default_inference]
    if len(source.score) < MIN_BOXES:
        message = (
            f"too few boxes to infer the box format: {default_share:.0%} overlap an annotation as "
            f"{default_format.name}, {best_share:.0%} as {box_format.name} "
            f"(--boxes {box_format.name})"
        )
        source.notes.append(Note("boxes_unsure", message, 1))
        return source, [default_inference]
    alternatives = [
        (variant_name(variant_index, rival_format), share)
        for (variant_index, rival_format), share in ranked[1:4]
    ]
    if len(ranked) > 1 and ranked[1][1] >= TIE_RATIO * best_share:
        raise AmbiguousInterpretationError(
            source.path,
            "boxes",
            [(variant_name(variant_index, box_format), best_share), *alternatives[:1]],
            "--boxes",
        )
    message = (
        f"boxes read as {variant_name(variant_index, box_format)}: {best_share:.0%} of confident "
        f"boxes overlap an annotation, {default_share:.0%} as {default_format.name}"
    )
    return replace(
        convert_boxes(box_format, variants[variant_index], image_refs, images), alternative=None
    ), [
        Inference(
            "boxes",
            variant_name(variant_index, box_format),
            message,
            [f"{format_name}: {share:.0%} agree" for format_name, share in alternatives],
        )
    ]


MIN_SHARE_GAIN = 0.3
"""Alternative to MUCH_BETTER_RATIO: the required gain in share, as large boxes overlap in any
box format."""


def min_overlap_share(box_format: BoxFormat) -> float:
    """The share of boxes that must agree. Resized squares need more evidence."""
    return 0.1 if box_format.unit in ("pixels", "fractions", "percent") else 0.3


FORMAT_SAMPLE_SIZE = 1_000
"""Number of the most confident boxes used to compare box formats."""
EXAMPLE_FORMATS = (
    "xywh-pixels",
    "xyxy-pixels",
    "cxcywh-fractions",
    "xywh-percent",
    "xyxy-640-letterboxed",
)
TIE_RATIO = 0.9
"""If the second-best share is at least this fraction of the best, the choice is unclear."""


CONFIDENCE_SECOND = "-confidence-second"
"""Name suffix of a box format for the alternative column order of the file."""


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


def default_box_format(source: ParsedPredictions) -> BoxFormat:
    """The box format declared by the file format."""
    return BoxFormat(source.box_shape, source.unit)


def box_format_shares(
    source: ParsedPredictions, image_refs: Interpretation, images: Images, annotations: Annotations
) -> dict[BoxFormat, float]:
    """The share of the most confident boxes that agree in each format, its own first."""
    sample_rows = most_confident_rows(source.score)[:FORMAT_SAMPLE_SIZE]
    sample_rows = sample_rows[image_refs.positions[source.image[sample_rows]] >= 0]
    if not len(sample_rows) or source.box is None or not len(annotations):
        return {}
    image_rows = image_refs.positions[source.image[sample_rows]]
    has_sizes = bool((images.width[image_rows] > 0).all())
    default_format, raw_boxes = (
        default_box_format(source),
        boxes_as_written(source, source.box[sample_rows]),
    )
    box_formats = [default_format] if has_sizes or not default_format.needs_sizes else []
    box_formats += [
        box_format
        for box_format in possible_box_formats(raw_boxes, has_sizes)
        if box_format != default_format
    ]
    return format_overlap_shares(box_formats, raw_boxes, image_rows, images, annotations)


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


def most_confident_rows(score: Float64Array) -> Int64Array:
    """Rows of the highest scores, in descending order; ties keep their input order."""
    if len(score) > BOX_SAMPLE_SIZE:
        min_score = np.partition(score, len(score) - BOX_SAMPLE_SIZE)[len(score) - BOX_SAMPLE_SIZE]
        top_rows = np.flatnonzero(score >= min_score)
    else:
        top_rows = np.arange(len(score))
    return top_rows[np.argsort(-score[top_rows], kind="stable")][:BOX_SAMPLE_SIZE]


def rival_interpretations(
    current: Interpretation, interpretations: Sequence[Interpretation]
) -> list[Interpretation]:
    """Other interpretations that resolve at least half as many keys, with different results."""
    return [
        rival
        for rival in interpretations
        if rival.explained_count
        and rival.explained_count * 2 >= current.explained_count
        and (rival.positions != current.positions).any()
    ]


def is_clearly_better(share: float, other_share: float, min_ratio: float) -> bool:
    return share >= 0.1 and share >= min_ratio * other_share


def contradiction_note(
    subject: str,
    preferred: Interpretation,
    rejected: Interpretation,
    share: float,
    rejected_share: float,
) -> Note:
    message = (
        f"{subject} read as {preferred.name}: {share:.0%} of confident boxes agree with an "
        f"annotation, {rejected_share:.0%} when read as {rejected.name}"
    )
    return Note("reading", message, 1, "info" if share >= rejected_share else "warning")


def agreement_share(
    source: ParsedPredictions,
    confident_rows: Int64Array,
    image_refs: Interpretation,
    concept_refs: Interpretation,
    annotations: Annotations,
    concept_count: int,
    images: Images,
) -> float:
    """The share of these rows (by descending score) with an annotation at IoU >= 0.5."""
    image_rows, concept_indexes = (
        image_refs.positions[source.image[confident_rows]],
        concept_refs.positions[source.concept[confident_rows]],
    )
    is_resolved = (image_rows >= 0) & (concept_indexes >= 0)
    assert source.box is not None
    box = source.box[confident_rows][is_resolved]
    if source.unit == "fractions":
        box = convert_to_pixels(
            BoxFormat("xywh", "fractions"),
            box,
            images.width[image_rows[is_resolved]],
            images.height[image_rows[is_resolved]],
        )
    confident_predictions = Predictions(
        image_rows[is_resolved],
        concept_indexes[is_resolved],
        source.score[confident_rows][is_resolved],
        box,
        confident_rows[is_resolved].astype(np.int32),
    )
    image_annotations = select_image_annotations(annotations, confident_predictions.image)
    agreeing_rows: set[int] = set()
    for prediction_rows, _, iou in overlapping_pairs(
        image_annotations, confident_predictions, concept_count
    ):
        agreeing_rows.update(prediction_rows[iou >= 0.5].tolist())
    return len(agreeing_rows) / max(1, len(confident_rows))
