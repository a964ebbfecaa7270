"""A folder a concept: `split/concept/image`, or `concept/image` without splits."""

from __future__ import annotations

import numpy as np

from pellucid.columns import Annotations
from pellucid.errors import InvalidRecordError
from pellucid.formats.look import AnnotationFormat, ReadOptions, Probe
from pellucid.formats.pictures import is_image_file, list_image_files
from pellucid.formats.source import ParsedAnnotations, create_images, require_split, parse_split

NAME = "image-folder"


def matches(probe: Probe) -> bool:
    """A folder of folders that hold pictures."""
    path = probe.path
    if not probe.is_dir or any(is_annotation_file(file_path) for file_path in probe.file_names):
        return False
    concept_folders = [folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    if concept_folders and all(parse_split(folder.name) is not None for folder in concept_folders):
        concept_folders = [folder for split_folder in concept_folders for folder in split_folder.iterdir() if folder.is_dir()]
    return any(is_image_file(file.name) for folder in concept_folders for file in folder.iterdir())


def is_annotation_file(file_path: str) -> bool:
    """A file that may say more than its folder does: then the folders' names are not what the pictures show."""
    file_name = file_path.rsplit("/", maxsplit=1)[-1]
    return (
        not is_image_file(file_name)
        and file_name.lower().endswith((".csv", ".json", ".jsonl", ".txt", ".xml", ".parquet", ".yaml", ".yml"))
        and (not file_name.lower().startswith(("readme", "license", ".")))
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Every picture below the folder, with the concept its folder names."""
    path = probe.path
    image_paths = list_image_files(path)
    top_folders = {image_path.split("/")[0] for image_path in image_paths}
    has_splits = bool(top_folders) and all(parse_split(folder_name) is not None for folder_name in top_folders)
    depth = 1 if has_splits else 0
    path_parts = [image_path.split("/") for image_path in image_paths]
    for image_path, parts in zip(image_paths, path_parts, strict=True):
        if len(parts) != depth + 2:
            expected = "split/concept/image" if has_splits else "concept/image"
            raise InvalidRecordError(path, image_path, f"it lies {len(parts) - 1} folders deep, where {expected} was expected", "Move it.")
    concepts = sorted({parts[depth] for parts in path_parts})
    concept_indexes = {concept: index for index, concept in enumerate(concepts)}
    split_indexes = [require_split(parts[0], path, parts[0]) if has_splits else -1 for parts in path_parts]
    images = create_images(image_paths, split_indexes)
    annotations = Annotations(
        np.arange(len(image_paths), dtype=np.int32), np.array([concept_indexes[parts[depth]] for parts in path_parts], np.int32), None,
        np.zeros(len(image_paths), bool), np.ones(len(image_paths), bool), None,
    )  # fmt: skip
    return ParsedAnnotations(str(path), NAME, "classification", concepts, [""] * len(concepts), False, images, annotations, str(path))


FORMAT = AnnotationFormat(NAME, matches, read)
