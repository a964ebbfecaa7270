"""Commands that write data for other tools: exports and the review history."""

from __future__ import annotations

from typing import Any

import click

from pellucid.browse.selection import TABS, Tab
from pellucid.cli.console import (
    JSON_OPTION,
    ORDER_OPTION,
    REVIEW_OPTION,
    print_json,
    print_notes,
    print_table,
    spinner,
)
from pellucid.cli.operating_options import OPERATING_OPTIONS, PointOptions
from pellucid.core.tables import SPLITS, Split
from pellucid.export.export_targets import EVALUATED_TARGETS, EXPORT_TARGETS


@click.command(name="export")
@click.argument("workspace")
@click.argument("view")
@click.option("--what", type=click.Choice(EXPORT_TARGETS), help="What to export.")
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="Format: coco, coco-roboflow, yolo, voc, cvat, labelme, dota, label-studio, "
    "fiftyone, hugging-face, csv, parquet, json, markdown; "
    "thresholds also as python, ultralytics, torchvision, supervision, onnx, triton.",
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
@click.option(
    "--only",
    multiple=True,
    metavar="CLAUSE",
    help="Only items (of a gallery) or images (of annotations and predictions) with a property, "
    "as in the commands gallery and metrics; repeatable.",
)
@click.option("--force", is_flag=True, help="Replace an existing page (--html only).")
@click.option("--against", metavar="V", help="Another version to compare with (--html only).")
@ORDER_OPTION
@REVIEW_OPTION
@OPERATING_OPTIONS
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
    items: int,
    size: float,
    against: str | None,
    only: tuple[str, ...],
    force: bool,
    order: Any,
    review: Any,
    point: PointOptions,
) -> None:
    """Export annotations, corrections, predictions, a gallery or thresholds for other tools, or
    HTML pages to share.

    corrections: the changes, as a list (csv, parquet, json) or as the changed images in an
    annotation format. tasks: the images marked unsure, for an annotation tool. history: every
    decision. report: a summary of the review.
    """
    import pellucid
    from pellucid.export.datasets import export_view as write_export
    from pellucid.export.export_options import ExportOptions

    opened_view = pellucid.open(workspace).view(view)
    selected_version = opened_view.version(version_name) if version_name else None
    with spinner(f"Writing {output}"):
        if html:
            if only:
                raise click.UsageError("--only does not apply to --html.")
            if not point.is_own:
                raise click.UsageError(
                    "--threshold, --thresholds, --objective and --iou do not apply to --html: the "
                    "page shows the version at its own thresholds."
                )
            if selected_version is None:
                raise click.UsageError("--html requires --version.")
            pellucid.export_html(
                selected_version, output, split or "validation", items, size, against, force
            )
        elif force:
            raise click.UsageError("--force is for --html.")
        elif what is None or format_name is None:
            raise click.UsageError("Specify --what and --format, or --html.")
        elif not point.is_own and what not in EVALUATED_TARGETS:
            raise click.UsageError(
                "--threshold, --thresholds, --objective and --iou are for "
                f"--what {' and '.join(EVALUATED_TARGETS)}."
            )
        elif concept is not None and what != "gallery":
            raise click.UsageError("--concept is for --what gallery.")
        else:
            print_notes(
                write_export(
                    opened_view,
                    what,
                    format_name,
                    output,
                    selected_version,
                    ExportOptions(
                        split=split,
                        tab=tab,
                        concept=concept,
                        order=order,
                        review=review,
                        corrected=point.corrected,
                        results=point.results(selected_version, concept)
                        if selected_version
                        else None,
                        only=only,
                    ),
                )
            )
    click.echo(f"Wrote {output}", err=True)


@click.command(name="history")
@click.argument("workspace")
@click.argument("view")
@click.option("--image", metavar="TEXT", help="Only images whose path contains TEXT.")
@click.option("--who", metavar="NAME", help="Only decisions of this reviewer.")
@click.option("--day", metavar="YYYY-MM-DD", help="Only decisions of this day (UTC).")
@JSON_OPTION
def history_command(
    workspace: str, view: str, image: str | None, who: str | None, day: str | None, as_json: bool
) -> None:
    """List the review decisions, oldest first, also of a view that was removed."""
    import pellucid
    from pellucid.export.review_reports import describe_labels, history_document

    decisions = pellucid.open(workspace).history(view, image, who, day)
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


EXPORT_COMMANDS = (export_command, history_command)
