"""Keypoints of an object as annotations state them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VISIBLE = 2
"""The visibility of a point that is labelled and seen."""


@dataclass
class StatedKeypoints:
    """The keypoints of an object as a file states them.

    Attributes:
        keypoints: `x, y, visibility, ...` in pixels, as COCO has them: 0 not labelled, 1 hidden, 2
            visible
        sigmas: of each point, if the set states its own
        skeleton: pairs of points, from 0, likewise
        segmentation: the outline or mask of the same object
    """

    keypoints: list[float]
    sigmas: list[float] | None = None
    skeleton: list[tuple[int, int]] | None = None
    segmentation: Any = None

    @property
    def labelled_count(self) -> int:
        return sum(visibility > 0 for visibility in self.keypoints[2::3])
