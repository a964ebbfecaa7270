"""Merge imported images and annotations into a view. Existing data is never removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import (
    SPLITS,
    UNANNOTATED,
    Annotations,
    Images,
    Int32Array,
    Int64Array,
    Kind,
)
from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Note, ParsedAnnotations
from pellucid.formats.errors import (
    ContradictoryTagError,
    DuplicateImageError,
    MultipleConceptsError,
    SplitConflictError,
)
from pellucid.images.locations import (
    FOLLOW_LINKS_VARIABLE,
    is_external_link,
    join_location,
    location_exists,
    resolve_folder,
)
from pellucid.ingest.errors import ImageFolderError, ImageLocationConflictError
from pellucid.storage.manifests import Concept, SourceRecord


@dataclass(frozen=True, eq=False)
class MergeResult:
    images: Images
    annotations: Annotations
    notes: list[Note]


def merge_concepts(
    view_concepts: list[Concept], is_listed: bool, source: ParsedAnnotations
) -> tuple[list[Concept], Int32Array, Int32Array]:
    """Merge the concepts. Also returns the merged index of each view and source concept.

    Ordered as listed by the source format, or by name if no format lists its concepts.
    """
    ids_by_name: dict[str, list[str]] = {
        concept.name: list(concept.ids) for concept in view_concepts
    }
    for concept_name, concept_id in zip(source.concepts, source.concept_ids, strict=True):
        known_ids = ids_by_name.setdefault(concept_name, [])
        if concept_id and concept_id not in known_ids:
            known_ids.append(concept_id)
    concept_names = list(ids_by_name)
    if not is_listed and not source.concepts_listed:
        concept_names.sort()
    elif not is_listed and view_concepts:
        concept_names = [
            *source.concepts,
            *(
                concept_name
                for concept_name in concept_names
                if concept_name not in set(source.concepts)
            ),
        ]
    index_by_name = {
        concept_name: concept_index for concept_index, concept_name in enumerate(concept_names)
    }
    concepts = [Concept(concept_name, ids_by_name[concept_name]) for concept_name in concept_names]
    view_indexes = np.array(
        [index_by_name[concept.name] for concept in view_concepts], np.int32
    ).reshape(-1)
    source_indexes = np.array(
        [index_by_name[concept_name] for concept_name in source.concepts], np.int32
    ).reshape(-1)
    return concepts, view_indexes, source_indexes


def merge_annotations(
    path: str,
    kind: Kind,
    concepts: Sequence[str],
    images: Images,
    annotations: Annotations,
    new_images: Images,
    new_annotations: Annotations,
) -> MergeResult:
    """Merge by image path. Existing images keep their split; existing annotations are not added
    again."""
    reject_duplicate_images(path, new_images)
    row_by_path = {image_path: image_row for image_row, image_path in enumerate(images.path)}
    target_rows = np.array(
        [row_by_path.get(image_path, -1) for image_path in new_images.path], np.int64
    ).reshape(-1)
    known_rows = np.flatnonzero(target_rows >= 0)
    reject_other_splits(path, images, new_images, target_rows, known_rows)
    added_rows = np.flatnonzero(target_rows < 0)
    new_images.split[(target_rows < 0) & (new_images.split < 0)] = SPLITS.index("validation")
    target_rows[added_rows] = len(images) + np.arange(len(added_rows))
    merged_images = images.concat(new_images.take(added_rows))
    merged_images = update_known_images(merged_images, new_images, target_rows, known_rows)
    new_annotations = new_annotations.replace(
        image=target_rows[new_annotations.image].astype(np.int32)
    )
    if kind == "tagging":
        new_annotations = deduplicate_tags(
            path, merged_images, annotations, new_annotations, concepts
        )
    is_duplicate = find_known_annotations(annotations, new_annotations, len(images))
    if kind == "classification":
        reject_second_concept(
            path, merged_images, annotations, new_annotations.take(~is_duplicate), concepts
        )
    notes = similar_image_notes(new_images.take(added_rows), merged_images)
    notes += repetition_notes(
        len(known_rows), int(is_duplicate.sum()), count_duplicates(new_annotations)
    )
    return MergeResult(
        merged_images, annotations.concat(new_annotations.take(~is_duplicate)), notes
    )


def similar_image_notes(added: Images, merged: Images) -> list[Note]:
    """A warning about images without a file whose names differ in case alone from others."""
    missing = {str(path) for path, root in zip(added.path, added.root, strict=True) if root < 0}
    names_by_key: dict[str, list[str]] = {}
    for path in merged.path if missing else ():
        names_by_key.setdefault(str(path).casefold(), []).append(str(path))
    similar = [n for n in names_by_key.values() if len(n) > 1 and not missing.isdisjoint(n)]
    if not similar:
        return []
    message = (
        f"{format_count(len(similar), 'image')} named in several ways that differ in case alone, "
        f"read as different images: {summarize_names(similar[0])}"
    )
    return [Note("similar_images", message, len(similar))]


def reject_other_splits(
    path: str,
    images: Images,
    new_images: Images,
    target_rows: Int64Array,
    known_rows: Int64Array,
) -> None:
    """Raise SplitConflictError if an image of the view is in another split.

    Args:
        target_rows: of the view, for each new image
        known_rows: the new images that the view has
    """
    for new_row in known_rows.tolist():
        old_split, new_split = images.split[target_rows[new_row]], new_images.split[new_row]
        if new_split not in (-1, old_split):
            raise SplitConflictError(
                path, new_images.path[new_row], SPLITS[old_split], SPLITS[new_split]
            )


def repetition_notes(image_count: int, known_count: int, repeated_count: int) -> list[Note]:
    """Notes on images and annotations that the view has, and on annotations repeated in the
    file."""
    known = format_count(known_count, "annotation")
    repeated = format_count(repeated_count, "annotation")
    notes = [
        Note(
            "images_again",
            f"{format_count(image_count, 'image')} already in the view",
            image_count,
            "info",
        ),
        Note(
            "annotations_again",
            f"{known} already in the view, not added again",
            known_count,
            "info",
        ),
        Note(
            "duplicate_annotations",
            f"{repeated} exactly duplicated within the file: not removed",
            repeated_count,
        ),
    ]
    return [note for note in notes if note.count]


def reject_duplicate_images(path: str, new_images: Images) -> None:
    """Raise DuplicateImageError or SplitConflictError if an image is listed twice."""
    first_row: dict[str, int] = {}
    for image_row, image_path in enumerate(new_images.path):
        if image_path in first_row:
            first_split, second_split = (
                new_images.split[first_row[image_path]],
                new_images.split[image_row],
            )
            raise (
                DuplicateImageError(path, image_path)
                if first_split == second_split or -1 in (first_split, second_split)
                else SplitConflictError(path, image_path, SPLITS[first_split], SPLITS[second_split])
            )
        first_row[image_path] = image_row


def merge_source_ids(first_ids: str, second_ids: str) -> str:
    """Merge the source ids of an image: newline-separated, without duplicates."""
    return "\n".join(dict.fromkeys([*first_ids.splitlines(), *second_ids.splitlines()]))


def deduplicate_tags(
    path: str,
    images: Images,
    annotations: Annotations,
    new_annotations: Annotations,
    concepts: Sequence[str],
) -> Annotations:
    """Remove duplicate tags of an image. Raises ContradictoryTagError for contradictory tags."""
    known_tags = {
        (i, c): p
        for i, c, p in zip(
            annotations.image.tolist(),
            annotations.concept.tolist(),
            annotations.positive.tolist(),
            strict=True,
        )
    }
    tag_rows: dict[tuple[int, int], int] = {}
    for tag_row, (image, concept, is_positive) in enumerate(
        zip(
            new_annotations.image.tolist(),
            new_annotations.concept.tolist(),
            new_annotations.positive.tolist(),
            strict=True,
        )
    ):
        if known_tags.setdefault((image, concept), is_positive) != is_positive:
            raise ContradictoryTagError(path, images.path[image], concepts[concept])
        tag_rows.setdefault((image, concept), tag_row)
    return new_annotations.take(np.array(list(tag_rows.values()), np.int64))


def update_known_images(
    merged_images: Images, new_images: Images, target_rows: Any, known_rows: Any
) -> Images:
    """Update existing images: fill in sizes, folders and annotation states that were unknown."""
    image_columns = {
        column_name: column.copy() for column_name, column in merged_images.to_dict().items()
    }
    for new_row in known_rows:
        target_row = target_rows[new_row]
        if image_columns["width"][target_row] <= 0:
            image_columns["width"][target_row], image_columns["height"][target_row] = (
                new_images.width[new_row],
                new_images.height[new_row],
            )
        if new_images.root[new_row] >= 0:
            image_columns["root"][target_row] = new_images.root[new_row]
        if image_columns["stated"][target_row] == UNANNOTATED:
            image_columns["stated"][target_row] = new_images.stated[new_row]
        image_columns["source_id"][target_row] = merge_source_ids(
            image_columns["source_id"][target_row], new_images.source_id[new_row]
        )
        image_columns["metadata"][target_row] = (
            new_images.metadata[new_row] or image_columns["metadata"][target_row]
        )
    return Images(**image_columns)


def annotation_keys(annotations: Annotations) -> list[tuple[Any, ...]]:
    key_columns = [
        annotations.image.tolist(),
        annotations.concept.tolist(),
        annotations.ignore.tolist(),
        annotations.positive.tolist(),
    ]
    if annotations.box is not None:
        key_columns += [annotations.box[:, side].tolist() for side in range(4)]
    return list(zip(*key_columns, strict=True))


def find_known_annotations(
    annotations: Annotations, new_annotations: Annotations, image_count: int
) -> Any:
    """A mask of the imported annotations that the view already has."""
    if not (new_annotations.image < image_count).any():
        return np.zeros(len(new_annotations), bool)
    known_keys = set(annotation_keys(annotations))
    return np.array([key in known_keys for key in annotation_keys(new_annotations)], bool).reshape(
        -1
    )


def count_duplicates(annotations: Annotations) -> int:
    return len(annotations) - len(set(annotation_keys(annotations)))


def reject_second_concept(
    path: str,
    images: Images,
    annotations: Annotations,
    new_annotations: Annotations,
    concepts: Sequence[str],
) -> None:
    concept_by_image = dict(
        zip(annotations.image.tolist(), annotations.concept.tolist(), strict=True)
    )
    for image, concept in zip(
        new_annotations.image.tolist(), new_annotations.concept.tolist(), strict=True
    ):
        if image in concept_by_image:
            raise MultipleConceptsError(
                path, images.path[image], concepts[concept_by_image[image]], concepts[concept]
            )


def convert_to_tags(source: ParsedAnnotations) -> ParsedAnnotations:
    """Convert boxes or classes to tags: one per image and concept. Concepts with ignored
    regions only are unknown."""
    annotations = source.annotations
    tag_keys = annotations.image.astype(np.int64) * len(source.concepts) + annotations.concept
    plain_first = np.lexsort((np.arange(len(tag_keys)), annotations.ignore, ~annotations.positive))
    _, first_positions = np.unique(tag_keys[plain_first], return_index=True)
    tag_rows = np.sort(plain_first[first_positions])
    tags = Annotations(
        annotations.image[tag_rows],
        annotations.concept[tag_rows],
        None,
        annotations.ignore[tag_rows],
        annotations.positive[tag_rows],
        None,
    )
    return replace(source, kind="tagging", annotations=tags, unit="pixels")


def find_image_folder(annotation_source: ParsedAnnotations, source: Any) -> str | None:
    """The image folder if the user gave none: as set by the format, or a folder near the file
    that has images."""
    if annotation_source.image_folder is not None:
        return resolve_folder(annotation_source.image_folder)
    if not isinstance(source, str | Path) or is_remote(str(source)):
        return None
    folder_or_file = Path(source).resolve()
    parent_folder = folder_or_file.parent
    own_folders = ("", "images", "data") if folder_or_file.is_dir() else ()
    for folder in (
        *(folder_or_file / name for name in own_folders),
        parent_folder,
        parent_folder / "images",
        parent_folder.parent / "images",
        parent_folder.parent,
    ):
        if any((folder / image_path).is_file() for image_path in annotation_source.images.path[:5]):
            return str(folder)
    return None


def reject_moved_images(
    path: str, images: Images, new_images: Images, folders: Sequence[str]
) -> None:
    """Raise ImageLocationConflictError if an existing path now refers to a different file in
    another folder."""
    row_by_path = {image_path: image_row for image_row, image_path in enumerate(images.path)}
    for image_path, root in zip(new_images.path, new_images.root, strict=True):
        known_root = images.root[row_by_path[image_path]] if image_path in row_by_path else -1
        if -1 in (known_root, root) or known_root == root:
            continue
        known_location, new_location = (
            join_location(folders[known_root], image_path),
            join_location(folders[root], image_path),
        )
        if (
            location_exists(known_location)
            and location_exists(new_location)
            and not is_same_file(known_location, new_location)
        ):
            raise ImageLocationConflictError(path, image_path, folders[known_root], folders[root])


def is_same_file(first_location: str, second_location: str) -> bool:
    return (
        first_location == second_location
        if is_remote(first_location) or is_remote(second_location)
        else Path(first_location).samefile(second_location)
    )


IMAGE_FILE_NOTES = ("no_pictures", "picture_absent")
"""Kinds of notes that no longer hold once the pictures are found."""


def require_image_files(images: Images, folder: str) -> None:
    """Raise ImageFolderError if the folder given by the user does not exist or has none of the
    pictures."""
    if not len(images) or is_remote(folder):
        return
    if not Path(folder).exists():
        raise ImageFolderError(folder, "there is no such folder", str(Path(folder).resolve()))
    if not any(location_exists(join_location(folder, path)) for path in images.path):
        expected = join_location(resolve_folder(folder), images.path[0])
        problem = f"none of the {len(images):,} images is in it"
        raise ImageFolderError(folder, problem, expected, images_without_prefix(folder, images))


def images_without_prefix(folder: str, images: Images) -> str:
    """A sentence if the folder has the images without the first folders of their paths; else
    nothing."""
    parts = PurePosixPath(images.path[0]).parts
    for count in range(1, len(parts)):
        prefix, name = "/".join(parts[:count]), "/".join(parts[count:])
        if not location_exists(join_location(folder, name)):
            continue
        parent = Path(folder).resolve().joinpath(*[".."] * count).resolve()
        if (parent / images.path[0]).exists():
            return f"The paths begin with '{prefix}/': specify --images {parent}."
        return (
            f"It has {name}, and the paths begin with '{prefix}/': move the images to "
            f"{Path(folder) / prefix}, or remove '{prefix}/' from the paths."
        )
    return ""


def without_image_file_notes(sources: list[SourceRecord], images: Images) -> list[SourceRecord]:
    """The sources without notes on missing pictures, if all images have a folder by now."""
    if not len(images) or (images.root < 0).any():
        return sources
    return [
        msgspec.structs.replace(
            source, notes=[note for note in source.notes if note.kind not in IMAGE_FILE_NOTES]
        )
        for source in sources
    ]


def missing_image_notes(images: Images, folder: str | None, is_guessed: bool) -> list[Note]:
    """Notes on image files that are missing or are links out of the folder."""
    if folder is None:
        return [
            Note(
                "no_pictures",
                "no image folder given: pictures are not shown (set it with --images DIR)",
                1,
                "info",
            )
        ]
    missing_paths = [
        image_path
        for image_path in images.path
        if not location_exists(join_location(folder, image_path))
    ]
    linked_paths = (
        []
        if is_remote(folder)
        else [
            image_path
            for image_path in images.path
            if is_external_link(join_location(folder, image_path))
        ]
    )
    notes = [Note("folder", f"using image folder {folder}", 1, "info")] if is_guessed else []
    if linked_paths:
        message = (
            f"{format_count(len(linked_paths), 'image is a link', 'images are links')} to files "
            f"outside {folder} and not shown: {summarize_names(linked_paths)}. "
            f"To follow such links, set {FOLLOW_LINKS_VARIABLE}=1 for the server"
        )
        notes.append(Note("picture_link", message, len(linked_paths)))
    if missing_paths:
        message = (
            f"{format_count(len(missing_paths), 'image file')} of {len(images):,} not found in "
            f"{folder}: {summarize_names(missing_paths)}"
        )
        notes.append(Note("picture_absent", message, len(missing_paths)))
    return notes
