"""One folder per concept: `split/concept/image`, or `concept/image` without splits."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Annotations
from pellucid.formats.dataset import ParsedAnnotations, create_images, parse_split, require_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_image_file, list_image_files
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "image-folder"


def matches(probe: Probe) -> bool:
    """Whether the source is a folder with subfolders of images and no annotation files."""
    path = probe.path
    if not probe.is_dir or any(is_annotation_file(file_path) for file_path in probe.file_names):
        return False
    concept_folders = [
        folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")
    ]
    if concept_folders and all(parse_split(folder.name) is not None for folder in concept_folders):
        concept_folders = [
            folder
            for split_folder in concept_folders
            for folder in split_folder.iterdir()
            if folder.is_dir()
        ]
    return any(is_image_file(file.name) for folder in concept_folders for file in folder.iterdir())


def is_annotation_file(file_path: str) -> bool:
    """Whether a file may hold annotations; if so, the folder names are not treated as labels."""
    file_name = file_path.rsplit("/", maxsplit=1)[-1]
    return (
        not is_image_file(file_name)
        and file_name.lower().endswith(
            (".csv", ".json", ".jsonl", ".txt", ".xml", ".parquet", ".yaml", ".yml")
        )
        and (not file_name.lower().startswith(("readme", "license", ".")))
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Every image below the folder, labelled with its folder's name."""
    path = probe.path
    image_paths = list_image_files(path)
    top_folders = {image_path.split("/")[0] for image_path in image_paths}
    has_splits = bool(top_folders) and all(
        parse_split(folder_name) is not None for folder_name in top_folders
    )
    depth = 1 if has_splits else 0
    path_parts = [image_path.split("/") for image_path in image_paths]
    for image_path, parts in zip(image_paths, path_parts, strict=True):
        if len(parts) != depth + 2:
            expected = "split/concept/image" if has_splits else "concept/image"
            raise InvalidRecordError(
                path,
                image_path,
                f"found {len(parts) - 1} levels deep, expected {expected}",
                "Move the image.",
            )
    concepts = sorted({parts[depth] for parts in path_parts})
    concept_indexes = {concept: index for index, concept in enumerate(concepts)}
    split_indexes = [
        require_split(parts[0], path, parts[0]) if has_splits else -1 for parts in path_parts
    ]
    images = create_images(image_paths, split_indexes)
    annotations = Annotations(
        np.arange(len(image_paths), dtype=np.int32),
        np.array([concept_indexes[parts[depth]] for parts in path_parts], np.int32),
        None,
        np.zeros(len(image_paths), bool),
        np.ones(len(image_paths), bool),
        None,
    )
    return ParsedAnnotations(
        str(path),
        NAME,
        "classification",
        concepts,
        [""] * len(concepts),
        False,
        images,
        annotations,
        str(path),
    )


FORMAT = AnnotationFormat(NAME, matches, read)
