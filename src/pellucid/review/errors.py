"""Errors of review decisions and their database."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.core.errors import PellucidError


class ReviewStoreUnavailableError(PellucidError):
    exit_status = 1
    http_status = 503

    def __init__(self, store_name: str, reason: str) -> None:
        super().__init__(
            f"cannot read or write the decisions in {store_name} ({reason}). Nothing was lost; "
            "retry when it is available."
        )


class UnknownWorkspaceIdError(PellucidError):
    """The decisions of a workspace are stored under another id than its own."""

    def __init__(
        self, path: object, counts: Mapping[str, int], workspace_id: str, manifest: str
    ) -> None:
        listed = ", ".join(f"{count:,} under id {name}" for name, count in sorted(counts.items()))
        super().__init__(
            f"{path}: holds no decisions of this workspace (id {workspace_id}), but {listed}. If "
            f'they are of this workspace, put that id into {manifest} ("id"); else move the file '
            "away."
        )


class InvalidReviewUrlError(PellucidError):
    exit_status = 2

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the reviews URL has {problem}; expected postgresql://USER:PASSWORD@HOST/DATABASE."
        )


class InvalidDecisionError(PellucidError):
    def __init__(self, image: str, problem: str, remedy: str) -> None:
        super().__init__(f"image '{image}': {problem}. {remedy}")


class ItemNotFoundError(PellucidError):
    http_status = 409

    def __init__(self, image: str, concept: str) -> None:
        super().__init__(
            f"image '{image}': no such item of '{concept}' in this version. Reload the list and "
            "repeat the decision."
        )


class InvalidTextError(PellucidError):
    def __init__(self, text: str) -> None:
        super().__init__(
            f"the text {text[:40]!a} contains an unpaired surrogate or NUL and cannot be saved. "
            "Type it again."
        )


class HistoryRowNotFoundError(PellucidError):
    http_status = 404

    def __init__(self, row: int) -> None:
        super().__init__(f"no row {row} in the history. See `pellucid history`.")


class RoundPermissionError(PellucidError):
    http_status = 403

    def __init__(self) -> None:
        super().__init__(
            "only an owner may take back or restore a review round. Ask an owner to do it."
        )


class ReviewerMissingError(PellucidError):
    exit_status = 2

    def __init__(self) -> None:
        super().__init__("missing reviewer name. Specify who decides (1 to 100 characters).")


class ReviewDatabaseRequiredError(PellucidError):
    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: reviews of a workspace in an object store require PostgreSQL. Set "
            "PELLUCID_REVIEWS to its URL "
            "(postgresql://...), see docs/reviewing.md."
        )
