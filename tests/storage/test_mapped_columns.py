"""Mapped columns follow from the tables beside them: deleted, damaged or out of date, they are
made again."""

import subprocess
import sys

import numpy as np
import pytest

import pellucid
import toys
from pellucid.browse.selection import TABS


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "w.pellucid"
    view, _ = pellucid.open(folder).add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    return folder


def answers(folder):
    version = pellucid.open(folder).view("v").version("m")
    return (
        {tab: version.gallery(tab)[:] for tab in TABS},
        dict(version.thresholds),
        version.metrics(),
    )


def mapped(folder):
    (file,) = folder.rglob("*.mapped")
    return file


@pytest.mark.parametrize(
    "harm",
    [
        "deleted",
        "empty",
        "cut short",
        "garbage",
        "a longer index than the file",
        "a type that is none",
        "a column less",
    ],
)
def test_damaged_or_missing_columns_give_the_same_results(folder, harm):
    expected, file = answers(folder), mapped(folder)
    if harm == "deleted":
        file.unlink()
    else:
        text = file.read_bytes()
        damaged = {
            "empty": b"",
            "cut short": text[: len(text) // 2],
            "garbage": b"\xff" * 300,
            "a type that is none": text.replace(b"<f8", b"<q8", 1),
            "a column less": text.replace(b"predictions.score", b"predictions.scare", 1),
        }
        file.write_bytes(damaged.get(harm, (1 << 40).to_bytes(8, "little") + text[8:]))
    assert answers(folder) == expected
    assert mapped(folder).stat().st_size > 1_000


def test_read_only_workspace_is_readable(folder, monkeypatch):
    expected = answers(folder)
    mapped(folder).unlink()

    def refuse(path, columns):
        raise pellucid.core.errors.WriteError(path, "read-only file system")

    monkeypatch.setattr("pellucid.storage.parquet.write_mapped", refuse)
    assert answers(folder) == expected


def test_columns_are_read_only_and_memory_mapped(folder):
    evaluation = pellucid.open(folder).view("v").version("m").evaluation
    assert not evaluation.predictions.score.flags.writeable
    assert evaluation.predictions.score.base is not None
    with pytest.raises(ValueError, match="read-only"):
        np.copyto(evaluation.predictions.score, 0)


def test_added_predictions_extend_the_mapped_columns(tmp_path):
    folder = tmp_path / "w.pellucid"
    view, _ = pellucid.open(folder).add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    rows = [
        {"image_id": 12, "category_id": 1, "bbox": [0, 0, 30, 25], "score": 0.4},
        {"image_id": 11, "category_id": 1, "bbox": [11, 10, 20, 20], "score": 0.9},
    ]
    for number, row in enumerate(rows):
        version.add_predictions(
            toys.results(tmp_path, [row], f"part-{number}.json"), covered="listed"
        )
    assert [item.score for item in version.gallery("all")] == [0.9, 0.4]
    assert len(list(folder.rglob("*.mapped"))) == 1


@pytest.mark.slow
def test_readers_continue_while_another_process_writes(tmp_path):
    """Readers see the old state or the new, whatever moment they come at."""
    folder = tmp_path / "w.pellucid"
    view, _ = pellucid.open(folder).add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.add(
        {
            "image": ["elsewhere.png"],
            "concept": ["dent"],
            "x": [1.0],
            "y": [1.0],
            "width": [2.0],
            "height": [2.0],
        }
    )
    view.start("m").add_predictions(toys.results(tmp_path))
    code = (
        "import sys, pellucid\nview = pellucid.open(sys.argv[1]).view('v')\n"
        "for n in range(25): view.add({'image': [f'{n}.png'], 'concept': ['dent'], 'x': [1.0], "
        "'y': [1.0], 'width': [2.0], 'height': [2.0]})"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    seen = 0
    while process.poll() is None:
        fresh = pellucid.open(folder).view("v")
        assert len(fresh.version("m").gallery("all")) == 4
        assert fresh.images_by_split["validation"] >= 3
        seen += 1
    assert process.returncode == 0
    assert seen > 3


def test_version_is_saved_when_its_columns_cannot_be_written(tmp_path, monkeypatch):
    view, _ = pellucid.open(tmp_path / "w.pellucid").add("v", toys.coco(tmp_path, pictures=False))

    def full(path, columns):
        raise pellucid.core.errors.WriteError(path, "no space left on device")

    for module in ("project.version_files", "storage.parquet"):
        monkeypatch.setattr(f"pellucid.{module}.write_mapped", full)
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    assert len(version.gallery("all")) == 4
