"""What came out of a review: what changed, what still needs an annotator, and a report for the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import SPLITS, Predictions, Split, texts
from pellucid.errors import InvalidChoiceError, format_count
from pellucid.formats import WRITERS
from pellucid.formats.label_studio import NAME as LABEL_STUDIO
from pellucid.formats.outgoing import ExportData, prepare_export_file, write_json
from pellucid.formats.source import Note
from pellucid.formats.table_written import BOX_COLUMNS, mask_missing, write_columns
from pellucid.release import __version__
from pellucid.understand.decisions import EDITS, Decision, Mark
from pellucid.workspace.manifests import now
from pellucid.workspace.mended import placed
from pellucid.workspace.view import View
from pellucid.workspace.whereabouts import Whereabouts

LISTS = ("csv", "parquet", "json")
TASK_FORMATS = ("label-studio", "cvat")


def history_document(rows: Sequence[Decision]) -> list[dict[str, Any]]:
    """Every row, oldest first."""
    return [
        {"id": row.id, "when": row.when, "who": row.who, "action": row.action, "image": row.image, "concept": row.concept,
         "before": [asdict(mark) for mark in row.before], "after": [asdict(mark) for mark in row.after], "reason": row.reason,
         "side": row.side, "box": row.box, "version": row.version, "batch": row.batch, "reverts": row.reverts}
        for row in rows
    ]  # fmt: skip


def write_history(view: View, format: str, path: Path) -> list[Note]:
    rows = view.reviews.history()
    if format == "json":
        write_json(prepare_export_file(path), history_document(rows))
    elif format in LISTS:
        document = history_document(rows)
        columns = {name: texts([text_of(row[name]) for row in document]) for name in (*(document[0] if document else ("id",)),)}
        write_columns(columns, path, "csv, header" if format == "csv" else "parquet")
    else:
        raise InvalidChoiceError("--format", format, LISTS)
    return []


def text_of(value: Any) -> str:
    import json

    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_corrections(view: View, made: ExportData, format: str, path: Path, split: Split | None) -> list[Note]:
    """As a list (csv, parquet, json): each annotation that went or came. In a format of annotations: the images that changed, as they
    are now. made: the whole corrected view."""
    edits = located(view, EDITS)
    if format in ("csv", "parquet", "json"):
        rows = [row for row in changes(edits) if split is None or row["split"] == split]
        if format == "json":
            write_json(prepare_export_file(path), rows)
        else:
            write_columns(change_columns(rows), path, "csv, header" if format == "csv" else "parquet")
        return []
    if format not in WRITERS:
        raise InvalidChoiceError("--format", format, [*WRITERS, "json"])
    part = of_images(made, {image for image, _, _ in edits})
    WRITERS[format](part, path)
    return part.notes


def located(view: View, actions: Sequence[str]) -> list[tuple[str, str, Decision]]:
    """Standing decisions with the path and split that their image has now."""
    images, folders = view.images_and_folders
    standing = [one for one in view.reviews.ledger.standing() if one.action in actions]
    return [(str(images.path[row]), SPLITS[images.split[row]], one) for row, one in placed(Whereabouts(images, folders), standing)]


def changes(edits: Sequence[tuple[str, str, Decision]]) -> list[dict[str, Any]]:
    return [
        {"image": image, "split": split, "change": change, "concept": mark.concept, "value": mark.value, "box": mark.box,
         "who": edit.who, "when": edit.when, "reason": edit.reason, "decision": edit.id}
        for image, split, edit in edits
        for change, marks in (("removed", edit.before), ("added", edit.after))
        for mark in marks
    ]  # fmt: skip


def change_columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    boxes = np.array([row["box"] or (np.nan,) * 4 for row in rows], float).reshape(-1, 4)
    names = ("image", "split", "change", "concept", "value", "who", "when", "reason")
    columns: dict[str, Any] = {name: texts([row[name] for row in rows]) for name in names}
    columns |= {side: mask_missing(boxes[:, place]) for place, side in enumerate(BOX_COLUMNS)}
    return {**columns, "decision": np.array([row["decision"] for row in rows], np.int64)}


def of_images(made: ExportData, paths: set[str]) -> ExportData:
    """These images alone, renumbered."""
    wanted = np.array([path in paths for path in made.images.path], bool)
    place = np.cumsum(wanted) - 1
    assert made.annotations is not None
    table = made.annotations.take(wanted[made.annotations.image])
    pictures = [one for one, kept in zip(made.image_locations, wanted, strict=True) if kept]
    return replace(
        made, images=made.images.take(wanted), annotations=table.replaced(image=place[table.image].astype(np.int32)), image_locations=pictures,
        notes=list(made.notes),
    )  # fmt: skip


def write_tasks(view: View, made: ExportData, format: str, path: Path, split: Split | None) -> list[Note]:
    """For an annotation tool: the images with items that somebody was unsure of, with their annotations as they are now to begin from."""
    if format not in TASK_FORMATS:
        raise InvalidChoiceError("--format", format, TASK_FORMATS)
    unsure = [(image, one) for image, where, one in located(view, ("unsure",)) if split in (None, where)]
    part = of_images(made, {image for image, _ in unsure})
    if format == LABEL_STUDIO:
        table = part.exportable_annotations("Label Studio")
        guesses = Predictions(table.image, table.concept, np.ones(len(table)), table.box, np.arange(len(table), dtype=np.int32))
        part = replace(part, annotations=None, predictions=guesses, model="annotations to be checked")
    WRITERS[format](part, path)
    said = format_count(len(unsure), "item")
    return [*part.notes, Note("tasks", f"{format_count(len(part.images), 'image')} with {said} to look at", len(part.images), "info")]


def write_report(view: View, format: str, path: Path) -> list[Note]:
    """The review for the record: who decided how much, what changed per concept, and every change."""
    if format not in ("markdown", "json"):
        raise InvalidChoiceError("--format", format, ("markdown", "json"))
    document = report(view)
    if format == "json":
        write_json(prepare_export_file(path), document)
    else:
        prepare_export_file(path).write_text(in_words(document), encoding="utf-8")
    return []


def report(view: View) -> dict[str, Any]:
    ledger = view.reviews.ledger
    standing = ledger.standing()
    kinds = Counter(one.action for one in standing)
    current, _ = view.corrected_state()
    concepts: dict[str, Counter[str]] = {}
    for row in changes(located(view, EDITS)):
        concepts.setdefault(row["concept"], Counter())[row["change"]] += 1
    people = [{"who": name, "decisions": number, "last": last} for name, (number, last) in ledger.verdicts_by_person().items()]
    return {
        "made_by": f"pellucid {__version__}", "when": now(), "view": view.name, "rows": len(ledger.rows),
        "first": next(iter(ledger.rows.values())).when if ledger.rows else None, "people": people, "verdicts": dict(kinds),
        "annotations": {"before": len(view.annotation_tables[1]), "after": len(current.annotations)},
        "not_applied": [*current.unfit, *current.absent],
        "concepts": [{"concept": name, "removed": one["removed"], "added": one["added"]} for name, one in sorted(concepts.items())],
        "changes": [{"image": image, "who": one.who, "when": one.when, "reason": one.reason, "before": named(one.before),
                     "after": named(one.after)} for image, _, one in located(view, EDITS)],
    }  # fmt: skip


def named(marks: Sequence[Mark]) -> str:
    """A few words for annotations: their concepts, and where they are."""
    return ", ".join(
        mark.concept + ("" if mark.value == "positive" else f" ({mark.value})")
        + ("" if mark.box is None else f" at {', '.join(f'{number:g}' for number in mark.box)}")
        for mark in marks
    ) or "nothing"  # fmt: skip


def in_words(document: dict[str, Any]) -> str:
    verdicts, annotations = document["verdicts"], document["annotations"]
    lines = [
        f"# Review of {document['view']}", "", f"{document['made_by']}, {document['when']}. {document['rows']:,} rows of history.", "",
        f"{annotations['before']:,} annotations became {annotations['after']:,}: {verdicts.get('add', 0):,} added, "
        f"{verdicts.get('remove', 0):,} removed, {verdicts.get('change', 0):,} changed. {verdicts.get('confirm', 0):,} items confirmed, "
        f"{verdicts.get('unsure', 0):,} left unsure.", "",
        *table(["reviewer", "decisions", "last"], [[one["who"], one["decisions"], one["last"]] for one in document["people"]]), "",
        *table(["concept", "removed", "added"], [[one["concept"], one["removed"], one["added"]] for one in document["concepts"]]), "",
        *table(["image", "before", "after", "who", "when", "reason"],
               [[one[name] for name in ("image", "before", "after", "who", "when", "reason")] for one in document["changes"]]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def table(headings: list[str], rows: list[list[Any]]) -> list[str]:
    def line(cells: list[Any]) -> str:
        return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(headings), line(["---"] * len(headings)), *map(line, rows)]
