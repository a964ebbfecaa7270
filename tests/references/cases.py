"""Small cases full of ties: equal scores, equal boxes, crowd, empty and uncovered images,
concepts without validation."""

import math

from hypothesis import strategies as st

from .plain import Case

CONCEPTS = ["crack", "dent", "rust"]
SCORES = [0.0, 0.1, 0.25, 0.5, math.nextafter(0.5, 1), 0.75, 0.9, 1.0]
SIDE = st.integers(0, 4).map(float)
ANY_BOX = st.tuples(SIDE, SIDE, st.integers(0, 4).map(float), st.integers(1, 4).map(float))
CROSS = st.sampled_from(
    [
        (3.0, 3.0, 3.0, 3.0),
        (2.0, 3.0, 3.0, 3.0),
        (4.0, 3.0, 3.0, 3.0),
        (3.0, 2.0, 3.0, 3.0),
        (3.0, 4.0, 3.0, 3.0),
    ]
)
"""Boxes about one middle: many pairs of equal IoU, exactly 0.5."""
BOX = st.one_of(ANY_BOX, CROSS)
SCORE = st.one_of(st.sampled_from(SCORES), st.floats(-2, 3, allow_nan=False, width=64))


@st.composite
def cases(draw, kind):
    concepts = CONCEPTS[: draw(st.integers(1, 3))]
    paths = draw(st.permutations(["a/1.jpg", "a/10.jpg", "a/2.jpg", "B/1.jpg", "é.jpg"]))[
        : draw(st.integers(1, 5))
    ]
    images = {path: draw(image(kind)) for path in paths}
    annotations = draw(notes(kind, concepts, images))
    predictions = draw(guesses(kind, concepts, [path for path in paths if images[path]["covered"]]))
    iou = draw(st.sampled_from([0.5, 0.5, 0.3, 0.75, 1.0])) if kind == "detection" else 0.5
    return Case(kind, concepts, images, annotations, predictions, iou)


@st.composite
def image(draw, kind):
    split = draw(st.sampled_from(["training", "validation", "validation", "validation", "test"]))
    stated = (
        "closed"
        if kind == "classification"
        else draw(st.sampled_from(["none", "closed", "closed", "open"]))
    )
    return {
        "split": split,
        "stated": stated,
        "covered": draw(st.sampled_from([True, True, True, False])),
    }


@st.composite
def notes(draw, kind, concepts, images):
    if kind == "detection":
        return draw(boxes(concepts, images))
    found = []
    for path, facts in draw(st.permutations(list(images.items()))):
        if kind == "classification":
            chosen = draw(st.sampled_from([*concepts, None]))
            facts["stated"] = "none" if chosen is None else "closed"
            chosen = [] if chosen is None else [chosen]
        else:
            chosen = (
                draw(st.lists(st.sampled_from(concepts), unique=True))
                if facts["stated"] != "none"
                else []
            )
        for concept in chosen:
            positive = facts["stated"] != "open" or draw(st.booleans())
            found.append(
                {
                    "image": path,
                    "concept": concept,
                    "box": None,
                    "ignore": False,
                    "positive": positive,
                }
            )
    return found


@st.composite
def boxes(draw, concepts, images):
    """Boxes of annotated images, and of those where not every concept was looked for, concepts
    that are stated to be absent."""
    annotated = [path for path, facts in images.items() if facts["stated"] != "none"]
    if not annotated:
        return []
    found = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "image": st.sampled_from(annotated),
                    "concept": st.sampled_from(concepts),
                    "box": BOX,
                    "ignore": st.sampled_from([False, False, False, True]),
                    "positive": st.just(True),
                }
            ),
            max_size=9,
        )
    )
    unsure = [path for path in annotated if images[path]["stated"] == "open"]
    if not unsure:
        return found
    nowhere = {"box": (0.0, 0.0, 0.0, 0.0), "ignore": False, "positive": False}
    absent = draw(
        st.lists(
            st.tuples(st.sampled_from(unsure), st.sampled_from(concepts)), unique=True, max_size=3
        )
    )
    return found + [{"image": path, "concept": concept, **nowhere} for path, concept in absent]


@st.composite
def guesses(draw, kind, concepts, paths):
    if not paths:
        return []
    if kind == "detection":
        return draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "image": st.sampled_from(paths),
                        "concept": st.sampled_from(concepts),
                        "score": SCORE,
                        "box": BOX,
                    }
                ),
                max_size=14,
            )
        )
    pairs = [(path, concept) for path in paths for concept in concepts]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=len(pairs)))
    return [
        {"image": path, "concept": concept, "score": draw(SCORE), "box": None}
        for path, concept in chosen
    ]
