"""The built-in example: pictures drawn, models trained, mistakes planted, all on the spot."""

from __future__ import annotations

import shutil
from pathlib import Path

from platformdirs import user_cache_path

from pellucid._version import __version__
from pellucid.demo.example import build
from pellucid.project import Workspace

DONE = "demo-is-complete"


def demo_workspace(folder: str | Path | None = None) -> Workspace:
    """The example's workspace, built if it is not there. folder: where; by default in the user's cache."""
    own = folder is None
    place = user_cache_path("pellucid") / f"demo-{__version__}.pellucid" if folder is None else Path(folder)
    if (place / DONE).is_file():
        return Workspace(place)
    if own and place.exists():
        shutil.rmtree(place)  # an earlier build was interrupted
    workspace = Workspace(place)
    build(workspace)
    (place / DONE).touch()
    return workspace
