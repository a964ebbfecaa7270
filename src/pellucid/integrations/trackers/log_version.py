"""What is logged of a version, and to whom: the tracker is recognised by its class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pellucid.core.errors import FileMissingError
from pellucid.core.tables import Split
from pellucid.evaluation.counts import f1, precision, recall
from pellucid.integrations.errors import UnknownTrackerError
from pellucid.project import Version

PREFIX = "pellucid"


@dataclass(frozen=True)
class LoggedVersion:
    """What an experiment tracker receives of a version.

    Attributes:
        figures: by name, such as `pellucid/AP50`
        step: of the training, None for none
        address: of the gallery, '' for none
        page: an exported page, None for none
    """

    figures: dict[str, float]
    step: int | None
    address: str
    page: Path | None


TRACKERS = {
    "wandb": "wandb_run",
    "mlflow": "mlflow_run",
    "tensorboard": "summary_writer",
    "tensorboardX": "summary_writer",
    "torch": "summary_writer",
    "clearml": "clearml_task",
    "comet_ml": "comet_experiment",
}
"""The module here that logs to objects of a package."""


def log_to(
    tracker: Any,
    version: Version,
    split: Split = "validation",
    step: int | None = None,
    address: str = "",
    page: str | Path | None = None,
) -> dict[str, float]:
    """Log the main figures of a version, and the way to its gallery, to an experiment tracker.

    tracker: a run of wandb, the module `mlflow` (its active run), a SummaryWriter of TensorBoard, a
    Task of ClearML or an Experiment of Comet. step: of the training. address: of the gallery.
    page: a page that `export_html` has written, which is attached to the run (not in TensorBoard,
    which keeps no files). Returns the figures by the names they are logged under.

    Raises:
        EmptySplitError: the version has no images in the split.
        FileMissingError: there is no such page.
        UnknownTrackerError: the object is none of these.
    """
    log = find_tracker(tracker)
    path = None if page is None else Path(page)
    if path is not None and not path.exists():
        raise FileMissingError(path)
    logged = LoggedVersion(main_figures(version, split), step, address, path)
    log(tracker, logged)
    return logged.figures


def find_tracker(tracker: Any) -> Callable[[Any, LoggedVersion], None]:
    is_module = type(tracker).__name__ == "module"
    names = [tracker.__name__] if is_module else [base.__module__ for base in type(tracker).__mro__]
    for name in names:
        module = TRACKERS.get(name.partition(".")[0])
        if module is not None:
            log: Callable[[Any, LoggedVersion], None] = import_module(
                f"pellucid.integrations.trackers.{module}"
            ).log
            return log
    raise UnknownTrackerError(tracker)


def main_figures(version: Version, split: Split) -> dict[str, float]:
    """The headline figures, counts, precision, recall and F1 at the thresholds; without those that
    are undefined. Of training and test images, the names say so."""
    metrics = version.metrics(split)
    tp, fp, fn = (
        sum(getattr(concept, name) for concept in metrics.concepts) for name in ("tp", "fp", "fn")
    )
    figures = {
        **dict(metrics.overall.headline),
        "precision": precision(tp, fp),
        "recall": recall(tp, fn),
        "F1": f1(tp, fp, fn),
        "errors": fp + fn,
        "false positives": fp,
        "false negatives": fn,
    }
    prefix = PREFIX if split == "validation" else f"{PREFIX}/{split}"
    return {
        f"{prefix}/{name.replace(' (argmax)', '')}": float(value)
        for name, value in figures.items()
        if value is not None
    }
