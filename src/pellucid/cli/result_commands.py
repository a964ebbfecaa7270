"""Commands that show the metrics, thresholds and items of a version, and compare two."""

from __future__ import annotations

import math
import sys
from typing import Any

import click

from pellucid.browse.selection import TABS, Tab
from pellucid.cli.console import (
    CORRECTED_OPTION,
    FILTER_OPTION,
    JSON_OPTION,
    ORDER_OPTION,
    REVIEW_OPTION,
    SPLIT_OPTION,
    VERSION_ARGUMENTS,
    open_version,
    print_json,
    print_table,
)
from pellucid.core.tables import Split


@click.command(name="thresholds")
@VERSION_ARGUMENTS
@click.option(
    "--objective",
    metavar="O",
    default="errors",
    show_default=True,
    help="errors, f1, cost:FALSE_POSITIVE,FALSE_NEGATIVE, precision:MINIMUM or recall:MINIMUM.",
)
@CORRECTED_OPTION
@JSON_OPTION
def thresholds_command(
    workspace: str, view: str, version: str, objective: str, corrected: bool, as_json: bool
) -> None:
    """Show each concept's confidence threshold and its errors on the validation split."""
    from pellucid.cli.json_output import objective_document, thresholds_document

    results = open_version(workspace, view, version).results(corrected)
    document = (
        thresholds_document(results)
        if objective == "errors"
        else objective_document(results, objective)
    )
    if as_json:
        print_json(document)
        return
    headings = ["concept", "threshold", "source", "errors", "tp", "fp", "fn", "annotations"]
    concept_rows = [
        [
            *(concept_entry[heading] for heading in headings),
            *(concept_entry["interval"] or (None, None)),
        ]
        for concept_entry in document
    ]
    objective_name = "fewest errors" if objective == "errors" else objective
    print_table(
        f"{view} {version}: thresholds, {objective_name} on validation",
        [*headings, "90 % from", "to"],
        concept_rows,
    )


@click.command(name="metrics")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@CORRECTED_OPTION
@JSON_OPTION
def metrics_command(
    workspace: str, view: str, version: str, split: Split, corrected: bool, as_json: bool
) -> None:
    """Show metrics at the thresholds, per concept and overall."""
    from pellucid.cli.json_output import metrics_document

    chosen = open_version(workspace, view, version)
    document = metrics_document(chosen, chosen.results(corrected), split)
    if as_json:
        print_json(document)
        return
    headings = ["concept", "threshold", "tp", "fp", "fn", "precision", "recall", "f1", "ap"]
    print_table(
        f"{view} {version}, {split}: {document['covered']:,} of {document['images']:,} images "
        "evaluated",
        headings,
        [
            [concept_entry[heading] for heading in headings]
            for concept_entry in document["concepts"]
        ],
    )
    for metric_name, metric_value in document["overall"].items():
        for metric_label, figure in (
            metric_value.items()
            if isinstance(metric_value, dict)
            else [(metric_name, metric_value)]
        ):
            if figure is not None:
                click.echo(
                    f"{metric_label}: "
                    f"{figure if isinstance(figure, int) else format(figure, '.4g')}"
                )


@click.command(name="gallery")
@VERSION_ARGUMENTS
@click.option("--tab", type=click.Choice(TABS), required=True, help="The tab to list.")
@SPLIT_OPTION
@click.option("--concept", metavar="C", help="Only this concept [default: all].")
@click.option(
    "--threshold",
    type=float,
    metavar="X",
    help="Confidence threshold to use instead of the optimal one.",
)
@ORDER_OPTION
@REVIEW_OPTION
@CORRECTED_OPTION
@FILTER_OPTION
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option(
    "--offset",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of items to skip.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Maximum number of items; 0 for all.",
)
@JSON_OPTION
def gallery_command(
    workspace: str,
    view: str,
    version: str,
    tab: Tab,
    split: Split,
    concept: str | None,
    threshold: float | None,
    order: Any,
    review: Any,
    corrected: bool,
    only: tuple[str, ...],
    reverse: bool,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """List the items of one tab."""
    from pellucid.browse.query import ListQuery
    from pellucid.cli.json_output import gallery_document
    from pellucid.export.datasets import option_thresholds

    if threshold is not None and not math.isfinite(threshold):
        raise click.BadParameter(
            f"threshold must be finite, not {threshold}", param_hint="--threshold"
        )
    selected_version = open_version(workspace, view, version)
    results = selected_version.results(corrected, option_thresholds(threshold, concept))
    document = gallery_document(
        selected_version,
        results,
        ListQuery(tab, split, concept, order, review, only, reverse),
        offset,
        limit,
    )
    if as_json:
        print_json(document)
        return
    headings = ["position", "score", "concept", "outcome", "cause", "image"]
    print_table(
        f"{tab}, {split}: {document['total']:,} items",
        headings,
        [[item[heading] for heading in headings] for item in document["items"]],
    )


@click.command(name="compare")
@click.argument("workspace")
@click.argument("view")
@click.argument("a")
@click.argument("b")
@SPLIT_OPTION
@click.option(
    "--fail-on-regression",
    is_flag=True,
    help="Exit with status 1 if B is significantly worse than A (p < 0.05).",
)
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Also write a Markdown report to PATH.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Also write a JUnit XML report to PATH.",
)
@JSON_OPTION
def compare_command(
    workspace: str,
    view: str,
    a: str,
    b: str,
    split: Split,
    fail_on_regression: bool,
    markdown: str | None,
    junit: str | None,
    as_json: bool,
) -> None:
    """Compare versions A and B on the images evaluated in both: errors that B fixed and
    introduced."""
    from pathlib import Path

    from pellucid.results.version_comparison import CHANGE_COUNTS, format_junit, format_markdown

    comparison = open_version(workspace, view, a).compare(open_version(workspace, view, b), split)
    for path, format_report in ((markdown, format_markdown), (junit, format_junit)):
        if path:
            Path(path).write_text(format_report(comparison), encoding="utf-8")
    if as_json:
        print_json(comparison.document)
    else:
        change_rows = [
            [
                change.concept or "all",
                *(getattr(change, heading) for heading in CHANGE_COUNTS),
                change.p_value,
                "worse" if change.regression else "",
            ]
            for change in (comparison.overall, *comparison.concepts)
        ]
        headings = ["concept", *(heading.replace("_", " ") for heading in CHANGE_COUNTS), "p", ""]
        print_table(
            f"{b} against {a} on {split}: {comparison.images:,} images", headings, change_rows
        )
    for warning in comparison.warnings:
        click.echo(f"warning: {warning}", err=True)
    if fail_on_regression and comparison.regressions:
        worse_concepts = ", ".join(
            change.concept or "all concepts together" for change in comparison.regressions
        )
        click.echo(f"pellucid: {b} is significantly worse than {a}: {worse_concepts}", err=True)
        sys.exit(1)


RESULT_COMMANDS = (thresholds_command, metrics_command, gallery_command, compare_command)
