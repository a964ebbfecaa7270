"""Folders of classes with more in them than the images of each class."""

import json

import pytest

import pellucid
import toys
from pellucid import PellucidError


def add(folder, paths, files=(), **options):
    """A view of pictures at these paths, beside text files."""
    root = folder / "set"
    for path in paths:
        toys.picture(root / path)
    for name, text in dict(files).items():
        toys.write(root / name, text)
    return pellucid.open(folder / "w").add("v", root, **options)


def concepts(view):
    return [concept.name for concept in view.manifest.concepts]


def test_files_that_are_no_images_are_counted(tmp_path):
    files = {"cat/b.dcm": "x", "dog/c.npy": "x", "dog/d.npy": "x", "cat/.hidden": "x"}
    view, notes = add(tmp_path, ["cat/a.png", "dog/a.png"], files)
    (note,) = (note for note in notes if note.kind == "other_files")
    assert (note.count, concepts(view)) == (3, ["cat", "dog"])
    assert note.message.endswith(": .npy (2), .dcm (1)")


def test_a_split_without_classes(tmp_path):
    paths = [
        f"{split}/{name}/{split}{n}.png"
        for split in ("train", "val")
        for name in ("cat", "dog")
        for n in (1, 2)
    ]
    view, notes = add(tmp_path, [*paths, "test/images/1.png", "test/images/2.png"])
    assert concepts(view) == ["cat", "dog"]
    assert next(note for note in notes if note.kind == "stray_images").count == 2


def test_a_class_may_be_called_images(tmp_path):
    paths = [
        f"{split}/{name}/{split}.png" for split in ("train", "val") for name in ("images", "text")
    ]
    assert concepts(add(tmp_path, paths)[0]) == ["images", "text"]


@pytest.mark.parametrize("first", [0, 1])
def test_numbered_folders_have_the_names_of_a_list(tmp_path, first):
    paths = [f"{first + number}/{number}.png" for number in range(3)]
    view, _ = add(tmp_path, paths, {"classes.txt": "cat\ndog\nfox\n"})
    images, annotations, _ = view.annotation_tables
    found = {
        images.path[i]: concepts(view)[c]
        for i, c in zip(annotations.image, annotations.concept, strict=True)
    }
    assert [found[path] for path in paths] == ["cat", "dog", "fox"]
    version = view.start("m")
    rows = "".join(f"{path},{first + number},0.9\n" for number, path in enumerate(paths))
    version.add_predictions(toys.write(tmp_path / "p.csv", f"image,label,score\n{rows}"))
    assert version.metrics("validation").overall.accuracy == 1


def test_a_list_that_does_not_fit_is_named(tmp_path):
    view, notes = add(tmp_path, ["0/a.png", "1/b.png"], {"classes.txt": "cat\ndog\nfox\n"})
    assert concepts(view) == ["0", "1"]
    assert any("classes.txt not used" in note.message for note in notes)


def test_other_files_do_not_hinder_a_stated_format(tmp_path):
    files = {"cat_to_name.json": json.dumps({"1": "cat"})}
    with pytest.raises(PellucidError):
        add(tmp_path, ["1/a.png", "2/b.png"], files)
    assert concepts(add(tmp_path, [], format="image-folder")[0]) == ["1", "2"]


def test_predictions_below_the_folder_of_the_split(tmp_path):
    paths = [f"{split}/{name}/1.png" for split in ("train", "val") for name in ("cat", "dog")]
    view, _ = add(tmp_path, paths)
    rows = "image,label,score\ncat/1.png,cat,0.9\ndog/1.png,dog,0.9\n"
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.csv", rows), split="validation")
    assert version.metrics("validation").overall.accuracy == 1
    assert {item.image for item in version.gallery("all")[:9]} == {"val/cat/1.png", "val/dog/1.png"}


def test_tables_beside_the_annotated_one_are_named(tmp_path):
    toys.write(tmp_path / "t/train.csv", "image,label\na.jpg,cat\nb.jpg,dog\n")
    toys.write(tmp_path / "t/test.csv", "image\nc.jpg\n")
    view, notes = pellucid.open(tmp_path / "w").add("v", tmp_path / "t")
    assert view.images_by_split["training"] == 2
    assert any("not read beside train.csv: 'test.csv'" in note.message for note in notes)
