"""The queue of a reviewer: undecided items that nobody else has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.browse.items import build_items
from pellucid.core.tables import SPLITS
from pellucid.project import Version
from pellucid.project.reviews import ItemRef, Reviews, item_ref
from pellucid.results.results import Results
from pellucid.review.events import VERDICT_ACTIONS
from pellucid.server.dependencies import effective_thresholds, validate_concept
from pellucid.server.page_document import serialize_items
from pellucid.server.review_documents import to_item_ref
from pellucid.server.schemas.gallery_schema import PageItem
from pellucid.server.schemas.review_schema import QueueDocument, QueueRequest
from pellucid.server.version_images import VersionImages

LEASE_SECONDS = 90.0
"""Seconds until a lease on an item expires; the open page renews it every few seconds."""
QUEUE_PAGE_SIZE = 200
"""Items per batch when searching for unleased items."""


def queue_document(
    version: Version, results: Results, queue_request: QueueRequest, reviewer: str
) -> QueueDocument:
    """Lease the first unleased items of the list, after releasing the returned ones."""
    reviews = version.view.reviews
    if queue_request.give_back is not None:
        reviews.release(
            queue_request.session,
            [to_item_ref(returned_item) for returned_item in queue_request.give_back],
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
        queue_items += serialize_items(
            visible_results,
            list_view,
            version_images,
            page_rows[np.array(leased_positions, np.int64)],
            [items[position] for position in leased_positions],
            decision_log,
        )
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
