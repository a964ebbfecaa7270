"""Decisions, their history, progress and effect as the page reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from pellucid.evaluation.counts import count_outcomes
from pellucid.project import Version
from pellucid.project.reviews import (
    ItemRef,
    ReviewOutcome,
    Reviews,
    describe_reverted,
    find_overruled_verdicts,
)
from pellucid.results.results import Results
from pellucid.review.corrected import locate_decisions
from pellucid.review.events import VERDICT_ACTIONS, Decision, DecisionLog
from pellucid.server.schemas.review_schema import (
    EffectConcept,
    EffectDocument,
    HistoryRow,
    ItemReference,
    LabelDocument,
    ProgressDocument,
    ReviewerDocument,
    ReviewOutcomeDocument,
)
from pellucid.server.version_images import VersionImages, item_frame


def to_item_ref(item: ItemReference) -> ItemRef:
    return ItemRef(item.image, item.concept, item.side, item.box, item.score)


def history_row(decision_log: DecisionLog, decision: Decision) -> HistoryRow:
    decision = describe_reverted(decision_log, decision)
    labels_before, labels_after = (
        [LabelDocument(label.concept, label.box, label.value) for label in labels]
        for labels in (decision.before, decision.after)
    )
    return HistoryRow(
        decision.id,
        decision.when,
        decision.who,
        decision.action,
        decision.image,
        decision.concept,
        decision.side,
        decision.box,
        labels_before,
        labels_after,
        decision.reason,
        decision.version,
        decision.reverts,
        decision_log.is_active(decision.id),
        decision_log.is_current(decision.id),
    )


def with_pictures(version: Version, rows: list[HistoryRow]) -> list[HistoryRow]:
    """The rows with the pictures of their items, as the version has them."""
    images = VersionImages(version, version.results())
    named = np.flatnonzero(np.isin(images.images.path, list({row.image for row in rows})))
    index_by_path = {str(images.images.path[index]): int(index) for index in named}
    pictured = []
    for row in rows:
        index = index_by_path.get(row.image)
        if index is not None:
            stamp = images.stamp(index)
            frame = None if row.box is None else item_frame(images, index, stamp, row.box)
            row = replace(row, picture=images.image_url(index, stamp), frame=frame)
        pictured.append(row)
    return pictured


def review_outcome_document(reviews: Reviews, outcome: ReviewOutcome) -> ReviewOutcomeDocument:
    decision_log = reviews.log
    return ReviewOutcomeDocument(
        [history_row(decision_log, decision) for decision in outcome.decisions],
        [history_row(decision_log, decision) for decision in outcome.conflicts],
        decision_log.head,
    )


def progress_document(
    reviews: Reviews, after: int, reviewer: str, session_key: str, has_proxy: bool
) -> ProgressDocument:
    decision_log = reviews.log
    verdict_counts = decision_log.verdicts_by_reviewer()
    reviewers = [
        ReviewerDocument(reviewer_name, decision_count, last_decision)
        for reviewer_name, (decision_count, last_decision) in verdict_counts.items()
    ]
    new_verdicts = [
        decision
        for decision in decision_log.newer_decisions(after)
        if decision.who != reviewer and decision.action in VERDICT_ACTIONS
    ]
    overruling_decisions = [
        decision
        for decision in new_verdicts
        if any(
            overruled_decision.who == reviewer and overruled_decision.id < decision.id
            for overruled_decision in find_overruled_verdicts(decision_log, decision, 0)
        )
    ]
    return ProgressDocument(
        decision_log.head,
        reviewer if has_proxy else None,
        reviewers,
        [history_row(decision_log, decision) for decision in overruling_decisions],
        len(decision_log.next_undo(reviewer)),
        len(decision_log.next_redo(reviewer)),
        len(reviews.find_leased_elsewhere(session_key)),
    )


def effect_document(
    results: Results, decision_log: DecisionLog, split_index: int
) -> EffectDocument:
    corrected_results = results.with_corrections(decision_log)
    original_evaluation, corrected_evaluation = results.evaluation, corrected_results.evaluation
    located_decisions = locate_decisions(
        results.image_locator,
        [decision for decision in decision_log.current_decisions() if decision.is_edit],
    )
    correction_counts = Counter(
        concept_name
        for _, decision in located_decisions
        for concept_name in {label.concept for label in (*decision.before, *decision.after)}
    )
    original_errors, corrected_errors = (
        counts.fp + counts.fn
        for counts in (
            count_outcomes(evaluation, split_index, evaluation.optimal_thresholds)
            for evaluation in (original_evaluation, corrected_evaluation)
        )
    )
    concept_effects = [
        EffectConcept(
            concept_index,
            int(original_errors[concept_index]),
            int(corrected_errors[concept_index]),
            original_evaluation.thresholds[concept_index].value,
            corrected_evaluation.thresholds[concept_index].value,
            correction_counts[concept_name],
        )
        for concept_index, concept_name in enumerate(original_evaluation.concepts)
    ]
    return EffectDocument(
        len(located_decisions),
        corrected_results.state.not_applied,
        int(original_errors.sum()),
        int(corrected_errors.sum()),
        concept_effects,
    )
