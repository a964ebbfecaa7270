"""The words of the command line for data that is too much for one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from pellucid.cli.analyse import open_version
from pellucid.cli.console import VERSION_ARGUMENTS
from pellucid.distributed.engines import ENGINES, EngineName
from pellucid.distributed.run import PREDICTIONS_PER_WORKER


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step where a person is looking, else a line."""
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


@click.command()
@VERSION_ARGUMENTS
@click.option("--engine", type=click.Choice(ENGINES), default="local", show_default=True, help="Where it is done.")
@click.option("--address", metavar="A", help="Of a Ray cluster that runs already (auto: this machine's); else one is begun here.")
@click.option("--workers", type=click.IntRange(1), help="Of processes, and of a cluster begun here; default: one a core.")
@click.option("--rows", type=click.IntRange(1), default=PREDICTIONS_PER_WORKER, show_default=True, help="The most predictions that a worker holds at a time.")
def evaluate_command(workspace: str, view: str, version: str, engine: EngineName, address: str | None, workers: int | None, rows: int) -> None:
    """Match a version's predictions again, in pieces, here or elsewhere; the result is the same to the last bit.

    What was done before a run was interrupted is not done again.
    """
    if address is not None and engine != "ray":
        raise click.BadParameter("only the engine ray has an address", param_hint="--address")
    selected_version = open_version(workspace, view, version)
    with progress_bars() as report_progress:
        selected_version.evaluate(engine, address, workers, rows, report_progress)
    counts = selected_version.latest_manifest.counts
    click.echo(f"{version}: {counts['predictions']:,} predictions on {counts['covered']:,} images evaluated", err=True)
