"""Names of annotated concepts that may be mistakes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pellucid.core.errors import summarize_names
from pellucid.formats.dataset import Note
from pellucid.ingest.image_names import fold_text


def concept_name_notes(names: Sequence[str]) -> list[Note]:
    """Warnings about names that differ in case or spaces alone, and about -1 among numbers."""
    notes = []
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[" ".join(fold_text(name).split())].append(name)
    for similar in groups.values():
        if len(similar) > 1:
            message = (
                f"concepts differ in case or spaces alone: {summarize_names(similar)}; if they are "
                f"one, specify --map '{similar[1]}={similar[0]}'"
            )
            notes.append(Note("similar_names", message, len(similar)))
    numbers = [name for name in names if name.isdecimal()]
    if "-1" in names and len(numbers) == len(names) - 1 > 0:
        message = (
            "'-1' read as a concept beside numbers; if it means that there is no label, specify "
            f"--concepts {','.join(numbers[:3])}{',...' if len(numbers) > 3 else ''}"
        )
        notes.append(Note("minus_one_concept", message, 1))
    return notes
