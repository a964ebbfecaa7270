"""Exports of a review: the corrections, tasks for annotators, and a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.tables import SPLITS, Predictions, Split, string_column
from pellucid.formats.dataset import Note
from pellucid.formats.readers.label_studio import NAME as LABEL_STUDIO
from pellucid.formats.registry import WRITERS
from pellucid.formats.writers.export_data import ExportData
from pellucid.formats.writers.new_files import write_new_json, write_new_text
from pellucid.formats.writers.table_writer import BOX_COLUMNS, mask_missing, write_columns
from pellucid.project.view import View
from pellucid.review.corrected import locate_decisions
from pellucid.review.events import EDIT_ACTIONS, Decision, Label
from pellucid.review.image_locator import ImageLocator
from pellucid.storage.manifests import utc_timestamp

LIST_FORMATS = ("csv", "parquet", "json")
TASK_FORMATS = ("label-studio", "cvat")


def history_document(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """All decisions as JSON objects, in the given order."""
    return [
        {
            "id": decision.id,
            "when": decision.when,
            "who": decision.who,
            "action": decision.action,
            "image": decision.image,
            "concept": decision.concept,
            "before": [label_document(label) for label in decision.before],
            "after": [label_document(label) for label in decision.after],
            "reason": decision.reason,
            "side": decision.side,
            "box": decision.box,
            "version": decision.version,
            "batch": decision.batch,
            "reverts": decision.reverts,
        }
        for decision in decisions
    ]


def label_document(label: Label) -> dict[str, Any]:
    document = asdict(label)
    if not label.outline:
        del document["outline"]
    return document


def write_history(view: View, format: str, path: Path) -> list[Note]:
    decisions = view.reviews.history()
    if format == "json":
        write_new_json(path, history_document(decisions))
    elif format in LIST_FORMATS:
        entries = history_document(decisions)
        text_columns = {
            field_name: string_column([cell_text(entry[field_name]) for entry in entries])
            for field_name in (*(entries[0] if entries else ("id",)),)
        }
        write_columns(text_columns, path, "csv, header" if format == "csv" else "parquet")
    else:
        raise InvalidChoiceError("--format", format, LIST_FORMATS)
    return []


def cell_text(cell_value: Any) -> str:
    import json

    return (
        ""
        if cell_value is None
        else cell_value
        if isinstance(cell_value, str)
        else json.dumps(cell_value, ensure_ascii=False)
    )


def write_corrections(
    view: View, export_data: ExportData, format: str, path: Path, split: Split | None
) -> list[Note]:
    """Export corrections. csv, parquet, json: a list of removed and added annotations. Annotation
    formats: the changed images with their current annotations.

    Args:
        export_data: the whole corrected view
    """
    edits = locate_current_decisions(view, EDIT_ACTIONS)
    if format in ("csv", "parquet", "json"):
        change_entries = [
            change for change in list_changes(edits) if split is None or change["split"] == split
        ]
        if format == "json":
            write_new_json(path, change_entries)
        else:
            write_columns(
                change_columns(change_entries),
                path,
                "csv, header" if format == "csv" else "parquet",
            )
        return []
    if format not in WRITERS:
        raise InvalidChoiceError("--format", format, [*WRITERS, "json"])
    changed_data = select_images(export_data, {image for image, _, _ in edits})
    WRITERS[format](changed_data, path)
    return changed_data.notes


def locate_current_decisions(view: View, actions: Sequence[str]) -> list[tuple[str, str, Decision]]:
    """Current decisions with the current path and split of their image."""
    images, folders = view.images_and_folders
    current_decisions = [
        decision for decision in view.reviews.log.current_decisions() if decision.action in actions
    ]
    return [
        (str(images.path[image_index]), SPLITS[images.split[image_index]], decision)
        for image_index, decision in locate_decisions(
            ImageLocator(images, folders), current_decisions
        )
    ]


def list_changes(edits: Sequence[tuple[str, str, Decision]]) -> list[dict[str, Any]]:
    return [
        {
            "image": image,
            "split": split,
            "change": change,
            "concept": label.concept,
            "value": label.value,
            "box": label.box,
            "who": edit.who,
            "when": edit.when,
            "reason": edit.reason,
            "decision": edit.id,
        }
        for image, split, edit in edits
        for change, labels in (("removed", edit.before), ("added", edit.after))
        for label in labels
    ]


def change_columns(change_entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    boxes = np.array([change["box"] or (np.nan,) * 4 for change in change_entries], float).reshape(
        -1, 4
    )
    text_fields = ("image", "split", "change", "concept", "value", "who", "when", "reason")
    change_data: dict[str, Any] = {
        field_name: string_column([change[field_name] for change in change_entries])
        for field_name in text_fields
    }
    change_data |= {
        side: mask_missing(boxes[:, side_index]) for side_index, side in enumerate(BOX_COLUMNS)
    }
    return {
        **change_data,
        "decision": np.array([change["decision"] for change in change_entries], np.int64),
    }


def select_images(export_data: ExportData, paths: set[str]) -> ExportData:
    """Restrict the data to these images and renumber them."""
    is_selected = np.array([path in paths for path in export_data.images.path], bool)
    new_indices = np.cumsum(is_selected) - 1
    assert export_data.annotations is not None
    annotations = export_data.annotations.take(is_selected[export_data.annotations.image])
    pictures = [
        picture
        for picture, selected in zip(export_data.image_locations, is_selected, strict=True)
        if selected
    ]
    return replace(
        export_data,
        images=export_data.images.take(is_selected),
        annotations=annotations.replace(image=new_indices[annotations.image].astype(np.int32)),
        image_locations=pictures,
        notes=list(export_data.notes),
    )


def write_tasks(
    view: View, export_data: ExportData, format: str, path: Path, split: Split | None
) -> list[Note]:
    """Export tasks for an annotation tool: the images with unsure items, pre-annotated with their
    current annotations."""
    if format not in TASK_FORMATS:
        raise InvalidChoiceError("--format", format, TASK_FORMATS)
    unsure = [
        (image, decision)
        for image, image_split, decision in locate_current_decisions(view, ("unsure",))
        if split in (None, image_split)
    ]
    task_data = select_images(export_data, {image for image, _ in unsure})
    if format == LABEL_STUDIO:
        annotations = task_data.exportable_annotations("Label Studio")
        predictions = Predictions(
            annotations.image,
            annotations.concept,
            np.ones(len(annotations)),
            annotations.box,
            np.arange(len(annotations), dtype=np.int32),
        )
        task_data = replace(
            task_data, annotations=None, predictions=predictions, model="annotations to be checked"
        )
    WRITERS[format](task_data, path)
    item_count = format_count(len(unsure), "item")
    return [
        *task_data.notes,
        Note(
            "tasks",
            f"{format_count(len(task_data.images), 'image')} with {item_count} to check",
            len(task_data.images),
            "info",
        ),
    ]


def write_report(view: View, format: str, path: Path) -> list[Note]:
    """Export a review report: decisions per reviewer, changes per concept, and all changes."""
    if format not in ("markdown", "json"):
        raise InvalidChoiceError("--format", format, ("markdown", "json"))
    document = review_report(view)
    if format == "json":
        write_new_json(path, document)
    else:
        write_new_text(path, markdown_report(document))
    return []


def review_report(view: View) -> dict[str, Any]:
    log = view.reviews.log
    current_decisions = log.current_decisions()
    action_counts = Counter(decision.action for decision in current_decisions)
    current, _ = view.corrected_state()
    concepts: dict[str, Counter[str]] = {}
    for change in list_changes(locate_current_decisions(view, EDIT_ACTIONS)):
        concepts.setdefault(change["concept"], Counter())[change["change"]] += 1
    people = [
        {"who": reviewer, "decisions": decision_count, "last": last}
        for reviewer, (decision_count, last) in log.verdicts_by_reviewer().items()
    ]
    return {
        "made_by": f"pellucid {__version__}",
        "when": utc_timestamp(),
        "view": view.name,
        "rows": len(log.decisions),
        "first": next(iter(log.decisions.values())).when if log.decisions else None,
        "people": people,
        "verdicts": dict(action_counts),
        "annotations": {
            "before": len(view.annotation_tables[1]),
            "after": len(current.annotations),
        },
        "not_applied": [*current.unapplied_ids, *current.missing_image_ids],
        "concepts": [
            {
                "concept": concept,
                "removed": change_counts["removed"],
                "added": change_counts["added"],
            }
            for concept, change_counts in sorted(concepts.items())
        ],
        "changes": [
            {
                "image": image,
                "who": decision.who,
                "when": decision.when,
                "reason": decision.reason,
                "before": describe_labels(decision.before),
                "after": describe_labels(decision.after),
            }
            for image, _, decision in locate_current_decisions(view, EDIT_ACTIONS)
        ],
    }


def describe_labels(labels: Sequence[Label]) -> str:
    """Short description of annotations: their concepts and boxes."""
    return (
        ", ".join(
            label.concept
            + ("" if label.value == "positive" else f" ({label.value})")
            + (
                ""
                if label.box is None
                else f" at {', '.join(f'{coordinate:g}' for coordinate in label.box)}"
            )
            for label in labels
        )
        or "nothing"
    )


def markdown_report(document: dict[str, Any]) -> str:
    verdicts, annotations = document["verdicts"], document["annotations"]
    lines = [
        f"# Review of {document['view']}",
        "",
        f"{document['made_by']}, {document['when']}. {document['rows']:,} decisions.",
        "",
        f"{annotations['before']:,} annotations became {annotations['after']:,}: "
        f"{verdicts.get('add', 0):,} added, "
        f"{verdicts.get('remove', 0):,} removed, {verdicts.get('change', 0):,} changed. "
        f"{verdicts.get('confirm', 0):,} items confirmed, "
        f"{verdicts.get('unsure', 0):,} marked unsure.",
        "",
        *markdown_table(
            ["reviewer", "decisions", "last"],
            [
                [reviewer["who"], reviewer["decisions"], reviewer["last"]]
                for reviewer in document["people"]
            ],
        ),
        "",
        *markdown_table(
            ["concept", "removed", "added"],
            [
                [concept["concept"], concept["removed"], concept["added"]]
                for concept in document["concepts"]
            ],
        ),
        "",
        *markdown_table(
            ["image", "before", "after", "who", "when", "reason"],
            [
                [
                    change[field_name]
                    for field_name in ("image", "before", "after", "who", "when", "reason")
                ]
                for change in document["changes"]
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def markdown_table(headings: list[str], rows: list[list[Any]]) -> list[str]:
    def line(cells: list[Any]) -> str:
        return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(headings), line(["---"] * len(headings)), *map(line, rows)]
