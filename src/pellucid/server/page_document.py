"""A page of items of a list."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.browse.items import Item, Outcome, build_items
from pellucid.browse.list_views import ListView
from pellucid.core.tables import Int64Array
from pellucid.evaluation.evaluation import STATE_NAMES
from pellucid.evaluation.mask_outlines import shape_path
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.review.coverage import NEW
from pellucid.review.events import DecisionLog
from pellucid.server.overlay import PredictionOverlay
from pellucid.server.partners import find_partners
from pellucid.server.schemas.gallery_schema import PageDocument, PageItem, Partner, ReviewDocument
from pellucid.server.version_images import VersionImages, item_frame
from pellucid.storage.mapped_columns import release_pages
from pellucid.storage.remote_columns import prefetch

RELEASE_INTERVAL = 16
"""Items serialized before mapped pages are released."""


def page_document(
    version: Version,
    results: Results,
    list_view: ListView,
    has_threshold_position: bool,
    offset: int,
    limit: int,
    decision_log: DecisionLog,
    overlay: PredictionOverlay | None = None,
) -> PageDocument:
    """has_threshold_position: items at or above their thresholds come before the others.
    overlay: another version's predictions."""
    version_images = VersionImages(version, results)
    page_rows = list_view.page(offset, limit)
    page_items: list[PageItem] = []
    batch_size = (
        max(len(page_rows), 1)
        if prefetch(results.evaluation, page_rows, list_view.shows_annotations)
        else RELEASE_INTERVAL
    )
    for batch_start in range(0, len(page_rows), batch_size):
        release_pages()
        batch_rows = page_rows[batch_start : batch_start + batch_size]
        items = build_items(list_view, batch_rows, offset + batch_start)
        page_items += serialize_items(
            results, list_view, version_images, batch_rows, items, decision_log, overlay
        )
    position = (
        list_view.threshold_position if has_threshold_position and list_view.tab == "all" else None
    )
    return PageDocument(list_view.tab, list_view.total, position, offset, page_items)


def serialize_items(
    results: Results,
    list_view: ListView,
    version_images: VersionImages,
    rows: Int64Array,
    items: Sequence[Item],
    decision_log: DecisionLog,
    overlay: PredictionOverlay | None = None,
) -> list[PageItem]:
    """The items of a list as the page shows them; rows: of the items, in their table."""
    partners = find_partners(results, list_view, rows, items)
    return [
        page_item(results, list_view, version_images, row, item, partner, decision_log, overlay)
        for row, item, partner in zip(rows.tolist(), items, partners, strict=True)
    ]


def page_item(
    results: Results,
    list_view: ListView,
    version_images: VersionImages,
    item_row: int,
    item: Item,
    partner: Partner | None,
    decision_log: DecisionLog,
    overlay: PredictionOverlay | None,
) -> PageItem:
    evaluation = results.evaluation
    item_columns = evaluation.item_table(list_view.shows_annotations)
    image, concept_index = int(item_columns.image[item_row]), int(item_columns.concept[item_row])
    outcome_above_threshold: Outcome = (
        "extra" if list_view.shows_annotations else STATE_NAMES[int(evaluation.state[item_row])]
    )
    file_stamp = version_images.stamp(image)
    item_region = (
        None if item.box is None else item_frame(version_images, image, file_stamp, item.box)
    )
    return PageItem(
        item.position,
        item_row,
        image,
        item.image,
        concept_index,
        item.score,
        item.box,
        shape_path(item_columns, item_row),
        item.outcome,
        outcome_above_threshold,
        item.cause,
        partner,
        item_region,
        version_images.image_url(image, file_stamp),
        item_review(results, decision_log, image, item_row, list_view.shows_annotations),
        None if overlay is None else overlay.item_prediction(item.image, item.concept, item.box),
    )


def item_review(
    results: Results, decision_log: DecisionLog, image: int, item_row: int, is_annotation: bool
) -> ReviewDocument | None:
    """The current decision on an item, or None."""
    review_state, decision_id = results.reviewed_items.state(image, item_row, is_annotation)
    review_decision = decision_log.decisions.get(decision_id)
    return (
        None
        if review_state == NEW or review_decision is None
        else ReviewDocument(
            review_decision.id,
            review_decision.action,
            review_decision.who,
            review_decision.when,
            review_decision.reason,
        )
    )
