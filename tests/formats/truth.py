"""A small data set of detections and its predictions, to be written in many layouts and found
again."""

import numpy as np

import pellucid
import toys

CONCEPTS = ("zebra", "apple", "mango")
WIDTH, HEIGHT = 200, 150
IMAGES = [f"img_{number:03}.jpg" for number in range(12)]


def boxes():
    """(image, concept, [left, top, width, height]) of three objects in each image."""
    draw = np.random.default_rng(7)
    rows = []
    for image in IMAGES:
        for place in range(3):
            width, height = draw.integers(24, 60, 2).tolist()
            x, y = 66 * place + int(draw.integers(0, 6)), int(draw.integers(0, HEIGHT - height))
            rows.append((image, CONCEPTS[int(draw.integers(0, 3))], [x, y, width, height]))
    return rows


def predictions():
    """(image, concept, score, box): each object, two pixels aside, but for the last."""
    return [
        (image, concept, round(0.95 - place / 50, 4), [x + 2, y, width, height])
        for place, (image, concept, (x, y, width, height)) in enumerate(boxes()[:-1])
    ]


def coco_rows(scored=True):
    """Records of COCO with the ids of `view`."""
    return [
        {
            "image_id": IMAGES.index(image) + 1,
            "category_id": CONCEPTS.index(concept) + 1,
            "bbox": box,
            "score": score,
        }
        for image, concept, score, box in predictions()
    ]


def view(folder):
    """The view of these annotations, read from COCO."""
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, name in enumerate(IMAGES, 1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(CONCEPTS, 1)]
    annotations = [
        {
            "id": number,
            "image_id": IMAGES.index(image) + 1,
            "category_id": CONCEPTS.index(concept) + 1,
            "bbox": box,
        }
        for number, (image, concept, box) in enumerate(boxes(), 1)
    ]
    source = toys.coco(folder, "truth.json", images, annotations, categories)
    return pellucid.open(folder / "w").add("v", source, images=folder / "images")[0]


def read_predictions(folder, source, **options):
    """What was read, in the order of the scores, and the notes."""
    version = view(folder).start("m")
    notes = version.add_predictions(source, **options)
    return version_rows(version), notes


def version_rows(version):
    return [
        (
            item.image.rsplit("/", 1)[-1],
            item.concept,
            round(item.score, 4),
            [round(side, 2) for side in item.box],
        )
        for item in version.gallery("all")[:1000]
    ]


def annotation_rows(view):
    """(image, concept, box) of a view, sorted."""
    images, annotations, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    return sorted(
        (images.path[image].rsplit("/", 1)[-1], names[concept], [round(side, 2) for side in box])
        for image, concept, box in zip(
            annotations.image, annotations.concept, annotations.box.tolist(), strict=True
        )
    )
