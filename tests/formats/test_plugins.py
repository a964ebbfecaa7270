"""Formats of other packages, installed as a distribution with an entry point."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
COUNT = "import sys, pellucid; view, _ = pellucid.open(sys.argv[1]).add('v', sys.argv[2]); print(len(view.annotation_tables[1]))"


@pytest.fixture
def site(tmp_path):
    """A folder on the path with a distribution that registers the example of the documentation."""
    example = re.search(
        r"<!-- example: plugin -->\n```python\n(.*?)```", DOCS.read_text(), re.DOTALL
    )
    (tmp_path / "pellucid_points.py").write_text(example[1])
    distribution = tmp_path / "pellucid_points-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pellucid-points\nVersion: 1.0\n"
    )
    (distribution / "entry_points.txt").write_text(
        "[pellucid.formats]\npoints = pellucid_points:FORMAT\n"
    )
    return tmp_path


def run(site, *arguments):
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(site)!r})\n{COUNT}",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_plugin_format_is_recognised_and_read(site, tmp_path):
    source = tmp_path / "boxes.points"
    source.write_text("a.jpg dent 1 2 30 40\na.jpg rust 5 5 10 10\n")
    done = run(site, tmp_path / "w", source)
    assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr


def test_plugin_import_error_names_the_plugin(site, tmp_path):
    (site / "pellucid_points.py").write_text("import nothing_of_that_name")
    done = run(site, tmp_path / "w", tmp_path / "boxes.points")
    assert "format plug-in pellucid_points:FORMAT: it cannot be imported" in done.stderr


def test_invalid_plugin_is_named(site, tmp_path):
    (site / "pellucid_points.py").write_text("FORMAT = 3")
    done = run(site, tmp_path / "w", tmp_path / "boxes.points")
    assert "it is of type int. Expected an AnnotationFormat" in done.stderr
