"""Mapped columns follow from the tables beside them: deleted, damaged or out of date, they are made again."""

import numpy as np
import pytest

import pellucid
import toys
from pellucid.understand.gallery import TABS


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "w.pellucid"
    view, _ = pellucid.open(folder).add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    return folder


def answers(folder):
    version = pellucid.open(folder).view("v").version("m")
    return {tab: version.gallery(tab)[:] for tab in TABS}, dict(version.thresholds), version.metrics()


def mapped(folder):
    (file,) = folder.rglob("*.mapped")
    return file


@pytest.mark.parametrize("harm", ["deleted", "empty", "cut short", "garbage", "a longer index than the file"])
def test_the_same_answers_whatever_happened_to_them(folder, harm):
    expected, file = answers(folder), mapped(folder)
    if harm == "deleted":
        file.unlink()
    else:
        text = file.read_bytes()
        damaged = {"empty": b"", "cut short": text[: len(text) // 2], "garbage": b"\xff" * 300}
        file.write_bytes(damaged.get(harm, (1 << 40).to_bytes(8, "little") + text[8:]))
    assert answers(folder) == expected
    assert mapped(folder).stat().st_size > 1_000


def test_a_workspace_that_cannot_be_written_is_read_all_the_same(folder, monkeypatch):
    expected = answers(folder)
    mapped(folder).unlink()

    def refuse(path, columns):
        raise pellucid.errors.CannotWrite(path, "read-only file system")

    monkeypatch.setattr("pellucid.workspace.tables.write_mapped", refuse)
    assert answers(folder) == expected


def test_columns_are_read_only_and_shared_with_the_system(folder):
    evaluation = pellucid.open(folder).view("v").version("m").evaluation
    assert not evaluation.predictions.score.flags.writeable
    assert evaluation.predictions.score.base is not None
    with pytest.raises(ValueError, match="read-only"):
        np.copyto(evaluation.predictions.score, 0)


def test_predictions_added_later_join_those_that_are_mapped(tmp_path):
    folder = tmp_path / "w.pellucid"
    view, _ = pellucid.open(folder).add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    rows = [
        {"image_id": 12, "category_id": 1, "bbox": [0, 0, 30, 25], "score": 0.4},
        {"image_id": 11, "category_id": 1, "bbox": [11, 10, 20, 20], "score": 0.9},
    ]
    for number, row in enumerate(rows):
        version.add_predictions(toys.results(tmp_path, [row], f"part-{number}.json"), covered="listed")
    assert [item.score for item in version.gallery("all")] == [0.9, 0.4]
    assert len(list(folder.rglob("*.mapped"))) == 1
