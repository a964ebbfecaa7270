"""The command for distributed evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from pellucid.cli.console import VERSION_ARGUMENTS, open_version
from pellucid.distributed.engines import ENGINES, EngineName
from pellucid.distributed.run import PREDICTIONS_PER_WORKER


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar per step on a terminal, else a line per completed step."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    bars: dict[str, TaskID] = {}
    with Progress(console=console, disable=not console.is_terminal) as progress:

        def report_progress(step: str, completed_count: int, total_count: int) -> None:
            if console.is_terminal:
                bars.setdefault(step, progress.add_task(step, total=total_count))
                progress.update(bars[step], completed=completed_count)
            elif completed_count == total_count:
                click.echo(f"{step}: {total_count:,} of {total_count:,}", err=True)

        yield report_progress


@click.command(name="evaluate")
@VERSION_ARGUMENTS
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Where the evaluation runs.",
)
@click.option(
    "--address",
    metavar="A",
    help="Address of a running Ray cluster (auto: find one) [default: start a local one].",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Number of worker processes [default: one per core]."
)
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=PREDICTIONS_PER_WORKER,
    show_default=True,
    help="Maximum number of predictions per worker at a time.",
)
def evaluate_command(
    workspace: str,
    view: str,
    version: str,
    engine: EngineName,
    address: str | None,
    workers: int | None,
    rows: int,
) -> None:
    """Re-evaluate a version in parallel or on a cluster. The results are bit-identical to a local
    evaluation.

    An interrupted run resumes from its completed work.
    """
    if address is not None and engine != "ray":
        raise click.BadParameter("--address requires --engine ray", param_hint="--address")
    selected_version = open_version(workspace, view, version)
    with progress_bars() as report_progress:
        selected_version.evaluate(engine, address, workers, rows, report_progress)
    counts = selected_version.latest_manifest.counts
    click.echo(
        f"{version}: {counts['predictions']:,} predictions on {counts['covered']:,} images "
        "evaluated",
        err=True,
    )
