"""Two versions compared: what the command says, in every form, and when it fails."""

import json
import re
from xml.etree import ElementTree

import pytest

import pellucid
import toys
from pellucid.analysis.verdict import CountChange
from pellucid.results.errors import EmptySplitError


@pytest.fixture
def versions(workspace, tmp_path):
    """Forty pictures of a dent and a rust each: `good` finds all; `worse` misses the dents of
    thirty and sees rust where none is."""
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
        for number in range(40)
    ]
    notes = [
        {
            "id": 2 * number + kind,
            "image_id": number,
            "category_id": 1 + kind,
            "bbox": [5 + 25 * kind, 5, 10, 10],
        }
        for number in range(40)
        for kind in (0, 1)
    ]
    view, _ = workspace.add(
        "v", toys.coco(tmp_path, images=images, annotations=notes, pictures=False)
    )
    good = [
        {
            "image_id": note["image_id"],
            "category_id": note["category_id"],
            "bbox": note["bbox"],
            "score": 0.9,
        }
        for note in notes
    ]
    worse = [row for row in good if row["category_id"] == 2 or row["image_id"] >= 30]
    worse += [
        {"image_id": number, "category_id": 2, "bbox": [5, 30, 10, 10], "score": 0.95}
        for number in range(4)
    ]
    for name, rows in (("good", good), ("worse", worse)):
        view.start(name).add_predictions(toys.results(tmp_path, rows, f"{name}.json"))
    return view, view.version("good"), view.version("worse")


def run(view, *words):
    return toys.run_cli("compare", view.workspace.folder, "v", *words)


def test_fixed_and_broken_annotations(versions):
    _, good, worse = versions
    found = good.compare(worse)
    assert (found.overall.compared, found.overall.fixed, found.overall.broken) == (80, 0, 30)
    assert (found.overall.both_right, found.overall.still_wrong) == (50, 0)
    assert (found.overall.false_alarms_gone, found.overall.false_alarms_new) == (0, 4)
    assert {one.concept: one.broken for one in found.concepts} == {"dent": 30, "rust": 0}
    assert [one.concept for one in found.regressions] == [None, "dent"], (
        "four new false positives may be chance"
    )
    assert (found.overall.verdict, found.overall.errors) == ("worse", CountChange(0, 34))
    assert [one.verdict for one in found.concepts] == ["worse", "no difference"]
    assert [one.concept for one in found.worst_first] == ["dent", "rust"]
    back = worse.compare(good)
    assert (back.overall.fixed, back.overall.broken, back.regressions) == (30, 0, [])
    assert back.overall.verdict == "better"


def test_compare_command_reports_and_exit_status(versions, tmp_path):
    view, good, worse = versions
    done = run(
        view,
        "good",
        "worse",
        "--json",
        "--fail-on-regression",
        "--markdown",
        str(tmp_path / "c.md"),
        "--junit",
        str(tmp_path / "c.xml"),
    )
    assert done.returncode == 4
    assert "gate failed, worse against good: all concepts: errors 0 → 34" in done.stderr
    assert "gate failed, worse against good: dent: errors 0 → 30" in done.stderr
    document = json.loads(done.stdout)
    assert not document.pop("gate")["passed"]
    assert document == good.compare(worse).document
    assert {
        "a",
        "b",
        "split",
        "compared",
        "fixed",
        "broken",
        "still_wrong",
        "both_right",
        "false_alarms_gone",
        "false_alarms_new",
        "concepts",
        "p_value",
        "p_errors",
    } <= set(document)
    assert (document["verdict"], document["errors"]) == ("worse", {"a": 0, "b": 34})
    text = (tmp_path / "c.md").read_text()
    assert text.startswith("**worse** compared with **good** on validation: worse: 0 → 34 errors")
    assert "| dent | 0 | 30 | 0 | 30 | 0 | 0 | 0 | 30 |" in text
    suite = ElementTree.fromstring((tmp_path / "c.xml").read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "all concepts",
        "dent",
    ]
    passed = run(view, "worse", "good", "--fail-on-regression", "--json")
    assert passed.returncode == 0
    assert json.loads(passed.stdout)["gate"] == {"passed": True, "failures": []}
    assert run(view, "good", "worse").returncode == 0
    assert run(view, "good", "none").returncode == 3


def test_incomparable_versions_are_refused(versions, tmp_path):
    view, good, _ = versions
    more = toys.coco(
        tmp_path,
        "more.json",
        images=[{"id": 99, "file_name": "99.png", "width": 64, "height": 48}],
        pictures=False,
        annotations=[{"id": 1, "image_id": 99, "category_id": 1, "bbox": [1, 1, 9, 9]}],
    )
    view.add(more)
    later = view.start("later", iou=0.75)
    later.add_predictions(
        toys.results(
            tmp_path,
            [{"image_id": 99, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 0.9}],
            "later.json",
        )
    )
    assert good.compare(later).warnings == [
        "1 images of the second version are not in the other version: left out",
        "the versions use different IoU thresholds: 0.5 and 0.75",
    ]
    with pytest.raises(EmptySplitError):
        good.compare(later, "training")


def test_corrected_annotations_are_excluded_and_reported(versions, tmp_path):
    view, good, _ = versions
    item = good.gallery("matched", concept="dent")[0]
    view.reviews.decide(good, [item], "wrong", "Ann")
    later = view.start("later")
    later.add_predictions(tmp_path / "good.json")
    found = good.compare(later)
    assert (found.overall.compared, found.overall.fixed, found.overall.broken) == (79, 0, 0)
    assert found.warnings == ["1 annotations differ between the two versions: left out"]
    assert found.overall.false_alarms_new == 1


def test_multiple_concepts_are_corrected_for_multiple_tests(workspace, tmp_path):
    """Forty concepts of which as many annotations were fixed as broken, at random: none is
    called worse."""
    import numpy as np

    chance = np.random.default_rng(3)
    names = [{"id": 1 + number, "name": f"c{number:02}"} for number in range(40)]
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
        for number in range(60)
    ]
    notes = [
        {
            "id": image * 40 + kind,
            "image_id": image,
            "category_id": 1 + kind,
            "bbox": [1, 1, 20, 20],
        }
        for image in range(60)
        for kind in range(40)
    ]
    view, _ = workspace.add(
        "v", toys.coco(tmp_path, images=images, annotations=notes, categories=names, pictures=False)
    )
    for name in ("a", "b"):
        rows = [
            {
                "image_id": note["image_id"],
                "category_id": note["category_id"],
                "bbox": note["bbox"],
                "score": 0.9,
            }
            for note in notes
            if chance.random() < 0.6
        ]
        view.start(name).add_predictions(toys.results(tmp_path, rows, f"{name}.json"))
    found = view.version("a").compare(view.version("b"))
    assert min(one.p_value for one in found.concepts) < 0.05, "one by one some look worse or better"
    assert found.regressions == []
    assert (
        pellucid.open(workspace.folder).view("v").version("a").compare(view.version("b")).document
        == found.document
    )


def test_names_in_reports_stay_names(tmp_path, workspace):
    """Neither Markdown, HTML nor XML is made of a concept's name."""
    name = "a|b\n# <script>alert(1)</script> [x](http://y) \x01"
    source = toys.coco(tmp_path, categories=[{"id": 1, "name": name}, {"id": 2, "name": "rust"}])
    view, _ = workspace.add("v", source, images=tmp_path / "images")
    for version in ("a", "b"):
        view.start(version).add_predictions(toys.results(tmp_path))
    paths = tmp_path / "r.md", tmp_path / "r.xml"
    done = run(view, "a", "b", "--markdown", str(paths[0]), "--junit", str(paths[1]))
    assert done.returncode == 0, done.stderr
    markdown = paths[0].read_text()
    assert "<script" not in markdown
    assert "[x](" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    cases = ElementTree.parse(paths[1]).getroot().findall("testcase")
    assert any("<script>" in case.get("name") for case in cases)
