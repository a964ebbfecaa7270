"""What the documents say is so: their commands run, their names exist."""

import re
from pathlib import Path

import numpy as np
import pytest

import pellucid
import toys
from pellucid.cli.main import cli
from pellucid.formats.registry import ANNOTATION_FORMATS, PREDICTION_FORMATS

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")])


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
        line.split("#")[0].split() for line in block.splitlines() if line.startswith("pellucid ")
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
    ):
        for language, block in blocks(document):
            if language == "python":
                exec(compile(block, document, "exec"), {})
                continue
            for words in commands(block):
                said.add(words[1])
                if words[1] in ("open", "serve"):
                    continue  # these do not return; tests/test_open.py runs them
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
    }


def heading_anchors(document):
    headings = re.findall(r"(?m)^#+ (.*)$", document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document):
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
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
