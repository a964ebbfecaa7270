"""HTML representations of a version, a gallery and figures for notebooks, with embedded images."""

from __future__ import annotations

import base64
from html import escape

from pellucid.browse.items import Item
from pellucid.core.display import render_html
from pellucid.images.crop_region import Region, box_crop_region
from pellucid.images.crops import render_crop
from pellucid.images.errors import UnreadableImageError
from pellucid.images.sizes import display_size
from pellucid.project.version import Version
from pellucid.results.gallery import Gallery
from pellucid.review.image_locator import ImageLocator

ITEM_LIMIT, CELL_SIZE, CROP_SIZE = 24, 132, 192
OUTCOME_COLOURS = {
    "matched": "#0b7a65",
    "missing": "#b04d05",
    "extra": "#6f3bd1",
    "ignored": "#646b76",
    "below": "#70767f",
}
OUTCOME_MARKS = {"matched": "✓", "missing": "+", "extra": "−", "ignored": "○", "below": "·"}


@render_html.register
def gallery_html(gallery: Gallery, item_limit: int = ITEM_LIMIT) -> str:
    """The first items with their crops, and the total number of items."""
    items = gallery.page(0, item_limit)
    cells_html = "".join(item_html(gallery.image_locator, item) for item in items)
    count_note = f", the first {len(items)}" if len(gallery) > len(items) else ""
    heading = f"<b>{gallery.list_view.tab}</b>: {len(gallery):,} items{count_note}"
    return f'<div style="font:12px system-ui,sans-serif">{heading}<div>{cells_html}</div></div>'


def item_html(image_locator: ImageLocator, item: Item) -> str:
    source, region = item_picture(image_locator, item)
    score = "" if item.score is None else f"{item.score:.3f}"
    colour = OUTCOME_COLOURS[item.outcome]
    box = box_svg(item, region) if region is not None else ""
    image = (
        f'<img src="{source}" width="{CELL_SIZE}" height="{CELL_SIZE}" '
        'style="object-fit:contain;display:block" alt="">'
        if source
        else ""
    )
    return (
        f'<figure title="{escape(item.image)}" '
        f'style="display:inline-block;position:relative;width:{CELL_SIZE}px;margin:3px;vertical-align:top">'
        f'<div style="position:relative;height:{CELL_SIZE}px;background:#8882">{image}{box}</div>'
        f'<figcaption style="white-space:nowrap;overflow:hidden;text-overflow:ellipsis">{score} '
        f"{escape(item.concept)} "
        f'<b style="color:{colour}">{OUTCOME_MARKS[item.outcome]}</b></figcaption></figure>'
    )


def item_picture(image_locator: ImageLocator, item: Item) -> tuple[str, Region | None]:
    """The crop as a data URL and its region in the image; '' and None if there is no image."""
    image_row = image_locator.find_path(item.image)
    location = None if image_row is None else image_locator.location(image_row)
    if location is None:
        return "", None
    size = display_size(location) if item.box is not None else None
    region = box_crop_region(item.box, *size) if item.box is not None and size else None
    try:
        data = render_crop(location, region, CROP_SIZE)
    except UnreadableImageError:
        return "", None
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}", region


def box_svg(item: Item, region: Region) -> str:
    assert item.box is not None
    x, y, width, height = item.box
    dash = ' stroke-dasharray="5 4"' if item.outcome == "extra" else ""
    rect_attributes = (
        f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="none" '
        'vector-effect="non-scaling-stroke"'
    )
    return (
        f'<svg viewBox="{" ".join(map(str, region))}" '
        'style="position:absolute;inset:0;width:100%;height:100%">'
        f'<rect {rect_attributes} stroke="#0008" stroke-width="4"/><rect {rect_attributes} '
        f'stroke="{OUTCOME_COLOURS[item.outcome]}" stroke-width="2"{dash}/></svg>'
    )


@render_html.register
def version_html(version: Version) -> str:
    """A summary of the version, and its counts in each split at its thresholds."""
    evaluation, split_rows = version.evaluation, []
    for split_figures in (
        version.results().figures() if version.manifest.predictions is not None else []
    ):
        rates = [split_figures.at.precision, split_figures.at.recall, split_figures.at.f1]
        cells = [
            split_figures.split,
            f"{split_figures.images:,}",
            f"{split_figures.annotations:,}",
            f"{split_figures.at.tp:,}",
            f"{split_figures.at.fp:,}",
            f"{split_figures.at.fn:,}",
        ]
        cells += ["–" if rate is None else f"{rate:.3f}" for rate in rates]
        split_rows.append("".join(f"<td>{cell_text}</td>" for cell_text in cells))
    headings = (
        "split",
        "images",
        "annotations",
        "matched",
        "missing",
        "extra",
        "precision",
        "recall",
        "F1",
    )
    header = "".join(f"<th>{heading}</th>" for heading in headings)
    rows_html = "".join(f"<tr>{split_row}</tr>" for split_row in split_rows)
    table_html = (
        f"<table><tr>{header}</tr>{rows_html}</table>" if rows_html else "<p>no predictions yet</p>"
    )
    return (
        f"<div><b>{escape(version.name)}</b> of {escape(version.view.name)}: "
        f"{version.manifest.kind}, {len(evaluation.concepts)} concepts, "
        f"{len(evaluation.images):,} images, {len(evaluation.predictions):,} "
        f"predictions{table_html}</div>"
    )
