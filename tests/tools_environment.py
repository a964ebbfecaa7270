"""The environment of other programs, built by `make test-tools`, and the marks of its tests."""

import os
from pathlib import Path

import pytest

import pellucid

PYTHON = Path(os.environ.get("PELLUCID_TOOLS_PYTHON") or ".venv/tools/bin/python").absolute()
SOURCES = Path(pellucid.__file__).parents[1]
MARKS = [
    pytest.mark.tools,
    pytest.mark.skipif(not PYTHON.is_file(), reason="no environment: run `make test-tools`"),
]
