"""Whole images with their counted predictions and false negatives, most errors first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.browse.image_ranking import CountedRows, ImageOrder, RankedImage, rank_images
from pellucid.browse.selection import Tab
from pellucid.core.tables import NOT_RUN, Float64Array
from pellucid.project import Version
from pellucid.results.filtered_counts import filter_tab
from pellucid.results.results import Results
from pellucid.server.image_document import image_document
from pellucid.server.schemas.gallery_schema import (
    ImageDocument,
    ImageObject,
    ImagesDocument,
    RankedImageDocument,
)

DRAWN_OUTCOMES = ("matched", "missing")
COUNTED_TABS: tuple[Tab, ...] = ("matched", "missing", "extra")
"""As in CountedRows."""


def images_document(
    version: Version,
    results: Results,
    split: int,
    concept: int | None,
    thresholds: Float64Array,
    order: ImageOrder,
    offset: int,
    limit: int,
    filters: tuple[str, ...] = (),
) -> ImagesDocument:
    """concept: whose items are counted and drawn; None: of all. filters: clauses that the items
    satisfy which are counted and drawn; an image without one is left out. Raises FilterError."""
    evaluation = results.evaluation
    if not filters and not (evaluation.coverage[evaluation.images.split == split] != NOT_RUN).any():
        return annotated_images(version, results, split, concept, thresholds, offset, limit)
    counted = None
    if filters:
        arguments = split, concept, thresholds, filters
        counted = CountedRows(*(filter_tab(results, tab, *arguments) for tab in COUNTED_TABS))
    ranking = rank_images(evaluation, split, thresholds, order, concept, counted)
    rows = ranking.rows[offset : offset + limit].tolist()
    documents = [image_document(version, results, row, thresholds) for row in rows]
    if counted is not None:
        documents = with_items(documents, counted)
    images = [
        ranked_image(document, concept, ranked)
        for document, ranked in zip(documents, ranking.page(offset, limit), strict=True)
    ]
    return ImagesDocument(len(ranking), offset, images)


def annotated_images(
    version: Version,
    results: Results,
    split: int,
    concept: int | None,
    thresholds: Float64Array,
    offset: int,
    limit: int,
) -> ImagesDocument:
    """All images of a split that the model was not run on, by path, with their annotations."""
    images = results.evaluation.images
    rows = np.flatnonzero(images.split == split)
    rows = rows[np.argsort(images.path[rows], kind="stable")]
    documents = []
    for row in rows[offset : offset + limit].tolist():
        document = image_document(version, results, row, thresholds)
        objects = [
            ImageObject(label.concept, "ignored", None, label.box, label.mask)
            for label in document.annotations
            if concept in (None, label.concept) and label.outcome != "negative"
        ]
        documents.append(listed_image(document, (0, 0, 0), objects))
    return ImagesDocument(len(rows), offset, documents, was_run=False)


def with_items(documents: list[ImageDocument], counted: CountedRows) -> list[ImageDocument]:
    """The images with only the items that are counted."""
    predicted = {*counted.matched.tolist(), *counted.wrong.tolist()}
    annotated = set(counted.missed.tolist())
    return [
        replace(
            document,
            predictions=[box for box in document.predictions if box.row in predicted],
            annotations=[box for box in document.annotations if box.row in annotated],
        )
        for document in documents
    ]


def ranked_image(
    document: ImageDocument, concept: int | None, ranked: RankedImage
) -> RankedImageDocument:
    objects = [
        *(
            ImageObject(box.concept, box.outcome, box.score, box.box, box.mask)
            for box in document.predictions
            if box.outcome in DRAWN_OUTCOMES
        ),
        *(
            ImageObject(label.concept, "extra", None, label.box, label.mask)
            for label in document.annotations
            if label.outcome == "extra"
        ),
    ]
    drawn = [each for each in objects if concept in (None, each.concept)]
    return listed_image(document, (ranked.tp, ranked.fp, ranked.fn), drawn)


def listed_image(
    document: ImageDocument, counts: tuple[int, int, int], objects: list[ImageObject]
) -> RankedImageDocument:
    """counts: true positives, false positives and false negatives."""
    return RankedImageDocument(
        document.image,
        document.path,
        document.width,
        document.height,
        document.picture,
        *counts,
        objects,
    )
