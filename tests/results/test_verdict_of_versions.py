"""The errors that a verdict rests on, held against plain loops over the items of the tabs."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

import pellucid
import toys
from pellucid.analysis.verdict import sign_flip_p_value
from pellucid.export.comparison_reports import format_markdown
from pellucid.results.release_gate import check_gate
from pellucid.results.version_comparison import broken_units

CONCEPTS = ["cat", "dog", "owl"]


def detection_tables(rng):
    boxes = [(i, c, x) for i in range(40) for x, c in enumerate(rng.choice(CONCEPTS, 3))]
    annotations = {
        "image": [f"{i}.png" for i, _, _ in boxes],
        "concept": [c for _, c, _ in boxes],
        "x": [30.0 * x for _, _, x in boxes],
        "y": [0.0] * len(boxes),
        "width": [20.0] * len(boxes),
        "height": [20.0] * len(boxes),
    }

    def predict(recall, noise):
        kept = [box for box in boxes if rng.random() < recall]
        kept += [(i, str(rng.choice(CONCEPTS)), 5) for i in range(40) if rng.random() < noise]
        return {
            "image": [f"{i}.png" for i, _, _ in kept],
            "concept": [c for _, c, _ in kept],
            "score": rng.random(len(kept)),
            "x": [30.0 * x for _, _, x in kept],
            "y": [0.0] * len(kept),
            "width": [20.0] * len(kept),
            "height": [20.0] * len(kept),
        }

    return annotations, predict(0.9, 0.2), predict(0.6, 0.5)


def label_tables(rng, tags):
    images = [f"{i}.png" for i in range(60)]
    truth = rng.choice(CONCEPTS, 60)
    annotations = {"image": images, "concept": truth.tolist()}

    def predict(skill):
        rows = [(i, c) for i in range(60) for c in CONCEPTS]
        score = [min(1.0, skill * (truth[i] == c) + rng.random() * 0.7) for i, c in rows]
        return {
            "image": [images[i] for i, _ in rows],
            "concept": [c for _, c in rows],
            "score": score,
        }

    return annotations, predict(0.6), predict(0.2)


@pytest.fixture(params=["detection", "tagging", "classification"])
def pair(request, tmp_path):
    rng = np.random.default_rng(len(request.param))
    kind = request.param
    tables = detection_tables(rng) if kind == "detection" else label_tables(rng, kind == "tagging")
    view, _ = pellucid.open(tmp_path / "w").add("v", tables[0], kind=kind)
    for name, predictions in (("a", tables[1]), ("b", tables[2])):
        view.start(name).add_predictions(predictions)
    return view.version("a"), view.version("b")


def errors_by_image(version, concept=None):
    counts = {}
    for tab in ("extra", "missing"):
        items = version.gallery(tab, concept=concept)
        counts[tab] = Counter(item.image for item in items)
    return counts


def check_change(change, a, b, concept):
    before, after = errors_by_image(a, concept), errors_by_image(b, concept)
    images = {image for counts in (before, after) for tab in counts.values() for image in tab}
    for tab, counts, p_value in (
        ("extra", change.fn, change.p_fn),
        ("missing", change.fp, change.p_fp),
    ):
        assert (counts.a, counts.b) == (before[tab].total(), after[tab].total())
        differences = np.array([after[tab][i] - before[tab][i] for i in images], np.int64)
        assert p_value == sign_flip_p_value(differences)
    differences = [sum(after[t][i] - before[t][i] for t in ("extra", "missing")) for i in images]
    assert change.p_errors == sign_flip_p_value(np.array(differences, np.int64))
    assert change.errors.a == change.fn.a + change.fp.a
    assert change.errors.b == change.fn.b + change.fp.b


def test_errors_and_p_values_are_those_of_the_tabs(pair):
    a, b = pair
    comparison = a.compare(b)
    check_change(comparison.overall, a, b, None)
    for change in comparison.concepts:
        check_change(change, a, b, change.concept)
    assert comparison.overall.verdict == "worse"


def test_b_against_a_is_the_mirror(pair):
    a, b = pair
    mirrored = {"better": "worse", "worse": "better"}
    there, back = a.compare(b), b.compare(a)
    for forward, backward in zip(
        (there.overall, *there.concepts), (back.overall, *back.concepts), strict=True
    ):
        assert backward.verdict == mirrored.get(forward.verdict, forward.verdict)
        assert (backward.errors.a, backward.errors.b) == (forward.errors.b, forward.errors.a)
        assert backward.p_errors == forward.p_errors


def test_each_criterion_of_the_gate(pair):
    a, b = pair
    comparison, metrics = a.compare(b), (a.metrics(), b.metrics())
    back, mirrored = b.compare(a), metrics[::-1]
    for criterion in ("errors", "ap", "f1"):
        failures = check_gate(comparison, *metrics, {criterion: 0})
        assert failures[0].concept is None, criterion
        assert [f.concept for f in check_gate(back, *mirrored, {criterion: 0})][:1] != [None]
    drop = metrics[0].overall.micro_f1 - metrics[1].overall.micro_f1
    overall = [f for f in check_gate(comparison, *metrics, {"f1": drop}) if f.concept is None]
    assert overall == [], "the tolerance is inclusive"
    rise = comparison.overall.errors.increase
    assert check_gate(comparison, *metrics, {"errors": rise}) == []
    assert check_gate(comparison, *metrics, {"errors": rise - 1})[0].after > 0


def compare_cli(view, *options):
    return toys.run_cli("compare", view.workspace.folder, view.name, "a", "b", *options)


def test_gates_on_the_command_line(pair, tmp_path):
    view = pair[0].view
    report = tmp_path / "summary.md"
    report.write_text("# Build\n")
    for expected, options in (
        (4, ["--fail-on", "f1"]),
        (0, ["--fail-on", "f1", "--tolerance", "1"]),
        (4, ["--fail-on", "fn", "--fail-on", "errors", "--markdown", report]),
        (0, []),
        (2, ["--fail-on", "luck"]),
    ):
        assert compare_cli(view, *options).returncode == expected, options
    text = report.read_text()
    assert text.startswith("# Build\n\n**b** compared with **a**")
    assert "Gate failed: all concepts: errors" in text
    compare_cli(view, "--markdown", report)
    assert report.read_text().count("**b** compared with **a**") == 2


@pytest.mark.parametrize("threshold", [None, 0.2, 0.9])
def test_the_report_lists_what_is_counted_as_broken(pair, threshold):
    a, b = (version.results(thresholds=threshold) for version in pair)
    units = broken_units(a, b, "validation")
    comparison = a.compare(b)
    counts = Counter(unit.concept for unit in units)
    assert len(units) == comparison.overall.broken
    for change in comparison.concepts:
        assert counts[change.concept] == change.broken
    text = format_markdown(comparison, (), units)
    assert (f"{len(units):,} broken: right in the baseline" in text) == bool(units)


def test_given_thresholds_and_iou_are_used(pair):
    view = pair[0].view
    printed = compare_cli(view, "--threshold", "0.9", "--json")
    document = json.loads(printed.stdout)
    a, b = (version.results(thresholds=0.9) for version in pair)
    assert document["errors"] == {
        "a": a.metrics().overall.errors,
        "b": b.metrics().overall.errors,
    }


def test_the_figures_of_both_are_printed_and_reported(pair, tmp_path):
    """The two at the head of each version's own metrics: both ran on the same images."""
    a, b = (dict(version.metrics().overall.headline) for version in pair)
    expected = ", ".join(f"{name} {a[name]:.3f} → {b[name]:.3f}" for name in a)
    report = tmp_path / "report.md"
    printed = compare_cli(pair[0].view, "--markdown", report).stdout
    assert expected in printed
    assert f"Figures: {expected}" in report.read_text()
    assert f"precision {total_precision(pair[0]):.3f} → {total_precision(pair[1]):.3f}" in printed


def total_precision(version):
    """The precision of all concepts together."""
    concepts = version.metrics().concepts
    tp, fp = (sum(getattr(concept, name) for concept in concepts) for name in ("tp", "fp"))
    return tp / (tp + fp)
