"""Weights & Biases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.integrations.trackers.log_version import LoggedVersion


def log(run: Any, logged: LoggedVersion) -> None:
    import wandb

    values: dict[str, Any] = dict(logged.figures)
    if logged.page is not None:
        file = logged.page / "index.html" if logged.page.is_dir() else logged.page
        values["pellucid/gallery"] = wandb.Html(file.read_text(encoding="utf-8"), inject=False)
    run.log(values, step=logged.step)
    if logged.address:
        run.summary["pellucid/address"] = logged.address
