"""The COCO figures equal pycocotools' to 1e-9: on published sets, on real detectors, on made
cases full of ties and crowd."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import average_precision_score

import pellucid
from pellucid.evaluation.coco_metrics import compute_coco_metrics
from pellucid.evaluation.metrics import compute_metrics
from references import plain
from references.columns import evaluated

NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
PUBLISHED = [
    0.5045806987249628,
    0.6969727247299577,
    0.5729816669904824,
    0.5856257209410443,
    0.5193996948036719,
    0.5013978986347466,
    0.38681277964578054,
    0.5936795762842003,
    0.595352982877607,
    0.6398109626113442,
    0.5664205978994309,
    0.5642905982905982,
]
"""Of COCO's own fake results on 100 images of val2014 (cocodataset/cocoapi)."""
MODELS = ["nanodet", "yolov3-tiny", "mb3-centernet"]


def judged(annotations, results):
    """(twelve figures, AP and AP50 per category) by pycocotools; -1 as None."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    precision = judge.eval["precision"][:, :, :, 0, 2]
    per_category = [precision[:, :, place] for place in range(precision.shape[2])]
    return [none(value) for value in judge.stats], [
        [none(one[one > -1].mean() if (one > -1).any() else -1) for one in values]
        for values in (per_category, [one[0] for one in per_category])
    ]


def none(value):
    return None if value == -1 else float(value)


def close(ours, theirs):
    assert [value is None for value in ours] == [value is None for value in theirs]
    assert [value for value in ours if value is not None] == pytest.approx(
        [value for value in theirs if value is not None], abs=1e-9
    )


@pytest.mark.shared
def test_published_metrics(shared, workspace):
    folder = shared / "golden/coco_val2014_100"
    view, _ = workspace.add("v", folder / "instances_val2014_100.json")
    version = view.start("m")
    version.add_predictions(folder / "instances_val2014_fakebbox100_results.json")
    coco = version.metrics().overall.coco
    assert list(coco) == NAMES
    close(list(coco.values()), PUBLISHED)
    straight = pellucid.coco_figures(
        folder / "instances_val2014_100.json", folder / "instances_val2014_fakebbox100_results.json"
    )
    close(list(straight.values()), PUBLISHED)


@pytest.mark.shared
@pytest.mark.parametrize(
    "model",
    ["nanodet", *(pytest.param(name, marks=pytest.mark.slow) for name in MODELS[1:])],
)
@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param("instances", marks=pytest.mark.slow),
        pytest.param("instances_train2017", marks=pytest.mark.slow),
        pytest.param("instances_val2017", marks=pytest.mark.slow),
        "instances_plus_crowd",
    ],
)
def test_real_detectors(shared, workspace, model, annotations):
    folder = shared / "coco256"
    source, results = (
        folder / f"annotations/{annotations}.json",
        folder / f"predictions/{model}/coco_results.json",
    )
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(results)
    document = json.loads(source.read_text())
    known = {image["id"] for image in document["images"]}
    figures, per_category = judged(
        document, [one for one in json.loads(results.read_text()) if one["image_id"] in known]
    )
    found = version.metrics()
    close(list(pellucid.coco_figures(source, results).values()), figures)
    close(list(found.overall.coco.values()), figures)
    close([one.ap for one in found.concepts], per_category[0])
    close([one.ap50 for one in found.concepts], per_category[1])


@st.composite
def crowded(draw):
    """Boxes of every range of area about a few places, so that pairs overlap; scores that tie;
    crowd; empty images."""
    side = st.sampled_from([8.0, 20.0, 32.0, 33.0, 60.0, 96.0, 97.0, 150.0])
    place = st.sampled_from([0.0, 1.0, 3.0, 10.0])
    box = st.tuples(place, place, side, side)
    images = {
        f"{number}.jpg": {"split": "validation", "stated": "closed", "covered": True}
        for number in range(draw(st.integers(1, 4)))
    }
    concepts = ["a", "b"][: draw(st.integers(1, 2))]
    notes = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "image": st.sampled_from(list(images)),
                    "concept": st.sampled_from(concepts),
                    "box": box,
                    "ignore": st.sampled_from([False, False, False, True]),
                    "positive": st.just(True),
                }
            ),
            max_size=10,
        )
    )
    guesses = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "image": st.sampled_from(list(images)),
                    "concept": st.sampled_from(concepts),
                    "box": box,
                    "score": st.sampled_from([0.1, 0.3, 0.5, 0.5, 0.7, 0.9]),
                }
            ),
            min_size=1,
            max_size=25,
        )
    )
    many = draw(st.sampled_from([1, 1, 1, 6]))
    return plain.Case("detection", concepts, images, notes, guesses * many)


@given(case=crowded())
def test_synthetic_cases(case):
    identity = {path: place + 1 for place, path in enumerate(case.images)}
    number = {concept: place + 1 for place, concept in enumerate(case.concepts)}
    annotations = [
        {
            "id": place + 1,
            "image_id": identity[one["image"]],
            "category_id": number[one["concept"]],
            "bbox": list(one["box"]),
            "area": one["box"][2] * one["box"][3],
            "iscrowd": int(one["ignore"]),
        }
        for place, one in enumerate(case.annotations)
    ]
    document = {
        "images": [{"id": one} for one in identity.values()],
        "annotations": annotations,
        "categories": [{"id": one} for one in number.values()],
    }
    results = [
        {
            "image_id": identity[one["image"]],
            "category_id": number[one["concept"]],
            "bbox": list(one["box"]),
            "score": one["score"],
        }
        for one in case.predictions
    ]
    figures, per_category = judged(document, results)
    found = compute_coco_metrics(evaluated(case), 1)
    close(list(found.stats.values()), figures)
    for ours, theirs in zip((found.ap, found.ap50), per_category, strict=True):
        close([None if np.isnan(value) else value for value in ours], theirs)


@given(data=st.data())
def test_tags_equal_scikit_learn(data):
    number = data.draw(st.integers(1, 12))
    images = {
        f"{place:02d}.jpg": {"split": "validation", "stated": "closed", "covered": True}
        for place in range(number)
    }
    right = data.draw(st.lists(st.booleans(), min_size=number, max_size=number))
    scores = data.draw(
        st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9, 1.0]), min_size=number, max_size=number)
    )
    notes = [
        {"image": path, "concept": "a", "box": None, "ignore": False, "positive": True}
        for path, one in zip(images, right, strict=True)
        if one
    ]
    guesses = [
        {"image": path, "concept": "a", "score": score, "box": None}
        for path, score in zip(images, scores, strict=True)
    ]
    found = compute_metrics(
        evaluated(plain.Case("tagging", ["a"], images, notes, guesses)),
        "validation",
        np.array([0.5]),
    )
    expected = average_precision_score(right, scores) if any(right) else None
    close([found.concepts[0].ap], [expected])
    assert found.overall.map == found.concepts[0].ap


@pytest.mark.shared
def test_digits_equal_scikit_learn(shared, workspace):
    from sklearn.metrics import top_k_accuracy_score

    folder = shared / "mnist_test_labelerrors"
    view, _ = workspace.add("digits", folder / "labels.csv", kind="classification")
    version = view.start("cv")
    version.add_predictions(folder / "pred_cleanlab_cv.csv")
    truth = np.loadtxt(folder / "labels.csv", delimiter=",", skiprows=1, usecols=1).astype(int)
    scores = np.loadtxt(
        folder / "pred_cleanlab_cv.csv", delimiter=",", skiprows=1, usecols=range(1, 11)
    )
    found = version.metrics()
    close(
        [one.ap for one in found.concepts],
        [average_precision_score(truth == digit, scores[:, digit]) for digit in range(10)],
    )
    close([found.overall.top5_accuracy], [top_k_accuracy_score(truth, scores, k=5)])
