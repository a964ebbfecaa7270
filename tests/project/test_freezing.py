"""Versions freeze what a view holds; what comes later stays out of them."""

import pytest

import pellucid
import toys


@pytest.fixture
def view(workspace, tmp_path):
    made, _ = workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    return made


def paths(version):
    return version.evaluation.images.path.tolist()


def later(tmp_path):
    """A third picture, and one more box on the second."""
    images = [
        {"id": 12, "file_name": "a/two.png", "width": 64, "height": 48},
        {"id": 13, "file_name": "a/three.png", "width": 64, "height": 48},
    ]
    annotations = [
        {"id": 3, "image_id": 12, "category_id": 1, "bbox": [0, 0, 30, 30]},
        {"id": 4, "image_id": 12, "category_id": 2, "bbox": [40, 20, 10, 10]},
        {"id": 5, "image_id": 13, "category_id": 2, "bbox": [1, 1, 9, 9]},
    ]
    return toys.coco(tmp_path, "later.json", images, annotations)


def test_later_images_and_annotations_are_excluded(view, tmp_path):
    first = view.start("first")
    notes = view.add(later(tmp_path), tmp_path / "images")
    assert {note.kind: note.count for note in notes} == {"images_again": 1, "annotations_again": 1}
    second = view.start("second")
    assert paths(first) == ["a/one.png", "a/two.png"]
    assert sorted(paths(second)) == ["a/one.png", "a/three.png", "a/two.png"]
    assert (len(first.evaluation.annotations), len(second.evaluation.annotations)) == (3, 5)
    for version in (first, second):
        version.add_predictions(toys.results(tmp_path))
    assert {item.image for item in first.gallery("extra")} <= {"a/one.png", "a/two.png"}
    assert "a/three.png" in {item.image for item in second.gallery("extra")}


def test_predictions_for_later_images_are_counted_and_ignored(view, tmp_path):
    version = view.start("first")
    view.add(later(tmp_path), tmp_path / "images")
    rows = [
        {"image_id": identity, "category_id": 1, "bbox": [0, 0, 30, 30], "score": 0.9}
        for identity in (12, 13)
    ]
    notes = version.add_predictions(toys.results(tmp_path, rows))
    assert [(note.kind, note.count) for note in notes] == [("image_unknown", 1)]
    assert [item.image for item in version.gallery("all")] == ["a/two.png"]


def test_predictions_freeze_a_version_that_was_not_started(view, tmp_path):
    version = view.version_or_draft("late")
    with pytest.raises(pellucid.PellucidError):
        version.add_predictions(
            toys.results(
                tmp_path, [{"image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]
            )
        )
    assert view.versions == []
    version.add_predictions(toys.results(tmp_path))
    assert view.versions == ["late"]
    assert len(view.version("late").gallery("all")) == 4


def test_several_views_over_the_same_images(workspace, view, tmp_path):
    tags, _ = workspace.add(
        "tags", tmp_path / "annotations.json", images=tmp_path / "images", kind="tagging"
    )
    assert workspace.views == ["tags", "v"]
    assert (tags.kind, view.kind) == ("tagging", "detection")
    tags.start("m").add_predictions({"image": ["a/one.png"], "concept": ["rust"], "score": [0.7]})
    assert [item.outcome for item in tags.version("m").gallery("all")] == ["matched"]


def test_second_prediction_file_is_appended(view, tmp_path):
    version = view.start("m")
    rows = [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}]
    version.add_predictions(toys.results(tmp_path, rows), covered="listed")
    assert version.metrics().covered == 1
    other = [{"image_id": 12, "category_id": 1, "bbox": [0, 0, 30, 30], "score": 0.9}]
    version.add_predictions(toys.results(tmp_path, other, "more.json"), covered="listed")
    assert version.metrics().covered == 2
    assert [item.image for item in version.gallery("matched", "dent")] == ["a/one.png", "a/two.png"]
    with pytest.raises(
        pellucid.PellucidError, match="already has predictions for 1 of these images"
    ):
        version.add_predictions(toys.results(tmp_path, other, "again.json"))


def test_images_that_were_not_run_are_excluded(view, tmp_path):
    version = view.start("m")
    rows = [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}]
    version.add_predictions(toys.results(tmp_path, rows), covered="listed")
    assert {item.image for item in version.gallery("extra")} == {"a/one.png"}
    whole = view.start("n")
    whole.add_predictions(toys.results(tmp_path, rows))
    assert {item.image for item in whole.gallery("extra")} == {"a/one.png", "a/two.png"}


def test_gallery_is_a_sequence(view, tmp_path):
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    gallery = version.gallery("all")
    assert len(gallery) == 4
    assert [item.score for item in gallery] == [0.9, 0.8, 0.6, 0.4]
    assert gallery[-1].score == 0.4
    assert [item.score for item in gallery[1:3]] == [0.8, 0.6]
    assert [item.score for item in gallery[::-2]] == [0.4, 0.8]
    assert gallery.to_arrow().column("score").to_pylist() == [0.9, 0.8, 0.6, 0.4]
    with pytest.raises(IndexError):
        gallery[4]


def test_user_threshold_is_evaluated_on_validation(view, tmp_path):
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    own = version.results(thresholds={"dent": 0.7}).threshold_table()["dent"]
    assert (own.value, own.source, own.tp, own.fp, own.fn) == (0.7, "user", 1, 0, 1)
    assert own.equally_good == version.thresholds["dent"].equally_good


def test_workspace_can_be_copied(view, tmp_path):
    import shutil

    view.start("m").add_predictions(toys.results(tmp_path))
    shutil.copytree(tmp_path / "new.pellucid", tmp_path / "copy.pellucid")
    copy = pellucid.open(tmp_path / "copy.pellucid").view("v").version("m")
    assert list(copy.gallery("all")) == list(view.version("m").gallery("all"))


def test_changes_by_another_process_are_visible(view, tmp_path):
    view.start("m")
    reader = pellucid.open(tmp_path / "new.pellucid").view("v").version("m")
    assert len(reader.gallery("all")) == 0
    view.version("m").add_predictions(toys.results(tmp_path))
    assert len(reader.gallery("all")) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"tab": "mising"}, "invalid value 'mising' for tab"),
        (
            {"tab": "all", "split": "val"},
            "invalid value 'val' for split. Expected one of: training",
        ),
    ],
)
def test_unknown_option_values_are_reported(view, tmp_path, words, said):
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    with pytest.raises(pellucid.PellucidError, match=said):
        version.gallery(**words)
    with pytest.raises(pellucid.PellucidError, match="invalid value 'val' for split"):
        version.add_predictions(toys.results(tmp_path), split="val")


def test_images_added_after_freezing_are_shown(workspace, tmp_path, served):
    import json
    import urllib.request

    source = toys.coco(tmp_path / "set")
    (tmp_path / "set/images").rename(tmp_path / "pictures")
    view, _ = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    address = served(workspace)

    def first():
        with urllib.request.urlopen(f"{address}api/v1/views/v/versions/m/page") as answer:
            item = json.load(answer)["items"][0]
        with urllib.request.urlopen(address + item["picture"]) as answer:
            return answer.headers["Content-Type"]

    assert first() == "image/svg+xml"
    view.add(source, images=tmp_path / "pictures")
    assert first() == "image/jpeg"
    labels = tmp_path / "labels/a/two.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("0 0.5 0.5 0.2 0.2 0.9\n")
    late = view.start("late")
    late.add_predictions(tmp_path / "labels")
    assert view.version("late").gallery("all")[0].box == pytest.approx((25.6, 19.2, 12.8, 9.6))
