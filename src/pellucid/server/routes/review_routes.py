"""Routes of the review: decisions, undo, history, progress and the queue."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pellucid.core.tables import SPLITS, Split
from pellucid.review.identity import normalize_name
from pellucid.review.resolve import Edit
from pellucid.server.dependencies import (
    MEDIUM_ANSWER,
    NOT_FOUND_RESPONSE,
    ReviewsDependency,
    TrainedVersionContext,
    WorkspaceDependency,
    json_response,
)
from pellucid.server.review_documents import (
    effect_document,
    history_row,
    progress_document,
    review_outcome_document,
    to_item_ref,
    with_pictures,
)
from pellucid.server.review_queue import LEASE_SECONDS, queue_document
from pellucid.server.reviewers import get_who_header, is_owner, reviewer_name
from pellucid.server.schemas.review_schema import (
    BoxRequest,
    CommentRequest,
    DecisionRequest,
    EffectDocument,
    HistoryDocument,
    ProgressDocument,
    QueueDocument,
    QueueRequest,
    RevertRequest,
    ReviewOutcomeDocument,
    SessionRequest,
    UndoRequest,
)

router = APIRouter()


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
        [to_item_ref(item) for item in body.items],
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
                to_item_ref(body.item),
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
