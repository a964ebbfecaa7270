"""The outline of a mask as a path to draw, exact to the pixel at every zoom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.core.keypoints import VISIBLE
from pellucid.core.masks import Masks, decode_counts
from pellucid.core.tables import Float64Array, Predictions
from pellucid.evaluation.object_keypoints import SIGMA, VISIBILITY, link_points, split_points
from pellucid.evaluation.similarity import Located

Point = tuple[int, int]
Span = tuple[int, int]


def shape_path(objects: Located, row: int) -> str | None:
    """SVG path data of an object, in pixels of the image; None if boxes are compared."""
    if objects.keypoints is not None:
        return keypoint_path(split_points(objects.keypoints[row : row + 1])[0], objects, row)
    if objects.corners is not None:
        numbers = [short_number(number) for number in objects.corners[row].tolist()]
        points = [f"{x} {y}" for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        return f"M{'L'.join(points)}z"
    return mask_path(objects.mask, row)


MARK_SHARE, MIN_MARK = 0.02, 1.0
"""Half the size of a keypoint's mark: of the longer side of the object's box, and in pixels."""


def keypoint_path(points: Float64Array, objects: Located, row: int) -> str:
    """The lines of the skeleton between drawn points, then a mark of every point in order: a
    diamond, a cross where it is hidden, nothing where it is not labelled. All points of a
    prediction are drawn; it holds one that it is sure of to be visible.
    """
    assert objects.box is not None
    size = max(MIN_MARK, MARK_SHARE * float(max(objects.box[row, 2:])))
    is_predicted = isinstance(objects, Predictions)
    is_present = points[:, SIGMA] > 0
    is_drawn = is_present if is_predicted else is_present & (points[:, VISIBILITY] > 0)
    is_visible = points[:, VISIBILITY] >= (SURE if is_predicted else VISIBLE)
    places = [f"{short_number(x)} {short_number(y)}" for x, y in points[:, :2].tolist()]
    lines = [
        f"M{places[first]}L{places[second]}"
        for first, second in link_points(points)
        if is_drawn[first] and is_drawn[second]
    ]
    half, double = short_number(size), short_number(2 * size)
    diamond = f"m0 -{half}l{half} {half}l-{half} {half}l-{half} -{half}z"
    cross = f"m-{half} -{half}l{double} {double}m0 -{double}l-{double} {double}"
    marks = [
        f"M{place}{diamond if visible else cross}" if drawn else "M0 0m0 0"
        for place, drawn, visible in zip(places, is_drawn, is_visible, strict=True)
    ]
    return "".join(lines + marks)


SURE = 0.5
"""Visibility from which a predicted point counts as visible in a drawing."""


def short_number(number: float) -> str:
    """A coordinate with at most two decimals, and without zeros at its end."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def mask_path(masks: Masks | None, row: int) -> str | None:
    """SVG path data around the pixels of a mask, in pixels of the image; None without masks.

    Object lies to the right of every edge; holes are separate rings, so both fill rules draw
    them.
    """
    if masks is None:
        return None
    columns = column_spans(decode_counts(masks.counts(row)), int(masks.height[row]))
    return "".join(ring_path(ring) for ring in trace_rings(edges_of_columns(columns)))


def column_spans(counts: Sequence[int], height: int) -> dict[int, list[Span]]:
    """By column, the rows (first, after the last) that the object covers."""
    columns: dict[int, list[Span]] = {}
    position = 0
    for run, count in enumerate(counts):
        end = position + count
        if run % 2 and count:
            for column in range(position // height, (end - 1) // height + 1):
                top = max(position - column * height, 0)
                bottom = min(end - column * height, height)
                columns.setdefault(column, []).append((top, bottom))
        position = end
    return columns


def edges_of_columns(columns: dict[int, list[Span]]) -> dict[Point, list[Point]]:
    """The edges between object and background by their start, with the object to the right."""
    edges: dict[Point, list[Point]] = {}
    for column, spans in columns.items():
        for top, bottom in spans:
            edges.setdefault((column, top), []).append((column + 1, top))
            edges.setdefault((column + 1, bottom), []).append((column, bottom))
        for top, bottom in difference(spans, columns.get(column - 1, [])):
            edges.setdefault((column, bottom), []).append((column, top))
        for top, bottom in difference(spans, columns.get(column + 1, [])):
            edges.setdefault((column + 1, top), []).append((column + 1, bottom))
    return edges


def difference(spans: list[Span], others: list[Span]) -> Iterator[Span]:
    """The parts of ascending spans that no other span covers."""
    for top, bottom in spans:
        for other_top, other_bottom in others:
            if other_bottom <= top:
                continue
            if other_top >= bottom:
                break
            if top < other_top:
                yield top, other_top
            top = other_bottom
        if top < bottom:
            yield top, bottom


def trace_rings(edges: dict[Point, list[Point]]) -> Iterator[list[Point]]:
    """Closed rings of corners; consumes the edges."""
    while edges:
        start = next(iter(edges))
        ring, point = [start], start
        while True:
            following = edges[point]
            target = following.pop()
            if not following:
                del edges[point]
            if len(ring) > 1 and is_straight(ring[-2], ring[-1], target):
                ring[-1] = target
            else:
                ring.append(target)
            point = target
            if point == start:
                break
        yield ring


def is_straight(first: Point, middle: Point, last: Point) -> bool:
    """Whether three points are on one horizontal or vertical line."""
    return first[0] == middle[0] == last[0] or first[1] == middle[1] == last[1]


def ring_path(ring: list[Point]) -> str:
    """Relative horizontal and vertical lines: a third of the length of absolute points."""
    (x, y), parts = ring[0], []
    for next_x, next_y in ring[1:-1]:
        parts.append(f"h{next_x - x}" if next_y == y else f"v{next_y - y}")
        x, y = next_x, next_y
    return f"M{ring[0][0]} {ring[0][1]}{''.join(parts)}z"


def join_polygons(masks: Masks, row: int) -> list[float]:
    """One polygon `x, y, x, y, ...` that covers the pixels of a mask; empty for an empty one.

    Its rings are joined by lines that are walked there and back, which cover nothing where a
    crossing count decides what is inside, as in pycocotools.
    """
    columns = column_spans(decode_counts(masks.counts(row)), int(masks.height[row]))
    points: list[Point] = []
    for ring in trace_rings(edges_of_columns(columns)):
        points += [*ring, points[0]] if points else ring
    return [float(coordinate) for point in points for coordinate in point]
