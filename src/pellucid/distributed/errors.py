"""Errors of distributed evaluation."""

from __future__ import annotations

from pellucid.core.errors import PellucidError


class WorkerFailureError(PellucidError):
    exit_status = 1

    def __init__(self, task_name: str, failure_count: int) -> None:
        super().__init__(
            f"task '{task_name}': its worker died {failure_count} times, probably out of memory. "
            "Completed work is kept: run again with fewer "
            "rows per worker (--rows)."
        )


class ClusterUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"{address}: cannot connect to a Ray cluster ({reason}). Check the address, or omit "
            "it to start a local cluster."
        )


class PredictionsMissingError(PellucidError):
    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' has no predictions to evaluate. Import predictions first: "
            f"pellucid predictions WORKSPACE VIEW {version} SOURCE."
        )


class VersionModifiedError(PellucidError):
    exit_status = 1

    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' was modified during evaluation; the evaluation was discarded. "
            "Evaluate it again."
        )


class UnscoredNotDistributedError(PellucidError):
    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' has no scores. Distributed evaluation needs them; use `pellucid "
            "predictions --replace` to match it again."
        )
