"""Box files as people have them: read as meant, or refused with a way on."""

import json

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.core.errors import PellucidError

SIZE = (640, 480)
CONCEPTS = {1: "cat", 2: "dog"}
CHANCE = np.random.default_rng(3)
BOXES = [
    (
        image,
        int(CHANCE.integers(1, 3)),
        [float(CHANCE.uniform(*span)) for span in ((0, 500), (0, 340), (40, 120), (40, 120))],
    )
    for image in range(1, 21)
    for _ in range(2)
]
"""Image, concept and box [left, top, width, height]."""


def coco(tmp_path, names=None, size=SIZE):
    names = names or [f"{number}.jpg" for number in range(1, 21)]
    document = {
        "images": [
            {"id": number, "file_name": name, "width": size[0], "height": size[1]}
            for number, name in enumerate(names, 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in CONCEPTS.items()],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": concept,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for number, (image, concept, box) in enumerate(BOXES, 1)
        ],
    }
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(document))
    return path


def table(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def corners(box, scale=(1, 1)):
    left, top, width, height = box
    (across, down) = scale
    return left * across, top * down, (left + width) * across, (top + height) * down


def add(tmp_path, source, **options):
    workspace = pellucid.open(tmp_path / f"w{len(list(tmp_path.glob('w*')))}")
    view, notes = workspace.add("v", source, **options)
    return view, {note.kind: note.message for note in notes}


def matched(tmp_path, annotations, source, **options):
    """How many of the forty boxes are matched."""
    view, _ = add(tmp_path, annotations)
    version = view.start("m")
    version.add_predictions(source, **options)
    return sum(concept.tp for concept in version.metrics("validation").concepts)


UNITS = {
    "pixels": (1, 1),
    "fractions": (1 / 640, 1 / 480),
    "percent": (100 / 640, 100 / 480),
    "320-stretched": (320 / 640, 320 / 480),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("shape", ["xyxy", "cxcywh"])
def test_the_unit_of_named_corners_and_centers_can_be_stated(tmp_path, unit, shape):
    """--boxes says the unit; the columns have said the shape, which must be the same."""
    across, down = UNITS[unit]
    numbers = {
        "xyxy": lambda box: corners(box, UNITS[unit]),
        "cxcywh": lambda box: (
            (box[0] + box[2] / 2) * across,
            (box[1] + box[3] / 2) * down,
            box[2] * across,
            box[3] * down,
        ),
    }[shape]
    header = {"xyxy": "xmin,ymin,xmax,ymax", "cxcywh": "cx,cy,w,h"}[shape]
    rows = [
        (f"{image}.jpg", CONCEPTS[concept], 0.9, *numbers(box)) for image, concept, box in BOXES
    ]
    source = table(tmp_path / "p.csv", f"image,label,score,{header}", rows)
    truth = coco(tmp_path)
    assert matched(tmp_path, truth, source) == 40
    assert matched(tmp_path, truth, source, boxes=f"{shape}-{unit}") == 40
    with pytest.raises(PellucidError, match=f"Specify --boxes {shape}-{unit}"):
        matched(tmp_path, truth, source, boxes=f"xywh-{unit}")


@pytest.mark.parametrize("missing", ["", "NA", "null"])
def test_a_box_without_a_concept_is_refused(tmp_path, missing):
    rows = [("a.jpg", "cat", 10, 20, 60, 90), ("b.jpg", missing, 10, 20, 60, 90)]
    source = table(tmp_path / "a.csv", "image,label,xmin,ymin,xmax,ymax", rows)
    with pytest.raises(PellucidError, match="line 3: a box, but "):
        add(tmp_path, source)
    rows[1] = ("b.jpg", missing, "", "", "", "")
    view, _ = add(tmp_path, table(tmp_path / "a.csv", "image,label,xmin,ymin,xmax,ymax", rows))
    assert [len(each) for each in view.annotation_tables[:2]] == [2, 1]


def test_a_predicted_box_without_concept_and_score_is_refused(tmp_path):
    rows = [("1.jpg", "cat", 0.9, 10, 20, 60, 90), ("2.jpg", "", "", 10, 20, 60, 90)]
    source = table(tmp_path / "p.csv", "image,label,score,xmin,ymin,xmax,ymax", rows)
    with pytest.raises(PellucidError, match="line 3: a box but no concept"):
        matched(tmp_path, coco(tmp_path), source)


@pytest.mark.parametrize(
    "names",
    [
        [f"{number}.jpg" for number in range(1, 21)],
        [f"{n * 2654435761 % 2**32:08x}.jpg" for n in range(1, 21)],
        [f"IMG_{number}.jpg" for number in range(30, 10, -1)],
    ],
)
def test_images_are_counted_as_their_ids_ascend(tmp_path, names):
    """As pycocotools and torchvision's data loaders do, not by file name."""
    truth = coco(tmp_path, names)
    results = [
        {"image_id": image - 1, "category_id": concept, "bbox": box, "score": 0.9}
        for image, concept, box in BOXES
    ]
    source = tmp_path / "r.json"
    source.write_text(json.dumps(results))
    assert matched(tmp_path, truth, source) == 40
    assert matched(tmp_path, truth, source, image_ids="positions-from-0") == 40


def test_in_square_images_equal_readings_are_one(tmp_path):
    noise = np.random.default_rng(4)
    results = [
        {
            "image_id": image,
            "category_id": concept,
            "bbox": list(corners([box[0] + noise.normal(0, 9), box[1], *box[2:]])),
            "score": 0.9,
        }
        for image, concept, box in BOXES
    ]
    elsewhere = {"image_id": 1, "category_id": 1, "bbox": [500, 400, 630, 470], "score": 0.95}
    source = tmp_path / "r.json"
    source.write_text(json.dumps([*results, *[elsewhere] * 6]))
    assert matched(tmp_path, coco(tmp_path, size=(640, 640)), source) >= 30
    halved = [{**each, "bbox": [number / 2 for number in each["bbox"]]} for each in results]
    source.write_text(json.dumps(halved))
    assert matched(tmp_path, coco(tmp_path, size=(640, 640)), source) >= 30


def by_image(make):
    return {
        f"{image}.jpg": [make(concept, box) for other, concept, box in BOXES if other == image]
        for image in range(1, 21)
    }


def x1(box):
    return dict(zip(("x1", "y1", "x2", "y2"), corners(box), strict=True))


@pytest.mark.parametrize(
    "make",
    [
        lambda concept, box: {"label": CONCEPTS[concept], "bbox": box},
        lambda concept, box: {"label": CONCEPTS[concept], "bbox": np.array(box)},
        lambda concept, box: {"label": CONCEPTS[concept], "box": box},
        lambda concept, box: {"label": CONCEPTS[concept], "box": x1(box)},
    ],
)
def test_records_by_image_in_memory_keep_their_boxes(tmp_path, make):
    records = by_image(make)
    scored = {
        image: [{**record, "score": 0.9} for record in each] for image, each in records.items()
    }
    assert matched(tmp_path, records, scored) == 40
    listed = [{"image": image, **record} for image, each in scored.items() for record in each]
    assert matched(tmp_path, records, listed) == 40
    nested = [{"image": image, "detections": each} for image, each in scored.items()]
    assert matched(tmp_path, records, nested) == 40


def test_targets_of_torchvision_keep_their_crowds(tmp_path):
    targets = {
        image: {
            "boxes": [corners(box) for _, box in each],
            "labels": [CONCEPTS[concept] for concept, _ in each],
            "iscrowd": [1, 0],
        }
        for image, each in by_image(lambda concept, box: (concept, box)).items()
    }
    view, _ = add(tmp_path, targets)
    assert view.annotation_tables[1].ignore.sum() == 20
    renamed = {
        image: {"bboxes": each["boxes"], "labels": each["labels"]}
        for image, each in targets.items()
    }
    with pytest.raises(PellucidError, match=r"expected boxes \(corners in pixels\)"):
        add(tmp_path, renamed)


def test_parallel_lists_of_annotations(tmp_path):
    records = [
        {
            "image": image,
            "boxes": [corners(box) for _, box in each],
            "labels": [CONCEPTS[concept] for concept, _ in each],
        }
        for image, each in by_image(lambda concept, box: (concept, box)).items()
    ]
    view, _ = add(tmp_path, records, boxes="xyxy-pixels")
    assert len(view.annotation_tables[1]) == 40
    with pytest.raises(PellucidError, match="xywh-pixels or xyxy-pixels"):
        add(tmp_path, records)


def test_a_coco_document_in_a_list_is_refused(tmp_path):
    document = json.loads(coco(tmp_path).read_text())
    source = tmp_path / "list.json"
    source.write_text(json.dumps([document]))
    with pytest.raises(PellucidError, match="Remove the brackets"):
        add(tmp_path, source)


def yolo(root, settings):
    for split in ("train", "valid"):
        for number in range(3):
            name = f"{split}{number}"
            for folder in ("images", "labels"):
                (root / split / folder).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 48), (number, 9, 9)).save(root / split / "images" / f"{name}.png")
            (root / split / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text(f"names: [cat]\n{settings}\n")
    return root


def test_yolo_folders_of_another_machine(tmp_path):
    root = yolo(
        tmp_path / "ds", "train: /content/ds/train/images\nval: C:\\work\\ds\\valid\\images"
    )
    view, _ = add(tmp_path, root)
    assert view.images_by_split == {"training": 3, "validation": 3}


@pytest.mark.parametrize("place", ["classes.txt", "labels/classes.txt"])
@pytest.mark.parametrize("text", ["cat\ndog\n", "0 cat\n1 dog\n"])
def test_names_beside_label_files(tmp_path, place, text):
    for number in range(3):
        for folder in ("images", "labels"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (64, 48)).save(tmp_path / f"images/{number}.png")
        (tmp_path / f"labels/{number}.txt").write_text(f"{number % 2} 0.5 0.5 0.2 0.2\n")
    (tmp_path / place).write_text(text)
    view, _ = add(tmp_path, tmp_path)
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog"]
    assert view.annotation_tables[1].concept.tolist() == [0, 1, 0]


def test_label_files_named_after_whole_file_names(tmp_path):
    truth = coco(tmp_path, [f"images/img_{number}.jpg" for number in range(1, 21)])
    labels = tmp_path / "predicted"
    labels.mkdir()
    for image in range(1, 21):
        lines = [
            f"{concept - 1} {(box[0] + box[2] / 2) / 640} {(box[1] + box[3] / 2) / 480} "
            f"{box[2] / 640} {box[3] / 480} 0.9\n"
            for other, concept, box in BOXES
            if other == image
        ]
        (labels / f"img_{image}.jpg.txt").write_text("".join(lines))
    assert matched(tmp_path, truth, labels) == 40


def test_doubt_about_boxes_names_the_images_too(tmp_path):
    records = [
        {"image": image - 1, "label": CONCEPTS[concept], "score": 0.9, "bbox": box}
        for image, concept, box in BOXES
    ]
    source = tmp_path / "p.json"
    source.write_text(json.dumps(records))
    with pytest.raises(PellucidError, match=r"images are those of the version \(--image-ids\)"):
        matched(tmp_path, coco(tmp_path), source)


def exchanged(box):
    return [box[1], box[0], box[3], box[2]]


def exchanged_coco(tmp_path):
    """Annotations whose numbers have y before x."""
    document = json.loads(coco(tmp_path).read_text())
    for annotation in document["annotations"]:
        annotation["bbox"] = exchanged(annotation["bbox"])
    path = tmp_path / "exchanged.json"
    path.write_text(json.dumps(document))
    return path


def test_annotations_with_y_first_are_asked_for(tmp_path):
    source = exchanged_coco(tmp_path)
    with pytest.raises(PellucidError, match="Specify --boxes yxhw-pixels or --boxes xywh-pixels"):
        add(tmp_path, source)
    view, _ = add(tmp_path, source, boxes="yxhw-pixels")
    assert view.annotation_tables[1].box == pytest.approx(np.array([box for *_, box in BOXES]))
    add(tmp_path, source, boxes="xywh-pixels")


def test_predictions_with_y_first_are_read_by_agreement(tmp_path):
    results = [
        {"image_id": image, "category_id": concept, "bbox": exchanged(box), "score": 0.9}
        for image, concept, box in BOXES
    ]
    source = tmp_path / "p.json"
    source.write_text(json.dumps(results))
    assert matched(tmp_path, coco(tmp_path), source) == 40


@pytest.mark.parametrize("has_image_files", [False, True])
def test_corners_in_columns_called_sizes(tmp_path, has_image_files):
    """Without pictures the import asks; with them, the corners are the boxes that lie inside."""
    rows = [(f"{image}.jpg", CONCEPTS[concept], *corners(box)) for image, concept, box in BOXES]
    source = table(tmp_path / "a.csv", "image,label,x,y,w,h", rows)
    if not has_image_files:
        with pytest.raises(PellucidError, match="--boxes xywh-pixels or --boxes xyxy-pixels"):
            add(tmp_path, source)
        return
    (tmp_path / "img").mkdir()
    for image in range(1, 21):
        Image.new("RGB", SIZE).save(tmp_path / "img" / f"{image}.jpg")
    view, notes = add(tmp_path, source, images=tmp_path / "img")
    assert view.annotation_tables[1].box == pytest.approx(np.array([box for *_, box in BOXES]))
    assert "boxes read as xyxy-pixels" in notes["boxes"]


def test_sizes_larger_than_corners_are_sizes(tmp_path):
    """Objects in the middle that fill most of their image: their sizes exceed their corners."""
    rows = [(f"{n}.jpg", "cat", 100 - n, 80 - n, 440 + 2 * n, 320 + 2 * n) for n in range(30)]
    view, notes = add(tmp_path, table(tmp_path / "a.csv", "image,label,x,y,w,h", rows))
    assert view.annotation_tables[1].box[0].tolist() == [100, 80, 440, 320]
    assert "boxes" not in notes


def scored_rows(numbers, key="bbox"):
    """Records of the boxes, with the numbers that a function makes of each."""
    return [
        {"image": f"{image}.jpg", "label": CONCEPTS[concept], "score": 0.9, key: numbers(box)}
        for image, concept, box in BOXES
    ]


@pytest.mark.parametrize("are_predictions", [False, True])
def test_two_units_in_one_file_are_refused(tmp_path, are_predictions):
    """As if the exports of two programs were put together."""
    rows = []
    for place, (image, concept, box) in enumerate(BOXES):
        across, down = UNITS["fractions" if place % 4 == 0 else "pixels"]
        numbers = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        rows.append((f"{image}.jpg", CONCEPTS[concept], 0.9, *numbers))
    path = tmp_path / "t.csv"
    if are_predictions:
        source = table(path, "image,label,score,x,y,width,height", rows)
        with pytest.raises(PellucidError, match="10 boxes of 40 have no number above 1"):
            matched(tmp_path, coco(tmp_path), source)
    else:
        rows = [(image, label, *numbers) for image, label, _, *numbers in rows]
        with pytest.raises(PellucidError, match="10 boxes of 40 have no number above 1"):
            add(tmp_path, table(path, "image,label,x,y,width,height", rows))


@pytest.mark.parametrize("top", [80, 0], ids=["letterboxed", "padded"])
def test_fractions_of_a_square(tmp_path, top):
    """As YOLO and YOLOX models give them before their boxes are scaled back."""

    def numbers(box):
        left, y, width, height = box
        return [
            (left + width / 2) / 640,
            (y + height / 2 + top) / 640,
            width / 640,
            height / 640,
        ]

    for image in range(1, 21):
        lines = [
            " ".join(map(str, [concept - 1, *numbers(box), 0.9]))
            for number, concept, box in BOXES
            if number == image
        ]
        path = tmp_path / "labels" / f"{image}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines))
    assert matched(tmp_path, coco(tmp_path), tmp_path / "labels") == 40


def test_a_scale_of_thousand_with_y_first(tmp_path):
    """As Gemini writes boxes."""

    def numbers(box):
        x1, y1, x2, y2 = corners(box, (1000 / 640, 1000 / 480))
        return [round(y1), round(x1), round(y2), round(x2)]

    source = tmp_path / "p.json"
    source.write_text(json.dumps(scored_rows(numbers, "box_2d")))
    assert matched(tmp_path, coco(tmp_path), source) == 40


def test_detection_boxes_have_y_first(tmp_path):
    """TensorFlow's key says so, also where annotations have it."""
    by_image = {}
    for image, concept, box in BOXES:
        x1, y1, x2, y2 = corners(box, UNITS["fractions"])
        entry = by_image.setdefault(
            f"{image}.jpg", {"detection_boxes": [], "detection_classes": []}
        )
        entry["detection_boxes"].append([y1, x1, y2, x2])
        entry["detection_classes"].append(CONCEPTS[concept])
    source = tmp_path / "a.json"
    source.write_text(json.dumps(by_image))
    (tmp_path / "img").mkdir()
    for image in range(1, 21):
        Image.new("RGB", SIZE).save(tmp_path / "img" / f"{image}.jpg")
    view, _ = add(tmp_path, source, images=tmp_path / "img")
    assert view.annotation_tables[1].box == pytest.approx(np.array([box for *_, box in BOXES]))


@pytest.mark.parametrize("boxes", [None, "yxyx-fractions"])
def test_the_stated_form_of_detection_boxes(tmp_path, boxes):
    """A form is of the numbers as the file has them."""
    by_image = {}
    for image, concept, box in BOXES:
        x1, y1, x2, y2 = corners(box, UNITS["fractions"])
        entry = by_image.setdefault(
            f"{image}.jpg",
            {"detection_boxes": [], "detection_classes": [], "detection_scores": []},
        )
        entry["detection_boxes"].append([y1, x1, y2, x2])
        entry["detection_classes"].append(CONCEPTS[concept])
        entry["detection_scores"].append(0.9)
    source = tmp_path / "p.json"
    source.write_text(json.dumps(by_image))
    assert matched(tmp_path, coco(tmp_path), source, boxes=boxes) == 40


def test_a_sliver_at_the_corner_is_in_pixels(tmp_path):
    """Detectors clip boxes to the image."""
    results = [
        {"image_id": image, "category_id": concept, "bbox": box, "score": 0.9}
        for image, concept, box in BOXES
    ]
    results.append({"image_id": 1, "category_id": 1, "bbox": [0, 0, 0.8, 0.6], "score": 0.05})
    source = tmp_path / "p.json"
    source.write_text(json.dumps(results))
    assert matched(tmp_path, coco(tmp_path), source) == 40


def test_images_of_a_thousand_pixels_are_no_scale(tmp_path):
    """Both readings are of the same boxes, which are far from the annotations."""
    truth = coco(tmp_path, size=(1000, 1000))
    rows = scored_rows(lambda box: [box[0] + 30, box[1] + 25, *corners(box)[2:]])
    source = tmp_path / "p.json"
    source.write_text(json.dumps(rows))
    view, _ = add(tmp_path, truth)
    view.start("m").add_predictions(source)


def test_one_box_outside_is_no_exchange(tmp_path):
    rows = [(f"{n}.jpg", "cat", 30 + 9 * n, 20 + 3 * n, 60, 70) for n in range(25)]
    rows[0] = ("0.jpg", "cat", 400, 20, 100, 70)
    (tmp_path / "img").mkdir()
    for number in range(25):
        Image.new("RGB", (480, 640)).save(tmp_path / "img" / f"{number}.jpg")
    source = table(tmp_path / "a.csv", "image,label,x,y,width,height", rows)
    view, _ = add(tmp_path, source, images=tmp_path / "img")
    assert view.annotation_tables[1].box[0].tolist() == [400, 20, 100, 70]
