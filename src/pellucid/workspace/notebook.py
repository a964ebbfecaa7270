"""How a version, a gallery and its figures show themselves in a notebook: plain HTML, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pellucid.images.crops import PictureProblem, cut
from pellucid.images.framing import Region, frame
from pellucid.images.sizes import displayed_size
from pellucid.understand.items import Item
from pellucid.workspace.whereabouts import Whereabouts

if TYPE_CHECKING:
    from pellucid.workspace.figures import SplitFigures
    from pellucid.workspace.gallery import Gallery
    from pellucid.workspace.version import Version

SHOWN, SIDE, CROP = 24, 132, 192
COLOURS = {"matched": "#0b7a65", "missing": "#b04d05", "extra": "#6f3bd1", "ignored": "#646b76", "below": "#70767f"}
MARKS = {"matched": "✓", "missing": "+", "extra": "−", "ignored": "○", "below": "·"}


def gallery_html(gallery: Gallery, most: int = SHOWN) -> str:
    """The first items with their crops, and how many there are."""
    items = gallery.page(0, most)
    shown = "".join(cell(gallery.whereabouts, item) for item in items)
    more = f", the first {len(items)}" if len(gallery) > len(items) else ""
    return (
        f'<div style="font:12px system-ui,sans-serif"><b>{gallery.selection.tab}</b>: {len(gallery):,} items{more}<div>{shown}</div></div>'
    )


def cell(whereabouts: Whereabouts, item: Item) -> str:
    source, region = picture(whereabouts, item)
    score = "" if item.score is None else f"{item.score:.3f}"
    colour = COLOURS[item.outcome]
    box = drawn(item, region) if region is not None else ""
    image = f'<img src="{source}" width="{SIDE}" height="{SIDE}" style="object-fit:contain;display:block" alt="">' if source else ""
    return (
        f'<figure title="{escape(item.image)}" style="display:inline-block;position:relative;width:{SIDE}px;margin:3px;vertical-align:top">'
        f'<div style="position:relative;height:{SIDE}px;background:#8882">{image}{box}</div>'
        f'<figcaption style="white-space:nowrap;overflow:hidden;text-overflow:ellipsis">{score} {escape(item.concept)} '
        f'<b style="color:{colour}">{MARKS[item.outcome]}</b></figcaption></figure>'
    )


def picture(whereabouts: Whereabouts, item: Item) -> tuple[str, Region | None]:
    """A crop as data, and the part of the picture it shows; '' where there is no picture."""
    row = whereabouts.row_of(item.image)
    location = None if row is None else whereabouts.location(row)
    if location is None:
        return "", None
    size = displayed_size(location) if item.box is not None else None
    region = frame(item.box, *size) if item.box is not None and size else None
    try:
        data = cut(location, region, CROP)
    except PictureProblem:
        return "", None
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}", region


def drawn(item: Item, region: Region) -> str:
    assert item.box is not None
    left, top, width, height = item.box
    dash = ' stroke-dasharray="5 4"' if item.outcome == "extra" else ""
    place = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="none" vector-effect="non-scaling-stroke"'
    return (
        f'<svg viewBox="{" ".join(map(str, region))}" style="position:absolute;inset:0;width:100%;height:100%">'
        f'<rect {place} stroke="#0008" stroke-width="4"/><rect {place} stroke="{COLOURS[item.outcome]}" stroke-width="2"{dash}/></svg>'
    )


def version_html(version: Version) -> str:
    """What it is, and its counts in each split at its thresholds."""
    evaluation, rows = version.evaluation, []
    for one in version.figures() if version.manifest.predictions is not None else []:
        figures = [one.at.precision, one.at.recall, one.at.f1]
        cells = [one.split, f"{one.images:,}", f"{one.annotations:,}", f"{one.at.tp:,}", f"{one.at.fp:,}", f"{one.at.fn:,}"]
        cells += ["–" if value is None else f"{value:.3f}" for value in figures]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    names = ("split", "images", "annotations", "matched", "missing", "extra", "precision", "recall", "F1")
    head = "".join(f"<th>{name}</th>" for name in names)
    table = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>" if rows else "<p>not run yet</p>"
    return (
        f"<div><b>{escape(version.name)}</b> of {escape(version.view.name)}: {version.manifest.kind}, {len(evaluation.concepts)} concepts, "
        f"{len(evaluation.images):,} images, {len(evaluation.predictions):,} predictions{table}</div>"
    )


@dataclass(frozen=True)
class Line:
    """values: 0 to 1, None where undefined · dash: as SVG has it."""

    values: Sequence[float | None]
    colour: str
    dash: str
    name: str


WIDE, TALL, LEFT, FOOT = 520, 220, 34, 26


def figures_svg(one: SplitFigures) -> str:
    """Precision, recall, F1 and errors (as a share of their most) against the threshold, as a file of its own."""
    curve = one.curve
    low, high = (curve.threshold[0], curve.threshold[-1]) if curve.threshold else (0.0, 1.0)
    most = max(1, *curve.errors) if curve.errors else 1
    errors: list[float | None] = [number / most for number in curve.errors]
    lines = (
        Line(curve.precision, "#1f55c8", "", "precision"), Line(curve.recall, "#6f3bd1", "7 3", "recall"),
        Line(curve.f1, "#444", "2 3", "F1"), Line(errors, "#b04d05", "", f"errors, up to {most:,}"),
    )  # fmt: skip
    paths, names = "", ""
    for place, line in enumerate(lines):
        way = along(curve.threshold, line.values, low, high)
        paths += f'<path d="{way}" fill="none" stroke="{line.colour}" stroke-width="1.6" stroke-dasharray="{line.dash}"/>'
        names += f'<text x="{LEFT + place * 118}" y="11" fill="{line.colour}">{line.name}</text>'
    ticks = "".join(
        f'<text x="{LEFT - 5}" y="{heights(value) + 4:.0f}" text-anchor="end">{value:g}</text>'
        f'<line x1="{LEFT}" x2="{WIDE}" y1="{heights(value):.1f}" y2="{heights(value):.1f}" stroke="#8884"/>'
        for value in (0, 0.5, 1)
    )
    feet = f'<text x="{LEFT}" y="{TALL - 8}">{low:.3g}</text><text x="{WIDE}" y="{TALL - 8}" text-anchor="end">threshold {high:.3g}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE + 6} {TALL}" width="{WIDE + 6}" height="{TALL}" font-size="11" '
        f'font-family="system-ui,sans-serif" fill="#777">{ticks}{paths}{names}{feet}</svg>'
    )


def heights(value: float) -> float:
    return TALL - FOOT - value * (TALL - FOOT - 20)


def along(xs: Sequence[float], ys: Sequence[float | None], low: float, high: float) -> str:
    words, pen = [], False
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            words.append(f"{'L' if pen else 'M'}{LEFT + (x - low) / ((high - low) or 1) * (WIDE - LEFT):.1f},{heights(y):.1f}")
        pen = y is not None
    return "".join(words)
