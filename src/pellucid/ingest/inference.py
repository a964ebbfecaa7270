"""Infer how a file is to be interpreted from its data.

The format's default is used unless it fails or another interpretation fits better: clearly more
of the most confident boxes then overlap an annotation. If two are too close, the user must
choose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.errors import InvalidChoiceError, format_count, summarize_names
from pellucid.core.tables import Annotations, BoolArray, Images
from pellucid.formats.dataset import Inference, Note, ParsedPredictions, Severity
from pellucid.ingest.box_agreement import (
    MIN_BOXES,
    MUCH_BETTER_RATIO,
    BoxAgreement,
    most_confident_rows,
)
from pellucid.ingest.box_inference import infer_box_format
from pellucid.ingest.compared_sizes import with_compared_sizes
from pellucid.ingest.errors import AmbiguousInterpretationError, ConceptNumberingError
from pellucid.ingest.exchanged_axes import are_images_turned
from pellucid.ingest.exchanged_concepts import find_exchanges
from pellucid.ingest.joint_readings import Evidence, JointReading, reject_joint_reading
from pellucid.ingest.references import (
    Interpretation,
    best_interpretation,
    concept_interpretations,
    default_concept_interpretation,
    image_interpretations,
    is_sufficient,
)
from pellucid.storage.manifests import Concept

BETTER_RATIO = 1.1
"""Replaces MUCH_BETTER_RATIO for an interpretation that alone resolves every key (of COCO's 80
concepts numbered from 1, eleven keep their ids)."""
MIN_NUMBERING_SHARE, MIN_NUMBERING_RATIO = 0.5, 2.0
"""Share of confident boxes that must agree with another numbering of the concepts, and by which
factor more than as read, to stop the import."""
MIN_EXTRA_BOXES = 1.5
"""How many more boxes must agree with an interpretation that alone resolves every id."""


@dataclass(frozen=True)
class Overrides:
    """Interpretations set by the user. boxes: name of a box format · image_ids, concept_ids:
    name of an interpretation · scores: `percent` or `logits` · geometry: `box` or `mask`."""

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


@dataclass(frozen=True, eq=False)
class Choice:
    """A chosen interpretation, how it was chosen, and what to tell the user."""

    refs: Interpretation
    inference: Inference
    notes: list[Note]


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
    """Choose the interpretation of image keys, concept keys and boxes. Clear evidence from
    boxes overrides the default. folders: of the images, whose sizes are read where they are not
    known · named: keys of concepts that the user named.

    Raises AmbiguousInterpretationError, with the option to set, if two are too close.
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


def choose_image_refs(
    source: ParsedPredictions, candidates: Iterator[Interpretation], forced_name: str | None
) -> tuple[Choice, list[Interpretation]]:
    """The interpretation of the image keys that resolves most, and those that were tried.

    One that resolves every key replaces a default that leaves some over, unless it contradicts
    the default: boxes then decide.

    Raises:
        AmbiguousInterpretationError: they contradict each other and there are no boxes.
    """
    default = next(candidates)
    tried = [default]
    refs = default
    if forced_name or not default.is_complete:
        tried += candidates
        named = [rival for rival in tried if not rival.name.startswith("positions")]
        refs = default if is_sufficient(default) else best_interpretation(named)
    is_told = source.box is not None or source.has_id_column or bool(forced_name)
    if refs.name == "id" and not is_told:
        reject_other_names(source, refs, tried)
    complete = next((rival for rival in tried if rival.is_complete), None)
    if complete is not None and not refs.is_complete and not refs.ambiguous_count:
        is_counted = complete.name.startswith("positions")
        if complete.agrees_with(refs) and not is_counted:
            refs = complete
        elif source.box is None and not forced_name:
            raise AmbiguousInterpretationError(
                source.path,
                "image ids",
                [
                    (rival.name, explanation_text(rival))
                    for rival in (refs, complete)
                    if rival.explained_count
                ],
                "--image-ids",
            )
    if forced_name:
        refs = select_interpretation("--image-ids", forced_name, tried)
    notes = [Note("reading", f"images matched by {refs.name}", 1, "info")]
    inference = Inference("image ids", refs.name, explanation_text(refs), [], bool(forced_name))
    return Choice(refs, inference, [] if refs is default else notes), tried


def reject_other_names(
    source: ParsedPredictions, by_id: Interpretation, tried: Sequence[Interpretation]
) -> None:
    """Raises AmbiguousInterpretationError if the keys are also names of other images, all of them:
    `5` is image 5 or 5.jpg, and no boxes tell."""
    for rival in tried:
        is_name = not rival.name.startswith(("positions", "number"))
        if is_name and rival.is_complete and not rival.agrees_with(by_id):
            readings = [(one.name, explanation_text(one)) for one in (by_id, rival)]
            raise AmbiguousInterpretationError(source.path, "image ids", readings, "--image-ids")


def choose_concept_refs(
    source: ParsedPredictions, candidates: Sequence[Interpretation], forced_name: str | None
) -> Choice:
    """The default interpretation of the concept keys, or the one set by the user."""
    if forced_name:
        refs = select_interpretation("--category-ids", forced_name, candidates)
    elif source.concept_interpretation == "column":
        named = [rival for rival in candidates if not rival.name.startswith(("positions", "COCO"))]
        refs = best_interpretation(named)
    else:
        refs = default_concept_interpretation(candidates)
    complete = next((rival for rival in candidates if rival.is_complete), None)
    if (
        source.box is None
        and not forced_name
        and complete is not None
        and complete.name.startswith("positions")
        and refs.explained_count
        and not refs.is_complete
    ):
        raise AmbiguousInterpretationError(
            source.path,
            "category ids",
            [(rival.name, explanation_text(rival)) for rival in (refs, complete)],
            "--category-ids",
        )
    inference = Inference("category ids", refs.name, explanation_text(refs), [], bool(forced_name))
    return Choice(refs, inference, [])


def compare_image_refs(
    agreement: BoxAgreement,
    choice: Choice,
    concept_refs: Interpretation,
    candidates: Iterable[Interpretation],
) -> Choice:
    """The choice, or a candidate for which far more boxes agree with an annotation.

    Raises:
        AmbiguousInterpretationError: more boxes agree with a candidate, but not far more.
    """
    share = agreement.share(choice.refs, concept_refs)
    box_count = len(agreement.confident_rows)
    doubtful: list[tuple[Interpretation, float]] = []
    rivals = [
        (rival, agreement.share(rival, concept_refs))
        for rival in rival_interpretations(choice.refs, [*candidates])
    ]
    for rival, rival_share in sorted(rivals, key=lambda pair: -pair[1]):  # the best one first
        is_complete = rival.is_complete and not choice.refs.is_complete
        min_ratio = BETTER_RATIO if is_complete else MUCH_BETTER_RATIO
        if is_clearly_better(rival_share, share, min_ratio):
            choice = override_choice("image ids", choice, rival, share, rival_share, box_count)
            share = rival_share
        elif is_rather_better(rival_share, share, box_count) and rival.is_complete:
            doubtful.append((rival, rival_share))
    for rival, rival_share in doubtful:
        if is_rather_better(rival_share, share, box_count):
            shares = (choice.refs, share), (rival, rival_share)
            raise doubt_error(agreement, "image ids", "--image-ids", *shares)
    return choice


def compare_concept_refs(
    agreement: BoxAgreement,
    image_refs: Interpretation,
    choice: Choice,
    candidates: Sequence[Interpretation],
) -> Choice:
    """The choice, or a candidate for which clearly more boxes agree with an annotation."""
    share, notes = agreement.share(image_refs, choice.refs), []
    evidence = f"{share:.0%} of confident boxes agree"
    choice = replace(choice, inference=replace(choice.inference, evidence=evidence))
    box_count = len(agreement.confident_rows)
    for rival in rival_interpretations(choice.refs, candidates):
        rival_share = agreement.share(image_refs, rival)
        is_complete = rival.is_complete and not choice.refs.is_complete
        min_ratio = BETTER_RATIO if is_complete else MUCH_BETTER_RATIO
        if choice.refs.is_complete and not rival.is_complete:
            continue
        if not is_clearly_better(rival_share, share, min_ratio):
            continue
        may_be_wrong = choice.refs.is_complete and len(rival.positions) < agreement.concept_count
        if may_be_wrong and box_count < MIN_BOXES:
            # of some concepts alone a model may be as wrong as another reading is right
            shares = (choice.refs, share), (rival, rival_share)
            raise doubt_error(agreement, "category ids", "--category-ids", *shares)
        if is_complete and (rival_share - share) * box_count < MIN_EXTRA_BOXES:
            continue
        choice = override_choice("category ids", choice, rival, share, rival_share, box_count)
        if may_be_wrong:
            choice = replace(
                choice, notes=[replace(note, severity="warning") for note in choice.notes]
            )
        notes += choice.notes
        share = rival_share
    any_share = agreement.any_concept_share(image_refs, choice.refs)
    ratio = MIN_NUMBERING_RATIO if are_numbers(agreement.source.concept_keys) else MUCH_BETTER_RATIO
    if any_share >= 0.1 and share * ratio < any_share:
        message = (
            f"{any_share:.0%} of confident boxes overlap an annotation, but only {share:.0%} "
            f"overlap one of the same concept: check the concept ids (read as "
            f"{choice.inference.answer})"
        )
        notes.append(Note("concepts_disagree", message, 1))
    return replace(choice, notes=notes)


def reject_other_numbering(
    agreement: BoxAgreement,
    image_refs: Interpretation,
    concept_refs: Interpretation,
    concepts: Sequence[Concept],
) -> None:
    """Raise ConceptNumberingError if numbers contradict the annotations, and one other concept for
    each of them agrees. Names are what they say, however wrong the model is."""
    keys = agreement.source.concept_keys
    if not are_numbers(keys):
        return
    if len(agreement.confident_rows) < MIN_BOXES:
        return
    share = agreement.share(image_refs, concept_refs)
    numbering = agreement.best_numbering(image_refs)
    if numbering.explained_count < 2:
        return  # one number may as well be of a model that is wrong
    other_share = agreement.share(image_refs, numbering)
    if other_share < MIN_NUMBERING_SHARE or other_share < share * MIN_NUMBERING_RATIO:
        return
    names = {
        key: concepts[position].name
        for key, position in zip(keys, numbering.positions.tolist(), strict=True)
        if position >= 0
    }
    evidence = (f"{share:.0%} of confident boxes agree with an annotation", f"{other_share:.0%}")
    raise ConceptNumberingError(agreement.source.path, concept_refs.name, names, evidence)


def are_numbers(keys: Sequence[str]) -> bool:
    return all(key.removesuffix(".0").isdecimal() for key in keys)


def check_exchanged(
    agreement: BoxAgreement,
    image_refs: Interpretation,
    concept_refs: Interpretation,
    concepts: Sequence[Concept],
) -> list[Note]:
    """A warning if concepts are exchanged. Raises ConceptNumberingError if numbers name them."""
    other = find_exchanges(agreement, image_refs, concept_refs)
    if not other:
        return []
    keys = agreement.source.concept_keys
    names = {
        key: concepts[other[position]].name
        for key, position in zip(keys, concept_refs.positions.tolist(), strict=True)
        if position in other
    }
    if are_numbers(keys):
        evidence = ("most boxes of these overlap another concept", "they agree")
        raise ConceptNumberingError(agreement.source.path, concept_refs.name, names, evidence)
    maps = " ".join(f"--map '{key}={name}'" for key, name in [*names.items()][:6])
    message = (
        f"{summarize_names(names, 6)} may be exchanged: their boxes overlap annotations of one "
        f"another, not their own. If so, import with {maps}"
    )
    return [Note("concepts_exchanged", message, len(names))]


def override_choice(
    subject: str,
    choice: Choice,
    rival: Interpretation,
    share: float,
    rival_share: float,
    box_count: int,
) -> Choice:
    """The rival in place of the choice, with the evidence for it; a warning if it is thin."""
    message = (
        f"{subject} read as {rival.name}: {rival_share:.0%} of confident boxes agree with an "
        f"annotation, {share:.0%} when read as {choice.refs.name}"
    )
    severity: Severity = "info"
    if box_count < MIN_BOXES:
        message += f" (only {format_count(box_count, 'box', 'boxes')}: check this)"
        severity = "warning"
    note = Note("reading", message, 1, severity)
    rejected = [f"{choice.refs.name}: {share:.0%} agree"]
    return Choice(rival, Inference(subject, rival.name, note.message, rejected), [note])


def box_notes(inferences: Sequence[Inference]) -> list[Note]:
    """Notes on box formats that were not the only possible or the default one."""
    return [
        Note("reading", inference.evidence, 1, "info")
        for inference in inferences
        if inference.alternatives or inference.forced
    ]


def explanation_text(interpretation: Interpretation) -> str:
    return f"resolves {interpretation.explained_count:,} of {len(interpretation.positions):,}"


def select_interpretation(
    option: str, interpretation_name: str, interpretations: Sequence[Interpretation]
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


ReadingShare = tuple[Interpretation, float]
"""A reading, and the share of confident boxes that agree with an annotation under it."""


def doubt_error(
    agreement: BoxAgreement, what: str, option: str, taken: ReadingShare, rival: ReadingShare
) -> AmbiguousInterpretationError:
    evidence = [
        (taken[0].name, f"{taken[1]:.0%} of confident boxes agree"),
        (rival[0].name, f"{rival[1]:.0%} agree"),
    ]
    return AmbiguousInterpretationError(agreement.source.path, what, evidence, option)


RATHER_BETTER_RATIO, MIN_DOUBTFUL_BOXES = 1.5, 3
"""By which factor, and how many, more boxes must agree with another reading of the image ids for
the import to ask: the wrong one agrees by chance alone."""


def is_rather_better(share: float, other_share: float, box_count: int) -> bool:
    more = (share - other_share) * box_count
    return share >= RATHER_BETTER_RATIO * other_share and more >= MIN_DOUBTFUL_BOXES - 1e-9


def is_clearly_better(share: float, other_share: float, min_ratio: float) -> bool:
    return share >= 0.1 and share >= min_ratio * other_share
