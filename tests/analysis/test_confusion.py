"""Confusions and causes do not depend on how many pairs are compared at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toys
from pellucid.analysis.confusion import build_confusion_matrix
from pellucid.core.tables import SPLITS
from pellucid.evaluation import error_causes
from references.cases import cases
from references.columns import evaluated


@pytest.mark.parametrize("kind", ["detection", "classification"])
def test_pairs_in_chunks_are_confused_alike(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @given(case=cases(kind), split=st.sampled_from(range(len(SPLITS))), chunk=st.integers(1, 4))
    def holds(case: Any, split: int, chunk: int) -> None:
        evaluation = evaluated(case)
        thresholds = np.full(len(evaluation.concepts), -np.inf)
        answers = []
        for pairs in (1 << 22, chunk):
            monkeypatch.setattr(error_causes, "MAX_PAIRS_PER_CHUNK", pairs)
            matrix = build_confusion_matrix(evaluation, split, thresholds)
            misses = error_causes.false_negative_causes(evaluation, matrix.extra_rows, thresholds)
            alarms = error_causes.false_positive_causes(evaluation, matrix.missing_rows, thresholds)
            columns = matrix.predicted_concepts, matrix.annotated_concepts, misses, alarms
            answers.append([column.tolist() for column in columns])
        assert answers[0] == answers[1]

    holds()


@pytest.mark.parametrize("chunk", [1, 2, 1 << 22])
def test_a_prediction_is_confused_with_one_annotation(
    chunk: int, workspace: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the annotations around it are compared in different chunks."""
    boxes = [[10, 10, 20, 20], [11, 10, 20, 20]]
    annotations = [
        {"id": n, "image_id": 11, "category_id": n, "bbox": box} for n, box in enumerate(boxes, 1)
    ]
    categories = [{"id": n, "name": name} for n, name in enumerate("abc", 1)]
    source = toys.coco(tmp_path, annotations=annotations, categories=categories, pictures=False)
    view, _ = workspace.add("v", source)
    version = view.start("m")
    rows = [{"image_id": 11, "category_id": 3, "bbox": boxes[1], "score": 0.9}]
    version.add_predictions(toys.results(tmp_path, rows), category_ids="ids")
    evaluation = version.evaluation
    monkeypatch.setattr(error_causes, "MAX_PAIRS_PER_CHUNK", chunk)
    matrix = build_confusion_matrix(evaluation, 1, np.zeros(len(evaluation.concepts)))
    confused = matrix.predicted_concepts[matrix.predicted_concepts < len(evaluation.concepts)]
    assert confused.tolist() == [2]
