"""Prepare annotations for a view: its kind and concepts, image files found, boxes in pixels of the
images as they are displayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.tables import Annotations, Images, Kind, Split
from pellucid.formats.dataset import Inference, Note, ParsedAnnotations
from pellucid.formats.errors import BoxesMissingError, KindConflictError
from pellucid.images.locations import resolve_folder
from pellucid.ingest.annotation_boxes import settle_boxes
from pellucid.ingest.annotations import (
    convert_to_tags,
    find_image_folder,
    missing_image_notes,
    require_image_files,
)
from pellucid.ingest.box_scaling import scale_annotations
from pellucid.ingest.checks import (
    ADDED_SAMPLE_SIZE,
    duplicate_annotation_notes,
    sample_files,
    size_notes,
)
from pellucid.ingest.concept_names import concept_name_notes
from pellucid.ingest.concept_selection import ConceptSelection, rename_concepts, select_annotations
from pellucid.ingest.exif import rotate_stored_annotations
from pellucid.ingest.image_names import use_names_on_disk
from pellucid.ingest.prediction_notes import outside_image_notes
from pellucid.ingest.predictions import split_name_to_index
from pellucid.storage.manifests import Concept


@dataclass(frozen=True)
class AddOptions:
    """As given by the user.

    Attributes:
        image_folder: that image paths are relative to
        split: of images whose source states none
        boxes: name of a box format
    """

    image_folder: str | None
    split: Split | None
    boxes: str | None
    selection: ConceptSelection


@dataclass(frozen=True, eq=False)
class PreparedAnnotations:
    """Annotations that are ready to be added to a view.

    Attributes:
        parsed: with the concepts that are kept
        image_folder: of these images, None if unknown
        folders: those of the view, and this one
        left_out: concepts that the user left out
    """

    parsed: ParsedAnnotations
    images: Images
    annotations: Annotations
    image_folder: str | None
    folders: list[str]
    left_out: list[Concept]
    notes: list[Note]
    inferences: list[Inference]


def prepare_annotations(
    parsed: ParsedAnnotations,
    source: Any,
    kind: Kind,
    view_name: str,
    folders: Sequence[str],
    options: AddOptions,
) -> PreparedAnnotations:
    """source: as given by the user, to look for images beside it · folders: of the view's images.

    Raises PellucidError if the annotations do not fit the view, or cannot be read unambiguously.
    """
    file_concepts, selection = parsed.concepts, options.selection
    parsed = rename_concepts(convert_kind(parsed, kind, view_name), selection)
    root = (
        resolve_folder(options.image_folder)
        if options.image_folder
        else find_image_folder(parsed, source)
    )
    known_folders = list(folders) if root is None or root in folders else [*folders, root]
    images = assign_split_and_folder(
        parsed.images, options.split, -1 if root is None else known_folders.index(root)
    )
    images, name_notes = use_names_on_disk(images, root)
    if options.image_folder is not None:
        require_image_files(images, options.image_folder)
    is_guessed = options.image_folder is None and parsed.image_folder is None
    notes = [*parsed.notes, *name_notes, *missing_image_notes(images, root, is_guessed)]
    parsed, box_notes, box_inferences = settle_boxes(parsed, images, known_folders, options.boxes)
    images, annotations = scale_annotations(parsed, images, known_folders)
    images, annotations, rotation_notes, rotation_inferences = rotate_stored_annotations(
        images, annotations, known_folders
    )
    sampled = sample_files(images, known_folders, ADDED_SAMPLE_SIZE)
    notes += [*box_notes, *rotation_notes, *size_notes(sampled)]
    if annotations.box is not None:
        notes += outside_image_notes(annotations.box, images, annotations.image)
        if not any(note.kind == "several_annotators" for note in notes):
            notes += duplicate_annotation_notes(annotations, len(parsed.concepts))
    selected = select_annotations(parsed, file_concepts, images, annotations, selection)
    return PreparedAnnotations(
        selected.parsed,
        selected.images,
        selected.annotations,
        root,
        known_folders,
        selected.left_out,
        [*notes, *selected.notes, *concept_name_notes(selected.parsed.concepts)],
        [*selected.parsed.inferences, *box_inferences, *rotation_inferences],
    )


def convert_kind(parsed: ParsedAnnotations, kind: Kind, view_name: str) -> ParsedAnnotations:
    """Convert annotations to the view's kind: boxes and classes can become tags; other kinds raise
    KindConflictError."""
    annotations = parsed.annotations
    if kind == parsed.kind == "detection" and annotations.box is None and len(annotations):
        raise BoxesMissingError(parsed.path, len(annotations))
    if parsed.kind == kind:
        return parsed
    if kind == "tagging":
        return convert_to_tags(parsed)
    raise KindConflictError(
        parsed.path,
        view_name,
        kind,
        {
            "detection": "boxes",
            "tagging": "tags",
            "classification": "one concept per image, without boxes",
        }[parsed.kind],
    )


def assign_split_and_folder(images: Images, split: Split | None, root: int) -> Images:
    """Set the folder of the images, and the split of those whose source states none."""
    split_index = split_name_to_index(split)
    default_split = -1 if split_index is None else split_index
    return images.replace(
        split=np.where(images.split < 0, default_split, images.split).astype(np.int8),
        root=np.full(len(images), root, np.int32),
    )
