"""The small workspace that the checks damage, kill and fill, and what it must answer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pellucid
from benchmarks.data import SMALL
from benchmarks.serving import prepare
from pellucid.browse.selection import TABS

PELLUCID = [sys.executable, "-m", "pellucid"]
VIEW, VERSION = "made", "model"


@dataclass(frozen=True)
class Sample:
    """folder: where the sources are; workspace: what was imported from them."""

    folder: Path
    workspace: Path
    expected: Any

    def copy_to(self, folder: Path) -> Path:
        target = folder / "copy.pellucid"
        shutil.copytree(self.workspace, target)
        return target

    @property
    def results(self) -> Path:
        return self.folder / "results.json"


def build_sample(folder: Path) -> Sample:
    workspace = prepare(SMALL, folder)
    return Sample(folder, workspace, answers(workspace))


def answers(workspace: Path, version_name: str = VERSION) -> Any:
    """The first items of each tab, the thresholds and the metrics."""
    version = pellucid.open(workspace).view(VIEW).version(version_name)
    lists = {tab: (len(version.gallery(tab)), version.gallery(tab)[:50]) for tab in TABS}
    return lists, dict(version.thresholds), version.metrics()


def run_pellucid(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*PELLUCID, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)
