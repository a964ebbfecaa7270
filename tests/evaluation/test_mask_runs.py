"""Pixels, boxes, areas and IoU of masks equal pycocotools'; the kernel and NumPy say the same."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from pellucid.core.masks import create_masks, decode_counts
from pellucid.evaluation import mask_runs
from pellucid.evaluation.mask_outlines import join_polygons, mask_path
from references import masks as reference

SIDES = st.integers(1, 40)
NUMBERS = st.one_of(st.integers(-10, 60), st.floats(-10, 60, allow_nan=False).map(float))
POLYGONS = st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=9), min_size=1)


def pixels(seed, height, width, share=0.4):
    return (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)


def blobs(seed, count, height=30, width=40):
    chance = np.random.default_rng(seed)
    return [
        np.zeros((height, width), np.uint8)
        if chance.random() < 0.1
        else reference.blob(chance, height, width)
        for _ in range(count)
    ]


def as_masks(arrays):
    encoded = [reference.encode(array) for array in arrays]
    sizes = np.array([one["size"] for one in encoded])
    return create_masks([one["counts"] for one in encoded], sizes[:, 0], sizes[:, 1]), encoded


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(polygons=POLYGONS, height=SIDES, width=SIDES)
@example(polygons=[[(0, 0), (0, 0), (5, 5), (5, 0)]], height=8, width=8)
@example(polygons=[[(0, 0), (0, 8), (8, 8), (8, 0)]], height=8, width=8)
def test_polygons_cover_the_pixels_that_pycocotools_fills(polygons, height, width, implementation):
    flat = [[float(number) for point in polygon for number in point] for polygon in polygons]
    expected = coco_mask.merge(coco_mask.frPyObjects(flat, height, width))["counts"].decode()
    drawn = mask_runs.masks_of_polygons([flat], np.array([height]), np.array([width]))
    assert list(drawn.texts()) == [expected]


def test_many_objects_are_drawn_in_parts(implementation, monkeypatch):
    monkeypatch.setattr(mask_runs, "OBJECTS_PER_CALL", 3)
    squares = [[mask_runs.box_polygon([n, n, 4, 4])] for n in range(10)]
    sizes = np.full(10, 20)
    drawn = mask_runs.masks_of_polygons(squares, sizes, sizes)
    assert mask_runs.measure_masks(drawn).box.tolist() == [[n, n, 4, 4] for n in range(10)]


def test_no_objects_give_no_masks(implementation):
    assert len(mask_runs.masks_of_polygons([], np.zeros(0, int), np.zeros(0, int))) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32), crowd=st.lists(st.booleans(), min_size=6, max_size=6))
def test_iou_box_and_area_equal_pycocotools(seed, crowd, implementation):
    (one, ones), (other, others) = as_masks(blobs(seed, 6)), as_masks(blobs(seed + 1, 6))
    own, their = np.divmod(np.arange(36), 6)
    iou = mask_runs.pairwise_mask_iou(one, own, other, their, np.array(crowd)[their])
    expected = coco_mask.iou(ones, others, [int(is_crowd) for is_crowd in crowd])
    assert iou.tolist() == expected.ravel().tolist()
    measures = mask_runs.measure_masks(one)
    assert measures.area.tolist() == coco_mask.area(ones).tolist()
    assert measures.box.tolist() == coco_mask.toBbox(ones).tolist()
    assert measures.pixels.tolist() == [1200] * 6


def test_masks_of_images_of_other_heights_share_nothing(implementation):
    one, _ = as_masks([np.ones((4, 6), np.uint8)])
    other, _ = as_masks([np.ones((6, 4), np.uint8)])
    nothing = np.zeros(1, np.int64)
    assert mask_runs.pairwise_mask_iou(one, nothing, other, nothing, np.array([False])) == [0]


@pytest.mark.parametrize("text", ["0P", "P", "12O"])
def test_unreadable_run_lengths_are_marked(text, implementation):
    assert mask_runs.measure_masks(create_masks([text], [3], [3])).pixels.tolist() == [-1]


@given(seed=st.integers(0, 1 << 32), height=SIDES, width=SIDES)
def test_the_traced_outline_covers_the_same_pixels(seed, height, width):
    array = pixels(seed, height, width)
    masks, _ = as_masks([array])
    polygon = join_polygons(masks, 0)
    if not array.any():
        assert polygon == []
        assert mask_path(masks, 0) == ""
        return
    drawn = coco_mask.decode(coco_mask.frPyObjects([polygon], height, width)[0])
    assert (drawn == array).all()


def test_a_path_has_a_ring_for_each_part_and_hole():
    array = np.zeros((7, 9), np.uint8)
    array[1:6, 1:6] = 1
    array[3, 3] = 0
    array[0, 8] = 1
    masks, _ = as_masks([array])
    path = mask_path(masks, 0)
    assert path.count("M") == path.count("z") == 3
    assert mask_path(None, 0) is None
    assert decode_counts(masks.counts(0))
