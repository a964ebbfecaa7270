"""From a suspicious item to a corrected data set: what is decided is mended, remembered, taken
back and written out."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import UnknownConceptError
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions
from pellucid.formats.registry import WRITERS
from pellucid.project.reviews import ItemRef
from pellucid.review.errors import (
    HistoryRowNotFoundError,
    InvalidDecisionError,
    ItemNotFoundError,
    ReviewerMissingError,
)
from pellucid.review.resolve import Edit


@pytest.fixture
def cracks(opened, tmp_path):
    """Two pictures that differ, three boxes, four predictions: the item Missing is dent 0.6 on
    one.png; at 0.95 dents are Extra too."""
    workspace = opened(tmp_path / "w")
    source = toys.coco(tmp_path)
    toys.picture(tmp_path / "images/a/two.png", colour=(200, 10, 10))
    view, _ = workspace.add("v", source, images=tmp_path / "images")
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    return view, version


def boxes(view):
    """What the view says now: image, concept, box."""
    current, _ = view.corrected_state()
    table = current.annotations
    return sorted(
        (current.images.path[i], current.concepts[c], tuple(box))
        for i, c, box in zip(table.image, table.concept, table.box.tolist(), strict=True)
    )


def listed(version, tab="missing", **options):
    return [(item.image, item.concept, item.box) for item in toys.gallery(version, tab, **options)]


DENT = ("a/one.png", "dent", (10.0, 10.0, 20.0, 20.0))
RUST = ("a/one.png", "rust", (40.0, 5.0, 10.0, 10.0))
TWO = ("a/two.png", "dent", (0.0, 0.0, 30.0, 30.0))
FOUND = ("a/one.png", "dent", (40.0, 30.0, 10.0, 10.0))


def test_missing_annotation_is_added_unchanged_adjusted_or_relabelled(cracks):
    view, version = cracks
    item = version.gallery("missing")[0]
    view.reviews.decide(version, [item], "wrong", "Ann")
    assert boxes(view) == sorted([DENT, RUST, TWO, FOUND])
    view.reviews.undo("Ann")
    assert boxes(view) == sorted([DENT, RUST, TWO])
    view.reviews.decide(version, [item], "wrong", "Ann", Edit(box=(41.0, 31.0, 9.0, 9.5)))
    assert boxes(view) == sorted([DENT, RUST, TWO, ("a/one.png", "dent", (41.0, 31.0, 9.0, 9.5))])
    view.reviews.decide(version, [item], "wrong", "Ann", Edit(concept="rust"))
    assert boxes(view) == sorted([DENT, RUST, TWO, ("a/one.png", "rust", FOUND[2])]), (
        "the later decision about an item stands"
    )
    assert len(view.reviews.history()) == 4


def test_extra_annotation_is_removed_relabelled_or_moved(cracks):
    view, version = cracks
    dent = next(
        item for item in version.gallery("extra", threshold=0.95) if item.image == "a/two.png"
    )
    view.reviews.decide(version, [dent], "wrong", "Ann")
    assert boxes(view) == sorted([DENT, RUST])
    view.reviews.decide(version, [dent], "wrong", "Ann", Edit(concept="rust"))
    assert boxes(view) == sorted([DENT, RUST, ("a/two.png", "rust", TWO[2])])
    view.reviews.decide(version, [dent], "wrong", "Ann", Edit(box=(1.0, 1.0, 20.0, 20.0)))
    assert boxes(view) == sorted([DENT, RUST, ("a/two.png", "dent", (1.0, 1.0, 20.0, 20.0))])
    view.reviews.decide(version, [dent], "right", "Ann")
    assert boxes(view) == sorted([DENT, RUST, TWO])


def test_wrong_concept_is_corrected_in_one_action(cracks):
    view, version = cracks
    near = ItemRef("a/one.png", "dent", "predicted", FOUND[2])
    with pytest.raises(InvalidDecisionError, match="no annotation overlaps"):
        view.reviews.decide(version, [near], "wrong", "Ann", Edit(replaces=True))
    matched = version.gallery("matched", concept="rust")[0]
    view.reviews.decide(version, [matched], "wrong", "Ann", Edit(concept="dent"))
    assert boxes(view) == sorted([DENT, TWO, ("a/one.png", "dent", RUST[2])])


def test_reviewed_items_leave_the_list_and_unsure_ones_move_last(cracks):
    view, version = cracks
    everything = listed(version, "extra", threshold=0.95)
    assert len(everything) == 3
    items = version.gallery("extra", threshold=0.95)
    view.reviews.decide(version, [items[0]], "unsure", "Ann")
    view.reviews.decide(version, [items[1]], "right", "Ann")
    assert listed(version, "extra", threshold=0.95, review="new") == [everything[2], everything[0]]
    assert listed(version, "extra", threshold=0.95, review="reviewed") == [everything[1]]
    assert listed(version, "extra", threshold=0.95, review="unsure") == [everything[0]]
    assert listed(version, "extra", threshold=0.95) == everything
    view.reviews.reset("Owner")
    assert listed(version, "extra", threshold=0.95, review="new") == everything
    view.reviews.undo("Owner")
    assert listed(version, "extra", threshold=0.95, review="new") == [everything[2], everything[0]]


def test_annotation_of_a_matched_prediction_counts_as_reviewed(cracks):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("matched", concept="rust")[0]], "right", "Ann")
    assert listed(version, "extra", concept="rust", threshold=0.95, review="new") == []
    assert listed(version, "matched", concept="rust", review="new") == []
    assert listed(version, "matched", concept="dent", review="new") == listed(
        version, "matched", concept="dent"
    )


def test_reviewed_items_are_not_proposed_by_the_next_version(cracks, tmp_path):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "right", "Ann")
    later = view.start("n")
    later.add_predictions(
        toys.results(
            tmp_path,
            [
                {"image_id": 11, "category_id": 1, "bbox": [41, 30, 10, 11], "score": 0.7},
                {"image_id": 11, "category_id": 1, "bbox": [41.5, 30, 10, 11], "score": 0.3},
                {"image_id": 11, "category_id": 1, "bbox": [47, 30, 10, 10], "score": 0.65},
                {"image_id": 12, "category_id": 1, "bbox": [40, 30, 10, 10], "score": 0.6},
                {"image_id": 11, "category_id": 2, "bbox": [40, 30, 10, 10], "score": 0.5},
            ],
            "n.json",
        )
    )
    new = listed(later, threshold=0.4, review="new")
    assert sorted(new) == sorted(
        [
            ("a/one.png", "dent", (47.0, 30.0, 10.0, 10.0)),
            ("a/two.png", "dent", (40.0, 30.0, 10.0, 10.0)),
            ("a/one.png", "rust", (40.0, 30.0, 10.0, 10.0)),
        ]
    )
    assert listed(later, threshold=0.4, review="reviewed") == [
        ("a/one.png", "dent", (41.0, 30.0, 10.0, 11.0))
    ]


def test_only_one_prediction_at_a_reviewed_box_is_hidden(cracks, tmp_path):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "right", "Ann")
    later = view.start("n")
    rows = [
        {
            "image_id": 11,
            "category_id": 1,
            "bbox": [40 + step, 30, 10, 10],
            "score": 0.9 - step / 10,
        }
        for step in (1, 2)
    ]
    later.add_predictions(toys.results(tmp_path, rows, "n.json"))
    assert listed(later, threshold=0.1, review="new") == [
        ("a/one.png", "dent", (42.0, 30.0, 10.0, 10.0))
    ]


def test_identical_boxes_are_decided_separately(opened, tmp_path):
    view, _ = opened(tmp_path / "w").add(
        "v",
        toys.coco(
            tmp_path,
            annotations=[
                {"id": number, "image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20]}
                for number in (1, 2, 3)
            ],
        ),
        images=tmp_path / "images",
    )
    version = view.start("m")
    version.add_predictions(
        toys.results(
            tmp_path, [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}]
        )
    )
    for left in (1, 0):
        item = version.gallery("extra", review="new")[0]
        view.reviews.decide(version, [item], "wrong", "Ann")
        assert len(listed(version, "extra", review="new")) == left
    assert boxes(view) == [DENT]
    view.reviews.undo("Ann")
    assert boxes(view) == [DENT, DENT]
    view.reviews.undo("Ann")
    view.reviews.decide(version, version.gallery("extra")[:], "wrong", "Ann")
    assert boxes(view) == [DENT], "both in one act"
    assert listed(version, "extra", review="new") == []


def test_renamed_image_is_recognised_and_replaced_one_is_not(cracks, tmp_path):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    (tmp_path / "images/a/one.png").rename(tmp_path / "images/renamed.png")
    renamed = toys.coco(
        tmp_path,
        "renamed.json",
        images=[{"id": 1, "file_name": "renamed.png", "width": 64, "height": 48}],
        annotations=[],
        pictures=False,
    )
    other, _ = view.workspace.add("other", renamed, images=tmp_path / "images")
    assert boxes(other) == [], "decisions are of their view"
    view.add(renamed, images=tmp_path / "images")
    assert ("renamed.png", *FOUND[1:]) in boxes(view)
    assert FOUND not in boxes(view)
    later = view.start("n")
    later.add_predictions(
        toys.results(
            tmp_path,
            [{"image_id": 1, "category_id": 1, "bbox": [40, 30, 10, 10], "score": 0.6}],
            "n.json",
        ),
        covered="listed",
    )
    assert listed(later, "matched", threshold=0.5) == [("renamed.png", *FOUND[1:])]
    toys.picture(tmp_path / "images/renamed.png", colour=(1, 2, 3))
    assert ("renamed.png", *FOUND[1:]) not in boxes(view), (
        "another picture under the name is another picture"
    )


def test_copied_images_keep_their_decisions(cracks, tmp_path):
    import os
    import shutil

    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    before = boxes(view)
    shutil.copytree(tmp_path / "images", tmp_path / "copies")
    for copy in (tmp_path / "copies").rglob("*.png"):
        os.utime(copy, (1, 1))
    shutil.rmtree(tmp_path / "images")
    shutil.move(tmp_path / "copies", tmp_path / "images")
    assert boxes(view) == before


def test_importing_the_corrected_export_changes_nothing(cracks, tmp_path):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    view.reviews.decide(
        version,
        [ItemRef(*RUST[:2], "annotated", RUST[2])],
        "wrong",
        "Ann",
        Edit(box=(41.0, 5.0, 10.0, 10.0)),
    )
    before = boxes(view)
    export_view(
        view, "annotations", "coco", tmp_path / "mended.json", options=ExportOptions(corrected=True)
    )
    view.add(tmp_path / "mended.json", images=tmp_path / "images")
    assert boxes(view) == before or boxes(view) == sorted(
        [*before, ("a/one.png", "rust", (41.0, 5.0, 10.0, 10.0))]
    )
    fresh, _ = view.workspace.add("fresh", tmp_path / "mended.json", images=tmp_path / "images")
    assert boxes(fresh) == before


def test_version_started_after_corrections_uses_them(cracks, tmp_path):
    view, version = cracks
    reviews = view.reviews
    reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    reviews.decide(version, [ItemRef(*TWO[:2], "annotated", TWO[2])], "wrong", "Bo")
    later = view.start("n")
    later.add_predictions(toys.results(tmp_path))
    assert frozen(later) == sorted([DENT, RUST, FOUND])
    assert frozen(version) == sorted([DENT, RUST, TWO]), "as trained stays as trained"
    for one in (later, version):
        assert frozen(one, reviews.log) == sorted([DENT, RUST, FOUND])
    reviews.undo("Ann")
    reviews.undo("Bo")
    assert frozen(later) == sorted([DENT, RUST, FOUND])
    for one in (later, version):
        assert frozen(one, reviews.log) == sorted([DENT, RUST, TWO]), (
            "what is undone is undone for both"
        )


def test_predictions_that_freeze_a_version_use_original_annotations(cracks, tmp_path):
    """Without `start`: whole or not at all."""
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    strange = toys.results(
        tmp_path,
        [{"image_id": 99, "category_id": 7, "bbox": [1, 1, 2, 2], "score": 0.5}],
        "strange.json",
    )
    with pytest.raises(pellucid.PellucidError):
        view.version_or_draft("n").add_predictions(strange)
    assert not (view.folder / "versions" / "n").exists()
    view.version_or_draft("n").add_predictions(toys.results(tmp_path))
    later = view.version("n")
    assert frozen(later) == sorted([DENT, RUST, TWO, FOUND])
    view.reviews.undo("Ann")
    assert frozen(later, view.reviews.log) == sorted([DENT, RUST, TWO])


def test_agreeing_decision_does_not_evaluate_again(cracks):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    mended = version.results().with_corrections(view.reviews.log)
    view.reviews.decide(version, [ItemRef(*RUST[:2], "annotated", RUST[2])], "right", "Ann")
    assert version.results().with_corrections(view.reviews.log) is mended
    assert listed(version, "matched", concept="rust", review="reviewed", corrected=True) == listed(
        version, "matched", concept="rust"
    )


def frozen(version, ledger=None):
    evaluation = (
        version.results() if ledger is None else version.results().with_corrections(ledger)
    ).evaluation
    table = evaluation.annotations
    return sorted(
        (evaluation.images.path[i], evaluation.concepts[c], tuple(box))
        for i, c, box in zip(table.image, table.concept, table.box.tolist(), strict=True)
    )


def test_history_records_every_action_and_reverts_any(cracks):
    view, version = cracks
    reviews = view.reviews
    first = reviews.decide(
        version, [version.gallery("missing")[0]], "wrong", "  Ann   Bee ", reason="clearly a dent"
    ).decisions[0]
    second = reviews.decide(
        version, [ItemRef(*RUST[:2], "annotated", RUST[2])], "wrong", "Bo"
    ).decisions[0]
    assert (first.who, first.action, first.image, first.concept, first.reason) == (
        "Ann Bee",
        "add",
        "a/one.png",
        "dent",
        "clearly a dent",
    )
    assert [row.id for row in reviews.history(who="Bo")] == [second.id]
    assert [row.id for row in reviews.history(image="one")] == [first.id, second.id]
    assert reviews.history(day=first.when[:10]) == reviews.history()
    assert reviews.history(day="1999-01-01") == []
    taken = reviews.revert(second.id, "Owner").decisions[0]
    told = reviews.history()[-1]
    assert (told.id, told.action, told.who, told.image, [mark.concept for mark in told.after]) == (
        taken.id,
        "revert",
        "Owner",
        "a/one.png",
        ["rust"],
    )
    assert boxes(view) == sorted([DENT, RUST, TWO, FOUND])
    reviews.undo("Owner")
    assert boxes(view) == sorted([DENT, TWO, FOUND])
    with pytest.raises(HistoryRowNotFoundError, match="no row 1000000000"):
        reviews.revert(10**9, "Owner")


def test_undo_and_redo_survive_a_restart(cracks, opened):
    view, version = cracks
    before = boxes(view)
    view.reviews.decide(version, version.gallery("missing")[:1], "wrong", "Ann")
    view.reviews.decide(
        version,
        [ItemRef(*RUST[:2], "annotated", RUST[2]), ItemRef(*TWO[:2], "annotated", TWO[2])],
        "wrong",
        "Ann",
    )
    after = boxes(view)
    again = opened(view.workspace.folder).view("v")
    assert boxes(again) == after
    assert [len(again.reviews.undo("Ann").decisions) for _ in range(3)] == [2, 1, 0], (
        "one act at a time"
    )
    assert boxes(view) == before
    once_more = opened(view.workspace.folder).view("v")
    assert [len(once_more.reviews.redo("Ann").decisions) for _ in range(3)] == [1, 2, 0]
    assert boxes(view) == after


def test_later_decision_on_an_item_applies(cracks, opened):
    view, version = cracks
    item = version.gallery("missing")[0]
    other = opened(view.workspace.folder).view("v")
    known = view.reviews.log.head
    view.reviews.decide(version, [item], "wrong", "Ann", last_seen_id=known)
    taken = other.reviews.decide(other.version("m"), [item], "right", "Bo", last_seen_id=known)
    assert [(row.who, row.action) for row in taken.conflicts] == [("Ann", "add")]
    assert boxes(view) == sorted([DENT, RUST, TWO])
    assert (
        view.reviews.decide(
            version, [item], "right", "Ann", last_seen_id=view.reviews.log.head
        ).conflicts
        == []
    )


def test_refused_action_stores_nothing(cracks):
    view, version = cracks
    item = version.gallery("missing")[0]
    for wrong, said in (
        (ItemRef("a/one.png", "dent", "predicted", (1.0, 1.0, 2.0, 2.0)), ItemNotFoundError),
        (ItemRef("nowhere.png", "dent", "predicted", FOUND[2]), ItemNotFoundError),
        (ItemRef("a/one.png", "scratch", "predicted", FOUND[2]), UnknownConceptError),
    ):
        with pytest.raises(said):
            view.reviews.decide(version, [item, wrong], "wrong", "Ann")
    with pytest.raises(ReviewerMissingError):
        view.reviews.decide(version, [item], "wrong", "  ")
    with pytest.raises(InvalidDecisionError, match="no area"):
        view.reviews.decide(version, [item], "wrong", "Ann", Edit(box=(1.0, 1.0, 0.0, 4.0)))
    assert view.reviews.history() == []


def test_comment_is_not_a_decision(cracks):
    view, version = cracks
    view.reviews.comment(version, version.gallery("missing")[0], "Ann", "blurred")
    assert [(row.action, row.reason) for row in view.reviews.history()] == [("comment", "blurred")]
    assert len(version.gallery("missing", review="new")) == len(version.gallery("missing"))


@pytest.mark.parametrize("format", sorted(WRITERS))
def test_corrections_are_exported_in_every_format(cracks, tmp_path, format):
    view, version = cracks
    view.reviews.decide(version, version.gallery("missing")[:1], "wrong", "Ann")
    view.reviews.decide(
        version, [ItemRef(*TWO[:2], "annotated", TWO[2])], "wrong", "Ann", Edit(concept="rust")
    )
    endings = {
        "coco": ".json",
        "label-studio": ".json",
        "csv": ".csv",
        "parquet": ".parquet",
        "cvat": ".xml",
    }
    path = tmp_path / f"out{endings.get(format, '')}"
    export_view(view, "annotations", format, path, options=ExportOptions(corrected=True))
    fresh, _ = pellucid.open(tmp_path / "fresh").add(
        "v", path, images=tmp_path / "images" if format in endings else None
    )
    same = [
        (image.rsplit("/")[-1], concept, np.round(box, 3).tolist())
        for image, concept, box in boxes(fresh)
    ]
    assert sorted(same) == sorted(
        (image.rsplit("/")[-1], concept, np.round(box, 3).tolist())
        for image, concept, box in boxes(view)
    )


def test_corrections_tasks_and_report_list_the_decisions(cracks, tmp_path):
    view, version = cracks
    view.reviews.decide(
        version, version.gallery("missing")[:1], "wrong", "Ann", reason="a dent | really"
    )
    view.reviews.decide(version, [ItemRef(*TWO[:2], "annotated", TWO[2])], "unsure", "Bo")
    export_view(view, "corrections", "json", tmp_path / "patch.json")
    (row,) = json.loads((tmp_path / "patch.json").read_text())
    assert (row["image"], row["change"], row["concept"], tuple(row["box"]), row["who"]) == (
        "a/one.png",
        "added",
        "dent",
        FOUND[2],
        "Ann",
    )
    export_view(view, "corrections", "coco", tmp_path / "patch.coco.json")
    changed = json.loads((tmp_path / "patch.coco.json").read_text())
    assert [image["file_name"] for image in changed["images"]] == ["a/one.png"]
    assert len(changed["annotations"]) == 3
    export_view(view, "corrections", "csv", tmp_path / "patch.csv")
    assert "added,dent" in (tmp_path / "patch.csv").read_text()
    export_view(view, "tasks", "label-studio", tmp_path / "tasks.json")
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    assert task["data"]["image"].endswith("two.png")
    assert len(task["predictions"][0]["result"]) == 1
    export_view(view, "report", "markdown", tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert "3 annotations became 4: 1 added, 0 removed, 0 changed" in text
    assert "a dent \\| really" in text
    export_view(view, "history", "csv", tmp_path / "history.csv")
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3


def test_effect_equals_evaluating_the_corrected_data(cracks, tmp_path):
    """Live re-scoring equals importing what was exported and running everything anew."""
    view, version = cracks
    view.reviews.decide(version, version.gallery("missing")[:1], "wrong", "Ann")
    view.reviews.decide(version, [ItemRef(*RUST[:2], "annotated", RUST[2])], "wrong", "Ann")
    mended = version.results().with_corrections(view.reviews.log).evaluation
    export_view(
        view, "annotations", "coco", tmp_path / "mended.json", options=ExportOptions(corrected=True)
    )
    fresh, _ = pellucid.open(tmp_path / "fresh").add(
        "v", tmp_path / "mended.json", images=tmp_path / "images"
    )
    again = fresh.start("m")
    again.add_predictions(toys.results(tmp_path))
    assert mended.thresholds == again.evaluation.thresholds
    assert version.results(corrected=True).metrics() == again.metrics()
    assert version.results(corrected=True).threshold_table() == again.thresholds
    assert [one.errors for one in version.thresholds.values()] != [
        one.errors for one in again.thresholds.values()
    ]


def test_identical_images_are_decided_separately(opened, tmp_path):
    """The path tells which is meant, as long as the picture under it is still the same."""
    workspace = opened(tmp_path / "w")
    source = toys.coco(tmp_path)
    view, _ = workspace.add("v", source, images=tmp_path / "images")
    assert (tmp_path / "images/a/one.png").read_bytes() == (
        tmp_path / "images/a/two.png"
    ).read_bytes()
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    for image in ("a/two.png", "a/one.png"):
        item = next(
            one
            for one in version.gallery("extra", concept="dent", threshold=0.95)
            if one.image == image
        )
        view.reviews.decide(version, [item], "wrong", "Ann")
    assert boxes(view) == [RUST]


def test_decisions_before_the_images_were_available_are_kept(opened, tmp_path):
    view, _ = opened(tmp_path / "w").add("v", toys.coco(tmp_path))
    view_folder = tmp_path / "elsewhere"
    source = toys.coco(view_folder, pictures=False)
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    view.reviews.decide(version, [version.gallery("missing")[0]], "right", "Ann")
    view.add(source, images=tmp_path / "images")
    extra = version.gallery("extra", threshold=0.95)
    view.reviews.decide(version, [extra[0]], "right", "Ann")
    assert listed(version, review="reviewed") == [FOUND]
    assert listed(version, "extra", threshold=0.95, review="reviewed") == [
        (extra[0].image, extra[0].concept, extra[0].box)
    ]


def test_box_beside_a_removed_one_is_still_proposed(opened, tmp_path):
    beside = [
        {"id": 1, "image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20]},
        {"id": 2, "image_id": 11, "category_id": 1, "bbox": [15, 10, 20, 20]},
    ]
    view, _ = opened(tmp_path / "w").add(
        "v", toys.coco(tmp_path, annotations=beside), images=tmp_path / "images"
    )
    version = view.start("m")
    version.add_predictions(
        toys.results(
            tmp_path, [{"image_id": 12, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.5}]
        )
    )
    first = next(item for item in version.gallery("extra") if item.box[0] == 10)
    view.reviews.decide(version, [first], "wrong", "Ann")
    other = [("a/one.png", "dent", (15.0, 10.0, 20.0, 20.0))]
    assert (
        listed(version, "extra", review="new")
        == listed(version, "extra", review="new", corrected=True)
        == other
    )
    later = view.start("n")
    later.add_predictions(
        toys.results(
            tmp_path, [{"image_id": 12, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.5}]
        )
    )
    assert listed(later, "extra", review="new") == other


def test_impossible_corrections_are_reported(cracks, tmp_path):
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    toys.picture(tmp_path / "images/a/one.png", colour=(7, 7, 7))
    notes = export_view(
        view, "annotations", "coco", tmp_path / "out.json", options=ExportOptions(corrected=True)
    )
    assert [note.message for note in notes] == [
        "1 correction left out: the image is not in the view, or was replaced"
    ]


def test_read_only_workspace_shows_all_decisions(cracks, tmp_path):
    import os
    import shutil

    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    view, version = cracks
    view.reviews.decide(version, [version.gallery("missing")[0]], "wrong", "Ann")
    shutil.copytree(view.workspace.folder, tmp_path / "copy")
    for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert len(pellucid.open(tmp_path / "copy").view("v").reviews.history()) == 1


@pytest.mark.parametrize("verdict", ["worng", "Wrong", "", None, 5])
def test_a_mistyped_verdict_changes_nothing(verdict, workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    item = version.gallery("missing")[0]
    view.reviews.decide(version, [item], "wrong", "Ann")
    with pytest.raises(pellucid.PellucidError, match="for verdict"):
        view.reviews.decide(version, [item], verdict, "Bob")
    assert [row.action for row in view.reviews.history()] == ["add"]
