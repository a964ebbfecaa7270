"""What fixing mistakes would gain equals the reference implementation's numbers (tidecv), on
real and on drawn data."""

import json
import random

import pytest
from tidecv import TIDE
from tidecv.data import Data

import pellucid
import toys
from pellucid.analysis.tide import tide_report

NAMES = {"cls": "Cls", "loc": "Loc", "both": "Both", "dupe": "Dupe", "bkg": "Bkg", "miss": "Miss"}


def reference(annotations, predictions, images):
    """tidecv's own run; images in the order in which ours are."""
    truth, said = Data("truth"), Data("said")
    for image in images:
        truth._make_default_image(image)
        for one in annotations:
            if one["image_id"] == image and one.get("iscrowd"):
                truth.add_ignore_region(image, one["category_id"], one["bbox"], None)
            elif one["image_id"] == image:
                truth.add_ground_truth(image, one["category_id"], one["bbox"], None)
    for one in predictions:
        if one["image_id"] in images:
            said.add_detection(one["image_id"], one["category_id"], one["score"], one["bbox"], None)
    run = TIDE().evaluate(truth, said, mode=TIDE.BOX)
    gains = {kind.short_name: value for kind, value in run.fix_main_errors().items()}
    special = {kind.short_name: value for kind, value in run.fix_special_errors().items()}
    return (
        run.ap,
        gains,
        special,
        {kind.short_name: number for kind, number in run.count_errors().items()},
    )


def agree(found, expected):
    ap, gains, special, numbers = expected
    assert 100 * found.ap == pytest.approx(ap, abs=1e-9)
    assert {NAMES[kind]: 100 * gain for kind, gain in found.ap_gains.items()} == pytest.approx(
        gains, abs=1e-9
    )
    assert {NAMES[kind]: number for kind, number in found.error_counts.items()} == numbers
    assert 100 * found.false_positive_gain == pytest.approx(special["FalsePos"], abs=1e-9)
    assert 100 * found.false_negative_gain == pytest.approx(special["FalseNeg"], abs=1e-9)


@pytest.mark.shared
@pytest.mark.parametrize(
    "model",
    [
        pytest.param("mb3-centernet", marks=pytest.mark.slow),
        "nanodet",
        pytest.param("yolov3-tiny", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("annotations", ["instances_val2017.json", "instances_plus_crowd.json"])
def test_on_coco256(shared, workspace, model, annotations):
    folder = shared / "coco256"
    truth = json.loads((folder / "annotations" / annotations).read_text())
    view, _ = workspace.add("v", folder / "annotations" / annotations, split="validation")
    version = view.start("m")
    version.add_predictions(folder / "predictions" / model / "coco_results.json")
    said = json.loads((folder / "predictions" / model / "coco_results.json").read_text())
    images = sorted(image["id"] for image in truth["images"])
    agree(tide_report(version.evaluation, 1), reference(truth["annotations"], said, images))


@pytest.mark.parametrize("seed", range(25))
def test_on_random_boxes(tmp_path, seed):
    """Few concepts, crowded images, duplicates, near misses and swaps; scores differ, as tidecv
    settles ties by its own order."""
    chance = random.Random(seed)
    images = list(range(1, 7))
    annotations = [
        {
            "id": number + 1,
            "image_id": chance.choice(images),
            "category_id": chance.randint(1, 2),
            "bbox": [
                chance.randint(0, 30),
                chance.randint(0, 20),
                chance.randint(4, 14),
                chance.randint(4, 14),
            ],
        }
        for number in range(chance.randint(1, 16))
    ]
    predictions = []
    for one in annotations:
        for _ in range(chance.randint(0, 3)):
            left, top, width, height = one["bbox"]
            shift = chance.choice([0, 1, 2, 5])
            predictions.append(
                {
                    "image_id": one["image_id"],
                    "category_id": chance.choice([one["category_id"]] * 3 + [1, 2]),
                    "bbox": [left + shift, top, width, height + chance.randint(0, 4)],
                    "score": chance.random(),
                }
            )
    predictions += [
        {
            "image_id": chance.choice(images),
            "category_id": chance.randint(1, 2),
            "bbox": [chance.randint(0, 50), chance.randint(0, 30), 8, 8],
            "score": chance.random(),
        }
        for _ in range(chance.randint(1, 6))
    ]
    named = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48} for number in images
    ]
    source = toys.coco(tmp_path, images=named, annotations=annotations, pictures=False)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, predictions))
    agree(tide_report(version.evaluation, 1), reference(annotations, predictions, images))


def test_undefined_tide_is_none(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, annotations=[]))
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, []))
    assert tide_report(version.evaluation, 1) is None
    assert version.results().causes().ap is None
