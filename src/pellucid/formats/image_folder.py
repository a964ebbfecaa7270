"""A folder a concept: `split/concept/image`, or `concept/image` without splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.columns import Annotations
from pellucid.errors import RecordBad
from pellucid.formats.pictures import is_picture, pictures_below
from pellucid.formats.source import AnnotationSource, listed_images, split_code, split_named

ANNOTATIONS = "image-folder"


def is_annotations(path: Path, head: str) -> bool:
    """A folder of folders that hold pictures."""
    if not path.is_dir():
        return False
    below = [child for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")]
    if below and all(split_named(child.name) is not None for child in below):
        below = [grandchild for child in below for grandchild in child.iterdir() if grandchild.is_dir()]
    return any(is_picture(file.name) for child in below for file in child.iterdir())


def read_annotations(path: Path) -> AnnotationSource:
    """Every picture below the folder, with the concept its folder names."""
    names = pictures_below(path)
    tops = {name.split("/")[0] for name in names}
    has_splits = bool(tops) and all(split_named(top) is not None for top in tops)
    depth = 1 if has_splits else 0
    parts = [name.split("/") for name in names]
    for name, folders in zip(names, parts, strict=True):
        if len(folders) != depth + 2:
            expected = "split/concept/image" if has_splits else "concept/image"
            raise RecordBad(path, name, f"it lies {len(folders) - 1} folders deep, where {expected} was expected", "Move it.")
    concepts = sorted({folders[depth] for folders in parts})
    number = {concept: row for row, concept in enumerate(concepts)}
    split = [split_code(folders[0], path, folders[0]) if has_splits else -1 for folders in parts]
    images = listed_images(names, split)
    annotations = Annotations(
        np.arange(len(names), dtype=np.int32), np.array([number[folders[depth]] for folders in parts], np.int32), None,
        np.zeros(len(names), bool), np.ones(len(names), bool), None,
    )  # fmt: skip
    return AnnotationSource(str(path), ANNOTATIONS, "classification", concepts, [""] * len(concepts), False, images, annotations, str(path))
