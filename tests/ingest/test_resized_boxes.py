"""Predicted boxes of images that were resized in any way, or with their numbers in another place:
read where the annotations tell how, refused where no format means that."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.formats.errors import InvalidRecordError

SIZES = [(640, 480), (480, 640), (800, 600), (500, 375), (1024, 512)]
MAX_SHIFT = 3.0
"""Pixels by which the model misses."""


def scaled(factor):
    return lambda box, w, h: box * factor


def side(length, choose):
    return lambda box, w, h: box * length / choose(w, h)


def stretched(width, height):
    return lambda box, w, h: box * [width / w, height / h, width / w, height / h]


READ = {
    "0.9 of the size": scaled(0.9),
    "half the size": scaled(0.5),
    "a third": scaled(1 / 3),
    "four times": scaled(4.0),
    "shortest side 800": side(800, min),
    "longest side 1200": side(1200, max),
    "width 600": side(600, lambda w, h: w),
    "height 720": side(720, lambda w, h: h),
    "500 x 500": stretched(500, 500),
    "1280 x 720": stretched(1280, 720),
    "550 x 550": stretched(550, 550),
}
REFUSED = {
    "lower edge": lambda box, w, h: [box[0], h - box[1] - box[3], box[2], box[3]],
    "right edge": lambda box, w, h: [w - box[0] - box[2], box[1], box[2], box[3]],
    "exchanged": lambda box, w, h: [box[0], box[1], box[3], box[2]],
    "lower left corner": lambda box, w, h: [box[0], box[1] + box[3], box[2], box[3]],
    "middle of the lower edge": lambda box, w, h: [
        *(box[0] + box[2] / 2, box[1] + box[3]),
        *box[2:],
    ],
    "half the sizes": lambda box, w, h: [
        *(box[0] + box[2] / 2, box[1] + box[3] / 2),
        *(box[2] / 2, box[3] / 2),
    ],
    "moved by .60, -25": lambda box, w, h: [box[0] - 60, box[1] + 25, box[2], box[3]],
    "cropped to 300 x 300": lambda box, w, h: [
        *(box[0] - (w - 300) / 2, box[1] - (h - 300) / 2),
        *box[2:],
    ],
    "y, x, width": lambda box, w, h: [box[1], box[0], box[2], box[3]],
}


@pytest.fixture(scope="module")
def objects():
    """Of each image its size and boxes."""
    random = np.random.default_rng(5)
    images = [SIZES[number % len(SIZES)] for number in range(60)]
    return [
        (size, [random_box(random, *size) for _ in range(random.integers(1, 4))]) for size in images
    ]


def random_box(random, width, height):
    w, h = random.integers(width // 12, width // 3), random.integers(height // 10, height // 3)
    return np.array([random.integers(0, width - w), random.integers(0, height - h), w, h], float)


def write_sets(folder, objects, write_box):
    """COCO annotations, and results with boxes as written; the boxes meant, in their order."""
    random = np.random.default_rng(6)
    images = [
        {"id": i, "file_name": f"{i}.jpg", "width": w, "height": h}
        for i, ((w, h), _) in enumerate(objects)
    ]
    rows = [(i, box) for i, (_, boxes) in enumerate(objects) for box in boxes]
    annotations = [
        {"id": k + 1, "image_id": i, "category_id": 1, "bbox": box.tolist()}
        for k, (i, box) in enumerate(rows)
    ]
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "a"}],
    }
    shifts = np.pad(random.uniform(-MAX_SHIFT, MAX_SHIFT, (len(rows), 2)), ((0, 0), (0, 2)))
    meant = [box + shift for (_, box), shift in zip(rows, shifts, strict=True)]
    results = [
        {
            "image_id": i,
            "category_id": 1,
            "score": 0.9 - k / 1000,
            "bbox": np.round(write_box(box, *objects[i][0]), 2).tolist(),
        }
        for k, ((i, _), box) in enumerate(zip(rows, meant, strict=True))
    ]
    truth = toys.write(folder / "truth.json", json.dumps(document))
    return truth, toys.write(folder / "results.json", json.dumps(results)), np.array(meant)


def add(folder, truth, results):
    view, _ = pellucid.open(folder / "w").add("v", truth)
    version = view.start("m")
    version.add_predictions(results)
    return np.array([item.box for item in version.gallery("all")])


@pytest.mark.parametrize("way", READ)
def test_boxes_of_images_of_any_size_are_read_as_they_are_meant(tmp_path, objects, way):
    truth, results, meant = write_sets(tmp_path, objects, READ[way])
    read = add(tmp_path, truth, results)
    assert np.abs(read - meant).max() < 0.005 * max(max(size) for size in SIZES)


@pytest.mark.parametrize("meaning", REFUSED)
def test_boxes_with_their_numbers_elsewhere_are_refused(tmp_path, objects, meaning):
    truth, results, _ = write_sets(tmp_path, objects, REFUSED[meaning])
    with pytest.raises(InvalidRecordError, match=meaning):
        add(tmp_path, truth, results)


def test_boxes_of_a_poor_model_stay_as_written(tmp_path, objects):
    random = np.random.default_rng(7)
    anywhere = [random_box(random, *size) for size, boxes in objects for _ in boxes]
    boxes = iter(anywhere)
    truth, results, _ = write_sets(tmp_path, objects, lambda box, w, h: next(boxes))
    assert add(tmp_path, truth, results).tolist() == [box.tolist() for box in anywhere]


def test_corners_from_minus_one_to_one_are_refused(tmp_path, objects):
    truth, _, meant = write_sets(tmp_path, objects, lambda box, w, h: box)
    sizes = np.array([size for size, boxes in objects for _ in boxes])
    corners = np.column_stack([meant[:, :2], meant[:, :2] + meant[:, 2:]])
    rows = [
        f"{i}.jpg,a,{0.9 - k / 1000},{','.join(map(str, line))}"
        for k, (i, line) in enumerate(
            zip(
                [i for i, (_, boxes) in enumerate(objects) for _ in boxes],
                corners / np.tile(sizes, 2) * 2 - 1,
                strict=True,
            )
        )
    ]
    header = "image,label,score,xmin,ymin,xmax,ymax"
    results = toys.write(tmp_path / "p.csv", "\n".join([header, *rows]) + "\n")
    with pytest.raises(InvalidRecordError, match="from -1 to 1"):
        add(tmp_path, truth, results)
