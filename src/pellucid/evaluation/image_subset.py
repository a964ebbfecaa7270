"""The evaluation of some of the images, at unchanged outcomes and thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.tables import NOT_RUN, BoolArray
from pellucid.evaluation.evaluation import Evaluation


def restrict_to_images(evaluation: Evaluation, is_selected: BoolArray) -> Evaluation:
    """The evaluation as if the model had been run on the selected images alone. Thresholds stay
    those of all images.

    Args:
        is_selected: bool (images,)
    """
    kept_rows = np.flatnonzero(is_selected[evaluation.predictions.image])
    new_row = np.full(len(evaluation.predictions) + 1, -1, np.int32)
    new_row[kept_rows] = np.arange(len(kept_rows))
    return replace(
        evaluation,
        coverage=np.where(is_selected, evaluation.coverage, NOT_RUN).astype(np.int8),
        predictions=evaluation.predictions.take(kept_rows),
        state=np.asarray(evaluation.state[kept_rows]),
        partner=np.asarray(evaluation.partner[kept_rows]),
        iou=np.asarray(evaluation.iou[kept_rows]),
        matched_by=new_row[evaluation.matched_by],
        same_concept_prediction=new_row[evaluation.same_concept_prediction],
        index=None,
        known_thresholds=evaluation.thresholds,
    )
