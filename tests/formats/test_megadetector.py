"""Batch results of MegaDetector, as its output format has them."""

import json

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

BATCH = {
    "info": {"format_version": "1.4", "detector": "md_v5a.0.0.pt"},
    "detection_categories": {"1": "animal", "2": "person"},
    "classification_categories": {"0": "deer", "1": "fox"},
    "images": [
        {
            "file": "site\\one.jpg",
            "detections": [
                {
                    "category": "1",
                    "conf": 0.9,
                    "bbox": [0.25, 0.5, 0.25, 0.25],
                    "classifications": [["0", 0.5], ["1", 0.4]],
                },
                {"category": "1", "conf": 0.4, "bbox": [0, 0, 0.125, 0.25]},
                {"category": "2", "conf": 0.3, "bbox": [0.5, 0.5, 0.25, 0.25]},
            ],
        },
        {"file": "site/two.jpg", "detections": []},
        {"file": "site/three.jpg", "failure": "Failure image access", "detections": None},
    ],
}
IMAGES = ["site/one.jpg", "site/two.jpg", "site/three.jpg"]


def import_batch(folder, table, batch=BATCH, kind=None):
    view, _ = pellucid.open(folder / "w").add("v", table, kind=kind)
    version = view.start("m")
    notes = version.add_predictions(toys.write(folder / "md.json", json.dumps(batch)))
    return view.version("m"), notes


def boxes_of(concept):
    table = {"image": IMAGES, "concept": [concept, "", ""], "x": [50, None, None]}
    table |= {"y": [50, None, None], "width": [50, None, None], "height": [25, None, None]}
    return table | {"image_width": [200] * 3, "image_height": [100] * 3}


def coco_of(concept):
    return {
        "images": [
            {"id": n, "file_name": path, "width": 200, "height": 100}
            for n, path in enumerate(IMAGES)
        ],
        "categories": [{"id": 1, "name": concept}, {"id": 2, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "bbox": [50, 50, 50, 25], "iscrowd": 0}
        ],
    }


def test_boxes_are_fractions_from_the_top_left(tmp_path):
    version, notes = import_batch(tmp_path, coco_of("animal"))
    items = [(i.concept, i.score, i.box, i.outcome) for i in version.gallery("all", threshold=0)]
    assert items == [
        ("animal", 0.9, (50, 50, 50, 25), "matched"),
        ("animal", 0.4, (0, 0, 25, 25), "missing"),
        ("person", 0.3, (100, 50, 50, 25), "missing"),
    ]
    assert version.manifest.counts["covered"] == 2
    (note,) = [note for note in notes if note.kind == "failed_images"]
    assert note.message.startswith("1 image on which the detector failed, not covered: 'site/three")


def test_species_where_the_view_has_them(tmp_path):
    version, _ = import_batch(tmp_path, coco_of("deer"))
    found = {(i.concept, i.score) for i in version.gallery("all", threshold=0)}
    assert found >= {("deer", 0.45), ("person", 0.3)}


@pytest.mark.parametrize("kind", ["tagging", "classification"])
def test_images_have_the_highest_score_of_each_category(tmp_path, kind):
    table = {"image": IMAGES, "concept": ["animal", "person", "animal"]}
    version, _ = import_batch(tmp_path, table, kind=kind)
    items = {
        (i.image, i.concept): i.score
        for concept in ("animal", "person")
        for i in version.gallery("all", concept=concept, threshold=0)
    }
    assert items == {("site/one.jpg", "animal"): 0.9, ("site/one.jpg", "person"): 0.3}


def test_unnamed_categories_are_refused(tmp_path):
    batch = BATCH | {"detection_categories": {"1": "animal"}}
    with pytest.raises(PellucidError, match="category '2' is not in detection_categories"):
        import_batch(tmp_path, coco_of("animal"), batch)
