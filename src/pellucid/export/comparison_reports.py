"""A comparison of two versions as Markdown and JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from pellucid.results.release_gate import FigureChange, GateFailure
from pellucid.results.version_comparison import (
    BrokenUnit,
    ConceptChange,
    VersionComparison,
    describe_change,
)

CHANGE_HEADINGS = (
    "errors before",
    "errors after",
    "FN before",
    "FN after",
    "FP before",
    "FP after",
    "fixed",
    "broken",
    "p (errors)",
    "p (McNemar)",
    "verdict",
)


def change_cells(change: ConceptChange) -> list[int | float | str]:
    """The cells of a change under CHANGE_HEADINGS."""
    return [
        change.errors.a,
        change.errors.b,
        change.fn.a,
        change.fn.b,
        change.fp.a,
        change.fp.b,
        change.fixed,
        change.broken,
        change.p_errors,
        change.p_value,
        change.verdict,
    ]


def describe_figures(figures: Sequence[FigureChange]) -> str:
    """`AP 0.281 → 0.596, ...`; a figure that is undefined is a dash."""
    return ", ".join(
        f"{figure.name} {figure_text(figure.a)} → {figure_text(figure.b)}" for figure in figures
    )


def figure_text(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"


def append_markdown(
    path: str | Path,
    comparison: VersionComparison,
    failures: Sequence[GateFailure],
    broken: Sequence[BrokenUnit] = (),
    figures: Sequence[FigureChange] = (),
) -> None:
    """Append the report to a file, such as a CI job's summary, which may hold others already.

    Args:
        broken, figures: see format_markdown
    """
    with Path(path).open("a", encoding="utf-8") as stream:
        if stream.tell():
            stream.write("\n")
        stream.write(format_markdown(comparison, failures, broken, figures))


def format_markdown(
    comparison: VersionComparison,
    failures: Sequence[GateFailure] = (),
    broken: Sequence[BrokenUnit] = (),
    figures: Sequence[FigureChange] = (),
) -> str:
    """Markdown for a pull-request comment: the verdict and a table of changes, worst first.

    Args:
        broken: what only the baseline has right; the first are listed
        figures: of both versions
    """
    overall = comparison.overall
    state = ", with corrections" if comparison.corrected else ""
    summary = (
        f"**{markdown_text(comparison.b)}** compared with **{markdown_text(comparison.a)}** on "
        f"{comparison.split}{state}: "
        f"{describe_change(overall)}; {overall.fixed:,} fixed, {overall.broken:,} broken "
        f"(McNemar p = {overall.p_value:.2g}); {comparison.images:,} images."
    )
    table_rows = [
        ["concept", *CHANGE_HEADINGS],
        ["---", *["---:"] * (len(CHANGE_HEADINGS) - 1), "---"],
        *(markdown_cells(change) for change in (overall, *comparison.worst_first)),
    ]
    markdown_table = "\n".join(f"| {' | '.join(cells)} |" for cells in table_rows)
    paragraphs = [
        summary,
        *(f"Gate failed: {markdown_text(failure.message)}." for failure in failures),
        *([f"Figures: {describe_figures(figures)}."] if figures else []),
        markdown_table,
        *([broken_list(broken)] if broken else []),
        *(f"Note: {markdown_text(warning)}." for warning in comparison.warnings),
    ]
    return "\n\n".join(paragraphs) + "\n"


MAX_LISTED = 20


def broken_list(units: Sequence[BrokenUnit]) -> str:
    """The first of what the candidate no longer has right, as a list that can be opened."""
    shown = units[:MAX_LISTED]
    lines = [f"- {markdown_text(unit.concept)} in {markdown_text(unit.image)}" for unit in shown]
    more = f", the first {len(shown)}" if len(units) > len(shown) else ""
    title = f"{len(units):,} broken: right in the baseline and wrong in the candidate{more}"
    return "\n".join([f"<details><summary>{title}</summary>", "", *lines, "", "</details>"])


def markdown_cells(change: ConceptChange) -> list[str]:
    return [
        markdown_text(change.concept or "all"),
        *(format_cell(cell) for cell in change_cells(change)),
    ]


def markdown_text(text: str) -> str:
    """A name that stays a name: one line, no HTML, no Markdown."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", escape(line, quote=False))


def xml_text(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(
        c if c.isprintable() or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def format_cell(cell: float | str) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.2g}"


def format_junit(comparison: VersionComparison, failures: Sequence[GateFailure] = ()) -> str:
    """JUnit XML: one test case overall and one per concept, with what the gate fails on."""
    cases = [comparison.overall, *comparison.concepts]
    failed_cases = {failure.concept for failure in failures}
    title = f"{comparison.b} compared with {comparison.a} on {comparison.split}"
    suite = Element(
        "testsuite", name=xml_text(title), tests=str(len(cases)), failures=str(len(failed_cases))
    )
    for change in cases:
        case = SubElement(
            suite,
            "testcase",
            classname="pellucid.compare",
            name=xml_text(change.concept or "all concepts"),
        )
        messages = [f.message for f in failures if f.concept == change.concept]
        if messages:
            SubElement(
                case, "failure", message=xml_text("; ".join(messages))
            ).text = describe_change(change)
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
