"""Lists with a line per image and `x1,y1,x2,y2,class` of each box, as keras-yolo3 reads them."""

from pathlib import Path

import pytest

import pellucid

LINES = "a b/1.jpg 1,2,31,42,0 5,6.5,20,30,2\na b/2.jpg\n3.png 5,6,20,30,1\n"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "train.txt"
    path.write_text(LINES)
    return path


def boxes(path: Path, tmp_path: Path) -> list[tuple[str, str, list[float]]]:
    view, _ = pellucid.Workspace(tmp_path / "ws").add("v", path)
    images, annotations, _ = view.annotation_tables
    return [
        (images.path[image], view.manifest.concepts[concept].name, box.tolist())
        for image, concept, box in zip(
            annotations.image, annotations.concept, annotations.box, strict=True
        )
    ]


def test_boxes_of_a_list(listed: Path, tmp_path: Path) -> None:
    (tmp_path / "voc_classes.txt").write_text("cat\ndog\nfox\n")
    assert sorted(boxes(listed, tmp_path)) == [
        ("3.png", "dog", [5, 6, 15, 24]),
        ("a b/1.jpg", "cat", [1, 2, 30, 40]),
        ("a b/1.jpg", "fox", [5, 6.5, 15, 23.5]),
    ]


def test_an_image_without_boxes_is_annotated(listed: Path, tmp_path: Path) -> None:
    view, notes = pellucid.Workspace(tmp_path / "ws").add("v", listed)
    assert len(view.annotation_tables[0]) == 3
    assert "called by their numbers" in str(notes)


def test_names_that_differ_are_refused(listed: Path, tmp_path: Path) -> None:
    (tmp_path / "voc_classes.txt").write_text("cat\ndog\nfox\n")
    (tmp_path / "coco.names").write_text("cat\ndog\nbear\n")
    with pytest.raises(pellucid.PellucidError, match=r"Copy the right one to classes\.txt"):
        boxes(listed, tmp_path)
    (tmp_path / "classes.txt").write_text("cat\ndog\nfox\n")
    assert {concept for _, concept, _ in boxes(listed, tmp_path / "other")} == {"cat", "dog", "fox"}


def test_a_number_without_a_name_is_refused(listed: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(pellucid.PellucidError, match="line 1: class 2, and the names file has 2"):
        boxes(listed, tmp_path)
