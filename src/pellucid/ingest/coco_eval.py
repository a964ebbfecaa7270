"""COCO metrics of two files, without a workspace."""

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
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.dataset import Note
from pellucid.formats.errors import KindConflictError
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import create_read_options
from pellucid.ingest.annotation_boxes import settle_boxes
from pellucid.ingest.annotations import find_image_folder
from pellucid.ingest.box_scaling import scale_annotations
from pellucid.ingest.concept_selection import ALL_UNANNOTATED, ConceptSelection
from pellucid.ingest.frozen_version import FrozenVersion
from pellucid.ingest.inference import Overrides
from pellucid.ingest.predictions import import_predictions
from pellucid.storage.manifests import Concept


def evaluate_coco(
    annotations: Any,
    predictions: Any,
    images: str | None = None,
    geometry: str | None = None,
) -> tuple[dict[str, float | None], list[Note]]:
    """COCO's metrics of predictions against annotations: twelve, of keypoints ten. Also returns
    notes on the files.

    Raises PellucidError.

    Args:
        annotations, predictions: paths or in-memory data, as for `View.add` and
            `Version.add_predictions`; the model counts as run on all images of the annotations,
            regardless of split
        images: the image folder, if sizes must be read from the files
        geometry: `keypoints`, `mask`, `oriented_box` or `box`; default: the finest that both sides
            have. A metric is None where COCO gives -1.
    """
    with ThreadPoolExecutor(2) as pool:
        options = create_read_options("detection", images)
        annotation_future = pool.submit(parse_annotations, annotations, None, options)
        prediction_future = pool.submit(read_predictions, predictions, None, options)
        source = annotation_future.result()
    if source.kind != "detection":
        raise KindConflictError(source.path, "COCO metrics", "detection", f"a {source.kind} set")
    folder = images or find_image_folder(source, annotations)
    folders = [] if folder is None else [folder]
    listed_images = source.images.replace(
        root=np.full(len(source.images), len(folders) - 1, np.int32)
    )
    source, box_notes, _ = settle_boxes(source, listed_images, folders, None)
    sized_images, pixel_annotations = scale_annotations(source, listed_images, folders)
    concepts = [
        Concept(concept_name, [concept_id] if concept_id else [])
        for concept_name, concept_id in zip(source.concepts, source.concept_ids, strict=True)
    ]
    no_coverage = np.zeros(len(sized_images), np.int8)
    imported = import_predictions(
        prediction_future.result(),
        FrozenVersion(
            "these", "detection", concepts, folders, sized_images, no_coverage, pixel_annotations
        ),
        None,
        "split",
        0,
        Overrides(geometry=geometry),
        ConceptSelection(ignored=(ALL_UNANNOTATED,)),
    )
    is_annotated = imported.predictions.concept < len(concepts)
    coco_inputs = build_coco_inputs(
        imported.images,
        imported.annotations,
        imported.predictions if is_annotated.all() else imported.predictions.take(is_annotated),
        len(concepts),
    )
    return coco_metrics(coco_inputs, len(concepts), len(sized_images)).stats, [
        *source.notes,
        *box_notes,
        *imported.notes,
    ]


def build_coco_inputs(
    images: Images, annotations: Annotations, predictions: Predictions, concept_count: int
) -> CocoInputs:
    image_rank = image_id_ranks(images).astype(np.int32)
    prediction_order, concept_starts = counting_sort(predictions.concept, concept_count)
    sort_runs_by_score(
        prediction_order, concept_starts, predictions.replace(image=image_rank[predictions.image])
    )
    annotations, predictions, concept_starts = drop_unverified(
        images, annotations, predictions.take(prediction_order), concept_starts
    )
    return CocoInputs(predictions, annotations, concept_starts)
