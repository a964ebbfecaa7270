"""An annotation where neither the model nor the annotators saw an object."""

import pytest

import pellucid
import toys
from pellucid.core.errors import UnknownConceptError
from pellucid.review.errors import InvalidDecisionError, ItemNotFoundError

BOX = (2.0, 30.0, 10.0, 15.0)


@pytest.fixture
def view(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    return view


def corrected_boxes(view):
    _, annotations = view.corrected_state()[0].images, view.corrected_state()[0].annotations
    return [tuple(box) for box in annotations.box.tolist()]


def test_an_added_box_is_part_of_the_corrections(view):
    version = view.version("m")
    errors = version.results(corrected=True).metrics().overall.errors
    view.reviews.add_box(version, "a/two.png", "rust", BOX, "ada", "hidden behind the pole")
    assert BOX in corrected_boxes(view)
    assert version.results(corrected=True).metrics().overall.errors == errors + 1
    assert version.results().metrics().overall.errors == errors, "as trained it is not there"
    [decision] = view.reviews.history()
    assert (decision.action, decision.who, decision.reason) == (
        "add",
        "ada",
        "hidden behind the pole",
    )
    assert BOX in [tuple(box) for box in view.start("next").evaluation.annotations.box.tolist()]


def test_it_is_undone_and_redone(view):
    view.reviews.add_box(view.version("m"), "a/two.png", "rust", BOX, "ada")
    view.reviews.undo("ada")
    assert BOX not in corrected_boxes(view)
    view.reviews.redo("ada")
    assert corrected_boxes(view).count(BOX) == 1


def test_the_same_request_twice_adds_one_box(view):
    for _ in range(2):
        view.reviews.add_box(view.version("m"), "a/two.png", "rust", BOX, "ada", batch="b1")
    assert corrected_boxes(view).count(BOX) == 1
    assert len(view.reviews.history()) == 1


def test_wrong_arguments_are_refused(view, tmp_path):
    version, add = view.version("m"), view.reviews.add_box
    with pytest.raises(ItemNotFoundError):
        add(version, "none.png", "rust", BOX, "ada")
    with pytest.raises(UnknownConceptError, match="Did you mean 'rust'"):
        add(version, "a/two.png", "rusts", BOX, "ada")
    for box in ((0, 0, 0, 5), (0, 0, 5, -1), (0, 0, 2e6, 5)):
        with pytest.raises(InvalidDecisionError):
            add(version, "a/two.png", "rust", box, "ada")
    tags, _ = pellucid.open(tmp_path / "t").add("t", {"image": ["a"], "concept": ["x"]})
    with pytest.raises(InvalidDecisionError, match="classification view"):
        tags.reviews.add_box(tags.start("m"), "a", "x", BOX, "ada")
    assert view.reviews.history() == []
