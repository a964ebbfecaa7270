"""Which interpretation of the image keys of predictions is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_agreement import MUCH_BETTER_RATIO, BoxAgreement
from pellucid.ingest.errors import AmbiguousInterpretationError
from pellucid.ingest.image_references import PADDED_ID
from pellucid.ingest.interpretation_choice import (
    BETTER_RATIO,
    Choice,
    doubt_error,
    explanation_text,
    is_clearly_better,
    is_rather_better,
    override_choice,
    rival_interpretations,
    select_interpretation,
)
from pellucid.ingest.references import Interpretation, best_interpretation, is_sufficient

MIN_EXTRA_BOXES = 1.5
"""How many more boxes must agree with an interpretation that alone resolves every id."""


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
    if refs.name in ("id", PADDED_ID) and not is_told:
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
        is_counted = rival.name.startswith("positions")
        if is_counted and choice.refs.ambiguous_count:
            continue  # the error about ambiguous ids says how they become clear
        if is_counted and not agreement.is_even(rival, concept_refs):
            doubtful.append((rival, rival_share))
        elif is_clearly_better(rival_share, share, min_ratio):
            choice = override_choice("image ids", choice, rival, share, rival_share, box_count)
            share = rival_share
        elif is_rather_better(rival_share, share, box_count) and rival.is_complete:
            doubtful.append((rival, rival_share))
    for rival, rival_share in doubtful:
        if is_rather_better(rival_share, share, box_count):
            shares = (choice.refs, share), (rival, rival_share)
            raise doubt_error(agreement, "image ids", "--image-ids", *shares)
    return choice
