"""Values that lie exactly on a boundary: thresholds, ranks, overlaps, areas, caps and intervals."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import average_precision_score

import pellucid
from pellucid.evaluation.bootstrap import percentile_interval


def box_table(rows, scored=False):
    """(image, concept, box[, score]) as columns."""
    columns = {"image": [row[0] for row in rows], "concept": [row[1] for row in rows]}
    for place, side in enumerate(("x", "y", "width", "height")):
        columns[side] = [float(row[2][place]) for row in rows]
    if scored:
        columns["score"] = [row[3] for row in rows]
    return columns


def detection(workspace, annotations, predictions, iou=0.5):
    view, _ = workspace.add("v", box_table(annotations))
    version = view.start("m", iou)
    version.add_predictions(box_table(predictions, scored=True), boxes="xywh-pixels")
    return version


SQUARE = (0, 0, 100, 100)


def test_a_score_equal_to_the_threshold_counts(workspace):
    far = (500, 500, 10, 10)
    version = detection(
        workspace,
        [("a.jpg", "cat", SQUARE)],
        [("a.jpg", "cat", SQUARE, 0.5), ("a.jpg", "cat", far, 0.4)],
    )
    assert len(version.gallery("matched", threshold=0.5)) == 1
    assert len(version.gallery("missing", threshold=0.4)) == 1
    assert version.gallery("all", "cat", threshold=0.5).threshold_position == 1
    after = float(np.nextafter(0.5, 1))
    assert len(version.gallery("matched", threshold=after)) == 0
    assert len(version.gallery("extra", threshold=after)) == 1
    counts = version.results(thresholds=0.5).metrics("validation").concepts[0]
    assert (counts.tp, counts.fp, counts.fn) == (1, 0, 0)


@pytest.mark.parametrize(("rank", "expected"), [(5, 1.0), (6, 0.0)])
def test_top_five_counts_five_concepts(workspace, rank, expected):
    names = [f"c{index}" for index in range(8)]
    rows = {"image": ["a.jpg", *(f"{name}.jpg" for name in names)], "label": ["c0", *names]}
    rows["split"] = ["val", *["train"] * len(names)]
    view, _ = workspace.add("v", rows)
    scores = {f"p_c{index}": [0.5 - index / 100] for index in range(1, 8)}
    scores["p_c0"] = [0.5 - (rank + 0.5) / 100 + 0.01]
    version = view.start("m")
    version.add_predictions({"image": ["a.jpg"], **scores}, split="validation")
    assert version.metrics("validation").overall.top5_accuracy == expected


def test_equally_good_is_the_whole_closed_range(workspace):
    """At both ends the cut makes as few errors; just beyond either end it makes more."""
    rng = np.random.default_rng(2)
    for number in range(12):
        count = 12
        is_match = rng.random(count) < 0.5
        scores = np.round(rng.random(count), 1 + number % 2)
        annotations = [(f"{index}.jpg", "cat", SQUARE) for index in range(count)]
        predictions = [
            (f"{index}.jpg", "cat", SQUARE if is_match[index] else (500, 500, 9, 9), scores[index])
            for index in range(count)
        ]
        view, _ = workspace.add(f"v{number}", box_table(annotations))
        version = view.start("m")
        version.add_predictions(box_table(predictions, scored=True), boxes="xywh-pixels")
        threshold = version.thresholds["cat"]

        def errors(cut, scores=scores, is_match=is_match, count=count):
            is_counted = scores >= cut
            return int((is_counted & ~is_match).sum()) + count - int((is_counted & is_match).sum())

        low, high = threshold.equally_good
        best = min(errors(cut) for cut in [*scores, 2.0])
        assert threshold.errors == best
        assert errors(low) == errors(high) == errors(threshold.value) == best
        cuts = sorted({0.0, *scores, 2.0})
        inside = [cut for cut in cuts if low <= cut <= high]
        assert all(errors(cut) == best for cut in inside)
        above = [cut for cut in cuts if cut > high]
        if above and high < scores.max():
            assert errors(np.nextafter(high, 2)) > best
        if low > scores.min():
            assert errors(np.nextafter(low, -1)) > best


@pytest.mark.parametrize(("width", "cause"), [(10, "badly_placed"), (9, "nothing_there")])
def test_badly_placed_begins_at_an_overlap_of_a_tenth(workspace, width, cause):
    version = detection(
        workspace,
        [("a.jpg", "cat", (0, 0, 100, 1))],
        [("a.jpg", "cat", (0, 0, width, 1), 0.9)],
    )
    extra = version.gallery("extra", threshold=0.5)[0]
    missing = version.gallery("missing", threshold=0.5)[0]
    assert extra.cause == cause
    assert missing.cause == ("badly_placed" if width == 10 else "background")


def test_a_second_box_on_a_matched_annotation_is_a_duplicate(workspace):
    version = detection(
        workspace,
        [("a.jpg", "cat", SQUARE), ("a.jpg", "cat", (300, 300, 50, 50))],
        [
            ("a.jpg", "cat", SQUARE, 0.9),
            ("a.jpg", "cat", (0, 0, 100, 90), 0.8),
            ("a.jpg", "cat", (300, 300, 50, 20), 0.7),
        ],
    )
    causes = [item.cause for item in version.gallery("missing", threshold=0.5)]
    assert causes == ["duplicate", "badly_placed"]


def test_ap_of_tags_leaves_out_unknown_ones(workspace):
    rng = np.random.default_rng(4)
    names = [f"{index}.jpg" for index in range(40)]
    states = rng.choice(["positive", "negative", "unknown"], 40)
    rows = [(name, state) for name, state in zip(names, states, strict=True) if state != "unknown"]
    table = {
        "image": [name for name, _ in rows] + names,
        "concept": ["wet"] * len(rows) + ["other"] * 40,
        "value": [state for _, state in rows] + ["negative"] * 40,
    }
    view, _ = workspace.add("v", table)
    scores = rng.random(40)
    version = view.start("m")
    version.add_predictions({"image": names, "wet": scores, "other": rng.random(40)})
    is_known = states != "unknown"
    expected = average_precision_score(states[is_known] == "positive", scores[is_known])
    found = next(c for c in version.metrics("validation").concepts if c.concept == "wet")
    assert found.ap == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("height", "expected"), [(50, 1.0), (49, 0.0)])
def test_voc_counts_an_overlap_equal_to_the_iou(workspace, height, expected):
    version = detection(
        workspace,
        [("a.jpg", "cat", SQUARE)],
        [("a.jpg", "cat", (0, 0, 100, height), 0.9)],
    )
    assert version.results().voc("validation", 0.5)["cat"] == expected
    assert len(version.gallery("matched", threshold=0.5)) == int(expected)


def reference(annotations, predictions, images):
    """pycocotools' twelve figures; images: name by id."""
    truth, ids = COCO(), {name: image_id for image_id, name in images.items()}
    truth.dataset = {
        "images": [
            {"id": i, "file_name": n, "width": 900, "height": 900} for i, n in images.items()
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {
                "id": index + 1,
                "image_id": ids[name],
                "category_id": 1,
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for index, (name, _, box) in enumerate(annotations)
        ],
    }
    results = [
        {"image_id": ids[name], "category_id": 1, "bbox": list(box), "score": score}
        for name, _, box, score in predictions
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return truth.dataset, results, evaluation.stats


@pytest.mark.parametrize("is_native", [True, False])
@pytest.mark.parametrize("side", [31, 32, 33, 95, 96, 97])
def test_coco_area_bounds_belong_to_both_ranges(tmp_path, monkeypatch, side, is_native):
    if not is_native:
        monkeypatch.setattr("pellucid._native.library", None)
    annotations = [("a.jpg", "cat", (0, 0, side, side)), ("a.jpg", "cat", (300, 300, 200, 200))]
    predictions = [("a.jpg", "cat", (0, 0, side, side), 0.9)]
    truth, results, stats = reference(annotations, predictions, {1: "a.jpg"})
    check_coco(tmp_path, truth, results, stats)


def test_coco_takes_equal_scores_by_image_id(tmp_path):
    """Not by path: the image listed with the lower id comes first."""
    annotations = [("a.jpg", "cat", SQUARE), ("b.jpg", "cat", SQUARE)]
    far = (500, 500, 50, 50)
    for boxes in ((SQUARE, far), (far, SQUARE)):
        predictions = [("a.jpg", "cat", boxes[0], 0.5), ("b.jpg", "cat", boxes[1], 0.5)]
        for images in ({1: "a.jpg", 2: "b.jpg"}, {2: "a.jpg", 1: "b.jpg"}):
            truth, results, stats = reference(
                annotations, predictions, dict(sorted(images.items()))
            )
            check_coco(tmp_path, truth, results, stats)


def check_coco(tmp_path, truth, results, stats):
    import json

    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    figures = pellucid.coco_figures(tmp_path / "truth.json", tmp_path / "results.json")
    found = [-1 if figure is None else figure for figure in figures.values()]
    assert found == pytest.approx(list(stats), abs=1e-9)


@pytest.mark.parametrize(("others", "points"), [(99, True), (100, False)])
def test_tide_takes_a_hundred_boxes_of_an_image(workspace, others, points):
    predictions = [
        ("a.jpg", "cat", (500 + index, 500, 5, 5), 0.9 - index / 1000) for index in range(others)
    ]
    version = detection(
        workspace,
        [("a.jpg", "cat", SQUARE)],
        [*predictions, ("a.jpg", "cat", SQUARE, 0.1)],
    )
    assert (version.results().tide(1).ap > 0) == points


def test_intervals_cover_ninety_percent():
    assert percentile_interval(np.arange(1, 1001, dtype=float)) == (50.0, 950.0)
