"""COCO's figures of masks equal pycocotools' `segm` to 1e-9."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
from pellucid import _native as kernel
from pellucid.evaluation.coco_metrics import compute_coco_metrics
from pellucid.evaluation.incremental import rematch
from references import masks as reference

FIELDS = ("state", "partner", "iou", "matched_by", "same_concept_prediction")
VALIDATION = 1


def assert_close(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert [value is None for value in ours] == [value is None for value in theirs]
    assert [value for value in ours if value is not None] == pytest.approx(
        [value for value in theirs if value is not None], abs=1e-9
    )


@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 32), with_boxes=st.booleans())
def test_figures_equal_pycocotools(seed, with_boxes, tmp_path_factory):
    masked = reference.random_set(seed, with_boxes=with_boxes)
    if not reference.is_judgeable(masked):
        return
    folder = masked.write(tmp_path_factory.mktemp("set"))
    files = folder / "gt.json", folder / "dt.json"
    assert_close(pellucid.coco_figures(*files).values(), reference.judged(masked))
    boxes = pellucid.coco_figures(*files, geometry="box")
    assert_close(boxes.values(), reference.judged(masked, "bbox"))


@pytest.mark.parametrize("seed", range(4))
def test_a_version_matches_by_masks_in_the_kernel_and_in_numpy(seed, tmp_path, monkeypatch):
    masked = reference.random_set(seed)
    version, _ = masked.version(tmp_path)
    evaluation = version.results().evaluation
    assert evaluation.geometry == "mask"
    expected = reference.judged(masked)
    assert_close(compute_coco_metrics(evaluation, VALIDATION).stats.values(), expected)
    natively = rematch(evaluation, 0.5)
    monkeypatch.setattr(kernel, "library", None)
    in_numpy = rematch(evaluation, 0.5)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(natively, name), getattr(in_numpy, name), name)
    assert_close(compute_coco_metrics(evaluation, VALIDATION).stats.values(), expected)


@pytest.mark.shared
def test_published_masks(shared, tmp_path):
    golden = shared / "golden/coco_val2014_100"
    files = (
        golden / "instances_val2014_100.json",
        golden / "instances_val2014_fakesegm100_results.json",
    )
    published = {"AP": 0.320, "AP50": 0.562, "AP75": 0.299, "AR100": 0.417}
    figures = pellucid.coco_figures(*files)
    assert {name: round(figures[name], 3) for name in published} == published
    view, _ = pellucid.open(tmp_path / "w").add("v", files[0], split="validation")
    version = view.version_or_draft("m")
    version.add_predictions(files[1])
    assert_close(
        compute_coco_metrics(version.results().evaluation, VALIDATION).stats.values(),
        figures.values(),
    )


def test_two_triangles_in_the_same_box_do_not_match(tmp_path):
    """The boxes are equal, the masks share nothing."""
    square = {"id": 1, "file_name": "1.png", "width": 20, "height": 20}
    masked = reference.MaskedSet(
        {
            "images": [square],
            "categories": [{"id": 1, "name": "c1"}],
            "annotations": [
                {
                    "id": 1,
                    "image_id": 1,
                    "category_id": 1,
                    "bbox": [0, 0, 20, 20],
                    "area": 200,
                    "segmentation": [[0, 0, 18, 0, 0, 18]],
                }
            ],
        }
    )
    pixels = reference.pixels_of([[20, 2, 20, 20, 2, 20]], 20, 20)
    masked.results = [
        {
            "image_id": 1,
            "category_id": 1,
            "score": 0.9,
            "bbox": [0, 0, 20, 20],
            "segmentation": reference.encode(pixels),
        }
    ]
    folder = masked.write(tmp_path)
    assert pellucid.coco_figures(folder / "gt.json", folder / "dt.json")["AP"] == 0
    assert (
        pellucid.coco_figures(folder / "gt.json", folder / "dt.json", geometry="box")["AP50"]
        > 0.999
    )
