"""Pictures that EXIF turns: boxes are kept in the picture as displayed, whichever way their file had them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array, Int64Array
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.images.sizes import read_orientations
from pellucid.ingest.box_formats import overlap_share
from pellucid.ingest.checks import LOOKED_AT, locations

SIDEWAYS = (5, 6, 7, 8)
TURNED = "turned_by_exif"
"""The kind of the note by which later imports know that there are such pictures."""
ENOUGH, MUCH_MORE = 5, 3.0


def turned_back(box: Float64Array, orientation: Int32Array, width: Int32Array, height: Int32Array) -> Float64Array:
    """Boxes of the stored picture as boxes of the displayed one. orientation: EXIF's 5 to 8; width, height: as stored, in pixels."""
    x, y, w, h = box.T
    right, below = width - x - w, height - y - h
    left = np.select([orientation == 5, orientation == 6, orientation == 7], [y, below, below], y)
    top = np.select([orientation == 5, orientation == 6, orientation == 7], [x, x, right], right)
    return np.stack([left, top, h, w], axis=1)


def annotated_as_stored(
    images: Images, annotations: Annotations, folders: Sequence[str]
) -> tuple[Images, Annotations, list[Note], list[Inference]]:  # fmt: skip
    """Pictures that lie on their side and are declared as they are stored: their boxes, and their size, are turned as EXIF says."""
    rows = np.flatnonzero((images.root >= 0) & (images.width > 0))
    some = rows[np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(int)] if len(rows) else rows
    if annotations.box is None or not any(found in SIDEWAYS for found, _ in facts_of(images, folders, some)):
        return images, annotations, [], []
    found = facts_of(images, folders, rows)
    lying = [(row, orientation, size) for row, (orientation, size) in zip(rows.tolist(), found, strict=True) if orientation in SIDEWAYS]
    stored = [(row, orientation) for row, orientation, (width, height) in lying
              if width != height and (images.width[row], images.height[row]) == (height, width)]  # fmt: skip
    notes = [Note(TURNED, f"{format_count(len(lying), 'picture')} turned by EXIF", len(lying), "info")]
    text = f"{len(stored):,} of {format_count(len(lying), 'picture')} that EXIF turns are declared with the sides of the stored picture"
    judgement = Inference("orientation of annotations", "as stored" if stored else "as displayed", text)
    if not stored:
        return images, annotations, notes, [judgement]
    orientation = np.zeros(len(images), np.int32)
    orientation[[row for row, _ in stored]] = [one for _, one in stored]
    touched = np.flatnonzero(orientation[annotations.image] > 0)
    owner = annotations.image[touched]
    box = annotations.box.copy()
    box[touched] = turned_back(box[touched], orientation[owner], images.width[owner], images.height[owner])
    width = np.where(orientation > 0, images.height, images.width).astype(np.int32)
    height = np.where(orientation > 0, images.width, images.height).astype(np.int32)
    names = summarize_names([images.path[row] for row, _ in stored])
    notes.append(Note("annotated_as_stored", f"{text}: their boxes are turned with them ({names})", len(stored), "info"))
    outline = annotations.outline
    if outline is not None:  # an outline is drawn beside the box, and would lie elsewhere
        outline = outline.copy()
        outline[touched] = ""
    return images.replace(width=width, height=height), annotations.replace(box=box, outline=outline), notes, [judgement]


def facts_of(images: Images, folders: Sequence[str], rows: Int64Array) -> list[tuple[int, tuple[int, int]]]:
    """Each picture's EXIF orientation (1 where there is none) and displayed size."""
    return read_orientations(locations(images, list(folders), rows))


def predicted_as_stored(
    source: ParsedPredictions, place: Int32Array, images: Images, folders: Sequence[str], annotations: Annotations
) -> tuple[ParsedPredictions, list[Inference]]:
    """Predictions of pictures that EXIF turns: turned too, where far more of them then overlap an annotation.

    place: each key's image, -1 where unknown. Only where boxes are in pixels.
    """
    if source.box is None or source.unit != "pixels":
        return source, []
    rows = np.unique(place[place >= 0]).astype(np.int64)
    rows = rows[images.root[rows] >= 0]
    orientation = np.zeros(len(images) + 1, np.int32)
    size = np.zeros((len(images) + 1, 2), np.int32)
    for row, (found, (width, height)) in zip(rows.tolist(), facts_of(images, folders, rows), strict=True):
        if found in SIDEWAYS:
            orientation[row], size[row] = found, (height, width)
    owner = place[source.image]
    touched = np.flatnonzero(orientation[owner] > 0)
    confident = touched[np.argsort(-source.score[touched], kind="stable")][: 20 * ENOUGH]
    if len(confident) < ENOUGH:
        return source, []

    def turned(chosen: Int64Array) -> Float64Array:
        assert source.box is not None
        image = owner[chosen]
        return turned_back(source.box[chosen], orientation[image], size[image, 0], size[image, 1])

    plain = overlap_share(source.box[confident], owner[confident], annotations)
    stored = overlap_share(turned(confident), owner[confident], annotations)
    text = f"on pictures that EXIF turns {stored:.0%} of confident boxes overlap an annotation as stored, {plain:.0%} as displayed"
    if stored < 0.1 or stored < MUCH_MORE * plain:
        return source, [Inference("orientation of predictions", "as displayed", text)]
    box = source.box.copy()
    box[touched] = turned(touched)
    return ParsedPredictions(**{**vars(source), "box": box}), [Inference("orientation of predictions", "as stored", text)]
