"""Images and concepts that two versions share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import NOT_RUN, Int64Array
from pellucid.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class SharedIndex:
    """Images and concepts shared by two versions. *_in_b: per image (concept) of the first, its
    index in the second, else -1."""

    image_in_b: Int64Array
    concept_in_b: Int64Array


def build_shared_index(a: Evaluation, b: Evaluation, split: int) -> SharedIndex:
    """Images of the split evaluated in both versions; annotated concepts of both, by name."""
    row_by_path = {path: image_row for image_row, path in enumerate(b.images.path.tolist())}
    image_in_b = np.array(
        [row_by_path.get(path, -1) for path in a.images.path.tolist()], np.int64
    ).reshape(-1)
    is_comparable_b = (b.coverage != NOT_RUN) & (b.images.split == split)
    is_comparable = (a.coverage != NOT_RUN) & (a.images.split == split) & (image_in_b >= 0)
    is_comparable[is_comparable] &= is_comparable_b[image_in_b[is_comparable]]
    index_by_concept = {b.concepts[concept]: concept for concept in b.annotated_concepts}
    concept_in_b = np.full(len(a.concepts), -1, np.int64)
    for concept in a.annotated_concepts:
        concept_in_b[concept] = index_by_concept.get(a.concepts[concept], -1)
    return SharedIndex(np.where(is_comparable, image_in_b, -1), concept_in_b)


def invert_shared_index(shared: SharedIndex, b: Evaluation) -> SharedIndex:
    """The inverse mapping, from the second version to the first."""

    def invert(forward: Int64Array, size: int) -> Int64Array:
        inverse = np.full(size, -1, np.int64)
        mapped = np.flatnonzero(forward >= 0)
        inverse[forward[mapped]] = mapped
        return inverse

    return SharedIndex(
        invert(shared.image_in_b, len(b.images)), invert(shared.concept_in_b, len(b.concepts))
    )
