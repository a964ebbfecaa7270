"""Embeddings by an ONNX model that is built here: the mean colour of a region, as a vector."""

import numpy as np
import pytest

import toys
from pellucid.core.errors import FileMissingError
from pellucid.images.embedding_model import EmbeddingModel
from pellucid.images.errors import EmbeddingModelError
from pellucid.results.embeddings import load_embeddings
from references.colour_model import colour_model


@pytest.fixture
def view(tmp_path):
    return toys.coloured_view(tmp_path, predicted_at=30.0)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [(("n", 3, 16, 16), (2, 3)), ((1, 16, 16, 3), (1, 2)), (("n", 3, "h", "w"), (2, 3))],
)
def test_images_and_boxes_are_embedded(view, tmp_path, shape, axes):
    model = colour_model(tmp_path / "m.onnx", shape, axes=axes)
    size = 16 if "h" in shape else None
    told = []
    count = view.embed(
        model, size, cache=tmp_path / "cache.sqlite", progress=lambda *numbers: told.append(numbers)
    )
    assert count == 6
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
    embeddings = load_embeddings(view.folder)
    boxes = [5.0, 5, 20, 10]
    for name, colour in toys.COLOURS.items():
        expected = (np.array(colour) / 255 - 0.5) / 0.25
        (vector,) = embeddings.box_vectors([name], np.array([boxes]))
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=0.03)
        (picture,) = embeddings.picture_vectors([name])
        np.testing.assert_allclose(picture, expected / np.linalg.norm(expected), atol=0.03)


def test_predictions_of_a_version_are_embedded_and_nothing_twice(view, tmp_path, monkeypatch):
    model = colour_model(tmp_path / "m.onnx")
    cache = tmp_path / "cache.sqlite"
    view.embed(model, cache=cache)
    embedded = []
    original = EmbeddingModel.embed

    def count(self, pixels):
        embedded.append(len(pixels))
        return original(self, pixels)

    monkeypatch.setattr(EmbeddingModel, "embed", count)
    thresholds = view.version("m").results().thresholds
    counted = sum(score >= thresholds[0] for score in (0.9, 0.8, 0.7))
    assert view.embed(model, versions=["m"], cache=cache) == 6 + counted
    assert sum(embedded) == counted
    toys.picture(view.workspace.folder.parent / "pictures" / "red.png", colour=(1, 2, 3))
    embedded.clear()
    view.embed(model, cache=cache)
    assert sum(embedded) == 2, "a picture that was replaced is embedded again"


def test_an_interrupted_run_goes_on(view, tmp_path, monkeypatch):
    from pellucid.results import model_embeddings

    monkeypatch.setattr(model_embeddings, "MAX_BATCH", 2)
    model, cache = colour_model(tmp_path / "m.onnx"), tmp_path / "cache.sqlite"

    def interrupt(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        view.embed(model, cache=cache, progress=interrupt)
    assert load_embeddings(view.folder) is None
    told = []
    view.embed(model, cache=cache, progress=lambda *numbers: told.append(numbers))
    assert told[0] == (4, 6)


def test_unreadable_pictures_are_left_out(view, tmp_path):
    (tmp_path / "pictures" / "red.png").write_bytes(b"no picture")
    assert view.embed(colour_model(tmp_path / "m.onnx"), cache=tmp_path / "c.sqlite") == 4


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        ({"metadata": False}, {}, "does not state the mean.*--mean 0.485"),
        ({"shape": ("n", 3, "h", "w")}, {}, "does not state the size.*--size 224"),
        ({}, {"size": 32}, "its input is of 16 x 16"),
        ({"shape": ("n", 3, 16, 24)}, {}, "16 x 24 pixels"),
        ({"shape": ("n", 7), "kind": "map"}, {}, "has the shape"),
        ({"inputs": 2}, {}, "several inputs"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, options, settings, message):
    with pytest.raises(EmbeddingModelError, match=message):
        EmbeddingModel(colour_model(tmp_path / "m.onnx", **options), **settings)


def test_feature_maps_are_averaged(tmp_path):
    model = EmbeddingModel(colour_model(tmp_path / "m.onnx", kind="map"))
    pixels = np.full((2, 16, 16, 3), 255, np.uint8)
    assert model.embed(pixels).shape == (2, 3)


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(EmbeddingModelError, match="cannot be opened"):
        EmbeddingModel(toys.write(tmp_path / "m.onnx", "hello"))
    with pytest.raises(FileMissingError):
        EmbeddingModel(tmp_path / "absent.onnx")


def test_the_command_needs_a_normalization_and_counts_what_it_embedded(view, tmp_path):
    model = colour_model(tmp_path / "m.onnx", metadata=False)
    words = ("embeddings", view.workspace.folder, "v")
    done = toys.run_cli(*words, "--model", model)
    assert done.returncode == 3
    assert "--mean 0,0,0 --std 1,1,1" in done.stderr
    done = toys.run_cli(*words, "--model", model, "--mean", "0,0,0", "--std", "1,1,1")
    assert done.returncode == 0, done.stderr
    assert "6 images and boxes embedded" in done.stderr
    assert toys.run_cli(*words).returncode == 2
    assert toys.run_cli(*words, "--model", model, "--mean", "1,2").returncode == 2
