"""The benchmarks run, on a small set."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.browser
def test_benchmarks_run_with_quick():
    command = [sys.executable, "-m", "benchmarks", "--quick"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| first page |" in done.stdout
