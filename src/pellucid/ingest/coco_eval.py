"""The COCO figures of two files, without a workspace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pellucid.core.tables import Annotations, Images, Predictions
from pellucid.evaluation.coco_metrics import (
    CocoInputs,
    coco_metrics,
    drop_unverified,
    image_id_ranks,
)
from pellucid.evaluation.sorting import counting_sort, sort_runs_by_score
from pellucid.formats.dataset import Note
from pellucid.formats.errors import KindConflictError
from pellucid.formats.registry import read_annotations, read_predictions
from pellucid.ingest.annotations import found_folder
from pellucid.ingest.predictions import Frozen, annotations_in_pixels, link
from pellucid.storage.manifests import Concept


def coco_figures(annotations: Any, predictions: Any, images: str | None = None) -> tuple[dict[str, float | None], list[Note]]:
    """COCO's twelve figures of predictions held against annotations, and what is worth knowing about the files.

    annotations, predictions: paths, or columns in memory, as `View.add` and `Version.add_predictions` take them; all images of the
    annotations count as run on, whatever split they are of. images: the folder of the pictures, where sizes must be read from them.
    A figure is None where COCO says -1. Raises PellucidError.
    """
    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(read_annotations, annotations, None, "detection", images)
        predicted = threads.submit(read_predictions, predictions, None, "detection", ())
        found = reading.result()
    if found.kind != "detection":
        raise KindConflictError(found.path, "COCO's figures", "detection", f"a {found.kind} set")
    folder = images or found_folder(found, annotations)
    folders = [] if folder is None else [folder]
    listed = found.images.replace(root=np.full(len(found.images), len(folders) - 1, np.int32))
    frozen_images, table = annotations_in_pixels(found, listed, folders)
    concepts = [Concept(name, [identity] if identity else []) for name, identity in zip(found.concepts, found.concept_ids, strict=True)]
    nowhere = np.zeros(len(frozen_images), np.int8)
    linked = link(predicted.result(), Frozen("these", "detection", concepts, folders, frozen_images, nowhere, table), None, "split", 0)
    ordered = candidates_of(frozen_images, table, linked.predictions, len(concepts))
    return coco_metrics(ordered, len(concepts), len(frozen_images)).stats, [*found.notes, *linked.notes]


def candidates_of(images: Images, annotations: Annotations, predictions: Predictions, concepts: int) -> CocoInputs:
    rank = image_id_ranks(images).astype(np.int32)
    rows, start = counting_sort(predictions.concept, concepts)
    sort_runs_by_score(rows, start, predictions.replace(image=rank[predictions.image]))
    annotations, predictions, start = drop_unverified(images, annotations, predictions.take(rows), start)
    return CocoInputs(predictions, annotations, start)
