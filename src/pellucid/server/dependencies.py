"""How answers are made: looking up what is asked for, and sending it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import HTTPException, Query, Response
from fastapi import Path as InPath

from pellucid.core.tables import Float64Array, Split
from pellucid.project import Version, Workspace
from pellucid.results.results import Results
from pellucid.storage.mapped_columns import let_go

ResourceName = Annotated[str, InPath(max_length=200)]
ConceptQuery = Annotated[int | None, Query(ge=0, le=10_000_000, description="Position in the version's concepts; absent for all")]
ThresholdsQuery = Annotated[list[str] | None, Query(description="Thresholds of the user, each `concept:value`", max_length=10_000)]
FiltersQuery = Annotated[list[str] | None, Query(description="Clauses that narrow it down, such as `cause:background`", max_length=20)]
OverlayQuery = Annotated[str | None, Query(max_length=200, description="Another version, whose predictions are told beside")]
SplitQuery = Annotated[Split, Query()]
CorrectedQuery = Annotated[bool, Query(description="With people's corrections of the annotations; else as trained")]

NOT_FOUND_RESPONSE: dict[int | str, dict[str, Any]] = {404: {"description": "No such view, version, concept or image"}}


def json_response(document: Any) -> Response:
    let_go()
    return Response(msgspec.json.encode(document), media_type="application/json", headers={"Cache-Control": "no-cache"})


def find_version(workspace: Workspace, view: str, version: str) -> tuple[Version, Results]:
    evaluated_version = workspace.view(view).version(version)
    return evaluated_version, evaluated_version.results()


def find_version_state(workspace: Workspace, view: str, version: str, corrected: bool) -> tuple[Version, Results]:
    """The same, with people's corrections where they are asked for."""
    evaluated_version, results = find_version(workspace, view, version)
    return evaluated_version, results.with_corrections(evaluated_version.decision_log) if corrected else results


def validate_concept(results: Results, concept: int | None) -> int | None:
    if concept is not None and concept >= len(results.evaluation.concepts):
        raise HTTPException(404, f"there are {len(results.evaluation.concepts)} concepts, numbered from 0")
    return concept


def effective_thresholds(results: Results, overrides: list[str] | None) -> Float64Array:
    """The optimal thresholds with the user's own in their place."""
    thresholds = results.evaluation.optimal_thresholds.copy()
    for override in overrides or ():
        concept_text, _, threshold_text = override.partition(":")
        try:
            concept_index, threshold = int(concept_text), float(threshold_text)
        except ValueError as error:
            raise HTTPException(422, f"at={override}: write concept:value, for instance 3:0.5") from error
        if not 0 <= concept_index < len(thresholds) or not np.isfinite(threshold):
            raise HTTPException(422, f"at={override}: concepts go from 0 to {len(thresholds) - 1}, values are finite")
        thresholds[concept_index] = threshold
    return thresholds
