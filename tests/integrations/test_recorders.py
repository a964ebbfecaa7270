"""Predictions recorded while a model validates arrive in the version, whoever hands them over."""

import sys
import types

import numpy as np
import pytest

import pellucid
import toys
from pellucid.integrations.errors import InvalidBatchError
from pellucid.integrations.lightning import lightning_callback
from pellucid.integrations.transformers_trainer import hugging_face_metrics
from pellucid.integrations.ultralytics import ultralytics_callbacks
from references import masks as reference

BOXES = {"a/one.png": [[10, 10, 30, 30]], "a/two.png": [[0, 0, 30, 30]]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "w.pellucid"
    pellucid.open(folder).add("v", toys.coco(tmp_path, pictures=False))
    return folder


def items(folder):
    gallery = pellucid.open(folder).view("v").version("m").gallery("all")
    return sorted(
        (item.image, item.concept, item.score, item.box, item.outcome) for item in gallery
    )


EXPECTED = [
    ("a/one.png", "dent", 0.9, (10, 10, 20, 20), "matched"),
    ("a/two.png", "dent", 0.8, (0, 0, 30, 30), "matched"),
]


def test_recorder_in_a_training_loop(folder):
    with pellucid.record(folder, "v", "m") as recorder:
        for (image, boxes), score in zip(BOXES.items(), [0.9, 0.8], strict=True):
            recorder.add(image, np.array([0]), np.array([score]), np.array(boxes))
    assert items(folder) == EXPECTED


def test_failed_loop_records_nothing_and_keeps_the_version_frozen(folder):
    def failing():
        with pellucid.record(folder, "v", "m") as recorder:
            recorder.add("a/one.png", ["dent"], [0.9], BOXES["a/one.png"])
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        failing()
    assert items(folder) == []


def test_masks_are_recorded(tmp_path):
    """As arrays of pixels or as COCO's run lengths, as ultralytics gives them."""
    masked = reference.random_set(3)
    version, _ = masked.version(tmp_path)
    expected = reference.mask_texts(version.results().evaluation.predictions)
    for name in ("arrays", "encoded"):
        with pellucid.record(tmp_path / "workspace", "parts", name) as recorder:
            for image in masked.document["images"]:
                found = [r for r in masked.results if r["image_id"] == image["id"]]
                masks = [r["segmentation"] for r in found]
                if name == "arrays":
                    size = image["height"], image["width"]
                    pixels = [reference.pixels_of(mask, *size) for mask in masks]
                    masks = np.array(pixels).reshape(-1, *size)
                labels = [f"c{r['category_id']}" for r in found]
                recorder.add(image["file_name"], labels, [r["score"] for r in found], masks=masks)
        recorded = version.view.version(name).results().evaluation
        assert recorded.geometry == "mask"
        assert reference.mask_texts(recorded.predictions) == expected
    with pytest.raises(InvalidBatchError, match="shape"):
        recorder.add("1.png", ["c1"], [0.5], masks=np.ones((2, 3, 3)))


def test_images_without_a_prediction_count_as_run(folder):
    with pellucid.record(folder, "v", "m") as recorder:
        recorder.add("a/one.png", [], [], [])
    assert pellucid.open(folder).view("v").version("m").manifest.counts["covered"] == 1


def test_lightning(folder, monkeypatch):
    module = types.ModuleType("lightning.pytorch")
    module.Callback = object
    monkeypatch.setitem(sys.modules, "lightning", types.ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", module)
    callback = lightning_callback(
        folder, "v", "m", lambda outputs, batch: [(batch, ["dent"], [outputs], BOXES[batch])]
    )
    callback.setup(None, None, "fit")
    for image, score in zip(BOXES, [0.9, 0.8], strict=True):
        callback.on_validation_batch_end(None, None, score, image, 0)
    callback.teardown(None, None, "fit")
    assert items(folder) == EXPECTED


def test_ultralytics_category_ids_start_at_1(folder):
    callbacks = ultralytics_callbacks(folder, "v", "m")
    results = [
        {
            "image_id": "one",
            "file_name": "a/one.png",
            "category_id": 1,
            "bbox": [10, 10, 20, 20],
            "score": 0.9,
        },
        {
            "image_id": "two",
            "file_name": "a/two.png",
            "category_id": 1,
            "bbox": [0, 0, 30, 30],
            "score": 0.8,
        },
    ]
    validator = types.SimpleNamespace(
        args=types.SimpleNamespace(save_json=False),
        jdict=results,
        names={0: "dent", 1: "rust"},
        class_map=[1, 2],
    )
    callbacks["on_train_start"](None)
    callbacks["on_val_start"](validator)
    assert validator.args.save_json
    callbacks["on_val_end"](validator)
    callbacks["on_train_end"](None)
    assert items(folder) == EXPECTED


def test_hugging_face(tmp_path):
    folder = tmp_path / "c.pellucid"
    pellucid.open(folder).add("v", {"image": ["1.png", "2.png"], "label": ["cat", "dog"]})
    recorder = pellucid.record(folder, "v", "m")
    compute = hugging_face_metrics(recorder, ["1.png", "2.png"])
    found = compute(
        types.SimpleNamespace(
            predictions=np.array([[2.0, 0.0], [1.0, 0.0]]), label_ids=np.array([0, 1])
        )
    )
    assert found == {"accuracy": 0.5}
    version = recorder.close()
    assert [item.outcome for item in version.gallery("all", threshold=0)] == ["matched", "missing"]
    with pytest.raises(
        pellucid.PellucidError, match=r"shape \(1, 2\); expected 2 images x 2 concepts"
    ):
        compute(types.SimpleNamespace(predictions=np.zeros((1, 2)), label_ids=np.zeros(1)))
