"""A number and the gallery behind it: whatever is counted can be looked at, and there are as
many."""

import itertools
import re

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.tables import SPLITS as SPLIT_NAMES
from pellucid.results.errors import FilterError
from pellucid.results.filtered_counts import count_filtered

VIEWS = ["cells", "findings", "smears"]
SPLITS = ["training", "validation"]
SPLITS_BY_NAME = {name: index for index, name in enumerate(SPLIT_NAMES)}


SETS = [
    pytest.param((view, split), marks=pytest.mark.slow if split == "training" else ())
    for view, split in itertools.product(VIEWS, SPLITS)
]


@pytest.fixture(params=SETS, ids=" ".join)
def chosen(request, demo):
    view, split = request.param
    return demo.view(view).version("v1"), split


def test_every_cause_opens_its_errors(chosen):
    version, split = chosen
    found = version.results().causes(split)
    for one in found.causes:
        assert len(version.gallery(one.tab, split=split, only=[f"cause:{one.cause}"])) == one.number
        items = version.gallery(one.tab, split=split, only=[f"cause:{one.cause}"])[:5]
        assert {item.cause for item in items} == {one.cause}
    errors = sum(len(version.gallery(tab, split=split)) for tab in ("missing", "extra"))
    assert sum(one.number for one in found.causes) == errors


def test_every_cell_of_the_matrix_opens_its_items(chosen):
    version, split = chosen
    matrix, names = version.results().confusion(split), version.evaluation.concepts
    none = len(names)
    for annotated, predicted in zip(*np.nonzero(matrix), strict=True):
        if annotated == predicted:
            found = version.gallery("matched", concept=names[annotated], split=split)
        elif predicted == none:
            found = version.gallery(
                "extra", concept=names[annotated], split=split, only=["predicted:"]
            )
        else:
            word = names[annotated] if annotated < none else ""
            found = version.gallery(
                "missing", concept=names[predicted], split=split, only=[f"annotated:{word}"]
            )
        assert len(found) == matrix[annotated, predicted]


def test_bins_of_the_histogram_and_of_calibration_open_their_predictions(chosen):
    version, split = chosen
    for concept in (None, version.evaluation.concepts[0]):
        one = next(one for one in version.results().figures(concept) if one.split == split)
        for number, only in bins(one):
            assert len(version.gallery("all", concept=concept, split=split, only=only)) == number


def bins(one):
    edges = one.histogram.edges
    for place, (right, wrong) in enumerate(
        zip(one.histogram.right, one.histogram.wrong, strict=True)
    ):
        high = "" if place == len(edges) - 2 else edges[place + 1]
        yield right, [f"score:{edges[place]}..{high}", "right:yes"]
        yield wrong, [f"score:{edges[place]}..{high}", "right:no"]
    edges = one.calibration.edges
    for place, number in enumerate(one.calibration.number):
        yield (
            number,
            [
                f"score:{edges[place]}..{'' if place == len(edges) - 2 else edges[place + 1]}",
                "counts:yes",
            ],
        )


@pytest.mark.quick_cases(1)
def test_slices_and_groups_open_their_items(chosen):
    version, split = chosen
    for one in version.results().slices(split):
        assert (
            len(version.gallery(one.error, concept=one.concept, split=split, only=one.only))
            == one.errors
        ), one.sentence
    for group in version.results().groups(split):
        for tab in ("matched", "extra", "missing"):
            if version.view.kind == "classification" and tab == "missing":
                continue  # an image is one point, though it stands in Extra and in Missing
            assert len(version.gallery(tab, split=split, only=[group.only])) == getattr(
                group, tab
            ), (group, tab)


@pytest.mark.parametrize("view", VIEWS)
def test_changes_open_their_items(demo, view):
    first, second = demo.view(view).version("v1"), demo.view(view).version("v2")
    found = first.compare(second).overall
    assert len(first.gallery("missing", only=["versus:v2=alarm_gone"])) == found.false_alarms_gone
    assert len(second.gallery("missing", only=["versus:v1=alarm_new"])) == found.false_alarms_new
    fixed = len(first.gallery("extra", only=["versus:v2=fixed"]))
    broken = len(second.gallery("extra", only=["versus:v1=broken"]))
    wrong = len(second.gallery("extra", only=["versus:v1=still_wrong"]))
    right = len(second.gallery("matched", only=["versus:v1=both_right"]))
    if view == "findings":  # a tag that is absent can be fixed too: it has no annotation to look at
        assert (fixed, broken) <= (found.fixed, found.broken)
    else:
        assert (fixed, broken, wrong, right) == (
            found.fixed,
            found.broken,
            found.still_wrong,
            found.both_right,
        )
    assert fixed + wrong == len(first.gallery("extra"))
    assert broken + wrong == len(second.gallery("extra"))
    assert right + broken == len(first.gallery("matched"))


def test_items_that_enter_and_leave_when_a_threshold_moves(demo):
    version = demo.view("cells").version("v2")
    from pellucid.results.figures import tab_changes

    before = version.thresholds["red cell"].value
    for after in (before / 2, (1 + before) / 2):
        place = version.results().concept_index("red cell")
        for move in tab_changes(version.evaluation, 1, place, before, after):
            now, then = (
                len(version.gallery(move.tab, concept="red cell", threshold=value))
                for value in (after, before)
            )
            assert move.change == now - then
            seen = version.gallery(
                move.tab, concept="red cell", threshold=move.threshold, only=[move.only]
            )
            assert len(seen) == abs(move.change)


def test_clauses_add_up_and_keep_the_order(demo):
    version = demo.view("cells").version("v1")
    both = version.gallery("missing", only=["cause:background", "where:size=..30"])
    assert 0 < len(both) < len(version.gallery("missing", only=["cause:background"]))
    keys = [(item.image, item.box) for item in version.gallery("missing")]
    places = [keys.index((item.image, item.box)) for item in both]
    assert places == sorted(places)
    assert all(np.sqrt(item.box[2] * item.box[3]) < 30 for item in both)
    backwards = version.gallery(
        "missing", only=["cause:background", "where:size=..30"], reverse=True
    )
    assert [item.box for item in backwards] == [item.box for item in both][::-1]
    assert len(version.gallery("missing", only=["cause:background"], order="mistakes")) == len(
        version.gallery("missing", only=["cause:background"])
    )


def test_similar_items_start_with_the_item_itself(demo):
    version = demo.view("cells").version("v2")
    row = int(version.gallery("extra").list_view.page(3, 1)[0])
    item = version.gallery("extra")[3]
    alike = version.gallery("extra", only=[f"like:a{row}"])
    assert (alike[0].image, alike[0].box) == (item.image, item.box)
    assert len(alike) == min(60, len(version.gallery("extra")))


def test_named_rows_are_selected_in_the_order_of_the_list(demo):
    version = demo.view("cells").version("v2")
    rows = [int(row) for row in version.gallery("missing").list_view.page(0, 9)]
    some = [rows[7], rows[2], rows[4]]
    chosen = version.gallery("missing", only=["items:" + ",".join(f"p{row}" for row in some)])
    assert [int(row) for row in chosen.list_view.page(0, 9)] == [rows[2], rows[4], rows[7]]
    assert len(version.gallery("extra", only=[f"items:p{rows[0]}"])) == 0
    first = int(version.gallery("extra").list_view.page(0, 1)[0])
    assert len(version.gallery("extra", only=[f"items:p{rows[0]},a{first}"])) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("items:", "items:p12,p40"),
        ("items:p1,12", "items:p12,p40"),
        ("bla", "one of the keys cause"),
        ("cause:bad", "one of the causes"),
        ("score:high", "score:LOW..HIGH"),
        ("predicted:cat", "a concept"),
        ("where:size", "where:PROPERTY"),
        ("where:taste=1..2", "one of the properties"),
        ("like:12", "like:p12"),
        ("like:p99999999", "like:p12"),
        ("versus:v2=better", "one of fixed"),
    ],
)
def test_invalid_filters_are_refused(demo, words, told):
    with pytest.raises(FilterError, match=f"invalid filter .*: expected .*{re.escape(told)}"):
        demo.view("cells").version("v1").gallery("missing", only=[words])


def test_names_with_special_characters_can_be_filtered(tmp_path):
    """Concepts, versions and columns with the signs that clauses are written with."""
    names = ["a:b=c", "..|,"]
    source = toys.coco(
        tmp_path, categories=[{"id": 1, "name": names[0]}, {"id": 2, "name": names[1]}]
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    view.start("x=y.1").add_predictions(toys.results(tmp_path))
    rows = [{"image_id": 11, "category_id": 2, "bbox": [10, 10, 20, 20], "score": 0.9}]
    view.start("second").add_predictions(toys.results(tmp_path, rows, "swapped.json"))
    second = view.version("second")
    matrix = second.results().confusion()
    assert (
        matrix[0, 1] == 0
    )  # predicting it is no better than leaving it out, so that nothing is predicted
    for concept in names:
        assert len(second.gallery("extra", concept=concept, only=["predicted:"])) == len(
            second.gallery("extra", concept=concept)
        )
        assert len(second.gallery("missing", only=[f"annotated:{concept}"])) == 0
    assert len(view.version("x=y.1").gallery("matched", only=["versus:second=both_right"])) == 0
    assert (
        len(second.gallery("extra", only=["versus:x=y.1=broken"]))
        == second.view.version("x=y.1").compare(second).overall.broken
    )


@pytest.mark.parametrize(
    "only",
    [
        ["score:0.5.."],
        ["cause:background"],
        ["file:1"],
        ["where:size=40.."],
        ["score:..0.9", "file:2"],
    ],
    ids=" ".join,
)
def test_counts_under_filters_are_those_of_the_lists(chosen, only):
    """Every tab and concept, counted one list at a time."""
    version, split = chosen
    results = version.results()
    if results.evaluation.kind != "detection" and "where:size=40.." in only:
        pytest.skip("only boxes have a size")
    concepts = results.evaluation.concepts
    arguments = (SPLITS_BY_NAME[split], None, results.thresholds, tuple(only), 20)
    counted = count_filtered(results, "all", *arguments)
    assert counted.all == len(version.gallery("all", split=split, only=only))
    for tab, numbers in (("matched", counted.tp), ("missing", counted.fp), ("extra", counted.fn)):
        assert numbers.tolist() == [
            len(version.gallery(tab, concept=concept, split=split, only=only))
            for concept in concepts
        ]
    scores = [item.score for item in version.gallery("all", split=split, only=only)[:100_000]]
    edges = counted.scores.edges
    drawn = counted.scores.right + counted.scores.wrong + counted.scores.other
    assert drawn.tolist() == np.histogram(scores, edges)[0].tolist()
    missing = count_filtered(results, "missing", *arguments).scores
    assert (missing.right.sum(), missing.wrong.sum()) == (0, counted.fp.sum())


def test_similar_items_are_no_property_to_count(chosen):
    version, split = chosen
    results = version.results()
    arguments = ("all", SPLITS_BY_NAME[split], None, results.thresholds)
    plain = count_filtered(results, *arguments, (), 20)
    similar = count_filtered(results, *arguments, ("like:all:0",), 20)
    assert (plain.all, plain.tp.tolist()) == (similar.all, similar.tp.tolist())
