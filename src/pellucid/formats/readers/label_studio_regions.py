"""Regions and choices of Label Studio's results: concepts, boxes and outlines."""

from __future__ import annotations

import math
from typing import Any

from pellucid.formats.builder import BoxCoordinates, DatasetBuilder
from pellucid.formats.curves import ellipse_outline
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import expect_list, parse_number
from pellucid.formats.probe import Probe
from pellucid.formats.readers.label_studio_brush import decode_brush
from pellucid.formats.readers.label_studio_tasks import LOCATED_KEYS

ResultValue = dict[str, Any]


def result_concepts(result_value: ResultValue) -> list[str]:
    """The concepts of a region or a choice: `rectanglelabels`, `polygonlabels`, `labels`, ... or
    `choices`."""
    labels: Any = next(
        (result_value[key] for key in result_value if key.endswith("labels") or key == "choices"),
        [],
    )
    return [str(label) for label in (labels if isinstance(labels, list) else [labels])]


def parse_value(
    builder: DatasetBuilder,
    probe: Probe,
    image: int,
    result_value: ResultValue,
    width: float,
    height: float,
    location: str,
) -> int:
    """Add the tags or boxes of a result; return 1 if an outline was converted to a bounding box.
    What cannot be read is counted."""
    concept_names = result_concepts(result_value)
    is_region = any(key in result_value for key in LOCATED_KEYS)
    if "choices" in result_value and not is_region:
        for concept_name in concept_names:
            builder.add_tag(image, concept_name)
        return 0
    if "rle" in result_value and concept_names:
        pixels = decode_brush(result_value["rle"], round(width), round(height))
        if pixels is not None and pixels.any():
            for concept_name in concept_names:
                builder.add_mask(image, concept_name, pixels, location)
            return 0
    outline = region_outline(probe, result_value, width, height, location)
    if not outline or not concept_names:
        if is_region or concept_names:
            has_concept = bool(concept_names)
            builder.skip_shape(image, shape_name(result_value, has_concept), has_concept)
        else:
            for key in result_value:
                builder.skip_key(key)
        return 0
    for concept_name in concept_names:
        builder.add_outline(
            image,
            concept_name,
            outline,
            location,
            keep_outline=is_shape(result_value),
        )
    return int(is_shape(result_value))


def is_shape(result_value: ResultValue) -> bool:
    """Whether a region is more than an upright box."""
    return (
        "points" in result_value or "radiusX" in result_value or bool(result_value.get("rotation"))
    )


def shape_name(result_value: ResultValue, has_concept: bool) -> str:
    """The kind of a region that cannot be read: `brush`, `keypoint`, ..."""
    if not has_concept:
        return "region without a label"
    if "rle" in result_value:
        return "brush"
    labels = next((key for key in result_value if key.endswith("labels")), "region")
    return labels.removesuffix("labels") or "region"


def region_outline(
    probe: Probe, result_value: ResultValue, width: float, height: float, location: str
) -> list[tuple[float, float]]:
    """The outline in pixels; empty if the value is not a region."""
    is_ellipse = {"x", "y", "radiusX", "radiusY"} <= result_value.keys()
    is_box = {"x", "y", "width", "height"} <= result_value.keys()
    if "points" not in result_value and not is_ellipse and not is_box:
        return []
    if not width or not height:
        raise InvalidRecordError(
            probe.path,
            location,
            "region without original_width and original_height",
            "Boxes are in percent: export the size.",
        )

    def percent_to_pixels(x: Any, y: Any) -> tuple[float, float]:
        """Rounded to a billionth of a pixel: a corner in the middle of one is exactly there."""
        pixels_x = parse_number(x, probe.path, location, "x") * width / 100
        pixels_y = parse_number(y, probe.path, location, "y") * height / 100
        return round(pixels_x, 9), round(pixels_y, 9)

    if "points" in result_value:
        points = [
            expect_list(point, probe.path, location)
            for point in expect_list(result_value["points"], probe.path, location)
        ]
        return [percent_to_pixels(point[0], point[1]) for point in points if len(point) >= 2]
    angle = math.radians(
        parse_number(result_value.get("rotation") or 0, probe.path, location, "rotation")
    )
    x_min, y_min = percent_to_pixels(result_value["x"], result_value["y"])
    if is_ellipse:
        radii = percent_to_pixels(result_value["radiusX"], result_value["radiusY"])
        return ellipse_outline((x_min, y_min), radii, math.degrees(angle))
    box_width, box_height = percent_to_pixels(result_value["width"], result_value["height"])
    # a box turns about its upper left corner
    return [
        (
            x_min + dx * math.cos(angle) - dy * math.sin(angle),
            y_min + dx * math.sin(angle) + dy * math.cos(angle),
        )
        for dx, dy in ((0, 0), (box_width, 0), (box_width, box_height), (0, box_height))
    ]


def bounding_box(outline: list[tuple[float, float]]) -> BoxCoordinates:
    """The [left, top, width, height] around the points."""
    xs, ys = zip(*outline, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
