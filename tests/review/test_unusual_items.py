"""Decisions on items that look the same, and on images whose file is gone."""

import pytest

import pellucid
import toys


@pytest.fixture
def version(tmp_path):
    pictures = tmp_path / "pictures"
    for name in ("a.png", "b.png"):
        toys.picture(pictures / name, colour=(len(name), 90, 90 if name == "a.png" else 10))
    table = {
        "image": ["a.png", "a.png", "b.png"],
        "concept": ["dent"] * 3,
        "x": [5.0] * 3,
        "y": [5.0] * 3,
        "width": [9.0] * 3,
        "height": [9.0] * 3,
    }
    view, _ = pellucid.open(tmp_path / "w").add("v", table, images=pictures)
    version = view.start("m")
    found = {key: values[:1] for key, values in table.items()} | {"x": [50.0], "score": [0.1]}
    version.add_predictions(found)
    return version


def test_two_identical_boxes_are_decided_in_one_act(version):
    items = [item for item in version.gallery("extra") if item.image == "a.png"]
    assert len(items) == 2
    version.view.reviews.decide(version, items, "wrong", "Ann")
    left = version.results(corrected=True).gallery(pellucid.ListQuery("extra"))
    assert [item.image for item in left] == ["b.png"]
    version.view.reviews.decide(version, items[:1], "right", "Ann")  # both are decided: the first
    left = version.results(corrected=True).gallery(pellucid.ListQuery("extra"))
    assert sorted(item.image for item in left) == ["a.png", "b.png"]


def test_decision_holds_when_the_file_of_its_image_is_gone(version, tmp_path):
    item = next(item for item in version.gallery("extra") if item.image == "b.png")
    version.view.reviews.decide(version, [item], "wrong", "Ann")
    (tmp_path / "pictures" / "b.png").unlink()
    again = pellucid.open(tmp_path / "w").view("v").version("m")
    left = again.results(corrected=True).gallery(pellucid.ListQuery("extra"))
    assert {item.image for item in left} == {"a.png"}


def test_sizes_are_read_from_the_image_folder_for_figures(tmp_path):
    toys.picture(tmp_path / "pictures" / "a.png")
    table = {"image": ["a.png"], "concept": ["dent"], "x": [5.0], "y": [5.0]}
    table |= {"width": [9.0], "height": [9.0]}
    found = {"image": ["a.png"], "concept": ["dent"], "score": [0.9]}
    from PIL import Image

    with Image.open(tmp_path / "pictures" / "a.png") as picture:
        width, height = picture.size
    found |= {"cx": [9.5 / width], "cy": [9.5 / height], "w": [9 / width], "h": [9 / height]}
    figures = pellucid.coco_figures(table, found, images=tmp_path / "pictures")
    assert figures["AP50"] == pytest.approx(1)
