"""Predictions of whole images: what a classifier of two classes leaves out, and what is absent."""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import NOT_RUN, RUN_EMPTY, Int8Array, Predictions
from pellucid.formats.dataset import Note
from pellucid.ingest.frozen_version import FrozenVersion


def complement_scores(
    predictions: Predictions, version: FrozenVersion
) -> tuple[Predictions, list[Note]]:
    """With the scores 1 - p of the other class, where a classifier of two classes states the
    probability p of one of them. Scores of a chosen class would not be below 0.5."""
    score, names = predictions.score, [concept.name for concept in version.annotated_concepts]
    if version.kind != "classification" or len(names) != 2:
        return predictions, []
    scored = np.unique(predictions.concept).tolist()
    if len(scored) != 1 or scored[0] > 1 or len(np.unique(predictions.image)) < len(score):
        return predictions, []
    if score.min() < 0 or score.max() > 1:
        message = (
            f"'{names[1 - scored[0]]}' has no scores: its annotations count as false negatives. If "
            f"those of '{names[scored[0]]}' are logits or percent, specify --scores logits or "
            "--scores percent; the score of the other class is then 1 - p"
        )
        return predictions, [Note("concepts_without_scores", message, 1)]
    if score.min() >= 0.5:
        return predictions, []
    message = (
        f"one score an image, read as the probability of '{names[scored[0]]}'; the score of "
        f"'{names[1 - scored[0]]}' is 1 - p"
    )
    other = predictions.replace(
        concept=np.full(len(score), 1 - scored[0], predictions.concept.dtype),
        score=1 - score,
        order=predictions.order + predictions.order.max() + 1,
    )
    return predictions.concat(other), [Note("complement", message, len(score), "info")]


MAX_EMPTY_SHARE = 0.5
"""Largest share of the annotated images in which a detector may well have found nothing."""


def images_without_boxes(coverage: Int8Array, version: FrozenVersion) -> list[Note]:
    """A warning if there is no prediction in most of the images with annotations."""
    annotated = np.unique(version.annotations.image[~version.annotations.ignore])
    covered_count = int((coverage[annotated] != NOT_RUN).sum())
    empty_count = int((coverage[annotated] == RUN_EMPTY).sum())
    if empty_count <= MAX_EMPTY_SHARE * covered_count:
        return []
    message = (
        f"{empty_count:,} of {format_count(covered_count, 'image')} with annotations have no "
        "prediction: they count as images in which the model found nothing. If it was not run on "
        "them, specify --covered listed"
    )
    return [Note("images_without_scores", message, empty_count)]


def absent_score_notes(
    predictions: Predictions, coverage: Int8Array, version: FrozenVersion
) -> list[Note]:
    """Warnings about images without any score, and about annotated concepts without any, in
    predictions that otherwise score every concept of every image."""
    if version.kind == "detection" and len(predictions):
        return images_without_boxes(coverage, version)
    if not len(predictions):
        return []
    counts = np.bincount(predictions.image)
    counts = counts[counts > 0]
    is_dense = bool(counts.min() == counts.max() > 1)
    notes = []
    absent_count = int((coverage == RUN_EMPTY).sum())
    if absent_count and (is_dense or version.kind == "classification"):
        message = (
            f"{format_count(absent_count, 'image')} of the split without a prediction: they count "
            "as images in which the model found nothing. If it was not run on them, specify "
            "--covered listed"
        )
        notes.append(Note("images_without_scores", message, absent_count))
    names = [concept.name for concept in version.annotated_concepts]
    scored = set(np.flatnonzero(np.bincount(predictions.concept)).tolist())
    absent = [name for index, name in enumerate(names) if index not in scored]
    if absent and is_dense:
        message = (
            f"no scores for {summarize_names(absent)}: all annotations of "
            f"{'it' if len(absent) == 1 else 'them'} count as false negatives"
        )
        notes.append(Note("concepts_without_scores", message, len(absent)))
    return notes
