"""Items are found by a text, with models that are built here: words and colours."""

import json

import pytest

import toys
from pellucid.core.errors import FileMissingError
from pellucid.images.errors import EmbeddingModelError
from pellucid.images.text_model import TextModel
from pellucid.project.verification import verify_workspace
from pellucid.results.errors import FilterError, InvalidEmbeddingsError, TextModelMissingError
from references.colour_model import colour_model
from references.word_model import word_model

VECTORS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1)}


@pytest.fixture
def view(tmp_path):
    return toys.coloured_view(tmp_path, predicted_at=40.0)


def embed(view, tmp_path, **options):
    text_model, tokenizer = word_model(tmp_path, VECTORS, **options)
    view.embed(
        colour_model(tmp_path / "colours.onnx"),
        versions=["m"],
        cache=tmp_path / "cache.sqlite",
        text_model=text_model,
        tokenizer=tokenizer,
    )


def found(view, tab, text):
    return [item.image for item in view.version("m").gallery(tab, only=[f"text:{text}"])]


@pytest.mark.parametrize(("length", "has_mask"), [(None, True), (8, True), (5, False), (1, True)])
@pytest.mark.parametrize(("tab", "predicted_at"), [("extra", 40.0), ("matched", 5.0), ("all", 5.0)])
def test_items_are_ordered_by_their_likeness_to_a_text(
    tmp_path, tab, predicted_at, length, has_mask
):
    view = toys.coloured_view(tmp_path, predicted_at)
    embed(view, tmp_path, length=length, has_mask=has_mask)
    for word in VECTORS:
        assert found(view, tab, word)[0] == f"{word}.png"
    assert len(found(view, tab, "red")) == 3
    if length != 1:
        assert found(view, tab, "photo%20red green")[-1] == "blue.png"


def test_texts_are_an_option_of_the_command_and_the_page_knows(view, tmp_path):
    files = word_model(tmp_path, VECTORS)
    model = colour_model(tmp_path / "colours.onnx")
    command = ("embeddings", tmp_path / "w", "v", "--model", model)
    done = toys.run_cli(*command, "--text-model", files[0], "--tokenizer", files[1])
    assert done.returncode == 0, done.stderr
    done = toys.run_cli(
        "gallery", tmp_path / "w", "v", "m", "--tab", "extra", "--only", "text:blue", "--json"
    )
    assert json.loads(done.stdout)["items"][0]["image"] == "blue.png"
    alone = toys.run_cli(*command, "--tokenizer", files[1])
    assert alone.returncode == 2
    assert "--text-model and --tokenizer together" in alone.stderr


def test_without_a_text_model_the_filter_is_refused(view, tmp_path):
    with pytest.raises(FilterError, match="a view with a text model"):
        found(view, "extra", "red")
    embed(view, tmp_path)
    with pytest.raises(FilterError, match="text:WORDS"):
        found(view, "extra", "%20")
    table = {"image": list(toys.COLOURS), "embedding": [[1.0], [2.0], [3.0]]}
    source = tmp_path / "own.csv"
    rows = zip(table["image"], table["embedding"], strict=True)
    source.write_text("image,embedding\n" + "".join(f'{i},"{e}"\n' for i, e in rows))
    view.add_embeddings(source)  # other embeddings: the text model is not theirs
    with pytest.raises(FilterError, match="a view with a text model"):
        found(view, "extra", "red")


def test_models_of_another_space_and_damaged_files_are_refused(view, tmp_path):
    model = colour_model(tmp_path / "colours.onnx")
    files = word_model(tmp_path, {"red": (1, 2)})
    options = {"cache": tmp_path / "cache.sqlite"}
    with pytest.raises(InvalidEmbeddingsError, match="have 2 numbers, those of the images 3"):
        view.embed(model, **options, text_model=files[0], tokenizer=files[1])
    with pytest.raises(ValueError, match="belong together"):
        view.embed(model, **options, text_model=files[0])
    with pytest.raises(EmbeddingModelError, match="is no tokenizer"):
        TextModel(files[0], model)
    with pytest.raises(EmbeddingModelError, match="has the inputs"):
        TextModel(model, files[1])
    with pytest.raises(FileMissingError):
        TextModel(tmp_path / "none.onnx", files[1])


def test_a_model_that_was_moved_is_named(view, tmp_path):
    embed(view, tmp_path)
    (tmp_path / "words.onnx").unlink()
    with pytest.raises(
        TextModelMissingError, match=r"the file 'words\.onnx' of the view's"
    ) as told:
        found(view, "extra", "red")
    assert str(tmp_path) not in str(told.value)
    assert not any(check.is_lost for check in verify_workspace(view.workspace.folder))


def test_a_damaged_file_of_the_text_model_is_no_text_search(view, tmp_path):
    embed(view, tmp_path)
    (view.folder / "text_model.json").write_text("{bad")
    with pytest.raises(FilterError, match="a view with a text model"):
        found(view, "extra", "red")
    (damaged,) = [check for check in verify_workspace(view.workspace.folder) if check.is_lost]
    assert damaged.path.endswith("text_model.json")
