"""Console output and shared options of the command line."""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pellucid.core.tables import GEOMETRIES, KINDS, NO_SCORE, SPLITS

if TYPE_CHECKING:
    from pellucid.formats.dataset import Note
    from pellucid.project import Version


def exit_with_error(message: str, status: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    click.echo(f"pellucid: {message}", err=True)
    sys.exit(status)


@contextmanager
def spinner(description: str) -> Iterator[None]:
    """Show a spinner on standard error if it is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(description):
        yield


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on standard error if it is a terminal; yields None otherwise."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda completed_count, total_count: progress.update(
            task, completed=completed_count, total=total_count
        )


def print_notes(notes: list[Note]) -> None:
    for note in notes:
        click.echo(
            f"{'warning' if note.severity == 'warning' else 'note'}: {note.message}", err=True
        )


def print_json(document: Any) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def print_table(title: str, headings: list[str], table_rows: list[list[Any]]) -> None:
    """Print a table: numbers right-aligned, strings left-aligned, None as a dash."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rich_table = Table(box=None, pad_edge=False)
    for column_index, heading in enumerate(headings):
        rich_table.add_column(
            Text(heading),
            justify="right"
            if table_rows and not isinstance(table_rows[0][column_index], str)
            else "left",
            overflow="fold",
        )
    for table_row in table_rows:
        rich_table.add_row(
            *(Text("–" if cell in (None, NO_SCORE) else cell_text(cell)) for cell in table_row)
        )
    # do not wrap lines in files and pipes, so that paths stay searchable
    console = Console(width=None if sys.stdout.isatty() else 100_000)
    console.print(Text(title), rich_table, sep="\n")


def cell_text(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def combine_options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def validate_workspace(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check that a folder exists. URLs are checked when the workspace is opened."""
    if "://" not in value:
        click.Path(exists=True, file_okay=False).convert(value, parameter, context)
    return value


def reject_nan(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    """Ranges of numbers let nan pass."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number", context, parameter)
    return value


SPLIT_OPTION = click.option(
    "--split", type=click.Choice(SPLITS), default="validation", show_default=True, help="The split."
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
IMAGES_OPTION = click.option(
    "--images", metavar="DIR", help="Folder or URL of the images; image paths are relative to it."
)
KIND_OPTION = click.option(
    "--kind", type=click.Choice(KINDS), help="Kind of a new view [default: detected from SOURCE]."
)
IOU_OPTION = click.option(
    "--iou",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    callback=reject_nan,
    help="Minimum IoU of a match (detection).",
)
SERVER_OPTIONS = combine_options(
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=None,
        help="Port [default: 7860, or a free one if in use].",
    ),
    click.option("--no-browser", is_flag=True, help="Do not open a browser; only print the URL."),
)


class ColumnsType(click.ParamType):  # type: ignore[type-arg]
    """`ROLE=COLUMN`, several separated by commas, as a dict from role to columns."""

    name = "ROLE=COLUMN,..."

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> dict[str, list[str]]:
        columns: dict[str, list[str]] = {}
        for assignment in value.split(","):
            role, separator, column = assignment.partition("=")
            if not separator or not role.strip() or not column.strip():
                self.fail(f"'{assignment}'; expected ROLE=COLUMN", parameter, context)
            columns.setdefault(role.strip(), []).append(column.strip())
        return columns


def merge_columns(
    context: click.Context, parameter: click.Parameter, values: tuple[dict[str, list[str]], ...]
) -> dict[str, list[str]] | None:
    """The roles of a repeated option in one dict."""
    merged: dict[str, list[str]] = {}
    for columns in values:
        for role, names in columns.items():
            merged.setdefault(role, []).extend(names)
    return merged or None


def columns_option(name: str, source: str) -> Callable[[Any], Any]:
    return click.option(
        name,
        type=ColumnsType(),
        multiple=True,
        callback=merge_columns,
        help=f"Columns of {source}, if it is a table, by role: image, concept, score, split, "
        "ignore, box, xmin, ... Several concept columns: one per concept. Repeatable.",
    )


class RenamingType(click.ParamType):  # type: ignore[type-arg]
    """`FROM=TO` as a pair."""

    name = "FROM=TO"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, str]:
        old_name, separator, new_name = value.partition("=")
        if not separator or not old_name.strip() or not new_name.strip():
            self.fail(f"'{value}'; expected FROM=TO", parameter, context)
        return old_name.strip(), new_name.strip()


def split_names(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> list[str] | None:
    """The names of a repeated option, each value holding several separated by commas."""
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    return names or None


def option_names(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> list[str] | None:
    return list(values) or None


SELECTION_OPTIONS = combine_options(
    click.option(
        "--map",
        "renamed",
        type=RenamingType(),
        multiple=True,
        help="Read the file's concept FROM as the view's concept TO. Repeatable.",
    ),
    click.option(
        "--map-file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="F",
        help='File with such pairs: JSON {"FROM": "TO"}, or CSV with the columns from, to.',
    ),
    click.option(
        "--concepts",
        multiple=True,
        callback=split_names,
        metavar="A,B",
        help="Import only these concepts.",
    ),
    click.option(
        "--ignore-concept",
        "ignore_concepts",
        multiple=True,
        callback=option_names,
        metavar="C",
        help="Do not evaluate this concept; repeatable. '*': all that the annotations lack "
        "(predictions).",
    ),
)
"""Which concepts of a file (of open and doctor: of the predictions) are imported, and under which
names."""


def unique_renamings(renamed: tuple[tuple[str, str], ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for old_name, new_name in renamed:
        if pairs.setdefault(old_name, new_name) != new_name:
            raise click.UsageError(f"'{old_name}' is renamed twice.")
    return pairs


def selection_parameters(
    renamed: tuple[tuple[str, str], ...],
    map_file: str | None,
    concepts: list[str] | None,
    ignore_concepts: list[str] | None,
) -> dict[str, Any]:
    """The values of SELECTION_OPTIONS as parameters of the Python functions."""
    from pellucid.ingest.map_file import load_map_file

    pairs = {**(load_map_file(map_file) if map_file else {}), **unique_renamings(renamed)}
    return {"rename": pairs or None, "concepts": concepts, "ignore_concepts": ignore_concepts}


COLUMNS_OPTION = columns_option("--columns", "SOURCE")
SEPARATOR_OPTION = click.option(
    "--separator",
    metavar="TEXT",
    help="Separator of several concepts in one cell of a table; none for one concept per cell.",
)
ANNOTATION_BOXES_OPTION = click.option(
    "--boxes",
    metavar="FORM",
    help="Box format of the annotations: xywh-pixels, xyxy-pixels, cxcywh-fractions, ...",
)
BOTH_BOXES_OPTION = click.option(
    "--annotation-boxes",
    metavar="FORM",
    help="Box format of the annotations; --boxes is that of the predictions.",
)
OVERRIDE_OPTIONS = combine_options(
    click.option(
        "--boxes",
        metavar="FORM",
        help="Box format: xywh-pixels, xyxy-pixels, cxcywh-fractions, xyxy-640-letterboxed, ...",
    ),
    click.option(
        "--image-ids", metavar="READING", help="References to images: id, path, file-stem, ..."
    ),
    click.option(
        "--category-ids",
        metavar="READING",
        help="References to concepts: ids, names, positions-from-0, positions-from-1.",
    ),
    click.option(
        "--scores",
        type=click.Choice(["percent", "logits"]),
        help="Convert these scores to probabilities.",
    ),
    click.option(
        "--no-scores",
        is_flag=True,
        help="The predictions have no scores (a second annotator, a vision-language model, another "
        "data set): every one counts. They may be in any annotation format.",
    ),
    click.option(
        "--geometry",
        type=click.Choice(GEOMETRIES),
        help="What is compared [default: keypoints, masks or oriented boxes if annotations and "
        "predictions have them].",
    ),
)
"""Interpretations that are otherwise inferred from the data."""
FIRST_PIXEL_OPTION = click.option(
    "--first-pixel",
    type=click.IntRange(0, 1),
    help="Index of the first pixel, for formats that do not define it (VOC).",
)
ORDER_OPTION = click.option(
    "--order",
    type=click.Choice(["score", "margin", "size", "mistakes", "similar"]),
    default="score",
    show_default=True,
    help="Tab order, by margin to each concept's own threshold, largest boxes first, likely label "
    "errors first, or similar items together.",
)
REVIEW_OPTION = click.option(
    "--review",
    type=click.Choice(["all", "new", "reviewed", "unsure"]),
    default="all",
    show_default=True,
    help="Filter by review state. new: not reviewed yet.",
)
FILTER_OPTION = click.option(
    "--only",
    multiple=True,
    metavar="CLAUSE",
    help="Filter items, for example cause:background, score:0.2..0.4 or "
    "where:size=..32; repeatable (see docs/understanding.md).",
)
IMAGE_FILTER_OPTION = click.option(
    "--only",
    multiple=True,
    metavar="CLAUSE",
    help="Only images with a property, for example where:weather=rain or where:width=..640 "
    "(below 640), or with a text in their path (file:night/); repeatable.",
)
PAGE_OPTIONS = combine_options(
    click.option(
        "--offset",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Number of items to skip.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(0),
        default=100,
        show_default=True,
        help="Maximum number of items; 0 for all.",
    ),
)
CORRECTED_OPTION = click.option(
    "--corrected", is_flag=True, help="Use the corrected annotations instead of the original ones."
)
VERSION_ARGUMENTS = combine_options(
    click.argument("workspace"), click.argument("view"), click.argument("version")
)


def open_version(workspace: str, view: str, version: str) -> Version:
    import pellucid

    return pellucid.open(workspace).view(view).version(version)
