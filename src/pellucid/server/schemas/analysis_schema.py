"""What the pages of figures, slices, likeness and comparison are told."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.results.figures import (
    ConfusionFigures,
    ErrorCauses,
    OperatingPoint,
    SplitFigures,
    TabChange,
    ThresholdFigures,
)
from pellucid.results.version_comparison import ConceptChange, SliceChange


@dataclass(frozen=True)
class CountDocument:
    """Items of a tab that is narrowed down, and how many of these are reviewed, or doubted."""

    total: int
    reviewed: int
    unsure: int


@dataclass(frozen=True)
class CurvesDocument:
    """Every split that has images, training first · remarks: what to know before believing a figure."""

    splits: list[SplitFigures]
    remarks: list[str]


@dataclass(frozen=True)
class ObjectivesDocument:
    objectives: list[ThresholdFigures]


@dataclass(frozen=True)
class MovesDocument:
    """What would change were the threshold moved from `before` to `after`."""

    before: float
    after: float
    moves: list[TabChange]


@dataclass(frozen=True)
class CausesDocument:
    found: ErrorCauses


@dataclass(frozen=True)
class ConfusionDocument:
    found: ConfusionFigures


@dataclass(frozen=True)
class SliceDocument:
    """concept: its position, null for all · tab: in which the errors are · only: what narrows it down to them."""

    sentence: str
    where: str
    concept: int | None
    tab: Tab
    items: int
    errors: int
    rate: float
    elsewhere: float
    interval: tuple[float, float]
    p_adjusted: float
    explained: float
    population_errors: int
    only: list[str]


@dataclass(frozen=True)
class SlicesDocument:
    """read, of: pictures looked at so far; until all are, slices are of the columns alone · sampled: whether some pictures are left out."""

    slices: list[SliceDocument]
    read: int
    of: int
    ready: bool
    sampled: bool


@dataclass(frozen=True)
class PointDocument:
    """x, y: 0 to 1 · row: of predictions, or of annotations (annotation true) · group: from 1, 0 for none."""

    x: float
    y: float
    row: int
    annotation: bool
    concept: int
    outcome: str
    group: int


@dataclass(frozen=True)
class GroupDocument:
    """What looks alike. examples: addresses of crops · concepts: the commonest, with how many · rates: errors / items."""

    group: int
    matched: int
    extra: int
    missing: int
    concepts: list[tuple[int, int]]
    examples: list[str]


@dataclass(frozen=True)
class MapDocument:
    """read, of, ready, sampled: as of slices · source: of the features · points: at most so many, drawn at random of `total`."""

    points: list[PointDocument]
    groups: list[GroupDocument]
    source: str
    total: int
    read: int
    of: int
    ready: bool
    sampled: bool


@dataclass(frozen=True)
class GalleryLink:
    """A list of items behind a number: of which version, tab and narrowing."""

    name: str
    version: str
    tab: Tab
    only: str
    number: int
    concept: str | None


@dataclass(frozen=True)
class ComparisonDocument:
    """See workspace.comparison. galleries: what can be looked at, of all concepts together (concept null) and of each ·
    figures_a, figures_b: of the whole split, at the thresholds."""

    a: str
    b: str
    split: Split
    images: int
    overall: ConceptChange
    concepts: list[ConceptChange]
    warnings: list[str]
    galleries: list[GalleryLink]
    figures_a: OperatingPoint
    figures_b: OperatingPoint
    verdict: str


@dataclass(frozen=True)
class SliceChangesDocument:
    """read, of, ready: pictures looked at, of both versions."""

    slices: list[SliceChange]
    read: int
    of: int
    ready: bool
