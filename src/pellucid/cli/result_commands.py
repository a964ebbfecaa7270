"""Commands that show the metrics, thresholds, items and images of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.browse.image_ranking import IMAGE_ORDERS, ImageOrder
from pellucid.browse.selection import TABS, Tab
from pellucid.cli.console import (
    CORRECTED_OPTION,
    FILTER_OPTION,
    IMAGE_FILTER_OPTION,
    JSON_OPTION,
    ORDER_OPTION,
    PAGE_OPTIONS,
    REVIEW_OPTION,
    SPLIT_OPTION,
    VERSION_ARGUMENTS,
    open_version,
    print_json,
    print_table,
)
from pellucid.cli.operating_options import OPERATING_OPTIONS, PointOptions
from pellucid.core.tables import Split

if TYPE_CHECKING:
    from pellucid.evaluation.metrics import Metrics


@click.command(name="thresholds")
@VERSION_ARGUMENTS
@click.option(
    "--objective",
    metavar="O",
    default="errors",
    show_default=True,
    help="errors, f1, cost:FALSE_POSITIVE,FALSE_NEGATIVE, precision:MINIMUM or recall:MINIMUM.",
)
@CORRECTED_OPTION
@JSON_OPTION
def thresholds_command(
    workspace: str, view: str, version: str, objective: str, corrected: bool, as_json: bool
) -> None:
    """Show each concept's confidence threshold and its errors on the validation split."""
    from pellucid.export.json_documents import objective_document, thresholds_document

    results = open_version(workspace, view, version).results(corrected)
    document = (
        thresholds_document(results)
        if objective == "errors"
        else objective_document(results, objective)
    )
    if as_json:
        print_json(document)
        return
    headings = ["concept", "threshold", "source", "errors", "tp", "fp", "fn", "annotations"]
    concept_rows = [
        [
            *(concept_entry[heading] for heading in headings),
            *(concept_entry["interval"] or (None, None)),
        ]
        for concept_entry in document
    ]
    objective_name = "fewest errors" if objective == "errors" else objective
    print_table(
        f"{view} {version}: thresholds, {objective_name} on validation",
        [*headings, "90 % from", "to"],
        concept_rows,
    )


@click.command(name="metrics")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@OPERATING_OPTIONS
@IMAGE_FILTER_OPTION
@click.option(
    "--by",
    metavar="COLUMN",
    help="Show a row of figures per value of this column about the images.",
)
@click.option(
    "--boundary",
    is_flag=True,
    help="Of masks, also the COCO metrics by boundary IoU: how well the outlines agree.",
)
@JSON_OPTION
def metrics_command(
    workspace: str,
    view: str,
    version: str,
    split: Split,
    point: PointOptions,
    only: tuple[str, ...],
    by: str | None,
    boundary: bool,
    as_json: bool,
) -> None:
    """Show metrics at the thresholds, per concept and overall."""
    from pellucid.export.json_documents import metrics_by_document, metrics_document

    chosen = open_version(workspace, view, version)
    results = point.results(chosen).on_images(only)
    if by is not None:
        if boundary:
            raise click.UsageError("Specify either --by or --boundary.")
        by_value = results.metrics_by(by, split)
        if as_json:
            print_json(metrics_by_document(chosen, by, split, by_value))
        else:
            title = f"{view} {version}, {split}: by {by}"
            print_table(title, [by, *FIGURE_HEADINGS], figure_rows(by_value))
        return
    document = metrics_document(chosen, results, split)
    if boundary:
        document["boundary"] = results.boundary_metrics(split)
    if as_json:
        print_json(document)
        return
    headline = results.overall(split).headline
    main_figures = ", ".join(f"{name} {figure_text(figure)}" for name, figure in headline)
    headings = ["concept", "threshold", "tp", "fp", "fn", "precision", "recall", "f1", "ap"]
    headings += ["ap50"] if chosen.view.kind == "detection" else []
    chosen_by = " (those that the filters leave)" if only else ""
    print_table(
        f"{view} {version}, {split}: {main_figures}; {document['covered']:,} of "
        f"{document['images']:,} images evaluated{chosen_by}",
        headings,
        [
            [concept_entry[heading] for heading in headings]
            for concept_entry in document["concepts"]
        ],
    )
    by_boundary = [
        (f"boundary {name}", value) for name, value in document.get("boundary", {}).items()
    ]
    for label, figure in [*overall_figures(document["overall"]), *by_boundary]:
        if figure is not None:
            click.echo(f"{label}: {figure_text(figure)}")


FIGURE_HEADINGS = ("images", "errors", "tp", "fp", "fn", "precision", "recall", "figure", "value")


def figure_rows(by_value: dict[str, Metrics]) -> list[list[Any]]:
    """The main figures of each value."""
    from pellucid.evaluation.counts import precision, recall

    rows = []
    for value, metrics in by_value.items():
        tp, fp, fn = (sum(getattr(c, n) for c in metrics.concepts) for n in ("tp", "fp", "fn"))
        name, figure = metrics.overall.headline[0]
        rows.append(
            [
                value or "(none)",
                metrics.covered,
                metrics.overall.errors,
                tp,
                fp,
                fn,
                precision(tp, fp),
                recall(tp, fn),
                name,
                figure,
            ]
        )
    return rows


def figure_text(figure: int | float | None) -> str:
    if figure is None:
        return "undefined"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.4g}"


def overall_figures(overall: dict[str, Any]) -> list[tuple[str, int | float | None]]:
    """Names and values, the figures of COCO among them."""
    figures: list[tuple[str, int | float | None]] = []
    for name, value in overall.items():
        figures += value.items() if isinstance(value, dict) else [(name, value)]
    return figures


@click.command(name="gallery")
@VERSION_ARGUMENTS
@click.option("--tab", type=click.Choice(TABS), required=True, help="The tab to list.")
@SPLIT_OPTION
@click.option("--concept", metavar="C", help="Only this concept [default: all].")
@OPERATING_OPTIONS
@ORDER_OPTION
@REVIEW_OPTION
@FILTER_OPTION
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@PAGE_OPTIONS
@JSON_OPTION
def gallery_command(
    workspace: str,
    view: str,
    version: str,
    tab: Tab,
    split: Split,
    concept: str | None,
    point: PointOptions,
    order: Any,
    review: Any,
    only: tuple[str, ...],
    reverse: bool,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """List the items of one tab."""
    from pellucid.browse.query import ListQuery
    from pellucid.export.json_documents import gallery_document

    selected_version = open_version(workspace, view, version)
    results = point.results(selected_version, concept)
    document = gallery_document(
        selected_version,
        results,
        ListQuery(tab, split, concept, order, review, only, reverse),
        offset,
        limit,
    )
    if as_json:
        print_json(document)
        return
    headings = ["position", "score", "concept", "outcome", "cause", "image"]
    print_table(
        f"{tab}, {split}: {document['total']:,} items",
        headings,
        [[item[heading] for heading in headings] for item in document["items"]],
    )


@click.command(name="images")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@OPERATING_OPTIONS
@IMAGE_FILTER_OPTION
@click.option(
    "--order",
    type=click.Choice(IMAGE_ORDERS),
    default="errors",
    show_default=True,
    help="By number of errors, of false positives, of false negatives, or by the highest-scored "
    "error.",
)
@PAGE_OPTIONS
@JSON_OPTION
def images_command(
    workspace: str,
    view: str,
    version: str,
    split: Split,
    point: PointOptions,
    only: tuple[str, ...],
    order: ImageOrder,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """List the images with their true positives, false positives and false negatives, most errors
    first."""
    from pellucid.export.json_documents import images_document

    results = point.results(open_version(workspace, view, version)).on_images(only)
    document = images_document(results.images(split, order), offset, limit)
    if as_json:
        print_json(document)
        return
    headings = ["image", "tp", "fp", "fn", "errors"]
    print_table(
        f"{view} {version}, {split}: {document['total']:,} images",
        headings,
        [[item[heading] for heading in headings] for item in document["items"]],
    )


RESULT_COMMANDS = (thresholds_command, metrics_command, gallery_command, images_command)
