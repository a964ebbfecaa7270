"""What is exported, and of what."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.browse.query import Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.results.results import Results


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        split: None for all
        tab, concept, order, review: of a gallery
        corrected: use corrected annotations
        results: of the version, at the thresholds and IoU to export; None: its own
        only: clauses that the items of a gallery, or the images of annotations and predictions,
            must satisfy
    """

    split: Split | None = None
    tab: Tab = "missing"
    concept: str | None = None
    order: Order = "score"
    review: ReviewFilter = "all"
    corrected: bool = False
    results: Results | None = None
    only: tuple[str, ...] = ()
