"""Predictions without scores: every one counts, and what needs a score is null."""

import itertools
import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.core.tables import Annotations, Predictions
from pellucid.evaluation.boxes import pairwise_iou
from pellucid.evaluation.unscored_matching import match_unscored
from pellucid.results.errors import NoScoresError
from references import keypoints as posed_reference
from references import masks as masked_reference


def random_document(seed, noise=0.0, dropped=0.0):
    """The same objects each time, moved and dropped at random."""
    objects, chance = np.random.default_rng(1), np.random.default_rng(seed)
    document = {"images": [], "annotations": [], "categories": []}
    document["categories"] = [{"id": 1, "name": "cell"}, {"id": 2, "name": "dot"}]
    for image in range(1, 13):
        document["images"].append(
            {"id": image, "file_name": f"{image}.png", "width": 120, "height": 90}
        )
        for _ in range(4):
            box = [*objects.uniform(0, 70, 2), *objects.uniform(12, 45, 2)]
            concept = int(objects.integers(1, 3))
            box = (np.array(box) + noise * chance.normal(size=4)).clip(1).round(2).tolist()
            if chance.random() >= dropped:
                document["annotations"].append(
                    {
                        "id": len(document["annotations"]) + 1,
                        "image_id": image,
                        "category_id": concept,
                        "bbox": box,
                        "area": box[2] * box[3],
                        "iscrowd": 0,
                    }
                )
    return document


def compare(folder, first, second, **options):
    folder.mkdir()
    for name, document in (("a", first), ("b", second)):
        (folder / f"{name}.json").write_text(json.dumps(document))
    view, _ = pellucid.open(folder / "w").add("v", folder / "a.json", split="validation")
    version = view.start("m", **options)
    version.add_predictions(folder / "b.json", no_scores=True)
    return view.version("m")


@pytest.mark.parametrize("seed", range(4))
def test_two_annotators_agree_both_ways(tmp_path, seed):
    """Neither comes first: what is extra one way is missing the other way."""
    first, second = random_document(seed, 3.0, 0.2), random_document(seed + 50, 3.0, 0.2)
    ab, ba = compare(tmp_path / "ab", first, second), compare(tmp_path / "ba", second, first)
    boxes = [
        [sorted((i.image, i.concept, i.box) for i in v.gallery(tab)) for tab in tabs]
        for v, tabs in ((ab, ("missing", "extra")), (ba, ("extra", "missing")))
    ]
    assert boxes[0] == boxes[1]
    assert boxes[0][0]
    assert boxes[0][1]
    counts = [len(v.gallery("matched")) for v in (ab, ba)]
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("seed", range(30))
def test_pairs_have_the_highest_total_similarity(seed):
    chance = np.random.default_rng(seed)

    def boxes(count):
        return np.concatenate(
            [chance.uniform(0, 12, (count, 2)), chance.uniform(8, 20, (count, 2))], 1
        )

    annotated, predicted = boxes(int(chance.integers(1, 5))), boxes(int(chance.integers(1, 5)))
    n, m = len(annotated), len(predicted)
    annotations = Annotations(
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        annotated,
        np.zeros(n, bool),
        np.ones(n, bool),
        annotated[:, 2] * annotated[:, 3],
    )
    predictions = Predictions(
        np.zeros(m, np.int32),
        np.zeros(m, np.int32),
        np.full(m, np.inf),
        predicted,
        np.arange(m, dtype=np.int32),
    )
    matching = match_unscored(annotations, predictions, 0.3, 1)
    iou = np.array(
        [pairwise_iou(np.tile(p, (n, 1)), annotated, np.zeros(n, bool)) for p in predicted]
    )
    gain = np.where(iou >= 0.3, iou, 0)
    size = max(n, m)
    square = np.zeros((size, size))
    square[:m, :n] = gain
    best = max(
        sum(square[row, column] for row, column in enumerate(order))
        for order in itertools.permutations(range(size))
    )
    assert np.nansum(matching.iou) == pytest.approx(best)
    partners = matching.partner[matching.partner >= 0]
    assert len(set(partners.tolist())) == len(partners)


def test_what_needs_a_score_is_null(tmp_path):
    version = compare(tmp_path / "w", random_document(1), random_document(2, 2.0, 0.2))
    assert not version.manifest.has_scores
    metrics = version.metrics("validation")
    assert set(metrics.overall.coco.values()) == {None}
    assert {concept.ap for concept in metrics.concepts} == {None}
    assert metrics.overall.errors == len(version.gallery("missing")) + len(version.gallery("extra"))
    assert all(item.score is None for tab in ("all", "matched") for item in version.gallery(tab))
    results = version.results()
    (figures,) = results.figures()
    assert figures.calibration is None
    assert figures.curve.threshold == []
    assert set(results.voc().values()) == {None}
    assert results.intervals == [None, None]
    assert results.findings().version == "m"
    for order in ("mistakes", "margin"):
        assert len(results.gallery(pellucid.ListQuery("all", order=order))) == len(
            version.gallery("all")
        )
    for chosen in (0.5, {"cell": 0.2}):
        with pytest.raises(NoScoresError, match="no threshold to choose"):
            version.results(thresholds=chosen)
    with pytest.raises(NoScoresError):
        results.at_objective("f1")


def test_command_line_says_null(tmp_path):
    version = compare(tmp_path / "w", random_document(1), random_document(2, 2.0, 0.2))
    names = (version.view.workspace.folder, "v", "m")
    (first, *_) = json.loads(toys.run_cli("thresholds", *names, "--json").stdout)
    assert first["threshold"] is first["interval"] is None
    assert first["source"] == "no scores"
    gallery = json.loads(toys.run_cli("gallery", *names, "--tab", "all", "--json").stdout)
    assert {item["score"] for item in gallery["items"]} == {None}
    assert "inf" not in toys.run_cli("thresholds", *names).stdout
    done = toys.run_cli("metrics", *names, "--threshold", "0.5")
    assert done.returncode == 2
    assert "has no scores" in done.stderr


def test_annotations_need_the_option(tmp_path):
    version = compare(tmp_path / "w", random_document(1), random_document(2))
    other = version.view.start("other")
    with pytest.raises(PellucidError, match=r"these are annotations \(coco\).*--no-scores"):
        other.add_predictions(tmp_path / "w" / "b.json")


def test_scores_and_none_are_not_mixed(tmp_path):
    version = compare(tmp_path / "w", random_document(1), random_document(2))
    scored = toys.write(
        tmp_path / "scored.json",
        json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 0.5}]),
    )
    with pytest.raises(PellucidError, match="these predictions have scores"):
        version.add_predictions(scored, replace=True, covered="listed")


RESULT = {"image_id": 1, "category_id": 1, "bbox": [1.0, 2.0, 20.0, 20.0]}


@pytest.mark.parametrize("scored", [False, True])
def test_results_and_label_files_without_scores(tmp_path, scored):
    version = compare(tmp_path / "w", random_document(1), random_document(2))
    result = RESULT | ({"score": 0.3} if scored else {})
    sources = {
        "file": toys.write(tmp_path / "results.json", json.dumps([result])),
        "memory": [result],
        "labels": tmp_path / "labels",
    }
    toys.write(tmp_path / "labels" / "1.txt", "0 0.091667 0.133333 0.166667 0.222222\n")
    for name, source in sources.items():
        added = version.view.start(name)
        added.add_predictions(source, no_scores=True)
        (item,) = added.gallery("all")
        assert (item.image, item.concept, item.score) == ("1.png", "cell", None)
        assert item.box == pytest.approx((1, 2, 20, 20), abs=1e-3)


def test_masks_and_keypoints_without_scores(tmp_path):
    for name, reference in (("mask", masked_reference), ("keypoints", posed_reference)):
        posed = reference.random_set(3, images=8)
        version = compare(tmp_path / name, posed.document, posed.document)
        evaluation = version.evaluation
        assert evaluation.geometry == name
        counted = int((evaluation.annotations.positive & ~evaluation.annotations.ignore).sum())
        assert len(version.gallery("matched")) == counted > 0
        assert len(version.gallery("extra")) == 0


@pytest.mark.parametrize("kind", ["classification", "tagging"])
def test_images_without_scores(tmp_path, kind):
    images = [f"{number}.png" for number in range(8)]
    truth = {"image": images, "concept": ["cat", "dog"] * 4}
    found = {"image": images, "concept": ["cat", "dog", "cat", "cat", "dog", "dog", "cat", "dog"]}
    view, _ = pellucid.open(tmp_path / "w").add("v", truth, kind=kind)
    version = view.start("m")
    version.add_predictions(found, no_scores=True)
    assert len(version.gallery("matched")) == 6
    assert len(version.gallery("missing")) == len(version.gallery("extra")) == 2
    overall = version.metrics("validation").overall
    assert overall.top5_accuracy is overall.map is None
    if kind == "classification":
        assert overall.accuracy == 0.75


def test_corrections_and_comparison_without_scores(tmp_path):
    first = random_document(1)
    version = compare(tmp_path / "w", first, random_document(2, 4.0, 0.3), iou=0.6)
    other = version.view.start("other", iou=0.6)
    (tmp_path / "c.json").write_text(json.dumps(random_document(3, 1.0, 0.1)))
    other.add_predictions(tmp_path / "c.json", no_scores=True)
    comparison = version.results().compare(other.results())
    errors = [v.metrics("validation").overall.errors for v in (version, other)]
    assert [comparison.overall.errors.a, comparison.overall.errors.b] == errors
    item = version.gallery("extra")[0]
    version.view.reviews.decide(version, [item], "wrong", "Ann")
    corrected = version.results(corrected=True).metrics("validation").overall.errors
    assert corrected == errors[0] - 1
    assert len(version.results(iou=0.3).gallery(pellucid.ListQuery("matched"))) >= len(
        version.gallery("matched")
    )


def test_a_gate_on_a_figure_that_is_undefined_is_refused(tmp_path):
    """AP needs scores: a gate on it could never fail."""
    version = compare(tmp_path / "g", random_document(3), random_document(4, 0.1))
    version.view.start("other").add_predictions(tmp_path / "g/b.json", no_scores=True)
    gate = ("compare", version.view.workspace.folder, version.view.name, version.name, "other")
    for name in ("ap", "AP"):
        done = toys.run_cli(*gate, "--fail-on", name)
        assert done.returncode == 3
        assert "is undefined: a gate on it measures nothing" in done.stderr
    assert toys.run_cli(*gate, "--fail-on", "fp").returncode == 0


def test_a_histogram_without_scores_is_empty(tmp_path):
    version = compare(tmp_path / "h", random_document(1), random_document(2, 2.0))
    found = version.results().histogram(bins=7)
    assert found.edges == pytest.approx(np.linspace(0, 1, 8))
    for counts in (found.right, found.wrong, found.other):
        assert counts.tolist() == [0] * 7
