"""Boundary IoU equals its definition: pycocotools with erosions of pixels, and scipy."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import pellucid
import toys
from pellucid import _native as kernel
from pellucid.core.errors import PellucidError
from pellucid.core.masks import create_masks, decode_counts, encode_counts
from pellucid.evaluation.boundary_metrics import boundaries
from references import masks as reference


def assert_close(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert [value is None for value in ours] == [value is None for value in theirs]
    assert [value for value in ours if value is not None] == pytest.approx(
        [value for value in theirs if value is not None], abs=1e-9
    )


def pixels(counts, height):
    values = np.arange(len(counts)) % 2
    return np.repeat(values, counts).reshape(-1, height).T.astype(np.uint8)


@given(
    mask=arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 90), st.integers(1, 90)),
        elements=st.integers(0, 1),
        fill=st.integers(0, 1),
    )
)
def test_boundaries_are_what_erosion_takes_away(mask):
    height, width = mask.shape
    counts = reference.uncompressed(mask)["counts"]
    (text,) = boundaries(
        create_masks([encode_counts(counts)], np.array([height]), np.array([width])),
        np.array([0]),
    ).texts()
    found = pixels(decode_counts(text), height)
    np.testing.assert_array_equal(found, reference.boundary_pixels(mask))


@settings(max_examples=12)
@given(seed=st.integers(0, 1 << 32), with_boxes=st.booleans())
def test_figures_equal_the_definition(seed, with_boxes, tmp_path_factory):
    masked = reference.random_set(seed, with_boxes=with_boxes)
    if not reference.is_judgeable(masked):
        return
    version, _ = masked.version(tmp_path_factory.mktemp("set"))
    expected = reference.judged(masked, judge_type=reference.BoundaryEval)
    assert_close(version.results().boundary_metrics().values(), expected)


def test_the_kernel_and_numpy_agree(tmp_path, monkeypatch):
    version, _ = reference.random_set(5).version(tmp_path)
    natively = version.results().boundary_metrics()
    monkeypatch.setattr(kernel, "library", None)
    assert version.results().boundary_metrics() == natively


@pytest.mark.slow
@pytest.mark.shared
def test_published_masks(shared, tmp_path):
    """Boundary AP is below mask AP: it is the smaller of both."""
    masked = reference.shared_golden(shared.parent)
    version, _ = masked.version(tmp_path)
    expected = reference.judged(masked, judge_type=reference.BoundaryEval)
    figures = version.results().boundary_metrics()
    assert_close(figures.values(), expected)
    assert figures["AP"] < version.metrics("validation").overall.coco["AP"]


def test_the_command_shows_them_and_says_what_they_need(tmp_path):
    version, _ = reference.random_set(5).version(tmp_path / "masks")
    arguments = ("metrics", tmp_path / "masks/workspace", "parts", "m", "--boundary")
    done = toys.run_cli(*arguments, "--json")
    assert json.loads(done.stdout)["boundary"] == version.results().boundary_metrics()
    assert "boundary AP75: " in toys.run_cli(*arguments).stdout
    assert toys.run_cli(*arguments, "--by", "x").returncode == 2
    view, _ = pellucid.open(tmp_path / "boxes").add("v", toys.coco(tmp_path))
    boxes = view.start("m")
    boxes.add_predictions(toys.results(tmp_path))
    with pytest.raises(PellucidError, match="annotations and predictions have masks"):
        boxes.results().boundary_metrics()
