"""Routes of the review: decisions, undo, history, progress and the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from pellucid.browse.items import build_items
from pellucid.core.tables import SPLITS, Split
from pellucid.evaluation.counts import count_outcomes
from pellucid.project import Version
from pellucid.project.reviews import (
    ItemRef,
    ReviewOutcome,
    Reviews,
    describe_reverted,
    find_overruled_verdicts,
    item_ref,
)
from pellucid.results.results import Results
from pellucid.review.corrected import locate_decisions
from pellucid.review.events import VERDICT_ACTIONS, Decision, DecisionLog
from pellucid.review.identity import normalize_name
from pellucid.review.resolve import Edit
from pellucid.server.dependencies import (
    MEDIUM_ANSWER,
    NOT_FOUND_RESPONSE,
    ReviewsDependency,
    TrainedVersionContext,
    WorkspaceDependency,
    effective_thresholds,
    json_response,
    validate_concept,
)
from pellucid.server.page_document import page_item
from pellucid.server.schemas.gallery_schema import PageItem
from pellucid.server.schemas.review_schema import (
    BoxRequest,
    CommentRequest,
    DecisionRequest,
    EffectConcept,
    EffectDocument,
    HistoryDocument,
    HistoryRow,
    ItemReference,
    LabelDocument,
    ProgressDocument,
    QueueDocument,
    QueueRequest,
    RevertRequest,
    ReviewerDocument,
    ReviewOutcomeDocument,
    SessionRequest,
    UndoRequest,
)
from pellucid.server.version_images import VersionImages, item_frame

LEASE_SECONDS = 90.0
"""Seconds until a lease on an item expires; the open page renews it every few seconds."""
QUEUE_PAGE_SIZE = 200
"""Items per batch when searching for unleased items."""


router = APIRouter()


def get_who_header(request: Request) -> str | None:
    """The header in which an authenticating proxy sends the user name; if set, names sent by
    the page are ignored."""
    header: str | None = request.app.state.who_header
    return header


def reviewer_name(request: Request, submitted_name: str) -> str:
    """The name of the person who sent the request: as the proxy states it, else as submitted."""
    if get_who_header(request) is None:
        return normalize_name(submitted_name)
    user: str = request.state.user
    return user


def is_owner(request: Request) -> bool:
    return bool(request.state.role == "owner")


@router.post(
    "/api/v1/views/{view}/versions/{version}/decisions",
    response_model=ReviewOutcomeDocument,
    responses=NOT_FOUND_RESPONSE,
)
def decide(context: TrainedVersionContext, body: DecisionRequest, request: Request) -> Response:
    """Record a verdict on items: annotation wrong, right or unsure. Responds once the decision
    is stored durably."""
    evaluated_version, results = context.version, context.results
    reviews = evaluated_version.view.reviews
    visible_results = results.with_corrections(reviews.log) if body.corrected else results
    edit = Edit(body.concept, body.box, body.value, body.replaces, body.shape)
    outcome = reviews.decide(
        evaluated_version,
        [convert_item_reference(item) for item in body.items],
        body.verdict,
        reviewer_name(request, body.who),
        edit,
        body.reason,
        body.batch,
        body.seen,
        visible_results,
    )
    return json_response(review_outcome_document(reviews, outcome))


@router.post(
    "/api/v1/views/{view}/versions/{version}/boxes",
    response_model=ReviewOutcomeDocument,
    responses=NOT_FOUND_RESPONSE,
)
def add_box(context: TrainedVersionContext, body: BoxRequest, request: Request) -> Response:
    """Add an annotation where there was neither one nor a prediction. Responds once it is stored
    durably."""
    reviews = context.version.view.reviews
    outcome = reviews.add_box(
        context.version,
        body.image,
        body.concept,
        body.box,
        reviewer_name(request, body.who),
        body.reason,
        body.batch,
    )
    return json_response(review_outcome_document(reviews, outcome))


@router.post(
    "/api/v1/views/{view}/versions/{version}/comments",
    response_model=ReviewOutcomeDocument,
    responses=NOT_FOUND_RESPONSE,
)
def comment(context: TrainedVersionContext, body: CommentRequest, request: Request) -> Response:
    """Add a comment to an item."""
    evaluated_version, results = context.version, context.results
    reviews = evaluated_version.view.reviews
    visible_results = results.with_corrections(reviews.log) if body.corrected else results
    return json_response(
        review_outcome_document(
            reviews,
            reviews.comment(
                evaluated_version,
                convert_item_reference(body.item),
                reviewer_name(request, body.who),
                body.text,
                visible_results,
                body.batch,
            ),
        )
    )


@router.post(
    "/api/v1/views/{view}/undo", response_model=ReviewOutcomeDocument, responses=NOT_FOUND_RESPONSE
)
def undo(reviews: ReviewsDependency, body: UndoRequest, request: Request) -> Response:
    """Undo the reviewer's last action, if any."""
    outcome = reviews.undo(reviewer_name(request, body.who), body.batch, is_owner(request))
    return json_response(review_outcome_document(reviews, outcome))


@router.post(
    "/api/v1/views/{view}/redo", response_model=ReviewOutcomeDocument, responses=NOT_FOUND_RESPONSE
)
def redo(reviews: ReviewsDependency, body: UndoRequest, request: Request) -> Response:
    """Redo the action the reviewer undid last."""
    outcome = reviews.redo(reviewer_name(request, body.who), body.batch, is_owner(request))
    return json_response(review_outcome_document(reviews, outcome))


@router.post(
    "/api/v1/views/{view}/history/{row}/revert",
    response_model=ReviewOutcomeDocument,
    responses=NOT_FOUND_RESPONSE,
)
def revert(reviews: ReviewsDependency, row: int, body: RevertRequest, request: Request) -> Response:
    """Revert any decision. Only an owner may revert a new review round."""
    who = reviewer_name(request, body.who)
    outcome = reviews.revert(row, who, body.reason, is_owner(request), body.batch)
    return json_response(review_outcome_document(reviews, outcome))


@router.post(
    "/api/v1/views/{view}/reset",
    response_model=ReviewOutcomeDocument,
    responses=NOT_FOUND_RESPONSE,
)
def reset(reviews: ReviewsDependency, body: RevertRequest, request: Request) -> Response:
    """Start a new review round: nothing counts as reviewed any more; corrections are kept."""
    return json_response(
        review_outcome_document(
            reviews, reviews.reset(reviewer_name(request, body.who), body.reason, body.batch)
        )
    )


@router.get(
    "/api/v1/views/{view}/history", response_model=HistoryDocument, responses=NOT_FOUND_RESPONSE
)
def history(
    workspace: WorkspaceDependency,
    reviews: ReviewsDependency,
    image: Annotated[str | None, Query(max_length=4_000)] = None,
    who: Annotated[str | None, Query(max_length=200)] = None,
    day: Annotated[str | None, Query(pattern=r"^\d{4}-\d\d-\d\d$")] = None,
    offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
    version: Annotated[
        str | None, Query(max_length=200, description="that shows the pictures of the items")
    ] = None,
) -> Response:
    """The decisions, newest first; optionally of one image, person or day."""
    decisions = reviews.history(image, who and normalize_name(who), day)[::-1]
    history_rows = [
        history_row(reviews.log, decision) for decision in decisions[offset : offset + limit]
    ]
    if version is not None:
        view = workspace.view(reviews.view.name)
        history_rows = with_pictures(view.version(version), history_rows)
    return json_response(HistoryDocument(len(decisions), offset, history_rows))


@router.get(
    "/api/v1/views/{view}/progress", response_model=ProgressDocument, responses=NOT_FOUND_RESPONSE
)
def progress(
    reviews: ReviewsDependency,
    request: Request,
    after: Annotated[int, Query(ge=0, le=1 << 60)] = 0,
    me: Annotated[str, Query(max_length=200)] = "",
    session: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Review progress, polled every few seconds; also renews the session's leases."""
    if session:
        reviews.renew(session, LEASE_SECONDS)
    return json_response(
        progress_document(
            reviews,
            after,
            reviewer_name(request, me),
            session,
            get_who_header(request) is not None,
        )
    )


@router.post(
    "/api/v1/views/{view}/versions/{version}/queue",
    response_model=QueueDocument,
    responses=NOT_FOUND_RESPONSE,
)
def queue(context: TrainedVersionContext, body: QueueRequest, request: Request) -> Response:
    """Lease items to review."""
    evaluated_version, results = context.version, context.results
    return json_response(
        queue_document(evaluated_version, results, body, reviewer_name(request, body.who))
    )


@router.post(
    "/api/v1/views/{view}/queue/end",
    response_model=None,
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
)
def release_session(reviews: ReviewsDependency, body: SessionRequest) -> Response:
    """Release all leases of the session; called when the page closes."""
    reviews.release(body.session)
    return Response(status_code=204)


@router.get(
    "/api/v1/views/{view}/versions/{version}/effect",
    response_model=EffectDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def effect(
    context: TrainedVersionContext, split: Annotated[Split, Query()] = "validation"
) -> Response:
    """Compare the metrics with original and with corrected annotations."""
    evaluated_version, results = context.version, context.results
    return json_response(
        effect_document(results, evaluated_version.decision_log, SPLITS.index(split))
    )


def convert_item_reference(item: ItemReference) -> ItemRef:
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


def queue_document(
    version: Version, results: Results, queue_request: QueueRequest, reviewer: str
) -> QueueDocument:
    """Lease the first unleased items of the list, after releasing the returned ones."""
    reviews = version.view.reviews
    if queue_request.give_back is not None:
        reviews.release(
            queue_request.session,
            [convert_item_reference(returned_item) for returned_item in queue_request.give_back],
        )
    decision_log = reviews.log
    list_head = decision_log.head  # the log is shared: others' decisions are added meanwhile
    visible_results = results.with_corrections(decision_log) if queue_request.corrected else results
    selection = visible_results.selection(
        queue_request.tab,
        SPLITS.index(queue_request.split),
        validate_concept(visible_results, queue_request.concept),
        effective_thresholds(visible_results, queue_request.at),
        reverse=False,
    )
    list_view = visible_results.list_view(selection, queue_request.order, "new", decision_log)
    queue_items: list[PageItem] = []
    version_images, offset = VersionImages(version, visible_results), 0
    while len(queue_items) < queue_request.take and offset < list_view.total:
        page_rows = list_view.page(offset, QUEUE_PAGE_SIZE)
        items = build_items(list_view, page_rows, offset)
        offset += len(page_rows)
        references = [item_ref(item) for item in items]
        leased_positions = lease_undecided(
            reviews,
            queue_request.session,
            reviewer,
            references,
            queue_request.take - len(queue_items),
            list_head,
        )
        queue_items += [
            page_item(
                visible_results,
                list_view,
                version_images,
                int(page_rows[position]),
                items[position],
                decision_log,
            )
            for position in leased_positions
        ]
    return QueueDocument(
        queue_items, list_view.total, len(reviews.find_leased_elsewhere(queue_request.session))
    )


def lease_undecided(
    reviews: Reviews,
    session: str,
    reviewer: str,
    references: Sequence[ItemRef],
    count: int,
    list_head: int,
) -> list[int]:
    """Lease up to `count` of the items of a list that was read when `list_head` was the last
    decision. An item may have been decided on and released since: it is released again."""
    positions = reviews.lease(session, reviewer, references, LEASE_SECONDS, count)
    log = reviews.log  # read after leasing: who released an item had decided before
    decided = {
        (decision.image, decision.concept, decision.side, decision.box)
        for decision in log.newer_decisions(list_head)
        if decision.action in VERDICT_ACTIONS and log.is_active(decision.id)
    }

    def is_decided(position: int) -> bool:
        item = references[position]
        return (item.image, item.concept, item.side, item.box) in decided

    stale = [position for position in positions if is_decided(position)]
    if stale:
        reviews.release(session, [references[position] for position in stale])
    return [position for position in positions if position not in stale]


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
        corrected_results.not_applied,
        int(original_errors.sum()),
        int(corrected_errors.sum()),
        concept_effects,
    )
