"""Which interpretation of the concept keys of predictions is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pellucid.core.errors import summarize_names
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_agreement import MIN_BOXES, MUCH_BETTER_RATIO, BoxAgreement
from pellucid.ingest.concept_references import default_concept_interpretation
from pellucid.ingest.errors import AmbiguousInterpretationError, ConceptNumberingError
from pellucid.ingest.exchanged_concepts import find_exchanges
from pellucid.ingest.image_choice import MIN_EXTRA_BOXES
from pellucid.ingest.interpretation_choice import (
    BETTER_RATIO,
    Choice,
    doubt_error,
    explanation_text,
    is_clearly_better,
    override_choice,
    rival_interpretations,
    select_interpretation,
)
from pellucid.ingest.references import Interpretation, best_interpretation
from pellucid.storage.manifests import Concept

MIN_NUMBERING_SHARE, MIN_NUMBERING_RATIO = 0.5, 2.0
"""Share of confident boxes that must agree with another numbering of the concepts, and by which
factor more than as read, to stop the import."""


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
