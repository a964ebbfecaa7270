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


def whole(text: str) -> str:
    """JSON can say half of a character, which nothing can keep."""
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("holds half of a character, or none")
    return text


Whole = AfterValidator(whole)
Path = Annotated[str, Field(max_length=4_000), Whole]
Name = Annotated[str, Field(max_length=1_000), Whole]
Key = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
Who = Annotated[str, Field(max_length=200), Whole]
Text = Annotated[str, Field(max_length=4_000), Whole]
MOST_AT_ONCE = 1_000


@dataclass(frozen=True)
class ItemSeen:
    """An item as the reviewer has it before them. concept: by name; side: `annotated` for items of the tab Extra; score tells equal boxes
    apart."""

    image: Path
    concept: Name
    side: Side
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class DecisionAsked:
    """A verdict on items, all of one act. concept, box, value: what the annotation should be, where the verdict alone does not say ·
    replaces: an added box takes the place of the annotation it overlaps · batch: a name of the act, so that asking twice is harmless ·
    seen: the last decision that the reviewer knew of · corrected: they looked at the version with corrections."""

    items: Annotated[list[ItemSeen], Field(min_length=1, max_length=MOST_AT_ONCE)]
    verdict: Verdict
    who: Who
    batch: Key
    seen: int = 0
    concept: Name | None = None
    box: Box | None = None
    value: LabelValue | None = None
    replaces: bool = False
    reason: Text = ""
    corrected: bool = False


@dataclass(frozen=True)
class CommentAsked:
    item: ItemSeen
    who: Who
    text: Annotated[str, Field(min_length=1, max_length=4_000), Whole]
    corrected: bool = False


@dataclass(frozen=True)
class ActAsked:
    """Undo or redo of one's own last act."""

    who: Who
    batch: Key


@dataclass(frozen=True)
class RevertAsked:
    who: Who
    reason: Text = ""


@dataclass(frozen=True)
class QueueAsked:
    """Items to review that nobody else has before them. give_back: those done with · take: how many more."""

    session: Key
    who: Who
    tab: Tab = "missing"
    split: Split = "validation"
    concept: Annotated[int | None, Field(ge=0, le=10_000_000)] = None
    order: Order = "mistakes"
    at: Annotated[list[str] | None, Field(max_length=10_000)] = None
    corrected: bool = False
    take: Annotated[int, Field(ge=0, le=100)] = 10
    give_back: Annotated[list[ItemSeen] | None, Field(max_length=MOST_AT_ONCE)] = None


@dataclass(frozen=True)
class SessionAsked:
    session: Key


@dataclass(frozen=True)
class MarkDocument:
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
    before: list[MarkDocument]
    after: list[MarkDocument]
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
class ActDocument:
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
