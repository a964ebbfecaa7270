"""How the four numbers of a box may be meant, and which way the annotations bear witness to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int32Array, Predictions
from pellucid.evaluation.greedy_numpy import overlapping_pairs

SHAPES = ("xywh", "xyxy", "cxcywh")
FRAMES = (
    224, 256, 300, 320, 384, 416, 448, 480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800, 832, 896, 960, 1000, 1024, 1088, 1280, 1536,
)  # fmt: skip
"""Sides of the square that pictures are commonly resized to before a model sees them."""


@dataclass(frozen=True)
class BoxForm:
    """shape: what the numbers are · unit: pixels, fractions, percent, or `640 stretched` and `640 letterboxed`: pixels of the square
    that the picture was resized to."""

    shape: str
    unit: str

    @property
    def name(self) -> str:
        return f"{self.shape}-{self.unit}".replace(" ", "-")

    @property
    def needs_sizes(self) -> bool:
        return self.unit != "pixels"


def form_named(name: str) -> BoxForm | None:
    """The form of `xyxy-pixels`, `cxcywh-fractions`, `xywh-640-letterboxed`, ...; None for other words."""
    shape, _, unit = name.partition("-")
    words = unit.split("-")
    framed = len(words) == 2 and words[0].isdigit() and int(words[0]) > 0 and words[1] in ("stretched", "letterboxed")
    if shape not in SHAPES or not (unit in ("pixels", "fractions", "percent") or framed):
        return None
    return BoxForm(shape, " ".join(words))


def in_pixels(form: BoxForm, raw: Float64Array, width: Int32Array, height: Int32Array) -> Float64Array:
    """[left, top, width, height] in pixels of the picture. raw: float64 (n, 4), as written; width, height: of each row's picture."""
    a, b, c, d = raw.T
    if form.shape == "xyxy":
        box = np.stack([a, b, c - a, d - b], axis=1)
    elif form.shape == "cxcywh":
        box = np.stack([a - c / 2, b - d / 2, c, d], axis=1)
    else:
        box = raw.copy()
    if form.unit == "pixels":
        return box
    sides = np.stack([width, height, width, height], axis=1).astype(float)
    if form.unit in ("fractions", "percent"):
        return np.asarray(box * sides / (1 if form.unit == "fractions" else 100))
    side, _, how = form.unit.partition(" ")
    if how == "stretched":
        return np.asarray(box * sides / float(side))
    longest = np.maximum(width, height).astype(float)
    scale = longest / float(side)
    box[:, 0] -= (float(side) - width / scale) / 2
    box[:, 1] -= (float(side) - height / scale) / 2
    return np.asarray(box * scale[:, None])


def possible_forms(raw: Float64Array, sizes_known: bool) -> list[BoxForm]:
    """The forms that the numbers do not rule out by themselves."""
    largest = float(raw.max(initial=0))
    units = ["pixels"]
    if sizes_known:
        units += ["fractions"] if largest <= 2 else ["percent"] if largest <= 110 else []
        reach = float(max((raw[:, 0] + raw[:, 2]).max(initial=0), (raw[:, 1] + raw[:, 3]).max(initial=0)))
        for side in FRAMES:
            if largest > 2 and any(0.9 * side <= bound <= 1.02 * side for bound in (largest, reach)):
                units += [f"{side} stretched", f"{side} letterboxed"]
    corners_rise = bool((raw[:, 2] >= raw[:, 0]).mean() > 0.98 and (raw[:, 3] >= raw[:, 1]).mean() > 0.98) if len(raw) else False
    return [BoxForm(shape, unit) for unit in units for shape in SHAPES if shape != "xyxy" or corners_rise]


def of_images(annotations: Annotations, image: Int32Array) -> Annotations:
    """The annotations of these images alone."""
    named = np.zeros(max(int(image.max(initial=0)), int(annotations.image.max(initial=0))) + 1, bool)
    named[image] = True
    return annotations.take(named[annotations.image])


def overlap_share(box: Float64Array, image: Int32Array, annotations: Annotations) -> float:
    """The share of boxes that overlap some annotation of their picture, whatever its concept (IoU >= 0.5). image: int32, all known."""
    nothing = np.zeros(len(box), np.int32)
    boxes = Predictions(image, nothing, np.zeros(len(box)), box, np.arange(len(box), dtype=np.int32))
    near = of_images(annotations, image)
    near = near.replace(concept=np.zeros(len(near), np.int32))
    agreeing: set[int] = set()
    for prediction, _, iou in overlapping_pairs(near, boxes, 1):
        agreeing.update(prediction[iou >= 0.5].tolist())
    return len(agreeing) / max(1, len(box))


def shares_of(forms: Sequence[BoxForm], raw: Float64Array, image: Int32Array, images: Images, annotations: Annotations) -> dict[BoxForm, float]:
    """How much each form agrees with the annotations; boxes of negative size agree with nothing."""
    width, height = images.width[image], images.height[image]
    annotations = of_images(annotations, image)
    found = {}
    for form in forms:
        box = in_pixels(form, raw, width, height)
        fine = (box[:, 2:] > 0).all(axis=1)
        found[form] = overlap_share(box[fine], image[fine], annotations) * float(fine.mean()) if fine.any() else 0.0
    return found
