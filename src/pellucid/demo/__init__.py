"""The built-in demo: generated images, trained models and deliberately inserted label errors."""

from __future__ import annotations

import shutil
from pathlib import Path

from platformdirs import user_cache_path

from pellucid._version import __version__
from pellucid.demo.example import build_demo
from pellucid.project import Workspace

COMPLETE_MARKER = "demo-is-complete"


def demo_workspace(folder: str | Path | None = None) -> Workspace:
    """The demo workspace, built if it does not exist.

    Args:
        folder: defaults to the user's cache directory
    """
    is_default = folder is None
    workspace_folder = (
        user_cache_path("pellucid") / f"demo-{__version__}.pellucid"
        if folder is None
        else Path(folder)
    )
    if (workspace_folder / COMPLETE_MARKER).is_file():
        return Workspace(workspace_folder)
    if is_default and workspace_folder.exists():
        shutil.rmtree(workspace_folder)  # incomplete: an earlier build was interrupted
    workspace = Workspace(workspace_folder)
    build_demo(workspace)
    (workspace_folder / COMPLETE_MARKER).touch()
    return workspace
