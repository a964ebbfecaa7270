"""What the page tells and is told of decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from pellucid.browse.query import Order
from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.review.events import Action, LabelValue, Side, Verdict
from pellucid.server.schemas.gallery_schema import Box, PageItem


def validate_text(string: str) -> str:
    """JSON can say half of a character, which nothing can keep."""
    if "\0" in string or any("\ud800" <= character <= "\udfff" for character in string):
        raise ValueError("holds half of a character, or none")
    return string


ValidText = AfterValidator(validate_text)
ImagePath = Annotated[str, Field(max_length=4_000), ValidText]
ConceptName = Annotated[str, Field(max_length=1_000), ValidText]
ClientKey = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
ReviewerName = Annotated[str, Field(max_length=200), ValidText]
ReasonText = Annotated[str, Field(max_length=4_000), ValidText]
MAX_ITEMS_PER_REQUEST = 1_000


@dataclass(frozen=True)
class ItemReference:
    """An item as the reviewer has it before them. concept: by name; side: `annotated` for items of the tab Extra; score tells equal boxes
    apart."""

    image: ImagePath
    concept: ConceptName
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class DecisionRequest:
    """A verdict on items, all of one act. concept, box, value: what the annotation should be, where the verdict alone does not say ·
    replaces: an added box takes the place of the annotation it overlaps · batch: a name of the act, so that asking twice is harmless ·
    seen: the last decision that the reviewer knew of · corrected: they looked at the version with corrections."""

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


@dataclass(frozen=True)
class CommentRequest:
    item: ItemReference
    who: ReviewerName
    text: Annotated[str, Field(min_length=1, max_length=4_000), ValidText]
    corrected: bool = False


@dataclass(frozen=True)
class UndoRequest:
    """Undo or redo of one's own last act."""

    who: ReviewerName
    batch: ClientKey


@dataclass(frozen=True)
class RevertRequest:
    who: ReviewerName
    reason: ReasonText = ""


@dataclass(frozen=True)
class QueueRequest:
    """Items to review that nobody else has before them. give_back: those done with · take: how many more."""

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
    """One row of the history. on: whether it is in force; standing: whether it decides about its item."""

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


@dataclass(frozen=True)
class HistoryDocument:
    """A page of the history, latest first."""

    total: int
    offset: int
    rows: list[HistoryRow]


@dataclass(frozen=True)
class ReviewOutcomeDocument:
    """What an act came to. conflicts: decisions of others on the same items that the reviewer had not seen; theirs came first, so the
    new ones stand."""

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
    """How the review goes. head: the last row · reviewers: whose decisions stand · contradicted: what others decided, after the asked
    row, on items that the asking person had decided on · undo, redo: how many items one's next undo or redo would touch · leased: items
    that others have before them."""

    head: int
    me: str | None
    reviewers: list[ReviewerDocument]
    contradicted: list[HistoryRow]
    undo: int
    redo: int
    leased: int


@dataclass(frozen=True)
class QueueDocument:
    """items: newly handed out · left: how many of the list nobody decided on yet · waiting: of these with others."""

    items: list[PageItem]
    left: int
    waiting: int


@dataclass(frozen=True)
class EffectConcept:
    """Errors on the split and threshold, as trained and with corrections."""

    concept: int
    errors: int
    errors_corrected: int
    threshold: float
    threshold_corrected: float
    corrections: int


@dataclass(frozen=True)
class EffectDocument:
    """What the corrections do to a version's figures. corrections: decisions that change annotations of its images ·
    not_applied: those whose annotation is no longer there, or whose picture."""

    corrections: int
    not_applied: int
    errors: int
    errors_corrected: int
    concepts: list[EffectConcept]
