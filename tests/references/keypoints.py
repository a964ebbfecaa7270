"""Random sets of persons with keypoints, judged by pycocotools."""

import contextlib
import io
import json

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from references.masks import MaskedSet

CONCEPTS = {11: "person", 13: "doll"}
"""Ids that are no positions: few boxes agree with those by chance."""


def random_set(seed, images=6, points=17, with_boxes=False):
    """Persons with hidden and unlabelled points, crowds and persons without any labelled point;
    predictions near them and elsewhere, with equal scores. The files are named as of MaskedSet."""
    chance = np.random.default_rng(seed)
    posed = MaskedSet({"images": [], "annotations": [], "categories": []})
    names = [f"point{number}" for number in range(points)]
    posed.document["categories"] = [
        {"id": number, "name": name, "keypoints": names, "skeleton": [[1, 2], [2, 3]]}
        for number, name in CONCEPTS.items()
    ]
    for image in range(1, images + 1):
        width, height = (int(side) for side in chance.integers(60, 300, 2))
        posed.document["images"].append(
            {"id": image, "file_name": f"{image}.png", "width": width, "height": height}
        )
        persons = [
            annotate(posed, chance, image, (width, height), points)
            for _ in range(chance.integers(0, 6))
        ]
        for _ in range(chance.integers(0, 26)):
            near = persons[chance.integers(len(persons))] if persons else None
            predict(posed, chance, image, (width, height), points, near, with_boxes)
    return posed


def annotate(posed, chance, image, size, points):
    concept = int(chance.choice(list(CONCEPTS)))
    extent = chance.uniform(0.15, 0.6, 2) * size
    corner = chance.uniform(0, 1, 2) * (size - extent)
    coordinates = np.round(corner + chance.uniform(0, 1, (points, 2)) * extent, 2)
    kind = chance.choice(["labelled", "unlabelled", "crowd"], p=[0.7, 0.2, 0.1])
    visibility = chance.choice([0, 1, 2], points, p=[0.2, 0.3, 0.5])
    if kind != "labelled":
        visibility[:] = 0
    stated = np.concatenate([coordinates * (visibility > 0)[:, None], visibility[:, None]], 1)
    posed.document["annotations"].append(
        {
            "id": len(posed.document["annotations"]) + 1,
            "image_id": image,
            "category_id": concept,
            "keypoints": stated.ravel().tolist(),
            "num_keypoints": int((visibility > 0).sum()),
            "bbox": np.round([*corner, *extent], 2).tolist(),
            "area": round(float(extent.prod()) * float(chance.uniform(0.3, 0.9)), 3),
            "iscrowd": int(kind == "crowd"),
        }
    )
    return coordinates, concept


def predict(posed, chance, image, size, points, near, with_boxes):
    concept = int(chance.choice(list(CONCEPTS)))
    if near is None or chance.random() < 0.2:
        coordinates = chance.uniform(0, 1, (points, 2)) * size
    else:
        coordinates = near[0] + chance.normal(0, float(chance.choice([0.5, 2, 6])), (points, 2))
        concept = near[1] if chance.random() < 0.9 else concept
    coordinates = np.round(coordinates, 2)
    low, high = coordinates.min(0), coordinates.max(0)
    posed.results.append(
        {
            "image_id": image,
            "category_id": concept,
            "keypoints": np.concatenate([coordinates, np.ones((points, 1))], 1).ravel().tolist(),
            "score": float(chance.integers(1, 20) / 20),
            **({"bbox": np.round([*low, *(high - low + 3)], 2).tolist()} if with_boxes else {}),
        }
    )


def judged(posed, sigmas=None):
    """The ten figures by pycocotools, -1 as None."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(posed.document))
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(json.loads(json.dumps(posed.results))), "keypoints")
        if sigmas is not None:
            judge.params.kpt_oks_sigmas = np.array(sigmas)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [None if value == -1 else float(value) for value in judge.stats]


def similarities(posed, sigmas=None):
    """{(image id, category id): OKS, predictions by descending score x annotations}."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(posed.document))
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(json.loads(json.dumps(posed.results))), "keypoints")
        if sigmas is not None:
            judge.params.kpt_oks_sigmas = np.array(sigmas)
        judge.evaluate()
    return judge.ious
