"""The command line and its JSON, as other programs rely on them."""

import json
import subprocess
import sys

import pytest

import pellucid
import toys


def run(*words):
    return toys.run_cli(*words)


def test_the_module_runs_as_a_program(folder):
    command = [sys.executable, "-m", "pellucid", "list", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [view["view"] for view in json.loads(done.stdout)["views"]] == ["panels"]


def answer(*words):
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The contract's own example of a path through it, by the command line alone."""
    base = tmp_path_factory.mktemp("contract")
    source = toys.coco(base)
    for words in (
        ("add", base / "w", "panels", source, "--images", base / "images"),
        ("start", base / "w", "panels", "v1", "--iou", "0.5"),
        ("predictions", base / "w", "panels", "v1", toys.results(base)),
    ):
        done = run(*words)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return base / "w"


def test_gallery_json_lists_items_with_position_outcome_and_cause(folder):
    page = answer(
        "gallery", folder, "panels", "v1", "--tab", "all", "--concept", "dent", "--threshold", "0.5"
    )
    assert {name: page[name] for name in page if name != "items"} == {
        "view": "panels",
        "version": "v1",
        "split": "validation",
        "tab": "all",
        "concept": "dent",
        "threshold": 0.5,
        "total": 3,
        "threshold_position": 2,
    }
    assert page["items"] == [
        {
            "position": 0,
            "image": "a/one.png",
            "concept": "dent",
            "score": 0.9,
            "box": [11.0, 10.0, 20.0, 20.0],
            "outcome": "matched",
            "iou": pytest.approx(380 / 420),
            "best_match": None,
            "cause": None,
        },
        {
            "position": 1,
            "image": "a/one.png",
            "concept": "dent",
            "score": 0.6,
            "box": [40.0, 30.0, 10.0, 10.0],
            "outcome": "missing",
            "iou": None,
            "best_match": None,
            "cause": "background",
        },
        {
            "position": 2,
            "image": "a/two.png",
            "concept": "dent",
            "score": 0.4,
            "box": [0.0, 0.0, 30.0, 25.0],
            "outcome": "below",
            "iou": None,
            "best_match": None,
            "cause": None,
        },
    ]


def test_best_match_of_an_extra_box(folder):
    page = answer("gallery", folder, "panels", "v1", "--tab", "extra", "--threshold", "0.5")
    assert page["threshold"] == 0.5
    assert page["items"] == [
        {
            "position": 0,
            "image": "a/two.png",
            "concept": "dent",
            "score": None,
            "box": [0.0, 0.0, 30.0, 30.0],
            "outcome": "extra",
            "iou": None,
            "best_match": {"iou": pytest.approx(25 / 30), "score": 0.4},
            "cause": "below_threshold",
        },
    ]


def test_pages_of_all_concepts(folder):
    whole = answer("gallery", folder, "panels", "v1", "--tab", "all", "--limit", "0")
    assert (whole["concept"], whole["threshold"], whole["threshold_position"], whole["total"]) == (
        None,
        None,
        None,
        4,
    )
    assert [item["score"] for item in whole["items"]] == [0.9, 0.8, 0.6, 0.4]
    backwards = answer(
        "gallery",
        folder,
        "panels",
        "v1",
        "--tab",
        "all",
        "--reverse",
        "--offset",
        "1",
        "--limit",
        "2",
    )
    assert [(item["position"], item["score"]) for item in backwards["items"]] == [
        (1, 0.6),
        (2, 0.8),
    ]
    assert (
        answer("gallery", folder, "panels", "v1", "--tab", "all", "--offset", "99")["items"] == []
    )


def test_thresholds_json_has_an_entry_for_each_concept(folder):
    entries = answer("thresholds", folder, "panels", "v1")
    assert [entry["concept"] for entry in entries] == ["dent", "rust"]
    assert set(entries[0]) >= {
        "concept",
        "threshold",
        "source",
        "errors",
        "tp",
        "fp",
        "fn",
        "annotations",
        "equally_good",
        "interval",
    }
    dent = entries[0]
    assert (
        dent["threshold"],
        dent["source"],
        dent["errors"],
        dent["tp"],
        dent["fp"],
        dent["fn"],
        dent["annotations"],
    ) == (
        0.4,
        "validation",
        1,
        2,
        1,
        0,
        2,
    )


def test_metrics_json_has_overall_figures_and_those_of_concepts(folder):
    document = answer("metrics", folder, "panels", "v1")
    assert {
        name: document[name] for name in ("view", "version", "kind", "split", "images", "covered")
    } == {
        "view": "panels",
        "version": "v1",
        "kind": "detection",
        "split": "validation",
        "images": 2,
        "covered": 2,
    }
    assert document["overall"]["errors"] == 1
    dent = document["concepts"][0]
    assert (dent["concept"], dent["threshold"], dent["tp"], dent["fp"], dent["fn"]) == (
        "dent",
        0.4,
        2,
        1,
        0,
    )
    assert (dent["precision"], dent["recall"], dent["f1"]) == pytest.approx((2 / 3, 1, 0.8))


def test_undefined_metric_is_null(tmp_path):
    source = toys.coco(
        tmp_path,
        categories=[
            {"id": 1, "name": "dent"},
            {"id": 2, "name": "rust"},
            {"id": 3, "name": "never"},
        ],
        pictures=False,
    )
    for words in (
        ("add", tmp_path / "w", "v", source),
        ("predictions", tmp_path / "w", "v", "m", toys.results(tmp_path)),
    ):
        assert run(*words).returncode == 0
    never = answer("metrics", tmp_path / "w", "v", "m")["concepts"][2]
    assert (never["precision"], never["recall"], never["f1"]) == (None, None, None)
    assert answer("thresholds", tmp_path / "w", "v", "m")[2]["source"] == "fallback"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["add"],
        ["start"],
        ["predictions"],
        ["thresholds"],
        ["metrics"],
        ["gallery"],
        ["serve"],
        ["open"],
        ["demo"],
    ],
)
def test_every_command_has_help(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_tables_on_the_terminal(folder):
    for words in (["thresholds"], ["metrics"], ["gallery", "--tab", "missing"]):
        done = run(words[0], folder, "panels", "v1", *words[1:])
        assert done.returncode == 0
        assert "dent" in done.stdout


def test_history_json_lists_decisions_oldest_first(folder):
    view = pellucid.open(folder).view("panels")
    version = view.version("v1")
    view.reviews.decide(version, version.gallery("missing")[:1], "wrong", "Ann", reason="plain")
    view.reviews.undo("Ann")
    first, second = answer("history", folder, "panels")
    assert {"id", "when", "who", "action", "image", "concept", "before", "after", "reason"} <= set(
        first
    )
    assert (
        first["who"],
        first["action"],
        first["image"],
        first["concept"],
        first["before"],
        first["reason"],
    ) == (
        "Ann",
        "add",
        "a/one.png",
        "dent",
        [],
        "plain",
    )
    assert first["after"] == [
        {"concept": "dent", "box": [40.0, 30.0, 10.0, 10.0], "value": "positive"}
    ]
    assert (second["action"], second["image"], second["before"], second["after"]) == (
        "undo",
        "a/one.png",
        first["after"],
        [],
    )
