"""Fuzz the readers and the kernel, and keep the smallest set of inputs that reaches as much.

    python -m fuzzing SECONDS [TARGET]     TARGET: readers or kernel; both by default

Stops with exit status 1 at the first input that a reader or the kernel does not survive; its file
is named in the output.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

from fuzzing import kernel_calls, seeds
from fuzzing.corpus import keep_inputs, kept_inputs
from pellucid import _native

HERE = Path(__file__).parent
SANITIZED = (
    *("-g", "-O1", "-std=gnu11", "-fPIC", "-fno-omit-frame-pointer", "-ffp-contract=off"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    "-fsanitize-coverage=trace-pc,trace-cmp",
)
LONGEST_INPUT = 4096
SEED_INPUTS = {"readers": seeds.SEED_INPUTS, "kernel": kernel_calls.SEED_INPUTS}


def build_kernel(folder: Path) -> Path:
    """The kernel with sanitizers. It is linked without them: atheris brings their runtime."""
    sources = sorted(Path(_native.BUILT_LIBRARY).parent.glob("*.c"))
    compiler = os.environ.get("CC", "gcc")
    subprocess.run([compiler, *SANITIZED, "-c", *sources], cwd=folder, check=True)
    subprocess.run([compiler, "-O1", "-fPIC", "-c", HERE / "coverage.c"], cwd=folder, check=True)
    library = folder / "sanitized.so"
    objects = sorted(folder.glob("*.o"))
    link = [compiler, "-shared", "-Wl,-Bsymbolic", *objects, "-lm", "-o", library]
    subprocess.run(link, check=True)
    return library


def write_command(target: str, folder: Path) -> Path:
    """A script that fuzzes a target: libFuzzer starts it again when it selects inputs."""
    settings = {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parents[1] / "src")])}
    if target == "kernel":
        settings["PELLUCID_KERNEL"] = str(build_kernel(folder))
        settings["LD_PRELOAD"] = str(Path(atheris.path()) / "asan_with_fuzzer.so")
        settings["ASAN_OPTIONS"] = "detect_leaks=0"
    words = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    words += map(shlex.quote, [sys.executable, str(HERE / f"fuzz_{target}.py")])
    script = folder / target
    script.write_text(f'#!/bin/sh\nexec env {" ".join(words)} "$0" "$@"\n')
    script.chmod(0o755)
    return script


def fuzz(target: str, seconds: int) -> int:
    """The exit status. Inputs that do not survive are left in build/fuzz."""
    artifacts = HERE.parents[1] / "build" / "fuzz"
    artifacts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"pellucid-fuzz-{target}-") as name:
        inputs, smallest = Path(name, "inputs"), Path(name, "smallest")
        inputs.mkdir()
        smallest.mkdir()
        for position, data in enumerate([*SEED_INPUTS[target], *kept_inputs(target)]):
            (inputs / f"kept-{position}").write_bytes(data)
        command = write_command(target, Path(name))
        limits = [f"-max_len={LONGEST_INPUT}", "-timeout=60", "-rss_limit_mb=4096"]
        run = [inputs, f"-max_total_time={seconds}", f"-artifact_prefix={artifacts}/{target}-"]
        words = [f"-dict={HERE / 'words.dict'}"] if target == "readers" else []
        status = subprocess.run([command, *run, *words, *limits], check=False).returncode
        if status == 0:
            subprocess.run([command, smallest, inputs, "-merge=1", *limits], check=True)
            keep_inputs(target, [path.read_bytes() for path in smallest.iterdir()])
        return status


if __name__ == "__main__":
    targets = sys.argv[2:] or ["readers", "kernel"]
    sys.exit(max(fuzz(target, int(sys.argv[1])) != 0 for target in targets))
