"""Routes for curves, objectives, error causes and confusion."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Response

from pellucid.browse.selection import Tab
from pellucid.core.tables import SPLITS
from pellucid.evaluation.counts import SCORE_BAR_BINS
from pellucid.project.overview import Figure
from pellucid.results.figures import (
    DEFAULT_OBJECTIVES,
    cause_figures,
    confusion_figures,
    figure_remarks,
    objective_thresholds,
    split_figures,
    tab_changes,
)
from pellucid.results.filtered_counts import count_filtered
from pellucid.server.dependencies import (
    MEDIUM_ANSWER,
    NOT_FOUND_RESPONSE,
    ConceptQuery,
    FiltersQuery,
    SplitQuery,
    ThresholdsQuery,
    VersionContext,
    effective_thresholds,
    json_response,
    validate_concept,
)
from pellucid.server.schemas.analysis_schema import (
    CausesDocument,
    ConfusionDocument,
    CountDocument,
    CurvesDocument,
    FilteredConcept,
    FilteredDocument,
    HeadlineDocument,
    MovesDocument,
    ObjectivesDocument,
)
from pellucid.server.version_documents import encode_histogram

router = APIRouter()


@router.get(
    "/api/v1/views/{view}/versions/{version}/count",
    response_model=CountDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_count(
    context: VersionContext,
    tab: Tab = "all",
    split: SplitQuery = "validation",
    concept: ConceptQuery = None,
    at: ThresholdsQuery = None,
    only: FiltersQuery = None,
) -> Response:
    """The number of items in a filtered tab."""
    evaluated_version, results = context.version, context.results
    selection = results.selection(
        tab,
        SPLITS.index(split),
        validate_concept(results, concept),
        effective_thresholds(results, at),
        False,
    )
    rows = results.filtered_rows(selection, tuple(only or ()))
    decision_log = evaluated_version.decision_log
    totals = [
        results.list_view(selection, "score", review_filter, decision_log, rows).total
        for review_filter in ("all", "reviewed", "unsure")
    ]
    return json_response(CountDocument(*totals))


@router.get(
    "/api/v1/views/{view}/versions/{version}/filtered",
    response_model=FilteredDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_filtered_figures(
    context: VersionContext,
    tab: Tab = "all",
    split: SplitQuery = "validation",
    concept: ConceptQuery = None,
    at: ThresholdsQuery = None,
    only: FiltersQuery = None,
    bins: Annotated[int, Query(ge=1, le=500)] = SCORE_BAR_BINS,
) -> Response:
    """The counts of every tab and concept that remain under filters."""
    results = context.results
    thresholds = effective_thresholds(results, at)
    index = validate_concept(results, concept)
    filters = tuple(only or ())
    counts = count_filtered(results, tab, SPLITS.index(split), index, thresholds, filters, bins)
    by_concept = zip(counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist(), strict=True)
    concepts = [FilteredConcept(*numbers) for numbers in by_concept]
    return json_response(FilteredDocument(counts.all, concepts, encode_histogram(counts.scores)))


@router.get(
    "/api/v1/views/{view}/versions/{version}/headline",
    response_model=HeadlineDocument,
    responses=NOT_FOUND_RESPONSE,
)
def get_headline(
    context: VersionContext, split: SplitQuery = "validation", at: ThresholdsQuery = None
) -> Response:
    """The figures that head the others, and the AP of each concept."""
    results = context.results
    if results.evaluation.kind != "detection":  # AP does not depend on thresholds
        results = results.with_thresholds(effective_thresholds(results, at))
    metrics = results.metrics_once(split)
    ap = {concept.concept: concept.ap for concept in metrics.concepts}
    return json_response(
        HeadlineDocument(
            [Figure(*named) for named in metrics.overall.headline],
            [ap.get(concept) for concept in results.evaluation.concepts],
        )
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/curves",
    response_model=CurvesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_curves(
    context: VersionContext,
    concept: ConceptQuery = None,
    at: ThresholdsQuery = None,
) -> Response:
    """Threshold curves, score histograms and calibration of each split."""
    results = context.results
    concept_index, thresholds = (
        validate_concept(results, concept),
        effective_thresholds(results, at),
    )
    split_indices = [
        split_index
        for split_index in range(len(SPLITS))
        if (results.evaluation.images.split == split_index).any()
    ]
    figures = [
        split_figures(results.evaluation, split_index, concept_index, thresholds)
        for split_index in split_indices
    ]
    return json_response(
        CurvesDocument(figures, figure_remarks(results.evaluation, concept_index, figures))
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/objectives",
    response_model=ObjectivesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_objectives(
    context: VersionContext,
    concept: ConceptQuery = None,
    objective: Annotated[list[str] | None, Query(max_length=20)] = None,
) -> Response:
    """Thresholds for objectives other than fewest errors.

    Args:
        objective: see docs/understanding.md
    """
    results = context.results
    return json_response(
        ObjectivesDocument(
            objective_thresholds(
                results.evaluation,
                validate_concept(results, concept),
                objective or DEFAULT_OBJECTIVES,
            )
        )
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/moves",
    response_model=MovesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_moves(
    context: VersionContext,
    concept: Annotated[int, Query(ge=0, le=10_000_000)],
    to: float,
    split: SplitQuery = "validation",
) -> Response:
    """Changes if the concept's threshold moves from its optimum to `to`."""
    results = context.results
    if not np.isfinite(to):
        raise HTTPException(422, f"Invalid threshold to={to}. Expected a finite number.")
    validate_concept(results, concept)
    optimal_threshold = float(results.evaluation.optimal_thresholds[concept])
    return json_response(
        MovesDocument(
            optimal_threshold,
            to,
            tab_changes(results.evaluation, SPLITS.index(split), concept, optimal_threshold, to),
        )
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/causes",
    response_model=CausesDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_error_causes(
    context: VersionContext,
    split: SplitQuery = "validation",
    concept: ConceptQuery = None,
    at: ThresholdsQuery = None,
) -> Response:
    """The number of errors by cause; for detection, also the AP gain from fixing each kind."""
    results = context.results
    return json_response(
        CausesDocument(
            cause_figures(
                results.evaluation,
                SPLITS.index(split),
                validate_concept(results, concept),
                effective_thresholds(results, at),
                results.tide,
            )
        )
    )


@router.get(
    "/api/v1/views/{view}/versions/{version}/confusion",
    response_model=ConfusionDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[MEDIUM_ANSWER],
)
def get_confused_pairs(
    context: VersionContext,
    split: SplitQuery = "validation",
    at: ThresholdsQuery = None,
) -> Response:
    """The confusion matrix of annotated and predicted concepts, including none."""
    results = context.results
    return json_response(
        ConfusionDocument(
            confusion_figures(
                results.evaluation, SPLITS.index(split), effective_thresholds(results, at)
            )
        )
    )
