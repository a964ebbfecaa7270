"""Response schemas for figures, slices, similarity and comparison."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.browse.items import Outcome
from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.project.overview import Figure
from pellucid.results.figures import (
    ConfusionFigures,
    ErrorCauses,
    OperatingPoint,
    SplitFigures,
    TabChange,
    ThresholdFigures,
)
from pellucid.results.version_comparison import ConceptChange, SliceChange
from pellucid.server.schemas.gallery_schema import HistogramDocument


@dataclass(frozen=True)
class CountDocument:
    """Number of items in a filtered tab, and of those reviewed or marked unsure."""

    total: int
    reviewed: int
    unsure: int


@dataclass(frozen=True)
class FilteredConcept:
    """Counted items of a concept that satisfy the filters."""

    tp: int
    fp: int
    fn: int


@dataclass(frozen=True)
class FilteredDocument:
    """What satisfies the filters of a list.

    Attributes:
        all: items of the tab All
        concepts: in the version's order
        scores: of the items of the tab, in the bins of the whole histogram
    """

    all: int
    concepts: list[FilteredConcept]
    scores: HistogramDocument


@dataclass(frozen=True)
class CurvesDocument:
    """Precision, recall and calibration along the threshold.

    Attributes:
        splits: those with images, training first
        remarks: caveats about the figures
    """

    splits: list[SplitFigures]
    remarks: list[str]


@dataclass(frozen=True)
class ObjectivesDocument:
    objectives: list[ThresholdFigures]


@dataclass(frozen=True)
class MovesDocument:
    """Changes if the threshold moves from `before` to `after`."""

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
    """A slice with the filters that select its items.

    Attributes:
        concept: its index, null for all
        tab: where the errors are listed
        only: filters that select them
    """

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
    """The slices of a split.

    Attributes:
        read, of: images analyzed so far; until all are, slices use metadata columns only
        sampled: whether some images are left out
    """

    slices: list[SliceDocument]
    read: int
    of: int
    ready: bool
    sampled: bool


@dataclass(frozen=True)
class PointDocument:
    """An item on the map.

    Attributes:
        x, y: 0 to 1
        row: index in the predictions, or in the annotations if `annotation`
        group: from 1, 0 for none
        picture: URL of its crop
    """

    x: float
    y: float
    row: int
    annotation: bool
    concept: int
    outcome: Outcome
    group: int
    picture: str


@dataclass(frozen=True)
class GroupDocument:
    """A group of similar items.

    Attributes:
        examples: URLs of crops
        concepts: the most frequent, with counts
    """

    group: int
    matched: int
    extra: int
    missing: int
    concepts: list[tuple[int, int]]
    examples: list[str]


@dataclass(frozen=True)
class MapDocument:
    """Items placed by their similarity.

    Attributes:
        read, of, ready, sampled: see SlicesDocument
        source: of the features
        points: a random sample of `total` items
    """

    points: list[PointDocument]
    groups: list[GroupDocument]
    source: str
    total: int
    read: int
    of: int
    ready: bool
    sampled: bool


@dataclass(frozen=True)
class HeadlineDocument:
    """The main figures of a split.

    Attributes:
        figures: AP and AP50 (detection), mAP and macro F1 (tagging), accuracy and macro F1
            (classification)
        ap: of each concept
    """

    figures: list[Figure]
    ap: list[float | None]


@dataclass(frozen=True)
class GalleryLink:
    """A link to the items behind a count: version, tab and filter."""

    name: str
    version: str
    tab: Tab
    only: str
    number: int
    concept: str | None


@dataclass(frozen=True)
class ChosenThreshold:
    """The threshold of a concept in a version where it is not the one with the fewest errors."""

    version: str
    concept: str
    threshold: float


@dataclass(frozen=True)
class ComparisonDocument:
    """How two versions differ; see `results.version_comparison`.

    Attributes:
        galleries: lists of changed items, for all concepts (concept null) and for each
        figures_a, figures_b: of the whole split, at the thresholds
        summary: the verdict with its numbers
        thresholds: those chosen otherwise than for the fewest errors
    """

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
    summary: str
    thresholds: list[ChosenThreshold]


@dataclass(frozen=True)
class SliceChangesDocument:
    """Slices on which two versions differ.

    Attributes:
        read, of, ready: images analyzed in both versions
    """

    slices: list[SliceChange]
    read: int
    of: int
    ready: bool
