"""Errors of views and versions."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.errors import PellucidError, summarize_names
from pellucid.core.suggestions import suggestion_text


class EmptyViewError(PellucidError):
    def __init__(self, view: str) -> None:
        super().__init__(
            f"view '{view}' has no images, so a version cannot be created. Add images first: "
            "pellucid add."
        )


class ViewNotFoundError(PellucidError):
    http_status = 404

    def __init__(self, workspace: object, view: str, views: Sequence[str]) -> None:
        super().__init__(
            f"{workspace}: view '{view}' not found. Existing views: "
            f"{summarize_names(views, 8) or 'none'}.{suggestion_text(view, views)}"
        )


class ViewExistsError(PellucidError):
    def __init__(self, workspace: object, view: str) -> None:
        super().__init__(f"{workspace}: view '{view}' already exists. Choose another name.")


class VersionNotFoundError(PellucidError):
    http_status = 404

    def __init__(self, view: str, version: str, versions: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' not found in view '{view}'. Existing versions: "
            f"{summarize_names(versions, 8) or 'none'}.{suggestion_text(version, versions)}"
        )


class VersionExistsError(PellucidError):
    def __init__(self, view: str, version: str) -> None:
        super().__init__(
            f"version '{version}' already exists in view '{view}' and its images are frozen. "
            "Choose another name."
        )


class UnknownImagesError(PellucidError):
    http_status = 404

    def __init__(self, view: str, path: str) -> None:
        super().__init__(
            f"view '{view}' has no image '{path}'. Specify a path as pellucid duplicates shows it."
        )
