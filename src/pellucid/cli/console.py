"""How the command line speaks: what every command has, notes and tables, and options that several share."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.tables import KINDS, SPLITS

if TYPE_CHECKING:
    from pellucid.formats.dataset import Note


class DebugCommand(click.Command):
    """Every command can show its traceback."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params.append(click.Option(["--debug"], is_flag=True, expose_value=False, help="Show a traceback when something fails."))


class DebugGroup(click.Group):
    command_class = DebugCommand


def exit_with_error(message: str, status: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    click.echo(f"pellucid: {message}", err=True)
    sys.exit(status)


@contextmanager
def spinner(description: str) -> Iterator[None]:
    """Show that something is going on, where a person is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(description):
        yield


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar of how far something is, where a person is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda completed_count, total_count: progress.update(task, completed=completed_count, total=total_count)


def print_notes(notes: list[Note]) -> None:
    for note in notes:
        click.echo(f"{'warning' if note.severity == 'warning' else 'note'}: {note.message}", err=True)


def print_json(document: Any) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def print_table(title: str, headings: list[str], table_rows: list[list[Any]]) -> None:
    """Numbers right, texts left; None as a dash."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rich_table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
    for column_index, heading in enumerate(headings):
        rich_table.add_column(Text(heading), justify="right" if table_rows and not isinstance(table_rows[0][column_index], str) else "left", overflow="fold")
    for table_row in table_rows:
        rich_table.add_row(*(Text("–" if cell is None else f"{cell:.4g}" if isinstance(cell, float) else str(cell)) for cell in table_row))
    # what goes to a file or a pipe is never broken into lines: paths are to be found in it
    Console(width=None if sys.stdout.isatty() else 100_000).print(rich_table)


def combine_options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def validate_workspace(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """A folder that exists, or a URL, of which only opening it tells."""
    if "://" not in value:
        click.Path(exists=True, file_okay=False).convert(value, parameter, context)
    return value


SPLIT_OPTION = click.option("--split", type=click.Choice(SPLITS), default="validation", show_default=True)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
IMAGES_OPTION = click.option("--images", metavar="DIR", help="The folder or URL that image paths are relative to.")
KIND_OPTION = click.option("--kind", type=click.Choice(KINDS), help="The kind of a new view; found from the source when not given.")
IOU_OPTION = click.option("--iou", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True, help="The least IoU of a match.")
SERVER_OPTIONS = combine_options(
    click.option("--host", default="127.0.0.1", show_default=True),
    click.option("--port", type=click.IntRange(0, 65535), default=None, help="Default: 7860, or a free one if that is taken."),
    click.option("--no-browser", is_flag=True, help="Print the address alone."),
)
OVERRIDE_OPTIONS = combine_options(
    click.option(
        "--boxes", metavar="FORM", help="What the four numbers are: xywh-pixels, xyxy-pixels, cxcywh-fractions, xyxy-640-letterboxed, ..."
    ),
    click.option("--image-ids", metavar="READING", help="How images are named: id, path, file-stem, ..."),
    click.option("--category-ids", metavar="READING", help="How concepts are named: ids, names, positions-from-0, positions-from-1."),
    click.option("--scores", type=click.Choice(["percent", "logits"]), help="Make probabilities of them."),
)
"""Readings that are else found by looking at the data."""
FIRST_PIXEL_OPTION = click.option(
    "--first-pixel", type=click.IntRange(0, 1), help="Where a format leaves open from which pixels are numbered (VOC)."
)
ORDER_OPTION = click.option("--order", type=click.Choice(["score", "mistakes", "similar"]), default="score", show_default=True,
                     help="The tab's own; likely annotation mistakes first; what looks alike together.")  # fmt: skip
REVIEW_OPTION = click.option("--review", type=click.Choice(["all", "new", "reviewed", "unsure"]), default="all", show_default=True,
                      help="new: without what people have reviewed.")  # fmt: skip
FILTER_OPTION = click.option("--only", multiple=True, metavar="CLAUSE", help="Narrow it down, for instance cause:background, score:0.2..0.4 or "
                    "where:size=..32; may be repeated (docs/understanding.md).")  # fmt: skip
CORRECTED_OPTION = click.option("--corrected", is_flag=True, help="With people's corrections of the annotations; else as imported or trained.")
VERSION_ARGUMENTS = combine_options(click.argument("workspace"), click.argument("view"), click.argument("version"))
