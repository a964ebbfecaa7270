"""A plain case as Pellucid's columns."""

import numpy as np

from pellucid.core.tables import (
    EXHAUSTIVE,
    HAS_PREDICTIONS,
    NOT_RUN,
    PARTIAL,
    SPLITS,
    UNANNOTATED,
    Annotations,
    Images,
    Predictions,
    string_column,
)
from pellucid.evaluation.evaluation import build_evaluation

STATED = {"none": UNANNOTATED, "closed": EXHAUSTIVE, "open": PARTIAL}


def evaluated(case):
    """The case, matched by Pellucid."""
    paths = sorted(case.images)
    place = {path: row for row, path in enumerate(paths)}
    number = {concept: row for row, concept in enumerate(case.concepts)}
    facts = [case.images[path] for path in paths]
    nothing = np.zeros(len(paths), np.int32)
    images = Images(
        string_column(paths),
        np.array([SPLITS.index(one["split"]) for one in facts], np.int8),
        nothing,
        nothing,
        nothing - 1,
        string_column([""] * len(paths)),
        np.array([STATED[one["stated"]] for one in facts], np.int8),
        string_column([""] * len(paths)),
    )
    coverage = np.array([HAS_PREDICTIONS if one["covered"] else NOT_RUN for one in facts], np.int8)
    boxes = case.kind == "detection"
    notes, guesses = case.annotations, case.predictions
    annotations = Annotations(
        np.array([place[one["image"]] for one in notes], np.int32),
        np.array([number[one["concept"]] for one in notes], np.int32),
        np.array([one["box"] for one in notes], float).reshape(-1, 4) if boxes else None,
        np.array([one["ignore"] for one in notes], bool),
        np.array([one["positive"] for one in notes], bool),
        np.array([one["box"][2] * one["box"][3] for one in notes], float) if boxes else None,
    )
    predictions = Predictions(
        np.array([place[one["image"]] for one in guesses], np.int32),
        np.array([number[one["concept"]] for one in guesses], np.int32),
        np.array([one["score"] for one in guesses], float),
        np.array([one["box"] for one in guesses], float).reshape(-1, 4) if boxes else None,
        np.arange(len(guesses)),
    )
    return build_evaluation(
        case.kind, tuple(case.concepts), images, coverage, annotations, predictions, case.iou
    )
