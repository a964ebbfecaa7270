"""Errors of workspaces on disk and in object stores."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.errors import MalformedFileError, PellucidError
from pellucid.core.suggestions import suggestion_text


class WorkspaceMissingError(PellucidError):
    http_status = 404

    def __init__(self, path: object) -> None:
        suggestion = suggestion_text(Path(str(path)).name, workspaces_beside(str(path)))
        super().__init__(f"{path}: no workspace found. Create one with `pellucid add`.{suggestion}")


def workspaces_beside(location: str) -> list[str]:
    """The names of the workspaces in the folder that another was looked for in."""
    try:
        return [path.parent.name for path in Path(location).parent.glob("*/workspace.json")]
    except OSError:
        return []


class RemoteChangeError(PellucidError):
    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: views, versions and findings are changed in a local workspace only. "
            "Copy the workspace to a folder, change it there and upload it."
        )


class InvalidNameError(PellucidError):
    exit_status = 2
    http_status = 404

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(
            f"invalid {noun} name '{name}': it becomes a folder name. Use 1 to 100 characters, no "
            "leading dot, none of / \\ :."
        )


class NotAWorkspaceError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: not a Pellucid workspace ({reason}). Specify a folder created by `pellucid "
            "add` or a new one."
        )


class ManifestError(MalformedFileError):
    """A manifest that is not what Pellucid wrote."""

    remedy = "Restore it from a backup, or correct it."


class DamagedFileError(PellucidError):
    """A table that differs from the checksum in its manifest."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: damaged: it differs from the checksum that was stored when it was written. "
            "Restore the workspace from a backup, or import the data again; `pellucid verify` "
            "lists every damaged file."
        )


class TableMissingError(MalformedFileError):
    """A table that a manifest lists is not there; or no more, while another process writes."""

    remedy = (
        "Restore the workspace from a backup, or import the data again; `pellucid verify` lists "
        "every damaged file."
    )

    def __init__(self, path: object) -> None:
        super().__init__(path, "missing: a manifest of the workspace lists it")


class WorkspaceFormatError(PellucidError):
    def __init__(self, path: object, format_number: int, supported_format: int) -> None:
        super().__init__(
            f"{path}: unsupported workspace format {format_number}; the latest supported is "
            f"{supported_format}. Upgrade Pellucid: pip install --upgrade pellucid."
        )


class WorkspaceLockedError(PellucidError):
    def __init__(self, path: object, seconds: float) -> None:
        super().__init__(
            f"{path}: locked by another process for {seconds:.0f} s. Retry when it has finished; "
            "nothing was changed."
        )


class ConcurrentModificationError(PellucidError):
    exit_status = 1

    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: modified by another process; your change was not saved. Retry."
        )
