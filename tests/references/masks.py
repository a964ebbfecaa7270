"""Small COCO sets with masks of every form, and what pycocotools says of them."""

import contextlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.ndimage import binary_erosion

import pellucid

CONCEPTS = (11, 12, 13)
"""Ids that are no positions: few boxes agree with those by chance."""


def encode(pixels):
    """pycocotools' run lengths of an array of pixels, as JSON holds them."""
    encoded = coco_mask.encode(np.asfortranarray(pixels))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def uncompressed(pixels):
    """Run lengths as a list of numbers."""
    column_order = pixels.flatten(order="F")
    changes = np.flatnonzero(np.diff(column_order, prepend=0))
    return {
        "size": list(pixels.shape),
        "counts": np.diff(changes, prepend=0, append=column_order.size).tolist(),
    }


def pixels_of(segmentation, height, width):
    """The mask of an annotation by pycocotools: uint8 (height, width)."""
    coco = COCO()
    coco.imgs = {1: {"height": height, "width": width}}
    return coco.annToMask({"image_id": 1, "segmentation": segmentation})


@dataclass
class MaskedSet:
    """A COCO document and its results."""

    document: dict = field(default_factory=dict)
    results: list = field(default_factory=list)

    def write(self, folder, pictures=False):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "gt.json").write_text(json.dumps(self.document))
        (folder / "dt.json").write_text(json.dumps(self.results))
        for image in self.document["images"] if pictures else ():
            (folder / "images").mkdir(exist_ok=True)
            size = image["width"], image["height"]
            Image.new("RGB", size).save(folder / "images" / image["file_name"])
        return folder

    def version(self, folder, **options):
        """Written and imported into a new workspace; returns the version and the notes of both
        imports."""
        self.write(folder)
        pictures = folder / "images"
        view, notes = pellucid.open(folder / "workspace").add(
            "parts",
            folder / "gt.json",
            split="validation",
            images=pictures if pictures.is_dir() else None,
        )
        version = view.version_or_draft("m")
        read_as = {"image_ids": "id", "category_ids": "ids"}  # chance may favour another reading
        notes = [*notes, *version.add_predictions(folder / "dt.json", **read_as, **options)]
        return pellucid.open(folder / "workspace").view("parts").version("m"), notes


def random_set(seed, images=6, with_boxes=False):
    """Polygons, run lengths and crowds; predictions near them and elsewhere, with equal scores.

    with_boxes: the results state a bbox too, whose area then counts in pycocotools.
    """
    chance = np.random.default_rng(seed)
    masked = MaskedSet({"images": [], "annotations": [], "categories": []})
    masked.document["categories"] = [{"id": i, "name": f"c{i}"} for i in CONCEPTS]
    for image in range(1, images + 1):
        height, width = (int(side) for side in chance.integers(20, 140, 2))
        masked.document["images"].append(
            {"id": image, "file_name": f"{image}.png", "width": width, "height": height}
        )
        covered = [
            annotate(masked, chance, image, height, width) for _ in range(chance.integers(0, 5))
        ]
        for _ in range(chance.integers(0, 9)):
            near = covered[chance.integers(len(covered))] if covered else None
            predict(masked, chance, image, (height, width), near, with_boxes)
    return masked


def annotate(masked, chance, image, height, width):
    if chance.random() < 0.5:
        segmentation = [
            np.round(np.stack([chance.uniform(0, width, 5), chance.uniform(0, height, 5)], 1), 2)
            .ravel()
            .tolist()
            for _ in range(chance.integers(1, 3))
        ]
        is_crowd = False
    else:
        pixels, is_crowd = blob(chance, height, width), chance.random() < 0.25
        segmentation = uncompressed(pixels) if is_crowd or chance.random() < 0.5 else encode(pixels)
    concept = int(chance.choice(CONCEPTS))
    pixels = pixels_of(segmentation, height, width)
    box = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(pixels))).tolist()
    masked.document["annotations"].append(
        {
            "id": len(masked.document["annotations"]) + 1,
            "image_id": image,
            "category_id": concept,
            "segmentation": segmentation,
            "iscrowd": int(is_crowd),
            "area": float(pixels.sum()) * float(chance.choice([1, 1, 3, 20])),
            "bbox": box,
        }
    )
    return pixels, concept


def predict(masked, chance, image, size, near, with_boxes):
    """Near an annotation: of its concept, and scored higher than elsewhere."""
    if near is None or chance.random() < 0.2:
        pixels, concept, lowest = blob(chance, *size), int(chance.choice(CONCEPTS)), 0
    else:
        pixels = np.roll(near[0], chance.integers(-2, 3, 2), (0, 1)).copy()
        pixels[: int(chance.integers(0, 3))] = 1
        concept, lowest = near[1], 8
    encoded = encode(pixels)
    masked.results.append(
        {
            "image_id": image,
            "category_id": concept,
            "segmentation": encoded,
            "score": float(chance.integers(lowest, lowest + 12) / 20),
            **({"bbox": coco_mask.toBbox(encoded).tolist()} if with_boxes else {}),
        }
    )


def blob(chance, height, width):
    pixels = np.zeros((height, width), np.uint8)
    for _ in range(chance.integers(1, 3)):
        top, left = chance.integers(0, height - 2), chance.integers(0, width - 2)
        pixels[top : top + chance.integers(2, height), left : left + chance.integers(2, width)] = 1
    return pixels


class BoundaryEval(COCOeval):
    """pycocotools with the smaller of the IoU of two masks and that of their boundaries, by the
    definition of Cheng et al. (2021)."""

    def computeIoU(self, image, category):  # noqa: N802
        ious = super().computeIoU(image, category)
        if len(ious) == 0:
            return ious
        annotated, predicted = self._gts[image, category], self._dts[image, category]
        order = np.argsort([-each["score"] for each in predicted], kind="mergesort")
        predicted = [predicted[row] for row in order[: self.params.maxDets[-1]]]
        boundaries = [
            [self.boundary(each["segmentation"]) for each in objects]
            for objects in (predicted, annotated)
        ]
        crowds = [int(each["iscrowd"]) for each in annotated]
        return np.minimum(ious, coco_mask.iou(*boundaries, crowds))

    @staticmethod
    def boundary(encoded):
        mask = coco_mask.decode(encoded)
        return coco_mask.encode(np.asfortranarray(boundary_pixels(mask)))


def boundary_pixels(mask):
    """uint8 (height, width): what a 3 x 3 erosion, repeated, takes away."""
    times = max(1, round(0.02 * np.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2)))
    eroded = binary_erosion(np.pad(mask, 1), np.ones((3, 3)), iterations=times)[1:-1, 1:-1]
    return mask - eroded.astype(np.uint8)


def judged(masked, kind="segm", judge_type=COCOeval):
    """The twelve figures by pycocotools, -1 as None."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(masked.document))
        truth.createIndex()
        judge = judge_type(truth, truth.loadRes(json.loads(json.dumps(masked.results))), kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [None if value == -1 else float(value) for value in judge.stats]


def is_judgeable(masked):
    is_counted = any(not annotation["iscrowd"] for annotation in masked.document["annotations"])
    return bool(masked.results) and is_counted


def mask_texts(table):
    """Concept and mask of every row, sorted: what two readings must share."""
    return sorted(zip(table.concept.tolist(), table.mask.texts(), strict=True))


def shared_golden(folder):
    """COCO's own fake masks on 100 images of val2014."""
    golden = Path(folder) / "data/golden/coco_val2014_100"
    return MaskedSet(
        json.loads((golden / "instances_val2014_100.json").read_text()),
        json.loads((golden / "instances_val2014_fakesegm100_results.json").read_text()),
    )
