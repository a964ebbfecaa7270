"""Skeletons of CVAT: named points of an object, of which some may be outside the image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pellucid.core.keypoints import VISIBLE, StatedKeypoints
from pellucid.formats.parsing import element_text, parse_number

HIDDEN = 1
"""The visibility of a point that is occluded."""


@dataclass(frozen=True)
class Skeleton:
    """The points and edges of a CVAT label.

    Attributes:
        points: the names of its points, in order
        edges: pairs of points, from 0, if stated
    """

    points: list[str]
    edges: list[tuple[int, int]] | None = None


def parse_skeletons(root: Element) -> dict[str, Skeleton]:
    """The skeletons of a file by label: the points of its labels, then any others that occur."""
    points: dict[str, dict[str, None]] = {}
    drawings: dict[str, str] = {}
    for label in root.iterfind(".//label"):
        name, parent = element_text(label, "name"), element_text(label, "parent")
        if parent:
            points.setdefault(parent, {})[name] = None
        if drawing := element_text(label, "svg"):
            drawings[name] = drawing
    for skeleton in root.iter("skeleton"):
        names = points.setdefault(skeleton.get("label") or "", {})
        names |= dict.fromkeys(point.get("label") or "" for point in skeleton.iterfind("points"))
    return {
        label: Skeleton(list(names), parse_edges(drawings.get(label, ""), list(names)))
        for label, names in points.items()
    }


def parse_edges(drawing: str, names: list[str]) -> list[tuple[int, int]] | None:
    """The edges of a skeleton's drawing (SVG): lines between nodes, which state their labels."""
    nodes: dict[str, int] = {}
    for circle in re.findall(r"<circle\b[^>]*>", drawing):
        node, name = svg_attribute(circle, "data-node-id"), svg_attribute(circle, "data-label-name")
        if name in names:
            nodes[node] = names.index(name)
    edges = []
    for line in re.findall(r"<line\b[^>]*>", drawing):
        ends = [svg_attribute(line, f"data-node-{end}") for end in ("from", "to")]
        if ends[0] in nodes and ends[1] in nodes:
            edges.append((nodes[ends[0]], nodes[ends[1]]))
    return edges or None


def svg_attribute(tag: str, name: str) -> str:
    match = re.search(rf'\b{name}="([^"]*)"', tag)
    return match[1] if match else ""


def skeleton_keypoints(
    element: Element, skeleton: Skeleton, file: object, location: str
) -> StatedKeypoints:
    """The points of one object: not labelled where they are outside, hidden where occluded."""
    numbers = [0.0] * (3 * len(skeleton.points))
    for point in element.iterfind("points"):
        if point.get("outside") == "1" or not point.get("points"):
            continue
        x, _, y = (point.get("points") or "").partition(",")
        index = skeleton.points.index(point.get("label") or "")
        numbers[3 * index : 3 * index + 3] = [
            parse_number(x, file, location, "x"),
            parse_number(y, file, location, "y"),
            HIDDEN if point.get("occluded") == "1" else VISIBLE,
        ]
    return StatedKeypoints(numbers, skeleton=skeleton.edges)
