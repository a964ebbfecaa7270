"""Tables whose cells name several concepts in unusual ways: asked about or refused, never read as
one concept each."""

import pytest

import toys
from pellucid import PellucidError
from pellucid.formats.errors import AmbiguousSeparatorError
from pellucid.project.workspace import Workspace

CELLS = ["cat", "dog", "fox", "cat{0}dog", "dog{0}fox", "cat{0}fox", "cat{0}dog{0}fox", "fox"]


def add(folder, column, cells, **options):
    rows = [f'im{number}.jpg,"{cell}"' for number, cell in enumerate(cells)]
    source = toys.write(folder / "t.csv", "\n".join([f"image,{column}", *rows]) + "\n")
    return Workspace(folder / "w").add("v", source, **options)[0]


@pytest.mark.parametrize("column", ["tags", "label"])
@pytest.mark.parametrize("separator", ["，", "、", "#", "~", "^", " > ", " · "])
def test_signs_between_names_that_occur_alone_are_asked_about(tmp_path, column, separator):
    cells = [cell.format(separator) for cell in CELLS]
    with pytest.raises(AmbiguousSeparatorError, match="Specify --separator"):
        add(tmp_path, column, cells)
    view = add(tmp_path, column, cells, separator=separator)
    assert (view.kind, [concept.name for concept in view.manifest.concepts]) == (
        "tagging",
        ["cat", "dog", "fox"],
    )


@pytest.mark.parametrize("separator", [":", "-", "_"])
def test_words_joined_in_a_column_of_labels_are_asked_about(tmp_path, separator):
    with pytest.raises(AmbiguousSeparatorError):
        add(tmp_path, "label", [cell.format(separator) for cell in CELLS])


@pytest.mark.parametrize("name", ["t-shirt", "hot_dog", "c#", "audi: a4", "left > right"])
def test_names_with_signs_are_read(tmp_path, name):
    view = add(tmp_path, "label", ["cat", "dog", name, "cat", name])
    assert [concept.name for concept in view.manifest.concepts] == sorted(["cat", "dog", name])


@pytest.mark.parametrize(
    "cell", ["cat:0.41|dog:0.56", "cat (0.73), dog (0.74)", "cat=0.5;dog=0.25"]
)
def test_scores_in_cells_of_names_are_refused(tmp_path, cell):
    with pytest.raises(PellucidError, match="gives a concept a score"):
        add(tmp_path, "tags", [cell, "cat:0.5"])
