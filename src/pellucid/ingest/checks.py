"""What is worth knowing about a set and a version beyond how they are read."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import SPLITS, Annotations, Images, Predictions
from pellucid.evaluation.coco_metrics import rank_in_group
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import Note
from pellucid.images.duplicates import exact_duplicates, near_duplicates
from pellucid.images.locations import join_location
from pellucid.images.sizes import display_sizes

LOOKED_AT = 500
"""Pictures of which the true size is compared."""
SAME_BOX, REPEATED = 0.9, 0.02
"""IoU over which two boxes of a model are nearly the same, and the share of boxes from which that is told."""
NEAR_AT_MOST = 20_000
"""Pictures up to which near twins are looked for: all must be read."""


def locations(images: Images, folders: list[str], rows: np.ndarray) -> list[str]:
    return [join_location(folders[images.root[row]], str(images.path[row])) if images.root[row] >= 0 else "" for row in rows.tolist()]


def picture_findings(images: Images, folders: list[str]) -> list[Note]:
    """Declared against true sizes, and pictures that cannot be read, in an even sample."""
    rows = np.flatnonzero(images.root >= 0)
    rows = rows[np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(int)] if len(rows) else rows
    places = locations(images, folders, rows)
    unreadable: list[str] = []
    wrong: list[str] = []
    turned: list[str] = []
    for row, size in zip(rows.tolist(), display_sizes(places), strict=True):
        declared = int(images.width[row]), int(images.height[row])
        if size is None:
            unreadable.append(str(images.path[row]))
        elif declared[0] > 0 and declared != size:
            (turned if declared == size[::-1] else wrong).append(str(images.path[row]))
    notes = []
    if unreadable:
        text = f"{format_count(len(unreadable), 'picture')} of {len(rows):,} looked at absent or unreadable: {summarize_names(unreadable)}"
        notes.append(Note("picture_unreadable", text, len(unreadable)))
    if turned:
        text = (
            f"{format_count(len(turned), 'picture')} of {len(rows):,} looked at are declared the other way round than displayed (EXIF): "
            f"boxes may be those of the stored picture: {summarize_names(turned)}"
        )
        notes.append(Note("turned", text, len(turned)))
    if wrong:
        text = f"{format_count(len(wrong), 'picture')} of {len(rows):,} looked at have another size than declared: {summarize_names(wrong)}"
        notes.append(Note("size_differs", text, len(wrong)))
    return notes


def twin_findings(images: Images, folders: list[str], near: bool) -> list[Note]:
    """Training pictures that also lie in validation or test."""
    training = np.flatnonzero((images.split == SPLITS.index("training")) & (images.root >= 0))
    notes = []
    for split in ("validation", "test"):
        held = np.flatnonzero((images.split == SPLITS.index(split)) & (images.root >= 0))
        if not len(training) or not len(held):
            continue
        ours, theirs = locations(images, folders, training), locations(images, folders, held)
        same = exact_duplicates(ours, theirs)
        notes += told("twins", same, f"also lie in {split}, the same to the byte", images, training, held)
        if near and len(ours) + len(theirs) <= NEAR_AT_MOST:
            known = {one for one, _ in same}
            alike = [pair for pair in near_duplicates(ours, theirs) if pair[0] not in known]
            notes += told("near_twins", alike, f"look nearly the same as pictures of {split}", images, training, held)
    return notes


def told(kind: str, pairs: list[tuple[int, int]], text: str, images: Images, training: np.ndarray, held: np.ndarray) -> list[Note]:
    if not pairs:
        return []
    number = len({one for one, _ in pairs})
    shown = summarize_names([f"{images.path[training[one]]} = {images.path[held[other]]}" for one, other in pairs])
    return [Note(kind, f"{format_count(number, 'training picture')} {text}: {shown}", number)]


def repeated_boxes(predictions: Predictions, concepts: int) -> list[Note]:
    """Boxes that nearly repeat another of their concept, as a model gives them whose overlaps were not suppressed."""
    if predictions.box is None or len(predictions) < 50:
        return []
    chosen = np.zeros(int(predictions.image.max()) + 1, bool)
    chosen[np.unique(predictions.image[:100_000])[:200]] = True
    rows = np.flatnonzero(chosen[predictions.image])
    table = predictions.take(rows[rank_in_group(predictions.image[rows].astype(np.int64)) < 100])  # pairs grow with the square
    nothing = np.zeros(len(table), bool)
    same = Annotations(table.image, table.concept, table.box, nothing, ~nothing, None)
    repeats: set[int] = set()
    for prediction, other, iou in overlapping_pairs(same, table, concepts):
        repeats.update(prediction[(prediction > other) & (iou >= SAME_BOX)].tolist())
    share = len(repeats) / len(table)
    if share < REPEATED:
        return []
    text = f"{share:.0%} of the boxes nearly repeat another of their concept (IoU over {SAME_BOX}): were overlaps suppressed (NMS)?"
    return [Note("repeated_boxes", text, len(repeats))]
