"""The addresses of the figures: curves, objectives, causes, confusion."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Response

from pellucid.browse.selection import Tab
from pellucid.core.tables import SPLITS
from pellucid.project import Workspace
from pellucid.results.figures import (
    DEFAULT_OBJECTIVES,
    cause_figures,
    confusion_figures,
    figure_remarks,
    objective_thresholds,
    split_figures,
    tab_changes,
)
from pellucid.server.dependencies import (
    NOT_FOUND,
    At,
    Concept,
    Corrected,
    InSplit,
    Only,
    ViewName,
    answer,
    known,
    state_at,
    thresholds_at,
)
from pellucid.server.schemas.analysis_schema import (
    CausesDocument,
    ConfusionDocument,
    CountDocument,
    CurvesDocument,
    MovesDocument,
    ObjectivesDocument,
)  # fmt: skip


def figure_routes(workspace: Workspace) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/views/{view}/versions/{version}/count", response_model=CountDocument, responses=NOT_FOUND)
    def read_count(
        view: ViewName, version: ViewName, tab: Tab = "all", split: InSplit = "validation", concept: Concept = None, at: At = None,
        only: Only = None, corrected: Corrected = False,
    ) -> Response:  # fmt: skip
        """How many items a narrowed tab has."""
        found, loaded = state_at(workspace, view, version, corrected)
        selection = loaded.selection(tab, SPLITS.index(split), known(loaded, concept), thresholds_at(loaded, at), False)
        rows = loaded.filtered_rows(selection, tuple(only or ()))
        ledger = found.decision_log
        totals = [loaded.list_view(selection, "score", which, ledger, rows).total for which in ("all", "reviewed", "unsure")]
        return answer(CountDocument(*totals))

    @routes.get("/api/views/{view}/versions/{version}/curves", response_model=CurvesDocument, responses=NOT_FOUND)
    def read_curves(view: ViewName, version: ViewName, concept: Concept = None, at: At = None, corrected: Corrected = False) -> Response:
        """Figures against the threshold, score histograms and calibration, of every split."""
        _, loaded = state_at(workspace, view, version, corrected)
        chosen, thresholds = known(loaded, concept), thresholds_at(loaded, at)
        there = [place for place in range(len(SPLITS)) if (loaded.evaluation.images.split == place).any()]
        several = [split_figures(loaded.evaluation, place, chosen, thresholds) for place in there]
        return answer(CurvesDocument(several, figure_remarks(loaded.evaluation, chosen, several)))

    @routes.get("/api/views/{view}/versions/{version}/objectives", response_model=ObjectivesDocument, responses=NOT_FOUND)
    def read_objectives(
        view: ViewName, version: ViewName, concept: Concept = None, objective: Annotated[list[str] | None, Query(max_length=20)] = None,
        corrected: Corrected = False,
    ) -> Response:  # fmt: skip
        """Thresholds chosen for other ends than fewest errors; objective: see docs/understanding.md."""
        _, loaded = state_at(workspace, view, version, corrected)
        return answer(ObjectivesDocument(objective_thresholds(loaded.evaluation, known(loaded, concept), objective or DEFAULT_OBJECTIVES)))

    @routes.get("/api/views/{view}/versions/{version}/moves", response_model=MovesDocument, responses=NOT_FOUND)
    def read_moves(
        view: ViewName, version: ViewName, concept: Annotated[int, Query(ge=0, le=10_000_000)], to: float, split: InSplit = "validation",
        corrected: Corrected = False,
    ) -> Response:  # fmt: skip
        """What would change were the concept's threshold moved from its optimum."""
        _, loaded = state_at(workspace, view, version, corrected)
        if not np.isfinite(to):
            raise HTTPException(422, f"to={to}: a finite threshold was expected")
        known(loaded, concept)
        before = float(loaded.evaluation.optimal_thresholds[concept])
        return answer(MovesDocument(before, to, tab_changes(loaded.evaluation, SPLITS.index(split), concept, before, to)))

    @routes.get("/api/views/{view}/versions/{version}/causes", response_model=CausesDocument, responses=NOT_FOUND)
    def read_causes(
        view: ViewName, version: ViewName, split: InSplit = "validation", concept: Concept = None, at: At = None,
        corrected: Corrected = False,
    ) -> Response:  # fmt: skip
        """How many errors have which cause, and for detection what fixing each kind would gain."""
        _, loaded = state_at(workspace, view, version, corrected)
        return answer(CausesDocument(cause_figures(loaded.evaluation, SPLITS.index(split), known(loaded, concept), thresholds_at(loaded, at), loaded.tide)))

    @routes.get("/api/views/{view}/versions/{version}/confusion", response_model=ConfusionDocument, responses=NOT_FOUND)
    def read_confusion(
        view: ViewName, version: ViewName, split: InSplit = "validation", at: At = None, corrected: Corrected = False
    ) -> Response:  # fmt: skip
        """Annotated against predicted, with none."""
        _, loaded = state_at(workspace, view, version, corrected)
        return answer(ConfusionDocument(confusion_figures(loaded.evaluation, SPLITS.index(split), thresholds_at(loaded, at))))

    return routes
