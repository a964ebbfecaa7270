"""TensorBoard: a SummaryWriter of torch or of tensorboardX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.integrations.trackers.log_version import LoggedVersion


def log(writer: Any, logged: LoggedVersion) -> None:
    for name, value in logged.figures.items():
        writer.add_scalar(name, value, logged.step)
    if logged.address:
        writer.add_text("pellucid/gallery", logged.address, logged.step)
    writer.flush()
