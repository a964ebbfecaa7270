"""Only what both versions were held to is compared."""

from __future__ import annotations

import pytest

import pellucid
import toys
from pellucid.results.errors import NothingComparedError
from pellucid.results.release_gate import check_gate, shared_metrics

IMAGES = [f"{number:02}.png" for number in range(20)]


def boxes(rows):
    """A table of (image, concept, left) or (image, concept, left, score)."""
    table = {
        "image": [row[0] for row in rows],
        "concept": [row[1] for row in rows],
        "x": [float(row[2]) for row in rows],
        "y": [10.0] * len(rows),
        "width": [50.0] * len(rows),
        "height": [50.0] * len(rows),
    }
    return table | ({"score": [row[3] for row in rows]} if len(rows[0]) == 4 else {})


DENTS = [(image, "dent", 10) for image in IMAGES]


def freeze(view, name, rows, **options):
    version = view.version_or_draft(name)
    version.add_predictions(boxes(rows), **options)
    return version


def test_predictions_on_annotations_of_one_version_are_left_out(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", boxes(DENTS))
    rows = [(*dent, 0.9) for dent in DENTS] + [(image, "dent", 200, 0.9) for image in IMAGES[:10]]
    old = freeze(view, "old", rows)
    view.add(boxes([(image, "dent", 200) for image in IMAGES[:10]]))
    new = freeze(view, "new", rows)
    for a, b in ((old, new), (new, old)):
        overall = a.compare(b).overall
        assert (overall.verdict, overall.errors.a, overall.errors.b) == ("no difference", 0, 0)


def test_a_concept_that_one_version_ignores_is_left_out(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", boxes(DENTS))
    rows = [(*dent, 0.9) for dent in DENTS] + [(image, "rust", 300, 0.7) for image in IMAGES[:8]]
    old = freeze(view, "old", rows)
    view.add(boxes([(image, "rust", 200) for image in IMAGES[:10]]))
    new = freeze(view, "new", rows)
    for a, b in ((old, new), (new, old)):
        comparison = a.results(thresholds=0.1).compare(b.results(thresholds=0.1))
        assert [change.concept for change in comparison.concepts] == ["dent"]
        assert (comparison.overall.errors.a, comparison.overall.errors.b) == (0, 0)
        assert "concepts that are in only one version are left out: rust" in comparison.warnings


def test_ignored_tags_are_not_compared(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", {"image": IMAGES, "concept": ["dent"] * 20}, kind="tagging"
    )
    for name, score in (("a", 0.9), ("b", 0.1)):
        table = {
            "image": [*IMAGES, *IMAGES[:9]],
            "concept": ["dent"] * 20 + ["scratch"] * 9,
            "score": [0.9] * 20 + [score] * 9,
        }
        view.start(name).add_predictions(table)
    a, b = (view.version(name).results(thresholds=0.5) for name in "ab")
    overall = a.compare(b).overall
    assert (overall.compared, overall.fixed, overall.p_value) == (20, 0, 1.0)


def test_the_figures_of_a_gate_are_of_the_compared_images(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", boxes(DENTS))
    right = [(*dent, 0.9) for dent in DENTS]
    wrong = [(image, "dent", 300, 0.9) for image in IMAGES[12:]]
    a = freeze(view, "a", right[:10], covered="listed").results(thresholds=0.5)
    b = freeze(view, "b", [*right[:12], *wrong], covered="listed").results(thresholds=0.5)
    metrics = shared_metrics(a, b, "validation")
    assert [figures.overall.micro_f1 for figures in metrics] == [1.0, 1.0]
    assert (
        check_gate(
            a.compare(b),
            *metrics,
            dict.fromkeys(["f1", "ap", "precision", "recall", "errors"], 0.0),
        )
        == []
    )


def test_nothing_to_compare_is_no_pass(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", boxes(DENTS))
    right = [(*dent, 0.9) for dent in DENTS]
    a = freeze(view, "a", right[:10], covered="listed")
    b = freeze(view, "b", right[10:], covered="listed")
    with pytest.raises(NothingComparedError, match="validation"):
        a.compare(b)
    done = toys.run_cli("compare", tmp_path / "w", "v", "a", "b", "--fail-on", "errors")
    assert done.returncode == 3


def test_filtered_images_are_not_called_not_run(tmp_path):
    annotations = boxes(DENTS) | {"site": ["north", "south"] * 10}
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations)
    right = [(*dent, 0.9) for dent in DENTS]
    a, b = freeze(view, "a", right), freeze(view, "b", right)
    north = [version.results().on_images("where:site=north") for version in (a, b)]
    comparison = north[0].compare(north[1])
    assert (comparison.images, comparison.warnings) == (10, [])


def test_both_states_are_not_mixed(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", boxes(DENTS))
    right = [(*dent, 0.9) for dent in DENTS]
    a, b = freeze(view, "a", right), freeze(view, "b", right)
    view.reviews.decide(a, [a.gallery("matched")[0]], "wrong", "ada")
    with pytest.raises(ValueError, match="corrections"):
        a.results().compare(b.results(corrected=True))
    assert a.compare(b, corrected=True).corrected
