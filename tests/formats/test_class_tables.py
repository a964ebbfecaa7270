"""Tables of classes and tags whose columns could be misread; the truth of each is known."""

import csv
import io
import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid import PellucidError
from pellucid.formats.errors import AmbiguousColumnsError, TrueColumnsError
from pellucid.ingest.errors import AmbiguousInterpretationError

CONCEPTS = ("cat", "dog", "fox")
IMAGES = [f"im{number:02}.jpg" for number in range(30)]
TRUE = {image: CONCEPTS[number % 3] for number, image in enumerate(IMAGES)}
PREDICTED = {
    image: CONCEPTS[number % 3 if number % 4 else 0] for number, image in enumerate(IMAGES)
}
ACCURACY = np.mean([TRUE[image] == PREDICTED[image] for image in IMAGES])
TAGS = {image: set(CONCEPTS[: number % 4]) for number, image in enumerate(IMAGES)}


def scores(image):
    return [0.6 if concept == PREDICTED[image] else 0.2 for concept in CONCEPTS]


def table(folder, name, header, cells, images=IMAGES):
    """A CSV file with a row for each image. cells: those behind the image's name."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image", *header])
    writer.writerows([image, *cells(image)] for image in images)
    return toys.write(folder / name, text.getvalue())


def truth_table(folder, cells=lambda image: [TRUE[image]], header=("label",)):
    return table(folder, "truth.csv", header, cells)


def evaluate(folder, predictions, truth=None, **options):
    """The accuracy on validation, and the notes of the import."""
    view, _ = pellucid.open(folder / "w").add("v", truth or truth_table(folder))
    version = view.start("m")
    notes = version.add_predictions(predictions, **options)
    return version.metrics("validation").overall.accuracy, notes


def tags_of(view):
    images, annotations, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    found = {path: set() for path in images.path.tolist()}
    for image, concept, positive in zip(
        annotations.image, annotations.concept, annotations.positive, strict=True
    ):
        if positive:
            found[images.path[image]].add(names[concept])
    return found


@pytest.mark.parametrize("header", [("label", "pred"), ("y_true", "y_pred"), ("gt", "prediction")])
def test_the_truth_is_no_prediction_without_scores(tmp_path, header):
    source = table(tmp_path, "p.csv", header, lambda image: [TRUE[image], PREDICTED[image]])
    accuracy, _ = evaluate(tmp_path, source, no_scores=True)
    assert accuracy == pytest.approx(ACCURACY)


def test_columns_of_the_truth_alone_are_no_scores(tmp_path):
    header = [f"true_{concept}" for concept in CONCEPTS]
    flags = table(tmp_path, "p.csv", header, lambda i: [int(TRUE[i] == c) for c in CONCEPTS])
    with pytest.raises(TrueColumnsError, match="'true_cat'"):
        evaluate(tmp_path, flags)


@pytest.mark.parametrize(
    "record",
    [
        lambda i: {"image": i, "prediction": {"label": PREDICTED[i], "score": 0.9}},
        lambda i: {"image": i, "top1": {"label": PREDICTED[i], "score": 0.9}},
        lambda i: {
            "image": i,
            "predictions": {
                concept: {"confidence": score, "class_id": number}
                for number, (concept, score) in enumerate(zip(CONCEPTS, scores(i), strict=True))
            },
        },
    ],
)
def test_nested_objects_of_json(tmp_path, record):
    source = toys.write(tmp_path / "p.json", json.dumps([record(image) for image in IMAGES]))
    assert evaluate(tmp_path, source)[0] == pytest.approx(ACCURACY)


def test_names_with_spaces_behind_a_tab(tmp_path):
    lines = "".join(f"{image}\t{TRUE[image]} big\n" for image in IMAGES)
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.write(tmp_path / "list.txt", lines))
    assert tags_of(view) == {image: {f"{TRUE[image]} big"} for image in IMAGES}


def test_numbered_columns_may_count_from_0_or_1(tmp_path):
    numbers = truth_table(tmp_path, lambda image: [CONCEPTS.index(TRUE[image])])
    source = table(tmp_path, "p.csv", ["p1", "p2", "p3"], scores)
    with pytest.raises(AmbiguousInterpretationError, match="--category-ids positions-from-1"):
        evaluate(tmp_path, source, numbers)


def test_probability_of_the_positive_class(tmp_path):
    chance = {image: 0.05 + 0.9 * (number % 2) for number, image in enumerate(IMAGES)}
    chance |= {image: 0.4 + 0.2 * (number % 2) for number, image in enumerate(IMAGES[:6])}
    truth = truth_table(tmp_path, lambda image: [int(IMAGES.index(image) % 2)])
    source = table(tmp_path, "p.csv", ["pred", "prob"], lambda i: [int(chance[i] > 0.5), chance[i]])
    view, _ = pellucid.open(tmp_path / "w").add("v", truth)
    version = view.start("m")
    notes = version.add_predictions(source)
    assert any(note.kind == "positive_class" for note in notes)
    items = version.gallery("all", concept="0")[:60]
    assert {item.image: round(item.score, 6) for item in items} == {
        image: round(1 - p, 6) for image, p in chance.items() if p < 0.5
    }


def test_confidence_of_the_predicted_class_stays(tmp_path):
    truth = truth_table(tmp_path, lambda image: [int(IMAGES.index(image) % 2)])
    source = table(
        tmp_path,
        "p.csv",
        ["pred", "prob"],
        lambda i: [IMAGES.index(i) % 2, 0.51 + 0.01 * int(i[2])],
    )
    _, notes = evaluate(tmp_path, source, truth)
    assert not any(note.kind == "positive_class" for note in notes)


@pytest.mark.parametrize(
    ("header", "words"),
    [("confidence", (0, 1)), ("score", (0, 1)), ("status", ("negative", "positive"))],
)
def test_rows_that_say_that_a_tag_is_absent(tmp_path, header, words):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image", "concept", header])
    writer.writerows([i, c, words[c in TAGS[i]]] for i in IMAGES for c in CONCEPTS)
    source = toys.write(tmp_path / "tags.csv", text.getvalue())
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert tags_of(view) == TAGS


def test_truth_of_0_and_1_beside_a_concept_is_asked_for(tmp_path):
    source = table(
        tmp_path, "t.csv", ["concept", "ground_truth"], lambda i: [TRUE[i], int(i[3]) % 2]
    )
    with pytest.raises(AmbiguousColumnsError, match="concept=concept"):
        pellucid.open(tmp_path / "w").add("v", source)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Usage", ("Training", "PublicTest", "PrivateTest")),
        ("set", ("tr", "va", "te")),
        ("stage", ("fit", "validate", "test")),
    ],
)
def test_splits_by_other_names(tmp_path, header, words):
    source = table(
        tmp_path, "t.csv", ["label", header], lambda i: [TRUE[i], words[IMAGES.index(i) % 3]]
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert set(view.images_by_split.values()) == {10}
    odd = table(
        tmp_path, "o.csv", ["label", header], lambda i: [TRUE[i], (*words, "x")[int(i[3]) % 4]]
    )
    with pytest.raises(PellucidError, match="invalid split 'x'"):
        pellucid.open(tmp_path / "w").add("odd", odd)


def test_one_image_with_two_classes_is_named(tmp_path):
    text = truth_table(tmp_path).read_text() + f"{IMAGES[0]},fox\n"
    view, notes = pellucid.open(tmp_path / "w").add("v", toys.write(tmp_path / "t.csv", text))
    (note,) = (note for note in notes if note.kind == "few_tags")
    assert view.kind == "tagging"
    assert "'im00.jpg': 'cat', 'fox'" in note.message


def test_labels_that_are_true_and_false(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"image": IMAGES, "label": [TRUE[i] == "cat" for i in IMAGES]})
    view, _ = pellucid.open(tmp_path / "w").add("v", frame)
    assert (view.kind, [c.name for c in view.manifest.concepts]) == (
        "classification",
        ["false", "true"],
    )


def test_predictions_beside_the_truth_are_no_tags(tmp_path):
    header = [*(f"true_{c}" for c in CONCEPTS), *(f"pred_{c}" for c in CONCEPTS)]
    source = table(
        tmp_path,
        "t.csv",
        header,
        lambda i: [
            *(int(TRUE[i] == c) for c in CONCEPTS),
            *(int(PREDICTED[i] == c) for c in CONCEPTS),
        ],
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert [concept.name for concept in view.manifest.concepts] == header[:3]


@pytest.mark.parametrize("extra", ["pred_idx", "pred_entropy", "pred_max", "pred_prob"])
def test_numbers_made_from_scores_are_no_classes(tmp_path, extra):
    header = [*(f"pred_{concept}" for concept in CONCEPTS), extra]
    source = table(tmp_path, "p.csv", header, lambda image: [*scores(image), 2.5])
    accuracy, notes = evaluate(tmp_path, source)
    assert accuracy == pytest.approx(ACCURACY)
    assert any(f"not read: '{extra}'" in note.message for note in notes)


def test_a_class_that_nobody_annotated_takes_part(tmp_path):
    source = table(
        tmp_path, "p.csv", [*CONCEPTS, "cow"], lambda image: [s / 2 for s in scores(image)] + [0.5]
    )
    assert evaluate(tmp_path, source)[0] == 0
    other = table(tmp_path, "q.csv", [*CONCEPTS, "width"], lambda image: [*scores(image), 640])
    assert evaluate(tmp_path / "other", other, truth_table(tmp_path))[0] == pytest.approx(ACCURACY)


def test_ids_of_images_go_before_their_numbers(tmp_path):
    text = "id,file_name,label\n" + "".join(
        f"{29 - number},{number}.jpg,{TRUE[image]}\n" for number, image in enumerate(IMAGES)
    )
    truth = toys.write(tmp_path / "truth.csv", text)
    rows = "".join(
        f"{29 - number},{','.join(map(str, scores(image)))}\n"
        for number, image in enumerate(IMAGES)
    )
    source = toys.write(tmp_path / "p.csv", f"image_id,{','.join(CONCEPTS)}\n{rows}")
    accuracy, notes = evaluate(tmp_path, source, truth)
    assert accuracy == pytest.approx(ACCURACY)
    assert any("images matched by id" in note.message for note in notes)


def test_the_text_of_a_label_goes_before_its_number(tmp_path):
    source = table(
        tmp_path,
        "t.csv",
        ["label_id", "label_text"],
        lambda image: [CONCEPTS.index(TRUE[image]), TRUE[image]],
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert [concept.name for concept in view.manifest.concepts] == list(CONCEPTS)


def test_images_of_another_folder_are_warned_about(tmp_path):
    truth = toys.write(
        tmp_path / "t.csv", "image,label\n" + "".join(f"val/{i},{TRUE[i]}\n" for i in IMAGES)
    )
    source = toys.write(
        tmp_path / "p.csv",
        "image,label,score\n" + "".join(f"train/{i},{TRUE[i]},0.9\n" for i in IMAGES),
    )
    _, notes = evaluate(tmp_path, source, truth)
    (note,) = (note for note in notes if note.kind == "other_folder")
    assert "'train/im00.jpg' is read as 'val/im00.jpg'" in note.message


@pytest.mark.parametrize(
    ("cell", "refusal"),
    [
        (lambda tags: str(tuple(sorted(tags))), None),
        (lambda tags: "&".join(sorted(tags)), "--separator '&'"),
        (lambda tags: " ".join(str(int(c in tags)) for c in CONCEPTS), "list of 0 and 1"),
    ],
)
def test_several_tags_in_a_cell(tmp_path, cell, refusal):
    every = [{c for k, c in enumerate(CONCEPTS) if number >> k & 1} for number in range(8)]
    tags = {image: every[number % 8] for number, image in enumerate(IMAGES)}
    source = table(tmp_path, "t.csv", ["labels"], lambda image: [cell(tags[image])])
    if refusal:
        with pytest.raises(PellucidError, match=refusal):
            pellucid.open(tmp_path / "w").add("v", source)
    else:
        assert tags_of(pellucid.open(tmp_path / "w").add("v", source)[0]) == tags


def test_rows_without_a_class_are_counted(tmp_path):
    source = truth_table(tmp_path, lambda i: ["null" if TRUE[i] == "cat" else TRUE[i]])
    _, notes = pellucid.open(tmp_path / "w").add("v", source)
    (note,) = (note for note in notes if note.kind == "no_concept")
    assert (note.count, note.severity) == (10, "warning")
    ignored = truth_table(tmp_path, lambda i: [TRUE[i], int(i[3]) % 2], ["label", "difficult"])
    _, notes = pellucid.open(tmp_path / "other").add("v", ignored)
    assert next(note for note in notes if note.kind == "ignored_rows").count == 15


def test_named_columns_go_before_the_best_of_several(tmp_path):
    """Two models in one table: the user says which of them is meant."""
    header = ["pred1", "prob1", "pred2", "prob2"]
    source = table(tmp_path, "p.csv", header, lambda i: [PREDICTED[i], 0.9, "cat", 0.8])
    accuracy, _ = evaluate(tmp_path, source, columns={"concept": "pred1", "score": "prob1"})
    assert accuracy == pytest.approx(ACCURACY)


@pytest.mark.parametrize("kind", ["three classes", "tags"])
def test_scores_below_a_half_are_no_others_outside_two_classes(tmp_path, kind):
    """Two concepts are predicted, one always below 0.5: with more concepts, or of tags, this says
    nothing of the other one."""
    labels = [TRUE[image] for image in IMAGES]
    if kind == "tags":
        labels = [label.replace("fox", "cat") for label in labels]
    text = "".join(f"{i},{label}\n" for i, label in zip(IMAGES, labels, strict=True))
    header = "image,label" if kind == "three classes" else "image,labels"
    truth = toys.write(tmp_path / "truth.csv", f"{header}\n{text}")
    source = table(
        tmp_path,
        "p.csv",
        ["label", "score"],
        lambda i: ["cat", 0.3] if int(i[3]) % 2 else ["dog", 0.8],
    )
    view, _ = pellucid.open(tmp_path / "w").add("v", truth)
    assert view.kind == ("classification" if kind == "three classes" else "tagging")
    version = view.start("m")
    notes = version.add_predictions(source)
    assert not any(note.kind == "positive_class" for note in notes)


def test_objects_by_number_are_no_classes(tmp_path):
    record = {"0": {"label": "cat", "score": 0.9}, "1": {"label": "dog", "score": 0.1}}
    rows = [{"image": image, "found": record} for image in IMAGES]
    with pytest.raises(PellucidError):
        evaluate(tmp_path, toys.write(tmp_path / "p.json", json.dumps(rows)))


@pytest.mark.parametrize("other", ["ensemble_prediction", "prediction_ema", "previous_prediction"])
def test_two_columns_of_predictions_are_refused(tmp_path, other):
    header = ("prediction", other)
    file = table(tmp_path, "p.csv", header, lambda i: [PREDICTED[i], TRUE[i]])
    with pytest.raises(AmbiguousColumnsError, match=other):
        evaluate(tmp_path, file)


def test_a_second_best_prediction_is_no_rival(tmp_path):
    def cells(image):
        second = next(c for c in CONCEPTS if c != PREDICTED[image])
        return [PREDICTED[image], second, 0.9]

    header = ("prediction", "prediction_second", "score")
    assert evaluate(tmp_path, table(tmp_path, "p.csv", header, cells))[0] == ACCURACY


@pytest.mark.parametrize("truth", ["true_label", "label"])
@pytest.mark.parametrize("column", ["is_correct", "correct"])
def test_a_column_that_says_whether_the_prediction_is_right_is_metadata(tmp_path, truth, column):
    def cells(image):
        return [TRUE[image], PREDICTED[image], 0.9, int(TRUE[image] == PREDICTED[image])]

    header = (truth, "predicted_label", "score", column)
    file = table(tmp_path, "p.csv", header, cells)
    assert evaluate(tmp_path, file, truth=file)[0] == ACCURACY
