"""Real data, as people have it: each way in leads to the same gallery."""

import json

import pytest

pytestmark = pytest.mark.shared

MODELS = ["nanodet", "yolov3-tiny", "mb3-centernet"]


def coco_view(workspace, folder):
    view = workspace.view("coco", "detection")
    view.add(folder / "annotations/instances_train2017.json", folder / "images", "training")
    view.add(folder / "annotations/instances_val2017.json", folder / "images", "validation")
    return view


def tab(version, name, split):
    """What a person sees: which items, in which order, how scored."""
    return [
        (item.image, item.concept, item.outcome, item.score)
        for item in version.gallery(name, split=split)
    ]


def values(version):
    return {name: (t.value, t.errors, t.tp, t.fp, t.fn) for name, t in version.thresholds.items()}


@pytest.mark.slow
def test_coco_results_and_csv_give_the_same_tabs(shared, workspace):
    folder = shared / "coco256"
    view = coco_view(workspace, folder)
    for model in MODELS:
        one, other = view.start(model), view.start(f"{model}-csv")
        limits = one.add_predictions(folder / f"predictions/{model}/coco_results.json")
        assert {note.kind for note in limits} <= {"score_floor", "box_cap"}
        notes = other.add_predictions(folder / f"predictions/{model}/predictions.csv")
        assert [note for note in notes if note.kind != "columns"] == limits
        assert values(one) == values(other)
        for split in ("training", "validation"):
            for name in ("all", "matched", "missing", "extra"):
                assert sorted(map(str, tab(one, name, split))) == sorted(
                    map(str, tab(other, name, split))
                )


def test_data_lost_in_exports_is_reported(shared, workspace):
    folder = shared / "coco256"
    view = coco_view(workspace, folder)
    notes = view.start("m").add_predictions(folder / "predictions/nanodet/coco_results.json")
    assert [note.kind for note in notes] == ["score_floor", "box_cap"]
    assert "thresholds below it cannot be evaluated" in notes[0].message
    assert "exactly 100 boxes" in notes[1].message


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("stems", [False, True])
def test_ultralytics_numbering_gives_the_same_tabs(shared, workspace, tmp_path, first, stems):
    """Concepts numbered without gaps from 0 or 1, where COCO's own ids have gaps; images by
    stem or its integer."""
    folder = shared / "coco256"
    coco = coco_view(workspace, folder)
    yolo, _ = workspace.add("yolo", folder / "annotations/yolo", images=folder / "images")
    results = folder / "predictions/nanodet/coco_results.json"
    listed = [
        one["id"]
        for one in json.loads((folder / "annotations/instances.json").read_text())["categories"]
    ]
    rows = json.loads(results.read_text())
    for row in rows:
        row["category_id"] = listed.index(row["category_id"]) + first
        row["image_id"] = f"{row['image_id']:012d}" if stems else row["image_id"]
    (tmp_path / "predictions.json").write_text(json.dumps(rows))
    expected = coco.start("expected")
    expected.add_predictions(results)
    for view in (coco, yolo):
        version = view.start("found")
        notes = version.add_predictions(tmp_path / "predictions.json")
        assert not {"concept_unknown", "image_unknown"} & {note.kind for note in notes}
        assert values(version) == values(expected)
        assert len(version.gallery("missing")) == len(expected.gallery("missing"))


@pytest.mark.slow
def test_yolo_files_give_the_same_tabs(shared, workspace):
    folder = shared / "coco256"
    coco = coco_view(workspace, folder)
    yolo, notes = workspace.add("yolo", folder / "annotations/yolo", images=folder / "images")
    assert {note.kind: note.count for note in notes} == {"no_label_file": 2, "no_picture": 2}
    assert yolo.manifest.concepts[0].name == "person"
    for model in MODELS:
        one, other = coco.start(model), yolo.start(model)
        one.add_predictions(folder / f"predictions/{model}/coco_results.json")
        other.add_predictions(folder / f"predictions/{model}/labels")
        assert values(one) == values(other)
        for split in ("training", "validation"):
            for name in ("all", "matched", "missing", "extra"):
                assert len(one.gallery(name, split=split)) == len(other.gallery(name, split=split))
                assert sorted(map(str, tab(one, name, split))) == sorted(
                    map(str, tab(other, name, split))
                )


def test_coverage_and_images_are_counted(shared, workspace):
    folder = shared / "coco256"
    version = coco_view(workspace, folder).start("half")
    version.add_predictions(folder / "predictions/nanodet/coco_results.json", split="validation")
    assert (version.metrics("training").covered, version.metrics("training").images) == (0, 128)
    assert (version.metrics("validation").covered, version.metrics("validation").images) == (
        128,
        128,
    )
    assert len(version.gallery("extra", split="training")) == 0


@pytest.mark.slow
def test_one_hot_and_lists_of_tags_are_the_same_annotations(shared, workspace):
    folder = shared / "coco256/multilabel"
    one, _ = workspace.add("onehot", folder / "labels_onehot.csv")
    other, _ = workspace.add("lists", folder / "labels_tags.csv")
    assert one.kind == other.kind == "tagging"
    for view in (one, other):
        version = view.start("v")
        version.add_predictions(folder / "pred_v1_efficientnet_lr_oof.csv")
    first, second = one.version("v"), other.version("v")
    assert {n: t.value for n, t in first.thresholds.items()} == {
        n: t.value for n, t in second.thresholds.items()
    }
    for name in ("all", "matched", "missing", "extra"):
        assert sorted(tab(first, name, "validation")) == sorted(tab(second, name, "validation"))


def test_image_folder_and_table_give_the_same_view(shared, workspace):
    folder = shared / "flowers5"
    tree, _ = workspace.add("tree", folder / "images")
    table, _ = workspace.add("table", folder / "labels.csv")
    assert tree.kind == table.kind == "classification"
    for view in (tree, table):
        view.start("v1").add_predictions(folder / "pred_v1_colorhist_rf.csv")
        view.start("v2").add_predictions(folder / "pred_v2_efficientnet_lr.csv")
    for version in ("v1", "v2"):
        one, other = tree.version(version), table.version(version)
        assert values(one) == values(other)
        assert one.metrics("training").overall == other.metrics("training").overall


def test_overfitting_shows_between_the_splits(shared, workspace):
    folder = shared / "flowers5"
    view, _ = workspace.add("flowers", folder / "labels.csv")
    version = view.start("v1")
    version.add_predictions(folder / "pred_v1_colorhist_rf.csv")
    assert version.metrics("training").overall.argmax_accuracy == pytest.approx(0.999, abs=5e-4)
    assert version.metrics("validation").overall.argmax_accuracy == pytest.approx(0.564, abs=5e-4)


def test_out_of_fold_predictions_cover_only_training(shared, workspace):
    folder = shared / "flowers5"
    view, _ = workspace.add("flowers", folder / "labels.csv")
    version = view.start("oof")
    version.add_predictions(folder / "pred_v2_oof_train.csv")
    assert [version.metrics(split).covered for split in ("training", "validation")] == [1000, 0]
    assert {threshold.source for threshold in version.thresholds.values()} == {"fallback"}
    assert {threshold.value for threshold in version.thresholds.values()} == {0.5}


def test_mnist_from_plain_tables(shared, workspace):
    folder = shared / "mnist_test_labelerrors"
    view, _ = workspace.add("digits", folder / "labels.csv", kind="classification")
    version = view.start("cv")
    version.add_predictions(folder / "pred_cleanlab_cv.csv")
    assert version.metrics("validation").overall.argmax_accuracy == pytest.approx(0.9913, abs=5e-5)
