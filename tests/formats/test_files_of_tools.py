"""Files of annotation tools and data sets in which something is unusual: read as it is meant, or
said to be left out."""

import csv
import io
import json

import pytest

import pellucid
import toys
from formats import truth
from pellucid import PellucidError
from pellucid.formats.errors import BoxesOutsideImagesError

CONCEPTS = {"zebra": "traffic sign", "apple": "traffic light", "mango": "car"}


def add(folder, source, **options):
    return pellucid.open(folder / "w").add("v", source, **options)


def by_image():
    rows = {image: [] for image in truth.IMAGES}
    for image, concept, box in truth.boxes():
        rows[image].append((concept, box))
    return rows


def pictures(folder, images=truth.IMAGES):
    for image in images:
        toys.picture(folder / "images" / image, truth.WIDTH, truth.HEIGHT)
    return folder / "images"


def kitti_line(concept, box):
    x, y, width, height = box
    return f"{concept} 0.00 0 -1.57 {x} {y} {x + width} {y + height} 1 1 1 1 1 9 0"


def dota_line(concept, box):
    x, y, width, height = box
    right, low = x + width, y + height
    return f"{x} {y} {right} {y} {right} {low} {x} {low} {concept} 1"


@pytest.mark.parametrize("line", [kitti_line, dota_line])
def test_concepts_of_two_words(tmp_path, line):
    for image, rows in by_image().items():
        lines = [line(CONCEPTS[concept], box) for concept, box in rows]
        toys.write(tmp_path / "labels" / f"{image[:-4]}.txt", "\n".join(lines))
    view, _ = add(tmp_path, tmp_path / "labels", images=pictures(tmp_path))
    wanted = sorted((image, CONCEPTS[concept], box) for image, concept, box in truth.boxes())
    assert truth.annotation_rows(view) == wanted
    assert view.annotation_tables[1].ignore.all() == (line is dota_line)


def corner_table(folder, scale, extra=()):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image", "label", "xmin", "ymin", "xmax", "ymax"])
    for image, concept, (x, y, width, height) in truth.boxes():
        writer.writerow([image, concept, *(scale * n for n in (x, y, x + width, y + height))])
    writer.writerows(extra)
    return toys.write(folder / "t.csv", text.getvalue())


def test_boxes_outside_pictures_of_unknown_size(tmp_path):
    folder = pictures(tmp_path)
    with pytest.raises(BoxesOutsideImagesError):
        add(tmp_path, corner_table(tmp_path, 3), images=folder)
    one = [truth.IMAGES[0], "zebra", 5114, 10, 5130, 30]
    _, notes = add(tmp_path, corner_table(tmp_path, 1, [one]), images=folder)
    assert [note.count for note in notes if note.kind == "outside"] == [1]


def test_coordinates_with_a_unit_stop(tmp_path):
    text = corner_table(tmp_path, 1).read_text().splitlines()
    rows = [text[0], *(line.replace(",", "px,").replace("px,", ",", 2) + "px" for line in text[1:])]
    with pytest.raises(PellucidError, match="look like boxes"):
        add(tmp_path, toys.write(tmp_path / "px.csv", "\n".join(rows)))


def test_boxes_of_several_radiologists_are_warned_about(tmp_path):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["image_id", "class_name", "rad_id", "x_min", "y_min", "x_max", "y_max"])
    for image, concept, (x, y, width, height) in truth.boxes():
        for reader in range(3):
            writer.writerow([image, concept, f"R{reader}", x, y, x + width, y + height])
    _, notes = add(tmp_path, toys.write(tmp_path / "t.csv", text.getvalue()))
    assert any(note.kind == "several_annotators" for note in notes)


def coco(
    folder, change=lambda annotation: None, categories=None, images=truth.IMAGES, name="t.json"
):
    numbers = {image: number for number, image in enumerate(images, 1)}
    rows = [row for row in truth.boxes() if row[0] in numbers]
    annotations = [
        {
            "id": number,
            "image_id": numbers[image],
            "category_id": truth.CONCEPTS.index(concept) + 1,
            "bbox": box,
        }
        for number, (image, concept, box) in enumerate(rows, 1)
    ]
    for annotation in annotations:
        change(annotation)
    document = {
        "images": [
            {"id": number, "file_name": image, "width": truth.WIDTH, "height": truth.HEIGHT}
            for image, number in numbers.items()
        ],
        "annotations": annotations,
        "categories": categories
        or [{"id": number, "name": name} for number, name in enumerate(truth.CONCEPTS, 1)],
    }
    return toys.write(folder / name, json.dumps(document))


def outline(box):
    x, y, width, height = box
    return [x, y, x + width, y, x + width, y + height, x, y + height]


OTHER_OUTLINES = {
    "fractions": lambda box: [side / truth.WIDTH for side in outline(box)],
    "y first": lambda box: [outline(box)[place ^ 1] for place in range(8)],
    "half": lambda box: [side / 2 for side in outline(box)],
}


@pytest.mark.parametrize("form", OTHER_OUTLINES)
def test_outlines_that_are_not_in_their_boxes(tmp_path, form):
    def change(row):
        row["segmentation"] = [OTHER_OUTLINES[form](row["bbox"])]

    _, notes = add(tmp_path, coco(tmp_path, change))
    assert any(note.kind == "shapes_disagree" for note in notes)
    rows = [
        {**row, "segmentation": [OTHER_OUTLINES[form](row["bbox"])]} for row in truth.coco_rows()
    ]
    view, notes = pellucid.open(tmp_path / "right").add(
        "v", coco(tmp_path, lambda row: row.update(segmentation=[outline(row["bbox"])]))
    )
    assert not any(note.kind == "shapes_disagree" for note in notes)
    predictions = toys.write(tmp_path / "p.json", json.dumps(rows))
    notes = view.start("m").add_predictions(predictions)
    assert any(note.kind == "shapes_disagree" for note in notes)


@pytest.mark.parametrize(
    "shape",
    [
        lambda points: points,
        lambda points: [[[x, y] for x, y in zip(points[::2], points[1::2], strict=True)]],
        lambda points: [points[:4]],
    ],
)
def test_segmentations_that_cannot_be_read_are_counted(tmp_path, shape):
    _, notes = add(
        tmp_path, coco(tmp_path, lambda row: row.update(segmentation=shape(outline(row["bbox"]))))
    )
    assert [n.count for n in notes if n.kind == "segmentation"] == [len(truth.boxes())]


def test_keypoints_without_visibility(tmp_path):
    names = [f"k{number}" for number in range(6)]
    categories = [
        {"id": number, "name": name, "keypoints": names}
        for number, name in enumerate(truth.CONCEPTS, 1)
    ]

    def change(row):
        x, y, width, height = row["bbox"]
        row["keypoints"] = [
            side for n in range(6) for side in (x + width * n / 6, y + height * n / 6)
        ]

    view, _ = add(tmp_path, coco(tmp_path, change, categories))
    stated = json.loads(view.annotation_tables[1].outline[0])["keypoints"]
    assert (len(stated), set(stated[2::3])) == (18, {2.0})
    del categories[0]["keypoints"], categories[1]["keypoints"], categories[2]["keypoints"]
    with pytest.raises(PellucidError, match="the visibility of a keypoint is"):
        add(tmp_path / "other", coco(tmp_path, change, categories))


def test_coco_files_that_are_not_read_are_named(tmp_path):
    coco(tmp_path / "ann", images=truth.IMAGES[:6], name="instances_train.json")
    coco(tmp_path / "ann", images=truth.IMAGES[6:], name="val.json")
    coco(tmp_path / "ann", name="person_keypoints_train.json")
    _, notes = add(tmp_path, tmp_path / "ann")
    (note,) = (note for note in notes if note.kind == "files_not_read")
    assert note.message.endswith(": 'val.json'")


def test_files_of_another_format_in_the_folder_are_named(tmp_path):
    coco(tmp_path / "ann", images=truth.IMAGES[6:])
    for image in truth.IMAGES[:6]:
        shape = {"label": "zebra", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}
        document = {"imagePath": image, "imageData": None, "shapes": [shape], "version": "5"}
        toys.write(tmp_path / "ann" / f"{image[:-4]}.json", json.dumps(document))
    _, notes = add(tmp_path, tmp_path / "ann")
    (note,) = (note for note in notes if note.kind == "other_format")
    assert "--format labelme" in note.message


def test_scores_of_regions_of_label_studio(tmp_path):
    def task(number, image, own):
        found = [row for row in truth.predictions() if row[0] == image]
        result = []
        for _, concept, score, (x, y, width, height) in found:
            value = {
                "x": 100 * x / truth.WIDTH,
                "y": 100 * y / truth.HEIGHT,
                "width": 100 * width / truth.WIDTH,
                "height": 100 * height / truth.HEIGHT,
                "rectanglelabels": [concept],
            }
            value |= {"score": score} if own else {}
            sizes = {"original_width": truth.WIDTH, "original_height": truth.HEIGHT}
            result.append({"type": "rectanglelabels", "value": value, **sizes})
        prediction = {"model_version": "m", "score": 0.5, "result": result}
        return {"id": number, "data": {"image": image}, "predictions": [prediction]}

    tasks = [task(number, image, own=True) for number, image in enumerate(truth.IMAGES)]
    source = toys.write(tmp_path / "p.json", json.dumps(tasks))
    found, notes = truth.read_predictions(tmp_path, source)
    assert [row[2] for row in found] == [row[2] for row in truth.predictions()]
    assert not any(note.kind == "shared_score" for note in notes)
    tasks[0] = task(0, truth.IMAGES[0], own=False)
    source = toys.write(tmp_path / "q.json", json.dumps(tasks))
    _, notes = truth.read_predictions(tmp_path / "other", source)
    assert [note.count for note in notes if note.kind == "shared_score"] == [3]


def test_a_split_of_yolo_that_is_not_there(tmp_path):
    for image, rows in by_image().items():
        toys.picture(tmp_path / "images/train" / image, truth.WIDTH, truth.HEIGHT)
        lines = [
            f"{truth.CONCEPTS.index(concept)} {(x + width / 2) / truth.WIDTH} "
            f"{(y + height / 2) / truth.HEIGHT} {width / truth.WIDTH} {height / truth.HEIGHT}"
            for concept, (x, y, width, height) in rows
        ]
        toys.write(tmp_path / "labels/train" / f"{image[:-4]}.txt", "\n".join(lines))
    settings = "train: images/train\ntest: ../test/images\nnames: [zebra, apple, mango]\n"
    view, notes = add(tmp_path, toys.write(tmp_path / "data.yaml", settings))
    assert truth.annotation_rows(view) == sorted(truth.boxes())
    (note,) = (note for note in notes if note.kind == "missing_split")
    assert note.message.startswith("'../test/images' of data.yaml not there")
    nothing = toys.write(tmp_path / "n.yaml", "test: ../test/images\nnames: [zebra]\n")
    with pytest.raises(PellucidError, match="no such file"):
        add(tmp_path / "other", nothing)


def test_a_folder_of_results(tmp_path):
    toys.write(tmp_path / "out/coco_instances_results.json", json.dumps(truth.coco_rows()))
    found, _ = truth.read_predictions(tmp_path, tmp_path / "out")
    assert found == truth.predictions()


def test_regions_of_via_that_are_no_list(tmp_path):
    document = {"a.jpg1": {"filename": "a.jpg", "size": 1, "regions": True, "file_attributes": {}}}
    with pytest.raises(PellucidError, match="regions"):
        add(tmp_path, toys.write(tmp_path / "via.json", json.dumps(document)))


def test_what_coco_files_repeat_and_leave_empty(tmp_path):
    document = json.loads(coco(tmp_path).read_text())
    document["images"].append(document["images"][0])
    document["categories"].append(document["categories"][0])
    for image in document["images"]:
        image["width"] = image["height"] = None
    for row in document["annotations"]:
        row.update(iscrowd=None, segmentation=[outline(row["bbox"])], bbox=[0, 0, 0, 0])
    view, notes = add(tmp_path, toys.write(tmp_path / "odd.json", json.dumps(document)))
    assert truth.annotation_rows(view) == sorted(truth.boxes())
    assert next(note for note in notes if note.kind == "repeated").count == 2
    document["images"][-1] = {**document["images"][0], "file_name": "other.jpg"}
    with pytest.raises(PellucidError, match="1 duplicate image ids"):
        add(tmp_path / "x", toys.write(tmp_path / "x.json", json.dumps(document)))


def test_not_a_number_in_json_is_named(tmp_path):
    text = coco(tmp_path).read_text().replace('"bbox"', '"area": NaN, "bbox"', 1)
    with pytest.raises(PellucidError, match="holds NaN or Infinity"):
        add(tmp_path, toys.write(tmp_path / "nan.json", text))


def by_predicted_image():
    rows = {image: [] for image in truth.IMAGES}
    for image, concept, score, box in truth.predictions():
        rows[image].append((concept, score, box))
    return rows


def test_results_of_kitti(tmp_path):
    for image, rows in by_predicted_image().items():
        lines = [f"{kitti_line(concept, box)} {score}" for concept, score, box in rows]
        lines.append(f"{kitti_line('DontCare', [0, 0, 9, 9])} 0.9")
        toys.write(tmp_path / "out" / f"{image[:-4]}.txt", "\n".join(lines))
    found, _ = truth.read_predictions(tmp_path, tmp_path / "out")
    assert found == truth.predictions()
    toys.write(tmp_path / "out/img_001.txt", kitti_line("zebra", [1, 2, 3, 4]))
    with pytest.raises(PellucidError, match="fifteen columns of KITTI and a score"):
        truth.read_predictions(tmp_path / "other", tmp_path / "out")


def test_labelme_files_with_scores(tmp_path):
    for image, rows in by_predicted_image().items():
        shapes = [
            {
                "label": concept,
                "score": score,
                "points": [[x, y], [x + width, y + height]],
                "shape_type": "rectangle",
            }
            for concept, score, (x, y, width, height) in rows
        ]
        document = {
            "version": "2",
            "imagePath": f"..\\{image}",
            "imageData": None,
            "shapes": shapes,
        }
        toys.write(tmp_path / "out" / f"{image[:-4]}.json", json.dumps(document))
    found, _ = truth.read_predictions(tmp_path, tmp_path / "out")
    assert found == truth.predictions()
    del shapes[0]["score"]
    toys.write(tmp_path / "out" / f"{image[:-4]}.json", json.dumps(document))
    with pytest.raises(PellucidError, match=r"\$\.shapes\[0\]: no score"):
        truth.read_predictions(tmp_path / "other", tmp_path / "out")


@pytest.mark.parametrize("text", ["{}", "[{}]"])
def test_json_without_content(tmp_path, text):
    with pytest.raises(PellucidError, match=r"p\.json: \$: no predictions found"):
        truth.read_predictions(tmp_path, toys.write(tmp_path / "p.json", text))


@pytest.mark.parametrize("ending", ["", ".png", ".JPG"])
def test_names_with_another_ending_than_the_pictures(tmp_path, ending):
    document = json.loads(coco(tmp_path).read_text())
    for image in document["images"]:
        image["file_name"] = image["file_name"].removesuffix(".jpg") + ending
    source = toys.write(tmp_path / "t.json", json.dumps(document))
    view, notes = add(tmp_path, source, images=pictures(tmp_path))
    assert truth.annotation_rows(view) == sorted(truth.boxes())
    note = next(note for note in notes if note.kind == "names_on_disk")
    assert note.count == len(truth.IMAGES)


def test_pictures_of_another_size_than_stated(tmp_path):
    for image in truth.IMAGES:
        toys.picture(tmp_path / "images" / image, truth.WIDTH // 2, truth.HEIGHT // 2)
    _, notes = add(tmp_path, coco(tmp_path), images=tmp_path / "images")
    (note,) = (note for note in notes if note.kind == "size_differs")
    assert (note.count, note.severity) == (len(truth.IMAGES), "warning")


def test_boxes_that_are_all_empty(tmp_path):
    view, notes = add(tmp_path, coco(tmp_path, lambda row: row.update(bbox=[0, 0, 0, 0])))
    assert len(view.annotation_tables[1]) == len(truth.boxes())
    assert any(note.kind == "zero_size" for note in notes)
