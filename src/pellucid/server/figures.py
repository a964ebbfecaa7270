"""The addresses of the figures: curves, objectives, causes, confusion."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Response

from pellucid.columns import SPLITS, Split
from pellucid.server.answers import NOT_FOUND, ViewName, answer, known, look_up, thresholds_at
from pellucid.server.understand_documents import (
    CausesDocument,
    ConfusionDocument,
    CountDocument,
    CurvesDocument,
    MovesDocument,
    ObjectivesDocument,
)  # fmt: skip
from pellucid.understand.gallery import Tab
from pellucid.workspace import Version, Workspace
from pellucid.workspace.figures import OFFERED, cause_figures, confusion_figures, moves, objectives, remarks, split_figures
from pellucid.workspace.loaded import Loaded

CONCEPT = Annotated[int | None, Query(ge=0, le=10_000_000, description="Position in the version's concepts; absent for all")]
AT = Annotated[list[str] | None, Query(description="Thresholds of the user, each `concept:value`", max_length=10_000)]
ONLY = Annotated[list[str] | None, Query(description="Clauses that narrow it down, such as `cause:background`", max_length=20)]
IN_SPLIT = Annotated[Split, Query()]
CORRECTED = Annotated[bool, Query(description="With people's corrections of the annotations; else as trained")]
ON_MAP = 2_000
"""Points that a map shows at most."""
EXAMPLES = 8


def state_of(version: Version, corrected: bool) -> Loaded:
    return version.loaded.with_corrections(version.view.reviews.ledger) if corrected else version.loaded


def figure_routes(workspace: Workspace) -> APIRouter:
    routes = APIRouter()

    def asked(view: str, version: str, corrected: bool) -> tuple[Version, Loaded]:
        found, _ = look_up(workspace, view, version)
        return found, state_of(found, corrected)

    @routes.get("/api/views/{view}/versions/{version}/count", response_model=CountDocument, responses=NOT_FOUND)
    def read_count(
        view: ViewName, version: ViewName, tab: Tab = "all", split: IN_SPLIT = "validation", concept: CONCEPT = None, at: AT = None,
        only: ONLY = None, corrected: CORRECTED = False,
    ) -> Response:  # fmt: skip
        """How many items a narrowed tab has."""
        found, loaded = asked(view, version, corrected)
        selection = loaded.selection(tab, SPLITS.index(split), known(loaded, concept), thresholds_at(loaded, at), False)
        rows = found.narrowed(loaded, selection, only or ())
        ledger = found.view.reviews.ledger
        totals = [loaded.shown(selection, "score", which, ledger, rows).total for which in ("all", "reviewed", "unsure")]
        return answer(CountDocument(*totals))

    @routes.get("/api/views/{view}/versions/{version}/curves", response_model=CurvesDocument, responses=NOT_FOUND)
    def read_curves(view: ViewName, version: ViewName, concept: CONCEPT = None, at: AT = None, corrected: CORRECTED = False) -> Response:
        """Figures against the threshold, score histograms and calibration, of every split."""
        _, loaded = asked(view, version, corrected)
        chosen, thresholds = known(loaded, concept), thresholds_at(loaded, at)
        there = [place for place in range(len(SPLITS)) if (loaded.evaluation.images.split == place).any()]
        several = [split_figures(loaded, place, chosen, thresholds) for place in there]
        return answer(CurvesDocument(several, remarks(loaded, chosen, several)))

    @routes.get("/api/views/{view}/versions/{version}/objectives", response_model=ObjectivesDocument, responses=NOT_FOUND)
    def read_objectives(
        view: ViewName, version: ViewName, concept: CONCEPT = None, objective: Annotated[list[str] | None, Query(max_length=20)] = None,
        corrected: CORRECTED = False,
    ) -> Response:  # fmt: skip
        """Thresholds chosen for other ends than fewest errors; objective: see docs/understanding.md."""
        _, loaded = asked(view, version, corrected)
        return answer(ObjectivesDocument(objectives(loaded, known(loaded, concept), objective or OFFERED)))

    @routes.get("/api/views/{view}/versions/{version}/moves", response_model=MovesDocument, responses=NOT_FOUND)
    def read_moves(
        view: ViewName, version: ViewName, concept: Annotated[int, Query(ge=0, le=10_000_000)], to: float, split: IN_SPLIT = "validation",
        corrected: CORRECTED = False,
    ) -> Response:  # fmt: skip
        """What would change were the concept's threshold moved from its optimum."""
        _, loaded = asked(view, version, corrected)
        if not np.isfinite(to):
            raise HTTPException(422, f"to={to}: a finite threshold was expected")
        known(loaded, concept)
        before = float(loaded.evaluation.optimal[concept])
        return answer(MovesDocument(before, to, moves(loaded.evaluation, SPLITS.index(split), concept, before, to)))

    @routes.get("/api/views/{view}/versions/{version}/causes", response_model=CausesDocument, responses=NOT_FOUND)
    def read_causes(
        view: ViewName, version: ViewName, split: IN_SPLIT = "validation", concept: CONCEPT = None, at: AT = None,
        corrected: CORRECTED = False,
    ) -> Response:  # fmt: skip
        """How many errors have which cause, and for detection what fixing each kind would gain."""
        _, loaded = asked(view, version, corrected)
        return answer(CausesDocument(cause_figures(loaded, SPLITS.index(split), known(loaded, concept), thresholds_at(loaded, at))))

    @routes.get("/api/views/{view}/versions/{version}/confusion", response_model=ConfusionDocument, responses=NOT_FOUND)
    def read_confusion(
        view: ViewName, version: ViewName, split: IN_SPLIT = "validation", at: AT = None, corrected: CORRECTED = False
    ) -> Response:  # fmt: skip
        """Annotated against predicted, with none."""
        _, loaded = asked(view, version, corrected)
        return answer(ConfusionDocument(confusion_figures(loaded, SPLITS.index(split), thresholds_at(loaded, at))))

    return routes
