"""The files of a version: reading its results, saving an evaluation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import WriteError
from pellucid.core.outlines import parse_outline
from pellucid.core.tables import NOT_RUN, Annotations, Images, Int8Array, empty_prediction_table
from pellucid.evaluation.counts import precompute
from pellucid.evaluation.evaluation import Evaluation, build_evaluation
from pellucid.results.results import Results
from pellucid.review.corrected import OriginalAnnotations
from pellucid.storage.file_names import VERSION_MANIFEST
from pellucid.storage.files import mark_unfinished, remove_unreferenced_files, write_manifest
from pellucid.storage.manifests import Concept, SourceRecord, VersionManifest
from pellucid.storage.mapped_columns import write_mapped
from pellucid.storage.parquet import (
    column_file_name,
    evaluation_columns,
    load_annotations,
    load_evaluation,
    load_images,
    load_outlines,
    write_evaluation,
)
from pellucid.storage.table_checksums import hash_tables, verify_tables


def load_version_evaluation(folder: Path, manifest: VersionManifest) -> Evaluation:
    """The evaluation that the manifest names; without predictions where the model was not run."""
    concepts = tuple(concept.name for concept in manifest.concepts)
    if manifest.predictions is not None:
        files = (
            manifest.images,
            manifest.annotations,
            manifest.predictions,
            manifest.staircase,
        )
        return load_evaluation(
            folder,
            manifest.kind,
            concepts,
            manifest.iou,
            *files,
            manifest.generation,
            manifest.checksums,
            manifest.unannotated_indexes,
        )
    verify_tables(folder, manifest.checksums, [manifest.images, manifest.annotations])
    images, coverage = load_images(folder / manifest.images)
    annotations, _ = load_annotations(folder / manifest.annotations)
    return evaluate_unpredicted(manifest, images, coverage, annotations)


def evaluate_unpredicted(
    manifest: VersionManifest, images: Images, coverage: Int8Array, annotations: Annotations
) -> Evaluation:
    concepts = tuple(concept.name for concept in manifest.concepts)
    predictions = empty_prediction_table(manifest.kind == "detection")
    return build_evaluation(
        manifest.kind,
        concepts,
        images,
        coverage,
        annotations,
        predictions,
        manifest.iou,
        manifest.unannotated_indexes,
    )


def load_originals(folder: Path, manifest: VersionManifest) -> OriginalAnnotations | None:
    """The annotations before corrections, of a version frozen after some."""
    if manifest.correction_baseline is None:
        return None
    originals = manifest.correction_baseline.originals
    verify_tables(folder, manifest.checksums, [originals])
    return build_originals(manifest, load_annotations(folder / originals)[0])


def build_originals(
    manifest: VersionManifest, annotations: Annotations
) -> OriginalAnnotations | None:
    """annotations: of all images, before corrections."""
    corrections = manifest.correction_baseline
    if corrections is None:
        return None
    images = np.array(corrections.images, np.int64)
    return OriginalAnnotations(annotations, images, np.array(corrections.stated, np.int8))


def locate_images(
    evaluation: Evaluation, own_folders: list[str], view: tuple[dict[str, int], list[str]]
) -> tuple[Evaluation, list[str]]:
    """Look for images without a folder in those added to the view later: where images are is not
    frozen.

    Returns the evaluation and all folders.

    Args:
        view: the folder index of each image path, and the folders
    """
    folder_indexes, view_folders = view
    root = evaluation.images.root
    if not folder_indexes or not (root < 0).any():
        return evaluation, own_folders
    root = root.copy()
    for row in np.flatnonzero(root < 0):
        index = folder_indexes.get(evaluation.images.path[row], -1)
        root[row] = -1 if index < 0 else len(own_folders) + index
    images = evaluation.images.replace(root=root)
    return replace(evaluation, images=images), [*own_folders, *view_folders]


def save_version_evaluation(
    folder: Path,
    manifest: VersionManifest,
    evaluation: Evaluation,
    concepts: list[Concept],
    folders: list[str],
    new_sources: list[SourceRecord],
) -> None:
    """Write the next generation: its tables first, then the manifest that names them."""
    generation = manifest.generation + 1
    with mark_unfinished(folder / VERSION_MANIFEST):
        next_manifest = write_generation(
            folder, generation, manifest, evaluation, concepts, folders, new_sources
        )
        write_manifest(folder / VERSION_MANIFEST, next_manifest)
    remove_unreferenced_files(folder, {column_file_name(generation), *next_manifest.table_names})


def write_generation(
    folder: Path,
    generation: int,
    manifest: VersionManifest,
    evaluation: Evaluation,
    concepts: list[Concept],
    folders: list[str],
    new_sources: list[SourceRecord],
) -> VersionManifest:
    """Write the tables of a generation; returns the manifest that names them.

    Args:
        manifest: of the generation before
    """
    files = write_evaluation(folder, generation, evaluation)
    with suppress(WriteError):  # the mapped file is only a cache
        columns = evaluation_columns(precompute(evaluation))
        write_mapped(folder / column_file_name(generation), columns)
    next_manifest = VersionManifest(
        kind=manifest.kind,
        started=manifest.started,
        made_by=__version__,
        iou=manifest.iou,
        concepts=concepts,
        folders=folders,
        images=str(files["images"]),
        annotations=str(files["annotations"]),
        annotation_sources=manifest.annotation_sources,
        generation=generation,
        predictions=files["predictions"],
        staircase=files["staircase"],
        prediction_sources=[*manifest.prediction_sources, *new_sources],
        counts=table_counts(evaluation),
        corrected_to=manifest.corrected_to,
        correction_baseline=manifest.correction_baseline,
        unannotated=[concepts[i].name for i in evaluation.unannotated_concepts],
        geometry=evaluation.geometry if manifest.kind == "detection" else None,
        has_scores=evaluation.has_scores,
        number=manifest.number,
    )
    next_manifest.checksums = hash_tables(folder, next_manifest.table_names)
    return next_manifest


def table_counts(evaluation: Evaluation) -> dict[str, int]:
    return {
        "images": len(evaluation.images),
        "covered": int((evaluation.coverage != NOT_RUN).sum()),
        "annotations": len(evaluation.annotations),
        "predictions": len(evaluation.predictions),
    }


MAX_ROWS_READ_ALONE = 1_000
"""Outlines that are read by their rows; of more, all are read."""


def annotation_outlines(
    folder: Path, results: Results, annotation_rows: list[int]
) -> list[list[list[float]]]:
    """The outlines of these annotations (ascending rows), as polygons in pixels; empty if there is
    none, or if a mask is drawn in its place."""
    if results.evaluation.geometry != "box":
        return [[] for _ in annotation_rows]
    frozen = results.state.frozen_rows
    rows = annotation_rows if frozen is None else frozen[annotation_rows].tolist()
    sorted_rows = sorted(row for row in rows if row >= 0)
    path = folder / results.manifest.annotations
    verify_tables(folder, results.manifest.checksums, [path.name])
    is_few = len(sorted_rows) < MAX_ROWS_READ_ALONE
    texts = load_outlines(path, sorted_rows if is_few else None) if sorted_rows else None
    text_by_row = (
        {}
        if texts is None
        else dict(zip(sorted_rows, texts.tolist(), strict=True))
        if is_few
        else dict(enumerate(texts.tolist()))
    )
    shapes = [parse_outline(text_by_row.get(row, "")) for row in rows]
    return [shape if isinstance(shape, list) else [] for shape in shapes]


def file_stamp(path: Path) -> tuple[int, int]:
    """Changes when the file is replaced."""
    status = path.stat()
    return status.st_mtime_ns, status.st_ino
