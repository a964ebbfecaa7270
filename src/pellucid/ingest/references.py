"""Resolve the image and concept keys of predictions.

Files refer to images by path, id, file name or stem, and to concepts by name, id or position.
Each is an interpretation; `inference` selects one. Ambiguous keys raise an error; unresolved keys
are reported and their predictions ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import BoolArray, Images, Int32Array
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.errors import AmbiguousReferenceError
from pellucid.storage.manifests import Concept

UNKNOWN, AMBIGUOUS = -1, -2


@dataclass(frozen=True, eq=False)
class Interpretation:
    """One interpretation of the keys: its name, and for each key a position, UNKNOWN or
    AMBIGUOUS."""

    name: str
    positions: Int32Array

    @property
    def explained_count(self) -> int:
        return int((self.positions >= 0).sum())

    @property
    def is_complete(self) -> bool:
        """Whether every key is resolved."""
        return self.explained_count == len(self.positions) > 0

    def agrees_with(self, other: Interpretation) -> bool:
        """Whether both resolve the keys that the other resolves in the same way."""
        is_explained = other.positions >= 0
        return bool((self.positions[is_explained] == other.positions[is_explained]).all())

    @property
    def ambiguous_count(self) -> int:
        return int((self.positions == AMBIGUOUS).sum())


def file_stem(path: str) -> str:
    return os.path.splitext(base_name(path))[0]


def numeric_stem(path: str) -> str:
    """The stem without leading zeros if it is numeric, else ''."""
    path_stem = file_stem(path)
    return str(int(path_stem)) if path_stem.isascii() and path_stem.isdigit() else ""


def plain_integer(key: str) -> str:
    """Ids that were written as numbers: `7.0` is `7`."""
    return key.removesuffix(".0") if re.fullmatch(r"-?\d+\.0", key) else key


def base_name(key: str) -> str:
    return key.rsplit("/", maxsplit=1)[-1]


def find_rows(
    keys: Sequence[str], alias_lines: Sequence[str], target_rows: Sequence[int] | np.ndarray
) -> Int32Array:
    """Row of each key, or UNKNOWN or AMBIGUOUS. alias_lines: aliases of each row, one per line."""
    row_by_alias: dict[str, int] = {}
    for aliases, target_row in zip(alias_lines, target_rows, strict=True):
        for alias in aliases.split("\n") if aliases else ():
            row_by_alias[alias] = AMBIGUOUS if alias in row_by_alias else int(target_row)
    return np.array([row_by_alias.get(key, UNKNOWN) for key in keys], np.int32).reshape(-1)


def best_interpretation(interpretations: Sequence[Interpretation]) -> Interpretation:
    """The interpretation that resolves most keys; ties: most ambiguous keys, then the first."""
    return max(
        interpretations,
        key=lambda interpretation: (interpretation.explained_count, interpretation.ambiguous_count),
    )


def is_sufficient(interpretation: Interpretation) -> bool:
    """Whether to use the default interpretation: it resolves half of the keys or has ambiguous
    ones."""
    return interpretation.ambiguous_count > 0 or (
        interpretation.explained_count > 0
        and interpretation.explained_count * 2 >= len(interpretation.positions)
    )


def reject_ambiguous(
    source: ParsedPredictions,
    image_refs: Interpretation,
    concept_refs: Interpretation,
    images: Images,
    is_candidate: BoolArray,
    concepts: Sequence[Concept],
) -> None:
    """Raise AmbiguousReferenceError if a key matches several images or several concepts."""
    ambiguous_indexes = np.flatnonzero(image_refs.positions == AMBIGUOUS)
    if len(ambiguous_indexes):
        key = source.image_keys[ambiguous_indexes[0]]
        posix_key = key.replace("\\", "/")
        key_forms = {key, file_stem(posix_key)}
        matching_paths = [
            path
            for path, source_id in zip(
                images.path[is_candidate], images.source_id[is_candidate], strict=True
            )
            if key in source_id.split("\n")
            or base_name(path) == base_name(posix_key)
            or file_stem(path) in key_forms
            or numeric_stem(path) == key
        ]
        advice = "Refer to images by their path, or set the split of the file with --split."
        raise AmbiguousReferenceError(source.path, "image", key, matching_paths, advice)
    ambiguous_indexes = np.flatnonzero(concept_refs.positions == AMBIGUOUS)
    if len(ambiguous_indexes):
        key = source.concept_keys[ambiguous_indexes[0]]
        concept_names = [c.name for c in concepts if key in c.ids]
        raise AmbiguousReferenceError(
            source.path,
            "concept",
            key,
            concept_names,
            "The annotation files use different ids: use concept names.",
        )
