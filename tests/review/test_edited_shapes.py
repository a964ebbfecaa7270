"""Outlines, corners and keypoints as a reviewer adjusts them: saved, compared, exported, undone."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

import pellucid
from pellucid.core.outlines import parse_keypoints
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions
from pellucid.review.errors import InvalidDecisionError
from pellucid.review.resolve import Edit
from references import keypoints as posed_reference
from references import masks as masked_reference

SIZE = (90, 120)
SQUARE = [20.0, 20.0, 60.0, 20.0, 60.0, 70.0, 20.0, 70.0]
HOLE = [30.0, 30.0, 50.0, 30.0, 50.0, 50.0, 30.0, 50.0]


def pixels(*rings):
    """The pixels that are inside an odd number of rings, by pycocotools."""
    masks = [coco_mask.decode(coco_mask.frPyObjects([ring], *SIZE))[..., 0] for ring in rings]
    return np.bitwise_xor.reduce(masks)


@pytest.fixture
def masked(tmp_path):
    """One annotated mask and one predicted, in the same place."""
    made = masked_reference.MaskedSet(
        {
            "images": [{"id": 1, "file_name": "1.png", "width": SIZE[1], "height": SIZE[0]}],
            "categories": [{"id": number, "name": f"c{number}"} for number in (11, 12)],
            "annotations": [],
        }
    )
    part = np.zeros(SIZE, np.uint8)
    part[10:30, 10:40] = 1
    made.document["annotations"].append(
        {
            "id": 1,
            "image_id": 1,
            "category_id": 11,
            "segmentation": masked_reference.encode(part),
            "bbox": [10, 10, 30, 20],
            "area": 600,
            "iscrowd": 0,
        }
    )
    part[60:80, 60:90] = 1
    made.results.append(
        {
            "image_id": 1,
            "category_id": 12,
            "segmentation": masked_reference.encode(part),
            "score": 0.9,
        }
    )
    return made.version(tmp_path)[0]


def decide(version, item, **edit):
    version.view.reviews.decide(version, [item], "wrong", "Ann", Edit(**edit))


@pytest.mark.parametrize("rings", [[SQUARE], [SQUARE, HOLE]])
def test_an_outline_takes_the_place_of_the_annotated_one(masked, tmp_path, rings):
    (item,) = masked.gallery("extra")
    decide(masked, item, shape=rings)
    corrected = masked.results(corrected=True).evaluation.annotations
    assert list(corrected.mask.texts()) == [masked_reference.encode(pixels(*rings))["counts"]]
    assert corrected.box.tolist() == [[20, 20, 40, 50]]
    assert corrected.area.tolist() == [pixels(*rings).sum()]
    target = tmp_path / "corrected.json"
    options = ExportOptions(corrected=True)
    export_view(masked.view, "annotations", "coco", target, options=options)
    (exported,) = json.loads(target.read_text())["annotations"]
    np.testing.assert_array_equal(
        masked_reference.pixels_of(exported["segmentation"], *SIZE), pixels(*rings)
    )
    masked.view.reviews.undo("Ann")
    again = masked.results(corrected=True).evaluation.annotations
    assert again.box.tolist() == [[10, 10, 30, 20]]


def test_a_predicted_outline_is_adjusted_and_added(masked):
    (item,) = masked.gallery("missing", threshold=0.0)
    decide(masked, item, shape=[SQUARE], concept="c11")
    corrected = masked.results(corrected=True).evaluation
    names = [corrected.concepts[concept] for concept in corrected.annotations.concept]
    assert names == ["c11", "c11"]
    _, added = corrected.annotations.mask.texts()
    assert added == masked_reference.encode(pixels(SQUARE))["counts"]


def test_a_box_drawn_where_masks_are_compared_is_its_mask(masked):
    (item,) = masked.gallery("missing", threshold=0.0)
    decide(masked, item, box=(60.0, 60.0, 30.0, 22.0))
    corrected = masked.results(corrected=True).evaluation
    sizes = [mask.sum() for mask in masks_of(corrected.annotations)]
    assert sorted(sizes) == [600, 660]


def masks_of(annotations):
    """The pixels of each annotation."""
    return [
        masked_reference.pixels_of({"size": list(SIZE), "counts": text}, *SIZE)
        for text in annotations.mask.texts()
    ]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ([[1.0, 2.0, 3.0, 4.0]], "fewer than three points"),
        ([[1.0, 2.0, 3.0, 4.0, 5.0]], "fewer than three points"),
        ([[1.0, 1.0, 1.1, 1.0, 1.1, 1.1]], "covers no pixel"),
        ([[float("nan"), 1.0, 9.0, 1.0, 9.0, 9.0]], "out of bounds"),
        ([[1e9, 1.0, 9.0, 1.0, 9.0, 9.0]], "out of bounds"),
        ([[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]] * 8000, "too many points"),
    ],
)
def test_what_is_no_outline_is_refused(masked, shape, told):
    (item,) = masked.gallery("extra")
    with pytest.raises(InvalidDecisionError, match=told):
        decide(masked, item, shape=shape)
    assert not masked.view.reviews.history()


def test_points_outside_the_image_cost_nothing(masked):
    """They are moved to the edge: edges are walked step by step."""
    (item,) = masked.gallery("extra")
    far = [-9e5, -9e5, 9e5, -9e5, 9e5, 9e5, -9e5, 9e5]
    decide(masked, item, shape=[far * 501])
    corrected = masked.results(corrected=True).evaluation.annotations
    assert corrected.box.tolist() == [[0, 0, SIZE[1], SIZE[0]]]


def test_keypoints_are_moved_and_hidden(tmp_path):
    version, _ = posed_reference.random_set(3, images=8).version(tmp_path)
    items = version.gallery("extra")
    item = next(i for i in items if len(i.box) == 4)
    points = np.zeros((17, 3))
    points[:5] = [(10 + 3 * n, 12 + 2 * n, 1 + n % 2) for n in range(5)]
    decide(version, item, shape=[points.ravel().tolist()])
    (label,) = version.view.reviews.history()[0].after
    assert parse_keypoints(label.outline).keypoints == points.ravel().tolist()
    assert label.box == item.box
    corrected = version.results(corrected=True).evaluation.annotations.keypoints
    stated = corrected.reshape(len(corrected), 17, -1)[:, :, :3]
    assert any(np.array_equal(row[:5], points[:5]) for row in stated)
    for shape, told in (
        ([[1.0, 2.0, 2.0]], "no 17 keypoints"),
        ([[0.0] * 51], "no labelled keypoint"),
        ([[1.0, 1.0, 5.0] * 17], "no 17 keypoints"),
    ):
        with pytest.raises(InvalidDecisionError, match=told):
            decide(version, items[1], shape=shape)


def test_corners_are_moved(tmp_path):
    labels = tmp_path / "set/labelTxt"
    labels.mkdir(parents=True)
    (labels / "P0.txt").write_text("20 20 60 20 60 40 20 40 plane 0\n")
    results = tmp_path / "results"
    results.mkdir()
    (results / "Task1_plane.txt").write_text("P0 0.9 90 90 110 90 110 100 90 100\n")
    workspace = pellucid.open(tmp_path / "w")
    view, _ = workspace.add("v", tmp_path / "set", split="validation")
    version = view.start("m")
    version.add_predictions(results)
    (item,) = version.gallery("extra")
    corners = [22.0, 18.0, 60.0, 20.0, 58.0, 44.0, 20.0, 40.0]
    decide(version, item, shape=[corners])
    corrected = version.results(corrected=True).evaluation.annotations
    assert sorted(corrected.corners[0].tolist()) == sorted(corners)
    assert corrected.box.tolist() == [[20, 18, 40, 26]]
    for shape, told in (
        ([corners[:6]], "no four corners"),
        ([[20.0, 20, 60, 40, 60, 20, 20, 40]], "cross or fold in"),
    ):
        with pytest.raises(InvalidDecisionError, match=told):
            decide(version, item, shape=shape)


def test_boxes_have_no_outline_to_adjust(tmp_path):
    made = masked_reference.random_set(1, with_boxes=True)
    version, _ = made.version(tmp_path, geometry="box")
    (item, *_) = version.gallery("extra")
    with pytest.raises(InvalidDecisionError, match="boxes are compared"):
        decide(version, item, shape=[SQUARE])
