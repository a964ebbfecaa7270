"""A version looked at with other thresholds, another IoU, or on some of its images."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

import pellucid
import toys
from pellucid.browse.query import ListQuery
from pellucid.core.errors import MalformedFileError
from pellucid.ingest.threshold_file import load_threshold_file
from pellucid.results.errors import FilterError, ObjectiveNotReachedError, UnknownColumnError

CONCEPTS = ["cat", "dog"]


@pytest.fixture(params=["detection", "tagging", "classification"])
def version(request, tmp_path):
    """Sixty images with a weather column; scores that are right more often than not."""
    rng = np.random.default_rng(5)
    kind = request.param
    images = [f"{i:02}.png" for i in range(60)]
    truth = rng.choice(CONCEPTS, 60)
    annotations = {
        "image": images,
        "concept": truth.tolist(),
        "weather": ["rain" if i % 3 else "sun" for i in range(60)],
    }
    rows = [(i, c) for i in range(60) for c in CONCEPTS]
    predictions = {
        "image": [images[i] for i, _ in rows],
        "concept": [c for _, c in rows],
        "score": [0.4 * (truth[i] == c) + 0.6 * rng.random() for i, c in rows],
    }
    if kind == "detection":
        for table in (annotations, predictions):
            size = len(table["image"])
            table |= {"x": [0.0] * size, "y": [0.0] * size, "height": [20.0] * size}
        annotations["width"] = [20.0] * 60
        predictions["width"] = rng.uniform(8, 20, len(rows)).tolist()
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind=kind)
    version = view.start("m")
    version.add_predictions(predictions)
    return version


def cli(version, command, *options):
    words = (version.view.workspace.folder, version.view.name, version.name)
    return toys.run_cli(command, *words, *options)


def document(version, command, *options):
    done = cli(version, command, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_image(results, split="validation"):
    counts = {}
    for tab, name in (("matched", "tp"), ("missing", "fp"), ("extra", "fn")):
        counts[name] = Counter(item.image for item in results.gallery(ListQuery(tab, split)))
    return counts


@pytest.mark.parametrize("order", ["errors", "fp", "fn", "score"])
def test_ranked_images_are_those_of_the_tabs(version, order):
    results = version.results()
    counts = by_image(results)
    page = document(version, "images", "--order", order, "--limit", "0")
    assert page["total"] == 60
    assert {item["image"] for item in page["items"]} == set(version.evaluation.images.path)
    for item in page["items"]:
        assert (item["tp"], item["fp"], item["fn"]) == tuple(
            counts[name][item["image"]] for name in ("tp", "fp", "fn")
        )
        assert item["errors"] == item["fp"] + item["fn"]
    if order != "score":
        values = [item[order] for item in page["items"]]
        assert values == sorted(values, reverse=True)
    second = document(version, "images", "--order", order, "--offset", "3", "--limit", "2")
    assert second["items"] == page["items"][3:5]


def test_metrics_of_some_images_are_those_of_an_import_of_them(version, tmp_path):
    """Held against a version with the other images left out, at the same thresholds."""
    results = version.results()
    rainy = results.on_images(["where:weather=rain"])
    assert rainy.thresholds.tolist() == results.thresholds.tolist()
    names = {f"{i:02}.png" for i in range(60) if i % 3}
    metrics, counts = rainy.metrics(), by_image(results)
    assert metrics.covered == len(names)
    for name in ("tp", "fp", "fn"):
        expected = sum(count for image, count in counts[name].items() if image in names)
        assert sum(getattr(concept, name) for concept in metrics.concepts) == expected
    printed = document(version, "metrics", "--only", "where:weather=rain")
    assert printed["overall"]["errors"] == metrics.overall.errors


def test_metrics_of_images_by_a_text_in_their_path(version):
    results = version.results()
    counts = by_image(results)
    metrics = results.on_images(["file:1"]).metrics()
    names = {f"{i:02}.png" for i in range(60) if "1" in f"{i:02}.png"}
    assert metrics.covered == len(names)
    expected = sum(count for image, count in counts["fn"].items() if image in names)
    assert sum(concept.fn for concept in metrics.concepts) == expected
    both = results.on_images(["file:1", "where:weather=rain"]).metrics()
    assert both.covered == sum(int(name[:2]) % 3 > 0 for name in names)
    with pytest.raises(FilterError, match="part of an image's path"):
        results.on_images(["file:holiday"])


def test_metrics_by_a_column_add_up(version):
    rows = document(version, "metrics", "--by", "weather")["rows"]
    assert [(row["value"], row["covered"]) for row in rows] == [("rain", 40), ("sun", 20)]
    total = version.metrics().overall.errors
    assert sum(row["overall"]["errors"] for row in rows) == total
    for value in ("rain", "sun"):
        alone = version.results().on_images([f"where:weather={value}"]).metrics()
        assert version.results().metrics_by("weather")[value] == alone
    printed = cli(version, "metrics", "--by", "weather").stdout
    assert "rain" in printed
    assert "sun" in printed


def test_unknown_columns_and_item_filters_are_refused(version):
    with pytest.raises(UnknownColumnError, match="Did you mean 'weather'"):
        version.results().metrics_by("wether")
    for clause in ("cause:background", "where:nothing=1", "where:weather=1..2", "weather"):
        with pytest.raises(FilterError):
            version.results().on_images([clause])
    assert cli(version, "metrics", "--only", "score:0..1").returncode == 2


def test_thresholds_by_option_and_by_file(version, tmp_path):
    expected = version.results(thresholds={"cat": 0.7, "dog": 0.5}).metrics()
    files = {
        "t.json": '[{"concept": "cat", "threshold": 0.7}, {"concept": "dog", "threshold": 0.5}]',
        "o.json": '{"cat": 0.7, "dog": 0.5}',
        "t.csv": "concept,threshold\ncat,0.7\ndog,0.5\n",
    }
    for name, text in files.items():
        path = toys.write(tmp_path / name, text)
        printed = document(version, "metrics", "--thresholds", path)
        assert printed["overall"]["errors"] == expected.overall.errors, name
        assert [concept["threshold"] for concept in printed["concepts"]] == [0.7, 0.5]
    options = ("--threshold", "cat=0.7", "--threshold", "dog=0.5")
    assert document(version, "metrics", *options)["overall"]["errors"] == expected.overall.errors
    gallery = document(version, "gallery", "--tab", "missing", "--limit", "0", *options)
    assert gallery["total"] == sum(concept.fp for concept in expected.concepts)
    overridden = ("--thresholds", tmp_path / "t.csv", "--threshold", "cat=0.9")
    assert [c["threshold"] for c in document(version, "metrics", *overridden)["concepts"]] == [
        0.9,
        0.5,
    ]
    assert cli(version, "metrics", "--threshold", "bird=0.5").returncode == 3
    for wrong in ("nan", "x", "=0.5", "cat="):
        assert cli(version, "metrics", "--threshold", wrong).returncode == 2, wrong


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "[]",
        "[" * 100_000,
        '{"cat": 0.5, "cat": 0.7}',
        "concept,threshold\ncat,\n",
        "{",
        "a,b\n1,2\n",
        '{"cat": "x"}',
        '{"cat": true}',
        "concept,threshold\na,1\na,2\n",
    ],
)
def test_unreadable_threshold_files_are_refused(tmp_path, text):
    path = toys.write(tmp_path / "t", text)
    with pytest.raises(MalformedFileError, match="t: "):
        load_threshold_file(path)


def test_exported_thresholds_are_read_back(version, tmp_path):
    path = tmp_path / "thresholds.json"
    words = (version.view.workspace.folder, "v", "--what", "thresholds", "--version", "m")
    done = toys.run_cli("export", *words, "--format", "json", "--output", path)
    assert done.returncode == 0, done.stderr
    printed = document(version, "metrics", "--thresholds", path)
    assert printed["overall"]["errors"] == version.metrics().overall.errors
    chosen = ("--threshold", "cat=0.625", "--format", "csv", "--output", tmp_path / "chosen.csv")
    assert toys.run_cli("export", *words, *chosen).returncode == 0
    assert load_threshold_file(tmp_path / "chosen.csv")["cat"] == 0.625, "as they are shown"


def test_an_objective_sets_the_threshold_of_each_concept(version):
    results = version.results().at_objective("recall:0.4")
    for concept in results.metrics().concepts:
        assert concept.recall >= 0.4
        assert (
            concept.threshold
            == version.results().threshold_for("recall:0.4", concept.concept).threshold
        )
    printed = document(version, "metrics", "--objective", "recall:0.4")
    assert printed["overall"]["errors"] == results.metrics().overall.errors
    assert cli(version, "metrics", "--objective", "f1", "--threshold", "0.5").returncode == 2
    assert cli(version, "metrics", "--objective", "luck").returncode in (2, 3)


def test_an_objective_out_of_reach_names_the_concepts(tmp_path):
    annotations = {"image": ["a.png", "b.png"], "concept": ["cat", "dog"]}
    predictions = {"image": ["a.png", "b.png"], "concept": ["dog", "cat"], "score": [0.9, 0.8]}
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind="tagging")
    version = view.start("m")
    version.add_predictions(predictions)
    with pytest.raises(ObjectiveNotReachedError, match="'cat', 'dog'"):
        version.results().at_objective("recall:0.5")
    allowed = version.results().at_objective("recall:0.5", given=("cat", "dog"))
    assert allowed.thresholds.tolist() == version.results().thresholds.tolist()


def test_another_iou(tmp_path):
    annotations = {
        "image": ["a.png"],
        "concept": ["cat"],
        "x": [0],
        "y": [0],
        "width": [10],
        "height": [10],
    }
    predictions = {**annotations, "width": [7], "score": [0.9]}
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind="detection")
    version = view.start("m")
    version.add_predictions(predictions)
    assert document(version, "metrics")["overall"]["errors"] == 0
    assert document(version, "metrics", "--iou", "0.75")["overall"]["errors"] == 1


def test_columns_are_matched_by_their_values(tmp_path):
    size = 30
    annotations = {
        "image": [f"{i}.png" for i in range(size)],
        "concept": ["cat", "dog"] * 15,
        "site": ["Paris"] * size,
        "grade": [str(i % 3) for i in range(size)],
        "name": [f"n{i}" for i in range(size)],
    }
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations)
    version = view.start("m")
    version.add_predictions(
        {**{k: annotations[k] for k in ("image", "concept")}, "score": [0.9] * size}
    )
    for clause, count in (
        ("where:site=Paris", 30),
        ("where:grade=1", 10),
        ("where:grade=1.0", 10),
        ("where:grade=1..", 20),
        ("where:grade=0..2", 20),
        ("where:name=n7|n8", 2),
    ):
        assert version.results().on_images(clause).metrics().covered == count, clause
    for clause in ("where:site=Rome", "where:name=0..1"):
        with pytest.raises(FilterError):
            version.results().on_images(clause)
    assert list(version.results().on_images("where:grade=1").metrics_by("grade")) == ["1"]


def test_numbers_that_are_none_are_refused(version):
    assert cli(version, "metrics", "--iou", "nan").returncode == 2
    assert cli(version, "compare", version.name, "--tolerance", "nan").returncode == 2
    for iou in (0, -1, 2, float("nan")):
        with pytest.raises(ValueError, match="iou"):
            version.results(iou=iou)


def test_chosen_thresholds_survive_another_iou(version):
    both = version.results(thresholds=0.6, iou=0.6)
    one_by_one = version.results(thresholds=0.6).at_iou(0.6)
    assert one_by_one.metrics() == both.metrics()
    assert one_by_one.common_threshold == 0.6


def test_ranked_images_are_a_sequence(version):
    ranking = version.results().images()
    assert [image.image for image in ranking] == [image.image for image in ranking.page(0, None)]
    assert ranking[0] == ranking.page(0, 1)[0]
    assert ranking[-1].image == list(ranking)[-1].image


def test_objectives_are_for_annotated_concepts(tmp_path):
    annotations = {"image": [f"{i}" for i in range(10)], "concept": ["cat"] * 5 + ["dog"] * 5}
    scores = [
        (str(i), concept, 0.8 if (concept == "cat") == (i < 5) else 0.1)
        for i in range(10)
        for concept in ("cat", "dog")
    ]
    scores += [(str(i), "car", 0.9 if i == 0 else 0.05) for i in range(10)]
    predictions = dict(zip(("image", "concept", "score"), zip(*scores, strict=True), strict=True))
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind="classification")
    version = view.start("m")
    version.add_predictions({name: list(values) for name, values in predictions.items()})
    results = version.results().at_objective("precision:0.9")
    optimal = version.results()
    car = optimal.concept_index("car")
    assert results.thresholds[car] == optimal.thresholds[car]


def test_a_concept_without_predictions_cannot_reach_a_recall(tmp_path):
    annotations = {"image": ["a", "b"], "concept": ["cat", "dog"]}
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind="tagging")
    version = view.start("m")
    version.add_predictions({"image": ["a"], "concept": ["cat"], "score": [0.9]})
    with pytest.raises(ObjectiveNotReachedError, match="'dog'"):
        version.results().at_objective("recall:0.5")
    version.results().at_objective("f1")
