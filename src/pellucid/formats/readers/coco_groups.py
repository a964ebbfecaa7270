"""The category that Roboflow lists for a project as a whole, which is no concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pellucid.formats.dataset import Note, ParsedAnnotations
from pellucid.formats.readers.coco_document import CocoCategory, CocoFile


def group_category(document: CocoFile) -> CocoCategory | None:
    """The category that Roboflow lists first for the project as a whole, None if there is none. Its
    exports in other formats, and models trained on them, do not count it."""
    first, *others = document.categories
    if first.id != 0 or first.supercategory != "none" or not others:
        return None
    if any(category.supercategory != first.name for category in others):
        return None
    is_used = any(annotation.category_id == 0 for annotation in document.annotations)
    return None if is_used else first


def without_group(parsed: ParsedAnnotations, group: str) -> ParsedAnnotations:
    """The annotations without a concept that none of them has."""
    place = parsed.concepts.index(group)
    concept = parsed.annotations.concept
    message = f"category '{group}' is the group of the others, without objects: left out"
    return replace(
        parsed,
        concepts=[name for name in parsed.concepts if name != group],
        concept_ids=[key for row, key in enumerate(parsed.concept_ids) if row != place],
        annotations=parsed.annotations.replace(
            concept=concept - (concept > place).astype(np.int32)
        ),
        notes=[*parsed.notes, Note("group_category", message, 1, "info")],
    )


def keep_one_group_note(notes: Sequence[Note]) -> list[Note]:
    """Of the notes on the group of the categories one, whatever the number of files."""
    others = [note for note in notes if note.kind != "group_category"]
    return [*others, *[note for note in notes if note.kind == "group_category"][:1]]
