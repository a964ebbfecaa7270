"""VOC's AP equals published figures, which hold under the +1 convention and with ties by file
name."""

import csv
import json

import pytest

import toys
from pellucid.evaluation.voc_metrics import voc_average_precision

pytestmark = pytest.mark.shared

PUBLISHED = [
    (0.3, False, 0.2456866804),
    (0.3, True, 0.2683982683),
    (0.1, False, 0.3371980676),
    (0.1, True, 0.3333333333),
    (0.5, False, 0.0222222222),
    (0.5, True, 0.0303030303),
    (0.75, False, 0.0),
]
"""Of rafaelpadilla/Object-Detection-Metrics, sample_2."""


def table(path, folder, heading):
    rows = [
        [file.stem + ".jpg", *line.split()]
        for file in sorted(folder.glob("*.txt"))
        for line in file.read_text().splitlines()
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([heading, *rows])
    return path


@pytest.mark.parametrize(("iou", "eleven_points", "expected"), PUBLISHED)
def test_published_sample(shared, workspace, tmp_path, iou, eleven_points, expected):
    folder = shared / "golden/padilla_sample2"
    sides = ["x", "y", "width", "height"]
    view, _ = workspace.add(
        "v", table(tmp_path / "a.csv", folder / "groundtruths", ["image", "concept", *sides])
    )
    version = view.start("m")
    version.add_predictions(
        table(tmp_path / "p.csv", folder / "detections", ["image", "concept", "score", *sides])
    )
    found = voc_average_precision(version.evaluation, 1, iou, eleven_points, inclusive_pixels=True)
    assert found == pytest.approx([expected], abs=1e-9)
    assert version.results().voc("validation", iou, eleven_points, inclusive_pixels=True) == {
        "object": pytest.approx(expected, abs=1e-9)
    }
    if (iou, eleven_points) == (0.3, False):
        assert voc_average_precision(version.evaluation, 1, iou) == pytest.approx(
            [0.2253968254], abs=1e-9
        )


@pytest.mark.parametrize(
    ("iou", "eleven_points", "expected"),
    [(0.5, False, 0.8958), (0.5, True, 0.8864), (0.75, False, 0.5097), (0.75, True, 0.4924)],
)
@pytest.mark.parametrize("inclusive_pixels", [True, False])
def test_small_example_of_cats(
    shared, workspace, tmp_path, iou, eleven_points, expected, inclusive_pixels
):
    folder = shared / "golden/padilla_review_coco/toy"
    view, _ = workspace.add("v", folder / "gts_coco_format/toy_example_coco.JSON")
    version = view.start("m")
    rows = json.loads((folder / "dets_coco_format/coco_dets.json").read_text())["annotations"]
    version.add_predictions(
        toys.results(
            tmp_path,
            [
                {name: row[name] for name in ("image_id", "category_id", "bbox", "score")}
                for row in rows
            ],
        )
    )
    found = voc_average_precision(version.evaluation, 1, iou, eleven_points, inclusive_pixels)
    names = list(version.thresholds)
    assert found[names.index("cat")] == pytest.approx(expected, abs=1e-4), json.dumps(
        dict(zip(names, found.tolist(), strict=True))
    )
