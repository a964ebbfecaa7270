"""Commands that import annotations and predictions."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.console import (
    ANNOTATION_BOXES_OPTION,
    BOTH_BOXES_OPTION,
    COLUMNS_OPTION,
    FIRST_PIXEL_OPTION,
    IMAGES_OPTION,
    IOU_OPTION,
    JSON_OPTION,
    KIND_OPTION,
    OVERRIDE_OPTIONS,
    SELECTION_OPTIONS,
    SEPARATOR_OPTION,
    VERSION_ARGUMENTS,
    columns_option,
    print_json,
    print_notes,
    print_table,
    selection_parameters,
    spinner,
)
from pellucid.core.tables import SPLITS, Kind, Split

if TYPE_CHECKING:
    from pellucid.project import Version


COMPARED_SHAPES = {"mask": "masks", "oriented_box": "oriented boxes", "keypoints": "keypoints"}


def compared_shapes(version: Version) -> str:
    """`; masks are compared`, or nothing where boxes or images are."""
    shapes = COMPARED_SHAPES.get(version.evaluation.geometry)
    return f"; {shapes} are compared" if shapes else ""


def reject_swapped(argument: str, name: str, source: str) -> None:
    """Refuse a name that is a file before a source that is none."""
    if "://" not in source and Path(name).is_file() and not Path(source).exists():
        raise click.UsageError(f"'{name}' is a file and '{source}' is not: give {argument} first.")


@click.command(name="add")
@click.argument("workspace")
@click.argument("view")
@click.argument("source")
@IMAGES_OPTION
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split of images for which SOURCE gives none [default: validation].",
)
@KIND_OPTION
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="The format of SOURCE [default: detected from its content].",
)
@FIRST_PIXEL_OPTION
@ANNOTATION_BOXES_OPTION
@COLUMNS_OPTION
@SEPARATOR_OPTION
@SELECTION_OPTIONS
def add_command(
    workspace: str,
    view: str,
    source: str,
    images: str | None,
    split: Split | None,
    kind: Kind | None,
    format_name: str | None,
    first_pixel: int | None,
    boxes: str | None,
    columns: dict[str, list[str]] | None,
    separator: str | None,
    **selection: Any,
) -> None:
    """Import images and annotations from SOURCE into a view."""
    import pellucid

    reject_swapped("VIEW", view, source)
    with spinner(f"Reading {source}"):
        target_view, notes = pellucid.open(workspace).add(
            view,
            source,
            images,
            split,
            kind,
            format_name,
            first_pixel,
            boxes,
            columns,
            separator,
            **selection_parameters(**selection),
        )
    print_notes(notes)
    last_source = target_view.manifest.sources[-1]
    split_summary = ", ".join(
        f"{image_count:,} {split_name}"
        for split_name, image_count in target_view.images_by_split.items()
    )
    import_summary = f"{last_source.rows:,} images read as {last_source.format}"
    click.echo(
        f"{view}: {target_view.kind} view, {import_summary}; now contains {split_summary}; "
        f"{len(target_view.manifest.concepts)} concepts",
        err=True,
    )


@click.command(name="start")
@VERSION_ARGUMENTS
@IOU_OPTION
def start_command(workspace: str, view: str, version: str, iou: float) -> None:
    """Freeze the current annotations as a new version. Run it when training starts."""
    import pellucid

    if math.isnan(iou):
        raise click.BadParameter("IoU must be a number, not nan", param_hint="--iou")
    started_version = pellucid.open(workspace).view(view).start(version, iou)
    counts = started_version.manifest.counts
    click.echo(
        f"{version}: froze {counts['images']:,} images and {counts['annotations']:,} annotations",
        err=True,
    )


@click.command(name="predictions")
@VERSION_ARGUMENTS
@click.argument("source")
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="The split of SOURCE [default: the splits of its images].",
)
@click.option(
    "--covered",
    type=click.Choice(["split", "listed"]),
    default="split",
    show_default=True,
    help="Whether the model ran on the whole split or only on the images listed in SOURCE.",
)
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="The format of SOURCE [default: detected from its content].",
)
@OVERRIDE_OPTIONS
@COLUMNS_OPTION
@SELECTION_OPTIONS
@click.option(
    "--replace",
    is_flag=True,
    help="Put SOURCE in the place of earlier predictions: on all images of its splits, or with "
    "--covered listed on those it lists.",
)
def predictions_command(
    workspace: str,
    view: str,
    version: str,
    source: str,
    split: Split | None,
    covered: Any,
    format_name: str | None,
    columns: dict[str, list[str]] | None,
    renamed: tuple[tuple[str, str], ...],
    map_file: str | None,
    concepts: list[str] | None,
    ignore_concepts: list[str] | None,
    replace: bool,
    **overrides: Any,
) -> None:
    """Import predictions from SOURCE, match them and choose thresholds. Freezes the version if it
    is new."""
    import pellucid

    reject_swapped("VERSION", version, source)
    target_version = pellucid.open(workspace).view(view).version_or_draft(version)
    with spinner(f"Reading {source}"):
        print_notes(
            target_version.add_predictions(
                source,
                split,
                covered,
                format_name,
                columns=columns,
                replace=replace,
                **selection_parameters(renamed, map_file, concepts, ignore_concepts),
                **overrides,
            )
        )
    counts = target_version.manifest.counts
    click.echo(
        f"{version}: {counts['predictions']:,} predictions on {counts['covered']:,} of "
        f"{counts['images']:,} frozen images{compared_shapes(target_version)}",
        err=True,
    )


@click.command(name="doctor")
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "--images",
    metavar="DIR",
    multiple=True,
    help="Folder or URL of the images; image paths are relative to it. Once for all annotation "
    "files, or once for each, in their order.",
)
@click.option(
    "--split",
    "splits",
    type=click.Choice(SPLITS),
    multiple=True,
    help="Split of images for which the annotations give none [default: validation]. Once for all "
    "annotation files, or once for each, in their order.",
)
@KIND_OPTION
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="The format of the annotations [default: detected from their content].",
)
@FIRST_PIXEL_OPTION
@BOTH_BOXES_OPTION
@SEPARATOR_OPTION
@columns_option("--columns", "the annotations")
@columns_option("--prediction-columns", "the predictions")
@OVERRIDE_OPTIONS
@SELECTION_OPTIONS
@JSON_OPTION
def doctor_command(
    sources: tuple[str, ...],
    images: tuple[str, ...],
    splits: tuple[Split, ...],
    kind: Kind | None,
    format_name: str | None,
    first_pixel: int | None,
    annotation_boxes: str | None,
    separator: str | None,
    columns: dict[str, list[str]] | None,
    prediction_columns: dict[str, list[str]] | None,
    renamed: tuple[tuple[str, str], ...],
    map_file: str | None,
    concepts: list[str] | None,
    ignore_concepts: list[str] | None,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Report how an import would interpret these files (annotations and predictions), or check a
    workspace. Nothing is saved."""
    from pellucid.project.doctor import examine

    adding = {
        "images": images,
        "split": splits,
        "kind": kind,
        "format": format_name,
        "first_pixel": first_pixel,
        "boxes": annotation_boxes,
        "columns": columns,
        "separator": separator,
    }
    with spinner(f"Examining {', '.join(sources)}"):
        selection = selection_parameters(renamed, map_file, concepts, ignore_concepts)
        predicting = {"columns": prediction_columns, **selection, **overrides}
        diagnosis = examine(sources, adding, predicting)
    if as_json:
        print_json(diagnosis.document)
    else:
        reading_rows = [
            [reading.question, reading.answer, reading.evidence, "; ".join(reading.alternatives)]
            for reading in diagnosis.readings
        ]
        print_table("Read as", ["question", "answer", "evidence", "alternatives"], reading_rows)
        print_table(
            "Found",
            ["severity", "message"],
            [[finding.severity, finding.message] for finding in diagnosis.findings],
        )
        for command in diagnosis.commands:
            click.echo(f"To import: {command}")
    if diagnosis.has_errors:
        sys.exit(3)


IMPORT_COMMANDS = (add_command, start_command, predictions_command, doctor_command)
