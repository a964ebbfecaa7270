"""The main commands of the command line. Each is one call of the Python API."""

from __future__ import annotations

import math
import sys
from typing import Any

import click

from pellucid.browse.selection import TABS, Tab
from pellucid.cli.analyse import ANALYSIS_COMMANDS, open_version
from pellucid.cli.console import (
    CORRECTED_OPTION,
    FILTER_OPTION,
    FIRST_PIXEL_OPTION,
    IMAGES_OPTION,
    IOU_OPTION,
    JSON_OPTION,
    KIND_OPTION,
    ORDER_OPTION,
    OVERRIDE_OPTIONS,
    REVIEW_OPTION,
    SERVER_OPTIONS,
    SPLIT_OPTION,
    VERSION_ARGUMENTS,
    DebugGroup,
    exit_with_error,
    print_json,
    print_notes,
    print_table,
    spinner,
    validate_workspace,
)
from pellucid.cli.evaluate import evaluate_command
from pellucid.core.errors import PellucidError, WriteError
from pellucid.core.tables import SPLITS, Kind, Split

EXPORT_CONTENTS = (
    "annotations",
    "corrections",
    "tasks",
    "history",
    "report",
    "predictions",
    "gallery",
    "thresholds",
)


@click.group(
    cls=DebugGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="pellucid")
def cli() -> None:
    """Evaluate vision models and review their true positives, false positives and false
    negatives."""


def main() -> None:
    """Run the command line. Exit status: 0 success, 1 other error, 2 usage error, 3 invalid
    input."""
    debug = "--debug" in sys.argv
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PellucidError as error:
        exit_with_error(str(error), error.exit_status, debug)
    except OSError as error:
        reported_error = (
            WriteError(error.filename, (error.strerror or str(error)).lower())
            if error.filename
            else error
        )
        exit_with_error(str(reported_error), 3 if error.filename else 1, debug)
    except Exception as error:
        exit_with_error(
            f"{type(error).__name__}: {error}. This is a bug: run again with --debug and report "
            "the output.",
            1,
            debug,
        )
    sys.exit(status if isinstance(status, int) else 0)


@cli.command(name="add")
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
def add_command(
    workspace: str,
    view: str,
    source: str,
    images: str | None,
    split: Split | None,
    kind: Kind | None,
    format_name: str | None,
    first_pixel: int | None,
) -> None:
    """Import images and annotations from SOURCE into a view."""
    import pellucid

    with spinner(f"Reading {source}"):
        target_view, notes = pellucid.open(workspace).add(
            view, source, images, split, kind, format_name, first_pixel
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


@cli.command(name="start")
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


@cli.command(name="predictions")
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
def predictions_command(
    workspace: str,
    view: str,
    version: str,
    source: str,
    split: Split | None,
    covered: Any,
    format_name: str | None,
    **overrides: Any,
) -> None:
    """Import predictions from SOURCE, match them and choose thresholds. Freezes the version if it
    is new."""
    import pellucid

    target_version = pellucid.open(workspace).view(view).version_or_draft(version)
    with spinner(f"Reading {source}"):
        print_notes(
            target_version.add_predictions(source, split, covered, format_name, **overrides)
        )
    counts = target_version.manifest.counts
    click.echo(
        f"{version}: {counts['predictions']:,} predictions on {counts['covered']:,} of "
        f"{counts['images']:,} frozen images",
        err=True,
    )


@cli.command(name="doctor")
@click.argument("sources", nargs=-1, required=True)
@IMAGES_OPTION
@JSON_OPTION
def doctor_command(sources: tuple[str, ...], images: str | None, as_json: bool) -> None:
    """Report how an import would interpret these files (annotations and predictions), or check a
    workspace."""
    from pellucid.project.doctor import examine

    with spinner(f"Examining {', '.join(sources)}"):
        diagnosis = examine(sources, images)
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
            [[finding["severity"], finding["message"]] for finding in diagnosis.findings],
        )
    if diagnosis.has_errors:
        sys.exit(3)


@cli.command(name="export")
@click.argument("workspace")
@click.argument("view")
@click.option("--what", type=click.Choice(EXPORT_CONTENTS), help="What to export.")
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="Format: coco, yolo, voc, cvat, label-studio, fiftyone, csv, parquet, json, markdown.",
)
@click.option(
    "--html",
    is_flag=True,
    help="Export --version as HTML that opens without a server: one file if --output ends "
    "with .html, else a folder.",
)
@click.option(
    "--output",
    required=True,
    metavar="PATH",
    help="The new file, or new folder for formats with several files.",
)
@click.option(
    "--version",
    "version_name",
    metavar="V",
    help="Version to export predictions, gallery, thresholds or frozen annotations of.",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Only this split [default: all; validation for gallery and --html].",
)
@click.option(
    "--tab",
    type=click.Choice(TABS),
    default="missing",
    show_default=True,
    help="Tab to export (gallery only).",
)
@click.option("--concept", metavar="C", help="Only this concept (gallery only) [default: all].")
@click.option(
    "--threshold",
    type=float,
    help="Confidence threshold to use instead of the concept's own (gallery only).",
)
@click.option(
    "--items",
    type=click.IntRange(1, 100),
    default=48,
    show_default=True,
    help="Maximum items per list (--html only).",
)
@click.option(
    "--size",
    type=click.FloatRange(0.1),
    default=20.0,
    show_default=True,
    metavar="MB",
    help="Approximate maximum size (--html only).",
)
@click.option("--against", metavar="V", help="Another version to compare with (--html only).")
@ORDER_OPTION
@REVIEW_OPTION
@CORRECTED_OPTION
def export_command(
    workspace: str,
    view: str,
    what: str | None,
    format_name: str | None,
    html: bool,
    output: str,
    version_name: str | None,
    split: Split | None,
    tab: Tab,
    concept: str | None,
    threshold: float | None,
    items: int,
    size: float,
    against: str | None,
    order: Any,
    review: Any,
    corrected: bool,
) -> None:
    """Export annotations, corrections, predictions, a gallery or thresholds for other tools, or
    HTML pages to share.

    corrections: the changes, as a list (csv, parquet, json) or as the changed images in an
    annotation format. tasks: the images marked unsure, for an annotation tool. history: every
    decision. report: a summary of the review.
    """
    import pellucid
    from pellucid.export.datasets import ExportOptions
    from pellucid.export.datasets import export_view as write_export

    opened_view = pellucid.open(workspace).view(view)
    selected_version = opened_view.version(version_name) if version_name else None
    with spinner(f"Writing {output}"):
        if html:
            if selected_version is None:
                raise click.UsageError("--html requires --version.")
            pellucid.export_html(
                selected_version, output, split or "validation", items, size, against
            )
        elif what is None or format_name is None:
            raise click.UsageError("Specify --what and --format, or --html.")
        else:
            print_notes(
                write_export(
                    opened_view,
                    what,
                    format_name,
                    output,
                    selected_version,
                    ExportOptions(split, tab, concept, threshold, order, review, corrected),
                )
            )
    click.echo(f"Wrote {output}", err=True)


@cli.command(name="thresholds")
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
    from pellucid.cli.json_output import objective_document, thresholds_document

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


@cli.command(name="metrics")
@VERSION_ARGUMENTS
@SPLIT_OPTION
@CORRECTED_OPTION
@JSON_OPTION
def metrics_command(
    workspace: str, view: str, version: str, split: Split, corrected: bool, as_json: bool
) -> None:
    """Show metrics at the thresholds, per concept and overall."""
    from pellucid.cli.json_output import metrics_document

    chosen = open_version(workspace, view, version)
    document = metrics_document(chosen, chosen.results(corrected), split)
    if as_json:
        print_json(document)
        return
    headings = ["concept", "threshold", "tp", "fp", "fn", "precision", "recall", "f1", "ap"]
    print_table(
        f"{view} {version}, {split}: {document['covered']:,} of {document['images']:,} images "
        "evaluated",
        headings,
        [
            [concept_entry[heading] for heading in headings]
            for concept_entry in document["concepts"]
        ],
    )
    for metric_name, metric_value in document["overall"].items():
        for metric_label, figure in (
            metric_value.items()
            if isinstance(metric_value, dict)
            else [(metric_name, metric_value)]
        ):
            if figure is not None:
                click.echo(
                    f"{metric_label}: "
                    f"{figure if isinstance(figure, int) else format(figure, '.4g')}"
                )


@cli.command(name="gallery")
@VERSION_ARGUMENTS
@click.option("--tab", type=click.Choice(TABS), required=True, help="The tab to list.")
@SPLIT_OPTION
@click.option("--concept", metavar="C", help="Only this concept [default: all].")
@click.option(
    "--threshold",
    type=float,
    metavar="X",
    help="Confidence threshold to use instead of the optimal one.",
)
@ORDER_OPTION
@REVIEW_OPTION
@CORRECTED_OPTION
@FILTER_OPTION
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option(
    "--offset",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of items to skip.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Maximum number of items; 0 for all.",
)
@JSON_OPTION
def gallery_command(
    workspace: str,
    view: str,
    version: str,
    tab: Tab,
    split: Split,
    concept: str | None,
    threshold: float | None,
    order: Any,
    review: Any,
    corrected: bool,
    only: tuple[str, ...],
    reverse: bool,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """List the items of one tab."""
    from pellucid.browse.query import ListQuery
    from pellucid.cli.json_output import gallery_document
    from pellucid.export.datasets import option_thresholds

    if threshold is not None and not math.isfinite(threshold):
        raise click.BadParameter(
            f"threshold must be finite, not {threshold}", param_hint="--threshold"
        )
    selected_version = open_version(workspace, view, version)
    results = selected_version.results(corrected, option_thresholds(threshold, concept))
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


@cli.command(name="compare")
@click.argument("workspace")
@click.argument("view")
@click.argument("a")
@click.argument("b")
@SPLIT_OPTION
@click.option(
    "--fail-on-regression",
    is_flag=True,
    help="Exit with status 1 if B is significantly worse than A (p < 0.05).",
)
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Also write a Markdown report to PATH.",
)
@click.option(
    "--junit",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Also write a JUnit XML report to PATH.",
)
@JSON_OPTION
def compare_command(
    workspace: str,
    view: str,
    a: str,
    b: str,
    split: Split,
    fail_on_regression: bool,
    markdown: str | None,
    junit: str | None,
    as_json: bool,
) -> None:
    """Compare versions A and B on the images evaluated in both: errors that B fixed and
    introduced."""
    from pathlib import Path

    from pellucid.results.version_comparison import CHANGE_COUNTS, format_junit, format_markdown

    comparison = open_version(workspace, view, a).compare(open_version(workspace, view, b), split)
    for path, format_report in ((markdown, format_markdown), (junit, format_junit)):
        if path:
            Path(path).write_text(format_report(comparison), encoding="utf-8")
    if as_json:
        print_json(comparison.document)
    else:
        change_rows = [
            [
                change.concept or "all",
                *(getattr(change, heading) for heading in CHANGE_COUNTS),
                change.p_value,
                "worse" if change.regression else "",
            ]
            for change in (comparison.overall, *comparison.concepts)
        ]
        headings = ["concept", *(heading.replace("_", " ") for heading in CHANGE_COUNTS), "p", ""]
        print_table(
            f"{b} against {a} on {split}: {comparison.images:,} images", headings, change_rows
        )
    for warning in comparison.warnings:
        click.echo(f"warning: {warning}", err=True)
    if fail_on_regression and comparison.regressions:
        worse_concepts = ", ".join(
            change.concept or "all concepts together" for change in comparison.regressions
        )
        click.echo(f"pellucid: {b} is significantly worse than {a}: {worse_concepts}", err=True)
        sys.exit(1)


@cli.command(name="history")
@click.argument("workspace")
@click.argument("view")
@click.option("--image", metavar="TEXT", help="Only images whose path contains TEXT.")
@click.option("--who", metavar="NAME", help="Only decisions of this reviewer.")
@click.option("--day", metavar="YYYY-MM-DD", help="Only decisions of this day (UTC).")
@JSON_OPTION
def history_command(
    workspace: str, view: str, image: str | None, who: str | None, day: str | None, as_json: bool
) -> None:
    """List the review decisions, oldest first."""
    import pellucid
    from pellucid.export.review_reports import describe_labels, history_document

    decisions = pellucid.open(workspace).view(view).reviews.history(image, who, day)
    if as_json:
        print_json(history_document(decisions))
        return
    decision_rows = [
        [
            decision.id,
            decision.when,
            decision.who,
            decision.action,
            decision.image,
            describe_labels(decision.before),
            describe_labels(decision.after),
            decision.reason,
        ]
        for decision in decisions
    ]
    print_table(
        f"{view}: {len(decisions):,} decisions",
        ["id", "when", "who", "action", "image", "before", "after", "reason"],
        decision_rows,
    )


@cli.command(name="serve")
@click.argument("workspace", callback=validate_workspace)
@SERVER_OPTIONS
@click.option(
    "--reviews",
    metavar="URL",
    help="PostgreSQL database for review decisions, instead of a file in the workspace. Prefer "
    "the environment variable PELLUCID_REVIEWS, which applies to every command.",
)
@click.option(
    "--role",
    type=click.Choice(["reader", "reviewer", "owner"]),
    default="reviewer",
    show_default=True,
    help="On a network: role of the second token, or of users named by the proxy.",
)
@click.option(
    "--who-header",
    metavar="NAME",
    help="Header in which an authenticating proxy sends the user name; tokens are then disabled.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address to trust that header from; repeatable [default: loopback].",
)
@click.option(
    "--owner",
    "owners",
    multiple=True,
    metavar="NAME",
    help="User name with the owner role (new review rounds); repeatable.",
)
@click.option(
    "--hostname",
    "hostnames",
    multiple=True,
    metavar="NAME",
    help="Host name the proxy uses for this server; repeatable.",
)
@click.option("--log", is_flag=True, help="Write a JSON line per request to standard error.")
def serve_command(
    workspace: str,
    host: str,
    port: int | None,
    no_browser: bool,
    reviews: str | None,
    role: Any,
    who_header: str | None,
    proxies: tuple[str, ...],
    owners: tuple[str, ...],
    hostnames: tuple[str, ...],
    log: bool,
) -> None:
    """Serve a workspace in the browser until interrupted. Other than on loopback, clients must
    authenticate."""
    import pellucid

    access: dict[str, Any] = {
        "role": role,
        "who_header": who_header,
        "owners": owners,
        "hostnames": hostnames,
        "log": log,
    }
    if proxies:
        access["proxies"] = proxies
    pellucid.open(workspace, reviews).serve(host, port, not no_browser, print_address, **access)


@cli.command(name="open")
@click.argument("source")
@click.argument("predictions")
@IMAGES_OPTION
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split of images for which SOURCE gives none [default: validation].",
)
@KIND_OPTION
@IOU_OPTION
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="The format of SOURCE [default: detected from its content].",
)
@FIRST_PIXEL_OPTION
@OVERRIDE_OPTIONS
@SERVER_OPTIONS
def open_command(
    source: str,
    predictions: str,
    images: str | None,
    split: Split | None,
    kind: Kind | None,
    iou: float,
    format_name: str | None,
    first_pixel: int | None,
    host: str,
    port: int | None,
    no_browser: bool,
    **overrides: Any,
) -> None:
    """Open a gallery of annotations (SOURCE) and PREDICTIONS in the browser. Nothing is saved."""
    import tempfile
    from pathlib import Path

    import pellucid
    from pellucid.api import import_sources

    with tempfile.TemporaryDirectory(prefix="pellucid-") as temporary_folder:
        workspace = pellucid.open(Path(temporary_folder) / "workspace")
        with spinner(f"Reading {source} and {predictions}"):
            _, notes = import_sources(
                workspace,
                source,
                predictions,
                images,
                split,
                kind,
                iou,
                format_name,
                first_pixel,
                **overrides,
            )
        print_notes(notes)
        workspace.serve(host, port, not no_browser, print_address)


@cli.command(name="demo")
@click.option(
    "--workspace",
    metavar="DIR",
    help="Folder of the demo workspace [default: in the user's cache].",
)
@click.option("--build-only", is_flag=True, help="Build the workspace and stop.")
@SERVER_OPTIONS
def demo_command(
    workspace: str | None, build_only: bool, host: str, port: int | None, no_browser: bool
) -> None:
    """Build the demo workspace and open its gallery."""
    from pellucid.demo import demo_workspace

    with spinner("Generating images and training small models (about 15 s, only once)"):
        example_workspace = demo_workspace(workspace)
    if build_only:
        click.echo(f"Demo workspace: {example_workspace.folder}", err=True)
        return
    example_workspace.serve(host, port, not no_browser, print_address)


for command in (*ANALYSIS_COMMANDS, evaluate_command):
    cli.add_command(command)


def print_address(url: str) -> None:
    click.echo(f"Pellucid is running at {url} (press Ctrl+C to stop)", err=True)
