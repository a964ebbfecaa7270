"""Figures, comparisons, slices and lists of them as tables for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from html import escape
from typing import Any

from pellucid.analysis.findings import describe_gain
from pellucid.core.display import DisplayedList, render_html
from pellucid.evaluation.metrics import Metrics
from pellucid.results.confusion_table import ConfusionTable
from pellucid.results.figures import ErrorCauses, SplitFigures
from pellucid.results.findings import Findings
from pellucid.results.slices import ErrorSlice
from pellucid.results.version_comparison import VersionComparison, describe_change

MAX_ROWS = 100


def html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table with a caption; at most MAX_ROWS rows, with a note of how many more there are."""
    header = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell_html(cell)}</td>' for cell in row)}</tr>"
        for row in rows[:MAX_ROWS]
    )
    more = f"<p>and {len(rows) - MAX_ROWS:,} more</p>" if len(rows) > MAX_ROWS else ""
    return (
        f"<div><b>{escape(caption)}</b><table><thead><tr>{header}</tr></thead>"
        f"<tbody>{body}</tbody></table>{more}</div>"
    )


def cell_html(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) else escape(str(cell))


@render_html.register
def metrics_html(metrics: Metrics) -> str:
    figures = asdict(metrics.overall)
    figures |= figures.pop("coco") or {}
    named = [f"{name} {cell_html(value)}" for name, value in figures.items() if value is not None]
    caption = f"{metrics.split}: {metrics.covered:,} of {metrics.images:,} images evaluated"
    headings = ["concept", "threshold", "tp", "fp", "fn", "precision", "recall", "f1", "ap"]
    rows = [[getattr(concept, name) for name in headings] for concept in metrics.concepts]
    return f"{html_table(caption, headings, rows)}<p>{escape(' · '.join(named))}</p>"


@render_html.register
def findings_html(findings: Findings) -> str:
    headings = ["finding", "gain", "evidence", "action"]
    rows = [
        [finding.sentence, describe_gain(finding.gain), finding.evidence, finding.action]
        for finding in findings.findings
    ]
    caption = f"{findings.version}, {findings.split}: what is wrong, best first"
    not_found = escape(" · ".join(findings.not_found))
    return f"{html_table(caption, headings, rows)}<p>Not found: {not_found}</p>"


@render_html.register
def comparison_html(comparison: VersionComparison) -> str:
    headings = ["concept", "errors", "after", "fixed", "broken", "p (errors)", "verdict"]
    rows = [
        [
            change.concept or "all",
            change.errors.a,
            change.errors.b,
            change.fixed,
            change.broken,
            change.p_errors,
            change.verdict,
        ]
        for change in (comparison.overall, *comparison.worst_first)
    ]
    caption = f"{comparison.b} against {comparison.a}: {describe_change(comparison.overall)}"
    return html_table(caption, headings, rows)


@render_html.register
def causes_html(causes: ErrorCauses) -> str:
    tabs = {"extra": "false negative", "missing": "false positive"}
    rows = [
        [tabs[entry.tab], entry.cause.replace("_", " "), entry.number] for entry in causes.causes
    ]
    table = html_table("Errors by cause", ["error", "cause", "number"], rows)
    if not causes.gains:
        return table
    gains = [[gain.kind, gain.gain, gain.number] for gain in causes.gains]
    caption = f"AP gained by fixing each type (TIDE), from {cell_html(causes.ap)}"
    return table + html_table(caption, ["type", "gain", "number"], gains)


@render_html.register
def figures_html(figures: SplitFigures) -> str:
    at = figures.at
    caption = (
        f"{figures.split}: {at.tp:,} TP, {at.fp:,} FP, {at.fn:,} FN; precision "
        f"{cell_html(at.precision)}, recall {cell_html(at.recall)}, F1 {cell_html(at.f1)}"
    )
    return f"<div><b>{escape(caption)}</b><br>{figures.svg}</div>"


@render_html.register
def confusion_html(confusion: ConfusionTable) -> str | None:
    if confusion.names is None or confusion.shape != (len(confusion.names),) * 2:
        return None
    rows = [[name, *row] for name, row in zip(confusion.names, confusion.tolist(), strict=True)]
    return html_table("Annotated (rows) as predicted (columns)", ["", *confusion.names], rows)


@render_html.register
def list_html(results: DisplayedList) -> str:  # type: ignore[type-arg]
    """One table for results of simple fields, else one after another."""
    if not results:
        return "<p>none</p>"
    if isinstance(results[0], ErrorSlice):
        headings = ["slice", "errors", "items", "rate", "elsewhere", "p (adjusted)"]
        rows = [[s.sentence, s.errors, s.items, s.rate, s.elsewhere, s.p_adjusted] for s in results]
        return html_table(f"{len(results)} slices", headings, rows)
    if is_dataclass(results[0]) and render_html.dispatch(type(results[0])) is plain_text:
        headings = [field.name for field in fields(results[0])]
        rows = [[getattr(result, name) for name in headings] for result in results]
        return html_table(f"{len(results)} results", headings, rows)
    return "".join(render_html(result) or escape(repr(result)) for result in results)


plain_text = render_html.dispatch(object)
