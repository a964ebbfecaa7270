"""Copies and near duplicates are found; images are left out and moved in new versions."""

import json
import shutil
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pellucid
import toys
from pellucid.core.errors import InvalidChoiceError
from pellucid.images import duplicates
from pellucid.images.duplicates import MAX_HASH_DISTANCE, find_close_hashes, find_duplicate_pairs
from pellucid.project import duplicate_search
from pellucid.project.errors import UnknownImagesError


def scene(path, seed, size=(96, 72), quality=None):
    """A picture of smooth random colours, which a smaller JPEG keeps."""
    chance = np.random.default_rng(seed)
    small = Image.fromarray(chance.integers(0, 255, (9, 12, 3), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = small.resize((96, 72), Image.Resampling.BICUBIC).resize(size)
    picture.save(path, **({} if quality is None else {"quality": quality}))
    return path


@pytest.fixture
def view(tmp_path):
    """Four scenes: the first copied to validation, the second there as a small JPEG."""
    root = tmp_path / "images"
    for number in range(4):
        scene(root / f"train/{number}.png", number)
    (root / "val").mkdir()
    shutil.copy(root / "train/0.png", root / "val/copy.png")
    scene(root / "val/small.jpg", 1, (64, 48), 60)
    scene(root / "val/other.png", 9)
    rows = [
        *((f"train/{number}.png", "cat", "train") for number in range(4)),
        *((f"val/{name}", "dog", "val") for name in ("copy.png", "small.jpg", "other.png")),
    ]
    table = "image,label,split\n" + "".join(",".join(row) + "\n" for row in rows)
    source = toys.write(tmp_path / "labels.csv", table)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=root)
    return view


def names(pairs):
    return [(pair.first.image, pair.second.image, pair.identical) for pair in pairs]


@given(
    st.lists(st.integers(0, 15), min_size=0, max_size=60),
    st.integers(0, 1 << 32),
    st.booleans(),
)
def test_close_hashes_are_those_of_all_pairs(flips, seed, are_split):
    """The search in parts of the hashes finds what comparing all with all finds."""
    chance = np.random.default_rng(seed)
    hashes = []
    for bits in flips:
        base = int(chance.choice(hashes)) if hashes else int(chance.integers(1 << 62))
        for bit in chance.choice(64, bits, replace=False):
            base ^= 1 << int(bit)
        hashes.append(base)
    column = np.array(hashes, np.uint64)
    labels = chance.integers(0, 2 if are_split else 1, len(column))
    pairs, is_truncated = find_close_hashes(np.arange(len(column)), column, labels)
    found = {(pair.first, pair.second): pair.distance for pair in pairs}
    assert len(found) == len(pairs)
    assert not is_truncated
    expected = {
        (i, j): (hashes[i] ^ hashes[j]).bit_count()
        for j in range(len(hashes))
        for i in range(j)
        if (hashes[i] ^ hashes[j]).bit_count() <= MAX_HASH_DISTANCE
    }
    assert found == expected


def test_copies_and_near_duplicates_are_found(view):
    told = []
    pairs = view.duplicates(lambda done, total: told.append((done, total)))
    assert names(pairs) == [
        ("train/0.png", "val/copy.png", True),
        ("train/1.png", "val/small.jpg", False),
    ]
    assert all(pair.leak for pair in pairs)
    assert pairs[1].distance <= MAX_HASH_DISTANCE
    assert told[-1] == (6, 6)  # the copy is not looked at again


def test_files_that_cannot_be_read_are_no_duplicates(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    flat = toys.picture(tmp_path / "flat.png")
    same = toys.picture(tmp_path / "same.png")
    files = [str(tmp_path / "a.png"), str(flat), str(same), "gone.png", "gone too.png"]
    found = find_duplicate_pairs(files, [0, 0, 1, 0, 1])
    assert [(p.first, p.second, p.is_identical) for p in found.pairs] == [(1, 2, True)]
    assert find_duplicate_pairs([], []).pairs == []


def test_of_very_many_pairs_those_between_splits_are_kept(monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_PAIRS", 100)
    hashes = np.full(60, 0x123456789ABCDEF0, np.uint64)
    labels = np.array([0] * 59 + [1])
    pairs, is_truncated = find_close_hashes(np.arange(60), hashes, labels)
    assert is_truncated
    assert {(pair.first, pair.second) for pair in pairs} >= {(n, 59) for n in range(59)}


def test_leaks_among_three_copies_are_all_told(tmp_path):
    """Leaving one out does not hide that the others are copies too."""
    root = tmp_path / "images"
    for name in ("a.png", "b.png", "c.png"):
        scene(root / name, 5)
    table = "image,label,split\na.png,cat,val\nb.png,cat,train\nc.png,cat,val\n"
    source = toys.write(tmp_path / "labels.csv", table)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=root)
    assert [pair.leak for pair in view.duplicates()] == [True, True, False]
    view.exclude(["a.png"])
    leaks = [pair for pair in view.duplicates() if pair.leak]
    assert names(leaks) == [("b.png", "c.png", True)]


def test_pictures_that_are_found_later_are_searched(tmp_path):
    root = tmp_path / "far" / "away"
    for name in ("a.png", "b.png"):
        scene(root / name, 5)
    source = toys.write(
        tmp_path / "labels.csv", "image,label,split\na.png,cat,val\nb.png,cat,train\n"
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    version = view.start("m")

    def searched():
        while (found := version.duplicate_search.get_or_start()) is None:
            time.sleep(0.01)
        return found.pairs

    assert searched() == []
    view.add(source, images=root)
    assert len(searched()) == 1


def test_a_search_that_fails_says_so_once(monkeypatch, view):
    starts = []

    def fail(*arguments):
        starts.append(arguments)
        raise OSError("disk gone")

    monkeypatch.setattr(duplicate_search, "find_pairs", fail)
    search = view.start("m").duplicate_search
    with pytest.raises(OSError, match="disk gone"):
        while search.get_or_start() is None:
            time.sleep(0.01)
    with pytest.raises(OSError, match="disk gone"):
        search.get_or_start()
    assert len(starts) == 1


def test_an_image_is_left_out_of_new_versions_alone(view, tmp_path):
    before = view.start("before")
    view.exclude(["val/copy.png"])
    assert view.images_by_split == {"training": 4, "validation": 2}
    after = view.start("after")
    assert len(before.results().evaluation.images) == 7
    images = after.results().evaluation.images
    assert "val/copy.png" not in images.path.tolist()
    annotations = after.results().evaluation.annotations
    concepts = after.results().evaluation.concepts
    labelled = {
        images.path[image]: concepts[concept]
        for image, concept in zip(annotations.image, annotations.concept, strict=True)
    }
    assert labelled["val/small.jpg"] == "dog"
    assert labelled["train/3.png"] == "cat"
    assert not view.duplicates()[0].leak
    view.add(tmp_path / "labels.csv")  # its source again: it stays out
    assert view.images_by_split == {"training": 4, "validation": 2}
    view.exclude(["val/copy.png"], excluded=False)
    assert view.images_by_split == {"training": 4, "validation": 3}


def test_a_moved_image_stays_where_it_was_moved(view, tmp_path):
    view.move(["val/small.jpg"], "training")
    assert view.images_by_split == {"training": 5, "validation": 2}
    view.add(tmp_path / "labels.csv")  # which says validation
    assert view.images_by_split == {"training": 5, "validation": 2}
    version = view.start("m")
    images = version.results().evaluation.images
    assert images.split[images.path.tolist().index("val/small.jpg")] == 0
    assert [pair.leak for pair in view.duplicates()] == [True, False]
    with pytest.raises(InvalidChoiceError):
        view.move(["val/small.jpg"], "holdout")
    for decide in (lambda: view.move(["x.png"], "test"), lambda: view.exclude(["x.png"])):
        with pytest.raises(UnknownImagesError, match=r"no image 'x\.png'"):
            decide()


def test_the_command_lists_and_decides(view, tmp_path):
    command = ("duplicates", tmp_path / "w", "v")
    listed = json.loads(toys.run_cli(*command, "--json").stdout)
    assert [pair["identical"] for pair in listed["pairs"]] == [True, False]
    assert listed["pairs"][0]["second"] == {
        "image": "val/copy.png",
        "split": "validation",
        "excluded": False,
    }
    assert "2 pairs, 2 in training and another split" in " ".join(
        toys.run_cli(*command).stdout.split()
    )
    done = toys.run_cli(
        *command, "--exclude", "val/copy.png", "--move", "val/small.jpg", "training"
    )
    assert done.returncode == 0, done.stderr
    assert "2 images changed" in done.stderr
    record = json.loads(toys.run_cli("info", tmp_path / "w", "v", "--json").stdout)
    assert record["excluded"] == ["val/copy.png"]
    assert record["moved"] == {"val/small.jpg": "training"}
    assert toys.run_cli(*command, "--exclude", "nowhere.png").returncode == 3
    toys.run_cli(*command, "--include", "val/copy.png")
    assert view.images_by_split == {"training": 5, "validation": 2}
