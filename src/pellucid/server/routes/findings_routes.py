"""Routes of the findings: what is wrong with a version."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pellucid.analysis.findings import Finding
from pellucid.project.known_findings import KnownFinding, load_known_findings, mark_finding
from pellucid.results.findings import Findings
from pellucid.results.results import Results
from pellucid.server.dependencies import (
    LONG_ANSWER,
    NOT_FOUND_RESPONSE,
    SplitQuery,
    ThresholdsQuery,
    TrainedVersionContext,
    VersionContext,
    effective_thresholds,
    json_response,
)
from pellucid.server.reviewers import reviewer_name
from pellucid.server.schemas.findings_schema import (
    FindingDocument,
    FindingList,
    FindingsDocument,
    KnownFindingRequest,
)

router = APIRouter()


@router.get(
    "/api/v1/views/{view}/versions/{version}/findings",
    response_model=FindingsDocument,
    responses=NOT_FOUND_RESPONSE,
    dependencies=[LONG_ANSWER],
)
def get_findings(
    context: VersionContext,
    split: SplitQuery = "validation",
    at: ThresholdsQuery = None,
    baseline: Annotated[
        str | None, Query(max_length=200, description="An earlier version of the view")
    ] = None,
) -> Response:
    """What is wrong with the version, best first. Images are analyzed in the background; until
    they are, slices are of boxes and metadata alone."""
    results = context.results  # its caches are shared with those at other thresholds
    index, stats = results.split_index(split), results.image_stats_cache
    is_ready = stats.get_or_start(index) is not None
    slices = results.error_slices(index, results.appearance(index) if is_ready else None)
    chosen = results.with_thresholds(effective_thresholds(results, at))
    findings = chosen.findings_with_slices(split, slices, baseline)
    read, total = stats.progress(index)
    known = load_known_findings(context.version.folder)
    return json_response(findings_document(results, findings, known, (read, total, is_ready)))


def findings_document(
    results: Results,
    findings: Findings,
    known: dict[str, KnownFinding],
    progress: tuple[int, int, bool],
) -> FindingsDocument:
    documents = [
        finding_document(results, finding, known.get(finding.key)) for finding in findings.findings
    ]
    return FindingsDocument(documents, findings.not_found, *progress)


def finding_document(
    results: Results, finding: Finding, known: KnownFinding | None
) -> FindingDocument:
    query = finding.query
    listed = None
    if query is not None:
        concept = None if query.concept is None else results.concept_index(query.concept)
        listed = FindingList(query.tab, query.split, concept, query.order, list(query.filters))
    return FindingDocument(
        finding.key,
        finding.kind,
        finding.group,
        finding.sentence,
        finding.evidence,
        finding.gain,
        finding.count,
        finding.concept,
        listed,
        finding.action,
        known,
    )


@router.post(
    "/api/v1/views/{view}/versions/{version}/findings/known",
    status_code=204,
    responses=NOT_FOUND_RESPONSE,
)
def mark_finding_known(
    context: TrainedVersionContext, body: KnownFindingRequest, request: Request
) -> Response:
    """Dismiss a finding as known, or take that back."""
    version = context.version
    who = reviewer_name(request, body.who)
    mark_finding(
        version.view.workspace.folder, version.folder, body.key, body.known, who, body.remark
    )
    return Response(status_code=204)
