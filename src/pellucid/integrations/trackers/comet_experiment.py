"""Comet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.integrations.trackers.log_version import LoggedVersion


def log(experiment: Any, logged: LoggedVersion) -> None:
    experiment.log_metrics(logged.figures, step=logged.step)
    if logged.address:
        experiment.log_other("pellucid/address", logged.address)
    if logged.page is None:
        return
    if logged.page.is_dir():
        experiment.log_asset_folder(str(logged.page), log_file_name=True)
    else:
        experiment.log_asset(str(logged.page), file_name="pellucid.html")
