"""The thresholds of a version that its exports hold."""

from __future__ import annotations

from pellucid.core.errors import summarize_names
from pellucid.export.threshold_files import ExportedThresholds
from pellucid.formats.dataset import Note
from pellucid.project.version import Version
from pellucid.results.results import Results


def silent_concept_notes(results: Results) -> list[Note]:
    """A warning on annotated concepts of which no prediction reaches the threshold."""
    silent = [
        name
        for name, threshold in results.threshold_table().items()
        if threshold.annotations and not threshold.tp and not threshold.fp
    ]
    if not silent:
        return []
    message = (
        f"never predicted at {'its' if len(silent) == 1 else 'their'} threshold: "
        f"{summarize_names(silent, 8)}. Such a threshold makes the fewest errors; "
        "--objective f1 or --threshold CONCEPT=X chooses another"
    )
    return [Note("silent_concepts", message, len(silent))]


def exported_thresholds(version: Version, results: Results) -> ExportedThresholds:
    """The thresholds as they are shown: the optimal ones unless others were chosen."""
    concepts = results.threshold_table()
    chosen = {name: float(results.thresholds[results.concept_index(name)]) for name in concepts}
    return ExportedThresholds(
        version.view.name,
        version.name,
        version.view.kind,
        results.evaluation.iou_threshold,
        chosen,
        {name: threshold.source for name, threshold in concepts.items()},
    )
