"""Thresholds and figures as they are exported, read back, compared and gated."""

from __future__ import annotations

import json
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toys
from pellucid.analysis.verdict import sign_flip_p_value
from pellucid.core.errors import PellucidError
from pellucid.evaluation.metrics import ConceptMetrics, Metrics
from pellucid.evaluation.objectives import (
    Objective,
    objective_values,
    optimize_objective,
    sweep_thresholds,
)
from pellucid.evaluation.thresholds import ScoredPredictions
from pellucid.integrations.detection_metric import DetectionMetric
from pellucid.project import Version, Workspace
from pellucid.results.release_gate import figure_failures


@pytest.fixture
def version(workspace: Workspace, tmp_path: Path) -> Version:
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    evaluated = view.start("m")
    evaluated.add_predictions(toys.results(tmp_path))
    return evaluated


def run(version: Version, command: str, *options: object) -> str:
    target = [version.view.workspace.location, "v", "m"]
    done = toys.run_cli(command, *target, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_unknown_kind_changes_nothing(workspace: Workspace, version: Version) -> None:
    kind: Any = "detecton"
    for _ in range(2):
        with pytest.raises(PellucidError, match="invalid value 'detecton' for kind"):
            workspace.view("new", kind=kind)
    assert workspace.views == ["v"]


@pytest.mark.parametrize("count", [170, 300, 900])
def test_small_probabilities_are_exact(count: int) -> None:
    differences = np.ones(count, np.int64)
    assert sign_flip_p_value(differences) == pytest.approx(float(Fraction(2, 2**count)), rel=1e-9)


def test_versions_without_scores_have_no_thresholds_to_export(
    workspace: Workspace, tmp_path: Path
) -> None:
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.coco(tmp_path, "second.json"), no_scores=True)
    for format_name in ("json", "csv", "python"):
        output = tmp_path / f"out.{format_name}"
        done = toys.run_cli(
            *("export", workspace.location, "v", "--what", "thresholds", "--version", "m"),
            *("--format", format_name, "--output", output),
        )
        assert done.returncode == 3
        assert "m has no scores" in done.stderr
        assert not output.exists()


@pytest.mark.parametrize("format_name", ["json", "csv", "parquet"])
def test_exported_thresholds_are_read_back(
    version: Version, format_name: str, tmp_path: Path
) -> None:
    output = tmp_path / f"thresholds.{format_name}"
    done = toys.run_cli(
        *("export", version.view.workspace.location, "v", "--what", "thresholds", "--version"),
        *("m", "--format", format_name, "--output", output, "--threshold", "dent=0.7"),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(run(version, "metrics", "--thresholds", output, "--json"))
    assert {row["concept"]: row["threshold"] for row in document["concepts"]}["dent"] == 0.7


def test_options_that_would_be_ignored_are_refused(version: Version, tmp_path: Path) -> None:
    export = ["export", version.view.workspace.location, "v", "--format", "csv", "--version", "m"]
    export += ["--output", str(tmp_path / "out.csv"), "--what"]
    for options, message in (
        (["predictions", "--threshold", "0.5"], "are for --what gallery and thresholds"),
        (["predictions", "--iou", "0.75"], "are for --what gallery and thresholds"),
        (["annotations", "--concept", "dent"], "--concept is for --what gallery"),
    ):
        done = toys.run_cli(*export, *options)
        assert done.returncode == 2
        assert message in done.stderr
    everything = toys.write(tmp_path / "t.json", '{"dent": 0.5, "rust": 0.5}')
    target = [version.view.workspace.location, "v", "m"]
    done = toys.run_cli("metrics", *target, "--thresholds", everything, "--objective", "f1")
    assert done.returncode == 2
    assert "exclude each other" in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "fails"),
    [(0.8, 0.75, 0.05, False), (0.8, 0.7499, 0.05, True), (0.3, 0.1, 0.2, False)],
)
def test_a_drop_by_the_tolerance_passes(
    version: Version, before: float, after: float, tolerance: float, fails: bool
) -> None:
    def metrics(value: float) -> Metrics:
        found = version.metrics()
        concepts = [replace_f1(concept, value) for concept in found.concepts]
        return Metrics(**{**vars(found), "concepts": concepts})

    def replace_f1(concept: ConceptMetrics, value: float) -> ConceptMetrics:
        return ConceptMetrics(**{**vars(concept), "f1": value})

    failures = figure_failures(metrics(before), metrics(after), "f1", tolerance)
    assert bool([one for one in failures if one.concept]) == fails


def test_concepts_without_annotations_keep_the_fewest_errors(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = toys.coco(
        tmp_path,
        pictures=False,
        annotations=[{"id": 1, "image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20]}],
    )
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    results = version.results()
    for objective in ("f1", "recall:0.5", "errors"):
        best = results.threshold_for(objective, "rust")
        at_objective = results.at_objective(objective)
        assert best.threshold == at_objective.thresholds[results.concept_index("rust")]
        assert best.errors == 0


OBJECTIVES = [Objective("f1"), Objective("cost", 0.9, 1.0, 3.0), Objective("recall", 0.5)]


@given(
    st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=12),
    st.sampled_from(OBJECTIVES),
    st.integers(0, 3),
)
def test_the_range_of_equally_good_thresholds(
    rows: list[tuple[int, bool]], objective: Objective, missed: int
) -> None:
    """Every threshold in it has the same value, and those just outside do not."""
    ordered = sorted(rows, key=lambda row: -row[0])
    scores = np.array([score / 10 for score, _ in ordered])
    is_match = np.array([right for _, right in ordered])
    predictions = ScoredPredictions(scores, is_match, int(is_match.sum()) + missed)
    best = optimize_objective(predictions, objective)
    if best is None:
        return

    def value(threshold: float) -> float:
        counted = scores >= threshold
        arrays = np.array([float(is_match[counted].sum())]), np.array([float(counted.sum())])
        return float(objective_values(objective, *arrays, predictions.annotation_count)[0])

    low, high = best.equally_good
    assert low <= best.value <= high
    assert value(low) == value(high) == value(best.value)
    counts, _ = sweep_thresholds(predictions)
    assert len(counts) > 1
    for outside in (np.nextafter(low, -1), np.nextafter(high, 2)):
        if 0 <= outside <= 1:
            assert value(float(outside)) != value(best.value)


def test_labels_beyond_the_names_are_refused() -> None:
    metric = DetectionMetric(class_names=["a", "b"])
    fine = {"boxes": [[0, 0, 9, 9]], "scores": [0.5], "labels": [1]}
    metric.update([fine], [fine])
    for label in (2, -1):
        wrong = {**fine, "labels": [label]}
        with pytest.raises(PellucidError, match="positions in class_names, from 0 to 1"):
            metric.update([wrong], [fine])
        with pytest.raises(PellucidError, match=r"targets\[1\]"):
            metric.update([fine], [wrong])
    assert metric.compute()["map"] == pytest.approx(1)


@pytest.mark.shared
@pytest.mark.slow
def test_commands_of_findings_list_what_they_count(shared: Path, workspace: Workspace) -> None:
    folder = shared / "coco256"
    view, _ = workspace.add("v", folder / "annotations/instances_plus_crowd.json")
    evaluated = view.start("m")
    evaluated.add_predictions(folder / "predictions/nanodet/coco_results.json")
    options = ["--threshold", "person=0.9", "--pictures", 0]
    findings = json.loads(run(evaluated, "findings", *options, "--json"))
    commands = [
        shlex.split(line.split(": pellucid ")[-1])
        for line in run(evaluated, "findings", *options).splitlines()
        if ": pellucid gallery" in line
    ]
    assert commands
    counts = [finding["count"] for finding in findings if finding["query"]]
    listed = [json.loads(toys.run_cli(*command, "--json").stdout)["total"] for command in commands]
    assert sorted(listed) == sorted(counts)


def test_figures_of_a_concept_without_scores(workspace: Workspace, tmp_path: Path) -> None:
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    evaluated = view.start("m")
    evaluated.add_predictions(toys.coco(tmp_path, "second.json"), no_scores=True)
    document = json.loads(run(evaluated, "figures", "--concept", "dent", "--json"))
    assert document["objectives"] == []


def test_names_in_python(version: Version) -> None:
    """A mistyped concept is named with what it may be; another version may be named too."""
    with pytest.raises(PellucidError, match="unknown concept 'dnt'"):
        version.thresholds["dnt"]
    assert "dnt" not in version.thresholds
    other = version.view.start("n")
    other.add_predictions(toys.results(version.view.folder.parent, name="n.json"))
    assert version.compare("n").overall == version.compare(other).overall
    with pytest.raises(PellucidError, match="version 'o' not found"):
        version.compare("o")


def test_a_version_that_was_not_run_has_no_errors(version: Version) -> None:
    metrics = version.view.start("n").metrics()
    assert metrics.covered == 0
    assert metrics.overall.errors is None


def test_images_that_a_filter_leaves_are_named(workspace: Workspace) -> None:
    columns = {"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]}
    view, _ = workspace.add("v", {**columns, "site": ["x", "y"]})
    version = view.start("m")
    version.add_predictions({**columns, "score": [0.9, 0.8]})
    table = " ".join(run(version, "metrics", "--only", "where:site=x").split())
    assert "1 of 2 images evaluated (those that the filters leave)" in table
    refused = toys.run_cli("metrics", workspace.location, "v", "m", "--only", "site=x")
    assert "filtered by where:site=x" in refused.stderr
