"""MLflow: the module, whose active run is logged to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.integrations.trackers.log_version import LoggedVersion


def log(mlflow: Any, logged: LoggedVersion) -> None:
    mlflow.log_metrics(logged.figures, step=logged.step)
    if logged.address:
        mlflow.set_tag("pellucid.address", logged.address)
    if logged.page is not None:
        attach = mlflow.log_artifacts if logged.page.is_dir() else mlflow.log_artifact
        attach(str(logged.page), "pellucid")
