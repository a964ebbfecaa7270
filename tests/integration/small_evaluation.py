"""Evaluate two boxes with an installed Pellucid, as a first check of a wheel on a new platform."""

import json
import tempfile
from pathlib import Path

import pellucid
from pellucid import _native

ANNOTATIONS = {
    "images": [{"id": 1, "file_name": "one.png", "width": 64, "height": 48}],
    "categories": [{"id": 1, "name": "dent"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [40, 5, 10, 10], "area": 100},
    ],
}
PREDICTIONS = [
    {"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
    {"image_id": 1, "category_id": 1, "bbox": [0, 30, 10, 10], "score": 0.8},
]

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    for file, document in (("annotations.json", ANNOTATIONS), ("results.json", PREDICTIONS)):
        (folder / file).write_text(json.dumps(document))
    workspace = pellucid.open(folder / "w")
    view, _ = workspace.add("parts", folder / "annotations.json")
    version = view.start("first")
    version.add_predictions(folder / "results.json")
    counts = [len(version.gallery(tab, threshold=0.5)) for tab in ("matched", "missing", "extra")]
    assert counts == [1, 1, 1], counts
    print("kernel" if _native.library else "NumPy", counts)
