"""A version with its notes and counts."""

from __future__ import annotations

import numpy as np

from pellucid.browse.selection import TABS, TabSelection
from pellucid.core.tables import NOT_RUN, SPLITS, Float64Array
from pellucid.evaluation.counts import Histogram, count_outcomes, histogram
from pellucid.evaluation.thresholds import ThresholdSource
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.review.events import DecisionLog
from pellucid.server.missing_image_files import find_missing_image_files
from pellucid.server.schemas.gallery_schema import (
    ConceptDocument,
    FiguresDocument,
    HistogramDocument,
    NoteDocument,
    SplitDocument,
    TabCounts,
    VersionDocument,
)


def version_document(version: Version, results: Results) -> VersionDocument:
    evaluation, manifest = results.evaluation, results.manifest
    splits = []
    for split_index, split_name in enumerate(SPLITS):
        in_split = evaluation.images.split == split_index
        if in_split.any():
            covered = int((evaluation.coverage[in_split] != NOT_RUN).sum())
            splits.append(SplitDocument(split_name, int(in_split.sum()), covered))
    notes = [
        NoteDocument(
            note.kind,
            note.message,
            note.count,
            note.severity,
            source.path.rsplit("/", maxsplit=1)[-1],
        )
        for source in [*manifest.annotation_sources, *manifest.prediction_sources]
        for note in source.notes
    ] + [
        NoteDocument(
            "reading",
            f"{reading.question}: {reading.answer} ({reading.evidence})",
            1,
            "info",
            source.path.rsplit("/", maxsplit=1)[-1],
        )
        for source in [*manifest.annotation_sources, *manifest.prediction_sources]
        for reading in source.readings
    ]
    return VersionDocument(
        version.view.name,
        version.name,
        manifest.kind,
        manifest.started,
        manifest.iou,
        evaluation.geometry if evaluation.kind == "detection" else None,
        evaluation.has_scores,
        results.text_search is not None,
        list(evaluation.concepts),
        list(evaluation.unannotated_concepts),
        splits,
        notes,
        find_missing_image_files(evaluation.images, results.folders),
    )


def figures_document(
    results: Results, split_index: int, thresholds: Float64Array, decision_log: DecisionLog
) -> FiguresDocument:
    evaluation = results.evaluation
    counts = count_outcomes(evaluation, split_index, thresholds)
    results.reviewed_items.update(decision_log)
    tab_counts = [
        results.reviewed_items.count_reviewed(
            TabSelection(evaluation, tab, split_index, None, thresholds)
        )
        for tab in TABS
    ]
    reviewed_counts, unsure_counts = (
        np.stack([counts_by_state[state_index] for counts_by_state in tab_counts])
        for state_index in (0, 1)
    )
    overall_counts = reviewed_counts[0].copy(), unsure_counts[0].copy()
    if (
        evaluation.kind == "classification"
    ):  # per concept, All includes scores that are not the image's highest
        concept_tab_counts = [
            results.reviewed_items.count_reviewed(
                TabSelection(evaluation, "all", split_index, concept_index, thresholds)
            )
            for concept_index in range(len(evaluation.concepts))
        ]
        reviewed_counts[0], unsure_counts[0] = (
            sum(counts_by_state[state_index] for counts_by_state in concept_tab_counts)
            for state_index in (0, 1)
        )
    concept_documents = []
    for concept_index, optimal_threshold in enumerate(evaluation.thresholds):
        source: ThresholdSource = (
            optimal_threshold.source
            if thresholds[concept_index] == optimal_threshold.value
            else "user"
        )
        concept_documents.append(
            ConceptDocument(
                float(thresholds[concept_index]),
                optimal_threshold.value,
                source,
                optimal_threshold.equally_good,
                optimal_threshold.annotations,
                int(counts.total[concept_index]),
                int(counts.above_threshold[concept_index]),
                int(counts.tp[concept_index]),
                int(counts.fp[concept_index]),
                int(counts.fn[concept_index]),
                TabCounts(*reviewed_counts[:, concept_index].tolist()),
                TabCounts(*unsure_counts[:, concept_index].tolist()),
            )
        )
    all_items = TabSelection(evaluation, "all", split_index, None, thresholds)
    return FiguresDocument(
        concept_documents,
        all_items.total,
        int(overall_counts[0].sum()),
        int(overall_counts[1].sum()),
        decision_log.head,
    )


def histogram_document(
    results: Results, split_index: int, concept: int | None, bins: int
) -> HistogramDocument:
    return encode_histogram(histogram(results.evaluation, split_index, concept, bins))


def encode_histogram(score_histogram: Histogram) -> HistogramDocument:
    return HistogramDocument(
        score_histogram.edges.tolist(),
        score_histogram.right.tolist(),
        score_histogram.wrong.tolist(),
        score_histogram.other.tolist(),
    )
