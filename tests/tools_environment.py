"""The environments of other programs, built by `make test-tools`, and the marks of their tests."""

import os
from pathlib import Path

import pytest

import pellucid

PYTHON = Path(os.environ.get("PELLUCID_TOOLS_PYTHON") or ".venv/tools/bin/python").absolute()
TRACKERS = Path(".venv/trackers/bin/python").absolute()
"""Has Pellucid beside the clients of experiment trackers."""
SOURCES = Path(pellucid.__file__).parents[1]


def needing(python: Path) -> list[pytest.MarkDecorator]:
    """The marks of tests that run `python`, the interpreter of one of the environments."""
    return [
        pytest.mark.tools,
        pytest.mark.skipif(not python.is_file(), reason="no environment: run `make test-tools`"),
    ]
