"""Findings: planted faults are found with the right numbers, and nothing is claimed of chance."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.analysis.findings import rank_findings
from pellucid.analysis.lapse_rate import fit_lapse_rate
from pellucid.results.findings import import_finding
from toys import picture, run_cli

SIDE = 40.0


class Boxes:
    """A detection set on a grid of places, built up image by image."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.annotations, self.predictions, self.images = [], [], {}

    def add(self, image, split, concept, place, score=None, predicted=None, annotated=True):
        x, y = 60.0 * (place % 8), 60.0 * (place // 8)
        self.images[image] = split
        if annotated:
            self.annotations.append((image, split, concept, x, y, SIDE, SIDE))
        if score is not None:
            self.predictions.append((image, predicted or concept, score, x, y, SIDE, SIDE))

    def version(self, workspace, view="v", name="m"):
        made = workspace.view(view) if view in workspace.views else None
        if made is None:
            columns = zip(*self.annotations, strict=True)
            names = ("image", "split", "concept", "x", "y", "width", "height")
            table = dict(zip(names, map(list, columns), strict=True))
            made, _ = workspace.add(view, table)
        version = made.start(name)
        names = ("image", "concept", "score", "x", "y", "width", "height")
        columns = zip(*self.predictions, strict=True)
        version.add_predictions(
            dict(zip(names, map(list, columns), strict=True)), boxes="xywh-pixels"
        )
        return version


def chance_boxes(seed, concepts=("cat", "dog", "bird"), images=120, training=0):
    """Every object is found with probability 0.8; a false positive in every second image; scores
    are probabilities."""
    boxes = Boxes(seed)
    for number in range(images + training):
        split = "validation" if number < images else "training"
        for place in range(int(boxes.random.integers(1, 5))):
            concept = str(boxes.random.choice(concepts))
            score = float(boxes.random.beta(5, 2)) if boxes.random.random() < 0.8 else None
            boxes.add(f"{number}.jpg", split, concept, place, score)
        if boxes.random.random() < 0.5:
            concept = str(boxes.random.choice(concepts))
            score = float(boxes.random.beta(2, 4))
            boxes.add(f"{number}.jpg", split, concept, 20, score, annotated=False)
    return boxes


def kinds(found):
    return [finding.kind for finding in found.findings]


@pytest.mark.slow
def test_nothing_is_claimed_of_chance(workspace):
    """In at most one of twenty sets."""
    claims = []
    for seed in range(20):
        version = chance_boxes(seed, training=60).version(workspace, f"v{seed}")
        claims += kinds(version.results().findings())
    assert len(claims) <= 1, claims


def test_missing_labels_are_found_and_their_gain_is_counted(workspace):
    boxes = chance_boxes(3, images=300)
    strong = [row for row, p in enumerate(boxes.predictions) if p[1] == "cat" and p[2] > 0.7]
    places = {(boxes.predictions[row][0], boxes.predictions[row][3]) for row in strong[:12]}
    removed = [
        row
        for row, (image, _, concept, x, y, *_) in enumerate(boxes.annotations)
        if concept == "cat" and y == 0 and (image, x) in places
    ]
    boxes.annotations = [a for row, a in enumerate(boxes.annotations) if row not in removed]
    version = boxes.version(workspace)
    results = version.results()
    finding = results.findings().findings[0]
    assert (finding.kind, finding.group, finding.concept) == ("missing_labels", "now", "cat")
    assert finding.gain.errors == finding.count
    assert not finding.gain.at_most
    assert finding.gain.assumption
    listed = results.gallery(finding.query)
    assert len(listed) == finding.count
    hits = sum((item.image, item.box[0]) in places for item in listed)
    assert hits >= 0.6 * len(listed), (hits, len(listed))
    assert hits >= 0.8 * len(removed), (hits, len(removed))


def label_table(rows):
    names = ("image", "split", "concept")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def score_table(names, scores):
    images = [name for name in names for _ in range(scores.shape[1])]
    concepts = [f"c{index}" for _ in names for index in range(scores.shape[1])]
    return {"image": images, "concept": concepts, "score": scores.ravel().tolist()}


def classify(seed, images, accuracy, confused=None, swapped=0):
    """Labels and scores of five concepts. confused: (concept, predicted, probability) · swapped:
    labels changed to another concept."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 5, images)
    predicted = np.where(random.random(images) < accuracy, truth, random.integers(0, 5, images))
    if confused is not None:
        concept, other, probability = confused
        is_hit = (truth == concept) & (random.random(images) < probability)
        predicted = np.where(is_hit, other, predicted)
    confidence = np.where(
        predicted == truth, random.beta(8, 1.5, images), random.beta(3, 3, images)
    )
    scores = np.full((images, 5), 0.02)
    scores[np.arange(images), predicted] = np.maximum(confidence, 0.1)
    labels = truth.copy()
    changed = np.flatnonzero((predicted == truth) & (confidence > 0.8))[:swapped]
    labels[changed] = (truth[changed] + 1 + random.integers(0, 4, len(changed))) % 5
    return labels, scores, changed


def classification(workspace, labels, scores, splits=None, view="c", name="m"):
    names = [f"{number}.jpg" for number in range(len(labels))]
    splits = splits or ["validation"] * len(names)
    rows = [
        (image, split, f"c{label}")
        for image, split, label in zip(names, splits, labels, strict=True)
    ]
    made = workspace.view(view) if view in workspace.views else None
    if made is None:
        made, _ = workspace.add(view, label_table(rows))
    version = made.start(name)
    version.add_predictions(score_table(names, scores))
    return version


@pytest.mark.slow
def test_nothing_is_claimed_of_chance_in_classification(workspace):
    claims = []
    for seed in range(20):
        labels, scores, _ = classify(seed, 400, 0.8)
        version = classification(workspace, labels, scores, view=f"c{seed}")
        claims += kinds(version.results().findings())
    assert len(claims) <= 1, claims


def test_wrong_labels_are_found(workspace):
    labels, scores, changed = classify(1, 3_000, 0.9, swapped=60)
    version = classification(workspace, labels, scores)
    results = version.results()
    found = [f for f in results.findings().findings if f.kind == "wrong_labels"]
    assert found == results.findings().findings[: len(found)]
    listed = {item.image for finding in found for item in results.gallery(finding.query)}
    planted = {f"{number}.jpg" for number in changed}
    assert len(listed & planted) >= 0.6 * len(planted)
    assert len(listed & planted) >= 0.7 * len(listed)
    for finding in found:
        assert finding.gain.errors == 2 * finding.count


def test_a_confused_pair_is_found(workspace):
    labels, scores, _ = classify(4, 1_000, 0.85, confused=(0, 3, 0.3))
    version = classification(workspace, labels, scores)
    finding = version.results().findings().findings[0]
    assert (finding.kind, finding.concept) == ("confused", "c0")
    matrix = version.results().confusion()
    assert finding.count == matrix[0][3]
    assert len(version.results().gallery(finding.query)) == finding.count
    assert finding.gain.errors == 2 * finding.count
    assert finding.gain.at_most


def test_a_dead_concept_is_found(workspace):
    boxes = chance_boxes(5)
    boxes.predictions = [p for p in boxes.predictions if p[1] != "bird"]
    results = boxes.version(workspace).results()
    finding = results.findings().findings[0]
    birds = sum(annotation[2] == "bird" for annotation in boxes.annotations)
    assert (finding.kind, finding.concept, finding.count) == ("rarely_found", "bird", birds)
    assert f"never found: 0 of {birds}" in finding.sentence
    assert len(results.gallery(finding.query)) == birds
    assert "below the threshold" not in finding.evidence


def test_a_concept_cut_off_by_its_threshold_says_so(workspace):
    results = chance_boxes(5).version(workspace).results(thresholds={"bird": 1.0})
    (finding,) = [f for f in results.findings().findings if f.kind == "rarely_found"]
    matched = len(results.gallery(pellucid.ListQuery("extra", concept="bird")))
    assert f"{finding.count} annotations" in finding.sentence
    assert "are predicted below the threshold of 1" in finding.evidence
    assert matched == finding.count


def test_a_weak_slice_is_found(workspace):
    boxes = Boxes(6)
    for number in range(300):
        for place in range(3):
            is_found = boxes.random.random() < (0.4 if number % 4 == 0 else 0.9)
            score = float(boxes.random.beta(6, 2))
            boxes.add(f"{number}.jpg", "validation", "cat", place, score if is_found else None)
    table = label_columns(boxes)
    table["light"] = ["night" if int(name[:-4]) % 4 == 0 else "day" for name in table["image"]]
    workspace.add("v", table)
    results = boxes.version(workspace).results()
    finding = results.findings().findings[0]
    assert finding.kind == "slice"
    assert "night" in finding.sentence
    at_night = list(results.gallery(finding.query))
    assert len(at_night) == finding.count
    assert all(int(item.image[:-4]) % 4 == 0 for item in at_night)
    moved = results.with_thresholds(0.7)
    listed = [one for one in moved.findings().findings if one.query is not None]
    assert "slice" in {one.kind for one in listed}
    for one in listed:
        assert len(moved.gallery(one.query)) == one.count, one.sentence


def test_a_bad_threshold_is_found_and_the_optimal_ones_are_left_alone(workspace):
    version = chance_boxes(7).version(workspace)
    assert "threshold" not in kinds(version.results().findings())
    results = version.results(thresholds={"cat": 0.95})
    finding = results.findings().findings[0]
    assert (finding.kind, finding.concept) == ("threshold", "cat")
    before = results.threshold_table()["cat"].errors
    assert before - version.thresholds["cat"].errors == finding.gain.errors
    assert len(results.gallery(finding.query)) == finding.count


def test_overfitting_is_found(workspace):
    labels, scores, _ = classify(8, 600, 0.7)
    training_labels, training_scores, _ = classify(9, 600, 0.99)
    version = classification(
        workspace,
        np.concatenate([labels, training_labels]),
        np.concatenate([scores, training_scores]),
        ["validation"] * 600 + ["training"] * 600,
    )
    finding = version.results().findings().findings[0]
    assert finding.kind == "overfitting"
    at = {figures.split: figures.at for figures in version.results().figures()}
    assert f"{at['training'].f1:.2f} on training" in finding.sentence
    assert f"{at['validation'].f1:.2f} on validation" in finding.sentence


def test_a_good_model_is_said_not_to_overfit(workspace):
    version = chance_boxes(10, training=120).version(workspace)
    assert any(
        text.startswith("No overfitting: F1") for text in version.results().findings().not_found
    )


def test_a_leak_is_found(workspace, tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / "images" / name, colour=(ord(name[0]), 10, 10))
    (tmp_path / "images/copy.png").write_bytes((tmp_path / "images/a.png").read_bytes())
    rows = [
        ("a.png", "training", "x"),
        ("b.png", "training", "y"),
        ("c.png", "validation", "x"),
        ("copy.png", "validation", "y"),
    ]
    view, _ = workspace.add("leak", label_table(rows), images=tmp_path / "images")
    version = view.start("m")
    version.add_predictions({"image": ["c.png"], "concept": ["x"], "score": [0.9]})
    found = version.results().findings()
    sentences = [finding.sentence for finding in found.findings if finding.kind == "import"]
    assert any("identical files" in sentence and "a.png" in sentence for sentence in sentences)


def test_images_without_predictions_are_reported(workspace):
    boxes = chance_boxes(11)
    missing = {f"{number}.jpg" for number in range(7)} & set(boxes.images)
    boxes.predictions = [p for p in boxes.predictions if p[0] not in missing]
    view, _ = workspace.add("v", label_columns(boxes))
    version = view.start("m")
    columns = ("image", "concept", "score", "x", "y", "width", "height")
    table = dict(zip(columns, map(list, zip(*boxes.predictions, strict=True)), strict=True))
    version.add_predictions(table, boxes="xywh-pixels", covered="listed")
    found = [f for f in version.results().findings().findings if f.kind == "import"]
    assert found[0].count >= len(missing)
    assert "was not run on" in found[0].sentence


def label_columns(boxes):
    names = ("image", "split", "concept", "x", "y", "width", "height")
    return dict(zip(names, map(list, zip(*boxes.annotations, strict=True)), strict=True))


def test_images_that_are_not_looked_at_are_no_gap(workspace):
    version = chance_boxes(10).version(workspace)
    results = version.results()
    some = np.arange(len(results.evaluation.images)) % 2 == 0
    found = results.on_selected_images(some).findings()
    assert not [finding for finding in found.findings if finding.kind == "import"]
    assert not [text for text in found.not_found if "every image" in text]


def test_keys_of_findings_are_unique_and_stay(workspace):
    """They tell findings apart and recognise one whose numbers have changed."""
    boxes = chance_boxes(5)
    boxes.predictions = [p for p in boxes.predictions if p[1] != "bird"]
    results = boxes.version(workspace).results(thresholds={"cat": 0.95, "dog": 0.97})
    keys = [finding.key for finding in results.findings().findings]
    assert len(set(keys)) == len(keys) == 2
    (gap, leak, more_leaks) = (
        import_finding(text, "", 1, "do")
        for text in ("not run on 7 of 10 images", "3 images in test", "5 images in validation")
    )
    assert len({gap.key, leak.key, more_leaks.key}) == 3
    concepts = [import_finding(f"The scores of '{n}'", "", 1, "do").key for n in ("c1", "c2", "7")]
    assert len(set(concepts)) == 3
    assert gap.key == import_finding("not run on 1,200 of 3,400 images", "", 1, "do").key


def test_a_regression_is_found(workspace):
    boxes = chance_boxes(12)
    boxes.version(workspace, name="old")
    kept = boxes.random.random(len(boxes.predictions)) < 0.6
    boxes.predictions = [p for p, keep in zip(boxes.predictions, kept, strict=True) if keep]
    results = boxes.version(workspace, name="new").results()
    found = results.findings(baseline="old")
    changes = [finding for finding in found.findings if finding.group == "baseline"]
    comparison = workspace.view("v").version("old").results().compare(results)
    assert changes[0].kind == "regression"
    assert changes[0].gain.errors == comparison.overall.errors.increase
    errors = comparison.overall.errors
    assert f"{errors.a:,} → {errors.b:,}" in changes[0].sentence
    assert len(results.gallery(changes[0].query)) == changes[0].count
    assert changes[0].count == comparison.overall.broken


def test_new_false_positives_are_a_regression_with_its_items(workspace):
    boxes = chance_boxes(12)
    boxes.version(workspace, name="old")
    for number in range(80):
        boxes.add(f"{number}.jpg", "validation", "cat", 30, 0.95, annotated=False)
    results = boxes.version(workspace, name="new").results()
    found = results.findings(baseline="old").findings
    change = next(finding for finding in found if finding.kind == "regression")
    assert change.query.tab == "missing"
    assert change.count == len(results.gallery(change.query)) >= 70


def test_a_threshold_that_is_too_low(workspace):
    results = chance_boxes(7).version(workspace).results(thresholds={"cat": 0.0})
    finding = results.findings().findings[0]
    assert (finding.kind, finding.concept) == ("threshold", "cat")
    assert len(results.gallery(finding.query)) == finding.count


def test_without_predictions_nothing_is_said(workspace):
    boxes = chance_boxes(7, images=10)
    view, _ = workspace.add("v", label_columns(boxes))
    found = view.start("m").results().findings()
    assert found.not_found == []
    assert "was not run on 10 of 10 images" in found.findings[0].sentence


def test_order_of_the_findings(workspace):
    boxes = chance_boxes(5)
    boxes.predictions = [p for p in boxes.predictions if p[1] != "bird"]
    results = boxes.version(workspace).results(thresholds={"cat": 0.95})
    found = results.findings().findings
    assert found == rank_findings(reversed(found))
    groups = [finding.group for finding in found]
    assert groups == sorted(groups, key=["now", "training", "baseline"].index)


@pytest.mark.slow
def test_the_size_of_the_test_for_annotation_errors():
    """Where scores are probabilities, a claim is made as rarely as the level says."""
    random = np.random.default_rng(0)
    p_values = []
    for _ in range(200):
        scores = random.random(400)
        fit = fit_lapse_rate(scores, random.random(400) < scores)
        p_values.append(fit.p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.09
    assert fit_lapse_rate(np.full(10, 0.5), np.ones(10, bool)) is None
    is_match = np.ones(23, bool)
    is_match[[1, 4, 20]] = False  # twenty matches and three errors are just enough
    assert fit_lapse_rate(np.linspace(0.3, 0.95, 23), is_match) is not None


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("decimals", [None, 3, 2])
@pytest.mark.parametrize("sharpness", [0.5, 1, 3])
def test_miscalibrated_and_rounded_scores_are_no_annotation_errors(decimals, sharpness):
    random = np.random.default_rng(1)
    claims = 0
    for _ in range(20):
        evidence = random.normal(0, 3, 1_000)
        is_match = random.random(1_000) < 1 / (1 + np.exp(-evidence))
        scores = 1 / (1 + np.exp(-sharpness * evidence))
        scores = scores if decimals is None else np.round(scores, decimals)
        claims += fit_lapse_rate(scores, is_match).p_value < 0.001
    assert claims == 0


def test_equal_scores_say_nothing():
    assert fit_lapse_rate(np.full(200, 1e-4), np.arange(200) < 160) is None
    assert fit_lapse_rate(np.zeros(200), np.arange(200) < 160) is None


def test_extreme_scores_are_taken():
    scores = np.array([0.0, 1.0] * 40)
    fit = fit_lapse_rate(scores, scores > 0.5)
    assert fit is not None
    assert np.isfinite(fit.lapse_probability(scores)).all()


@pytest.fixture
def folder(tmp_path):
    boxes = chance_boxes(5)
    boxes.predictions = [p for p in boxes.predictions if p[1] != "bird"]
    boxes.version(pellucid.open(tmp_path / "w"))
    return tmp_path / "w"


def test_the_command_prints_findings_as_text_and_as_json(folder):
    result = run_cli("findings", folder, "v", "m", "--json")
    (first, *_) = json.loads(result.stdout)
    assert {"kind", "sentence", "gain", "count", "concept", "query", "action"} <= first.keys()
    assert first["kind"] == "rarely_found"
    assert first["gain"]["errors"] == first["count"]
    assert first["query"]["tab"] == "extra"
    text = run_cli("findings", folder, "v", "m")
    assert "For the next training" in text.stdout
    assert first["sentence"] in " ".join(text.stdout.split())
    assert "No pair of confused concepts" in text.stdout


def test_a_notebook_shows_a_table(folder):
    findings = pellucid.open(folder).view("v").version("m").results().findings()
    html = findings._repr_html_()
    assert findings.findings[0].sentence.replace("'", "&#x27;") in html
    assert "No pair of confused concepts" in html


def test_the_command_at_other_thresholds(folder):
    result = run_cli("findings", folder, "v", "m", "--threshold", "cat=0.95", "--json")
    assert json.loads(result.stdout)[0]["kind"] == "threshold"


def test_an_unknown_baseline_is_refused(folder):
    result = run_cli("findings", folder, "v", "m", "--baseline", "mm")
    assert result.returncode == 3
    assert "mm" in result.stderr


def test_tags_are_not_confused_with_each_other(workspace):
    """Each tag is a question of its own, and so no pair is looked for."""
    labels, scores, _ = classify(4, 400, 0.85, confused=(0, 3, 0.3))
    images = [f"{number}.jpg" for number in range(len(labels))]
    view, _ = workspace.add(
        "t", {"image": images, "concept": [f"c{label}" for label in labels]}, kind="tagging"
    )
    version = view.start("m")
    version.add_predictions(
        {
            "image": np.repeat(images, 5).tolist(),
            "concept": [f"c{number}" for number in range(5)] * len(images),
            "score": scores.ravel().tolist(),
        }
    )
    found = version.results().findings()
    assert not any(finding.kind == "confused" for finding in found.findings)
    assert not any("confused" in text for text in found.not_found)


def test_two_concepts_are_not_looked_through_for_confusions(workspace, tmp_path):
    """Of two, one is always confused with the other."""
    view, _ = workspace.add("two", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    assert len(version.evaluation.concepts) == 2
    assert not any("confused" in text for text in version.results().findings().not_found)


def guesses(seed, images, concepts, accuracy):
    """Labels, and scores that say nothing about whether the highest is right."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, concepts, images)
    predicted = np.where(random.random(images) < accuracy, truth, (truth + 1) % concepts)
    scores = np.full((images, concepts), 0.001)
    scores[np.arange(images), predicted] = random.uniform(0.5, 1, images)
    return truth, scores


@pytest.mark.parametrize(("accuracies", "is_worse"), [((0.5, 0.5), False), ((0.9, 0.7), True)])
def test_training_is_not_called_worse_for_thresholds_fitted_to_validation(
    workspace, accuracies, is_worse
):
    """Of forty thresholds that are fitted to five images each, all look worse on training."""
    validation, training = (
        guesses(seed, images, 40, accuracy)
        for seed, images, accuracy in zip((1, 2), (200, 2_000), accuracies, strict=True)
    )
    labels, scores = (np.concatenate(parts) for parts in zip(validation, training, strict=True))
    version = classification(workspace, labels, scores, ["validation"] * 200 + ["training"] * 2_000)
    shares = {f.split: f.at.tp / (f.at.tp + f.at.fp + f.at.fn) for f in version.results().figures()}
    assert shares["training"] < shares["validation"] - 0.05
    assert any("worse on training" in text for text in version.results().remarks()) == is_worse
