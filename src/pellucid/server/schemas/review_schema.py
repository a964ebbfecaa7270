"""Request and response schemas of the review API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from pellucid.browse.query import Order
from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.images.crop_region import Region
from pellucid.review.events import Action, LabelValue, Side, Verdict
from pellucid.server.schemas.gallery_schema import Box, PageItem


def validate_text(string: str) -> str:
    """Reject NUL and unpaired surrogates, which JSON can express but databases cannot store."""
    if "\0" in string or any("\ud800" <= character <= "\udfff" for character in string):
        raise ValueError("contains an unpaired surrogate or NUL")
    return string


ValidText = AfterValidator(validate_text)
ImagePath = Annotated[str, Field(max_length=4_000), ValidText]
ConceptName = Annotated[str, Field(max_length=1_000), ValidText]
ClientKey = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
ReviewerName = Annotated[str, Field(max_length=200), ValidText]
ReasonText = Annotated[str, Field(max_length=4_000), ValidText]
MAX_ITEMS_PER_REQUEST = 1_000
ShapeNumbers = Annotated[
    list[Annotated[list[float], Field(max_length=20_000)]], Field(min_length=1, max_length=500)
]


@dataclass(frozen=True)
class ItemReference:
    """An item as shown to the reviewer.

    Attributes:
        concept: by name
        side: `annotated` for items of the tab Extra
        score: distinguishes equal boxes
    """

    image: ImagePath
    concept: ConceptName
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class DecisionRequest:
    """One verdict on one or more items.

    Attributes:
        concept, box, value: the corrected annotation, if the verdict alone does not define it
        shape: its outline as adjusted, in pixels: rings of a mask, four corners, or keypoints with
            their visibility
        replaces: an added box replaces the annotation it overlaps
        batch: an idempotency key
        seen: id of the last decision the reviewer had seen
        corrected: the reviewer viewed the corrected version
    """

    items: Annotated[list[ItemReference], Field(min_length=1, max_length=MAX_ITEMS_PER_REQUEST)]
    verdict: Verdict
    who: ReviewerName
    batch: ClientKey
    seen: int = 0
    concept: ConceptName | None = None
    box: Box | None = None
    value: LabelValue | None = None
    replaces: bool = False
    reason: ReasonText = ""
    corrected: bool = False
    shape: ShapeNumbers | None = None


@dataclass(frozen=True)
class BoxRequest:
    """A new annotation.

    Attributes:
        image: its path
        box: left, top, width, height in pixels
        batch: an idempotency key
    """

    image: ImagePath
    concept: ConceptName
    box: Box
    who: ReviewerName
    batch: ClientKey
    reason: ReasonText = ""


@dataclass(frozen=True)
class CommentRequest:
    item: ItemReference
    who: ReviewerName
    text: Annotated[str, Field(min_length=1, max_length=4_000), ValidText]
    corrected: bool = False
    batch: ClientKey | None = None


@dataclass(frozen=True)
class UndoRequest:
    """Undo or redo the reviewer's own last action."""

    who: ReviewerName
    batch: ClientKey


@dataclass(frozen=True)
class RevertRequest:
    """Revert a decision, or start a new round.

    Attributes:
        batch: as in decisions; a repeated request is stored once
    """

    who: ReviewerName
    reason: ReasonText = ""
    batch: ClientKey | None = None


@dataclass(frozen=True)
class QueueRequest:
    """Request items that no other reviewer has leased.

    Attributes:
        give_back: items to release
        take: number of items to lease
    """

    session: ClientKey
    who: ReviewerName
    tab: Tab = "missing"
    split: Split = "validation"
    concept: Annotated[int | None, Field(ge=0, le=10_000_000)] = None
    order: Order = "mistakes"
    at: Annotated[list[str] | None, Field(max_length=10_000)] = None
    corrected: bool = False
    take: Annotated[int, Field(ge=0, le=100)] = 10
    give_back: Annotated[list[ItemReference] | None, Field(max_length=MAX_ITEMS_PER_REQUEST)] = None


@dataclass(frozen=True)
class SessionRequest:
    session: ClientKey


@dataclass(frozen=True)
class LabelDocument:
    concept: str
    box: Box | None
    value: LabelValue


@dataclass(frozen=True)
class HistoryRow:
    """One decision in the history.

    Attributes:
        on: whether it is active
        standing: whether it is the current decision on its item
        picture, frame: where its item is seen in the requested version; None without one, or if
            that version has no such image
    """

    id: int
    when: str
    who: str
    action: Action
    image: str
    concept: str
    side: Side
    box: Box | None
    before: list[LabelDocument]
    after: list[LabelDocument]
    reason: str
    version: str
    reverts: int | None
    on: bool
    standing: bool
    picture: str | None = None
    frame: Region | None = None


@dataclass(frozen=True)
class HistoryDocument:
    """A page of the history, newest first."""

    total: int
    offset: int
    rows: list[HistoryRow]


@dataclass(frozen=True)
class ReviewOutcomeDocument:
    """The result of a review action.

    Attributes:
        conflicts: earlier decisions of others on the same items that the reviewer had not seen; the
            new ones take precedence
    """

    rows: list[HistoryRow]
    conflicts: list[HistoryRow]
    head: int


@dataclass(frozen=True)
class ReviewerDocument:
    who: str
    decisions: int
    last: str


@dataclass(frozen=True)
class ProgressDocument:
    """Review progress.

    Attributes:
        head: id of the last decision
        reviewers: those with current decisions
        contradicted: decisions of others, after the given id, on items this reviewer had decided on
        undo, redo: items affected by the next undo or redo
        leased: items leased by others
    """

    head: int
    me: str | None
    reviewers: list[ReviewerDocument]
    contradicted: list[HistoryRow]
    undo: int
    redo: int
    leased: int


@dataclass(frozen=True)
class QueueDocument:
    """Items that the queue hands to a reviewer.

    Attributes:
        items: newly leased
        left: number of undecided items in the list
        waiting: number of those leased by others
    """

    items: list[PageItem]
    left: int
    waiting: int


@dataclass(frozen=True)
class EffectConcept:
    """A concept's errors on the split and its threshold, with original and corrected
    annotations."""

    concept: int
    errors: int
    errors_corrected: int
    threshold: float
    threshold_corrected: float
    corrections: int


@dataclass(frozen=True)
class EffectDocument:
    """Effect of the corrections on a version's metrics.

    Attributes:
        corrections: decisions that change annotations of its images
        not_applied: those whose annotation or image no longer exists
    """

    corrections: int
    not_applied: int
    errors: int
    errors_corrected: int
    concepts: list[EffectConcept]
