"""Other programs read what is exported: the same images, concepts and boxes.

They have an environment of their own, which `make test-tools` builds. With PELLUCID_TOOLS_REPORT,
the results are written to that file, which is part of the documentation.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pellucid.export.datasets import export_view
from tools_environment import PYTHON, needing

READERS = [
    ("coco", "pycocotools"),
    ("coco", "datumaro"),
    ("coco", "globox"),
    ("coco", "supervision"),
    ("coco-roboflow", "datumaro"),
    ("yolo", "supervision"),
    ("yolo", "ultralytics"),
    ("voc", "datumaro"),
    ("voc", "globox"),
    ("cvat", "datumaro"),
    ("cvat", "globox"),
    ("fiftyone", "fiftyone"),
    ("hugging-face", "datasets"),
]
TOLERANCE = dict.fromkeys(("datumaro", "supervision", "ultralytics"), 1e-3)
"""In pixels, for tools that calculate in single precision; else 1e-6."""

pytestmark = needing(PYTHON)


REPORT_HEAD = """# Interoperability

Written by `make test-tools`: the cells of the demo, exported and read by other programs, which find
the same images, concepts and boxes.

| `--format` | read by | version | images | boxes | difference at most |
|---|---|---|---|---|---|
"""


@pytest.fixture(scope="module")
def report():
    """Rows of the report, written at the end."""
    rows = []
    yield rows
    path = os.environ.get("PELLUCID_TOOLS_REPORT")
    if path:
        Path(path).write_text(REPORT_HEAD + "".join(rows))


@pytest.fixture(scope="module")
def exported(demo, tmp_path_factory):
    """A function that exports the cells of the demo, once a format."""
    folder = tmp_path_factory.mktemp("exports")

    def export(form):
        if not (folder / form).exists():
            export_view(demo.view("cells"), "annotations", form, folder / form)
        return folder / form

    return export


def frozen_boxes(view):
    """{image without ending: [(concept, x, y, w, h), ...]} of the images that are annotated."""
    images, annotations, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    boxes = {Path(path).with_suffix("").as_posix(): [] for path in images.path[images.stated > 0]}
    for image, concept, box, ignore in zip(
        annotations.image, annotations.concept, annotations.box, annotations.ignore, strict=True
    ):
        if not ignore:
            key = Path(images.path[image]).with_suffix("").as_posix()
            boxes[key].append((names[concept], *box.tolist()))
    return boxes


@pytest.mark.parametrize(("form", "tool"), READERS)
def test_tool_reads_the_same_boxes(demo, exported, report, tmp_path, form, tool):
    folder = exported(form)
    script = Path(__file__).with_name("read_with.py")
    installed = subprocess.run([PYTHON, "-c", f"import {tool}"], check=False, capture_output=True)
    if installed.returncode:
        pytest.skip(f"{tool} is not installed in the environment of the tools")
    command = subprocess.run(
        [PYTHON, script, tool, form, folder],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "YOLO_OFFLINE": "true", "HF_HUB_OFFLINE": "1"},
    )
    assert command.returncode == 0, command.stderr[-3000:]
    read = json.loads(command.stdout.splitlines()[-1])
    expected = frozen_boxes(demo.view("cells"))
    assert read["images"] in (None, len(expected)), "it finds every picture"
    assert {name for name, boxes in expected.items() if boxes} <= set(read["boxes"])
    for name, boxes in expected.items():
        found = sorted((concept, *box) for concept, *box in read["boxes"].get(name, []))
        assert [box[0] for box in found] == sorted(box[0] for box in boxes), name
        for ours, theirs in zip(sorted(boxes), found, strict=True):
            assert theirs[1:] == pytest.approx(ours[1:], abs=TOLERANCE.get(tool, 1e-6)), name
    report.append(
        f"| `{form}` | {tool} | {read['version']} | {len(expected):,} | "
        f"{sum(map(len, expected.values())):,} | {TOLERANCE.get(tool, 1e-6):g} px |\n"
    )
