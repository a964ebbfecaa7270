"""Response schemas of the main API. The page's TypeScript types are generated from them via
OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pellucid.browse.items import Outcome
from pellucid.browse.selection import Tab
from pellucid.core.tables import Geometry, Kind, Split
from pellucid.evaluation.error_causes import Cause
from pellucid.review.events import Action
from pellucid.server.auth import Role

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
    """A view with its versions.

    Attributes:
        versions: oldest first
    """

    name: str
    kind: Kind
    versions: list[VersionSummary]


@dataclass(frozen=True)
class WorkspaceDocument:
    """The workspace, and what the user may do in it.

    Attributes:
        role: a reader may view, a reviewer also decide, an owner also start a new review round
        id: tells the workspace from others at the same address
    """

    name: str
    id: str
    pellucid: str
    views: list[ViewDocument]
    role: Role


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
class AbsentPictures:
    """Image files that are not where they were.

    Attributes:
        checked: how many were looked for
        folder, path: of the first that is absent
    """

    absent: int
    checked: int
    folder: str
    path: str


@dataclass(frozen=True)
class VersionDocument:
    """The constant data of a version. Other documents refer to concepts by index.

    Attributes:
        unannotated: those that only predictions name, which are ignored
        geometry: what `iou` is of; None without boxes
        has_scores: whether predictions have them; without, every one counts
        has_text_search: whether the filter `text` finds items
        absent_pictures: None if all are there
    """

    view: str
    version: str
    kind: Kind
    started: str
    iou: float
    geometry: Geometry | None
    has_scores: bool
    has_text_search: bool
    concepts: list[str]
    unannotated: list[int]
    splits: list[SplitDocument]
    notes: list[NoteDocument]
    absent_pictures: AbsentPictures | None


@dataclass(frozen=True)
class TabCounts:
    """A count for each tab."""

    all: int
    matched: int
    missing: int
    extra: int


@dataclass(frozen=True)
class ConceptDocument:
    """One concept at its threshold, None without scores.

    Attributes:
        equally_good, optimal, support: from validation, independent of user thresholds
        all, over: number of items in the tab All, and of those at or above the threshold
        reviewed, unsure: per tab
    """

    threshold: float | None
    optimal: float | None
    source: Literal["validation", "fallback", "user", "no scores"]
    equally_good: tuple[float | None, float | None]
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
    """Counts of a split, by concept.

    Attributes:
        concepts: in the version's order
        all_items, all_reviewed, all_unsure: counts in All over all concepts
        head: the id of the last decision applied
    """

    concepts: list[ConceptDocument]
    all_items: int
    all_reviewed: int
    all_unsure: int
    head: int


@dataclass(frozen=True)
class HistogramDocument:
    """Score histogram of the tab All.

    Attributes:
        edges: ascending, one more than there are bins
    """

    edges: list[float]
    right: list[int]
    wrong: list[int]
    other: list[int]


@dataclass(frozen=True)
class Partner:
    """The counterpart of an item: the annotation it matched or is inside of, what causes the error,
    or the closest prediction.

    Attributes:
        concept: of the image in classification
        kind: `annotation` is drawn dashed, `prediction` solid
        outcome: with boxes; `below` is a prediction under its threshold
        mask: see PageItem
    """

    kind: Literal["annotation", "prediction"]
    concept: int
    box: Box | None
    score: float | None
    iou: float | None
    outcome: Outcome | None = None
    mask: str | None = None


@dataclass(frozen=True)
class ReviewDocument:
    """The current decision on an item.

    Attributes:
        action: `add`, `remove`, `change`, `confirm` or `unsure`
    """

    row: int
    action: Action
    who: str
    when: str
    reason: str


@dataclass(frozen=True)
class OtherPrediction:
    """Another version's prediction at or above its threshold.

    Attributes:
        concept: a name, as indices differ between versions
    """

    concept: str
    score: float | None
    box: Box | None
    mask: str | None


@dataclass(frozen=True)
class PageItem:
    """An item of a list.

    Attributes:
        image: index in the version
        mask: SVG path data around the object, in pixels of the image, where masks or oriented boxes
            are compared
        over: the outcome at or above the threshold
        frame: the part of the image shown
        picture: URL of the image; the page appends frame and size
    """

    position: int
    row: int
    image: int
    path: str
    concept: int
    score: float | None
    box: Box | None
    mask: str | None
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
    score: float | None
    box: Box | None
    mask: str | None
    outcome: Outcome


@dataclass(frozen=True)
class AnnotatedBox:
    """An annotation on the image.

    Attributes:
        mask: see PageItem
        outcome `ignored`: an ignored region; `negative`: annotated as absent
        outline: polygons `x, y, x, y, ...` in pixels, drawn instead of the box where masks are not
            compared
    """

    row: int
    concept: int
    box: Box | None
    mask: str | None
    outcome: Literal["matched", "extra", "ignored", "negative"]
    outline: list[list[float]]


@dataclass(frozen=True)
class DrawnBox:
    """A box that a decision adds to the annotations, where this version predicts none."""

    concept: str
    box: Box


@dataclass(frozen=True)
class CommentDocument:
    """A comment on an item of an image.

    Attributes:
        concept: of the item
        box: its box, if it has one
        when: ISO 8601, UTC
    """

    who: str
    when: str
    text: str
    concept: str
    box: Box | None


@dataclass(frozen=True)
class ImageObject:
    """A counted prediction, or an annotation without a match, on a whole image."""

    concept: int
    outcome: Outcome
    score: float | None
    box: Box | None
    mask: str | None


@dataclass(frozen=True)
class RankedImageDocument:
    """An image with its counts and what is drawn on it.

    Attributes:
        width, height: as in ImageDocument
    """

    image: int
    path: str
    width: int
    height: int
    picture: str
    tp: int
    fp: int
    fn: int
    objects: list[ImageObject]


@dataclass(frozen=True)
class ImagesDocument:
    """A page of the images of a split, most errors first.

    Attributes:
        was_run: whether the model was run on any; else they are all images, by path, with their
            annotations as ignored objects
    """

    total: int
    offset: int
    images: list[RankedImageDocument]
    was_run: bool = True


@dataclass(frozen=True)
class ImageDocument:
    """An image with all that is predicted and annotated on it.

    Attributes:
        width, height: pixels as displayed; 0 if the image cannot be read and no size was declared
        comments: of people on its items, oldest first
    """

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
    drawn: list[DrawnBox]
    comments: list[CommentDocument]
