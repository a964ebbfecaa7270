"""The command that compares two versions, and gates a release in continuous integration."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.analysis.gate_criteria import CRITERIA, Criterion, validate_tolerances
from pellucid.cli.console import (
    IMAGE_FILTER_OPTION,
    JSON_OPTION,
    SPLIT_OPTION,
    open_version,
    print_json,
    print_table,
)
from pellucid.cli.operating_options import OPERATING_OPTIONS, PointOptions
from pellucid.core.tables import Split

if TYPE_CHECKING:
    from pellucid.results.release_gate import FigureChange, GateFailure
    from pellucid.results.version_comparison import VersionComparison

GATE_FAILED = 4
"""Exit status of a comparison that a gate fails on."""


class ToleranceType(click.ParamType):  # type: ignore[type-arg]
    """`X`, or `CRITERION=X`, as a pair of the criterion (None for all) and the tolerance."""

    name = "[CRITERION=]X"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[Criterion | None, float]:
        name, separator, number = value.rpartition("=")
        criterion = next((known for known in CRITERIA if known == name.strip()), None)
        if separator and criterion is None:
            self.fail(f"'{name}' is not one of {', '.join(CRITERIA)}", parameter, context)
        try:
            tolerance = float(number)
        except ValueError:
            tolerance = math.nan
        if not 0 <= tolerance < math.inf:
            self.fail(f"'{number}'; expected a number of 0 or more", parameter, context)
        return criterion, tolerance


def tolerances_by_criterion(
    criteria: Sequence[Criterion], tolerances: Sequence[tuple[Criterion | None, float]]
) -> dict[Criterion, float]:
    """The tolerance of each criterion of the gate. Raises ToleranceError, UsageError."""
    common = [tolerance for criterion, tolerance in tolerances if criterion is None]
    accepted = dict.fromkeys(criteria, common[-1] if common else 0.0)
    for criterion, tolerance in tolerances:
        if criterion is not None and criterion not in accepted:
            raise click.UsageError(f"--tolerance {criterion}=... needs --fail-on {criterion}.")
        if criterion is not None:
            accepted[criterion] = tolerance
    validate_tolerances(accepted)
    return accepted


@contextmanager
def ignore_closed_output() -> Iterator[None]:
    """Go on if the reader of the output is gone (`| head`), so that the exit status says whether
    the gate passed."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich replaces the one by the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    type=click.Choice(CRITERIA, case_sensitive=False),
    multiple=True,
    help="Exit with status 4 if B is worse than A by this, overall or on a concept. errors, fn, "
    "fp: a significant rise; ap, precision, recall, f1: any drop. Repeatable.",
)
@click.option("--fail-on-regression", is_flag=True, help="The same as --fail-on errors.")
@click.option(
    "--tolerance",
    "tolerances",
    type=ToleranceType(),
    multiple=True,
    help="Rise in errors, or drop of a figure (0 to 1), that --fail-on accepts: for every "
    "criterion, or for one (CRITERION=X). Repeatable. [default: 0]",
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
    tolerances: tuple[tuple[Criterion | None, float], ...],
    markdown: str | None,
    junit: str | None,
    as_json: bool,
) -> None:
    """Compare the candidate B with the baseline A on the images evaluated in both: errors that B
    fixed and introduced, and whether it is better."""
    from pellucid.export.comparison_reports import append_markdown, format_junit
    from pellucid.results.release_gate import check_gate, headline_changes, shared_metrics
    from pellucid.results.version_comparison import broken_units
    from pellucid.storage.files import replace_file

    results_a, results_b = (
        point.results(open_version(workspace, view, version)).on_images(only) for version in (a, b)
    )
    if fail_on_regression:
        criteria = (*criteria, "errors")
    accepted = tolerances_by_criterion(criteria, tolerances)
    comparison = results_a.compare(results_b, split)
    metrics = (
        shared_metrics(results_a, results_b, split) if accepted or markdown or not as_json else None
    )
    figures = headline_changes(*metrics) if metrics else []
    failures = check_gate(comparison, *metrics, accepted) if metrics and accepted else []
    for path in (markdown, junit):
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    if junit:
        replace_file(Path(junit), format_junit(comparison, failures).encode())
    if markdown:
        broken = broken_units(results_a, results_b, split)
        append_markdown(markdown, comparison, failures, broken, figures)
    with ignore_closed_output():
        if as_json:
            gate = {"passed": not failures, "failures": [asdict(each) for each in failures]}
            print_json({**comparison.document, **({"gate": gate} if accepted else {})})
        else:
            print_comparison(comparison, figures)
    for warning in comparison.warnings:
        click.echo(f"warning: {warning}", err=True)
    if failures:
        report_failures(a, b, failures)


def print_comparison(comparison: VersionComparison, figures: list[FigureChange]) -> None:
    from pellucid.export.comparison_reports import (
        CHANGE_HEADINGS,
        change_cells,
        describe_figures,
    )
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
    click.echo(describe_figures(figures))
    click.echo(f"{comparison.b} against {comparison.a}: {describe_change(comparison.overall)}")


def report_failures(a: str, b: str, failures: list[GateFailure]) -> None:
    for failure in failures:
        click.echo(f"pellucid: gate failed, {b} against {a}: {failure.message}", err=True)
    sys.exit(GATE_FAILED)
