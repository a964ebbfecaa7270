"""Deciding on whole images: concepts that exclude each other, and tags that do not."""

import pytest

import pellucid
import toys
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions
from pellucid.review.errors import InvalidDecisionError
from pellucid.review.resolve import Edit

LABELS = "image,label\none.png,cat\ntwo.png,dog\nthree.png,cat\nfive.png,owl\nfour.png,\n"
SCORES = "image,cat,dog,owl\none.png,0.1,0.8,0.1\ntwo.png,0.2,0.7,0.1\nthree.png,0.4,0.3,0.3\nfive.png,0.2,0.2,0.6\nfour.png,0.1,0.1,0.8\n"
TAGS = "image,cat,dog\none.png,1,0\ntwo.png,0,1\nthree.png,0,0\n"
TAG_SCORES = "image,cat,dog\none.png,0.2,0.9\ntwo.png,0.8,0.1\nthree.png,0.3,0.6\n"


@pytest.fixture
def pets(workspace, tmp_path):
    view, _ = workspace.add(
        "pets", toys.write(tmp_path / "labels.csv", LABELS), kind="classification"
    )
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "scores.csv", SCORES))
    return view, version


@pytest.fixture
def tags(workspace, tmp_path):
    view, _ = workspace.add("tags", toys.write(tmp_path / "tags.csv", TAGS), kind="tagging")
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "scores.csv", TAG_SCORES))
    return view, version


def labels(view):
    current, _ = view.corrected_state()
    table = current.annotations
    return {
        (current.images.path[i], current.concepts[c]): "unknown"
        if u
        else "positive"
        if p
        else "negative"
        for i, c, u, p in zip(table.image, table.concept, table.ignore, table.positive, strict=True)
    }


def named(version, tab, image, **options):
    return next(item for item in toys.gallery(version, tab, **options) if item.image == image)


def test_new_class_replaces_the_old_one(pets):
    view, version = pets
    view.reviews.decide(
        version, [named(version, "missing", "one.png", threshold=0.5)], "wrong", "Ann"
    )
    assert labels(view) == {
        ("one.png", "dog"): "positive",
        ("two.png", "dog"): "positive",
        ("three.png", "cat"): "positive",
        ("five.png", "owl"): "positive",
    }
    for tab in ("missing", "extra"):
        assert "one.png" not in [
            item.image for item in toys.gallery(version, tab, threshold=0.5, review="new")
        ], "one image, one decision"
    view.reviews.decide(
        version,
        [named(version, "extra", "one.png", threshold=0.5)],
        "wrong",
        "Bo",
        Edit(concept="owl"),
    )
    assert labels(view)["one.png", "owl"] == "positive"
    view.reviews.decide(version, [named(version, "extra", "one.png", threshold=0.5)], "wrong", "Bo")
    assert ("one.png", "dog") in labels(view), "an extra annotation gives way to what was predicted"
    view.reviews.decide(
        version,
        [named(version, "extra", "one.png", threshold=0.5)],
        "wrong",
        "Bo",
        Edit(value="unknown"),
    )
    assert not [image for image, _ in labels(view) if image == "one.png"]


def test_image_without_annotation_can_be_annotated(pets, tmp_path):
    view, version = pets
    item = named(version, "all", "four.png")
    assert item.outcome == "ignored"
    view.reviews.decide(version, [item], "wrong", "Ann")
    assert labels(view)["four.png", "owl"] == "positive"
    assert named(version, "all", "four.png", corrected=True).outcome == "matched"
    export_view(
        view, "annotations", "csv", tmp_path / "out.csv", options=ExportOptions(corrected=True)
    )
    fresh, _ = pellucid.open(tmp_path / "fresh").add("pets", tmp_path / "out.csv")
    assert labels(fresh) == labels(view)


def test_correcting_a_matched_image_requires_a_concept(pets):
    view, version = pets
    item = named(version, "matched", "two.png")
    with pytest.raises(InvalidDecisionError, match="Specify the correct concept"):
        view.reviews.decide(version, [item], "wrong", "Ann")
    view.reviews.decide(version, [item], "wrong", "Ann", Edit(concept="cat"))
    assert labels(view)["two.png", "cat"] == "positive"


def test_only_the_selected_tag_changes(tags, tmp_path):
    view, version = tags
    before = labels(view)
    view.reviews.decide(
        version, [named(version, "missing", "one.png", threshold=0.5)], "wrong", "Ann"
    )
    assert labels(view) == {**before, ("one.png", "dog"): "positive"}
    view.reviews.decide(
        version, [named(version, "extra", "one.png", threshold=0.5, concept="cat")], "wrong", "Ann"
    )
    assert labels(view) == {("one.png", "dog"): "positive", ("two.png", "dog"): "positive"}
    view.reviews.decide(
        version,
        [named(version, "missing", "three.png", threshold=0.5)],
        "wrong",
        "Ann",
        Edit(value="unknown"),
    )
    assert labels(view)["three.png", "dog"] == "unknown"
    assert named(version, "all", "three.png", concept="dog", corrected=True).outcome in (
        "ignored",
        "below",
    )
    export_view(
        view, "annotations", "csv", tmp_path / "out.csv", options=ExportOptions(corrected=True)
    )
    fresh, _ = pellucid.open(tmp_path / "fresh").add("tags", tmp_path / "out.csv", kind="tagging")
    assert labels(fresh) == labels(view)


def test_corrections_reduce_errors(pets):
    view, version = pets
    view.reviews.decide(
        version, [named(version, "missing", "one.png", threshold=0.5)], "wrong", "Ann"
    )
    mended = version.results().with_corrections(view.reviews.log).evaluation
    assert sum(one.errors for one in mended.thresholds) < sum(
        one.errors for one in version.thresholds.values()
    )


def test_next_version_remembers_reviewed_images(pets, tmp_path):
    view, version = pets
    view.reviews.decide(
        version, [named(version, "missing", "one.png", threshold=0.5)], "right", "Ann"
    )
    later = view.start("n")
    later.add_predictions(
        toys.write(
            tmp_path / "n.csv",
            SCORES.replace("0.1,0.8,0.1", "0.1,0.1,0.8").replace("0.2,0.7,0.1", "0.7,0.2,0.1"),
        )
    )
    assert [item.image for item in later.gallery("missing", threshold=0.5, review="new")] == [
        "two.png"
    ]
    assert [item.image for item in later.gallery("missing", threshold=0.5, review="reviewed")] == [
        "one.png"
    ]
