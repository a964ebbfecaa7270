"""With corrections, every answer is that of the corrected data set, exported and imported afresh."""

import numpy as np
import pytest

import pellucid
from pellucid.browse.query import ListQuery
from pellucid.core.errors import PellucidError
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions
from pellucid.review.resolve import Edit
from references import keypoints as posed_reference
from references import masks as reference

CONCEPTS = ["cat", "dog", "fox"]
NAMES = [f"{index:02d}.jpg" for index in range(12)]
BOX_COLUMNS = ("x", "y", "width", "height")


def random_box(rng):
    return [*rng.integers(0, 60, 2).astype(float), *rng.integers(10, 40, 2).astype(float)]


def box_table(rows, scores=None):
    table = {"image": [row[0] for row in rows], "concept": [row[1] for row in rows]}
    for place, side in enumerate(BOX_COLUMNS):
        table[side] = [row[2][place] for row in rows]
    return table if scores is None else {**table, "score": scores}


def detection_tables(rng):
    rows = [
        (name, str(rng.choice(CONCEPTS)), random_box(rng))
        for name in NAMES
        for _ in range(rng.integers(0, 4))
    ]
    named = {row[0] for row in rows}
    empty = [(name, "", [np.nan] * 4) for name in NAMES if name not in named]
    found = [row for row in rows if rng.random() < 0.8]
    found += [(name, str(rng.choice(CONCEPTS)), random_box(rng)) for name in NAMES[::2]]
    return box_table(rows + empty), box_table(found, np.round(rng.random(len(found)), 2).tolist())


def classification_tables(rng):
    labels = [str(rng.choice(CONCEPTS[:2])) if rng.random() < 0.9 else "" for _ in NAMES]
    scores = {f"p_{concept}": rng.random(len(NAMES)) for concept in CONCEPTS}
    return {"image": NAMES, "label": labels}, {"image": NAMES, **scores}


def tagging_tables(rng):
    pairs = [(name, concept) for name in NAMES for concept in CONCEPTS[:2] if rng.random() < 0.5]
    named = {name for name, _ in pairs}
    pairs += [(name, "") for name in NAMES if name not in named]
    scores = {f"p_{concept}": rng.random(len(NAMES)) for concept in CONCEPTS[:2]}
    images, tags = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return {"image": images, "tags": tags}, {"image": NAMES, **scores}


TABLES = {
    "detection": detection_tables,
    "classification": classification_tables,
    "tagging": tagging_tables,
}


def answers(version, corrected):
    """Every gallery, threshold and count of a version."""
    results = version.results(corrected=corrected)
    found = {("threshold", name): cut for name, cut in results.threshold_table().items()}
    for concept in results.metrics("validation").concepts:
        found["counts", concept.concept] = (concept.tp, concept.fp, concept.fn)
    for tab in ("all", "matched", "missing", "extra"):
        for concept in (None, *results.evaluation.concepts):
            gallery = results.gallery(ListQuery(tab=tab, concept=concept))
            found[tab, concept] = (
                [
                    (item.image, item.concept, item.score, item.box, item.outcome, item.cause)
                    for item in gallery
                ],
                gallery.threshold_position,
            )
    return found


def decide_at_random(rng, view, version):
    items = [item for tab in ("missing", "extra", "matched") for item in version.gallery(tab)]
    for _ in range(rng.integers(3, 14)):
        item = items[rng.integers(len(items))]
        verdict = str(rng.choice(["wrong", "right", "unsure"], p=[0.7, 0.2, 0.1]))
        edit = Edit()
        if verdict == "wrong" and view.kind != "tagging" and rng.random() < 0.4:
            edit = Edit(concept=str(rng.choice(version.evaluation.concepts)))
        try:
            view.reviews.decide(version, [item], verdict, str(rng.choice(["Ann", "Bo"])), edit)
        except PellucidError:
            continue  # an edit that changes nothing, or an item that is gone


def check(folder, kind, seed):
    rng = np.random.default_rng(seed)
    annotations, predictions = TABLES[kind](rng)
    view, _ = pellucid.open(folder / f"{seed}").add("v", annotations, kind=kind)
    version = view.start("m")
    version.add_predictions(predictions)
    decide_at_random(rng, view, version)
    path = folder / f"{seed}.csv"
    export_view(view, "annotations", "csv", path, options=ExportOptions(corrected=True))
    fresh, _ = pellucid.open(folder / f"{seed}-fresh").add("v", path, kind=kind)
    again = fresh.start("m")
    try:
        again.add_predictions(predictions)
    except PellucidError:
        return  # every annotation of every concept was removed: the table names none
    corrected, expected = answers(version, True), answers(again, False)
    if corrected.keys() == expected.keys():  # a table does not name a concept without annotations
        assert corrected == expected


@pytest.mark.parametrize("kind", TABLES)
def test_corrected_answers_equal_a_fresh_import(tmp_path, kind):
    for seed in range(3):
        check(tmp_path, kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLES)
def test_corrected_answers_equal_a_fresh_import_often(tmp_path, kind):
    for seed in range(100, 130):
        check(tmp_path, kind, seed)


@pytest.mark.parametrize("seed", range(4))
def test_corrected_masks_equal_a_fresh_import(tmp_path, seed):
    """An accepted prediction is annotated with its mask, not with its box."""
    version, _ = reference.random_set(seed, images=8).version(tmp_path / "first")
    decide_at_random(np.random.default_rng(seed), version.view, version)
    folder = tmp_path / "second"
    folder.mkdir()
    corrected = ExportOptions(corrected=True)
    export_view(version.view, "annotations", "coco", folder / "gt.json", options=corrected)
    export_view(version.view, "predictions", "coco", folder / "dt.json", version=version)
    view, _ = pellucid.open(folder / "w").add("parts", folder / "gt.json", split="validation")
    fresh = view.start("m")
    fresh.add_predictions(folder / "dt.json")
    ours = version.results(corrected=True).evaluation
    theirs = fresh.results().evaluation
    assert theirs.geometry == "mask"
    assert reference.mask_texts(ours.annotations) == reference.mask_texts(theirs.annotations)
    assert answers(version, True) == answers(fresh, False)


def test_accepted_prediction_is_exported_with_its_mask(tmp_path):
    version, _ = reference.random_set(1, images=8).version(tmp_path)
    candidates = version.gallery("missing", threshold=0.0)
    item = next(candidate for candidate in candidates if candidate.cause == "background")
    version.view.reviews.decide(version, [item], "wrong", "Ann")
    at_zero = version.results(corrected=True, thresholds=0.0)
    accepted = [other for other in at_zero.gallery(ListQuery("matched")) if other.box == item.box]
    assert accepted[0].iou == 1
    history = version.view.reviews.history()[0]
    assert '"counts"' in history.after[0].outline
    version.view.reviews.undo("Ann")
    assert version.results(corrected=True).metrics("validation").overall == (
        version.results().metrics("validation").overall
    )


@pytest.mark.parametrize("seed", range(4))
def test_corrected_keypoints_equal_a_fresh_import(tmp_path, seed):
    """An accepted prediction is annotated with its keypoints, all of them visible."""
    version, _ = posed_reference.random_set(seed, images=8).version(tmp_path / "first")
    decide_at_random(np.random.default_rng(seed), version.view, version)
    folder = tmp_path / "second"
    folder.mkdir()
    corrected = ExportOptions(corrected=True)
    export_view(version.view, "annotations", "coco", folder / "gt.json", options=corrected)
    export_view(version.view, "predictions", "coco", folder / "dt.json", version=version)
    view, _ = pellucid.open(folder / "w").add("parts", folder / "gt.json", split="validation")
    fresh = view.start("m")
    fresh.add_predictions(folder / "dt.json")
    ours = version.results(corrected=True).evaluation
    theirs = fresh.results().evaluation
    assert theirs.geometry == "keypoints"
    for table in ("annotations", "predictions"):
        columns = [
            sorted(getattr(evaluation, table).keypoints.round(9).tolist())
            for evaluation in (ours, theirs)
        ]
        assert columns[0] == columns[1]
    assert answers(version, True) == answers(fresh, False)


def test_box_drawn_among_keypoints_is_ignored(tmp_path):
    version, _ = posed_reference.random_set(2, images=8).version(tmp_path)
    item = next(c for c in version.gallery("extra", threshold=0.99))
    before = version.results(corrected=True).metrics("validation").overall.errors
    image, concept = item.image, item.concept
    version.view.reviews.add_box(version, image, concept, (1.0, 1.0, 9.0, 9.0), "Ann")
    assert version.results(corrected=True).metrics("validation").overall.errors == before
