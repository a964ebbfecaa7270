"""Predictions of concepts that the annotations lack, counted as annotated concepts afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import UnknownConceptError
from pellucid.core.tables import Images, Int8Array, Kind, Predictions
from pellucid.evaluation.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class MappedPredictions:
    """What is to be matched again.

    Attributes:
        unannotated_concepts: see Evaluation
        mapped_count: predictions that changed their concept
    """

    kind: Kind
    concepts: tuple[str, ...]
    images: Images
    coverage: Int8Array
    predictions: Predictions
    iou_threshold: float
    unannotated_concepts: tuple[int, ...]
    mapped_count: int


def map_concepts(evaluation: Evaluation, renamed: Mapping[str, str]) -> MappedPredictions:
    """Move the predictions of unannotated concepts to annotated ones. renamed: the annotated
    concept by the unannotated one.

    Raises:
        UnknownConceptError: a name is not among them.
    """
    unannotated = [evaluation.concepts[i] for i in evaluation.unannotated_concepts]
    annotated = [evaluation.concepts[i] for i in evaluation.annotated_concepts]
    for old_name, new_name in renamed.items():
        if old_name not in unannotated:
            raise UnknownConceptError(old_name, unannotated)
        if new_name not in annotated:
            raise UnknownConceptError(new_name, annotated)
    remaining = [name for name in unannotated if name not in renamed]
    concepts = [*annotated, *remaining]
    new_index = np.array(
        [concepts.index(renamed.get(name, name)) for name in evaluation.concepts], np.int32
    )
    is_renamed = np.array([name in renamed for name in evaluation.concepts], bool)
    predictions = evaluation.predictions
    return MappedPredictions(
        evaluation.kind,
        tuple(concepts),
        evaluation.images,
        evaluation.coverage,
        predictions.replace(concept=new_index[predictions.concept]),
        evaluation.iou_threshold,
        tuple(range(len(annotated), len(concepts))),
        int(is_renamed[predictions.concept].sum()),
    )
