"""ClearML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.integrations.trackers.log_version import LoggedVersion


def log(task: Any, logged: LoggedVersion) -> None:
    logger = task.get_logger()
    for name, value in logged.figures.items():
        title, _, series = name.partition("/")
        if logged.step is None:
            logger.report_single_value(name, value)
        else:
            logger.report_scalar(title, series, value, logged.step)
    if logged.address:
        task.set_parameter("pellucid/address", logged.address)
    if logged.page is not None:
        task.upload_artifact("pellucid gallery", str(logged.page), wait_on_upload=True)
