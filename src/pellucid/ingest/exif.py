"""EXIF rotation: boxes are converted to the coordinates of the image as displayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import (
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int32Array,
    Int64Array,
)
from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.images.sizes import load_orientations
from pellucid.ingest.box_formats import overlap_share
from pellucid.ingest.checks import image_locations

TRANSPOSED_ORIENTATIONS = (5, 6, 7, 8)
EXIF_ROTATION_NOTE = "turned_by_exif"
"""Note kind that tells later imports that the view has such images."""
SAMPLE_SIZE, REMOTE_SAMPLE_SIZE = 5_000, 500
"""Images looked at before all are; reading one takes 0.2 ms here, a request in an object store."""
MIN_ROTATED_BOXES, MIN_ROTATION_RATIO = 5, 3.0
MIN_FITTING_SHARE = 0.98
"""Share of boxes that must lie inside an image for its orientation to be plausible."""


def rotate_boxes(
    box: Float64Array, orientation: Int32Array, width: Int32Array, height: Int32Array
) -> Float64Array:
    """Convert boxes of the stored image to the displayed image.

    Args:
        orientation: EXIF's 5 to 8
        width, height: as stored, in pixels
    """
    x, y, w, h = box.T
    right_margin, bottom_margin = width - x - w, height - y - h
    new_x = np.select(
        [orientation == 5, orientation == 6, orientation == 7], [y, bottom_margin, bottom_margin], y
    )
    new_y = np.select(
        [orientation == 5, orientation == 6, orientation == 7], [x, x, right_margin], right_margin
    )
    return np.stack([new_x, new_y, h, w], axis=1)


@dataclass(frozen=True, eq=False)
class RotatedImages:
    """Images with a transposing EXIF orientation.

    Attributes:
        rows: of the image table
        orientation: EXIF's 5 to 8
        stored_size: (n, 2) width and height as stored, in pixels
    """

    rows: Int64Array
    orientation: Int32Array
    stored_size: Int32Array

    def take(self, is_taken: BoolArray) -> RotatedImages:
        return RotatedImages(
            self.rows[is_taken], self.orientation[is_taken], self.stored_size[is_taken]
        )

    def rotate(self, box: Float64Array, owners: Int32Array | Int64Array) -> Float64Array:
        """The boxes in the image as displayed.

        Args:
            owners: the image of each, all rotated; rows are ascending
        """
        index = np.searchsorted(self.rows, owners)
        width, height = self.stored_size[index].T
        return rotate_boxes(box, self.orientation[index], width, height)


def find_rotated_images(images: Images, folders: Sequence[str]) -> RotatedImages:
    """The images with a transposing EXIF orientation; none if a sample has none."""
    rows = np.flatnonzero(images.root >= 0)
    limit = REMOTE_SAMPLE_SIZE if any(map(is_remote, folders)) else SAMPLE_SIZE
    count = min(limit, len(rows))
    sample = rows[np.linspace(0, len(rows) - 1, count).astype(int)] if count else rows
    has_rotation = any(
        code in TRANSPOSED_ORIENTATIONS for code, _ in load_exif_facts(images, folders, sample)
    )
    rows = rows if has_rotation else rows[:0]
    return find_transposed_images(rows, load_exif_facts(images, folders, rows))


def find_transposed_images(
    rows: Int64Array, facts: Sequence[tuple[int, tuple[int, int]]]
) -> RotatedImages:
    """Of these images, those with a transposing orientation. facts: see load_exif_facts."""
    chosen = [
        (row, code, size)
        for row, (code, size) in zip(rows.tolist(), facts, strict=True)
        if code in TRANSPOSED_ORIENTATIONS
    ]
    return RotatedImages(
        np.array([row for row, _, _ in chosen], np.int64),
        np.array([code for _, code, _ in chosen], np.int32),
        np.array([(height, width) for _, _, (width, height) in chosen], np.int32).reshape(-1, 2),
    )


def rotate_stored_annotations(
    images: Images, annotations: Annotations, folders: Sequence[str]
) -> tuple[Images, Annotations, list[Note], list[Inference]]:
    """Rotate the boxes and sizes of images with a transposing EXIF orientation that are
    annotated as stored.

    The declared size says so; boxes that only fit the other way contradict it. Without a declared
    size, boxes count as of the image as displayed unless they only fit the stored one.
    """
    if annotations.box is None:
        return images, annotations, [], []
    rotated = find_rotated_images(images, folders)
    if not len(rotated.rows):
        return images, annotations, [], []
    count = format_count(len(rotated.rows), "image")
    notes = [Note(EXIF_ROTATION_NOTE, f"{count} with EXIF rotation", len(rotated.rows), "info")]
    choice = choose_stored(images, annotations, rotated)
    images = swap_sizes(images, rotated.rows[choice.misdeclared])
    notes += choice.notes
    answer = "as stored" if choice.is_stored.any() else "as displayed"
    inference = Inference("orientation of annotations", answer, choice.message)
    if not choice.is_stored.any():
        return images, annotations, notes, [inference]
    stored = rotated.take(choice.is_stored)
    examples = summarize_names(images.path[stored.rows])
    text = f"{choice.message}: their boxes were rotated ({examples})"
    notes.append(Note("annotated_as_stored", text, len(stored.rows), "info"))
    notes += note_lost_outlines(annotations, stored)
    images = swap_sizes(images, stored.rows[(images.width[stored.rows] > 0)])
    return images, rotate_annotations(annotations, stored), notes, [inference]


@dataclass(frozen=True, eq=False)
class StoredChoice:
    """Whether boxes refer to pixels as stored or as displayed.

    Attributes:
        is_stored: of the rotated images, those annotated as stored
        misdeclared: those declared with the size as stored, whose boxes only fit the image as
            displayed
        message: the evidence
    """

    is_stored: BoolArray
    misdeclared: BoolArray
    message: str
    notes: list[Note]


def choose_stored(images: Images, annotations: Annotations, rotated: RotatedImages) -> StoredChoice:
    count = format_count(len(rotated.rows), "image")
    declared = np.stack([images.width[rotated.rows], images.height[rotated.rows]], axis=1)
    is_square = rotated.stored_size[:, 0] == rotated.stored_size[:, 1]
    is_declared_stored = (declared == rotated.stored_size).all(axis=1) & ~is_square
    is_unknown = (declared <= 0).any(axis=1) & ~is_square
    fits_stored, fits_displayed = box_fit(rotated.take(is_declared_stored), annotations)
    is_stored = is_declared_stored & (fits_stored or not fits_displayed)
    message = (
        f"{int(is_declared_stored.sum()):,} of {count} with EXIF rotation are declared with the "
        "size of the stored image"
    )
    misdeclared = is_declared_stored & (not is_stored.any())
    notes = []
    if misdeclared.any():
        message += ", but their boxes only fit the image as displayed"
        text = f"{message}: read as displayed"
        notes.append(Note("declared_as_stored", text, int(misdeclared.sum())))
    fits_stored, fits_displayed = box_fit(rotated.take(is_unknown), annotations)
    if is_unknown.any() and fits_stored and not fits_displayed:
        is_stored |= is_unknown
        message = f"boxes of {count} with EXIF rotation only fit the image as stored"
    return StoredChoice(is_stored, misdeclared, message, notes)


def note_lost_outlines(annotations: Annotations, stored: RotatedImages) -> list[Note]:
    """A note on the outlines of images annotated as stored, which are left out."""
    if annotations.outline is None:
        return []
    is_stored = np.isin(annotations.image, stored.rows)
    count = int((annotations.outline[is_stored] != "").sum())
    message = (
        f"{format_count(count, 'outline')} left out: outlines of images annotated as stored are "
        "not rotated, their boxes are"
    )
    return [Note("outlines_not_rotated", message, count)] if count else []


def box_fit(rotated: RotatedImages, annotations: Annotations) -> tuple[bool, bool]:
    """Whether nearly all boxes of these images lie inside the image as stored, and as displayed."""
    assert annotations.box is not None
    size_by_image = dict(zip(rotated.rows.tolist(), rotated.stored_size.tolist(), strict=True))
    rows = np.flatnonzero(np.isin(annotations.image, rotated.rows) & annotations.positive)
    if not len(rows):
        return True, True
    sizes = np.array([size_by_image[image] for image in annotations.image[rows].tolist()], float)
    corners = annotations.box[rows, :2] + annotations.box[rows, 2:]
    margin = 1 + 0.02 * sizes.max(axis=1, keepdims=True)
    return (
        bool((corners <= sizes + margin).all(axis=1).mean() >= MIN_FITTING_SHARE),
        bool((corners <= sizes[:, ::-1] + margin).all(axis=1).mean() >= MIN_FITTING_SHARE),
    )


def swap_sizes(images: Images, rows: Int64Array) -> Images:
    """The images with width and height of these rows exchanged."""
    width, height = images.width.copy(), images.height.copy()
    width[rows], height[rows] = images.height[rows], images.width[rows]
    return images.replace(width=width, height=height)


def rotate_annotations(annotations: Annotations, stored: RotatedImages) -> Annotations:
    """Boxes of images annotated as stored, in the coordinates of the image as displayed. Their
    outlines are not rotated, so they are removed."""
    assert annotations.box is not None
    rows = np.flatnonzero(np.isin(annotations.image, stored.rows))
    box = annotations.box.copy()
    box[rows] = stored.rotate(box[rows], annotations.image[rows])
    outline = annotations.outline
    if outline is not None:
        outline = outline.copy()
        outline[rows] = ""
    return annotations.replace(box=box, outline=outline)


def load_exif_facts(
    images: Images, folders: Sequence[str], image_rows: Int64Array
) -> list[tuple[int, tuple[int, int]]]:
    """EXIF orientation (1 if absent) and displayed size of each image."""
    return load_orientations(image_locations(images, list(folders), image_rows))


def rotate_stored_predictions(
    source: ParsedPredictions,
    image_index: Int32Array,
    images: Images,
    folders: Sequence[str],
    annotations: Annotations,
) -> tuple[ParsedPredictions, list[Inference]]:
    """Rotate predictions of images with EXIF rotation if clearly more of them then overlap an
    annotation.

    Args:
        image_index: the image of each key, -1 if unknown. Only for boxes in pixels.
    """
    if source.box is None or source.unit != "pixels":
        return source, []
    rotated = find_predicted_rotations(image_index, images, folders)
    owner_images = image_index[source.image]
    affected_rows = np.flatnonzero(np.isin(owner_images, rotated.rows))
    by_score = affected_rows[np.argsort(-source.score[affected_rows], kind="stable")]
    confident_rows = by_score[: 20 * MIN_ROTATED_BOXES]
    if len(confident_rows) < MIN_ROTATED_BOXES:
        return source, []
    owners, boxes = owner_images[confident_rows], source.box[confident_rows]
    displayed_share = overlap_share(boxes, owners, annotations)
    stored_share = overlap_share(rotated.rotate(boxes, owners), owners, annotations)
    evidence = (
        f"on images with EXIF rotation, {stored_share:.0%} of confident boxes overlap an "
        f"annotation as stored, {displayed_share:.0%} as displayed"
    )
    if stored_share < 0.1 or stored_share < MIN_ROTATION_RATIO * displayed_share:
        return source, [Inference("orientation of predictions", "as displayed", evidence)]
    box = source.box.copy()
    box[affected_rows] = rotated.rotate(box[affected_rows], owner_images[affected_rows])
    return ParsedPredictions(**{**vars(source), "box": box}), [
        Inference("orientation of predictions", "as stored", evidence)
    ]


def find_predicted_rotations(
    image_index: Int32Array, images: Images, folders: Sequence[str]
) -> RotatedImages:
    """Of the images of the keys, those with a transposing EXIF orientation."""
    rows = np.unique(image_index[image_index >= 0]).astype(np.int64)
    rows = rows[images.root[rows] >= 0]
    return find_transposed_images(rows, load_exif_facts(images, folders, rows))
