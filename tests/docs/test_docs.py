"""What the documents say is so: their commands run, their names exist."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from reference_pages import PAGES, cli_page, errors_page, keyboard_page, python_page, shortcuts

import pellucid
import toys
from pellucid.cli.main import cli
from pellucid.formats.registry import ANNOTATION_FORMATS, PREDICTION_FORMATS
from references.colour_model import colour_model
from references.word_model import word_model

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
TUTORIALS = sorted(CHECKOUT.glob("docs/tutorials/*.md"))
SHOWN_ERROR = r"(?m)^class (\w+)\((?!Exception|OSError|ValueError)"
"""Errors that reach the user; the others are caught within the program."""
GENERATED = {CHECKOUT / "docs" / path for path in (*PAGES, "changelog.md")}


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that README speaks of."""
    for split, number, name in (("train", 5, "train-one.png"), ("val", 11, "line-1.jpg")):
        toys.coco(
            tmp_path,
            f"instances_{split}.json",
            images=[{"id": number, "file_name": name, "width": 64, "height": 48}],
            annotations=[{"id": 1, "image_id": number, "category_id": 1, "bbox": [10, 10, 20, 20]}],
            pictures=False,
        )
        toys.picture(tmp_path / split / name)
    toys.results(
        tmp_path,
        [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}],
        "predictions.json",
    )
    np.save(tmp_path / "embeddings.npy", np.eye(2))
    colour_model(tmp_path / "dinov2.onnx", ("n", 3, "h", "w"), metadata=False)
    colour_model(tmp_path / "clip-vision.onnx", metadata=False)
    text_model, _ = word_model(tmp_path, {"shade": (-1, -1, -1), "sun": (1, 1, 1)})
    text_model.rename(tmp_path / "clip-text.onnx")
    return tmp_path


def blocks(document):
    """Its blocks of commands and of Python, in their order."""
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    return [
        (language, block)
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        if language in ("", "python")
    ]


def commands(block):
    return [
        shlex.split(line.split("#")[0])
        for line in block.splitlines()
        if line.startswith("pellucid ")
    ]


def test_documented_commands_and_python_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    said = set()
    for document in (
        "README.md",
        "docs/formats.md",
        "docs/reviewing.md",
        "docs/comparing.md",
        "docs/understanding.md",
        "docs/managing.md",
        "docs/scale.md",
        "docs/agents.md",
    ):
        for language, block in blocks(document):
            if language == "python":
                exec(compile(block, document, "exec"), {})
                continue
            for words in commands(block):
                said.add(words[1])
                if words[1] in ("open", "serve", "mcp") or any("://" in word for word in words):
                    continue  # these do not return, or need a store: they have tests of their own
                done = toys.run_cli(*words[1:])
                assert done.returncode == 0, (words, done.stderr)
    assert said == {
        "open",
        "add",
        "start",
        "predictions",
        "serve",
        "export",
        "history",
        "gallery",
        "metrics",
        "compare",
        "thresholds",
        "findings",
        "figures",
        "causes",
        "confusion",
        "slices",
        "alike",
        "embeddings",
        "duplicates",
        "list",
        "info",
        "rename",
        "images",
        "evaluate",
        "mcp",
    }


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("document", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_run(document, demo, tmp_path, monkeypatch):
    """All of a tutorial, in its order, on a copy of the demo that it would build."""
    shutil.copytree(demo.folder, tmp_path / "demo.pellucid")
    monkeypatch.chdir(tmp_path)
    for language, block in blocks(document):
        if language == "python":
            exec(compile(block, str(document), "exec"), {})
        for words in commands(block):
            if words[1] != "demo":
                done = toys.run_cli(*words[1:])
                assert done.returncode == 0, (words, done.stderr)


def test_getting_started_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for kind in ("labels", "tags"):
        toys.write(
            folder / f"{kind}.csv",
            "image,label\nline-1.jpg,dent\n"
            if kind == "labels"
            else "image,dent,rust\nline-1.jpg,1,0\n",
        )
    for name in ("scores", "tag-scores"):
        toys.write(folder / f"{name}.csv", "image,dent,rust\nline-1.jpg,0.9,0.1\n")
    for language, block in blocks("docs/getting-started.md"):
        if language == "python":
            exec(compile(block, "docs/getting-started.md", "exec"), {})
        for words in commands(block):
            if words[1] not in ("open", "serve"):
                done = toys.run_cli(*words[1:])
                assert done.returncode == 0, (words, done.stderr)


def test_the_example_of_masks_runs(capsys):
    (block,) = [code for language, code in blocks("docs/masks.md") if language == "python"]
    exec(compile(block, "docs/masks.md", "exec"), {})
    assert capsys.readouterr().out == "0.90\n"


def test_training_examples_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {}
    for language, block in blocks("docs/training.md"):
        if language == "python":
            exec(compile(block, "docs/training.md", "exec"), names)
    assert names["figures"]["map_50"] == 1
    assert pellucid.open("training.pellucid").view("panels").version("epoch-10").gallery("all")


def test_tutorials_state_the_figures_of_the_demo(demo):
    """The numbers in the texts are those that the reader sees."""
    v1, v2 = (demo.view("cells").version(name) for name in ("v1", "v2"))
    errors = [version.metrics("validation").overall.errors for version in (v1, v2)]
    text = (CHECKOUT / "docs/tutorials/improve-a-detector.md").read_text(encoding="utf-8")
    assert f"{errors[0]} errors became {errors[1]}" in text


def test_generated_reference_is_complete():
    command_page, error_page = cli_page(), errors_page()
    for name, command in cli.commands.items():
        assert f"\n## {name}\n" in command_page
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert parameter.opts[0] in command_page, (name, parameter.opts)
    source = (CHECKOUT / "src").rglob("errors.py")
    for name in re.findall(SHOWN_ERROR, "".join(path.read_text() for path in source)):
        assert f"| `{name}` |" in error_page
    shortcut_source = (CHECKOUT / "web/src/lib/shortcuts.ts").read_text(encoding="utf-8")
    assert len(shortcuts()) == shortcut_source.count("    help: '") + shortcut_source.count(
        ", help: '"
    ) + shortcut_source.count('    help: "')
    assert keyboard_page().count("\n| `") == len(shortcuts())
    for name in pellucid.PUBLIC_MODULES:
        assert re.search(rf"(?m)^::: pellucid\..*\.{name}$", python_page()), name


def heading_anchors(document):
    headings = re.findall(r"(?m)^#+ (.*)$", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document):
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if target in GENERATED:
            continue
        assert target.exists(), link
        assert not anchor or anchor in heading_anchors(target), link


def test_every_command_and_format_is_documented():
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    for command in cli.commands:
        assert re.search(rf"`?(pellucid )?{command}\b", text), command
    for name in (*ANNOTATION_FORMATS, *PREDICTION_FORMATS):
        assert f"`{name}`" in text, name


def test_public_names_are_documented():
    for name in pellucid.__all__:
        if not name.startswith("__"):
            assert getattr(pellucid, name).__doc__, name


def test_every_error_is_raised_somewhere():
    source = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "src").rglob("*.py"))
    for module in (CHECKOUT / "src/pellucid").glob("*/errors.py"):
        for name in re.findall(r"^class (\w+)\(", module.read_text(), re.MULTILINE):
            assert name == "PellucidError" or f"raise {name}" in source, name
