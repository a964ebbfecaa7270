"""Whatever people decide, in whatever state of whatever version: what the words promise holds
after every act."""

import random

import numpy as np
import pytest

import pellucid
import toys
from pellucid.browse.selection import TABS
from pellucid.core.errors import UnknownConceptError
from pellucid.core.tables import KINDS
from pellucid.evaluation.evaluation import build_evaluation
from pellucid.review.errors import InvalidDecisionError
from pellucid.review.resolve import Edit

CONCEPTS = ["crack", "dent", "rust"]
IMAGES = 6


def box(chance):
    return [
        chance.randrange(0, 40),
        chance.randrange(0, 25),
        chance.choice([8, 10, 20]),
        chance.choice([8, 10, 20]),
    ]


def near(chance, sides):
    return [max(1, side + chance.randint(-2, 2)) for side in sides]


def boxes_of(chance, folder):
    """Annotations with twins, crowds and mistakes; predictions with twins."""
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
        for number in range(IMAGES)
    ]
    notes, guesses = [], []
    for image in range(IMAGES):
        for _ in range(chance.randint(0, 4)):
            concept, sides = chance.randint(1, 3), box(chance)
            for _ in range(chance.choice([1, 1, 1, 2])):
                notes.append(
                    {
                        "id": len(notes) + 1,
                        "image_id": image,
                        "category_id": concept,
                        "bbox": sides,
                        "iscrowd": int(chance.random() < 0.1),
                    }
                )
            if chance.random() < 0.7:
                guesses.append(
                    {
                        "image_id": image,
                        "category_id": chance.choice([concept, concept, 1]),
                        "bbox": near(chance, sides),
                        "score": round(chance.random(), 1),
                    }
                )
        for _ in range(chance.randint(0, 3)):
            guesses += [
                {
                    "image_id": image,
                    "category_id": chance.randint(1, 3),
                    "bbox": box(chance),
                    "score": round(chance.random(), 1),
                }
            ] * chance.choice([1, 1, 2])
    source = toys.coco(
        folder,
        images=images,
        annotations=notes,
        categories=[{"id": 1 + place, "name": name} for place, name in enumerate(CONCEPTS)],
        pictures=False,
    )
    return source, toys.results(folder, guesses)


def labels_of(chance, folder, kind):
    names = [f"{number}.png" for number in range(IMAGES)]
    given = [
        chance.choice(CONCEPTS)
        if kind == "classification"
        else ",".join(chance.choice("001") for _ in CONCEPTS)
        for _ in names
    ]
    head = "image,label" if kind == "classification" else f"image,{','.join(CONCEPTS)}"
    scores = [",".join(f"{chance.random():.1f}" for _ in CONCEPTS) for _ in names]
    lines = [f"{name},{words}" for name, words in zip(names, given, strict=True)]
    guesses = [
        f"{name},{words}"
        for name, words in zip(names, scores, strict=True)
        if chance.random() < 0.9
    ]
    wide = f"image,{','.join(CONCEPTS)}\n"
    return toys.write(folder / "a.csv", f"{head}\n" + "\n".join(lines)), toys.write(
        folder / "p.csv", wide + "\n".join(guesses)
    )


def facts(images, annotations, concepts):
    """What is said of each image; tags that go without saying are not said."""
    sides = (
        [None] * len(annotations)
        if annotations.box is None
        else [tuple(one) for one in annotations.box.tolist()]
    )
    return sorted(
        (str(images.path[image]), concepts[concept], str(one), bool(ignore), bool(positive))
        for image, concept, one, ignore, positive in zip(
            annotations.image,
            annotations.concept,
            sides,
            annotations.ignore,
            annotations.positive,
            strict=True,
        )
    )


def mended(version):
    evaluation = version.results().with_corrections(version.view.reviews.log).evaluation
    return facts(evaluation.images, evaluation.annotations, list(evaluation.concepts))


def now(view):
    current, _ = view.corrected_state()
    return facts(current.images, current.annotations, current.concepts)


def some_change(chance, kind):
    if chance.random() < 0.6:
        return Edit()
    if kind == "tagging":
        return Edit(value=chance.choice(["positive", "negative", "unknown"]))
    if kind == "classification":
        return Edit(concept=chance.choice([None, *CONCEPTS]))
    return Edit(
        chance.choice([None, *CONCEPTS]),
        chance.choice([None, tuple(map(float, box(chance)))]),
        None,
        chance.random() < 0.3,
    )


def decide(chance, view, version):
    """A verdict on a random item, as trained or with corrections; checks what it does at once."""
    corrected = chance.random() < 0.5
    tab = chance.choice(TABS)
    gallery = toys.gallery(version, tab, corrected=corrected, threshold=chance.choice([None, 0.3]))
    if not len(gallery):
        return
    item = gallery[chance.randrange(len(gallery))]
    state = version.results().with_corrections(view.reviews.log) if corrected else version.results()
    verdict, before = chance.choice(["wrong", "wrong", "right", "unsure"]), mended(version)
    try:
        row = view.reviews.decide(
            version,
            [item],
            verdict,
            chance.choice(["Ann", "Bo"]),
            some_change(chance, view.kind),
            loaded=state,
        ).decisions[0]
    except (InvalidDecisionError, UnknownConceptError):
        return
    if corrected and row.action in ("confirm", "unsure"):
        assert mended(version) == before, "to agree changes nothing"
    if verdict != "unsure" and not has_twin(version, row):
        left = [
            (one.image, one.concept, one.box)
            for one in toys.gallery(version, tab, corrected=corrected, review="new")
        ]
        unsure = [
            (one.image, one.concept, one.box)
            for one in toys.gallery(version, tab, corrected=corrected, review="unsure")
        ]
        seen = item.image, item.concept, item.box
        assert left.count(seen) == unsure.count(seen), "what is decided on is not put forward"


def has_twin(version, row):
    """Whether another box is exactly like the one decided on: it is put forward in its place."""
    equal = [
        (one.image, one.concept, one.box)
        for tab in ("all", "extra")
        for one in toys.gallery(version, tab, threshold=2.0)
    ]
    return equal.count((row.image, row.concept, row.box)) > 1


def check(view, versions):
    stated = now(view)
    for version in versions:
        assert mended(version) == stated, (
            "with corrections every version is held against what the view says now"
        )
        held = version.results().with_corrections(view.reviews.log).evaluation
        again = build_evaluation(
            held.kind,
            held.concepts,
            held.images,
            held.coverage,
            held.annotations,
            held.predictions,
            held.iou_threshold,
        )
        np.testing.assert_array_equal(again.state, held.state)
        assert again.thresholds == held.thresholds
        for tab in TABS:
            for corrected in (False, True):
                lists = [
                    [
                        (one.image, one.concept, one.box, one.score)
                        for one in toys.gallery(version, tab, corrected=corrected, review=which)
                    ]
                    for which in ("all", "new", "reviewed", "unsure")
                ]
                everything, new, reviewed, unsure = lists
                assert sorted(new + reviewed, key=str) == sorted(everything, key=str)
                assert new[len(new) - len(unsure) :] == unsure, (
                    "those somebody was unsure of come at the end"
                )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 14))]
)
def test_random_review_histories(tmp_path, kind, seed):
    chance = random.Random(seed)
    source, predictions = (
        boxes_of(chance, tmp_path) if kind == "detection" else labels_of(chance, tmp_path, kind)
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source, kind=kind)
    versions = [view.start("m0")]
    versions[0].add_predictions(predictions)
    for step in range(9):
        act = chance.choice(["decide"] * 5 + ["undo", "redo", "revert"])
        if act == "decide":
            decide(chance, view, chance.choice(versions))
        elif act == "revert":
            verdicts = [
                row.id
                for row in view.reviews.history()
                if row.action in ("add", "remove", "change", "confirm", "unsure")
            ]
            if verdicts:
                view.reviews.revert(chance.choice(verdicts), "Owner")
        else:
            getattr(view.reviews, act)(chance.choice(["Ann", "Bo", "Owner"]))
        if step in (2, 5):
            versions.append(view.start(f"m{step}"))
            versions[-1].add_predictions(predictions)
            frozen = versions[-1].evaluation
            assert facts(frozen.images, frozen.annotations, list(frozen.concepts)) == now(view), (
                "a version is trained on what was mended"
            )
        check(view, versions)
