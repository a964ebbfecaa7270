"""Commands that list, describe, rename and remove views and versions."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.console import (
    JSON_OPTION,
    VERSION_ARGUMENTS,
    RenamingType,
    cell_text,
    open_version,
    print_json,
    print_table,
    progress_bar,
    unique_renamings,
)
from pellucid.core.errors import PellucidError, format_count
from pellucid.core.tables import SPLITS, Split
from pellucid.storage.file_names import WORKSPACE_MANIFEST

if TYPE_CHECKING:
    from pellucid.project.overview import ViewOverview


@click.command(name="list")
@click.argument("workspace", required=False)
@JSON_OPTION
def list_command(workspace: str | None, as_json: bool) -> None:
    """List the views and versions of a workspace: what was frozen, predicted and how good it is.
    Without WORKSPACE: of the current folder, or the workspaces in it."""
    if workspace is None and not Path(WORKSPACE_MANIFEST).is_file():
        list_workspaces(as_json)
        return
    summaries, failures = load_summaries(workspace or ".")
    if as_json:
        print_json({"views": [asdict(summary) for summary in summaries]})
    else:
        for summary in summaries:
            print_view(summary)
    if not as_json and not summaries and not failures:
        click.echo("No views yet. Add one: pellucid add WORKSPACE VIEW SOURCE", err=True)
    for failure in failures:
        click.echo(f"pellucid: {failure}", err=True)
    if failures:
        sys.exit(failures[0].exit_status)


def load_summaries(workspace: str) -> tuple[list[ViewOverview], list[PellucidError]]:
    """The views that can be read, and why the others cannot."""
    import pellucid
    from pellucid.project.overview import describe_view
    from pellucid.storage.errors import WorkspaceMissingError

    opened = pellucid.open(workspace)
    if not opened.exists:
        raise WorkspaceMissingError(opened.location)
    summaries, failures = [], []
    for name in opened.views:
        try:
            summaries.append(describe_view(opened.view(name)))
        except PellucidError as error:
            failures.append(error)
    return summaries, failures


def list_workspaces(as_json: bool) -> None:
    """The workspaces in the current folder."""
    import pellucid

    folders = sorted(path.parent.name for path in Path().glob(f"*/{WORKSPACE_MANIFEST}"))
    if as_json:
        documents = [
            {"workspace": folder, "views": [asdict(s) for s in load_summaries(folder)[0]]}
            for folder in folders
        ]
        print_json({"workspaces": documents})
        return
    rows = [[folder, ", ".join(pellucid.open(folder).views)] for folder in folders]
    print_table("Workspaces in this folder", ["workspace", "views"], rows)


def print_view(summary: ViewOverview) -> None:
    splits = ", ".join(f"{count:,} {split}" for split, count in summary.splits.items())
    title = (
        f"{summary.view}: {summary.kind}, {splits or 'no'} images, "
        f"{format_count(summary.annotations, 'annotation')}, "
        f"{format_count(summary.concepts, 'concept')}"
    )
    rows: list[list[Any]] = [
        [
            version.version,
            version.started[:16].replace("T", " "),
            version.images,
            version.covered,
            version.predictions,
            version.split or "–",
            version.errors,
            version.figure.name if version.figure else "–",
            version.figure.value if version.figure else None,
        ]
        for version in summary.versions
    ]
    headings = ["version", "started", "images", "run on", "predictions", "split", "errors"]
    print_table(title, [*headings, "figure", "value"], rows)


@click.command(name="info")
@click.argument("workspace")
@click.argument("view", required=False)
@click.argument("version", required=False)
@JSON_OPTION
def info_command(workspace: str, view: str | None, version: str | None, as_json: bool) -> None:
    """Show everything recorded about a workspace, a view or a version: sources, how they were
    read, coverage and notes."""
    import pellucid
    from pellucid.project.overview import version_record, view_record

    opened = pellucid.open(workspace)
    if view is None:
        summaries, failures = load_summaries(workspace)
        if failures:
            raise failures[0]
        record: dict[str, Any] = {
            "workspace": opened.location,
            "views": [asdict(summary) for summary in summaries],
        }
    elif version is None:
        record = view_record(opened.view(view))
    else:
        record = version_record(opened.view(view).version(version))
    if as_json:
        print_json(record)
        return
    for line in describe_record(record):
        click.echo(line)


def describe_record(record: Any, indent: int = 0) -> list[str]:
    """The record as indented lines, one fact each."""
    lines = []
    for name, value in record.items():
        label = f"{' ' * indent}{str(name).replace('_', ' ')}:"
        if isinstance(value, dict) and value:
            lines += [label, *describe_record(value, indent + 2)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(label)
            for entry in value:
                first, *others = describe_record(entry, indent + 4)
                lines += [f"{' ' * (indent + 2)}- {first.strip()}", *others]
        else:
            lines.append(f"{label} {describe_value(value)}")
    return lines


def describe_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in (None, "", {}, [], ()):
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else cell_text(value)


@click.command(name="rename")
@click.argument("workspace")
@click.argument("view")
@click.argument("names", nargs=-1, required=True, metavar="[VERSION] NEW")
def rename_command(workspace: str, view: str, names: tuple[str, ...]) -> None:
    """Rename a view, or a version of it. Review decisions stay with it."""
    import pellucid

    opened = pellucid.open(workspace)
    if len(names) == 1:
        opened.rename_view(view, names[0])
        click.echo(f"Renamed view {view} to {names[0]}", err=True)
    elif len(names) == 2:
        opened.view(view).rename_version(*names)
        click.echo(f"Renamed version {names[0]} of {view} to {names[1]}", err=True)
    else:
        raise click.UsageError("Specify WORKSPACE VIEW NEW, or WORKSPACE VIEW VERSION NEW.")


@click.command(name="remove")
@click.argument("workspace")
@click.argument("view")
@click.argument("version", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(workspace: str, view: str, version: str | None, yes: bool) -> None:
    """Remove a view, or a version of it. Review decisions stay in the history; the source files
    are not touched."""
    import pellucid

    opened = pellucid.open(workspace)
    opened_view = opened.view(view)
    if version is None:
        versions = format_count(len(opened_view.versions), "version")
        image_count = sum(opened_view.images_by_split.values())
        subject = f"view {view} with {versions} and {format_count(image_count, 'image')}"
    else:
        counts = opened_view.version(version).latest_manifest.counts
        subject = f"version {version} of {view} with {counts.get('predictions', 0):,} predictions"
    if not yes:
        try:
            is_confirmed = click.confirm(f"Remove {subject}?", err=True)
        except (click.Abort, OSError) as error:
            if sys.stdin.isatty():
                raise
            # nobody answered: the input ended
            raise click.UsageError(f"Specify --yes to remove {subject}.") from error
        if not is_confirmed:
            click.echo("Nothing was removed", err=True)
            sys.exit(1)
    if version is None:
        opened.remove_view(view)
    else:
        opened_view.remove_version(version)
    click.echo(f"Removed {subject}", err=True)


@click.command(name="map")
@VERSION_ARGUMENTS
@click.argument("renamed", nargs=-1, required=True, type=RenamingType())
def map_command(
    workspace: str, view: str, version: str, renamed: tuple[tuple[str, str], ...]
) -> None:
    """Count predictions of a concept that the annotations lack as another: FROM=TO. They were kept
    as ignored by the import."""
    count = open_version(workspace, view, version).map_concepts(unique_renamings(renamed))
    click.echo(f"{version}: {format_count(count, 'prediction')} mapped", err=True)


@click.command(name="duplicates")
@click.argument("workspace")
@click.argument("view")
@click.option("--exclude", multiple=True, metavar="IMAGE", help="Leave it out of new versions.")
@click.option("--include", multiple=True, metavar="IMAGE", help="Take it in again.")
@click.option(
    "--move",
    nargs=2,
    multiple=True,
    metavar="IMAGE SPLIT",
    type=(str, click.Choice(SPLITS)),
    help="Move it to another split in new versions.",
)
@JSON_OPTION
def duplicates_command(
    workspace: str,
    view: str,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    move: tuple[tuple[str, Split], ...],
    as_json: bool,
) -> None:
    """Show images that are copies of each other or look alike, those of different splits first; or
    leave out or move images (each option may be repeated). Nothing is deleted."""
    import pellucid

    opened = pellucid.open(workspace).view(view)
    if exclude or include or move:
        if exclude:
            opened.exclude(exclude)
        if include:
            opened.exclude(include, excluded=False)
        for split in dict.fromkeys(split for _, split in move):
            opened.move([image for image, to in move if to == split], split)
        changed = len(exclude) + len(include) + len(move)
        message = (
            f"{view}: {format_count(changed, 'image')} changed, in versions started from now on"
        )
        click.echo(message, err=True)
        return
    with progress_bar("Reading images") as progress:
        pairs = opened.duplicates(progress)
    if as_json:
        print_json({"view": view, "pairs": [asdict(pair) for pair in pairs]})
        return
    if not pairs:
        click.echo(f"{view}: no images look alike", err=True)
        return
    rows = [
        [
            side.image + (" (left out)" if side.excluded else "")
            for side in (pair.first, pair.second)
        ]
        + [
            f"{pair.first.split}, {pair.second.split}",
            "identical files" if pair.identical else f"{pair.distance} of 64 bits",
        ]
        for pair in pairs
    ]
    leaks = sum(pair.leak for pair in pairs)
    title = f"{view}: {format_count(len(pairs), 'pair')}, {leaks:,} in training and another split"
    print_table(title, ["image", "image", "splits", "difference"], rows)


@click.command(name="verify")
@click.argument("workspace")
@JSON_OPTION
def verify_command(workspace: str, as_json: bool) -> int:
    """Compare every file of a workspace with its checksum, and check the database of decisions.
    Exit status 3 if data is damaged that cannot be built again."""
    from pellucid.project.verification import verify_workspace

    checks = verify_workspace(workspace)
    lost = [check for check in checks if check.is_lost]
    if as_json:
        print_json({"intact": not lost, "files": [asdict(check) for check in checks]})
    else:
        for check in checks:
            if check.problem:
                is_rebuilt = check.state == "rebuilt"
                remedy = "; built again when the version is opened" if is_rebuilt else ""
                click.echo(f"{check.path}: {check.problem}{remedy}")
        unverified = sum(check.state == "readable" for check in checks)
        click.echo(
            f"{format_count(len(checks), 'file')} checked, {len(lost)} damaged or missing"
            + (f", {unverified} readable but written without a checksum" if unverified else "")
        )
    if lost:
        click.echo("Restore the damaged files from a backup, or import their data again.", err=True)
    return 3 if lost else 0


MANAGE_COMMANDS = (
    list_command,
    info_command,
    rename_command,
    remove_command,
    map_command,
    duplicates_command,
    verify_command,
)
