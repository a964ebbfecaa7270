"""Predictions of another version on the same image, for display as an overlay."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import Float64Array, Int64Array
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.error_causes import is_active_prediction
from pellucid.evaluation.mask_outlines import shape_path
from pellucid.results.results import Results
from pellucid.server.schemas.gallery_schema import Box, OtherPrediction

MIN_OVERLAY_IOU = 0.1
"""Minimum IoU for showing another version's box with an item."""


class PredictionOverlay:
    """Another version's predictions at or above its own thresholds."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._evaluation = results.evaluation

    def _active_predictions(self, path: str) -> Int64Array:
        """Rows of the predictions on an image that count."""
        image = self._results.image_locator.find_path(path)
        if image is None:
            return np.zeros(0, np.int64)
        neighbours = self._results.neighbours
        is_active = is_active_prediction(
            self._evaluation,
            neighbours.prediction_positions(image),
            self._evaluation.optimal_thresholds,
        )
        return neighbours.predictions(image)[is_active]

    def image_predictions(self, path: str) -> list[OtherPrediction]:
        """All predictions on an image."""
        return [
            self._serialize(prediction_row)
            for prediction_row in self._active_predictions(path).tolist()
        ]

    def item_prediction(self, path: str, concept: str, box: Box | None) -> OtherPrediction | None:
        """The prediction for an item: in detection the most overlapping box of the concept, else
        the one on the image."""
        prediction_rows = self._active_predictions(path)
        predictions = self._evaluation.predictions
        if box is not None:
            same_concept = np.array(
                [
                    self._evaluation.concepts[concept_index] == concept
                    for concept_index in predictions.concept[prediction_rows].tolist()
                ],
                bool,
            )
            prediction_rows = prediction_rows[same_concept]
            assert predictions.box is not None
            ious: Float64Array = pairwise_iou(
                predictions.box[prediction_rows],
                np.tile(np.array(box), (len(prediction_rows), 1)),
                np.zeros(len(prediction_rows), bool),
            )
            return (
                self._serialize(int(prediction_rows[np.argmax(ious)]))
                if len(prediction_rows) and ious.max() >= MIN_OVERLAY_IOU
                else None
            )
        candidate_rows = [
            prediction_row
            for prediction_row in prediction_rows.tolist()
            if self._results.manifest.kind == "classification"
            or self._concept_name(prediction_row) == concept
        ]
        return self._serialize(candidate_rows[0]) if candidate_rows else None

    def _concept_name(self, prediction_row: int) -> str:
        return self._evaluation.concepts[int(self._evaluation.predictions.concept[prediction_row])]

    def _serialize(self, prediction_row: int) -> OtherPrediction:
        predictions = self._evaluation.predictions
        left, top, width, height = (
            (0.0,) * 4 if predictions.box is None else predictions.box[prediction_row].tolist()
        )
        return OtherPrediction(
            self._concept_name(prediction_row),
            float(predictions.score[prediction_row]),
            None if predictions.box is None else (left, top, width, height),
            shape_path(predictions, prediction_row),
        )
