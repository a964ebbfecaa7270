"""The addresses at which people decide, take back, and see what was decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from pellucid.browse.items import described
from pellucid.core.tables import SPLITS, Split
from pellucid.evaluation.counts import count_outcomes
from pellucid.project import Version, Workspace
from pellucid.project.reviews import (
    ItemRef,
    ReviewOutcome,
    Reviews,
    describe_reverted,
    item_ref,
    overruled_verdicts,
)
from pellucid.results.results import Results
from pellucid.review.corrected import locate_decisions
from pellucid.review.events import VERDICT_ACTIONS, Decision, DecisionLog
from pellucid.review.resolve import Edit
from pellucid.server.dependencies import NOT_FOUND, ViewName, answer, known, look_up, thresholds_at
from pellucid.server.schemas.gallery_schema import PageItem
from pellucid.server.schemas.review_schema import (
    ActAsked,
    ActDocument,
    CommentAsked,
    DecisionAsked,
    EffectConcept,
    EffectDocument,
    HistoryDocument,
    HistoryRow,
    ItemSeen,
    MarkDocument,
    ProgressDocument,
    QueueAsked,
    QueueDocument,
    RevertAsked,
    ReviewerDocument,
    SessionAsked,
)  # fmt: skip
from pellucid.server.serializers import Pictures, page_item

LEASE = 90.0
"""Seconds for which an item is one reviewer's alone; the page asks again every few seconds while it is looked at."""
AHEAD = 200
"""Items looked at in one go for some that are free."""


def review_routes(workspace: Workspace, who_header: str | None) -> APIRouter:
    """who_header: the header in which an authenticating proxy says who asks; then names that the page gives are not taken."""
    routes = APIRouter()

    def who(request: Request, given: str) -> str:
        return given if who_header is None else request.headers.get(who_header, "")

    @routes.post("/api/views/{view}/versions/{version}/decisions", response_model=ActDocument, responses=NOT_FOUND)
    def decide(view: ViewName, version: ViewName, asked: DecisionAsked, request: Request) -> Response:
        """Say of items that their annotation is wrong, or right, or that one is unsure. Answered when it is safely kept."""
        found, loaded = look_up(workspace, view, version)
        reviews = found.view.reviews
        state = loaded.with_corrections(reviews.log) if asked.corrected else loaded
        change = Edit(asked.concept, asked.box, asked.value, asked.replaces)
        taken = reviews.decide(
            found, [seen(one) for one in asked.items], asked.verdict, who(request, asked.who), change, asked.reason, asked.batch,
            asked.seen, state,
        )  # fmt: skip
        return answer(act_document(reviews, taken))

    @routes.post("/api/views/{view}/versions/{version}/comments", response_model=ActDocument, responses=NOT_FOUND)
    def comment(view: ViewName, version: ViewName, asked: CommentAsked, request: Request) -> Response:
        """A remark about an item."""
        found, loaded = look_up(workspace, view, version)
        reviews = found.view.reviews
        state = loaded.with_corrections(reviews.log) if asked.corrected else loaded
        return answer(act_document(reviews, reviews.comment(found, seen(asked.item), who(request, asked.who), asked.text, state)))

    @routes.post("/api/views/{view}/undo", response_model=ActDocument, responses=NOT_FOUND)
    def undo(view: ViewName, asked: ActAsked, request: Request) -> Response:
        """Take back one's last act; nothing where there is none."""
        reviews = workspace.view(view).reviews
        refuse_round(request, reviews.log, reviews.log.next_undo(who(request, asked.who)))
        return answer(act_document(reviews, reviews.undo(who(request, asked.who), asked.batch)))

    @routes.post("/api/views/{view}/redo", response_model=ActDocument, responses=NOT_FOUND)
    def redo(view: ViewName, asked: ActAsked, request: Request) -> Response:
        """Bring back what one took back last."""
        reviews = workspace.view(view).reviews
        refuse_round(request, reviews.log, reviews.log.next_redo(who(request, asked.who)))
        return answer(act_document(reviews, reviews.redo(who(request, asked.who), asked.batch)))

    @routes.post("/api/views/{view}/history/{row}/revert", response_model=ActDocument, responses=NOT_FOUND)
    def revert(view: ViewName, row: int, asked: RevertAsked, request: Request) -> Response:
        """Take back any row; another round of review, an owner alone."""
        reviews = workspace.view(view).reviews
        refuse_round(request, reviews.log, [row])
        return answer(act_document(reviews, reviews.revert(row, who(request, asked.who), asked.reason)))

    @routes.post("/api/views/{view}/reset", response_model=ActDocument, responses=NOT_FOUND)
    def reset(view: ViewName, asked: RevertAsked, request: Request) -> Response:
        """Another round: nothing counts as reviewed any more; what was mended stays mended."""
        reviews = workspace.view(view).reviews
        return answer(act_document(reviews, reviews.reset(who(request, asked.who), asked.reason)))

    @routes.get("/api/views/{view}/history", response_model=HistoryDocument, responses=NOT_FOUND)
    def history(
        view: ViewName, image: Annotated[str | None, Query(max_length=4_000)] = None,
        who: Annotated[str | None, Query(max_length=200)] = None, day: Annotated[str | None, Query(pattern=r"^\d{4}-\d\d-\d\d$")] = None,
        offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0, limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
    ) -> Response:  # fmt: skip
        """What was decided, latest first; about an image, by a person, on a day."""
        reviews = workspace.view(view).reviews
        rows = reviews.history(image, who, day)[::-1]
        shown = [history_row(reviews.log, row) for row in rows[offset : offset + limit]]
        return answer(HistoryDocument(len(rows), offset, shown))

    @routes.get("/api/views/{view}/progress", response_model=ProgressDocument, responses=NOT_FOUND)
    def progress(
        view: ViewName, request: Request, after: Annotated[int, Query(ge=0, le=1 << 60)] = 0,
        me: Annotated[str, Query(max_length=200)] = "", session: Annotated[str, Query(max_length=64)] = "",
    ) -> Response:  # fmt: skip
        """How the review goes, asked every few seconds; it also keeps what the session has been handed."""
        reviews = workspace.view(view).reviews
        if session:
            reviews.renew(session, LEASE)
        return answer(progress_document(reviews, after, " ".join(who(request, me).split()), session, who_header is not None))

    @routes.post("/api/views/{view}/versions/{version}/queue", response_model=QueueDocument, responses=NOT_FOUND)
    def queue(view: ViewName, version: ViewName, asked: QueueAsked, request: Request) -> Response:
        """Hand out items to review, to nobody else for a while."""
        found, loaded = look_up(workspace, view, version)
        return answer(queue_document(found, loaded, asked, who(request, asked.who)))

    @routes.post("/api/views/{view}/queue/end", response_model=None, status_code=204, responses=NOT_FOUND)
    def end(view: ViewName, asked: SessionAsked) -> Response:
        """Give back all that the session has been handed: the page says so as it goes."""
        workspace.view(view).reviews.release(asked.session)
        return Response(status_code=204)

    @routes.get("/api/views/{view}/versions/{version}/effect", response_model=EffectDocument, responses=NOT_FOUND)
    def effect(view: ViewName, version: ViewName, split: Annotated[Split, Query()] = "validation") -> Response:
        """The figures as trained and with corrections."""
        found, loaded = look_up(workspace, view, version)
        return answer(effect_document(loaded, found.decision_log, SPLITS.index(split)))

    return routes


def refuse_round(request: Request, ledger: DecisionLog, rows: list[int]) -> None:
    """Rounds of review are begun, taken back and brought back by owners alone."""
    rounds = any(row in ledger.decisions and ledger.decisions[row].action == "reset" for row in rows)
    if rounds and request.state.role != "owner":
        raise HTTPException(403, "Only the owner may take back a round of review, or bring it back.")


def seen(item: ItemSeen) -> ItemRef:
    return ItemRef(item.image, item.concept, item.side, item.box, item.score)


def history_row(ledger: DecisionLog, row: Decision) -> HistoryRow:
    row = describe_reverted(ledger, row)
    before, after = ([MarkDocument(**asdict(mark)) for mark in marks] for marks in (row.before, row.after))
    return HistoryRow(
        row.id, row.when, row.who, row.action, row.image, row.concept, row.side, row.box, before, after, row.reason, row.version,
        row.reverts, ledger.is_active(row.id), ledger.is_current(row.id),
    )  # fmt: skip


def act_document(reviews: Reviews, taken: ReviewOutcome) -> ActDocument:
    ledger = reviews.log
    return ActDocument([history_row(ledger, row) for row in taken.decisions], [history_row(ledger, row) for row in taken.conflicts], ledger.head)


def progress_document(reviews: Reviews, after: int, me: str, session: str, proxied: bool) -> ProgressDocument:
    ledger = reviews.log
    standing = ledger.verdicts_by_reviewer()
    people = [ReviewerDocument(name, number, last) for name, (number, last) in standing.items()]
    fresh = [row for row in ledger.newer_decisions(after) if row.who != me and row.action in VERDICT_ACTIONS]
    overruled = [row for row in fresh if any(one.who == me and one.id < row.id for one in overruled_verdicts(ledger, row, 0))]
    return ProgressDocument(
        ledger.head, me if proxied else None, people, [history_row(ledger, row) for row in overruled], len(ledger.next_undo(me)),
        len(ledger.next_redo(me)), len(reviews.leased_elsewhere(session)),
    )  # fmt: skip


def queue_document(version: Version, loaded: Results, asked: QueueAsked, who: str) -> QueueDocument:
    """The first items of the list that are free, leased; what is given back goes first."""
    reviews = version.view.reviews
    if asked.give_back is not None:
        reviews.release(asked.session, [seen(one) for one in asked.give_back])
    ledger = reviews.log
    state = loaded.with_corrections(ledger) if asked.corrected else loaded
    selection = state.selection(
        asked.tab, SPLITS.index(asked.split), known(state, asked.concept), thresholds_at(state, asked.at), reverse=False
    )
    shown = state.list_view(selection, asked.order, "new", ledger)
    handed: list[PageItem] = []
    pictures, offset = Pictures(version, state), 0
    while len(handed) < asked.take and offset < shown.total:
        rows = shown.page(offset, AHEAD)
        items = described(shown, rows, offset)
        offset += len(rows)
        free = reviews.lease(asked.session, who, [item_ref(item) for item in items], LEASE, asked.take - len(handed))
        handed += [page_item(state, shown, pictures, int(rows[place]), items[place], ledger) for place in free]
    return QueueDocument(handed, shown.total, len(reviews.leased_elsewhere(asked.session)))


def effect_document(loaded: Results, ledger: DecisionLog, split: int) -> EffectDocument:
    mended = loaded.with_corrections(ledger)
    before, after = loaded.evaluation, mended.evaluation
    edits = locate_decisions(loaded.image_locator, [one for one in ledger.current_decisions() if one.is_edit])
    touched = Counter(name for _, edit in edits for name in {mark.concept for mark in (*edit.before, *edit.after)})
    errors, errors_after = (
        counts.fp + counts.fn for counts in (count_outcomes(one, split, one.optimal_thresholds) for one in (before, after))
    )  # fmt: skip
    concepts = [
        EffectConcept(
            place, int(errors[place]), int(errors_after[place]), before.thresholds[place].value, after.thresholds[place].value,
            touched[name],
        )
        for place, name in enumerate(before.concepts)
    ]  # fmt: skip
    return EffectDocument(len(edits), mended.not_applied, int(errors.sum()), int(errors_after.sum()), concepts)
