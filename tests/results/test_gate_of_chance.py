"""How often a gate fails on equally good versions: many small sets, cut from a large one."""

import numpy as np
import pytest

from pellucid.results.release_gate import check_gate

pytestmark = pytest.mark.slow

SETS, IMAGES = 200, 60
CONCEPTS = [f"concept {number}" for number in range(8)]


@pytest.fixture
def versions(workspace):
    """Two versions with independent mistakes at the same rate, on tags of equal frequency."""
    rng = np.random.default_rng(11)
    count = SETS * IMAGES
    images = [f"{number}.png" for number in range(count)]
    has_tag = rng.random((count, len(CONCEPTS))) < 0.4
    rows, columns = np.nonzero(has_tag | (np.arange(len(CONCEPTS)) == 0))
    annotations = {
        "image": [images[row] for row in rows],
        "concept": [CONCEPTS[column] for column in columns],
        "value": np.where(has_tag[rows, columns], "positive", "negative").tolist(),
    }
    view, _ = workspace.add("v", annotations, kind="tagging")
    is_tagged = has_tag.copy()
    for name in ("a", "b"):
        is_right = rng.random(has_tag.shape) < 0.85
        score = np.where(is_right == is_tagged, 0.9, 0.1)
        view.start(name).add_predictions(
            {
                "image": np.repeat(images, len(CONCEPTS)).tolist(),
                "concept": CONCEPTS * count,
                "score": score.ravel().tolist(),
            }
        )
    return [view.version(name).results().with_thresholds(0.5) for name in ("a", "b")]


def test_equally_good_versions_pass(versions):
    """A rise of the errors overall or of any of eight concepts: at most one set in twenty fails."""
    numbers = np.array(
        [int(path.removesuffix(".png")) for path in versions[0].evaluation.images.path.tolist()]
    )
    failed = 0
    for place in range(SETS):
        is_chosen = numbers // IMAGES == place
        first, second = (version.on_selected_images(is_chosen) for version in versions)
        comparison = first.compare(second)
        metrics = [version.metrics("validation") for version in (first, second)]
        failed += bool(check_gate(comparison, *metrics, {"errors": 0.0}))
    # of a share of 5 %, 18 or more of 200 sets fail once in a hundred times
    assert failed <= 17


def test_a_worse_concept_fails(versions, workspace):
    """With one concept of eight as good as guessed, the gate names it."""
    view = workspace.view("v")
    first = view.version("a").results().with_thresholds(0.5)
    evaluation = first.evaluation
    rng = np.random.default_rng(12)
    score = evaluation.predictions.score.copy()
    is_first = evaluation.predictions.concept == evaluation.concepts.index(CONCEPTS[0])
    score[is_first] = rng.choice([0.1, 0.9], int(is_first.sum()))
    paths = evaluation.images.path
    view.start("worse").add_predictions(
        {
            "image": [paths[image] for image in evaluation.predictions.image],
            "concept": [evaluation.concepts[index] for index in evaluation.predictions.concept],
            "score": score.tolist(),
        }
    )
    second = view.version("worse").results().with_thresholds(0.5)
    comparison = first.compare(second)
    metrics = [version.metrics("validation") for version in (first, second)]
    failures = check_gate(comparison, *metrics, {"errors": 0.0})
    assert {failure.concept for failure in failures} == {None, CONCEPTS[0]}
