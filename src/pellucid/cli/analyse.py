"""The commands that analyze a version: figures, causes, confusion, slices, similarity."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import click

from pellucid.cli.console import (
    CORRECTED_OPTION,
    JSON_OPTION,
    SPLIT_OPTION,
    VERSION_ARGUMENTS,
    open_version,
    print_json,
    print_table,
    progress_bar,
    spinner,
)
from pellucid.core.tables import Split

CONCEPT_OPTION = click.option(
    "--concept", metavar="C", help="Only this concept [default: all together]."
)


@click.command(name="figures")
@VERSION_ARGUMENTS
@CONCEPT_OPTION
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="O",
    help="Objective: f1, cost:FALSE_POSITIVE,FALSE_NEGATIVE, precision:MINIMUM, recall:MINIMUM; "
    "repeatable.",
)
@CORRECTED_OPTION
@JSON_OPTION
def figures_command(
    workspace: str,
    view: str,
    version: str,
    concept: str | None,
    objectives: tuple[str, ...],
    corrected: bool,
    as_json: bool,
) -> None:
    """Show metrics per split, curves, calibration error and thresholds for other objectives."""
    from pellucid.results.figures import DEFAULT_OBJECTIVES

    results = open_version(workspace, view, version).results(corrected)
    figures_by_split = results.figures(concept)
    thresholds = [
        results.threshold_for(objective, concept)
        for objective in objectives or (DEFAULT_OBJECTIVES if results.evaluation.has_scores else ())
    ]
    remarks = results.remarks(concept)
    if as_json:
        print_json(
            {
                "view": view,
                "version": version,
                "concept": concept,
                "splits": [asdict(split_figures) for split_figures in figures_by_split],
                "objectives": [asdict(objective_threshold) for objective_threshold in thresholds],
                "remarks": remarks,
            }
        )
        return
    split_rows = [
        [
            split_figures.split,
            split_figures.images,
            split_figures.annotations,
            split_figures.at.tp,
            split_figures.at.fp,
            split_figures.at.fn,
            split_figures.at.precision,
            split_figures.at.recall,
            split_figures.at.f1,
            None if split_figures.calibration is None else split_figures.calibration.error,
        ]
        for split_figures in figures_by_split
    ]
    headings = [
        "split",
        "images",
        "annotations",
        "tp",
        "fp",
        "fn",
        "precision",
        "recall",
        "f1",
        "ece",
    ]
    print_table(
        f"{view} {version}: {concept or 'all concepts'}, at the thresholds", headings, split_rows
    )
    objective_headings = [
        "objective",
        "threshold",
        "90 % from",
        "to",
        "errors",
        "precision",
        "recall",
        "f1",
    ]
    objective_rows = [
        [
            objective_threshold.objective,
            objective_threshold.threshold,
            *(objective_threshold.interval or (None, None)),
            objective_threshold.errors,
            objective_threshold.precision,
            objective_threshold.recall,
            objective_threshold.f1,
        ]
        for objective_threshold in thresholds
    ]
    print_table(
        "Thresholds for other objectives, on validation", objective_headings, objective_rows
    )
    for remark in remarks:
        click.echo(f"note: {remark}", err=True)


@click.command(name="causes")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@CONCEPT_OPTION
@CORRECTED_OPTION
@JSON_OPTION
def causes_command(
    workspace: str,
    view: str,
    version: str,
    split: Split,
    concept: str | None,
    corrected: bool,
    as_json: bool,
) -> None:
    """Count errors by cause. For detection, also show the AP gain from fixing each kind (TIDE)."""
    causes = open_version(workspace, view, version).results(corrected).causes(split, concept)
    if as_json:
        print_json(
            {"view": view, "version": version, "split": split, "concept": concept, **asdict(causes)}
        )
        return
    print_table(
        f"{view} {version}, {split}: causes of errors",
        ["tab", "cause", "errors"],
        [[cause.tab, cause.cause, cause.number] for cause in causes.causes],
    )
    if causes.ap is not None:
        gain_rows: list[list[Any]] = [[gain.kind, gain.gain, gain.number] for gain in causes.gains]
        gain_rows += [
            ["no false positives", causes.false_positives, None],
            ["no false negatives", causes.false_negatives, None],
        ]
        print_table(
            f"AP {causes.ap:.4f} at the version's IoU; gain from fixing each kind",
            ["kind", "dAP", "number"],
            gain_rows,
        )


@click.command(name="confusion")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@CORRECTED_OPTION
@JSON_OPTION
def confusion_command(
    workspace: str, view: str, version: str, split: Split, corrected: bool, as_json: bool
) -> None:
    """Show the most confused pairs of concepts, including none."""
    import numpy as np

    results = open_version(workspace, view, version).results(corrected)
    matrix = results.confusion(split)
    concept_names = [*results.evaluation.concepts, None]
    cells = [
        {
            "annotated": concept_names[annotated_index],
            "predicted": concept_names[predicted_index],
            "number": int(matrix[annotated_index, predicted_index]),
        }
        for annotated_index, predicted_index in zip(*np.nonzero(matrix), strict=True)
    ]
    if as_json:
        print_json(
            {
                "view": view,
                "version": version,
                "split": split,
                "concepts": list(results.evaluation.concepts),
                "cells": cells,
            }
        )
        return
    confused_cells = sorted(
        (cell for cell in cells if cell["annotated"] != cell["predicted"]),
        key=lambda cell: -cell["number"],
    )
    print_table(
        f"{view} {version}, {split}: most confused",
        ["annotated", "predicted", "number"],
        [
            [cell["annotated"] or "none", cell["predicted"] or "none", cell["number"]]
            for cell in confused_cells[:100]
        ],
    )


@click.command(name="slices")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@click.option(
    "--pictures",
    type=click.IntRange(0),
    default=4_000,
    show_default=True,
    help="Maximum number of images of the split to analyze; 0 to use only boxes and metadata "
    "columns.",
)
@CORRECTED_OPTION
@JSON_OPTION
def slices_command(
    workspace: str,
    view: str,
    version: str,
    split: Split,
    pictures: int,
    corrected: bool,
    as_json: bool,
) -> None:
    """Find slices of items with significantly more errors than elsewhere."""
    results = open_version(workspace, view, version).results(corrected)
    with progress_bar("Reading images") as report_progress:
        slices = results.slices(split, pictures, report_progress)
    if as_json:
        print_json([error_slice.document for error_slice in slices])
        return
    for error_slice in slices:
        click.echo(
            f"{'fewer errors: ' if error_slice.explained < 0 else ''}{error_slice.sentence} (p "
            f"{error_slice.p_adjusted:.1g})"
        )
    if not slices:
        click.echo("No slice has significantly more errors than the rest.")


@click.command(name="alike")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@JSON_OPTION
def alike_command(workspace: str, view: str, version: str, split: Split, as_json: bool) -> None:
    """Group visually similar items and count the errors in each group."""
    with spinner("Reading images"):
        groups = open_version(workspace, view, version).results().groups(split)
    if as_json:
        print_json(
            [
                {
                    **asdict(similarity_group),
                    "share": similarity_group.share,
                    "only": similarity_group.only,
                }
                for similarity_group in groups
            ]
        )
        return
    group_rows = [
        [
            similarity_group.number,
            similarity_group.matched,
            similarity_group.extra,
            similarity_group.missing,
            ", ".join(
                f"{concept_name} {item_count}"
                for concept_name, item_count in similarity_group.concepts
            ),
        ]
        for similarity_group in groups
    ]
    print_table(
        f"{view} {version}, {split}: groups of similar items, most errors first",
        ["group", "matched", "extra", "missing", "concepts"],
        group_rows,
    )


def parse_colour(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Three numbers, of red, green and blue."""
    if value is None:
        return None
    try:
        numbers = tuple(float(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter("expected three numbers, such as 0.5,0.5,0.5") from error
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise click.BadParameter("expected three numbers, such as 0.5,0.5,0.5")
    return numbers


@click.command(name="embeddings")
@click.argument("workspace")
@click.argument("view")
@click.argument("source", required=False)
@click.option(
    "--names",
    metavar="FILE",
    help="For .npy: text file with one image path per row [default: the view's images, sorted by "
    "path].",
)
@click.option(
    "--model",
    metavar="FILE",
    help="An ONNX model that embeds the images and annotated boxes, instead of SOURCE. Nothing is "
    "downloaded; what was embedded before is kept.",
)
@click.option("--size", type=click.IntRange(8, 4096), help="Side of the model's input in pixels.")
@click.option("--mean", callback=parse_colour, metavar="R,G,B", help="Mean that the model expects.")
@click.option("--std", callback=parse_colour, metavar="R,G,B", help="Deviation that it expects.")
@click.option(
    "--version",
    "versions",
    multiple=True,
    metavar="V",
    help="Also embed the counted predictions of this version (repeatable; with --model).",
)
@click.option(
    "--text-model",
    metavar="FILE",
    help="The ONNX model of texts that was trained with --model, to find items by a text.",
)
@click.option("--tokenizer", metavar="FILE", help="The tokenizer.json of --text-model.")
def embeddings_command(
    workspace: str,
    view: str,
    source: str | None,
    names: str | None,
    model: str | None,
    size: int | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    versions: tuple[str, ...],
    text_model: str | None,
    tokenizer: str | None,
) -> None:
    """Import embeddings of a view's images or boxes, for similarity: a table with `image` and
    `embedding`, or .npy; or compute them with a --model."""
    import pellucid

    if (source is None) == (model is None):
        raise click.UsageError("Specify either SOURCE or --model.")
    if (text_model is None) != (tokenizer is None) or (text_model and not model):
        raise click.UsageError("Specify --text-model and --tokenizer together, with --model.")
    opened_view = pellucid.open(workspace).view(view)
    if model is not None:
        with progress_bar("Embedding") as progress:
            count = opened_view.embed(
                model,
                size,
                mean,
                std,
                versions,
                progress=progress,
                text_model=text_model,
                tokenizer=tokenizer,
            )
        click.echo(f"{view}: {count:,} images and boxes embedded", err=True)
        return
    assert source is not None
    embedded_count, image_count = (
        opened_view.add_embeddings(source, names),
        sum(opened_view.images_by_split.values()),
    )
    click.echo(
        f"{view}: embeddings stored for {embedded_count:,} of {image_count:,} images", err=True
    )
    if embedded_count < image_count:
        click.echo(
            f"warning: {image_count - embedded_count:,} images have no embedding and are left out "
            "of groups and map",
            err=True,
        )


ANALYSIS_COMMANDS = (
    figures_command,
    causes_command,
    confusion_command,
    slices_command,
    alike_command,
    embeddings_command,
)
