"""Oriented boxes: the exact intersection of rotated rectangles, held against shapely."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from pellucid.evaluation import oriented_boxes

SIDE = st.floats(0.5, 80)
RECTANGLE = st.tuples(
    st.floats(-20, 100),
    st.floats(-20, 100),
    SIDE,
    SIDE,
    st.sampled_from([0.0, 0.3, 0.7853981, 2.5]),
)


def rectangle(center_x, center_y, width, height, angle):
    """Corners of a rotated rectangle: float64 (8,)."""
    offsets = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (offsets @ turn.T + [center_x, center_y]).ravel()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=RECTANGLE, other=RECTANGLE, is_ignored=st.booleans())
def test_iou_equals_shapely(one, other, is_ignored, implementation):
    own, their = (
        oriented_boxes.order_corners(rectangle(*numbers)[None]) for numbers in (one, other)
    )
    (iou,) = oriented_boxes.pairwise_oriented_iou(own, their, np.array([is_ignored]))
    polygon, window = (Polygon(corners.reshape(4, 2)) for corners in (own, their))
    shared = polygon.intersection(window).area
    union = polygon.area if is_ignored else polygon.area + window.area - shared
    assert iou == pytest.approx(shared / union, abs=1e-9)
    assert oriented_boxes.corner_areas(own) == pytest.approx(polygon.area)


def test_the_same_box_has_iou_1_in_any_order_of_corners(implementation):
    corners = rectangle(20, 30, 10, 6, 0.4)
    reordered = corners.reshape(4, 2)[[2, 1, 0, 3]].reshape(1, 8)
    ordered = oriented_boxes.order_corners(np.stack([corners, reordered[0]]))
    (iou,) = oriented_boxes.pairwise_oriented_iou(ordered[:1], ordered[1:], np.array([False]))
    assert iou == pytest.approx(1, abs=1e-12)
    assert (oriented_boxes.corner_areas(ordered) > 0).all()


def test_rectangles_are_told_from_other_quadrilaterals():
    skewed = np.array([[0, 0, 10, 0, 14, 6, 4, 6.0]])
    kite = np.array([[0, 0, 10, 0, 20, 20, 0, 10.0]])
    turned = rectangle(20, 30, 10, 6, 0.4)[None]
    for corners, parallel, right in (
        (turned, True, True),
        (skewed, True, False),
        (kite, False, False),
    ):
        assert oriented_boxes.are_parallelograms(corners).tolist() == [parallel]
        assert oriented_boxes.are_rectangles(corners).tolist() == [right]
