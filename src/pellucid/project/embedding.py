"""Embeddings of a view's images and boxes by a model of the user's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.core.tables import Annotations, Images, Predictions
from pellucid.images.embedding_model import EmbeddingModel
from pellucid.images.locations import join_location
from pellucid.results.embeddings import Embeddings
from pellucid.results.errors import InvalidEmbeddingsError
from pellucid.results.model_embeddings import Progress, Region, box_regions, embed_regions
from pellucid.results.results import Results


def embed_images(
    model: EmbeddingModel,
    images: Images,
    folders: list[str],
    annotations: Annotations,
    versions: list[Results],
    cache: Path | None,
    progress: Progress,
) -> Embeddings:
    """Of all images with a file, of annotated boxes, and of the predicted boxes of these versions
    that count.

    Raises:
        InvalidEmbeddingsError: there is no image file.
    """
    location_by_path = {
        path: join_location(folders[root], path)
        for path, root in zip(images.path.tolist(), images.root.tolist(), strict=True)
        if root >= 0
    }
    paths = list(location_by_path)
    regions = box_regions(paths, [location_by_path[path] for path in paths], None)
    regions += table_regions(images, annotations, location_by_path)
    for results in versions:
        evaluation = results.evaluation
        predictions = evaluation.predictions
        thresholds = results.thresholds[predictions.concept]
        counted = predictions.take(np.flatnonzero(predictions.score >= thresholds))
        regions += table_regions(evaluation.images, counted, location_by_path)
    embeddings = embed_regions(model, list(dict.fromkeys(regions)), cache, progress)
    if not len(embeddings.image):
        problem = "no image of the view could be read"
        raise InvalidEmbeddingsError(model.path, problem, "a view with its image folder (--images)")
    return embeddings


def table_regions(
    images: Images, table: Annotations | Predictions, location_by_path: dict[str, str]
) -> list[Region]:
    """The boxes of a table, on images with a file."""
    if table.box is None:
        return []
    paths = images.path[table.image].tolist()
    rows = [row for row, path in enumerate(paths) if path in location_by_path]
    kept = [paths[row] for row in rows]
    boxes = np.asarray(table.box[rows], float).reshape(-1, 4)
    return box_regions(kept, [location_by_path[path] for path in kept], boxes)
