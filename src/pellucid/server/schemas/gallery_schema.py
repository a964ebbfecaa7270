"""What the page is told. The page's TypeScript types are made from these, through the OpenAPI schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pellucid.browse.items import Outcome
from pellucid.browse.selection import Tab
from pellucid.core.tables import Kind, Split
from pellucid.evaluation.error_causes import Cause
from pellucid.review.events import Action

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class VersionSummary:
    name: str
    started: str
    images: int
    covered: int
    predictions: int


@dataclass(frozen=True)
class ViewDocument:
    """versions: oldest first."""

    name: str
    kind: Kind
    versions: list[VersionSummary]


@dataclass(frozen=True)
class WorkspaceDocument:
    """role: what the reader may do: look, decide, or begin another round too."""

    name: str
    pellucid: str
    views: list[ViewDocument]
    role: Literal["reader", "reviewer", "owner"]


@dataclass(frozen=True)
class HealthDocument:
    status: str
    pellucid: str


@dataclass(frozen=True)
class SplitDocument:
    name: Split
    images: int
    covered: int


@dataclass(frozen=True)
class NoteDocument:
    kind: str
    message: str
    count: int
    severity: Literal["info", "warning"]
    source: str


@dataclass(frozen=True)
class VersionDocument:
    """What never changes while one state of a version is looked at. Concepts are referred to by position."""

    view: str
    version: str
    kind: Kind
    started: str
    iou: float
    concepts: list[str]
    splits: list[SplitDocument]
    notes: list[NoteDocument]


@dataclass(frozen=True)
class TabCounts:
    """A count for each tab."""

    all: int
    matched: int
    missing: int
    extra: int


@dataclass(frozen=True)
class ConceptDocument:
    """One concept at its threshold. equally_good, optimal, support: from validation, whatever the user chose ·
    all, over: items of the tab All, and those of them at or over the threshold · reviewed, unsure: of the items of the four tabs."""

    threshold: float
    optimal: float
    source: Literal["validation", "fallback", "user"]
    equally_good: tuple[float, float]
    support: int
    all: int
    over: int
    tp: int
    fp: int
    fn: int
    reviewed: TabCounts
    unsure: TabCounts


@dataclass(frozen=True)
class FiguresDocument:
    """Per concept, in the version's order; all_items, all_reviewed, all_unsure: items of All with all concepts chosen · head: the
    last decision taken into account."""

    concepts: list[ConceptDocument]
    all_items: int
    all_reviewed: int
    all_unsure: int
    head: int


@dataclass(frozen=True)
class HistogramDocument:
    """Scores of the tab All: edges rise, one more than bins."""

    edges: list[float]
    right: list[int]
    wrong: list[int]
    other: list[int]


@dataclass(frozen=True)
class Partner:
    """What an item is shown beside: the annotation it matched or lies in, or the prediction that came nearest.

    concept: of the image in classification · kind: `annotation` is drawn dashed, `prediction` solid.
    """

    kind: Literal["annotation", "prediction"]
    concept: int
    box: Box | None
    score: float | None
    iou: float | None


@dataclass(frozen=True)
class ReviewDocument:
    """What was decided on an item, by whom. action: `add`, `remove`, `change`, `confirm` or `unsure`."""

    row: int
    action: Action
    who: str
    when: str
    reason: str


@dataclass(frozen=True)
class OtherPrediction:
    """What another version predicts there, at or over its threshold. concept: a name, as versions number them apart."""

    concept: str
    score: float
    box: Box | None


@dataclass(frozen=True)
class PageItem:
    """image: its position in the version · over: the outcome it has at or over its threshold · frame: the part of the
    picture shown · picture: address of the picture, to which the page adds frame and size."""

    position: int
    row: int
    image: int
    path: str
    concept: int
    score: float | None
    box: Box | None
    outcome: Outcome
    over: Outcome
    cause: Cause | None
    partner: Partner | None
    frame: tuple[int, int, int, int] | None
    picture: str
    review: ReviewDocument | None
    other: OtherPrediction | None


@dataclass(frozen=True)
class PageDocument:
    tab: Tab
    total: int
    threshold_position: int | None
    offset: int
    items: list[PageItem]


@dataclass(frozen=True)
class PredictedBox:
    """A prediction on the image being viewed. box is None for classification and tagging."""

    row: int
    concept: int
    score: float
    box: Box | None
    outcome: Outcome


@dataclass(frozen=True)
class AnnotatedBox:
    """An annotation on it. outcome `ignored`: an ignored region; `negative`: stated to be absent · outline: polygons
    `x, y, x, y, ...` in pixels, to be drawn in place of the box."""

    row: int
    concept: int
    box: Box | None
    outcome: Literal["matched", "extra", "ignored", "negative"]
    outline: list[list[float]]


@dataclass(frozen=True)
class ImageDocument:
    """width, height: pixels as displayed, 0 where the picture cannot be read and nobody declared them."""

    image: int
    path: str
    split: Split
    width: int
    height: int
    covered: bool
    picture: str
    metadata: dict[str, str]
    predictions: list[PredictedBox]
    annotations: list[AnnotatedBox]
    others: list[OtherPrediction]
