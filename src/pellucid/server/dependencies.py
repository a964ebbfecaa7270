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

ViewName = Annotated[str, InPath(max_length=200)]
Concept = Annotated[int | None, Query(ge=0, le=10_000_000, description="Position in the version's concepts; absent for all")]
At = Annotated[list[str] | None, Query(description="Thresholds of the user, each `concept:value`", max_length=10_000)]
Only = Annotated[list[str] | None, Query(description="Clauses that narrow it down, such as `cause:background`", max_length=20)]
Versus = Annotated[str | None, Query(max_length=200, description="Another version, whose predictions are told beside")]
InSplit = Annotated[Split, Query()]
Corrected = Annotated[bool, Query(description="With people's corrections of the annotations; else as trained")]

NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "No such view, version, concept or image"}}


def answer(document: Any) -> Response:
    let_go()
    return Response(msgspec.json.encode(document), media_type="application/json", headers={"Cache-Control": "no-cache"})


def look_up(workspace: Workspace, view: str, version: str) -> tuple[Version, Results]:
    chosen = workspace.view(view).version(version)
    return chosen, chosen.results()


def state_at(workspace: Workspace, view: str, version: str, corrected: bool) -> tuple[Version, Results]:
    """The same, with people's corrections where they are asked for."""
    found, loaded = look_up(workspace, view, version)
    return found, loaded.with_corrections(found.decision_log) if corrected else loaded


def known(loaded: Results, concept: int | None) -> int | None:
    if concept is not None and concept >= len(loaded.evaluation.concepts):
        raise HTTPException(404, f"there are {len(loaded.evaluation.concepts)} concepts, numbered from 0")
    return concept


def thresholds_at(loaded: Results, at: list[str] | None) -> Float64Array:
    """The optimal thresholds with the user's own in their place."""
    thresholds = loaded.evaluation.optimal_thresholds.copy()
    for word in at or ():
        concept, _, value = word.partition(":")
        try:
            place, number = int(concept), float(value)
        except ValueError as error:
            raise HTTPException(422, f"at={word}: write concept:value, for instance 3:0.5") from error
        if not 0 <= place < len(thresholds) or not np.isfinite(number):
            raise HTTPException(422, f"at={word}: concepts go from 0 to {len(thresholds) - 1}, values are finite")
        thresholds[place] = number
    return thresholds
