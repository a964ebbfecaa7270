"""Metrics fed with arrays equal pycocotools on the same boxes, however they are batched."""

import contextlib
import copy
import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import pellucid
import toys
from pellucid.integrations.detection_metric import TORCHMETRICS_NAMES
from pellucid.integrations.errors import InvalidBatchError
from references import masks as reference

LABELS = (1, 2, 7)


def random_batches(seed, images):
    """Targets, and predictions near them; some images without either."""
    chance = np.random.default_rng(seed)
    targets, predictions = [], []
    for _ in range(images):
        count = int(chance.integers(0, 6))
        corner = chance.integers(0, 300, (count, 2)).astype(float)
        size = chance.choice([10.0, 30.0, 60.0, 150.0], (count, 2))
        labels = chance.choice(LABELS, count)
        targets.append(
            {
                "boxes": np.concatenate([corner, corner + size], axis=1),
                "labels": labels,
                "iscrowd": chance.random(count) < 0.1,
                "area": np.where(chance.random(count) < 0.5, 0.0, size.prod(axis=1) * 0.7),
            }
        )
        kept = chance.random(count) < 0.8
        near = targets[-1]["boxes"][kept] + chance.integers(-4, 5, (int(kept.sum()), 4))
        extra = chance.integers(0, 300, (int(chance.integers(0, 4)), 2)).astype(float)
        boxes = np.concatenate([near, np.concatenate([extra, extra + 40], axis=1)])
        predictions.append(
            {
                "boxes": boxes,
                "scores": chance.integers(0, 20, len(boxes)) / 20,
                "labels": np.concatenate([labels[kept], chance.choice(LABELS, len(extra))]),
            }
        )
    return predictions, targets


def to_xywh(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()


def as_coco(predictions, targets):
    """The same as pycocotools reads it."""
    annotations, results = [], []
    for image, target in enumerate(targets):
        for box, label, crowd, area in zip(
            to_xywh(target["boxes"]),
            target["labels"].tolist(),
            target["iscrowd"].tolist(),
            target["area"].tolist(),
            strict=True,
        ):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": label,
                    "bbox": box,
                    "iscrowd": int(crowd),
                    "area": area or box[2] * box[3],
                }
            )
    for image, prediction in enumerate(predictions):
        for box, label, score in zip(
            to_xywh(prediction["boxes"]),
            prediction["labels"].tolist(),
            prediction["scores"].tolist(),
            strict=True,
        ):
            results.append({"image_id": image, "category_id": label, "bbox": box, "score": score})
    document = {
        "images": [
            {"id": image, "file_name": f"{image}.png", "width": 500, "height": 500}
            for image in range(len(targets))
        ],
        "categories": [{"id": label, "name": f"c{label}"} for label in LABELS],
        "annotations": annotations,
    }
    return document, results


def pycocotools_stats(document, results):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        truth = COCO()
        truth.dataset = document
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        printed.truncate(0)
        evaluator.summarize()
    return evaluator.stats, printed.getvalue().strip("\0")


@given(seed=st.integers(0, 10_000), images=st.integers(1, 12), cut=st.integers(0, 12))
def test_metric_equals_pycocotools_in_batches_and_merged(seed, images, cut):
    predictions, targets = random_batches(seed, images)
    document, results = as_coco(predictions, targets)
    if not results or not document["annotations"]:
        return
    expected, _ = pycocotools_stats(document, results)
    metric, other = pellucid.DetectionMetric(), pellucid.DetectionMetric()
    for start in range(0, min(cut, images), 2):
        stop = min(start + 2, cut, images)
        metric.update(predictions[start:stop], targets[start:stop])
    other.update(predictions[cut:], targets[cut:])
    metric.merge(pickle.loads(pickle.dumps(other.state())))
    figures = metric.compute()
    np.testing.assert_allclose([figures[name] for name in TORCHMETRICS_NAMES], expected, atol=1e-9)
    for overall, per_class in (("map", "map_per_class"), ("mar_100", "mar_100_per_class")):
        valid = figures[per_class][figures[per_class] >= 0]
        expected_mean = valid.mean() if len(valid) else -1  # crowds alone are no annotations
        assert figures[overall] == pytest.approx(expected_mean)


@pytest.mark.parametrize("box_format", ["xywh", "cxcywh"])
def test_box_formats_give_the_same_figures(box_format):
    predictions, targets = random_batches(3, 20)
    expected = pellucid.DetectionMetric()
    expected.update(predictions, targets)

    def converted(records):
        def convert(boxes):
            xywh = np.array(to_xywh(boxes)).reshape(-1, 4)
            if box_format == "cxcywh":
                xywh[:, :2] += xywh[:, 2:] / 2
            return xywh

        return [{**record, "boxes": convert(record["boxes"])} for record in records]

    metric = pellucid.DetectionMetric(box_format)
    metric.update(converted(predictions), converted(targets))
    assert metric.compute()["map"] == pytest.approx(expected.compute()["map"])


def test_empty_metric_and_reset():
    metric = pellucid.DetectionMetric()
    assert metric.compute()["map"] == -1
    predictions, targets = random_batches(1, 5)
    metric.update(predictions, targets)
    assert metric.compute()["map"] >= 0
    metric.reset()
    assert metric.compute()["map"] == -1
    assert metric.compute()["classes"].tolist() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.5, 0.4]}, "preds[0]['scores']: expected 1 values, one per box, not 2"),
        ({"scores": [float("nan")]}, "preds[0]['scores']: expected finite numbers"),
        ({"labels": None}, "preds[0]['labels']: expected 1 values"),
        ({"boxes": [[1, 2, 3]]}, "preds[0]['boxes']: expected an array of shape (n, 4)"),
        ({"boxes": [[5, 5, 1, 1]]}, "expected boxes as xyxy"),
        ({"boxes": None}, "preds[0]['boxes']: expected an array"),
    ],
)
def test_invalid_batch_is_refused_as_a_whole(change, message):
    metric = pellucid.DetectionMetric()
    good = {"boxes": [[0, 0, 5, 5]], "scores": [0.9], "labels": [1]}
    target = {"boxes": [[0, 0, 5, 5]], "labels": [1]}
    with pytest.raises(InvalidBatchError) as refused:
        metric.update([{**good, **change}], [target])
    assert message in str(refused.value)
    with pytest.raises(InvalidBatchError):
        metric.update([good], [])
    assert metric.state()["image_count"] == 0
    metric.update([good], [target])
    assert metric.compute()["map"] == pytest.approx(1)


def test_metric_leaves_a_gallery_behind(tmp_path):
    predictions, targets = random_batches(5, 12)
    names = [f"{image}.png" for image in range(12)]
    for name in names:
        toys.picture(tmp_path / "images" / name, 500, 500)
    metric = pellucid.DetectionMetric(class_names=[f"c{label}" for label in range(8)])
    metric.update(predictions[:6], targets[:6], names[:6])
    metric.update(predictions[6:], targets[6:], names[6:])
    version = metric.save(tmp_path / "w", "parts", "epoch-1", images=tmp_path / "images")
    stats = version.results().metrics("validation").overall
    assert stats.coco["AP"] == pytest.approx(metric.compute()["map"])
    assert len(version.gallery("all")) == sum(len(one["boxes"]) for one in predictions)
    again = metric.save(tmp_path / "w", "parts", "epoch-2")
    assert again.gallery("all")[0].concept in {"c1", "c2", "c7"}
    unnamed = pellucid.DetectionMetric()
    unnamed.update(predictions, targets)
    with pytest.raises(InvalidBatchError, match="file names"):
        unnamed.save(tmp_path / "w", "parts", "epoch-3")


def test_evaluator_prints_what_pycocotools_prints(capsys):
    document, results = as_coco(*random_batches(11, 30))
    expected, printed = pycocotools_stats(document, results)
    for sources in ((document, results), loaded(document, results)):
        evaluator = pellucid.CocoEvaluator(*sources)
        evaluator.evaluate()
        evaluator.accumulate()
        capsys.readouterr()
        evaluator.summarize()
        assert capsys.readouterr().out.strip().splitlines() == printed.strip().splitlines()
        np.testing.assert_allclose(evaluator.stats, expected, atol=1e-9)
    with pytest.raises(InvalidBatchError, match="bbox"):
        pellucid.CocoEvaluator(document, results, "boxes")


def masked_batches(masked):
    """The set as arrays of pixels, as a model and a data loader give them."""
    targets, predictions = [], []
    for image in masked.document["images"]:
        size = image["height"], image["width"]
        annotated = [a for a in masked.document["annotations"] if a["image_id"] == image["id"]]
        found = [r for r in masked.results if r["image_id"] == image["id"]]
        targets.append(
            {
                "masks": stacked([a["segmentation"] for a in annotated], *size),
                "labels": [a["category_id"] for a in annotated],
                "iscrowd": [a["iscrowd"] for a in annotated],
                "area": [a["area"] for a in annotated],
            }
        )
        predictions.append(
            {
                "masks": stacked([r["segmentation"] for r in found], *size),
                "labels": [r["category_id"] for r in found],
                "scores": [r["score"] for r in found],
            }
        )
    return predictions, targets


def stacked(segmentations, height, width):
    pixels = [reference.pixels_of(one, height, width) for one in segmentations]
    return np.array(pixels, bool).reshape(-1, height, width)


@pytest.mark.parametrize("seed", range(4))
def test_masks_equal_pycocotools_and_leave_a_gallery(seed, tmp_path):
    masked = reference.random_set(seed)
    expected = reference.judged(masked)
    predictions, targets = masked_batches(masked)
    metric = pellucid.DetectionMetric(iou_type="segm")
    names = [image["file_name"] for image in masked.document["images"]]
    metric.update(predictions[:2], targets[:2], names[:2])
    other = pellucid.DetectionMetric(iou_type="segm")
    other.update(predictions[2:], targets[2:], names[2:])
    metric.merge(pickle.loads(pickle.dumps(other.state())))
    figures = metric.compute()
    assert [figures[name] for name in TORCHMETRICS_NAMES] == pytest.approx(
        [-1 if value is None else value for value in expected], abs=1e-9
    )
    version = metric.save(tmp_path / "w", "parts", "epoch-1")
    assert version.results().evaluation.geometry == "mask"
    coco = list(version.metrics("validation").overall.coco.values())
    assert [-1 if v is None else v for v in coco] == pytest.approx(
        [figures[name] for name in TORCHMETRICS_NAMES], abs=1e-9
    )
    for sources in ((masked.document, masked.results), loaded(masked.document, masked.results)):
        evaluator = pellucid.CocoEvaluator(*sources, "segm")
        evaluator.summarize()
        assert evaluator.stats.tolist() == pytest.approx(
            [figures[name] for name in TORCHMETRICS_NAMES], abs=1e-9
        )


def loaded(document, results):
    """The set as pycocotools' `COCO` objects: `loadRes` changes the records it is given."""
    truth = COCO()
    truth.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        return truth, truth.loadRes(copy.deepcopy(results))


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((1, 4)), "n, height, width"),
        (np.ones((1, 5, 4)), "the same size"),
        (None, "n, height, width"),
    ],
)
def test_masks_of_another_shape_are_refused(masks, message):
    metric = pellucid.DetectionMetric(iou_type="segm")
    target = {"masks": np.ones((1, 4, 5)), "labels": [1]}
    with pytest.raises(InvalidBatchError, match=message):
        metric.update([{"masks": masks, "labels": [1], "scores": [0.5]}], [target])
    with pytest.raises(InvalidBatchError, match="iou_type"):
        pellucid.DetectionMetric(iou_type="keypoints")
