"""The command that compares two versions, and gates a release in continuous integration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.cli.console import (
    IMAGE_FILTER_OPTION,
    JSON_OPTION,
    SPLIT_OPTION,
    open_version,
    print_json,
    print_table,
    reject_nan,
)
from pellucid.cli.operating_options import OPERATING_OPTIONS, PointOptions
from pellucid.core.tables import Split
from pellucid.results.release_gate import CRITERIA, Criterion

if TYPE_CHECKING:
    from pellucid.results.release_gate import GateFailure
    from pellucid.results.version_comparison import VersionComparison

GATE_FAILED = 4
"""Exit status of a comparison that a gate fails on."""


@click.command(name="compare")
@click.argument("workspace")
@click.argument("view")
@click.argument("a")
@click.argument("b")
@SPLIT_OPTION
@OPERATING_OPTIONS
@IMAGE_FILTER_OPTION
@click.option(
    "--fail-on",
    "criteria",
    type=click.Choice(CRITERIA),
    multiple=True,
    help="Exit with status 4 if B is worse than A by this, overall or on a concept. errors, fn, "
    "fp: a significant rise; ap, precision, recall, f1: any drop. Repeatable.",
)
@click.option("--fail-on-regression", is_flag=True, help="The same as --fail-on errors.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    callback=reject_nan,
    default=0.0,
    show_default=True,
    metavar="X",
    help="Rise in errors, or drop of a figure (0 to 1), that --fail-on accepts.",
)
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Append a Markdown report to PATH, for example a job's summary.",
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
    point: PointOptions,
    only: tuple[str, ...],
    criteria: tuple[Criterion, ...],
    fail_on_regression: bool,
    tolerance: float,
    markdown: str | None,
    junit: str | None,
    as_json: bool,
) -> None:
    """Compare the candidate B with the baseline A on the images evaluated in both: errors that B
    fixed and introduced, and whether it is better."""
    from pellucid.export.comparison_reports import append_markdown, format_junit
    from pellucid.results.release_gate import check_gate, shared_metrics
    from pellucid.storage.files import replace_file

    results_a, results_b = (
        point.results(open_version(workspace, view, version)).on_images(only) for version in (a, b)
    )
    comparison = results_a.compare(results_b, split)
    if fail_on_regression:
        criteria = (*criteria, "errors")
    failures: list[GateFailure] = []
    if criteria:
        metrics = shared_metrics(results_a, results_b, split)
        failures = check_gate(comparison, *metrics, tuple(dict.fromkeys(criteria)), tolerance)
    for path in (markdown, junit):
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    if junit:
        replace_file(Path(junit), format_junit(comparison, failures).encode())
    if markdown:
        append_markdown(markdown, comparison, failures)
    if as_json:
        print_json(comparison.document)
    else:
        print_comparison(comparison)
    for warning in comparison.warnings:
        click.echo(f"warning: {warning}", err=True)
    if failures:
        report_failures(a, b, failures)


def print_comparison(comparison: VersionComparison) -> None:
    from pellucid.export.comparison_reports import CHANGE_HEADINGS, change_cells
    from pellucid.results.version_comparison import describe_change

    print_table(
        f"{comparison.b} against {comparison.a} on {comparison.split}: "
        f"{comparison.images:,} images",
        ["concept", *CHANGE_HEADINGS],
        [
            [change.concept or "all", *change_cells(change)]
            for change in (comparison.overall, *comparison.worst_first)
        ],
    )
    click.echo(f"{comparison.b} against {comparison.a}: {describe_change(comparison.overall)}")


def report_failures(a: str, b: str, failures: list[GateFailure]) -> None:
    for failure in failures:
        click.echo(f"pellucid: {b} is worse than {a}: {failure.message}", err=True)
    sys.exit(GATE_FAILED)
