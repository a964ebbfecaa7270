"""Whole images with their counted predictions and false negatives, most errors first."""

from __future__ import annotations

from pellucid.browse.image_ranking import ImageOrder, RankedImage, rank_images
from pellucid.core.tables import Float64Array
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.server.schemas.gallery_schema import (
    ImageDocument,
    ImageObject,
    ImagesDocument,
    RankedImageDocument,
)
from pellucid.server.serializers import image_document

DRAWN_OUTCOMES = ("matched", "missing")


def images_document(
    version: Version,
    results: Results,
    split: int,
    concept: int | None,
    thresholds: Float64Array,
    order: ImageOrder,
    offset: int,
    limit: int,
) -> ImagesDocument:
    """concept: whose items are counted and drawn; None: of all."""
    ranking = rank_images(results.evaluation, split, thresholds, order, concept)
    rows = ranking.rows[offset : offset + limit].tolist()
    images = [
        ranked_image(image_document(version, results, row, thresholds), concept, ranked)
        for row, ranked in zip(rows, ranking.page(offset, limit), strict=True)
    ]
    return ImagesDocument(len(ranking), offset, images)


def ranked_image(
    document: ImageDocument, concept: int | None, ranked: RankedImage
) -> RankedImageDocument:
    objects = [
        *(
            ImageObject(found.concept, found.outcome, found.score, found.box, found.mask)
            for found in document.predictions
            if found.outcome in DRAWN_OUTCOMES
        ),
        *(
            ImageObject(label.concept, "extra", None, label.box, label.mask)
            for label in document.annotations
            if label.outcome == "extra"
        ),
    ]
    return RankedImageDocument(
        document.image,
        document.path,
        document.width,
        document.height,
        document.picture,
        ranked.tp,
        ranked.fp,
        ranked.fn,
        [drawn for drawn in objects if concept in (None, drawn.concept)],
    )
