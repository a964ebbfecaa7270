"""Cells and columns of tables that used to be misread: separators, counts, flags of splits, columns
that contradict each other, shapes that are no boxes."""

import json

import pytest

import pellucid
import toys
from formats import truth
from pellucid import PellucidError
from pellucid.formats.annotation_sources import parse_annotations


def table(tmp_path, header, rows, name="a.csv"):
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    return toys.write(tmp_path / name, "\n".join(lines))


def tags(found):
    """The concepts of each image."""
    annotations = found.annotations
    pairs = zip(annotations.image.tolist(), annotations.concept.tolist(), strict=True)
    by_image = {}
    for image, concept in pairs:
        by_image.setdefault(found.images.path[image], set()).add(found.concepts[concept])
    return by_image


@pytest.mark.parametrize("separator", ["/", "+", ";", "|", "\n"])
def test_separators_of_tags(tmp_path, separator):
    cells = [["cat", "dog"], ["dog"], ["cat", "bird"], ["bird"], ["cat"], ["dog", "bird"]]
    rows = [(f"{n}.jpg", f'"{separator.join(names)}"') for n, names in enumerate(cells)]
    found = parse_annotations(table(tmp_path, "image,tags", rows))
    assert tags(found) == {f"{n}.jpg": set(names) for n, names in enumerate(cells)}


def test_mappings_in_cells_are_refused(tmp_path):
    cell = json.dumps({"cat": 1, "dog": 0}).replace('"', '""')
    source = table(tmp_path, "image,tags", [(f"{n}.jpg", f'"{cell}"') for n in range(4)])
    with pytest.raises(PellucidError, match="gives each concept a value"):
        parse_annotations(source)


def test_counts_beside_flags_are_asked_for(tmp_path):
    rows = [(f"{n}.jpg", n % 2, (n + 1) % 2, n % 4) for n in range(8)]
    source = table(tmp_path, "image,cat,dog,bird", rows)
    with pytest.raises(PellucidError, match="column bird could be a concept, but has '2'"):
        parse_annotations(source)


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        ("split", ("train", "val"), ("training", "validation")),
        ("phase", ("train", "test"), ("training", "test")),
        ("is_valid", ("False", "True"), ("training", "validation")),
        ("is_train", (1, 0), ("training", "validation")),
    ],
)
def test_splits_under_other_names(tmp_path, column, values, wanted):
    rows = [(f"{n}.jpg", "cat" if n % 3 else "dog", values[n % 2]) for n in range(8)]
    source = table(tmp_path, f"image,label,{column}", rows)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert view.images_by_split == dict.fromkeys(wanted, 4)


def test_a_number_that_contradicts_the_name_is_asked_for(tmp_path):
    rows = [
        (image, concept, score, (truth.CONCEPTS.index(concept) + (place % 6 == 0)) % 3, *box)
        for place, (image, concept, score, box) in enumerate(truth.predictions())
    ]
    source = table(tmp_path, "image,label,score,code,x,y,width,height", rows, "p.csv")
    with pytest.raises(PellucidError, match="concept=label or concept=code"):
        truth.view(tmp_path).start("m").add_predictions(source)


def test_a_number_of_the_same_concept_is_no_rival(tmp_path):
    rows = [
        (image, concept, score, truth.CONCEPTS.index(concept), *box)
        for image, concept, score, box in truth.predictions()
    ]
    source = table(tmp_path, "image,label,score,code,x,y,width,height", rows, "p.csv")
    found, _ = truth.read_predictions(tmp_path, source)
    assert found == truth.predictions()


SHAPES = {
    "polygon": "[1, 2, 30, 2, 30, 40, 1, 40]",
    "obb": "[15, 20, 30, 40, 0.5]",
    "geometry": "POLYGON ((1 2, 30 2, 30 40, 1 40, 1 2))",
    "bbox": '{""x"": 1, ""y"": 2, ""wide"": 30, ""high"": 40}',
}


@pytest.mark.parametrize("column", SHAPES)
def test_shapes_that_are_not_read_stop_the_import(tmp_path, column):
    rows = [(f"{n}.jpg", "cat", f'"{SHAPES[column]}"') for n in range(4)]
    message = rf"columns '{column}' look like boxes|column {column}: outlines as lists of points"
    with pytest.raises(PellucidError, match=message):
        parse_annotations(table(tmp_path, f"image,label,{column}", rows))


def test_an_angle_beside_a_box_stops_the_import(tmp_path):
    rows = [(f"{n}.jpg", "cat", 1, 2, 30, 40, 0.1 * n) for n in range(4)]
    with pytest.raises(
        PellucidError, match="column orientation: rotated boxes, which are not read"
    ):
        parse_annotations(table(tmp_path, "image,label,x,y,w,h,orientation", rows))


def test_sizes_are_read_before_boxes_are_compared(tmp_path):
    """Annotations without sizes, predictions in fractions: the pictures tell."""
    images = [{"id": n, "file_name": name} for n, name in enumerate(truth.IMAGES, 1)]
    annotations = [
        {"id": n, "image_id": truth.IMAGES.index(image) + 1, "category_id": 1, "bbox": box}
        for n, (image, _, box) in enumerate(truth.boxes())
    ]
    for name in truth.IMAGES:
        toys.picture(tmp_path / "images" / name, truth.WIDTH, truth.HEIGHT)
    source = toys.coco(tmp_path, "a.json", images, annotations, pictures=False)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    rows = [
        (image, "dent", score, (x + w / 2) / 200, (y + h / 2) / 150, w / 200, h / 150)
        for image, _, score, (x, y, w, h) in truth.predictions()
    ]
    version = view.start("m")
    source = table(tmp_path, "image,label,score,cx,cy,w,h", rows, "p.csv")
    version.add_predictions(source)
    found = [(image, score, box) for image, _, score, box in truth.version_rows(version)]
    assert found == [(image, score, box) for image, _, score, box in truth.predictions()]


@pytest.mark.parametrize(
    "first_line", ["\n", "1.0 0.5 0.5 0.2 0.2\n", "0 .1 .1 .4 .1 .4 .3 .1 .3\n"]
)
def test_darknet_labels_of_any_first_line(tmp_path, first_line):
    for name in "ab":
        toys.picture(tmp_path / "d" / f"{name}.jpg", 100, 80)
        toys.write(tmp_path / "d" / f"{name}.txt", first_line + "0 0.5 0.5 0.4 0.4\n")
    toys.picture(tmp_path / "d" / "c.jpg", 100, 80)
    toys.write(tmp_path / "d" / "classes.txt", "cat\ndog\n")
    found = parse_annotations(tmp_path / "d")
    assert sorted(found.images.path.tolist()) == ["a.jpg", "b.jpg", "c.jpg"]
    assert len(found.annotations) == 2 * (1 + bool(first_line.strip()))


def test_a_line_that_is_no_label_is_an_error(tmp_path):
    toys.picture(tmp_path / "d" / "a.jpg", 100, 80)
    toys.picture(tmp_path / "d" / "b.jpg", 100, 80)
    toys.write(tmp_path / "d" / "a.txt", "0 0.5 0.5 0.4 0.4\n")
    toys.write(tmp_path / "d" / "b.txt", "0 0.5 0.5 0.4 0.4 0.9\n")
    toys.write(tmp_path / "d" / "classes.txt", "cat\ndog\n")
    with pytest.raises(PellucidError, match=r"b\.txt"):
        parse_annotations(tmp_path / "d")


def strings(tmp_path, entry):
    """Kaggle's PredictionString. entry: the words of (concept, score, box)."""
    rows = []
    for image in truth.IMAGES:
        cells = [entry(*row[1:]) for row in truth.predictions() if row[0] == image]
        rows.append((image.removesuffix(".jpg"), " ".join(str(w) for cell in cells for w in cell)))
    return table(tmp_path, "image_id,PredictionString", rows, "p.csv")


def test_kaggle_strings_with_concepts(tmp_path):
    source = strings(
        tmp_path, lambda name, score, b: (name, score, b[0], b[1], b[0] + b[2], b[1] + b[3])
    )
    found, _ = truth.read_predictions(tmp_path, source)
    assert found == truth.predictions()


def test_kaggle_strings_of_one_concept(tmp_path):
    source = strings(tmp_path, lambda _, score, box: (score, *box))
    with pytest.raises(PellucidError, match="values in PredictionString"):
        truth.view(tmp_path).start("m").add_predictions(source)
    images = [
        {"id": n, "file_name": name, "width": truth.WIDTH, "height": truth.HEIGHT}
        for n, name in enumerate(truth.IMAGES)
    ]
    annotations = [
        {"id": n, "image_id": truth.IMAGES.index(image), "category_id": 1, "bbox": box}
        for n, (image, _, box) in enumerate(truth.boxes())
    ]
    categories = [{"id": 1, "name": "wheat"}]
    truth_file = toys.coco(tmp_path, "b.json", images, annotations, categories, pictures=False)
    view, _ = pellucid.open(tmp_path / "w2").add("v", truth_file)
    version = view.start("m")
    version.add_predictions(source)
    wanted = [(image, "wheat", score, box) for image, _, score, box in truth.predictions()]
    assert truth.version_rows(version) == wanted


def test_probabilities_win_over_decisions(tmp_path):
    rows = [(f"{n}.jpg", "cat" if n % 2 else "dog") for n in range(6)]
    view, _ = pellucid.open(tmp_path / "w").add("v", table(tmp_path, "image,label", rows))
    scores = [(f"{n}.jpg", n % 2, 1 - n % 2, 0.25 + n / 20, 0.75 - n / 20) for n in range(6)]
    header = "image,pred_cat,pred_dog,prob_cat,prob_dog"
    version = view.start("m")
    version.add_predictions(table(tmp_path, header, scores, "p.csv"))
    items = version.gallery("all", "cat")[:9]
    assert {item.image: round(item.score, 3) for item in items} == {
        f"{n}.jpg": round(0.25 + n / 20, 3) for n in range(6)
    }


def test_columns_of_numbers_are_asked_for(tmp_path):
    rows = [(f"{n}.jpg", n % 3 + 1) for n in range(6)]
    view, _ = pellucid.open(tmp_path / "w").add("v", table(tmp_path, "image,label", rows))
    scores = [(f"{n}.jpg", 0.2, 0.3, 0.5) for n in range(6)]
    source = table(tmp_path, "image,0,1,2", scores, "p.csv")
    with pytest.raises(PellucidError, match="--category-ids positions-from-0"):
        view.start("m").add_predictions(source)
    version = view.start("n")
    version.add_predictions(source, category_ids="positions-from-0")
    assert round(version.gallery("all", "3")[0].score, 3) == 0.5


def test_several_flags_of_splits_are_asked_for(tmp_path):
    rows = [(f"{n}.jpg", "cat", n % 3 == 0, n % 3 == 1, n % 3 == 2) for n in range(6)]
    with pytest.raises(PellucidError, match="split=is_train or split=is_valid"):
        parse_annotations(table(tmp_path, "image,label,is_train,is_valid,is_test", rows))


@pytest.mark.parametrize("beyond", [1.004, 1.0])
def test_boxes_may_reach_a_little_beyond_their_image(tmp_path, beyond):
    rows = [(f"{n}.jpg", 200, 100, "cat", 10, 20, 150, 90 + n) for n in range(12)]
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    found = parse_annotations(table(tmp_path, header, rows))
    assert found.images.width.tolist() == [200] * 12
    assert found.annotations.box[11].tolist() == [10, 20, 140, 81]
    corners = [(f"{n}.jpg", "cat", f'"[0.1, 0.2, {beyond}, 0.9]"', 200, 100) for n in range(25)]
    source = table(tmp_path, "image,label,bbox,width,height", corners, "b.csv")
    view, _ = pellucid.open(tmp_path / "w").add("v", source, boxes="xyxy-fractions")
    assert view.annotation_tables[1].box[0].tolist() == pytest.approx([20, 20, 180, 70], abs=1)
