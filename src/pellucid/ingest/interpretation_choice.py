"""How one interpretation is chosen among several: by the user, or by agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.formats.dataset import Inference, Note, Severity
from pellucid.ingest.box_agreement import MIN_BOXES, BoxAgreement
from pellucid.ingest.errors import AmbiguousInterpretationError
from pellucid.ingest.references import Interpretation

ReadingShare = tuple[Interpretation, float]
"""A reading, and the share of confident boxes that agree with an annotation under it."""
RATHER_BETTER_RATIO, MIN_DOUBTFUL_BOXES = 1.5, 3
"""By which factor, and how many, more boxes must agree with another reading of the image ids for
the import to ask: the wrong one agrees by chance alone."""
BETTER_RATIO = 1.1
"""Replaces MUCH_BETTER_RATIO for an interpretation that alone resolves every key (of COCO's 80
concepts numbered from 1, eleven keep their ids)."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A chosen interpretation, how it was chosen, and what to tell the user."""

    refs: Interpretation
    inference: Inference
    notes: list[Note]


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


def doubt_error(
    agreement: BoxAgreement, what: str, option: str, taken: ReadingShare, rival: ReadingShare
) -> AmbiguousInterpretationError:
    evidence = [
        (taken[0].name, f"{taken[1]:.0%} of confident boxes agree"),
        (rival[0].name, f"{rival[1]:.0%} agree"),
    ]
    return AmbiguousInterpretationError(agreement.source.path, what, evidence, option)


def is_rather_better(share: float, other_share: float, box_count: int) -> bool:
    more = (share - other_share) * box_count
    return share >= RATHER_BETTER_RATIO * other_share and more >= MIN_DOUBTFUL_BOXES - 1e-9


def is_clearly_better(share: float, other_share: float, min_ratio: float) -> bool:
    return share >= 0.1 and share >= min_ratio * other_share
