"""Which geometry a version compares: what both sides state decides, or the user does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pellucid.core.masks import Shape
from pellucid.core.outlines import parse_outlines
from pellucid.core.tables import GEOMETRIES, HAS_PREDICTIONS, Annotations, Geometry
from pellucid.evaluation.geometry import corners_of_shapes, is_quadrilateral
from pellucid.evaluation.oriented_boxes import are_parallelograms, are_rectangles
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.errors import GeometryUnavailableError
from pellucid.ingest.frozen_version import FrozenVersion


@dataclass(frozen=True, eq=False)
class StatedObjects:
    """What a version and a file state."""

    annotations: Annotations
    source: ParsedPredictions

    @cached_property
    def annotated(self) -> list[Shape]:
        """The shape of each annotation."""
        return parse_outlines(self.annotations.outline, len(self.annotations))

    @cached_property
    def predicted(self) -> list[Shape]:
        """The polygons of each prediction."""
        return parse_outlines(self.source.outline, len(self.source.score))

    @property
    def has_predicted_shapes(self) -> bool:
        return self.source.mask is not None or self.source.outline is not None

    @cached_property
    def are_oriented_boxes(self) -> bool:
        """Whether every outline is a polygon of four points, and the predicted ones are rotated
        rectangles; a mask of run lengths is none."""
        masks = self.source.mask
        if self.source.outline is None or (masks is not None and len(masks.text)):
            return False
        sides = [[shape for shape in side if shape] for side in (self.annotated, self.predicted)]
        if not all(side and all(map(is_quadrilateral, side)) for side in sides):
            return False
        corners = corners_of_shapes(sides[1])
        is_rectangle = (
            are_parallelograms if self.source.outline_unit == "fractions" else are_rectangles
        )
        return bool(is_rectangle(corners).all())


def choose_geometry(
    objects: StatedObjects, version: FrozenVersion, forced: str | None
) -> tuple[Geometry, list[Note]]:
    source = objects.source
    is_predicted = objects.has_predicted_shapes
    is_annotated = has_outlines(version.annotations)
    if (version.coverage == HAS_PREDICTIONS).any():
        earlier = earlier_geometry(version)
        if forced not in (None, earlier):
            raise GeometryUnavailableError(
                source.path,
                str(forced),
                f"version '{version.name}' compares {PLURALS[earlier]}. Import into a new version",
            )
        return earlier, unread_notes(source, earlier)
    if forced == "mask" and not (is_predicted and is_annotated):
        missing = "annotations" if is_predicted else "predictions"
        raise GeometryUnavailableError(
            source.path, "mask", f"the {missing} have no masks. Export them with masks"
        )
    if forced == "oriented_box" and not objects.are_oriented_boxes:
        raise GeometryUnavailableError(
            source.path,
            "oriented_box",
            "not every outline has four corners. Specify another geometry",
        )
    if forced is not None:
        return next(geometry for geometry in GEOMETRIES if geometry == forced), []
    if is_predicted and is_annotated:
        return ("oriented_box" if objects.are_oriented_boxes else "mask"), []
    if is_predicted:
        message = (
            "predictions have masks, annotations have none: compared by their boxes. AP of masks "
            "differs"
        )
        return "box", [Note("geometry", message, len(source.score))]
    if is_annotated:
        message = "annotations have outlines, predictions have none: compared by their boxes"
        return "box", [Note("geometry", message, len(version.annotations), "info")]
    return "box", []


PLURALS: dict[Geometry, str] = {
    "box": "boxes",
    "mask": "masks",
    "oriented_box": "oriented boxes",
}


def earlier_geometry(version: FrozenVersion) -> Geometry:
    """What the predictions that the version has are compared by."""
    if version.annotations.mask is not None:
        return "mask"
    return "box" if version.annotations.corners is None else "oriented_box"


def unread_notes(source: ParsedPredictions, geometry: Geometry) -> list[Note]:
    """A note where a version of boxes gets more predictions, with masks."""
    if geometry != "box" or (source.mask is None and source.outline is None):
        return []
    message = "masks not read: the version's earlier predictions are compared by their boxes"
    return [Note("geometry", message, len(source.score))]


def has_outlines(annotations: Annotations) -> bool:
    if annotations.mask is not None or annotations.corners is not None:
        return True
    return annotations.outline is not None and any(annotations.outline.tolist())


EVIDENCE: dict[Geometry, str] = {
    "mask": "annotations and predictions have masks",
    "oriented_box": "all outlines have four corners, those of predictions are rotated rectangles",
}


def geometry_inference(geometry: Geometry, forced: str | None) -> Inference:
    evidence = EVIDENCE[geometry] if forced is None else f"--geometry {forced}"
    others = [other for other in GEOMETRIES if other != geometry]
    if geometry == "mask":
        others.remove("oriented_box")
    return Inference("geometry", geometry, evidence, list(others), forced is not None)
