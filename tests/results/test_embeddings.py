"""Embeddings that the user brings take the place of the plain descriptor; what does not fit is
said."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import FileMissingError
from pellucid.results.errors import InvalidEmbeddingsError


@pytest.fixture
def view(tmp_path):
    """Eighty pictures that look the same, each with one box; every second is found."""
    names = [
        {"id": number, "file_name": f"{number:02}.png", "width": 64, "height": 48}
        for number in range(80)
    ]
    boxes = [
        {"id": number + 1, "image_id": number, "category_id": 1, "bbox": [8, 8, 20, 20]}
        for number in range(80)
    ]
    source = toys.coco(tmp_path, images=names, annotations=boxes)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    found = [
        {"image_id": number, "category_id": 1, "bbox": [8, 8, 20, 20], "score": 0.9}
        for number in range(0, 80, 2)
    ]
    view.start("m").add_predictions(toys.results(tmp_path, found))
    return view


def vectors():
    """Two far apart families: the found and the missed."""
    return np.array([[number % 2 * 10.0, number / 1000] for number in range(80)], np.float32)


def told_apart(view):
    """Whether every group holds what was found alone, or what was missed alone."""
    groups = view.version("m").results().groups()
    assert sum(group.matched for group in groups) == sum(group.extra for group in groups) == 40
    return all(not group.matched or not group.extra for group in groups)


def test_table_of_images(view, tmp_path):
    rows = "\n".join(
        f'{number:02}.png,"{json.dumps(row)}"' for number, row in enumerate(vectors().tolist())
    )
    assert not told_apart(view)
    assert view.add_embeddings(toys.write(tmp_path / "e.csv", f"image,embedding\n{rows}\n")) == 80
    assert told_apart(view)


def test_array_with_and_without_names(view, tmp_path):
    order = np.random.default_rng(0).permutation(80)
    np.save(tmp_path / "e.npy", vectors()[order])
    names = toys.write(tmp_path / "names.txt", "\n".join(f"{number:02}.png" for number in order))
    view.add_embeddings(tmp_path / "e.npy", names)
    assert told_apart(view)
    np.save(tmp_path / "sorted.npy", vectors())
    view.add_embeddings(tmp_path / "sorted.npy")
    assert told_apart(view)


def test_table_of_boxes(view, tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(
        {
            "image": [f"{number:02}.png" for number in range(80)],
            "x": 8.0,
            "y": 8.0,
            "width": 20.0,
            "height": 20.0,
            "embedding": vectors().tolist(),
        }
    )
    table.to_parquet(tmp_path / "e.parquet")
    view.add_embeddings(tmp_path / "e.parquet")
    assert told_apart(view)
    missed = view.version("m").results().slices()
    assert any("group" in one.sentence for one in missed)


def test_invalid_embeddings_are_refused_and_not_stored(view, tmp_path):
    before = view.version("m").results().groups()
    with pytest.raises(FileMissingError):
        view.add_embeddings(tmp_path / "none.npy")
    np.save(tmp_path / "few.npy", vectors()[:7])
    np.save(tmp_path / "odd.npy", np.full((80, 2), np.nan, np.float32))
    wrong = {
        "few.npy": "7 rows for 80 images",
        "odd.npy": "finite",
        toys.write(
            tmp_path / "no.csv", "picture,vector\n1,2\n"
        ).name: "columns are picture, vector",
        toys.write(
            tmp_path / "else.csv", 'image,embedding\nz.png,"[1, 2]"\n'
        ).name: "none of its images is in the view",
        toys.write(
            tmp_path / "ragged.csv", 'image,embedding\n00.png,"[1, 2]"\n01.png,"[1]"\n'
        ).name: "1, 2 numbers",
        toys.write(tmp_path / "text.npy", "no array").name: "not a numeric .npy array",
        toys.write(tmp_path / "empty.NPY", "").name: "not a numeric .npy array",
        toys.write(
            tmp_path / "half.csv", 'image,embedding,x,y\n00.png,"[1, 2]",1,1\n'
        ).name: "all or none of x, y, width, height",
    }
    for name, words in wrong.items():
        with pytest.raises(InvalidEmbeddingsError, match=words):
            view.add_embeddings(tmp_path / name)
    assert view.version("m").results().groups() == before
