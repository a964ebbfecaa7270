"""An exported filter, run on the raw predictions, leaves what Pellucid counts."""

from __future__ import annotations

import runpy

import numpy as np
import pytest

import pellucid
from pellucid.core.errors import InvalidChoiceError
from pellucid.export.datasets import ExportOptions, export_view

CONCEPTS = ["cat", "dog's", "Eule"]


def predictions_of(rng, kind):
    rows = [(f"{i}.png", c) for i in range(50) for c in CONCEPTS]
    table = {
        "image": [image for image, _ in rows],
        "concept": [concept for _, concept in rows],
        "score": rng.random(len(rows)),
    }
    if kind == "detection":
        table |= {"x": [0.0] * 150, "y": rng.integers(0, 2, 150) * 40.0}
        table |= {"width": [20.0] * 150, "height": [20.0] * 150}
    return table


@pytest.fixture(params=["detection", "tagging", "classification"])
def version(request, tmp_path):
    rng = np.random.default_rng(1)
    annotations = {
        "image": [f"{i}.png" for i in range(50)],
        "concept": rng.choice(CONCEPTS, 50).tolist(),
    }
    if request.param == "detection":
        annotations |= {"x": [0.0] * 50, "y": [0.0] * 50}
        annotations |= {"width": [20.0] * 50, "height": [20.0] * 50}
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind=request.param)
    version = view.start("m")
    table = predictions_of(rng, request.param)
    version.add_predictions(table)
    return version, table


def exported(version, path, results=None):
    export_view(version.view, "thresholds", "python", path, version, ExportOptions(results=results))
    return runpy.run_path(str(path))


@pytest.mark.parametrize("chosen", [None, {"cat": 0.2, "Eule": 0.9}])
def test_what_the_filter_keeps_is_what_counts(version, tmp_path, chosen):
    version, table = version
    results = version.results(thresholds=chosen)
    module = exported(version, tmp_path / "thresholds.py", results)
    counted = {
        (item.image, item.concept, item.score)
        for tab in ("matched", "missing")
        for item in results.gallery(pellucid.ListQuery(tab))
    }
    rows = list(zip(table["image"], table["concept"], table["score"].tolist(), strict=True))
    if version.view.kind == "classification":
        by_image = {}
        for image, concept, score in rows:
            by_image.setdefault(image, {})[concept] = score
        kept = {
            (image, module["predicted"](scores), scores[module["predicted"](scores)])
            for image, scores in by_image.items()
            if module["predicted"](scores) is not None
        }
    else:
        mask = module["keep"](table["concept"], table["score"])
        kept = {row for row, is_kept in zip(rows, mask, strict=True) if is_kept}
    assert kept == counted
    concepts = version.evaluation.concepts
    assert module["THRESHOLDS"] == dict(zip(concepts, results.thresholds.tolist(), strict=True))


def test_concepts_that_were_not_evaluated_are_dropped(version, tmp_path):
    version, _ = version
    module = exported(version, tmp_path / "thresholds.py")
    if version.view.kind == "classification":
        assert module["predicted"]({"wolf": 0.99, "cat": 0.1}) is None
    else:
        assert module["keep"](["wolf", "cat"], [0.99, 1.0]) == [False, True]


def test_unknown_formats_are_refused(version, tmp_path):
    version, _ = version
    with pytest.raises(InvalidChoiceError, match="python"):
        export_view(version.view, "thresholds", "toml", tmp_path / "t", version)
