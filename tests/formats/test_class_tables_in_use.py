"""Tables, lists and folders of classes as people have them: each is read as meant, or refused."""

import json

import numpy as np
import pandas as pd
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

CLASSES = ["cat", "dog", "fox", "owl"]
IMAGES = [f"im{number:03}.jpg" for number in range(60)]
TRUTH = {image: CLASSES[number * 7 % 4] for number, image in enumerate(IMAGES)}
PREDICTED = {
    image: TRUTH[image] if number % 5 else CLASSES[(CLASSES.index(TRUTH[image]) + 1) % 4]
    for number, image in enumerate(IMAGES)
}  # 48 of 60 right
DEFECT = {image: ("defect", "ok")[number % 3 > 0] for number, image in enumerate(IMAGES)}
PROBABILITY = {
    image: (0.9 if (DEFECT[image] == "defect") != (number % 7 == 0) else 0.1) + number / 1000
    for number, image in enumerate(IMAGES)
}  # of defect: wrong for 9 of 60 at 0.5


def table(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def labels(tmp_path, truth=TRUTH):
    return table(tmp_path / "labels.csv", "image,label", truth.items())


def add(tmp_path, source, **options):
    """The view and the kinds of its notes."""
    workspace = pellucid.open(tmp_path / f"w{len(list(tmp_path.glob('w*')))}")
    view, notes = workspace.add("v", source, **options)
    return view, {note.kind: note.message for note in notes}


def imported(tmp_path, annotations, source, **options):
    view, _ = add(tmp_path, annotations)
    version = view.start("m")
    notes = version.add_predictions(source, **options)
    return version, {note.kind: note.message for note in notes}


def accuracy(version):
    return version.metrics("validation").overall.argmax_accuracy


def names(view):
    return [concept.name for concept in view.manifest.concepts]


@pytest.mark.parametrize("header", ["prob_defect", "defect", "p_defect", "defect_score"])
def test_one_probability_of_two_classes_scores_both(tmp_path, header):
    """A binary classifier's single column: the other class has 1 - p."""
    source = table(tmp_path / "p.csv", f"image,{header}", PROBABILITY.items())
    version, notes = imported(tmp_path, labels(tmp_path, DEFECT), source)
    assert accuracy(version) == pytest.approx(51 / 60)
    assert "1 - p" in notes["complement"]
    whole = table(
        tmp_path / "both.csv",
        "image,defect,ok",
        [(image, p, 1 - p) for image, p in PROBABILITY.items()],
    )
    other, _ = imported(tmp_path, labels(tmp_path, DEFECT), whole)
    assert version.metrics("validation").concepts == other.metrics("validation").concepts


def test_one_probability_of_numbered_classes(tmp_path):
    truth = {image: int(name == "defect") for image, name in DEFECT.items()}
    source = table(tmp_path / "p.csv", "image,prob_1", PROBABILITY.items())
    version, _ = imported(tmp_path, labels(tmp_path, truth), source)
    assert accuracy(version) == pytest.approx(51 / 60)


def test_a_class_that_is_always_chosen_is_not_complemented(tmp_path):
    source = table(
        tmp_path / "p.csv", "image,label,score", [(image, "ok", 0.7) for image in IMAGES]
    )
    version, notes = imported(tmp_path, labels(tmp_path, DEFECT), source)
    assert "complement" not in notes
    assert accuracy(version) == pytest.approx(40 / 60)


def test_the_true_class_beside_a_probability_is_no_prediction(tmp_path):
    """No classifier of two classes chooses one with less than 0.5."""
    rows = [(image, DEFECT[image], p) for image, p in PROBABILITY.items()]
    source = table(tmp_path / "p.csv", "image,label,prob", rows)
    with pytest.raises(PellucidError, match=r"'prob' is .* rename 'prob' to 'defect'"):
        imported(tmp_path, labels(tmp_path, DEFECT), source)
    stated = {"concept": "label", "score": "prob"}
    version, _ = imported(tmp_path, labels(tmp_path, DEFECT), source, columns=stated)
    assert accuracy(version) == 1


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.905])
def test_a_probability_beside_the_chosen_class(tmp_path, cut):
    """Whatever the cut, and however few are positive."""
    rows = [(image, ("ok", "defect")[p > cut], p) for image, p in PROBABILITY.items()]
    source = table(tmp_path / "p.csv", "image,pred,prob", rows)
    version, notes = imported(tmp_path, labels(tmp_path, DEFECT), source)
    right = sum(DEFECT[image] == chosen for image, chosen, _ in rows)
    assert accuracy(version) == pytest.approx(right / 60)
    assert "probability of 'defect'" in notes["positive_class"]


def test_a_probability_alone_names_no_class(tmp_path):
    source = table(tmp_path / "p.csv", "image,prob", PROBABILITY.items())
    with pytest.raises(PellucidError, match="rename it to that class: 'defect' or 'ok'"):
        imported(tmp_path, labels(tmp_path, DEFECT), source)


def test_images_and_classes_without_scores_are_told(tmp_path):
    rows = [(image, *np.eye(3)[number % 3]) for number, image in enumerate(IMAGES[:20])]
    source = table(tmp_path / "p.csv", "image,cat,dog,fox", rows)
    _, notes = imported(tmp_path, labels(tmp_path), source)
    assert "40 images" in notes["images_without_scores"]
    assert "--covered listed" in notes["images_without_scores"]
    assert "'owl'" in notes["concepts_without_scores"]
    version, notes = imported(tmp_path, labels(tmp_path), source, covered="listed")
    assert "images_without_scores" not in notes
    assert version.metrics("validation").covered == 20


@pytest.mark.parametrize("column", ["prediction", "pred_label", "predicted_class"])
def test_predicted_classes_without_scores(tmp_path, column):
    source = table(tmp_path / "p.csv", f"image,{column}", PREDICTED.items())
    version, _ = imported(tmp_path, labels(tmp_path), source, no_scores=True)
    assert accuracy(version) == pytest.approx(0.8)


@pytest.mark.parametrize("in_file", [True, False])
def test_list_columns_of_classes_and_scores(tmp_path, in_file):
    scores = [[0.7 if name == PREDICTED[image] else 0.1 for name in CLASSES] for image in IMAGES]
    frame = pd.DataFrame({"image": IMAGES, "labels": [CLASSES] * 60, "scores": scores})
    if in_file:
        frame.to_parquet(tmp_path / "p.parquet")
    source = tmp_path / "p.parquet" if in_file else frame
    version, _ = imported(tmp_path, labels(tmp_path), source)
    assert accuracy(version) == pytest.approx(0.8)


@pytest.mark.parametrize("score", ["y_prob", "y_proba", "proba"])
def test_predictions_of_scikit_learn(tmp_path, score):
    rows = [(image, TRUTH[image], PREDICTED[image], 0.9) for image in IMAGES]
    source = table(tmp_path / "p.csv", f"image,y_true,y_pred,{score}", rows)
    version, _ = imported(tmp_path, labels(tmp_path), source)
    assert accuracy(version) == pytest.approx(0.8)


def test_numbers_beside_the_names_are_the_ids_of_the_concepts(tmp_path):
    own = {"cat": 17, "dog": 3, "fox": 44, "owl": 9}
    truth = table(
        tmp_path / "t.csv", "image,label,class_id", [(i, c, own[c]) for i, c in TRUTH.items()]
    )
    source = table(
        tmp_path / "p.csv",
        "image,class_id,score",
        [(i, own[c], 0.9) for i, c in PREDICTED.items()],
    )
    version, _ = imported(tmp_path, truth, source)
    assert accuracy(version) == pytest.approx(0.8)


def test_the_advice_on_numbers_fits_them(tmp_path):
    rows = [(image, CLASSES.index(name) + 1, 0.9) for image, name in PREDICTED.items()]
    source = table(tmp_path / "p.csv", "image,class_id,score", rows)
    with pytest.raises(
        PellucidError, match="specify --category-ids positions-from-1, or specify --map"
    ):
        imported(tmp_path, labels(tmp_path), source)
    options = {"category_ids": "positions-from-1"}
    version, _ = imported(tmp_path, labels(tmp_path), source, **options)
    assert accuracy(version) == pytest.approx(0.8)


def test_rows_in_memory(tmp_path):
    rows = [{"image": image, "label": name} for image, name in TRUTH.items()]
    predicted = [{"image": i, "label": name, "score": 0.9} for i, name in PREDICTED.items()]
    version, _ = imported(tmp_path, rows, predicted)
    assert accuracy(version) == pytest.approx(0.8)
    version, _ = imported(tmp_path, dict(TRUTH), dict(PREDICTED), no_scores=True)
    assert accuracy(version) == pytest.approx(0.8)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("are_numbered", [True, False])
def test_lists_with_numbers_of_named_classes(tmp_path, first, are_numbered):
    lines = [f"{first + n} {name}" if are_numbered else name for n, name in enumerate(CLASSES)]
    (tmp_path / "classes.txt").write_text("\n".join(lines))
    listed = [f"{image} {CLASSES.index(name) + first}" for image, name in TRUTH.items()]
    (tmp_path / "list.txt").write_text("\n".join(listed))
    view, notes = add(tmp_path, tmp_path / "list.txt")
    images, annotations, _ = view.annotation_tables
    read = {
        images.path[i]: names(view)[c]
        for i, c in zip(annotations.image, annotations.concept, strict=True)
    }
    assert read == TRUTH
    assert ("names" in notes) == (first == 1)


def test_classes_named_with_numbers(tmp_path):
    (tmp_path / "classes.txt").write_text("1 euro\n2 euro\n")
    (tmp_path / "list.txt").write_text("a.jpg 0\nb.jpg 1\n")
    view, _ = add(tmp_path, tmp_path / "list.txt")
    assert names(view) == ["1 euro", "2 euro"]


def test_one_low_score_is_no_probability_of_the_other_class(tmp_path):
    """A sigmoid may be below 0.5 for the class that was chosen."""
    rows = [("im000.jpg", "defect", 0.9), ("im001.jpg", "ok", 0.45), ("im002.jpg", "ok", 0.8)]
    source = table(tmp_path / "p.csv", "image,pred,score", rows)
    version, notes = imported(tmp_path, labels(tmp_path, DEFECT), source, covered="listed")
    assert "positive_class" not in notes
    assert version.gallery("all")[2].score == 0.45


@pytest.mark.parametrize("name", ["notes.xlsx", "images.7z", "archive.rar", "old.feather"])
def test_other_files_beside_a_data_set_do_not_matter(tmp_path, name):
    root = folders(tmp_path / "set", {"train": CLASSES, "val": CLASSES})
    (root / name).write_bytes(b"PK\x03\x04" + bytes(50))
    view, _ = add(tmp_path, root)
    assert names(view) == CLASSES


def test_records_that_begin_with_annotations_are_no_coco(tmp_path):
    """CreateML with sorted keys."""
    record = {
        "annotations": [
            {"coordinates": {"height": 9, "width": 9, "x": 20, "y": 20}, "label": "cat"}
        ],
        "image": "a.png",
    }
    (tmp_path / "c.json").write_text(json.dumps([record], sort_keys=True))
    view, _ = add(tmp_path, tmp_path / "c.json")
    assert names(view) == ["cat"]


def test_lists_with_numbers_that_fit_no_names(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog")
    (tmp_path / "list.txt").write_text("a.jpg 0\nb.jpg 2\n")
    with pytest.raises(PellucidError, match="line 2: found '2', but there are 2 names"):
        add(tmp_path, tmp_path / "list.txt")


def test_lists_with_several_numbers_are_tags(tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg 1 2\nb.jpg 3\nc.jpg 2 3\n")
    view, _ = add(tmp_path, tmp_path / "list.txt")
    assert (view.manifest.kind, names(view)) == ("tagging", ["1", "2", "3"])
    (tmp_path / "list.txt").write_text("a.jpg 0 1 1\nb.jpg 1 0 0\n")
    with pytest.raises(PellucidError, match="3 flags, or the classes 0 and 1"):
        add(tmp_path, tmp_path / "list.txt")
    (tmp_path / "classes.txt").write_text("cat\ndog\nfox")
    view, _ = add(tmp_path, tmp_path / "list.txt")
    _, annotations, _ = view.annotation_tables
    assert list(zip(annotations.image.tolist(), annotations.concept.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 0),
    ]


@pytest.mark.parametrize("column", ["labels", "tags"])
def test_one_tag_on_every_image_is_told(tmp_path, column):
    source = table(tmp_path / "a.csv", f"filepaths,{column}", TRUTH.items())
    view, notes = add(tmp_path, source)
    assert view.manifest.kind == "tagging"
    assert "--kind classification" in notes["single_concepts"]
    view, _ = add(tmp_path, source, kind="classification")
    assert view.manifest.kind == "classification"


def test_missing_values_of_r(tmp_path):
    source = table(tmp_path / "a.csv", "image,label", [("a.jpg", "NA"), ("b.jpg", "Na")])
    view, notes = add(tmp_path, source)
    assert names(view) == ["Na"]  # sodium
    assert "'NA'" in notes["no_concept"]
    source = table(tmp_path / "b.csv", "image,cat,dog", [("a.jpg", "NA", 1), ("b.jpg", 1, 0)])
    view, notes = add(tmp_path, source)
    assert names(view) == ["cat", "dog"]
    assert "1 cell" in notes["unknown_labels"]


def test_json_lists_with_escaped_letters(tmp_path):
    cell = json.dumps(["Größe", "dog"]).replace('"', '""')
    (tmp_path / "a.csv").write_text(f'image,labels\na.jpg,"{cell}"\nb.jpg,"[""dog""]"\n')
    view, _ = add(tmp_path, tmp_path / "a.csv")
    assert names(view) == ["Größe", "dog"]


def test_a_single_flag_is_a_tag_where_tags_are_asked_for(tmp_path):
    rows = [(image, number % 2) for number, image in enumerate(IMAGES)]
    source = table(tmp_path / "a.csv", "image,is_defect", rows)
    with pytest.raises(PellucidError, match="--kind tagging"):
        add(tmp_path, source)
    view, _ = add(tmp_path, source, kind="tagging", columns={"concept": "is_defect"})
    assert names(view) == ["is_defect"]
    assert len(view.annotation_tables[1]) == 30


def test_names_that_may_be_mistakes_are_told(tmp_path):
    rows = [("a.jpg", "Cat"), ("b.jpg", "cat"), ("c.jpg", "dog")]
    _, notes = add(tmp_path, table(tmp_path / "a.csv", "image,label", rows))
    assert "--map 'cat=Cat'" in notes["similar_names"]
    rows = [("a.jpg", -1), ("b.jpg", 0), ("c.jpg", 1)]
    _, notes = add(tmp_path, table(tmp_path / "b.csv", "image,label", rows))
    assert "--concepts 0,1" in notes["minus_one_concept"]


def test_flags_of_splits_are_no_concepts(tmp_path):
    rows = [(image, n % 2, n < 30, n >= 30) for n, image in enumerate(IMAGES)]
    rows = [(image, *map(int, flags)) for image, *flags in rows]
    with pytest.raises(PellucidError, match="'train', 'valid' may describe the image"):
        add(tmp_path, table(tmp_path / "a.csv", "image,cat,train,valid", rows))
    view, _ = add(tmp_path, table(tmp_path / "b.csv", "image,cat,train", [r[:3] for r in rows]))
    assert names(view) == ["cat", "train"]


@pytest.mark.parametrize(
    "text", ["\n\nimage,label\na.jpg,cat\nb.jpg,dog\n", "image,label\na.jpg,cat\nb.jpg,dog\n,\n,\n"]
)
def test_empty_lines_around_a_table(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    view, notes = add(tmp_path, tmp_path / "a.csv")
    assert len(view.annotation_tables[0]) == 2
    assert "no_concept" not in notes


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.xlsx", "workbook. Save its sheet as CSV"),
        ("a.csv.bz2", "compress it with gzip"),
        ("a.feather", "Write it as Parquet or CSV"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path, name, told):
    (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(PellucidError, match=told):
        add(tmp_path, tmp_path / name)


def folders(root, by_split):
    for split, concepts in by_split.items():
        for concept in concepts:
            toys.picture(
                root / split / concept / f"{split}-{concept}.png",
                colour=sum(map(ord, concept)) % 250,
            )
    return root


@pytest.mark.parametrize(
    "splits",
    [("training_set", "test_set"), ("seg_train", "seg_test"), ("train-images", "val_images")],
)
def test_folders_named_after_splits(tmp_path, splits):
    view, _ = add(tmp_path, folders(tmp_path / "r", dict.fromkeys(splits, CLASSES)))
    assert names(view) == CLASSES
    assert set(view.annotation_tables[0].split.tolist()) in ({0, 2}, {0, 1})


def test_deep_folders_are_refused_with_a_way_on(tmp_path):
    with pytest.raises(PellucidError, match="rename them to train, val or test"):
        add(tmp_path, folders(tmp_path / "a", {"part1": CLASSES, "part2": CLASSES}))
    folders(tmp_path / "b" / "archive", {"train": CLASSES, "test": CLASSES})
    with pytest.raises(PellucidError, match="Specify the folder archive itself"):
        add(tmp_path, tmp_path / "b")


def test_unlabelled_test_folders_are_no_class(tmp_path):
    view, notes = add(tmp_path, folders(tmp_path / "a", {"train": CLASSES, "test": ["test"]}))
    assert names(view) == CLASSES
    assert "stray_images" in notes
    view, notes = add(tmp_path, folders(tmp_path / "b", {"train": CLASSES, "test": ["new"]}))
    assert "'new', is in no other split" in notes["lone_folder"]
