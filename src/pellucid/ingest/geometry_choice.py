"""Which geometry a version compares: what both sides state decides, or the user does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pellucid.core.keypoints import StatedKeypoints
from pellucid.core.masks import Shape
from pellucid.core.outlines import KEYPOINTS_START, parse_keypoints, parse_outlines
from pellucid.core.tables import GEOMETRIES, HAS_PREDICTIONS, Annotations, Geometry
from pellucid.evaluation.geometry import corners_of_shapes, is_quadrilateral
from pellucid.evaluation.oriented_boxes import are_parallelograms, are_rectangles
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.formats.probe import AnnotatedShapes
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

    @cached_property
    def annotated_keypoints(self) -> list[StatedKeypoints | None]:
        """The keypoints of each annotation."""
        outlines = self.annotations.outline
        return (
            [None] * len(self.annotations)
            if outlines is None
            else list(map(parse_keypoints, outlines))
        )

    @cached_property
    def has_annotated_shapes(self) -> bool:
        annotations = self.annotations
        if annotations.mask is not None or annotations.corners is not None:
            return True
        return any(shape is not None for shape in self.annotated)

    @cached_property
    def has_annotated_keypoints(self) -> bool:
        return self.annotations.keypoints is not None or any(self.annotated_keypoints)

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
    if (version.coverage == HAS_PREDICTIONS).any():
        earlier = earlier_geometry(version)
        if forced not in (None, earlier):
            raise GeometryUnavailableError(
                source.path,
                str(forced),
                f"version '{version.name}' compares {PLURALS[earlier]}. Import into a new version",
            )
        return earlier, unread_notes(source, earlier)
    if forced is not None:
        require_shapes(objects, forced)
        return next(geometry for geometry in GEOMETRIES if geometry == forced), []
    return common_geometry(objects)


def require_shapes(objects: StatedObjects, forced: str) -> None:
    """Raises GeometryUnavailableError if a side lacks the shapes that the user wants to compare."""
    path, nouns = objects.source.path, {"mask": "masks", "keypoints": "keypoints"}
    is_stated = {
        "mask": (objects.has_annotated_shapes, objects.has_predicted_shapes),
        "keypoints": (objects.has_annotated_keypoints, objects.source.keypoints is not None),
    }.get(forced, (True, True))
    if not all(is_stated):
        noun, side = nouns[forced], "predictions" if is_stated[0] else "annotations"
        remedy = f"the {side} have no {noun}. Export them with {noun}"
        raise GeometryUnavailableError(path, forced, remedy)
    if forced == "oriented_box" and not objects.are_oriented_boxes:
        remedy = "not every outline is a rectangle of four corners. Specify another geometry"
        raise GeometryUnavailableError(path, forced, remedy)


def common_geometry(objects: StatedObjects) -> tuple[Geometry, list[Note]]:
    """The finest shapes that both sides have, and a note where one side has more."""
    source, annotations = objects.source, objects.annotations
    is_predicted, is_annotated = objects.has_predicted_shapes, objects.has_annotated_shapes
    if source.keypoints is not None and objects.has_annotated_keypoints:
        return "keypoints", []
    if is_predicted and is_annotated:
        return ("oriented_box" if objects.are_oriented_boxes else "mask"), []
    if is_predicted or source.keypoints is not None:
        noun = "masks" if is_predicted else "keypoints"
        message = (
            f"predictions have {noun}, annotations have none: compared by their boxes. AP of "
            f"{noun} differs"
        )
        return "box", [Note("geometry", message, len(source.score))]
    if is_annotated or objects.has_annotated_keypoints:
        noun = "outlines" if is_annotated else "keypoints"
        message = f"annotations have {noun}, predictions have none: compared by their boxes"
        return "box", [Note("geometry", message, len(annotations), "info")]
    return "box", []


def annotated_geometry(annotations: Annotations) -> Geometry:
    """The finest shapes that a view's annotations state."""
    outlines = [] if annotations.outline is None else annotations.outline.tolist()
    if any(outline.startswith(KEYPOINTS_START) for outline in outlines):
        return "keypoints"
    return "mask" if any(outlines) else "box"


def annotated_shapes(annotations: Annotations) -> AnnotatedShapes:
    """What the annotations of a view state, for readers of predictions."""
    outlines = [] if annotations.outline is None else annotations.outline.tolist()
    poses = [stated for outline in outlines if (stated := parse_keypoints(outline))]
    counts = {len(stated.keypoints) // 3 for stated in poses}
    has_masks = any(outlines) and not poses
    return AnnotatedShapes(has_masks, counts.pop() if len(counts) == 1 else 0)


PLURALS: dict[Geometry, str] = {
    "box": "boxes",
    "mask": "masks",
    "oriented_box": "oriented boxes",
    "keypoints": "keypoints",
}


def earlier_geometry(version: FrozenVersion) -> Geometry:
    """What the predictions that the version has are compared by."""
    if version.annotations.mask is not None:
        return "mask"
    if version.annotations.keypoints is not None:
        return "keypoints"
    return "box" if version.annotations.corners is None else "oriented_box"


def unread_notes(source: ParsedPredictions, geometry: Geometry) -> list[Note]:
    """A note where a version of boxes gets more predictions, with masks."""
    if geometry != "box":
        return []
    if source.mask is None and source.outline is None and source.keypoints is None:
        return []
    message = "shapes not read: the version's earlier predictions are compared by their boxes"
    return [Note("geometry", message, len(source.score))]


EVIDENCE: dict[Geometry, str] = {
    "keypoints": "annotations and predictions have keypoints",
    "mask": "annotations and predictions have masks",
    "oriented_box": "all outlines have four corners, those of predictions are rotated rectangles",
}


def geometry_inference(geometry: Geometry, forced: str | None) -> Inference:
    evidence = EVIDENCE[geometry] if forced is None else f"--geometry {forced}"
    others = {"oriented_box": ["box", "mask"]}.get(geometry, ["box"])
    return Inference("geometry", geometry, evidence, others, forced is not None)
