"""A folder a concept: `split/concept/image`, or `concept/image` without splits."""

from __future__ import annotations

import numpy as np

from pellucid.columns import Annotations
from pellucid.errors import RecordBad
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.pictures import is_picture, pictures_below
from pellucid.formats.source import AnnotationSource, listed_images, split_code, split_named

NAME = "image-folder"


def is_it(look: Look) -> bool:
    """A folder of folders that hold pictures."""
    path = look.path
    if not look.is_dir or any(is_foreign(name) for name in look.names):
        return False
    below = [child for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")]
    if below and all(split_named(child.name) is not None for child in below):
        below = [grandchild for child in below for grandchild in child.iterdir() if grandchild.is_dir()]
    return any(is_picture(file.name) for child in below for file in child.iterdir())


def is_foreign(name: str) -> bool:
    """A file that may say more than its folder does: then the folders' names are not what the pictures show."""
    last = name.rsplit("/", maxsplit=1)[-1]
    return (
        not is_picture(last)
        and last.lower().endswith((".csv", ".json", ".jsonl", ".txt", ".xml", ".parquet", ".yaml", ".yml"))
        and (not last.lower().startswith(("readme", "license", ".")))
    )


def read(look: Look, asked: Asked) -> AnnotationSource:
    """Every picture below the folder, with the concept its folder names."""
    path = look.path
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
    return AnnotationSource(str(path), NAME, "classification", concepts, [""] * len(concepts), False, images, annotations, str(path))


FORMAT = AnnotationFormat(NAME, is_it, read)
