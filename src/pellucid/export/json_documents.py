"""Documents of results for programs: the JSON of the command line, a stable interface."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pellucid.browse.image_ranking import ImageRanking
from pellucid.browse.query import ListQuery
from pellucid.core.tables import Split
from pellucid.evaluation.metrics import Metrics
from pellucid.project.version import Version
from pellucid.results.results import Results


def thresholds_document(results: Results) -> list[dict[str, Any]]:
    """One entry per concept, in the view's order. interval: 90 % bootstrap interval of the
    threshold, null if nothing was predicted."""
    return [
        {
            "concept": concept,
            "threshold": threshold.value,
            "source": threshold.source,
            "errors": threshold.errors,
            "tp": threshold.tp,
            "fp": threshold.fp,
            "fn": threshold.fn,
            "annotations": threshold.annotations,
            "equally_good": list(threshold.equally_good),
            "interval": None if interval is None else list(interval),
        }
        for (concept, threshold), index in zip(
            results.threshold_table().items(), results.evaluation.annotated_concepts, strict=True
        )
        for interval in [results.intervals[index]]
    ]


def objective_document(results: Results, objective: str) -> list[dict[str, Any]]:
    """The same for another objective; the threshold and its counts are null if none reaches it."""
    entries = []
    for concept, optimal in results.threshold_table().items():
        best = results.threshold_for(objective, concept)
        entries.append(
            {
                "concept": concept,
                "threshold": best.threshold,
                "source": optimal.source,
                "errors": best.errors,
                "tp": best.tp,
                "fp": best.fp,
                "fn": best.fn,
                "annotations": optimal.annotations,
                "equally_good": None if best.equally_good is None else list(best.equally_good),
                "interval": None if best.interval is None else list(best.interval),
                "objective": objective,
            }
        )
    return entries


def metrics_document(version: Version, results: Results, split: Split) -> dict[str, Any]:
    return {
        "view": version.view.name,
        "version": version.name,
        "kind": version.view.kind,
        **asdict(results.metrics(split)),
    }


def metrics_by_document(
    version: Version, column: str, split: Split, by_value: dict[str, Metrics]
) -> dict[str, Any]:
    return {
        "view": version.view.name,
        "version": version.name,
        "kind": version.view.kind,
        "split": split,
        "by": column,
        "rows": [{"value": value, **asdict(metrics)} for value, metrics in by_value.items()],
    }


def images_document(ranking: ImageRanking, offset: int, limit: int) -> dict[str, Any]:
    """A page of the ranked images; limit 0 means everything."""
    page = ranking.page(offset, limit or None)
    return {"total": len(ranking), "items": [asdict(image) for image in page]}


def gallery_document(
    version: Version, results: Results, query: ListQuery, offset: int, limit: int
) -> dict[str, Any]:
    """A page of a list; limit 0 means everything."""
    gallery = results.gallery(query)
    return {
        "view": version.view.name,
        "version": version.name,
        "split": query.split,
        "tab": query.tab,
        "concept": query.concept,
        "threshold": gallery.threshold,
        "total": len(gallery),
        "threshold_position": gallery.threshold_position,
        "items": [asdict(item) for item in gallery.page(offset, limit or len(gallery))],
    }
