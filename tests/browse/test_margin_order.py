"""The order by margin: with all concepts, fast forward leads to each concept's own threshold."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import pellucid
from pellucid.browse.query import ListQuery


@pytest.mark.parametrize("kind", ["detection", "tagging", "classification"])
@settings(deadline=None, max_examples=8, phases=[Phase.generate])
@given(data=st.data())
def test_margin_order_is_that_of_a_plain_sort(kind, data, tmp_path_factory):
    concepts, images = ["a", "b", "c"], [f"{number}.jpg" for number in range(4)]
    scores = {
        (image, concept): data.draw(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]))
        for image in images
        for concept in concepts
    }
    labels = dict(zip(images, [*concepts, data.draw(st.sampled_from(concepts))], strict=True))
    table = {"image": images, "concept": [labels[image] for image in images]}
    predictions = {
        "image": [image for image, _ in scores],
        "concept": [concept for _, concept in scores],
        "score": list(scores.values()),
    }
    if kind == "detection":
        sides = {name: [10.0] * 4 for name in ("x", "y", "width", "height")}
        table |= sides
        predictions |= {name: [10.0] * 12 for name in sides}
    workspace = pellucid.open(tmp_path_factory.mktemp("margin") / "w")
    view, _ = workspace.add("v", table, kind=kind)
    version = view.start("m")
    options = {"boxes": "xywh-pixels"} if kind == "detection" else {}
    version.add_predictions(predictions, **options)
    thresholds = {name: data.draw(st.sampled_from([0.2, 0.3, 0.6])) for name in concepts}
    results = version.results(thresholds=thresholds)
    for reverse in (False, True):
        query = ListQuery("all", order="margin", reverse=reverse)
        gallery = results.gallery(query)
        margins = [item.score - thresholds[item.concept] for item in gallery]
        assert margins == sorted(margins, reverse=not reverse)
        same = results.gallery(ListQuery("all"))
        assert sorted((i.image, i.concept) for i in gallery) == sorted(
            (i.image, i.concept) for i in same
        )
        is_before = np.array([(margin >= 0) != reverse for margin in margins])
        assert gallery.threshold_position == is_before.sum()
        assert is_before[: gallery.threshold_position].all()
        ties = [(-m, item.image) for m, item in zip(margins, gallery, strict=True)]
        assert reverse or ties == sorted(ties)


def test_annotations_keep_their_order(tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", {"image": ["a.jpg", "b.jpg"], "concept": ["x", "y"]}, kind="classification"
    )
    version = view.start("m")
    version.add_predictions({"image": ["a.jpg"], "concept": ["y"], "score": [0.9]})
    results = version.results()
    by_margin, by_score = (
        [item.image for item in results.gallery(ListQuery("extra", order=order))]
        for order in ("margin", "score")
    )
    assert by_margin == by_score
