"""The command that lists what is wrong with a version."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pellucid.cli.console import (
    IMAGE_FILTER_OPTION,
    JSON_OPTION,
    SPLIT_OPTION,
    VERSION_ARGUMENTS,
    open_version,
    print_json,
    progress_bar,
)
from pellucid.cli.operating_options import OPERATING_OPTIONS, PointOptions
from pellucid.core.tables import Split

if TYPE_CHECKING:
    from pellucid.browse.query import ListQuery
    from pellucid.results.findings import Findings


@click.command(name="findings")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@click.option(
    "--baseline",
    metavar="VERSION",
    help="Also report what changed since this version.",
)
@OPERATING_OPTIONS
@IMAGE_FILTER_OPTION
@click.option(
    "--pictures",
    type=click.IntRange(0),
    default=4_000,
    show_default=True,
    help="Maximum number of images of the split to read in search of slices; 0 to use only boxes "
    "and metadata columns.",
)
@JSON_OPTION
def findings_command(
    workspace: str,
    view: str,
    version: str,
    split: Split,
    baseline: str | None,
    point: PointOptions,
    only: tuple[str, ...],
    pictures: int,
    as_json: bool,
) -> None:
    """Show what is wrong with a version, ranked by what fixing it would gain."""
    results = point.results(open_version(workspace, view, version)).on_images(only)
    with progress_bar("Reading images") as report_progress:
        slices = results.slices(split, pictures, report_progress)
    findings = results.findings_with_slices(split, slices, baseline)
    if as_json:
        print_json(findings.document)
    else:
        options = [*point.arguments, *(word for clause in only for word in ("--only", clause))]
        print_findings(workspace, view, findings, options)


def print_findings(workspace: str, view: str, findings: Findings, options: Sequence[str]) -> None:
    """options: those that the findings were looked for with, for the commands that are printed."""
    from pellucid.analysis.findings import FINDING_GROUPS, describe_gain

    click.echo(f"{view} {findings.version}, {findings.split}")
    for group, heading in FINDING_GROUPS.items():
        members = [finding for finding in findings.findings if finding.group == group]
        if members:
            click.echo(f"\n{heading}")
        for finding in members:
            gain = describe_gain(finding.gain)
            click.echo(f"  {finding.sentence}{f': {gain}' if gain else ''}")
            click.echo(f"    {finding.evidence[:1].upper()}{finding.evidence[1:]}.")
            if finding.query is None:
                click.echo(f"    {finding.action}.")
            else:
                target = [workspace, view, findings.version]
                click.echo(
                    f"    {finding.action}: {gallery_command(target, finding.query, options)}"
                )
    if not findings.findings:
        click.echo("\nNothing significant is wrong.")
    if findings.not_found:
        click.echo("\nLooked for and not found")
        for text in findings.not_found:
            click.echo(f"  {text}")


def gallery_command(target: Sequence[str], query: ListQuery, options: Sequence[str]) -> str:
    """The command that lists the items of a query. target: workspace, view and version."""
    words = ["pellucid", "gallery", *target, "--tab", query.tab, "--split", query.split]
    if query.concept is not None:
        words += ["--concept", query.concept]
    if query.order != "score":
        words += ["--order", query.order]
    for clause in query.filters:
        words += ["--only", clause]
    return shlex.join([*words, *options])
