"""Slices of whole versions: chance alone gives no claim, a planted weakness is found."""

import numpy as np
import pytest

import pellucid

IMAGES = 260


def boxes(chance, count):
    size = chance.uniform(20, 120, (count, 2))
    return np.hstack([chance.uniform(0, 500, (count, 2)), size])


def detection_set(chance, workspace, name, found_rate):
    """Objects found with the probability `found_rate(kinds of images, boxes)`, and a false
    positive in every second image, whatever is in it. Busy images have many objects."""
    counts = chance.poisson(chance.choice([1, 3, 8], IMAGES))
    kinds = chance.integers(0, 3, IMAGES)
    image = np.repeat(np.arange(IMAGES), counts)
    truth = boxes(chance, len(image))
    names = np.array([f"{index}.jpg" for index in range(IMAGES)])
    rows = {
        "image": [*names[image], *names[counts == 0]],
        "concept": [
            *np.where(chance.random(len(image)) < 0.5, "cat", "dog"),
            *[""] * (counts == 0).sum(),
        ],
    }
    padded = np.vstack([truth, np.full(((counts == 0).sum(), 4), np.nan)])
    rows |= {side: padded[:, place] for place, side in enumerate(("x", "y", "width", "height"))}
    kind_of = dict(zip(names, kinds, strict=True))
    rows["kind"] = [f"kind {kind_of[path]}" for path in rows["image"]]
    view, _ = workspace.add(name, rows)
    is_found = chance.random(len(image)) < found_rate(kinds[image], truth)
    extra = np.flatnonzero(chance.random(IMAGES) < 0.5)
    predicted = np.vstack([truth[is_found], boxes(chance, len(extra))])
    concepts = np.array(rows["concept"])[: len(image)]
    table = {
        "image": [*names[image[is_found]], *names[extra]],
        "concept": [*concepts[is_found], *np.where(chance.random(len(extra)) < 0.5, "cat", "dog")],
        "score": np.full(len(predicted), 0.9),
    }
    table |= {side: predicted[:, place] for place, side in enumerate(("x", "y", "width", "height"))}
    version = view.start("m")
    version.add_predictions(table)
    return version


def claims(version):
    return version.results().slices("validation")


def check_chance(tmp_path, sets):
    workspace = pellucid.open(tmp_path / "w")
    claimed = []
    for seed in range(sets):
        chance = np.random.default_rng(seed)
        version = detection_set(chance, workspace, f"v{seed}", lambda kind, box: 0.8)
        claimed += [slices[0].sentence for slices in [claims(version)] if slices]
    assert len(claimed) <= max(1, sets * 0.05), claimed


def test_chance_gives_no_slice(tmp_path):
    check_chance(tmp_path, 4)


@pytest.mark.slow
def test_chance_gives_no_slice_in_many_sets(tmp_path):
    check_chance(tmp_path, 60)


def test_a_planted_weakness_is_found(tmp_path):
    workspace = pellucid.open(tmp_path / "w")
    chance = np.random.default_rng(1)
    version = detection_set(
        chance, workspace, "v", lambda kind, box: np.where(kind == 1, 0.45, 0.9)
    )
    best = claims(version)[0]
    assert best.error == "extra"
    assert [condition.name for condition in best.conditions] == ["kind"]
