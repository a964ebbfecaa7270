"""Summaries of views and versions: what was frozen, what was predicted, how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.core.tables import NOT_RUN, SPLITS, Annotations, Geometry, Kind, Split
from pellucid.evaluation.counts import count_outcomes, precision, recall
from pellucid.ingest.geometry_choice import annotated_geometry
from pellucid.project.version import Version
from pellucid.project.view import View
from pellucid.storage.manifests import SourceRecord, VersionManifest


@dataclass(frozen=True)
class Figure:
    """A named figure, None where it is undefined."""

    name: str
    value: float | None


@dataclass(frozen=True)
class VersionOverview:
    """A version in the overview of its view.

    Attributes:
        images, annotations: frozen
        covered: images the model was run on
        split: of the errors (FP + FN at the optimal thresholds) and the figures; None if the model
            was not run on it
        figure: the first of the figures that head the others
        warnings: of its imports
    """

    version: str
    started: str
    iou: float
    images: int
    annotations: int
    covered: int
    predictions: int
    split: Split | None
    errors: int | None
    tp: int | None
    fp: int | None
    fn: int | None
    precision: float | None
    recall: float | None
    figure: Figure | None
    figures: list[Figure]
    warnings: int


@dataclass(frozen=True)
class ViewOverview:
    """A view with its versions.

    Attributes:
        geometry: of the objects; None except in detection
    """

    view: str
    kind: Kind
    geometry: str | None
    images: int
    annotations: int
    concepts: int
    splits: dict[Split, int]
    versions: list[VersionOverview]


def describe_view(view: View, split: Split | None = None) -> ViewOverview:
    """split: of the figures; None: validation, or the first that each version was run on."""
    images, annotations, _ = view.annotation_tables
    return ViewOverview(
        view.name,
        view.kind,
        view_geometry(view, annotations) if view.kind == "detection" else None,
        len(images),
        len(annotations),
        len(view.manifest.concepts),
        view.images_by_split,
        [describe_version(view.version(name), split) for name in view.versions],
    )


def view_geometry(view: View, annotations: Annotations) -> Geometry:
    """What its newest evaluated version compares; before that what the annotations state."""
    for name in reversed(view.versions):
        manifest = view.version(name).latest_manifest
        if manifest.predictions is not None:
            return manifest.geometry or "box"
    return annotated_geometry(annotations)


def describe_version(version: Version, split: Split | None = None) -> VersionOverview:
    """split: of the figures; None: validation, or the first that the model was run on."""
    manifest = version.latest_manifest
    counts = manifest.counts
    splits = find_evaluated_splits(version) if manifest.predictions is not None else []
    if split is None and splits:
        split = splits[0]
    errors = tp = fp = fn = None
    figures: list[Figure] = []
    if split in splits:
        results = version.results()
        outcomes = count_outcomes(results.evaluation, SPLITS.index(split), results.thresholds)
        tp, fp, fn = (int(count.sum()) for count in (outcomes.tp, outcomes.fp, outcomes.fn))
        errors = fp + fn
        figures = [Figure(*named) for named in results.overall(split).headline]
    else:
        split = None
    return VersionOverview(
        version.name,
        manifest.started,
        manifest.iou,
        counts.get("images", 0),
        counts.get("annotations", 0),
        counts.get("covered", 0),
        counts.get("predictions", 0),
        split,
        errors,
        tp,
        fp,
        fn,
        None if tp is None or fp is None else precision(tp, fp),
        None if tp is None or fn is None else recall(tp, fn),
        figures[0] if figures else None,
        figures,
        count_warnings(manifest),
    )


def find_evaluated_splits(version: Version) -> list[Split]:
    """The splits that the model was run on, validation first."""
    evaluation = version.evaluation
    was_run = evaluation.coverage != NOT_RUN
    candidates: tuple[Split, ...] = ("validation", "test", "training")
    return [
        split
        for split in candidates
        if (was_run & (evaluation.images.split == SPLITS.index(split))).any()
    ]


def count_warnings(manifest: VersionManifest) -> int:
    sources = [*manifest.annotation_sources, *manifest.prediction_sources]
    return sum(note.severity == "warning" for source in sources for note in source.notes)


def view_record(view: View) -> dict[str, Any]:
    """Everything recorded about a view: its concepts, folders and sources."""
    manifest = view.manifest
    return {
        "view": view.name,
        "kind": manifest.kind,
        "images": view.images_by_split,
        "concepts": [{"name": c.name, "ids": c.ids} for c in manifest.concepts],
        "left_out": [concept.name for concept in manifest.left_out],
        "excluded": manifest.excluded,
        "moved": manifest.moved,
        "folders": manifest.folders,
        "sources": [source_record(source) for source in manifest.sources],
        "versions": view.versions,
        "decisions": len(view.reviews.log.decisions),
    }


def version_record(version: Version) -> dict[str, Any]:
    """Everything recorded about a version: what it froze, its sources and their readings."""
    manifest = version.latest_manifest
    return {
        "view": version.view.name,
        "version": version.name,
        "kind": manifest.kind,
        "started": manifest.started,
        "made_by": manifest.made_by,
        "iou": manifest.iou,
        "counts": manifest.counts,
        "coverage": coverage_by_split(version),
        "concepts": [c.name for c in manifest.concepts if c.name not in manifest.unannotated],
        "unannotated": manifest.unannotated,
        "folders": manifest.folders,
        "corrected_to": manifest.corrected_to,
        "annotation_sources": [source_record(source) for source in manifest.annotation_sources],
        "prediction_sources": [source_record(source) for source in manifest.prediction_sources],
    }


def coverage_by_split(version: Version) -> dict[str, dict[str, int]]:
    """Per non-empty split, the frozen images and those the model was run on."""
    evaluation = version.evaluation
    was_run = evaluation.coverage != NOT_RUN
    coverage: dict[str, dict[str, int]] = {}
    for index, split in enumerate(SPLITS):
        is_in_split = evaluation.images.split == index
        if is_in_split.any():
            coverage[split] = {
                "images": int(is_in_split.sum()),
                "covered": int((is_in_split & was_run).sum()),
            }
    return coverage


def source_record(source: SourceRecord) -> dict[str, Any]:
    return {
        "path": source.path,
        "format": source.format,
        "when": source.when,
        "rows": source.rows,
        "sha256": source.sha256,
        "notes": [
            {"kind": n.kind, "severity": n.severity, "message": n.message, "count": n.count}
            for n in source.notes
        ],
        "readings": [
            {
                "question": reading.question,
                "answer": reading.answer,
                "evidence": reading.evidence,
                "alternatives": reading.alternatives,
                "forced": reading.forced,
            }
            for reading in source.readings
        ],
    }
