"""One small known set in many spellings: each is read as it is meant, or refused.

A reading that is accepted and differs from the truth fails, whatever it prints. The default
profile runs a sample, the long profile all variants."""

import itertools
import json
import random

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

NAMES = ("line/a.png", "line/b.png", "line/c.png")
WIDTH, HEIGHT = 200, 100
OBJECTS = [
    ("line/a.png", "dent", (20, 10, 60, 50)),
    ("line/a.png", "rust", (110, 30, 30, 20)),
    ("line/b.png", "rust", (150, 60, 40, 30)),
    ("line/b.png", "dent", (5, 70, 15, 20)),
]
"""line/c.png has nothing on it. Boxes: left, top, width, height."""
LABELS = {"line/a.png": "dent", "line/b.png": "rust", "line/c.png": "dent"}
PREDICTED = {"line/a.png": ("dent", 0.9), "line/b.png": ("dent", 0.75), "line/c.png": ("dent", 0.6)}

BOX_STYLES = {
    "xmin,ymin,xmax,ymax": lambda x, y, w, h: (x, y, x + w, y + h),
    "xMin,yMin,xMax,yMax": lambda x, y, w, h: (x, y, x + w, y + h),
    "x1,y1,x2,y2": lambda x, y, w, h: (x, y, x + w, y + h),
    "x0,y0,x1,y1": lambda x, y, w, h: (x, y, x + w, y + h),
    "xmin,xmax,ymin,ymax": lambda x, y, w, h: (x, x + w, y, y + h),
    "left,top,right,bottom": lambda x, y, w, h: (x, y, x + w, y + h),
    "xtl,ytl,xbr,ybr": lambda x, y, w, h: (x, y, x + w, y + h),
    "bbox_x1,bbox_y1,bbox_x2,bbox_y2": lambda x, y, w, h: (x, y, x + w, y + h),
    "top_left_x,top_left_y,bottom_right_x,bottom_right_y": lambda x, y, w, h: (x, y, x + w, y + h),
    "x,y,width,height": lambda x, y, w, h: (x, y, w, h),
    "x,y,w,h": lambda x, y, w, h: (x, y, w, h),
    "left,top,width,height": lambda x, y, w, h: (x, y, w, h),
    "bbox_x,bbox_y,bbox_width,bbox_height": lambda x, y, w, h: (x, y, w, h),
    "bbox_left,bbox_top,bbox_width,bbox_height": lambda x, y, w, h: (x, y, w, h),
    "cx,cy,w,h": lambda x, y, w, h: (x + w / 2, y + h / 2, w, h),
    "x_center,y_center,width,height": lambda x, y, w, h: (x + w / 2, y + h / 2, w, h),
    "b_1,b_2,b_3,b_4": lambda x, y, w, h: (x, y, x + w, y + h),
    "bbox": lambda x, y, w, h: (f"[{x}, {y}, {w}, {h}]",),
    "BBOX_XYXY": lambda x, y, w, h: (f"[{x}, {y}, {x + w}, {y + h}]",),
}
IMAGE_STYLES = [
    "image",
    "filename",
    "image_path",
    "ImageID",
    "imageId",
    "Image Name",
    "path",
    "img",
]
CONCEPT_STYLES = ["concept", "label", "class", "className", "Class Name", "category_name", "name"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16"]
EXTRA_COLUMNS = ["", "width,height", "is_night", "notes", "id"]


def box_rows(style, image_name, concept_name, extra):
    header = [image_name, concept_name, *style.split(",")]
    rows = []
    for index, (image, concept, box) in enumerate(OBJECTS):
        rows.append(
            [image, concept, *map(str, BOX_STYLES[style](*box)), *extra_cells(extra, index)]
        )
    empty = ["" for _ in style.split(",")]
    rows.append([NAMES[2], "", *empty, *extra_cells(extra, 9)])
    return [*header, *(extra.split(",") if extra else [])], rows


def extra_cells(extra, index):
    cells = {"": [], "width,height": [str(WIDTH), str(HEIGHT)], "is_night": [str(index % 2)]}
    return cells.get(extra, [f"n{index}"] if extra == "notes" else [str(index)])


def as_text(header, rows, delimiter=",", order=None):
    places = list(range(len(header)))
    if order is not None:
        random.Random(order).shuffle(places)

    def line(cells):
        return delimiter.join(
            f'"{cells[place]}"' if delimiter in cells[place] else cells[place] for place in places
        )

    return "\n".join([line(header), *map(line, rows)]) + "\n"


def table_variants():
    combinations = itertools.product(
        BOX_STYLES, IMAGE_STYLES, CONCEPT_STYLES, EXTRA_COLUMNS, [",", ";", "\t"], ENCODINGS
    )
    for number, variant in enumerate(combinations):
        if number % 7 == 0:
            yield number, variant


def coco_variants():
    ids = [lambda i: i, lambda i: i + 7, lambda i: f"img-{i}", lambda i: str(i + 1)]
    shapes = ["xywh", "xyxy", "fractions", "polygon", "none"]
    yield from itertools.product(range(len(ids)), shapes, [True, False], [0, 1, 5], ENCODINGS)


def expected_boxes():
    return {(image, concept, tuple(map(float, box))) for image, concept, box in OBJECTS}


def read(folder, path, **options):
    """(image, concept, box) of what was read, or None if it was refused."""
    try:
        view, _ = pellucid.open(folder / "w").add("v", path, **options)
    except PellucidError:
        return None
    images, table, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    boxes = [None] * len(table) if table.box is None else np.round(table.box, 3).tolist()
    assert sorted(images.path.tolist()) == sorted(NAMES), images.path
    return {
        (str(images.path[image]), names[concept], box and tuple(box))
        for image, concept, box in zip(table.image, table.concept, boxes, strict=True)
    }


def check_table(folder, number, variant):
    style, image_name, concept_name, extra, delimiter, encoding = variant
    header, rows = box_rows(style, image_name, concept_name, extra)
    if len({name.lower() for name in header}) < len(header):
        return "skipped"
    path = folder / "t.csv"
    path.write_bytes(as_text(header, rows, delimiter, number % 5 or None).encode(encoding))
    found = read(folder, path)
    assert found in (None, expected_boxes()), (variant, found)
    return "refused" if found is None else "read"


def check_coco(folder, variant):
    id_style, shape, has_sizes, first_category, encoding = variant
    make_id = [lambda i: i, lambda i: i + 7, lambda i: f"img-{i}", lambda i: str(i + 1)][id_style]
    images = [{"id": make_id(index), "file_name": name} for index, name in enumerate(NAMES)]
    if has_sizes:
        for image in images:
            image |= {"width": WIDTH, "height": HEIGHT}
    categories = [
        {"id": first_category + place, "name": name} for place, name in enumerate(["dent", "rust"])
    ]
    annotations = []
    for index, (image, concept, (x, y, w, h)) in enumerate(OBJECTS):
        record = {
            "id": index + 1,
            "image_id": make_id(NAMES.index(image)),
            "category_id": first_category + ["dent", "rust"].index(concept),
        }
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        record |= {
            "xywh": {"bbox": [x, y, w, h]},
            "xyxy": {"bbox": [x, y, x + w, y + h]},
            "fractions": {"bbox": [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT]},
            "polygon": {"segmentation": [polygon]},
            "none": {"bbox": [], "segmentation": [polygon]},
        }[shape]
        annotations.append(record)
    document = {"images": images, "annotations": annotations, "categories": categories}
    path = folder / "instances.json"
    path.write_bytes(json.dumps(document).encode(encoding))
    found = read(folder, path)
    if shape == "xyxy" and not has_sizes:  # nothing in the file contradicts sizes
        return "skipped"
    assert found in (None, expected_boxes()), (variant, found)
    return "refused" if found is None else "read"


SCORE_STYLES = ["score", "confidence", "prob", "Confidence", "pred_score"]
PREDICTED_STYLES = [
    "prediction",
    "pred_label",
    "predicted_class",
    "y_pred",
    "predicted",
    "Prediction",
]
TRUE_STYLES = ["", "label", "class", "true_label", "gt_label", "target", "category"]


def prediction_variants():
    yield from itertools.product(
        IMAGE_STYLES, SCORE_STYLES, PREDICTED_STYLES, TRUE_STYLES, [",", ";"], range(3)
    )


def check_predictions(folder, version, variant):
    image_name, score_name, predicted_name, true_name, delimiter, order = variant
    header = [image_name, *([true_name] if true_name else []), predicted_name, score_name]
    if len({name.lower() for name in header}) < len(header):
        return "skipped"
    rows = [
        [image, *([LABELS[image]] if true_name else []), concept, str(score)]
        for image, (concept, score) in PREDICTED.items()
    ]
    path = folder / "p.csv"
    path.write_text(as_text(header, rows, delimiter, order or None))
    try:
        version.add_predictions(path)
    except PellucidError:
        return "refused"
    evaluation = version.evaluation
    table, names = evaluation.predictions, evaluation.concepts
    found = {
        str(evaluation.images.path[image]): (str(names[concept]), float(score))
        for image, concept, score in zip(table.image, table.concept, table.score, strict=True)
    }
    assert found == PREDICTED, (variant, found)
    return "read"


def sample(variants, count):
    variants = list(variants)
    return random.Random(1).sample(variants, min(count, len(variants)))


def check_share(outcomes, least):
    """Most variants are read: a refusal of everything would be no reading at all."""
    read_count = outcomes.count("read")
    assert read_count >= least * (len(outcomes) - outcomes.count("skipped")), outcomes


def run_tables(folder, variants):
    outcomes = []
    for number, variant in variants:
        place = folder / str(number)
        place.mkdir()
        outcomes.append(check_table(place, number, variant))
    check_share(outcomes, 0.7)


def run_coco(folder, variants):
    outcomes = []
    for number, variant in enumerate(variants):
        place = folder / str(number)
        place.mkdir()
        outcomes.append(check_coco(place, variant))
    check_share(outcomes, 0.8)


def run_predictions(folder, variants):
    rows = "".join(f"{image},{label}\n" for image, label in LABELS.items())
    path = toys.write(folder / "labels.csv", f"image,label\n{rows}")
    view, _ = pellucid.open(folder / "w").add("v", path)
    outcomes = []
    for number, variant in enumerate(variants):
        version = view.version_or_draft(f"m{number}")
        outcomes.append(check_predictions(folder, version, variant))
    check_share(outcomes, 0.8)


def test_sample_of_tables(tmp_path):
    run_tables(tmp_path, sample(table_variants(), 30))


def test_sample_of_coco_files(tmp_path):
    run_coco(tmp_path, sample(coco_variants(), 40))


def test_sample_of_prediction_tables(tmp_path):
    run_predictions(tmp_path, sample(prediction_variants(), 20))


@pytest.mark.slow
def test_many_tables(tmp_path):
    run_tables(tmp_path, sample(table_variants(), 500))


@pytest.mark.slow
def test_all_coco_files(tmp_path):
    run_coco(tmp_path, coco_variants())


@pytest.mark.slow
def test_many_prediction_tables(tmp_path):
    run_predictions(tmp_path, sample(prediction_variants(), 500))
