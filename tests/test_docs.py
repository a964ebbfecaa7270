"""What the documents say is so: their commands run, their names exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pellucid
import toys
from pellucid import errors
from pellucid.cli import cli
from pellucid.formats import ANNOTATION_FORMATS, PREDICTION_FORMATS

CHECKOUT = Path(__file__).parents[1]
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")])


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that README speaks of."""
    for split in ("train", "val"):
        path = f"{split}/a/one.png"
        toys.coco(tmp_path, f"instances_{split}.json", images=[{"id": 11 if split == "val" else 5, "file_name": f"{split}-one.png", "width": 64, "height": 48}],
                  annotations=[{"id": 1, "image_id": 11 if split == "val" else 5, "category_id": 1, "bbox": [10, 10, 20, 20]}], pictures=False)  # fmt: skip
        toys.picture(tmp_path / path.replace("a/one", f"{split}-one"))
    toys.results(tmp_path, [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}], "predictions.json")
    return tmp_path


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_commands_and_the_python_of_the_readme_run(folder, monkeypatch):
    lines = [line.split("#")[0].split() for block in blocks("") for line in block.splitlines() if line.startswith("pellucid ")]
    assert {words[1] for words in lines} == {"open", "add", "start", "predictions", "serve"}
    for words in lines:
        if words[1] in ("open", "serve"):
            continue  # these do not return; tests/test_open.py runs them
        done = subprocess.run([sys.executable, "-m", "pellucid.cli", *words[1:]], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    monkeypatch.chdir(folder)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_every_command_and_format_has_its_words():
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    for command in cli.commands:
        assert re.search(rf"`?(pellucid )?{command}\b", text), command
    for name in (*ANNOTATION_FORMATS, *PREDICTION_FORMATS):
        assert f"`{name}`" in text, name


def test_the_front_door_is_documented():
    for name in pellucid.__all__:
        if not name.startswith("__"):
            assert getattr(pellucid, name).__doc__, name


def test_every_error_is_raised_somewhere():
    source = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "src").rglob("*.py"))
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.PellucidError) and kind is not errors.PellucidError:
            assert f"raise {name}" in source, name
