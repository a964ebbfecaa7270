"""Sets with oriented boxes on both sides: DOTA and YOLO files, matched by exact intersection."""

import json

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import Polygon

import pellucid
import toys
from pellucid.browse.query import ListQuery
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions

WIDTH, HEIGHT = 200, 120
CONCEPTS = ("plane", "ship")


def rectangle(chance):
    center, size = chance.uniform(30, 90, 2), chance.uniform(8, 40, 2)
    return np.array([*center, *size, chance.uniform(0, np.pi)])


def corners(numbers):
    center_x, center_y, width, height, angle = numbers
    offsets = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.round((offsets @ turn.T + [center_x, center_y]).ravel(), 3)


def made(seed, images=8):
    """(image, concept, corners) annotated, and the same with a score predicted."""
    chance = np.random.default_rng(seed)
    annotated, predicted = [], []
    for image in range(images):
        for _ in range(chance.integers(1, 4)):
            box, concept = rectangle(chance), str(chance.choice(CONCEPTS))
            annotated.append((f"P{image}", concept, corners(box)))
            if chance.random() < 0.8:
                near = box + chance.normal(0, [2, 2, 2, 2, 0.15])
                near[2:4] = np.maximum(near[2:4], 2)
                score = round(float(chance.uniform(0.5, 1)), 3)
                predicted.append((f"P{image}", concept, corners(near), score))
        if chance.random() < 0.5:
            elsewhere = (f"P{image}", CONCEPTS[0], corners(rectangle(chance)))
            predicted.append((*elsewhere, round(float(chance.uniform(0, 0.7)), 3)))
    return annotated, predicted


def dota(folder, annotated, images=8):
    for image in range(images):
        name = f"P{image}"
        lines = [
            " ".join([*map(str, box.tolist()), concept, "0"])
            for owner, concept, box in annotated
            if owner == name
        ]
        toys.write(folder / "labelTxt" / f"{name}.txt", "\n".join(lines) + "\n")
        (folder / "images").mkdir(exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "images" / f"{name}.jpg")
    return folder


def yolo_labels(folder, predicted):
    scale = np.tile([WIDTH, HEIGHT], 4)
    for owner in {row[0] for row in predicted}:
        lines = [
            " ".join(map(repr, [CONCEPTS.index(concept), *(box / scale).tolist(), score]))
            for name, concept, box, score in predicted
            if name == owner
        ]
        toys.write(folder / f"{owner}.txt", "\n".join(lines) + "\n")
    return folder


def ultralytics_json(path, predicted):
    records = [
        {
            "image_id": name,
            "file_name": f"{name}.jpg",
            "category_id": concept,
            "score": score,
            "rbox": [0, 0, 1, 1, 0],
            "poly": box.tolist(),
        }
        for name, concept, box, score in predicted
    ]
    path.write_text(json.dumps(records))
    return path


def dota_results(folder, predicted):
    for concept in CONCEPTS:
        lines = [
            " ".join([name, str(score), *map(str, box.tolist())])
            for name, label, box, score in predicted
            if label == concept
        ]
        toys.write(folder / f"Task1_{concept}.txt", "\n".join(lines) + "\n")
    return folder


def version_of(folder, annotated, source, **options):
    dota(folder / "set", annotated)
    view, _ = pellucid.open(folder / "w").add("aerial", folder / "set", split="validation")
    version = view.version_or_draft("m")
    version.add_predictions(source, **options)
    return view.version("m")


def expected_matches(annotated, predicted, iou=0.5):
    """A plain loop: by falling score, each takes the free annotation of highest IoU."""
    taken, matches = set(), {}
    for row in sorted(range(len(predicted)), key=lambda row: -predicted[row][3]):
        name, concept, box, _ = predicted[row]
        best, best_iou = None, iou
        for other, (owner, label, truth) in enumerate(annotated):
            if (owner, label) != (name, concept) or other in taken:
                continue
            one, two = Polygon(box.reshape(4, 2)), Polygon(truth.reshape(4, 2))
            overlap = one.intersection(two).area / one.union(two).area
            if overlap >= best_iou:
                best, best_iou = other, overlap
        if best is not None:
            taken.add(best)
            matches[row] = best_iou
    return matches


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", ["labels", "json", "dota"])
def test_matching_equals_a_plain_loop(seed, source, tmp_path):
    annotated, predicted = made(seed)
    write = {"labels": yolo_labels, "json": ultralytics_json, "dota": dota_results}[source]
    version = version_of(tmp_path, annotated, write(tmp_path / f"{source}.out", predicted))
    evaluation = version.results().evaluation
    assert evaluation.geometry == "oriented_box"
    assert version.manifest.geometry == "oriented_box"
    expected = expected_matches(annotated, predicted)
    found = evaluation.iou[~np.isnan(evaluation.iou)]
    assert np.sort(found) == pytest.approx(sorted(expected.values()), abs=1e-6)
    at_zero = version.results(thresholds=0.0)
    assert len(at_zero.gallery(ListQuery("matched"))) == len(expected)


def test_the_geometry_can_be_forced(tmp_path):
    annotated, predicted = made(1)
    labels = yolo_labels(tmp_path / "labels", predicted)
    for geometry in ("box", "mask", "oriented_box"):
        version = version_of(tmp_path / geometry, annotated, labels, geometry=geometry)
        assert version.results().evaluation.geometry == geometry


def test_polygons_of_a_segmentation_are_no_oriented_boxes(tmp_path):
    annotated, predicted = made(2)
    predicted[0] = (*predicted[0][:2], np.array([20, 20, 60, 22, 70, 70, 15, 60.0]), 0.9)
    version = version_of(tmp_path, annotated, yolo_labels(tmp_path / "labels", predicted))
    assert version.results().evaluation.geometry == "mask"


def test_accepted_and_exported_boxes_keep_their_corners(tmp_path):
    annotated, predicted = made(4)
    version = version_of(tmp_path, annotated, yolo_labels(tmp_path / "labels", predicted))
    candidates = version.gallery("missing", threshold=0.0)
    item = next(one for one in candidates if one.cause == "background")
    version.view.reviews.decide(version, [item], "wrong", "Ann")
    at_zero = version.results(corrected=True, thresholds=0.0)
    accepted = [one for one in at_zero.gallery(ListQuery("matched")) if one.box == item.box]
    assert accepted[0].iou == pytest.approx(1)
    export_view(
        version.view, "annotations", "yolo", tmp_path / "y", options=ExportOptions(corrected=True)
    )
    again, _ = pellucid.open(tmp_path / "w2").add("aerial", tmp_path / "y/data.yaml")
    fresh = again.start("m")
    fresh.add_predictions(tmp_path / "labels")
    ours, theirs = at_zero.evaluation, again.version("m").results().evaluation
    assert theirs.geometry == "oriented_box"
    assert np.sort(theirs.annotations.corners, axis=0) == pytest.approx(
        np.sort(ours.annotations.corners, axis=0), abs=1e-5
    )
