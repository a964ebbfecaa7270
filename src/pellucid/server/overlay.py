"""What another version predicts on the same picture, to be drawn beside."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.error_causes import is_active_prediction
from pellucid.results.results import Results
from pellucid.server.schemas.gallery_schema import Box, OtherPrediction

NEAR = 0.1
"""The least IoU at which another version's box is shown beside an item."""


class OtherVersion:
    """Its predictions at or over its own thresholds."""

    def __init__(self, loaded: Results) -> None:
        self._loaded = loaded
        self._evaluation = loaded.evaluation

    def _rows(self, path: str) -> Int64Array:
        image = self._loaded.image_locator.find_path(path)
        if image is None:
            return np.zeros(0, np.int64)
        rows = self._loaded.neighbours.predictions(image)
        return rows[is_active_prediction(self._evaluation, rows, self._evaluation.optimal_thresholds)]

    def on(self, path: str) -> list[OtherPrediction]:
        """All of a picture."""
        return [self._told(row) for row in self._rows(path).tolist()]

    def beside(self, path: str, concept: str, box: Box | None) -> OtherPrediction | None:
        """What it predicts in the place of an item: the box of the concept that overlaps most; of an image what it says instead."""
        rows = self._rows(path)
        table = self._evaluation.predictions
        if box is not None:
            same = np.array([self._evaluation.concepts[one] == concept for one in table.concept[rows].tolist()], bool)
            rows = rows[same]
            assert table.box is not None
            value: Float64Array = pairwise_iou(table.box[rows], np.tile(np.array(box), (len(rows), 1)), np.zeros(len(rows), bool))
            return self._told(int(rows[np.argmax(value)])) if len(rows) and value.max() >= NEAR else None
        own = [row for row in rows.tolist() if self._loaded.manifest.kind == "classification" or self._name(row) == concept]
        return self._told(own[0]) if own else None

    def _name(self, row: int) -> str:
        return self._evaluation.concepts[int(self._evaluation.predictions.concept[row])]

    def _told(self, row: int) -> OtherPrediction:
        table = self._evaluation.predictions
        left, top, width, height = (0.0,) * 4 if table.box is None else table.box[row].tolist()
        return OtherPrediction(self._name(row), float(table.score[row]), None if table.box is None else (left, top, width, height))
