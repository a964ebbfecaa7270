"""Files as people have them that were read wrongly without a word: each is read as it is meant,
refused with the remedy, or what is left out is named."""

import json

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

VIA3 = {
    "project": {"pid": "x", "rev": "1", "pname": "p", "vid_list": ["1"]},
    "config": {"file": {"loc_prefix": {"1": ""}}},
    "attribute": {"1": {"aname": "class", "type": 4, "options": {"0": "scratch"}}},
    "file": {"1": {"fid": "1", "fname": "a.jpg", "type": 2}},
    "metadata": {"1_x": {"vid": "1", "xy": [2, 70, 262, 279, 161], "av": {"1": "0"}}},
}


def add(folder, source, **options):
    return pellucid.open(folder / "w").add("v", source, **options)


def refusal(folder, source, **options):
    with pytest.raises(PellucidError) as caught:
        add(folder, source, **options)
    return str(caught.value)


def kinds(notes):
    return {note.kind: note.count for note in notes}


@pytest.mark.parametrize(
    "document",
    [
        VIA3,
        {"model": {"freeze": 1, "amp": 0}, "data": {"workers": 1, "cache": 0}},
        {"train": {"shuffle": True, "augment": True}, "val": {"shuffle": False, "augment": False}},
    ],
    ids=["via-3", "settings", "settings-of-splits"],
)
def test_settings_are_no_images(document, tmp_path):
    refusal(tmp_path, toys.write(tmp_path / "a.json", json.dumps(document)))


@pytest.mark.parametrize(
    "document",
    [
        {"a.jpg": {"cat": 1, "dog": 0}, "b.jpg": {"cat": 0, "dog": 1}},
        {"a": {"cat": 1, "dog": 0}, "b": {"cat": 0, "dog": 1}, "c": {"cat": 1, "dog": 1}},
        {"a": {"label": "cat"}, "b": {"label": "dog"}},
    ],
)
def test_entries_by_image_are_read(document, tmp_path):
    view, _ = add(tmp_path, toys.write(tmp_path / "a.json", json.dumps(document)))
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]


@pytest.mark.parametrize("is_list", [False, True])
def test_concepts_by_image(is_list, tmp_path):
    document = {"a.jpg": "cat", "b.jpg": "dog", "c.jpg": "cat"}
    if is_list:
        document = {"a.jpg": ["cat", "dog"], "b.jpg": ["dog"], "c.jpg": []}
    view, _ = add(tmp_path, toys.write(tmp_path / "a.json", json.dumps(document)))
    assert view.kind == ("tagging" if is_list else "classification")
    images, annotations = view.annotation_tables[:2]
    names = [concept.name for concept in view.manifest.concepts]
    stated = [
        (images.path[image], names[concept])
        for image, concept in zip(annotations.image, annotations.concept, strict=True)
    ]
    expected = [
        (image, concept)
        for image, concepts in document.items()
        for concept in ([concepts] if isinstance(concepts, str) else concepts)
    ]
    assert sorted(stated) == sorted(expected)


@pytest.mark.parametrize("column", ["camera", "sequence", "scene", "page"])
def test_an_image_that_two_columns_name(column, tmp_path):
    rows = [f"{column},image,label,xmin,ymin,xmax,ymax"]
    rows += [f"{part},{n}.jpg,dent,10,20,110,140" for part in (0, 1) for n in (1, 2)]
    message = refusal(tmp_path, toys.write(tmp_path / "a.csv", "\n".join(rows)))
    assert "a column that joins both" in message


def test_track_ids_are_no_confidences(tmp_path):
    view, _ = add(tmp_path, toys.coco(tmp_path), images=tmp_path / "images", split="validation")
    for number, name in enumerate(("a/one", "two"), 1):
        toys.write(tmp_path / f"pred/{name}.txt", f"0 0.3 0.4 0.3 0.4 {number}\n")
    with pytest.raises(PellucidError, match="the id of a track or a percentage"):
        view.version_or_draft("m").add_predictions(tmp_path / "pred")
    version = view.version_or_draft("m")
    version.add_predictions(tmp_path / "pred", scores="percent")
    assert sorted(version.evaluation.predictions.score.tolist()) == [0.01, 0.02]


def test_flags_of_coco_that_are_not_followed_are_named(tmp_path):
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "ignore": 1}
    images = [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}]
    source = toys.coco(tmp_path, images=images, annotations=[annotation], pictures=False)
    _, notes = add(tmp_path, source)
    assert kinds(notes)["ignore_flags"] == 1


def test_difficult_shapes_are_ignored(tmp_path):
    shape = {"label": "dent", "points": [[1, 2], [9, 8]], "shape_type": "rectangle"}
    shapes = [{**shape, "difficult": True}, {**shape, "points": [[20, 20], [30, 30]]}]
    document = {"imagePath": "a.jpg", "imageHeight": 48, "imageWidth": 64, "shapes": shapes}
    view, _ = add(
        tmp_path, toys.write(tmp_path / "a.json", json.dumps({"version": "5"} | document))
    )
    assert view.annotation_tables[1].ignore.tolist() == [True, False]


def test_difficult_objects_of_several_polygons_are_ignored(tmp_path):
    part = {"label": "dent", "group_id": 1, "shape_type": "polygon", "difficult": True}
    corners = ([[1, 1], [9, 1], [9, 9]], [[20, 20], [30, 20], [30, 30]])
    shapes = [{**part, "points": points} for points in corners]
    document = {"imagePath": "a.jpg", "imageHeight": 48, "imageWidth": 64, "shapes": shapes}
    view, _ = add(
        tmp_path, toys.write(tmp_path / "a.json", json.dumps({"version": "5"} | document))
    )
    assert view.annotation_tables[1].ignore.tolist() == [True]


def test_difficult_of_voc_in_words(tmp_path):
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    item = f"<object><name>x</name><difficult>True</difficult>{box}</object>"
    size = "<size><width>64</width><height>48</height></size>"
    text = f"<annotation><filename>a.jpg</filename>{size}{item}</annotation>"
    view, _ = add(tmp_path, toys.write(tmp_path / "a.xml", text))
    assert view.annotation_tables[1].ignore.tolist() == [True]


@pytest.mark.parametrize("column", ["is_ignored", "dontcare", "IsGroupOf"])
def test_ignored_rows_of_tables(column, tmp_path):
    text = f"image,label,xmin,ymin,xmax,ymax,{column}\na.jpg,x,1,2,9,8,1\na.jpg,x,20,20,30,30,0\n"
    view, _ = add(tmp_path, toys.write(tmp_path / "a.csv", text))
    assert view.annotation_tables[1].ignore.tolist() == [True, False]


def test_images_that_differ_in_case_alone(tmp_path):
    text = "image,label\nimg_1.jpg,x\nIMG_1.JPG,y\nb.jpg,x\n"
    _, notes = add(tmp_path, toys.write(tmp_path / "a.csv", text))
    assert kinds(notes)["similar_images"] == 1


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([[1, 0], [0, 1]], "list of 0 and 1"),
        ([[True, False], [False, True]], "list of 0 and 1"),
        ([[0.9, 0.1], [0.2, 0.8]], "list of numbers from 0 to 1"),
    ],
)
def test_list_columns_of_values(values, what, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table({"image": ["a.jpg", "b.jpg"], "labels": values}), tmp_path / "a.parquet"
    )
    assert what in refusal(tmp_path, tmp_path / "a.parquet")


def test_lists_of_objects_in_cells(tmp_path):
    text = (
        """image,tags\na.jpg,"[{'id': 28, 'name': 'cat'}]"\nb.jpg,"[{'id': 2, 'name': 'dog'}]"\n"""
    )
    assert "lists objects" in refusal(tmp_path, toys.write(tmp_path / "a.csv", text))


def test_labels_of_machines_are_unknown(tmp_path):
    text = "ImageID,Source,LabelName,Confidence\n1,machine,/m/cat,0.6\n1,verification,/m/dog,1\n"
    view, notes = add(tmp_path, toys.write(tmp_path / "labels.csv", text))
    assert kinds(notes)["unverified"] == 1
    assert [concept.name for concept in view.manifest.concepts] == ["/m/dog"]


def test_exchanged_columns_of_images_and_concepts(tmp_path):
    text = "image,concept\ncat,a.jpg\ndog,b.jpg\ncat,c.jpg\n"
    source = toys.write(tmp_path / "a.csv", text)
    assert "image=concept,concept=image" in refusal(tmp_path, source)
    view, _ = add(tmp_path, source, columns={"image": ["concept"], "concept": ["image"]})
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]


def test_classes_with_underscores_are_those_with_blanks(tmp_path):
    labels = "image,label\n1.jpg,golden retriever\n2.jpg,great dane\n3.jpg,poodle\n"
    scores = (
        "image,golden_retriever,great_dane,poodle\n1.jpg,.8,.1,.1\n2.jpg,.1,.8,.1\n3.jpg,.1,.1,.8\n"
    )
    view, _ = add(tmp_path, toys.write(tmp_path / "a.csv", labels))
    notes = view.version_or_draft("m").add_predictions(toys.write(tmp_path / "p.csv", scores))
    text = " ".join(note.message for note in notes)
    assert "'golden_retriever' as 'golden retriever'" in text
    assert view.version("m").metrics().overall.argmax_accuracy == 1


def test_predicted_polygons_in_pixels(tmp_path):
    for number in range(20):
        x, y = 10 + 3 * number, 5 + number
        corners = [(x, y), (x + 60, y + 4), (x + 50, y + 40), (x - 4, y + 30)]
        toys.picture(tmp_path / f"data/images/{number}.png", 200, 120)
        shares = " ".join(f"{a / 200:.6f} {b / 120:.6f}" for a, b in corners)
        toys.write(tmp_path / f"data/labels/{number}.txt", f"0 {shares}\n")
        pixels = " ".join(f"{a} {b}" for a, b in corners)
        toys.write(tmp_path / f"pred/{number}.txt", f"0 {pixels} 0.95\n")
    toys.write(tmp_path / "data/data.yaml", "path: .\nval: images\nnames: [x]\n")
    view, _ = add(tmp_path, tmp_path / "data")
    version = view.version_or_draft("m")
    version.add_predictions(tmp_path / "pred")
    overall = version.metrics("validation").overall
    assert (version.evaluation.geometry, overall.errors) == ("mask", 0)


@pytest.mark.parametrize("option", [None, "id", "file-stem"])
def test_image_ids_with_two_readings_of_few_boxes(option, tmp_path):
    """By id 4 of 12 boxes agree, by the number in the file's name 8."""
    ids = [1, 2, 3, 12, 11, 10, 9, 8, 7, 6, 5, 4]
    boxes = [[20 + 37 * k % 400, 30 + 23 * k % 300, 80 + 3 * k, 60 + 2 * k] for k in range(12)]
    sizes = {"width": 640, "height": 480}
    images = [{"id": ids[k], "file_name": f"{k + 1}.jpg", **sizes} for k in range(12)]
    annotations = [
        {"id": k + 1, "image_id": ids[k], "category_id": 1, "bbox": boxes[k]} for k in range(12)
    ]
    source = toys.coco(tmp_path, images=images, annotations=annotations, pictures=False)
    results = [
        {
            "image_id": k + 1,
            "category_id": 1,
            "bbox": boxes[k] if k < 8 else [560, 400, 70, 70],
            "score": 0.9 - 0.01 * k,
        }
        for k in range(12)
    ]
    version = add(tmp_path, source)[0].version_or_draft("m")
    predictions = toys.results(tmp_path, results)
    if option is None:
        with pytest.raises(
            PellucidError, match="--image-ids id or --image-ids path-without-ending"
        ):
            version.add_predictions(predictions)
    else:
        version.add_predictions(predictions, image_ids=option)


def test_flags_of_a_split_are_its_column(tmp_path):
    rows = ["image,label,train", "a.jpg,cat,1", "b.jpg,dog,0", "c.jpg,cat,1"]
    view, _ = add(tmp_path, toys.write(tmp_path / "a.csv", "\n".join(rows)))
    assert view.annotation_tables[0].split.tolist() == [0, 1, 0]
    rows = ["image,label,train,test", "a.jpg,cat,1,0", "b.jpg,dog,0,1"]
    message = refusal(tmp_path, toys.write(tmp_path / "b.csv", "\n".join(rows)))
    assert "columns 'train', 'test'" in message
    assert "Write one column `split`" in message


@pytest.mark.parametrize("words", [("present", "absent"), ("y", "n"), ("Yes", "No")])
def test_words_for_yes_and_no(words, tmp_path):
    yes, no = words
    rows = ["image,cat,dog", f"a.jpg,{yes},{no}", f"b.jpg,{no},{yes}", f"c.jpg,{yes},{yes}"]
    view, _ = add(tmp_path, toys.write(tmp_path / "a.csv", "\n".join(rows)))
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]


@pytest.mark.parametrize("is_name", [False, True])
def test_a_number_behind_a_name_in_a_list(is_name, tmp_path):
    source = toys.write(tmp_path / "a.txt", "a.jpg cat 0\nb.jpg dog 1\nc.jpg cat 0\n")
    if is_name:
        view, _ = add(tmp_path, source, separator="none")
        assert [concept.name for concept in view.manifest.concepts] == ["cat 0", "dog 1"]
    else:
        assert "Specify --separator none if it is a name" in refusal(tmp_path, source)


def test_names_joined_by_an_ampersand(tmp_path):
    cells = ["cat", "dog", "cat & dog", "dog & bird", "bird"]
    rows = ["image,label", *(f"{number}.jpg,{cell}" for number, cell in enumerate(cells))]
    assert "--separator '&'" in refusal(tmp_path, toys.write(tmp_path / "a.csv", "\n".join(rows)))


@pytest.mark.parametrize(
    "folders",
    [("images",), ("images", "masks"), ("JPEGImages", "SegmentationClass"), ("img", "labels", "x")],
)
def test_folders_named_after_what_they_hold_are_no_concepts(folders, tmp_path):
    for folder in folders:
        toys.picture(tmp_path / "set" / folder / "1.png")
    assert "its name says what it holds" in refusal(tmp_path, tmp_path / "set")


@pytest.mark.parametrize("folders", [("cat", "thumbnails"), ("masks", "no_masks")])
def test_folders_named_so_beside_concepts_are_told(folders, tmp_path):
    for folder in folders:
        toys.picture(tmp_path / "set" / folder / "1.png")
    view, notes = add(tmp_path, tmp_path / "set")
    assert len(view.manifest.concepts) == 2
    assert kinds(notes)["role_folders"] == 1


def predicted(folder, annotations, predictions, kind=None):
    """The version of these predictions, and the kinds of notes."""
    view, _ = add(folder, toys.write(folder / "a.csv", annotations), kind=kind)
    version = view.version_or_draft("m")
    source = toys.write(folder / "p.json", json.dumps(predictions))
    return version, kinds(version.add_predictions(source))


@pytest.mark.parametrize("column", ["present", "answer", "is_present", "decision"])
def test_the_confidence_of_an_answer_is_no_score(column, tmp_path):
    """A model that says with 0.95 that there is no dog has not found one."""
    rows = [
        {"image": "a.jpg", "concept": concept, column: answer, "confidence": 0.95}
        for concept, answer in (("cat", True), ("dog", False))
    ]
    with pytest.raises(PellucidError, match=f"column {column}: it says yes or no"):
        predicted(tmp_path, "image,concept\na.jpg,cat\nb.jpg,dog\n", rows, kind="tagging")


BOXES = "image,label,x,y,width,height\na.jpg,cat,10,20,110,100\nb.jpg,dog,30,40,90,80\n"
ONE = {"label": "cat", "score": 0.9, "bbox": [10, 20, 110, 100]}


@pytest.mark.parametrize(
    "document",
    [
        [{"image": "a.jpg", "detections": [ONE]}, {"image": "b.jpg", "error": "timeout"}],
        {"a.jpg": [ONE], "b.jpg": None},
    ],
)
def test_an_image_on_which_the_model_failed_was_not_run(document, tmp_path):
    version, noted = predicted(tmp_path, BOXES, document)
    assert noted["failed_images"] == 1
    assert (version.results().evaluation.coverage != 0).tolist() == [True, False]
    assert version.metrics("validation").overall.errors == 0


@pytest.mark.parametrize("column", ["model", "epoch", "checkpoint", "conf_threshold"])
def test_predictions_of_several_models_are_no_version(column, tmp_path):
    rows = [{"image": "a.jpg", column: name, **ONE} for name in ("1", "2")]
    with pytest.raises(PellucidError, match=f"column {column}: .*Write one file for each"):
        predicted(tmp_path, BOXES, rows)
    rows = [{"image": name, "fold": name, **ONE} for name in ("a.jpg", "b.jpg")]
    predicted(tmp_path / "folds", BOXES, rows)  # each image of another fold is one version


def test_the_threshold_of_a_concept_is_no_model(tmp_path):
    rows = [
        {"image": image, "threshold": threshold, **ONE, "label": label}
        for image in ("a.jpg", "b.jpg")
        for label, threshold in (("cat", 0.4), ("dog", 0.6))
    ]
    predicted(tmp_path, BOXES, rows)


def test_what_describes_an_object_is_no_model(tmp_path):
    rows = [
        {"image": image, "model": model, **ONE}
        for image, model in (("a.jpg", "golf"), ("a.jpg", "polo"), ("b.jpg", "up"))
    ]
    predicted(tmp_path, BOXES, rows)


def test_an_answer_that_follows_from_the_score_is_no_other(tmp_path):
    rows = [
        {"image": image, "concept": concept, "found": score >= 0.5, "score": score}
        for image, concept, score in (("a.jpg", "cat", 0.8), ("a.jpg", "dog", 0.2))
    ]
    predicted(tmp_path, "image,concept\na.jpg,cat\nb.jpg,dog\n", rows, kind="tagging")


def test_a_concept_may_be_called_failure(tmp_path):
    """Only a text says why there is no result."""
    images = [f"{number}.jpg" for number in range(6)]
    flags = [{"image": image, "failure": n % 2, "ok": 1 - n % 2} for n, image in enumerate(images)]
    view, _ = add(tmp_path, toys.write(tmp_path / "a.json", json.dumps(flags)))
    assert [concept.name for concept in view.manifest.concepts] == ["failure", "ok"]
    scores = {image: {"failure": 0.1 + 0.8 * (n % 2)} for n, image in enumerate(images)}
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(scores)))
    assert (version.results().evaluation.coverage != 0).all()
    assert [item.score for item in version.gallery("all", "failure")[:3]] == [0.9] * 3


def test_an_image_that_failed_once_has_its_later_result(tmp_path):
    rows = [{"image": "a.jpg", "error": "timeout"}, {"image": "a.jpg", **ONE}]
    version, noted = predicted(tmp_path, BOXES, rows)
    assert "failed_images" not in noted
    assert version.results().evaluation.coverage[0] != 0


@pytest.mark.parametrize("columns", ["car,bus,train", "test,train,bus"])
def test_flags_of_concepts_are_no_split(columns, tmp_path):
    rows = [f"{n}.jpg,cat,{n % 2},{(n + 1) % 2},{n % 3 == 0:d}" for n in range(9)]
    source = toys.write(tmp_path / "a.csv", "\n".join([f"image,label,{columns}", *rows]))
    view, _ = add(tmp_path, source)
    assert set(view.annotation_tables[0].split.tolist()) == {1}


def test_captions_and_masks_are_no_concepts(tmp_path):
    for document in (
        {f"{n}.jpg": f"a photo of number {n}" for n in range(5)},
        {f"{n}.jpg": f"masks/{n}.png" for n in range(5)},
    ):
        refusal(tmp_path, toys.write(tmp_path / "a.json", json.dumps(document)))


def test_numbers_in_the_names_of_images(tmp_path):
    """Not the place of an image in the order of its name: img_10 stands before img_2."""
    labels = {number: "cat" if number % 3 else "dog" for number in range(1, 31)}
    rows = "".join(f"img_{number}.jpg,{label}\n" for number, label in labels.items())
    scores = [
        {"image": number, "cat": 0.9 * (label == "cat"), "dog": 0.9 * (label == "dog")}
        for number, label in labels.items()
    ]
    version, _ = predicted(tmp_path, f"image,label\n{rows}", scores)
    assert version.metrics("validation").overall.accuracy == 1


def test_readings_that_resolve_nothing_are_not_offered(tmp_path):
    names = [f"{letter}.jpg" for letter in "abcdefgh"]
    rows = "".join(f"{name},{'cat' if n % 2 else 'dog'}\n" for n, name in enumerate(names))
    scores = [{"image": number, "cat": 0.3, "dog": 0.7} for number in range(1, 9)]
    with pytest.raises(PellucidError) as caught:
        predicted(tmp_path, f"image,label\n{rows}", scores)
    assert "Specify --image-ids positions-from-1." in str(caught.value)
    assert "resolves 0" not in str(caught.value)


def test_a_prediction_without_its_image_is_refused(tmp_path):
    """A spreadsheet with merged cells has the image in the first row of each group alone."""
    rows = [{"image": "a.jpg", **ONE}, {"image": "", **ONE}]
    with pytest.raises(PellucidError, match="missing image in 'image'"):
        predicted(tmp_path, BOXES, rows)
