"""What can be exported."""

from __future__ import annotations

from typing import Literal, get_args

ExportTarget = Literal[
    "annotations",
    "corrections",
    "tasks",
    "history",
    "report",
    "predictions",
    "gallery",
    "thresholds",
]
EXPORT_TARGETS: tuple[ExportTarget, ...] = get_args(ExportTarget)
EVALUATED_TARGETS: tuple[ExportTarget, ...] = ("gallery", "thresholds")
"""Those that depend on thresholds and IoU."""
FILTERED_TARGETS: tuple[ExportTarget, ...] = ("annotations", "predictions", "gallery")
REVIEW_TARGETS: tuple[ExportTarget, ...] = ("corrections", "tasks", "history", "report")
