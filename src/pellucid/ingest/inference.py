"""Infer how a file is to be interpreted from its data.

The format's default is used unless it fails or another interpretation fits better: clearly more
of the most confident boxes then overlap an annotation. If two are too close, the user must
choose.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.errors import format_count
from pellucid.core.tables import Annotations, BoolArray, Images
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_agreement import BoxAgreement, most_confident_rows
from pellucid.ingest.box_inference import infer_box_format
from pellucid.ingest.compared_sizes import with_compared_sizes
from pellucid.ingest.concept_choice import (
    check_exchanged,
    choose_concept_refs,
    compare_concept_refs,
    reject_other_numbering,
)
from pellucid.ingest.concept_references import concept_interpretations
from pellucid.ingest.exchanged_axes import are_images_turned
from pellucid.ingest.image_choice import choose_image_refs, compare_image_refs
from pellucid.ingest.image_references import image_interpretations
from pellucid.ingest.interpretation_choice import BETTER_RATIO
from pellucid.ingest.joint_readings import Evidence, JointReading, reject_joint_reading
from pellucid.ingest.references import Interpretation
from pellucid.storage.manifests import Concept


@dataclass(frozen=True)
class Overrides:
    """Interpretations set by the user.

    Attributes:
        boxes: name of a box format
        image_ids, concept_ids: name of an interpretation
        scores: `percent` or `logits`
        geometry: `box` or `mask`
    """

    boxes: str | None = None
    image_ids: str | None = None
    concept_ids: str | None = None
    scores: str | None = None
    geometry: str | None = None


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
    folders: Sequence[str] = (),
    named: Collection[str] = (),
) -> ResolvedReferences:
    """Choose the interpretation of image keys, concept keys and boxes. Clear evidence from boxes
    overrides the default.

    Raises AmbiguousInterpretationError, with the option to set, if two are too close.

    Args:
        folders: of the images, whose sizes are read where they are not known
        named: keys of concepts that the user named
    """
    named_keys = {*named}
    evidence = Evidence(source, images, annotations, len(concepts), folders)
    as_written = source
    image_candidates = image_interpretations(source, images, is_candidate)
    image_choice, tried = choose_image_refs(source, image_candidates, overrides.image_ids)
    concept_candidates = concept_interpretations(source, concepts)
    concept_choice = choose_concept_refs(source, concept_candidates, overrides.concept_ids)
    source, agreement, box_inferences = parse_boxes(evidence, image_choice.refs, overrides.boxes)
    if agreement is not None and not overrides.image_ids:
        share = agreement.share(image_choice.refs, concept_choice.refs)
        if share * BETTER_RATIO <= 1:  # a candidate can be better
            tried += image_candidates
        compared = compare_image_refs(agreement, image_choice, concept_choice.refs, tried)
        if compared is not image_choice:  # boxes of other images may have another format
            image_choice = compared
            source, agreement, box_inferences = parse_boxes(
                evidence, image_choice.refs, overrides.boxes
            )
    if agreement is not None:
        concept_choice = compare_concept_refs(
            agreement,
            image_choice.refs,
            concept_choice,
            []
            if overrides.concept_ids or named_keys >= {*source.concept_keys}
            else concept_candidates,
        )
        has_keypoints = source.keypoints is not None  # compared by these, not by the boxes around
        if not (overrides.image_ids or overrides.boxes or has_keypoints):
            as_read = JointReading(
                image_choice.refs,
                None,
                concept_choice.refs,
                agreement.overlapping_share(image_choice.refs),
            )
            reject_joint_reading(evidence, as_read, tried, concept_candidates)
        if named_keys:  # what the numbers would mean without the names
            stated = [n for n in concept_choice.notes if n.kind != "concepts_disagree"]
            concept_choice = replace(concept_choice, notes=stated)
        elif not overrides.concept_ids:
            reject_other_numbering(agreement, image_choice.refs, concept_choice.refs, concepts)
            notes = check_exchanged(agreement, image_choice.refs, concept_choice.refs, concepts)
            concept_choice = replace(concept_choice, notes=[*concept_choice.notes, *notes])
    notes = [
        *image_choice.notes,
        *other_folder_notes(as_written.image_keys, image_choice.refs, images),
        *box_notes(box_inferences),
        *concept_choice.notes,
        *note_folded_names(source.concept_keys, concept_choice.refs, concepts),
    ]
    return ResolvedReferences(
        source,
        image_choice.refs,
        concept_choice.refs,
        notes,
        [image_choice.inference, *box_inferences, concept_choice.inference],
    )


def note_folded_names(
    keys: Sequence[str], concept_refs: Interpretation, concepts: Sequence[Concept]
) -> list[Note]:
    """A note on names that are read as those of the version in another spelling."""
    if concept_refs.name != "names, ignoring case":
        return []
    pairs = [
        f"'{key}' as '{concepts[position].name}'"
        for key, position in zip(keys, concept_refs.positions.tolist(), strict=True)
        if position >= 0 and key != concepts[position].name
    ]
    message = f"concepts matched by names, ignoring case: {', '.join(pairs[:5])}"
    more = f" and {len(pairs) - 5:,} more" if len(pairs) > 5 else ""
    return [Note("folded_names", f"{message}{more}", len(pairs), "info")]


def other_folder_notes(
    keys: Sequence[str], image_refs: Interpretation, images: Images
) -> list[Note]:
    """A warning on keys that are read as an image of another folder."""
    if image_refs.name in ("id", "path"):
        return []
    pairs = [
        (key, str(images.path[row]))
        for key, row in zip(keys, image_refs.positions.tolist(), strict=True)
        if row >= 0 and "/" in key and "/" in str(images.path[row])
    ]
    others = [(key, path) for key, path in pairs if key.split("/")[-2] != path.split("/")[-2]]
    if not others:
        return []
    key, path = others[0]
    message = (
        f"{format_count(len(others), 'image')} matched by {image_refs.name}, in another folder "
        f"('{key}' is read as '{path}')"
    )
    return [Note("other_folder", message, len(others))]


def parse_boxes(
    evidence: Evidence, image_refs: Interpretation, forced_format: str | None
) -> tuple[ParsedPredictions, BoxAgreement | None, list[Inference]]:
    """The source with its boxes converted, with one reading of the images, and what to compare
    with the annotations, if the boxes are in pixels or the images have sizes."""
    as_written = evidence.source
    images = with_compared_sizes(as_written, image_refs, evidence.images, evidence.folders)
    source, inferences = infer_box_format(
        replace(as_written, notes=[*as_written.notes]),
        image_refs,
        images,
        evidence.annotations,
        forced_format,
    )
    if forced_format is None and any(i.answer.startswith("yxhw") for i in inferences):
        image_rows = np.unique(image_refs.positions[image_refs.positions >= 0])
        if are_images_turned(image_rows, images, evidence.folders):  # their boxes are turned later
            source, inferences = as_written, []
    if source.box is None or not (source.unit == "pixels" or images.width.any()):
        return source, None, inferences
    rows = most_confident_rows(source.score, len(evidence.annotations))
    agreement = BoxAgreement(source, rows, images, evidence.annotations, evidence.concept_count)
    return source, agreement, inferences


def box_notes(inferences: Sequence[Inference]) -> list[Note]:
    """Notes on box formats that were not the only possible or the default one."""
    return [
        Note("reading", inference.evidence, 1, "info")
        for inference in inferences
        if inference.alternatives or inference.forced
    ]
