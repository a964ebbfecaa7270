"""The words of the command line that explain a version: figures, causes, confusion, slices, likeness."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.console import CORRECTED, JSON, SPLIT, VERSION, busy, counting, print_json, table
from pellucid.core.tables import Split

if TYPE_CHECKING:
    from pellucid.project import Version

CONCEPT = click.option("--concept", metavar="C", help="One concept; default all together.")


def existing(workspace: str, view: str, version: str) -> Version:
    import pellucid

    return pellucid.open(workspace).view(view).version(version)


@click.command()
@VERSION
@CONCEPT
@click.option("--objective", "asked", multiple=True, metavar="O",
              help="A threshold for it, too: f1, cost:FALSE_ALARM,MISS, precision:LEAST, recall:LEAST; may be repeated.")  # fmt: skip
@CORRECTED
@JSON
def figures(workspace: str, view: str, version: str, concept: str | None, asked: tuple[str, ...], corrected: bool, as_json: bool) -> None:
    """How good a version is along its thresholds: curves, calibration, other objectives; training beside validation."""
    from pellucid.results.figures import DEFAULT_OBJECTIVES

    chosen = existing(workspace, view, version).results(corrected)
    several = chosen.figures(concept)
    ends = [chosen.threshold_for(one, concept) for one in asked or DEFAULT_OBJECTIVES]
    said = chosen.remarks(concept)
    if as_json:
        print_json({
            "view": view, "version": version, "concept": concept, "splits": [asdict(one) for one in several],
            "objectives": [asdict(one) for one in ends], "remarks": said,
        })  # fmt: skip
        return
    rows = [
        [one.split, one.images, one.annotations, one.at.tp, one.at.fp, one.at.fn, one.at.precision, one.at.recall, one.at.f1,
         None if one.calibration is None else one.calibration.error]
        for one in several
    ]  # fmt: skip
    headings = ["split", "images", "annotations", "tp", "fp", "fn", "precision", "recall", "f1", "ece"]
    table(f"{view} {version}: {concept or 'all concepts'}, at the thresholds", headings, rows)
    names = ["end", "threshold", "90 % from", "to", "errors", "precision", "recall", "f1"]
    lines = [[one.objective, one.threshold, *(one.interval or (None, None)), one.errors, one.precision, one.recall, one.f1] for one in ends]
    table("Thresholds for other ends, on validation", names, lines)
    for words in said:
        click.echo(f"note: {words}", err=True)


@click.command()
@VERSION
@SPLIT
@CONCEPT
@CORRECTED
@JSON
def causes(workspace: str, view: str, version: str, split: Split, concept: str | None, corrected: bool, as_json: bool) -> None:
    """What kinds of errors there are, and in detection what fixing each kind would gain (TIDE)."""
    found = existing(workspace, view, version).results(corrected).causes(split, concept)
    if as_json:
        print_json({"view": view, "version": version, "split": split, "concept": concept, **asdict(found)})
        return
    table(
        f"{view} {version}, {split}: causes of errors",
        ["tab", "cause", "errors"],
        [[one.tab, one.cause, one.number] for one in found.causes],
    )
    if found.ap is not None:
        rows: list[list[Any]] = [[one.kind, one.gain, one.number] for one in found.gains]
        rows += [["no false positive", found.false_positives, None], ["no annotation missed", found.false_negatives, None]]
        table(f"AP {found.ap:.4f} at the version's IoU; what fixing each kind would gain", ["kind", "dAP", "number"], rows)


@click.command()
@VERSION
@SPLIT
@CORRECTED
@JSON
def confusion(workspace: str, view: str, version: str, split: Split, corrected: bool, as_json: bool) -> None:
    """What is taken for what, with none."""
    import numpy as np

    chosen = existing(workspace, view, version).results(corrected)
    matrix = chosen.confusion(split)
    names = [*chosen.evaluation.concepts, None]
    cells = [
        {"annotated": names[row], "predicted": names[column], "number": int(matrix[row, column])}
        for row, column in zip(*np.nonzero(matrix), strict=True)
    ]
    if as_json:
        print_json({"view": view, "version": version, "split": split, "concepts": list(chosen.evaluation.concepts), "cells": cells})
        return
    wrong = sorted((one for one in cells if one["annotated"] != one["predicted"]), key=lambda one: -one["number"])
    table(f"{view} {version}, {split}: most mixed up", ["annotated", "predicted", "number"],
          [[one["annotated"] or "none", one["predicted"] or "none", one["number"]] for one in wrong[:100]])  # fmt: skip


@click.command()
@VERSION
@SPLIT
@click.option("--pictures", type=click.IntRange(0), default=4_000, show_default=True,
              help="How many pictures of the split are looked at, at most; 0 for none: then boxes and columns alone tell.")  # fmt: skip
@CORRECTED
@JSON
def slices(workspace: str, view: str, version: str, split: Split, pictures: int, corrected: bool, as_json: bool) -> None:
    """On which kinds of items errors are more frequent than elsewhere, by more than chance."""
    chosen = existing(workspace, view, version).results(corrected)
    with counting("reading pictures") as progress:
        found = chosen.slices(split, pictures, progress)
    if as_json:
        print_json([one.document for one in found])
        return
    for one in found:
        click.echo(f"{'less: ' if one.explained < 0 else ''}{one.sentence} (p {one.p_adjusted:.1g})")
    if not found:
        click.echo("no kind of items has more errors than elsewhere, beyond what chance would show")


@click.command()
@VERSION
@SPLIT
@JSON
def alike(workspace: str, view: str, version: str, split: Split, as_json: bool) -> None:
    """What looks alike: groups of items, and how many of each are errors."""
    with busy("reading pictures"):
        found = existing(workspace, view, version).results().groups(split)
    if as_json:
        print_json([{**asdict(one), "share": one.share, "only": one.only} for one in found])
        return
    rows = [
        [one.number, one.matched, one.extra, one.missing, ", ".join(f"{name} {number}" for name, number in one.concepts)] for one in found
    ]
    table(
        f"{view} {version}, {split}: groups that look alike, most errors first", ["group", "matched", "extra", "missing", "concepts"], rows
    )


@click.command()
@click.argument("workspace")
@click.argument("view")
@click.argument("source")
@click.option(
    "--names", metavar="FILE", help="Of a .npy: a text file with the image of each row, a line each; by default the view's by path."
)
def embeddings(workspace: str, view: str, source: str, names: str | None) -> None:
    """Keep embeddings of a view's pictures or boxes, by which likeness then goes: a table with `image` and `embedding`, or a .npy."""
    import pellucid

    chosen = pellucid.open(workspace).view(view)
    number, images = chosen.add_embeddings(source, names), sum(chosen.images_by_split.values())
    click.echo(f"{view}: embeddings kept for {number:,} of {images:,} images", err=True)
    if number < images:
        click.echo(f"warning: {images - number:,} images have none: they are in no group and not on the map", err=True)


COMMANDS = (figures, causes, confusion, slices, alike, embeddings)
