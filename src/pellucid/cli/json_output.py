"""JSON documents of the command line (a stable interface)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.project.version import Version
from pellucid.results.gallery import Gallery


def thresholds_document(version: Version, corrected: bool = False) -> list[dict[str, Any]]:
    """One entry per concept, in the view's order. interval: 90 % bootstrap interval of the threshold, null if nothing
    was predicted."""
    intervals = version.threshold_intervals(corrected)
    return [
        {"concept": concept, "threshold": threshold.value, "source": threshold.source, "errors": threshold.errors,
         "tp": threshold.tp, "fp": threshold.fp, "fn": threshold.fn, "annotations": threshold.annotations,
         "equally_good": list(threshold.equally_good), "interval": None if interval is None else list(interval)}
        for (concept, threshold), interval in zip(version.get_thresholds(corrected).items(), intervals.values(), strict=True)
    ]  # fmt: skip


def objective_document(version: Version, objective: str, corrected: bool = False) -> list[dict[str, Any]]:
    """The same for another objective; the threshold and its counts are null if no threshold reaches it."""
    optimal = version.get_thresholds(corrected)
    entries = []
    for concept, error_threshold in optimal.items():
        objective_threshold = version.threshold_for(objective, concept, corrected)
        entries.append({
            "concept": concept, "threshold": objective_threshold.threshold, "source": error_threshold.source, "errors": objective_threshold.errors, "tp": objective_threshold.tp, "fp": objective_threshold.fp,
            "fn": objective_threshold.fn, "annotations": error_threshold.annotations, "interval": None if objective_threshold.interval is None else list(objective_threshold.interval),
            "objective": objective,
        })  # fmt: skip
    return entries


def metrics_document(version: Version, split: Split, corrected: bool = False) -> dict[str, Any]:
    return {"view": version.view.name, "version": version.name, "kind": version.view.kind, **asdict(version.metrics(split, corrected))}


def gallery_document(
    version: Version, gallery: Gallery, tab: Tab, split: Split, concept: str | None, offset: int, limit: int
) -> dict[str, Any]:
    """A page of a tab; limit 0 means everything."""
    return {
        "view": version.view.name, "version": version.name, "split": split, "tab": tab, "concept": concept,
        "threshold": gallery.threshold, "total": len(gallery), "threshold_position": gallery.threshold_position,
        "items": [asdict(item) for item in gallery.page(offset, limit or len(gallery))],
    }  # fmt: skip
