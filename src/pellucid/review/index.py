"""The review state of the items of a version, updated as decisions arrive."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from pellucid.browse.list_views import (
    FilteredView,
    ListView,
    OrderedView,
    selection_mask,
    sort_selection_rows,
)
from pellucid.browse.query import ReviewFilter
from pellucid.browse.selection import TabSelection
from pellucid.core.tables import Int8Array, Int64Array
from pellucid.evaluation.error_causes import ImageRows
from pellucid.evaluation.evaluation import Evaluation
from pellucid.review.coverage import NEW, REVIEWED, UNSURE, ImageReview, review_image
from pellucid.review.events import Decision, DecisionLog
from pellucid.review.image_locator import ImageLocator


@dataclass(frozen=True, eq=False)
class DecidedRows:
    """Rows with a decision, ascending, and their states (REVIEWED, UNSURE)."""

    rows: Int64Array
    states: Int8Array


@dataclass(frozen=True, eq=False)
class DecidedItems:
    """What was decided on at one time. It is kept for each list that is open, so it holds no
    decisions."""

    predictions: DecidedRows
    annotations: DecidedRows

    def of(self, selection: TabSelection) -> DecidedRows:
        return self.annotations if selection.shows_annotations else self.predictions


def hold_places(
    reviewed: Int64Array,
    unsure: Int64Array,
    earlier_reviewed: Int64Array,
    earlier_unsure: Int64Array,
) -> tuple[Int64Array, Int64Array]:
    """The rows that a list of new items leaves out, and those at its end, such that rows decided
    on since it was opened stay where they were. Rows whose decision was undone come back."""
    left_out = np.intersect1d(earlier_reviewed, reviewed, assume_unique=True)
    doubted_since = np.intersect1d(earlier_reviewed, unsure, assume_unique=True)
    return left_out, np.union1d(earlier_unsure, doubted_since)


def split_decided(
    decided_rows: DecidedRows, selection: TabSelection
) -> tuple[Int64Array, Int64Array]:
    """The reviewed and the unsure rows of a tab, ascending."""
    in_selection = selection_mask(selection, decided_rows.rows)
    rows, states = decided_rows.rows[in_selection], decided_rows.states[in_selection]
    return rows[states == REVIEWED], rows[states == UNSURE]


class ReviewIndex:
    """Thread-safe. An update recomputes only the images that new decisions are about."""

    def __init__(
        self,
        evaluation: Evaluation,
        neighbours: ImageRows,
        locator: ImageLocator,
        applied_until: int | None,
    ) -> None:
        """applied_until: id of the last decision that is applied to the evaluation's annotations;
        None: all are."""
        self._evaluation = evaluation
        self._applied_until = applied_until
        self._neighbours = neighbours
        self._locator = locator
        self._head = 0
        self._last_reset = 0
        self._verdicts: dict[int, dict[int, Decision]] = {}
        self._image_reviews: dict[int, ImageReview] = {}
        self._decided_rows: dict[bool, DecidedRows] = {}
        self._lock = threading.Lock()

    def update(self, log: DecisionLog) -> None:
        """Process the decisions made since the last update."""
        with self._lock:
            if log.head == self._head:
                return
            new_decisions = log.newer_decisions(self._head)
            changed_images = set()
            for decision in new_decisions:
                verdict = log.original_verdict(decision)
                image = None if verdict is None else self._locator.find_image(verdict)
                if verdict is not None and image is not None:
                    self._verdicts.setdefault(image, {})[verdict.id] = verdict
                    changed_images.add(image)
            if log.last_reset != self._last_reset:
                self._last_reset = log.last_reset
                changed_images = set(self._verdicts)
            for image in changed_images:
                image_verdicts = self._verdicts[image].values()
                active_verdicts = [
                    verdict
                    for verdict in image_verdicts
                    if verdict.id > self._last_reset
                    and verdict.id <= new_decisions[-1].id
                    and log.is_active(verdict.id)
                ]
                self._image_reviews[image] = review_image(
                    self._evaluation, self._neighbours, image, active_verdicts, self._applied_until
                )
            self._head = new_decisions[-1].id if new_decisions else self._head
            self._decided_rows.clear()

    def state(self, image: int, row: int, annotation: bool) -> tuple[int, int]:
        """State of a row and the id of its decision; (NEW, 0) if there is none."""
        image_review = self._image_reviews.get(image)
        if image_review is None:
            return NEW, 0
        return (image_review.annotations if annotation else image_review.predictions).get(
            row, (NEW, 0)
        )

    def find_decided_rows(self, annotations: bool) -> DecidedRows:
        with self._lock:
            if annotations not in self._decided_rows:
                pairs = sorted(
                    (row, state)
                    for image_review in self._image_reviews.values()
                    for row, (state, _) in (
                        image_review.annotations if annotations else image_review.predictions
                    ).items()
                )
                rows, states = (
                    np.array([row for row, _ in pairs], np.int64),
                    np.array([state for _, state in pairs], np.int8),
                )
                self._decided_rows[annotations] = DecidedRows(rows, states)
            return self._decided_rows[annotations]

    def decided_items(self) -> DecidedItems:
        return DecidedItems(self.find_decided_rows(False), self.find_decided_rows(True))

    def filter_selection(
        self,
        selection: TabSelection,
        review_filter: ReviewFilter,
        ordered_rows: Int64Array | None,
        earlier: DecidedItems | None = None,
    ) -> ListView:
        """The items of a tab that are new (unsure ones come last), reviewed, or unsure; or all of
        them.

        Args:
            ordered_rows: the rows of the tab in a custom order
            earlier: the state when the list of new items was opened; items decided on since then
                keep their places
        """
        if review_filter == "all":
            return selection if ordered_rows is None else OrderedView(selection, ordered_rows)
        decided_rows = self.find_decided_rows(selection.shows_annotations)
        reviewed, unsure = split_decided(decided_rows, selection)
        if review_filter == "new":
            if earlier is not None:
                before = split_decided(earlier.of(selection), selection)
                reviewed, unsure = hold_places(reviewed, unsure, *before)
            displaced = np.union1d(reviewed, unsure)
            if ordered_rows is None:
                return FilteredView(selection, displaced, sort_selection_rows(selection, unsure))
            return OrderedView(
                selection,
                np.concatenate(
                    [
                        ordered_rows[~np.isin(ordered_rows, displaced)],
                        ordered_rows[np.isin(ordered_rows, unsure)],
                    ]
                ),
            )
        matching_rows = unsure if review_filter == "unsure" else reviewed
        return OrderedView(
            selection,
            sort_selection_rows(selection, matching_rows)
            if ordered_rows is None
            else ordered_rows[np.isin(ordered_rows, matching_rows)],
        )

    def count_reviewed(self, selection: TabSelection) -> tuple[Int64Array, Int64Array]:
        """Numbers of reviewed and of unsure items of a tab, per concept."""
        decided_rows = self.find_decided_rows(selection.shows_annotations)
        in_selection = selection_mask(selection, decided_rows.rows)
        columns = (
            self._evaluation.annotations
            if selection.shows_annotations
            else self._evaluation.predictions
        )
        concept_indices, states = (
            columns.concept[decided_rows.rows[in_selection]],
            decided_rows.states[in_selection],
        )
        concept_count = len(self._evaluation.concepts)
        reviewed, unsure = (
            np.bincount(concept_indices[states == state], minlength=concept_count)
            for state in (REVIEWED, UNSURE)
        )
        return reviewed, unsure
