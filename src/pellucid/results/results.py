"""`Results`: one version in one state, with every question that can be asked about it."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pellucid.analysis.tide import TideReport, tide_report
from pellucid.browse.image_ranking import ImageOrder, ImageRanking, rank_images
from pellucid.browse.label_errors import LabelErrorScores, label_error_scores, sort_by_label_error
from pellucid.browse.list_views import ListView, sort_by_margin, sort_by_size, sort_selection_rows
from pellucid.browse.query import ListQuery, Order, ReviewFilter
from pellucid.browse.selection import Tab, TabSelection
from pellucid.browse.similarity_order import nearest_neighbour_order
from pellucid.core.display import DisplayedList
from pellucid.core.errors import InvalidChoiceError, UnknownConceptError
from pellucid.core.tables import SPLITS, BoolArray, Float64Array, Images, Int64Array, Split
from pellucid.evaluation.bootstrap import Interval, threshold_intervals
from pellucid.evaluation.boundary_metrics import compute_boundary_metrics
from pellucid.evaluation.counts import SCORE_BAR_BINS, Histogram, histogram
from pellucid.evaluation.error_causes import ImageRows
from pellucid.evaluation.errors import InvalidObjectiveError
from pellucid.evaluation.evaluation import VALIDATION, Evaluation
from pellucid.evaluation.image_subset import restrict_to_images
from pellucid.evaluation.incremental import rematch
from pellucid.evaluation.metrics import Metrics, OverallMetrics, compute_metrics, optional_float
from pellucid.evaluation.objectives import optimize_objective, parse_objective
from pellucid.evaluation.thresholds import apply_user_threshold
from pellucid.evaluation.voc_metrics import voc_average_precision
from pellucid.formats.dataset import Note
from pellucid.formats.errors import KindConflictError
from pellucid.images.descriptors import image_descriptors
from pellucid.results.confusion_table import ConfusionTable, name_confusion
from pellucid.results.embeddings import Embeddings
from pellucid.results.errors import EmptySplitError, NoScoresError, ObjectiveNotReachedError
from pellucid.results.figures import (
    ErrorCauses,
    SplitFigures,
    ThresholdFigures,
    cause_figures,
    confusion_figures,
    figure_remarks,
    objective_thresholds,
    split_figures,
)
from pellucid.results.filters import FilterContext, apply_filters, other_version_names
from pellucid.results.findings import Findings, collect_findings, find_leaks
from pellucid.results.gallery import Gallery
from pellucid.results.image_filters import match_images, values_by_image
from pellucid.results.image_stats import DEFAULT_IMAGE_LIMIT, ImageStatsCache, ProgressCallback
from pellucid.results.similarity import Appearance, SimilarityGroup, find_similarity_groups
from pellucid.results.slices import ErrorSlice, find_slices
from pellucid.results.text_search import TextSearch
from pellucid.results.threshold_table import ThresholdTable
from pellucid.results.version_comparison import VersionComparison, compare_versions
from pellucid.review.apply import group_effective_decisions
from pellucid.review.corrected import OriginalAnnotations, correct_evaluation, locate_decisions
from pellucid.review.events import Decision, DecisionLog
from pellucid.review.image_locator import ImageLocator
from pellucid.review.index import DecidedItems, ReviewIndex
from pellucid.storage.manifests import VersionManifest

CACHE_SIZE = 24
SIMILARITY_LIMIT = 2_000
"""Most items sorted by similarity; items less likely to be label errors follow in their own order.
"""


class VersionLinks(Protocol):
    """How the results of a version reach the decisions and the other versions of its view."""

    @property
    def name(self) -> str: ...
    @property
    def decision_log(self) -> DecisionLog: ...
    def other_results(self, name: str, corrected: bool) -> Results: ...
    def other_stamp(self, name: str) -> object:
        """Changes when the other version changes."""
        ...


@dataclass(frozen=True, eq=False)
class ResultsState:
    """The state of a version that results are of.

    Attributes:
        corrected: whether against the corrected annotations
        not_applied: with corrections, decisions whose image or annotation no longer exists
        frozen_rows: with corrections, each annotation's row in the frozen table, -1 for a new one
        selected_images: where only some images are looked at: which, bool (images,)
    """

    corrected: bool = False
    not_applied: int = 0
    frozen_rows: Int64Array | None = None
    selected_images: BoolArray | None = None


AS_TRAINED = ResultsState()


class Results:
    """A version in one state: as trained or with corrections, at the chosen thresholds.

    Made by `version.results(...)`; never changes.

    Args:
        manifest, evaluation: of one generation
        folders: image folders, indexed by the images' `root`
        folder: of the version, where image statistics are cached; None: no cache on disk
    """

    def __init__(
        self,
        links: VersionLinks,
        manifest: VersionManifest,
        evaluation: Evaluation,
        folders: list[str] | None = None,
        originals: OriginalAnnotations | None = None,
        state: ResultsState = AS_TRAINED,
        folder: Path | None = None,
        embeddings: Embeddings | None = None,
        text_search: TextSearch | None = None,
    ) -> None:
        self.links = links
        self.manifest = manifest
        self.evaluation = evaluation
        self.folders = manifest.folders if folders is None else folders
        self.originals = originals
        self.state = state
        self.embeddings = embeddings
        self.text_search = text_search
        self.common_threshold: float | None = None
        """The threshold of all concepts, where one was chosen for all."""
        self._folder = folder
        self._user_thresholds: Float64Array | None = None
        self._cache: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = threading.RLock()
        self._corrected_results: tuple[tuple[int, ...], Results] | None = None
        self._corrected_head = -1

    # States

    @property
    def corrected(self) -> bool:
        """Whether these are the results against the corrected annotations."""
        return self.state.corrected

    @property
    def selected_images(self) -> BoolArray | None:
        """Where only some images are looked at: which, bool (images,)."""
        return self.state.selected_images

    @property
    def thresholds(self) -> Float64Array:
        """The threshold of each concept, float64 (concepts,): the optimal ones unless others were
        chosen."""
        chosen = self._user_thresholds
        return self.evaluation.optimal_thresholds if chosen is None else chosen

    def with_thresholds(self, thresholds: float | Mapping[str, float] | Float64Array) -> Results:
        """The same at other thresholds: one for all concepts, by concept, or one per concept.

        Raises:
            UnknownConceptError: a concept is not in the version.
            ValueError: a threshold is not finite.
            NoScoresError: the predictions have no scores.
        """
        if not self.evaluation.has_scores:
            if isinstance(thresholds, np.ndarray) and np.isinf(thresholds).all():
                return copy.copy(self)
            raise NoScoresError(self.links.name)
        values = self.thresholds.copy()
        common = None
        if isinstance(thresholds, Mapping):
            for concept, value in thresholds.items():
                values[self.concept_index(concept)] = value
        else:
            values[:] = thresholds
            common = None if isinstance(thresholds, np.ndarray) else float(thresholds)
        if not np.isfinite(values).all():
            raise ValueError("invalid threshold: expected a finite number")
        results = copy.copy(self)
        results._user_thresholds = values
        results.common_threshold = common
        return results

    def at_objective(self, objective: str, given: Container[str] = ()) -> Results:
        """The same at the best thresholds for an objective (see threshold_for), per concept.
        Concepts without annotations on validation keep theirs.

        given: concepts whose thresholds are chosen otherwise.

        Raises:
            InvalidObjectiveError: the objective is unknown.
            ObjectiveNotReachedError: no threshold of a concept reaches it.
            NoScoresError: the predictions have no scores.
        """
        self._require_scores()
        wanted = parse_objective(objective)
        best: dict[str, float] = {}
        unreached = []
        for index in self.evaluation.annotated_concepts:
            concept = self.evaluation.concepts[index]
            predictions = self.evaluation.concept_predictions(VALIDATION, index)
            if concept in given or not predictions.annotation_count:
                continue
            threshold = optimize_objective(predictions, wanted)
            is_unfulfilled = threshold is None and wanted.criterion in ("precision", "recall")
            if is_unfulfilled:
                unreached.append(concept)
            elif threshold is not None:
                best[concept] = threshold.value
        if unreached:
            raise ObjectiveNotReachedError(objective, unreached)
        return self.with_thresholds(best)

    def at_point(self, point: str) -> Results:
        """The same at the thresholds that an operating point names: an objective, or `score:X` for
        one threshold of all concepts.

        Raises:
            InvalidObjectiveError: the point is unknown.
            ObjectiveNotReachedError: no threshold of a concept reaches it.
            NoScoresError: the predictions have no scores.
        """
        kind, _, value = point.partition(":")
        if kind != "score":
            return self if point == "errors" else self.at_objective(point)
        try:
            threshold = float(value)
        except ValueError:
            threshold = np.nan
        if not np.isfinite(threshold):
            raise InvalidObjectiveError(point)
        return self.with_thresholds(threshold)

    def _require_scores(self) -> None:
        if not self.evaluation.has_scores:
            raise NoScoresError(self.links.name)

    def on_images(self, clauses: str | Sequence[str]) -> Results:
        """The same on the images that satisfy all clauses (`where:weather=rain`), at unchanged
        thresholds.

        Raises:
            FilterError: a clause is not about images, or names an unknown property.
        """
        clauses = [clauses] if isinstance(clauses, str) else clauses
        if not clauses:
            return self
        return self.on_selected_images(match_images(self.evaluation.images, clauses))

    def on_selected_images(self, is_selected: BoolArray) -> Results:
        """The same on the selected images, bool (images,), at unchanged thresholds."""
        is_selected = is_selected & self._looked_at
        evaluation = restrict_to_images(self.evaluation, is_selected)
        results = self._derive(evaluation, replace(self.state, selected_images=is_selected))
        return results.with_thresholds(self.thresholds)

    def overall(self, split: Split = "validation") -> OverallMetrics:
        """The overall metrics of one split, computed once."""
        return self.metrics_once(split).overall

    def metrics_once(self, split: Split) -> Metrics:
        """The metrics of one split, kept once computed."""
        key = "metrics", self.split_index(split), self.thresholds.tobytes()
        metrics: Metrics = self._get_or_compute(key, lambda: self.metrics(split))
        return metrics

    @property
    def _looked_at(self) -> BoolArray:
        """Which images are looked at, bool (images,)."""
        selected = self.selected_images
        return np.ones(len(self.evaluation.images), bool) if selected is None else selected

    def metrics_by(self, column: str, split: Split = "validation") -> dict[str, Metrics]:
        """The metrics on the images of each value of a metadata column ('' for images without),
        by value.

        Raises:
            UnknownColumnError: the images have no such column.
        """
        values = np.array(values_by_image(self.evaluation.images, column), object)
        is_in_split = self.evaluation.images.split == self.split_index(split)
        return {
            str(value): self.on_selected_images(values == value).metrics(split)
            for value in sorted(set(values[is_in_split & self._looked_at].tolist()))
        }

    def at_iou(self, iou: float) -> Results:
        """The same predictions matched at another IoU threshold, over 0 and at most 1."""
        if not 0 < iou <= 1:
            raise ValueError(f"Invalid iou {iou}: expected a number above 0 and at most 1")
        if iou == self.evaluation.iou_threshold or self.evaluation.kind != "detection":
            return self

        def rematched() -> Results:
            return self._derive(rematch(self.evaluation, iou), self.state, self._folder)

        results: Results = self._get_or_compute(("iou", iou), rematched)
        if self._user_thresholds is not None:
            chosen = self.common_threshold
            return results.with_thresholds(self._user_thresholds if chosen is None else chosen)
        return results

    def with_corrections(self, decision_log: DecisionLog) -> Results:
        """The evaluation against the corrected annotations; self if there are no corrections."""
        with self._lock:
            if self._corrected_head != decision_log.head:
                head, decisions = decision_log.head, decision_log.active_decisions()
                located = locate_decisions(self.image_locator, decisions)
                effective = group_effective_decisions(self.evaluation.kind, located)
                decision_ids = tuple(
                    decision.id for group in effective.values() for decision in group
                )
                # Decisions that confirm annotations change nothing.
                if self._corrected_results is None or self._corrected_results[0] != decision_ids:
                    is_corrected = decision_ids or self.originals is not None
                    corrected = self._correct(decisions, located) if is_corrected else self
                    self._corrected_results = decision_ids, corrected
                self._corrected_head = head
            assert self._corrected_results is not None
            return self._corrected_results[1]

    def _correct(self, decisions: list[Decision], located: list[tuple[int, Decision]]) -> Results:
        evaluation, frozen_rows, inapplicable = correct_evaluation(
            self.evaluation, self.originals, located
        )
        located_ids = {decision.id for _, decision in located}
        lost = sum(d.is_edit and d.id not in located_ids for d in decisions)
        return self._derive(evaluation, ResultsState(True, len(inapplicable) + lost, frozen_rows))

    def _derive(
        self, evaluation: Evaluation, state: ResultsState, folder: Path | None = None
    ) -> Results:
        return Results(
            self.links,
            self.manifest,
            evaluation,
            self.folders,
            state=state,
            folder=folder,
            embeddings=self.embeddings,
            text_search=self.text_search,
        )

    # Splits and concepts

    @property
    def splits(self) -> list[Split]:
        """The splits in which the version has images."""
        return splits_with_images(self.evaluation.images)

    def split_index(self, split: str) -> int:
        """Raises InvalidChoiceError, or EmptySplitError if the version has no images in the
        split."""
        if split not in SPLITS:
            raise InvalidChoiceError("split", split, SPLITS)
        index = SPLITS.index(split)
        if split not in self.splits:
            raise EmptySplitError(self.links.name, split, self.splits)
        return index

    def concept_index(self, concept: str) -> int:
        """Raises UnknownConceptError."""
        if concept not in self.evaluation.concepts:
            raise UnknownConceptError(concept, self.evaluation.concepts)
        return self.evaluation.concepts.index(concept)

    def _optional_index(self, concept: str | None) -> int | None:
        return None if concept is None else self.concept_index(concept)

    # Questions

    def threshold_table(self) -> ThresholdTable:
        """Each annotated concept's threshold with its counts on validation, in the view's order."""
        table = ThresholdTable()
        for index in self.evaluation.annotated_concepts:
            optimal = self.evaluation.thresholds[index]
            value = float(self.thresholds[index])
            if value != optimal.value:
                predictions = self.evaluation.concept_predictions(VALIDATION, index)
                optimal = apply_user_threshold(optimal, predictions, value)
            table[self.evaluation.concepts[index]] = optimal
        return table

    @cached_property
    def intervals(self) -> list[Interval | None]:
        """Each concept's 90 % interval of the threshold, by bootstrap over the validation
        images."""
        if not self.evaluation.has_scores:
            return [None] * len(self.evaluation.concepts)
        return threshold_intervals(self.evaluation)

    def metrics(self, split: Split = "validation") -> Metrics:
        """Metrics at the thresholds, per concept and overall, on one split."""
        self.split_index(split)
        return compute_metrics(self.evaluation, split, self.thresholds)

    def boundary_metrics(self, split: Split = "validation") -> dict[str, float | None]:
        """The twelve COCO metrics of masks by boundary IoU (Cheng et al., 2021), by COCO name.

        Raises:
            MasksMissingError: annotations or predictions have no masks.
        """
        return compute_boundary_metrics(self.evaluation, self.split_index(split)).stats

    def figures(self, concept: str | None = None) -> list[SplitFigures]:
        """For each split with images, training first: counts at the thresholds, curves of
        precision, recall, F1 and errors against the threshold, score histograms and calibration.

        Args:
            concept: None pools all concepts
        """
        index = self._optional_index(concept)
        return DisplayedList(
            split_figures(self.evaluation, SPLITS.index(split), index, self.thresholds)
            for split in self.splits
        )

    def remarks(self, concept: str | None = None) -> list[str]:
        """Warnings about the figures: few annotations, or a gap between training and validation."""
        index = self._optional_index(concept)
        return figure_remarks(self.evaluation, index, self.figures(concept))

    def threshold_for(self, objective: str, concept: str | None = None) -> ThresholdFigures:
        """The best threshold for an objective: `f1`, `cost:FP,FN`, `precision:P` or `recall:R`,
        with its 90 % interval. concept: None for one threshold of all concepts pooled; one without
        annotations on validation keeps the threshold with the fewest errors.

        Raises:
            InvalidObjectiveError: the objective is unknown.
            NoScoresError: the predictions have no scores.
        """
        self._require_scores()
        parse_objective(objective)
        index = self._optional_index(concept)
        if index is not None:
            predictions = self.evaluation.concept_predictions(VALIDATION, index)
            objective = objective if predictions.annotation_count else "errors"
        return objective_thresholds(self.evaluation, index, [objective])[0]

    def causes(self, split: Split = "validation", concept: str | None = None) -> ErrorCauses:
        """Number of errors by cause and, in detection, the AP that fixing each type would gain
        (TIDE)."""
        index = self._optional_index(concept)
        return cause_figures(
            self.evaluation, self.split_index(split), index, self.thresholds, self.tide
        )

    def tide(self, split: int) -> TideReport | None:
        """AP gained by fixing each type of error (TIDE); None where it is not defined."""
        if not self.evaluation.has_scores:
            return None
        figures: TideReport | None = self._get_or_compute(
            ("tide", split), lambda: tide_report(self.evaluation, split)
        )
        return figures

    def confusion(self, split: Split = "validation") -> ConfusionTable:
        """int64 (concepts + 1, concepts + 1): rows annotated, columns predicted; the last is none.
        `names` are those of both."""
        size = len(self.evaluation.concepts) + 1
        cells = confusion_figures(self.evaluation, self.split_index(split), self.thresholds)
        matrix = np.zeros((size, size), np.int64)
        matrix[cells.annotated, cells.predicted] = cells.number
        return name_confusion(matrix, self.evaluation.concepts)

    def histogram(
        self, split: Split = "validation", concept: str | None = None, bins: int = SCORE_BAR_BINS
    ) -> Histogram:
        """Score histograms of true and false positives."""
        index = self._optional_index(concept)
        return histogram(self.evaluation, self.split_index(split), index, bins)

    def slices(
        self,
        split: Split = "validation",
        pictures: int = DEFAULT_IMAGE_LIMIT,
        progress: ProgressCallback | None = None,
    ) -> list[ErrorSlice]:
        """Slices with a significantly higher (or lower) error rate, most errors explained first.

        Args:
            pictures: the most images of the split that are read; 0: none, so that only boxes and
                metadata are used
        """
        index = self.split_index(split)
        if pictures == 0:
            return self.error_slices(index, None)
        if pictures != DEFAULT_IMAGE_LIMIT or progress is not None:
            stats = self.image_stats_cache.read(index, pictures, progress)
            appearance = Appearance(self.evaluation, stats, self.embeddings)
            return self.error_slices(index, appearance, pictures)
        return self.error_slices(index, self.appearance(index))

    def error_slices(
        self, split: int, appearance: Appearance | None, image_limit: int = 0
    ) -> list[ErrorSlice]:
        """appearance: see find_slices. image_limit: part of the cache key if not the default."""
        key = "slices", split, appearance is None, image_limit
        with self._lock:
            cached = self._cache.get(key)
        if cached is None:  # outside the lock: it may take long
            cached = find_slices(self.evaluation, split, appearance)
        slices: list[ErrorSlice] = self._get_or_compute(key, lambda: DisplayedList(cached))
        return slices

    def groups(self, split: Split = "validation") -> list[SimilarityGroup]:
        """Clusters of visually similar items of the split, highest error rate first."""
        index = self.split_index(split)
        groups = find_similarity_groups(self.evaluation, index, self.appearance(index))
        return DisplayedList(groups)

    def findings(
        self,
        split: Split = "validation",
        baseline: str | None = None,
        pictures: int = DEFAULT_IMAGE_LIMIT,
    ) -> Findings:
        """What is wrong with the version, ranked by what acting on it would gain.

        baseline: name of an earlier version of the view, to report what changed since. pictures:
        see slices.

        Raises:
            VersionNotFoundError: the baseline does not exist.
        """
        return self.findings_with_slices(split, self.slices(split, pictures), baseline)

    def findings_with_slices(
        self, split: Split, slices: list[ErrorSlice], baseline: str | None
    ) -> Findings:
        """The findings with the slices of the split that are known so far."""
        comparison = None
        if baseline is not None:
            comparison = self.other_version(baseline).compare(self, split)
        leaks: list[Note] | None = self._get_or_compute(
            ("leaks",), lambda: find_leaks(self.evaluation.images, self.folders)
        )
        return collect_findings(self.links.name, self, split, slices, comparison, leaks)

    def images(
        self,
        split: Split = "validation",
        order: ImageOrder = "errors",
        concept: str | None = None,
    ) -> ImageRanking:
        """The evaluated images with their true positives, false positives and false negatives, most
        errors first.

        Args:
            order: `errors`, `fp`, `fn`, or `score` (of the highest-scored error)
        """
        return rank_images(
            self.evaluation,
            self.split_index(split),
            self.thresholds,
            order,
            self._optional_index(concept),
        )

    def compare(self, other: Results, split: Split = "validation") -> VersionComparison:
        """Compare with a later version, on the images evaluated by both, each at its thresholds.

        Raises:
            KindConflictError, EmptySplitError: the two cannot be compared.
        """
        self.split_index(split)
        other.split_index(split)
        return compare_versions(self.links.name, self, other.links.name, other, split)

    def voc(
        self,
        split: Split = "validation",
        iou: float = 0.5,
        eleven_points: bool = False,
        inclusive_pixels: bool = False,
    ) -> dict[str, float | None]:
        """AP of each concept of a detection version as PASCAL VOC defines it (see
        evaluation.voc_metrics); None without annotations, and without scores."""
        kind = self.evaluation.kind
        if kind != "detection":
            raise KindConflictError("VOC's AP", self.links.name, kind, "which needs boxes")
        if not self.evaluation.has_scores:
            return dict.fromkeys(self.evaluation.concepts)
        values = voc_average_precision(
            self.evaluation, self.split_index(split), iou, eleven_points, inclusive_pixels
        )
        concepts = self.evaluation.concepts
        return dict(zip(concepts, (optional_float(value) for value in values), strict=True))

    def gallery(self, query: ListQuery) -> Gallery:
        """The items of a list, in its order."""
        concept = self._optional_index(query.concept)
        selection = self.selection(
            query.tab, self.split_index(query.split), concept, self.thresholds, query.reverse
        )
        threshold = self.common_threshold if concept is None else float(self.thresholds[concept])
        has_order = query.order == "margin" or (query.order == "score" and threshold is not None)
        has_position = query.tab == "all" and has_order
        return Gallery(
            self.view_list(selection, query), self.image_locator, threshold, has_position
        )

    # Lists

    def view_list(self, selection: TabSelection, query: ListQuery) -> ListView:
        """A selection in the order of the query, without what its filters leave out."""
        needs_log = self.corrected or query.review != "all"
        decision_log = self.links.decision_log if needs_log else None
        filtered_rows = self.filtered_rows(selection, query.filters)
        return self.list_view(selection, query.order, query.review, decision_log, filtered_rows)

    def selection(
        self, tab: Tab, split: int, concept: int | None, thresholds: Float64Array, reverse: bool
    ) -> TabSelection:
        """The selection of a tab, cached with its order."""
        key = (tab, split, concept, reverse, thresholds.tobytes())
        selection: TabSelection = self._get_or_compute(
            key, lambda: TabSelection(self.evaluation, tab, split, concept, thresholds, reverse)
        )
        return selection

    def query_rows(self, query: ListQuery) -> Int64Array:
        """The rows of a list's items, in the tab's default order: annotations in Extra, else
        predictions. Leaves out the review filter."""
        concept = self._optional_index(query.concept)
        split = self.split_index(query.split)
        selection = self.selection(query.tab, split, concept, self.thresholds, False)
        rows = self.filtered_rows(selection, query.filters)
        return selection.page(0, selection.total) if rows is None else rows

    def list_view(
        self,
        selection: TabSelection,
        order: Order = "score",
        review_filter: ReviewFilter = "all",
        decision_log: DecisionLog | None = None,
        filtered_rows: Int64Array | None = None,
        since: int | None = None,
    ) -> ListView:
        """A tab in the given order, filtered by review state.

        Args:
            decision_log: of the view
            filtered_rows: the rows left by the filters, in the tab's default order
            since: id of a decision; in a list of new items those decided on after it keep their
                places
        """
        if order == "score":
            ordered_rows = filtered_rows
        elif filtered_rows is None:
            ordered_rows = self._rows_in_order(selection, order)
        else:
            ordered_rows = self._sort_rows(selection, order, filtered_rows)
        earlier = None
        if decision_log is None or not decision_log.head:
            review_filter = review_filter if review_filter in ("reviewed", "unsure") else "all"
        else:
            self.reviewed_items.update(decision_log)
            if since is not None and review_filter == "new":
                earlier = self._reviewed_items_at(decision_log, since)
        return self.reviewed_items.filter_selection(selection, review_filter, ordered_rows, earlier)

    def _reviewed_items_at(self, decision_log: DecisionLog, since: int) -> DecidedItems:
        """The review state as it was after the decision `since`."""

        def load_earlier() -> DecidedItems:
            index = self._new_review_index()
            index.update(decision_log.until(since))
            return index.decided_items()

        items: DecidedItems = self._get_or_compute(("reviewed at", since), load_earlier)
        return items

    def filtered_rows(self, selection: TabSelection, filters: tuple[str, ...]) -> Int64Array | None:
        """Rows of a tab that satisfy the filters; None without filters. Raises FilterError."""
        if not filters:
            return None
        head = self.links.decision_log.head if self.corrected else 0
        stamps = tuple((self.links.other_stamp(n), head) for n in other_version_names(filters))
        key = (filters, stamps, *selection_key(selection))
        with self._lock:
            rows: Int64Array | None = self._cache.get(key)
        if rows is None:  # outside the lock: it may read images
            rows = apply_filters(self._filter_context, selection, filters)
        computed = rows
        self._get_or_compute(key, lambda: computed)
        return rows

    @property
    def _filter_context(self) -> FilterContext:
        return FilterContext(
            self.appearance,
            self.other_version,
            None if self.text_search is None else self.text_search.vector,
        )

    def other_version(self, name: str) -> Results:
        """Another version in the same state: with corrections or not, at the IoU that was chosen.
        Raises VersionNotFoundError."""
        other = self.links.other_results(name, self.corrected)
        iou = self.evaluation.iou_threshold
        return other if iou == self.manifest.iou else other.at_iou(iou)

    def _rows_in_order(self, selection: TabSelection, order: Order) -> Int64Array:
        rows: Int64Array = self._get_or_compute(
            (order, *selection_key(selection)),
            lambda: self._sort_rows(selection, order, selection.all_rows()),
        )
        return rows

    def _sort_rows(self, selection: TabSelection, order: Order, rows: Int64Array) -> Int64Array:
        by_score = sort_selection_rows(replace(selection, reverse=False), rows)
        if order == "margin" and self.evaluation.has_scores:
            by_margin = sort_by_margin(selection, by_score)
            return by_margin[::-1] if selection.reverse else by_margin
        if order == "size":
            by_size = sort_by_size(selection, by_score)
            return by_size[::-1] if selection.reverse else by_size
        if not self.evaluation.has_scores and order != "similar":
            return by_score[::-1] if selection.reverse else by_score
        rows = sort_by_label_error(self.suspicion, selection.shows_annotations, by_score)
        if order == "similar":
            first, rest = rows[:SIMILARITY_LIMIT], rows[SIMILARITY_LIMIT:]
            rows = np.concatenate(
                [first[nearest_neighbour_order(self._descriptors(selection, first))], rest]
            )
        return rows[::-1] if selection.reverse else rows

    def _descriptors(self, selection: TabSelection, rows: Int64Array) -> Float64Array:
        evaluation = self.evaluation
        table = evaluation.item_table(selection.shows_annotations)
        locations = [self.image_locator.location(image) for image in table.image[rows].tolist()]
        if table.box is None:
            return image_descriptors(locations, [None] * len(rows))
        return image_descriptors(locations, [tuple(box) for box in table.box[rows].tolist()])

    # Derived data

    @cached_property
    def neighbours(self) -> ImageRows:
        return ImageRows(self.evaluation)

    @cached_property
    def image_locator(self) -> ImageLocator:
        return ImageLocator(self.evaluation.images, self.folders)

    @cached_property
    def suspicion(self) -> LabelErrorScores:
        return label_error_scores(self.evaluation)

    @cached_property
    def reviewed_items(self) -> ReviewIndex:
        return self._new_review_index()

    def _new_review_index(self) -> ReviewIndex:
        corrected_to = None if self.corrected else self.manifest.corrected_to
        return ReviewIndex(self.evaluation, self.neighbours, self.image_locator, corrected_to)

    @cached_property
    def image_stats_cache(self) -> ImageStatsCache:
        return ImageStatsCache(self.evaluation, self.image_locator, self._folder)

    def appearance(self, split: int) -> Appearance:
        """Image statistics and features of the items of a split; reads images that are not
        cached."""
        # Outside the lock: it may take minutes, and must not block other requests.
        stats = self.image_stats_cache.read(split)
        appearance: Appearance = self._get_or_compute(
            ("appearance", split), lambda: Appearance(self.evaluation, stats, self.embeddings)
        )
        return appearance

    def _get_or_compute(self, key: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._cache:
                self._cache[key] = compute()
            self._cache.move_to_end(key)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
            return self._cache[key]


def selection_key(selection: TabSelection) -> tuple[Any, ...]:
    thresholds = selection.thresholds.tobytes()
    return selection.tab, selection.split, selection.concept, selection.reverse, thresholds


def splits_with_images(images: Images) -> list[Split]:
    return [split for index, split in enumerate(SPLITS) if (images.split == index).any()]
