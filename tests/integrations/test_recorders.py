"""Predictions recorded while a model validates arrive in the version, whoever hands them over."""

import sys
import types

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import InvalidChoiceError
from pellucid.integrations.errors import (
    ImageOrderError,
    InvalidBatchError,
    RecordedVersionError,
    SeveralProcessesError,
    UnmeasuredValidationError,
)
from pellucid.integrations.lightning import lightning_callback
from pellucid.integrations.transformers_trainer import hugging_face_metrics
from pellucid.integrations.ultralytics import Letterbox, oriented_corners, ultralytics_callbacks
from references import keypoints as posed_reference
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
    trainer = types.SimpleNamespace(world_size=1, sanity_checking=True)
    callback.setup(trainer, None, "fit")
    callback.on_validation_start(trainer, None)
    callback.on_validation_batch_end(trainer, None, 0.1, "a/one.png", 0)
    callback.on_validation_end(trainer, None)
    trainer.sanity_checking = False
    callback.on_validation_start(trainer, None)
    for image, score in zip(BOXES, [0.9, 0.8], strict=True):
        callback.on_validation_batch_end(trainer, None, score, image, 0)
    callback.on_validation_end(trainer, None)
    callback.teardown(trainer, None, "fit")
    assert items(folder) == EXPECTED
    trainer.world_size = 2
    with pytest.raises(SeveralProcessesError, match="2 processes"):
        callback.setup(trainer, None, "fit")


class Validator:
    """As ultralytics': it hands each batch to `update_metrics`, with all its images."""

    names = ("dent", "rust")
    args = types.SimpleNamespace(single_cls=False)
    metrics = types.SimpleNamespace(fitness=0.5)

    def __init__(self):
        self.updated = 0

    def update_metrics(self, predictions, batch):
        self.updated += len(predictions)

    def validate(self, callbacks, scale=1.0):
        """Images of 100 x 200 in an input of 100 x 100, so at half the size and 25 pixels down."""
        callbacks["on_val_start"](self)
        predictions = [
            {"bboxes": [[5, 30, 15, 40]], "cls": [0], "conf": [0.9 * scale]},
            {"bboxes": [[-2, 20, 15, 40]], "cls": [0], "conf": [0.8 * scale]},
            {"bboxes": np.zeros((0, 4)), "cls": [], "conf": []},
        ]
        batch = {
            "img": np.zeros((3, 3, 100, 100)),
            "im_file": ["/data/a/one.png", "/data/a/two.png", "/data/a/empty.png"],
            "ori_shape": [(100, 200)] * 3,
            "ratio_pad": [((0.5, 0.5), (0, 25))] * 3,
        }
        self.update_metrics(
            [{key: np.array(value, float) for key, value in row.items()} for row in predictions],
            batch,
        )
        callbacks["on_val_end"](self)


@pytest.fixture
def large_folder(tmp_path):
    """A view of three images of 200 x 100 pixels, the last of them empty."""
    folder = tmp_path / "large.pellucid"
    table = {"image": ["a/one.png", "a/two.png", "a/empty.png"], "concept": ["dent", "dent", ""]}
    table |= {"x": [10, 0, np.nan], "y": [10, 0, np.nan]}
    table |= {"width": [20, 30, np.nan], "height": [20, 30, np.nan]}
    pellucid.open(folder).add("v", table, kind="detection")
    return folder


def test_ultralytics_images_are_scaled_back_and_all_covered(large_folder):
    callbacks = ultralytics_callbacks(large_folder, "v", "m")
    validator = Validator()
    callbacks["on_train_start"](None)
    validator.validate(callbacks, 0.1)
    validator.validate(callbacks)
    callbacks["teardown"](None)
    assert validator.updated == 6, "its own figures are calculated"
    assert items(large_folder) == EXPECTED
    version = pellucid.open(large_folder).view("v").version("m")
    assert version.manifest.counts["covered"] == 3


def test_ultralytics_records_one_training_or_validation(large_folder):
    """The callbacks stay with the model: what comes later is not written over it."""
    callbacks = ultralytics_callbacks(large_folder, "v", "m")
    Validator().validate(callbacks)
    Validator().validate(callbacks, 0.1)
    assert items(large_folder) == EXPECTED


@pytest.mark.parametrize(("keep", "names"), [("best", ["m"]), ("every", ["m-1", "m-2", "m-3"])])
def test_validations_that_are_kept(large_folder, keep, names):
    callbacks = ultralytics_callbacks(large_folder, "v", "m", keep=keep)
    validator = Validator()
    callbacks["on_train_start"](None)
    for fitness, scale in ((0.3, 0.5), (0.6, 1.0), (0.2, 0.1)):
        validator.metrics = types.SimpleNamespace(fitness=fitness)
        validator.validate(callbacks, scale)
    callbacks["teardown"](None)
    view = pellucid.open(large_folder).view("v")
    assert view.versions == names
    highest = [max(item.score for item in view.version(name).gallery("all")) for name in names]
    assert highest == pytest.approx([0.9] if keep == "best" else [0.45, 0.9, 0.09])


def test_nothing_outlives_its_validation(folder):
    recorder = pellucid.record(folder, "v", "m")
    recorder.start_validation()
    recorder.add("a/one.png", ["dent"], [0.9], BOXES["a/one.png"])
    recorder.end_validation()
    recorder.start_validation()
    recorder.add("a/two.png", ["dent"], [0.8], BOXES["a/two.png"])
    recorder.end_validation()
    recorder.start_validation()
    recorder.add("a/one.png", ["dent"], [0.7], BOXES["a/one.png"])  # interrupted
    recorder.close()
    assert items(folder) == EXPECTED[1:]


def test_interrupted_training_keeps_the_validation_before(folder):
    def training():
        with pellucid.record(folder, "v", "m") as recorder:
            for image, score in zip(BOXES, [0.9, 0.8], strict=True):
                recorder.add(image, ["dent"], [score], BOXES[image])
            recorder.end_validation()
            recorder.add("a/one.png", ["dent"], [0.1], BOXES["a/one.png"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training()
    assert items(folder) == EXPECTED


@pytest.mark.parametrize("keep", ["last", "every"])
def test_used_version_names_are_refused_before_training(folder, keep):
    with pellucid.record(folder, "v", "m-1") as recorder:
        recorder.add("a/one.png", [], [], [])
    with pytest.raises(RecordedVersionError, match="'m-1' of view 'v' has predictions already"):
        pellucid.record(folder, "v", "m-1" if keep == "last" else "m", keep=keep)


def test_keep_is_checked(folder):
    with pytest.raises(InvalidChoiceError, match="last, best, every"):
        pellucid.record(folder, "v", "m", keep="first")
    recorder = pellucid.record(folder, "v", "m", keep="best")
    with pytest.raises(UnmeasuredValidationError, match="end_validation"):
        recorder.end_validation()


def test_the_end_says_how_to_look_at_it(folder, capsys):
    with pellucid.record(folder, "v", "m") as recorder:
        recorder.add("a/one.png", ["dent"], [0.9], BOXES["a/one.png"])
    expected = f"Recorded 1 predictions on 1 images as v m. Look at them: pellucid serve {folder}\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("has_visibility", [False, True])
def test_keypoints_are_recorded(tmp_path, has_visibility):
    posed = posed_reference.random_set(4, images=4)
    version, _ = posed.version(tmp_path)
    points = version.evaluation.predictions.keypoints
    with pellucid.record(tmp_path / "workspace", "parts", "recorded") as recorder:
        for image in posed.document["images"]:
            found = [r for r in posed.results if r["image_id"] == image["id"]]
            stated = np.array([r["keypoints"] for r in found], float).reshape(len(found), -1, 3)
            labels = [posed_reference.CONCEPTS[r["category_id"]] for r in found]
            stated = stated if has_visibility else stated[:, :, :2]
            recorder.add(image["file_name"], labels, [r["score"] for r in found], keypoints=stated)
    recorded = version.view.version("recorded").evaluation
    assert recorded.geometry == "keypoints"
    columns = [0, 1, 3, 4] if not has_visibility else [0, 1, 2, 3, 4]
    ours, theirs = (
        sorted(column.reshape(len(column), -1, 5)[:, :, columns].reshape(len(column), -1).tolist())
        for column in (recorded.predictions.keypoints, points)
    )
    assert ours == theirs
    with pytest.raises(InvalidBatchError, match=r"shape \(1, points, 2 or 3\)"):
        recorder.add("1.png", ["person"], [0.5], keypoints=np.zeros((1, 17)))


def test_oriented_boxes_are_rotated_clockwise():
    """A box of 4 x 2 turned by 30 degrees: ultralytics' `xywhr2xyxyxyxy` gives the same corners."""
    corners = oriented_corners(np.array([[10.0, 20.0, 4.0, 2.0, np.pi / 6]]))[0]
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    expected = {
        (round(10 + x * cos - y * sin, 9), round(20 + x * sin + y * cos, 9))
        for x in (-2, 2)
        for y in (-1, 1)
    }
    assert {tuple(corner) for corner in corners.round(9).tolist()} == expected


def test_masks_of_the_input_are_sampled_linearly():
    frame = Letterbox((64, 64), (80, 160), ((0.4, 0.4), (0, 16)))
    mask = np.zeros((1, 16, 16))
    mask[0, 4:8, 0:8] = 1  # the left half of the upper half of the image
    restored = frame.restore_masks(mask)
    assert restored.shape == (1, 80, 160)
    assert restored[0, 2:37, :77].all()
    assert not restored[0, 40:].any()
    assert not restored[0, :, 80:].any()


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


def test_hugging_face_labels_must_be_those_of_the_view(tmp_path):
    folder = tmp_path / "c.pellucid"
    pellucid.open(folder).add("v", {"image": ["1.png", "2.png"], "label": ["cat", "dog"]})
    recorder = pellucid.record(folder, "v", "m")
    logits = np.array([[2.0, 0.0], [0.0, 1.0]])
    right = types.SimpleNamespace(predictions=logits, label_ids=np.array([0, 1]))
    swapped = hugging_face_metrics(recorder, ["1.png", "2.png"], {0: "dog", 1: "cat"})
    with pytest.raises(ImageOrderError, match=r"1\.png: dog, in the view cat"):
        swapped(right)
    assert hugging_face_metrics(recorder, ["1.png", "2.png"], {0: "cat", 1: "dog"})(right) == {
        "accuracy": 1.0
    }


def test_hugging_face_tags_are_sigmoids(tmp_path):
    folder = tmp_path / "t.pellucid"
    table = {"image": ["1.png", "1.png", "2.png"], "label": ["cat", "dog", "dog"]}
    pellucid.open(folder).add("v", table, kind="tagging")
    with pellucid.record(folder, "v", "m") as recorder:
        compute = hugging_face_metrics(recorder, ["1.png", "2.png"], ["cat", "dog"])
        logits = np.array([[0.0, 2.0], [-800.0, -1.0]])
        figures = compute(
            types.SimpleNamespace(predictions=logits, label_ids=np.array([[1, 1], [0, 1]]))
        )
    assert figures == {"micro_f1": 0.8}
    version = pellucid.open(folder).view("v").version("m")
    scores = sorted(item.score for item in version.gallery("all", threshold=0))
    np.testing.assert_allclose(scores, [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2))])
