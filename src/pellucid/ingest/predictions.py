"""Import predictions into a version: resolve references, convert boxes to pixels, update the
coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pellucid.core.errors import InvalidChoiceError, format_count
from pellucid.core.tables import (
    HAS_PREDICTIONS,
    NOT_RUN,
    RUN_EMPTY,
    SPLITS,
    UNANNOTATED,
    Annotations,
    BoolArray,
    Images,
    Int8Array,
    Int32Array,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.coco_metrics import prediction_areas
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.formats.errors import DuplicateScoreError
from pellucid.ingest.box_scaling import scale_prediction_boxes
from pellucid.ingest.class_order import class_order_notes, reject_other_images
from pellucid.ingest.compared_objects import ComparedObjects, settle_geometry
from pellucid.ingest.concept_selection import NO_SELECTION, ConceptSelection, check_names
from pellucid.ingest.converted_shapes import reject_unconverted_shapes
from pellucid.ingest.errors import (
    DuplicatePredictionsError,
    OtherSplitError,
    StoredMasksError,
    TooManyPredictionsError,
)
from pellucid.ingest.exif import rotate_stored_predictions
from pellucid.ingest.frozen_version import FrozenVersion
from pellucid.ingest.image_references import image_interpretations, note_unmatched_images
from pellucid.ingest.image_scores import absent_score_notes, complement_scores
from pellucid.ingest.inference import Overrides, resolve_references
from pellucid.ingest.prediction_notes import (
    export_limit_notes,
    other_split_notes,
    outside_image_notes,
    stated_split_notes,
)
from pellucid.ingest.references import Interpretation, reject_ambiguous
from pellucid.ingest.shape_units import settle_shape_unit
from pellucid.ingest.unannotated_concepts import settle_concepts
from pellucid.storage.manifests import Concept

CoverageMode = Literal["split", "listed"]


@dataclass(frozen=True, eq=False)
class ImportedPredictions:
    """Predictions resolved against a version, with the new coverage and concepts (those that only
    predictions name come last

    Attributes:
        unannotated: their names, where they are ignored)
        annotations: the version's, with masks if these are compared
        replaced_images: indexes of the images whose earlier predictions are replaced
    """

    predictions: Predictions
    annotations: Annotations
    images: Images
    coverage: Int8Array
    concepts: list[Concept]
    unannotated: list[str]
    replaced_images: Int64Array
    notes: list[Note]
    inferences: list[Inference]


NO_OVERRIDES = Overrides()


def import_predictions(
    source: ParsedPredictions,
    version: FrozenVersion,
    split_index: int | None,
    coverage_mode: CoverageMode,
    first_order: int,
    overrides: Overrides = NO_OVERRIDES,
    selection: ConceptSelection = NO_SELECTION,
    replaces: bool = False,
) -> ImportedPredictions:
    """Resolve the predictions of a file against a frozen version.

    Args:
        overrides: interpretations set by the user
        selection: concepts as chosen by the user
        replaces: whether they take the place of earlier predictions
    """
    source = settle_shape_unit(source)
    images, concepts = version.images, version.annotated_concepts
    check_names(source.path, selection, source.concept_keys, [c.name for c in concepts])
    is_candidate = (
        np.ones(len(images), bool) if split_index is None else images.split == split_index
    )
    resolved = resolve_references(
        source,
        images,
        is_candidate,
        concepts,
        version.annotations.take(version.annotations.positive),
        overrides,
        version.folders,
        selection.renamed,
    )
    image_refs, concept_refs = resolved.image_refs, resolved.concept_refs
    if overrides.geometry != "box":
        reject_unconverted_shapes(
            source,
            resolved.source,
            image_refs.positions[source.image],
            images,
            version.annotations,
        )
    source, score_inference = infer_score_scale(resolved.source, overrides.scores)
    source, orientation_inferences = settle_orientation(source, image_refs, version, overrides)
    reject_ambiguous(source, image_refs, concept_refs, images, is_candidate, concepts)
    settled = settle_concepts(source, image_refs, concept_refs, version, selection)
    is_selected = (image_refs.positions >= 0) & is_candidate[image_refs.positions]
    notes = [
        *resolved.notes,
        *note_unmatched_images(source, image_refs, images),
        *settled.notes,
        *other_split_notes(source, image_refs.positions, is_selected),
        *stated_split_notes(source, image_refs.positions, images),
    ]
    if version.kind == "classification":
        image_rows, classes = image_refs.positions[source.image], settled.positions[source.concept]
        if not overrides.image_ids:
            readings = image_interpretations(source, images, is_candidate)
            reject_other_images(
                source, image_refs, readings, classes, version.annotations, len(concepts)
            )
        names = [concept.name for concept in concepts]
        notes += class_order_notes(source, image_rows, classes, version.annotations, names)
    if split_index is not None and len(source.score) and not is_selected.any():
        raise OtherSplitError(source.path, SPLITS[split_index])
    covered = cover_images(
        source, image_refs, is_selected, version, split_index, coverage_mode, replaces
    )
    check_prediction_count(source.path, first_order + len(source.score))
    compared = select_predictions(
        source,
        image_refs.positions,
        is_selected,
        settled.positions,
        version,
        first_order,
        overrides.geometry,
    )
    notes += [*note_replaced(covered.replaced_images), *compared.notes]
    notes += check_predictions(source.path, compared, [c.name for c in settled.concepts])
    predictions, complement_notes = complement_scores(compared.predictions, version)
    notes += [*complement_notes, *absent_score_notes(predictions, covered.coverage, version)]
    return ImportedPredictions(
        predictions,
        compared.annotations,
        compared.images,
        covered.coverage,
        settled.concepts,
        settled.unannotated,
        covered.replaced_images,
        [*source.notes, *notes],
        [*resolved.inferences, *orientation_inferences, *compared.inferences, score_inference],
    )


def settle_orientation(
    source: ParsedPredictions,
    image_refs: Interpretation,
    version: FrozenVersion,
    overrides: Overrides,
) -> tuple[ParsedPredictions, list[Inference]]:
    """The predictions of the images as they are displayed, if some are stored rotated.

    Raises:
        StoredMasksError: shapes are of the images as stored.
    """
    if not version.has_rotated_images:
        return source, []
    source, inferences = rotate_stored_predictions(
        source,
        image_refs.positions,
        version.images,
        version.folders,
        version.annotations.take(version.annotations.positive),
    )
    if any(inference.answer == "as stored" for inference in inferences):
        shapes = (source.mask, source.outline, source.keypoints)
        if any(shape is not None for shape in shapes) and overrides.geometry != "box":
            raise StoredMasksError(source.path)
        source = replace(source, notes=[n for n in source.notes if n.kind != "boxes_disagree"])
    return source, inferences


@dataclass(frozen=True, eq=False)
class CoveredImages:
    """The images that a model was run on.

    Attributes:
        coverage: of each image after the import
        replaced_images: indexes of those whose earlier predictions are replaced
    """

    coverage: Int8Array
    replaced_images: Int64Array


def cover_images(
    source: ParsedPredictions,
    image_refs: Interpretation,
    is_selected: BoolArray,
    version: FrozenVersion,
    split_index: int | None,
    coverage_mode: CoverageMode,
    replaces: bool,
) -> CoveredImages:
    """is_selected: per image key.

    Raises:
        DuplicatePredictionsError: some images have predictions, which are not to be replaced.
    """
    named_images = np.unique(image_refs.positions[is_selected]).astype(np.int64)
    replaced_images = np.zeros(0, np.int64)
    if replaces:
        version, replaced_images = release_images(version, named_images, split_index, coverage_mode)
    else:
        reject_repeated_images(source, version, named_images)
    coverage = update_coverage(version, named_images, split_index, coverage_mode)
    if source.not_run is not None:
        failed = image_refs.positions[np.flatnonzero(source.not_run)]
        coverage[failed[failed >= 0]] = NOT_RUN
    return CoveredImages(coverage, replaced_images)


def check_predictions(
    path: str, compared: ComparedObjects, concept_names: Sequence[str]
) -> list[Note]:
    """Notes on images that were not annotated, and on boxes outside their image. Raises
    DuplicateScoreError if there are no boxes and a concept of an image has two scores."""
    predictions, images = compared.predictions, compared.images
    notes = unannotated_image_notes(predictions, images, concept_names)
    if predictions.box is None:
        reject_duplicate_scores(path, predictions, images, concept_names)
        return notes
    return [
        *notes,
        *outside_image_notes(predictions.box, images, predictions.image),
        *export_limit_notes(predictions),
    ]


def unannotated_image_notes(
    predictions: Predictions, images: Images, concept_names: Sequence[str]
) -> list[Note]:
    """A note on the predictions that are ignored as nobody annotated their images."""
    rows = np.flatnonzero(images.stated[predictions.image] == UNANNOTATED)
    if not len(rows):
        return []
    counts = np.bincount(predictions.concept[rows], minlength=len(concept_names))
    most = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist()
    named = [f"{concept_names[concept]} {counts[concept]:,}" for concept in most[:MOST_NAMED]]
    more = ", ..." if len(most) > MOST_NAMED else ""
    image_count = format_count(len(np.unique(predictions.image[rows])), "image")
    message = (
        f"{format_count(len(rows), 'prediction')} on {image_count} that nobody annotated: ignored "
        f"({', '.join(named)}{more})"
    )
    return [Note("unannotated_images", message, len(rows), "info")]


def select_predictions(
    source: ParsedPredictions,
    image_index: Int32Array,
    is_selected: BoolArray,
    concept_index: Int32Array,
    version: FrozenVersion,
    first_order: int,
    geometry: str | None,
) -> ComparedObjects:
    """The predictions of selected images and known concepts, with boxes in pixels, and the images
    with the sizes read for that.

    Args:
        image_index, concept_index: the row of each key of the source, or -1
        is_selected: per image key
        geometry: set by the user, if any
    """
    is_imported = is_selected[source.image]
    is_imported &= (concept_index >= 0)[source.concept]
    rows = slice(None) if is_imported.all() else np.flatnonzero(is_imported)
    image_rows = image_index[source.image[rows]]
    images, box = scale_prediction_boxes(source, rows, image_rows, version.images, version.folders)
    order = np.arange(first_order, first_order + len(source.score), dtype=np.int32)[rows]
    concept_rows = concept_index[source.concept[rows]]
    predictions = Predictions(image_rows, concept_rows, source.score[rows], box, order)
    if box is None:
        return ComparedObjects(images, version.annotations, predictions, [], [])
    return settle_geometry(source, rows, predictions, images, version, geometry)


MOST_NAMED = 5
"""Concepts that a note counts one by one."""


def join_predictions(earlier: Predictions, imported: Predictions) -> Predictions:
    """All predictions of a version, the earlier ones first."""
    if (earlier.area is None) != (imported.area is None):
        earlier, imported = (
            table.replace(area=prediction_areas(table)) for table in (earlier, imported)
        )
    return earlier.concat(imported)


def infer_score_scale(
    source: ParsedPredictions, forced_scale: str | None
) -> tuple[ParsedPredictions, Inference]:
    """Infer the scale of the scores. Scores are not converted unless the user asks, as
    thresholds apply to the model's own scores."""
    if np.isinf(source.score).any():
        return source, Inference("scores", "none", "--no-scores", [], True)
    low, high = (
        (float(source.score.min()), float(source.score.max())) if len(source.score) else (0.0, 1.0)
    )
    if forced_scale == "percent":
        return replace(source, score=source.score / 100), Inference(
            "scores", "percent", "divided by 100 (--scores)", [], True
        )
    if forced_scale == "logits":
        return replace(source, score=0.5 * (1 + np.tanh(source.score / 2))), Inference(
            "scores", "logits", "sigmoid applied (--scores)", [], True
        )
    score_scale = (
        "probabilities"
        if low >= 0 and high <= 1
        else "percent"
        if low >= 0 and high <= 100
        else "logits"
    )
    evidence = f"scores range from {low:.4g} to {high:.4g}"
    if score_scale != "probabilities":
        source.notes.append(
            Note(
                "scores",
                f"{evidence}: not converted (--scores {score_scale} converts to probabilities)",
                1,
                "info",
            )
        )
    return source, Inference("scores", score_scale, evidence)


MAX_PREDICTIONS = np.iinfo(np.int32).max
"""Most predictions of a version: row indexes are stored as int32."""


def reject_repeated_images(
    source: ParsedPredictions, version: FrozenVersion, named_images: Int64Array
) -> None:
    repeated_images = named_images[version.coverage[named_images] == HAS_PREDICTIONS]
    if len(repeated_images):
        raise DuplicatePredictionsError(
            source.path, version.name, version.images.path[repeated_images], len(repeated_images)
        )


def release_images(
    version: FrozenVersion,
    named_images: Int64Array,
    split_index: int | None,
    coverage_mode: CoverageMode,
) -> tuple[FrozenVersion, Int64Array]:
    """The version without the coverage that a new file replaces, and the images that had it: those
    the file covers, of its splits or as listed."""
    is_replaced = np.zeros(len(version.images), bool)
    is_replaced[named_images] = True
    if coverage_mode == "split":
        is_replaced |= np.isin(
            version.images.split, file_splits(version, named_images, split_index)
        )
    is_replaced &= version.coverage != NOT_RUN
    coverage = np.where(is_replaced, NOT_RUN, version.coverage).astype(np.int8)
    return replace(version, coverage=coverage), np.flatnonzero(is_replaced)


def file_splits(
    version: FrozenVersion, named_images: Int64Array, split_index: int | None
) -> list[int]:
    """The splits that a file covers."""
    if split_index is not None:
        return [split_index]
    splits: list[int] = np.unique(version.images.split[named_images]).tolist()
    return splits


def note_replaced(images: Int64Array) -> list[Note]:
    if not len(images):
        return []
    message = f"earlier predictions of {format_count(len(images), 'image')} were replaced"
    return [Note("replaced", message, len(images), "info")]


def update_coverage(
    version: FrozenVersion,
    named_images: Int64Array,
    split_index: int | None,
    coverage_mode: CoverageMode,
) -> Int8Array:
    """The new coverage: all images of the referenced splits, or only the listed images
    ("listed")."""
    coverage = version.coverage.copy()
    if coverage_mode == "split":
        split_indexes = file_splits(version, named_images, split_index)
        coverage[np.isin(version.images.split, split_indexes) & (coverage != HAS_PREDICTIONS)] = (
            RUN_EMPTY
        )
    coverage[named_images] = HAS_PREDICTIONS
    return coverage


def check_prediction_count(path: str, prediction_count: int) -> None:
    if prediction_count > MAX_PREDICTIONS:
        raise TooManyPredictionsError(path, prediction_count, MAX_PREDICTIONS)


def reject_duplicate_scores(
    path: str, predictions: Predictions, images: Images, concepts: Sequence[str]
) -> None:
    pair_keys = predictions.image.astype(np.int64) * len(concepts) + predictions.concept
    unique_keys, first_rows, pair_counts = np.unique(
        pair_keys, return_index=True, return_counts=True
    )
    if len(unique_keys) < len(pair_keys):
        duplicate_row = first_rows[pair_counts > 1][0]
        raise DuplicateScoreError(
            path,
            images.path[predictions.image[duplicate_row]],
            concepts[predictions.concept[duplicate_row]],
        )


def split_name_to_index(split: str | None) -> int | None:
    """The index of a split name in SPLITS. Raises InvalidChoiceError."""
    if split is not None and split not in SPLITS:
        raise InvalidChoiceError("split", split, SPLITS)
    return None if split is None else SPLITS.index(split)
