"""Filter detections with an exported module of thresholds, as its library's users would: runs in
the environment of the tools, without Pellucid.

python filter_with.py TOOL MODULE DETECTIONS.json
DETECTIONS: {"classes": [name, ...], "images": {path: [[class number, score, x1, y1, x2, y2], ...]}}
→ {"version": ..., "kept": {path: [position, ...]}}; positions are carried in the boxes' left edge
"""

import json
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np


def filter_supervision(module, classes, rows):
    import supervision

    numbers = rows[:, 0].astype(int)
    detections = supervision.Detections(
        xyxy=rows[:, 2:],
        confidence=rows[:, 1],
        class_id=numbers,
        data={"class_name": np.array(classes)[numbers]},
    )
    return module["filter_detections"](detections).xyxy[:, 0]


def filter_ultralytics(module, classes, rows):
    import torch
    from ultralytics.engine.results import Results

    values = torch.tensor(rows[:, [2, 3, 4, 5, 1, 0]], dtype=torch.float64)
    result = Results(np.zeros((8, 8, 3), np.uint8), "a.jpg", dict(enumerate(classes)), boxes=values)
    return module["filter_result"](result).boxes.xyxy[:, 0].numpy()


def filter_torchvision(module, classes, rows):
    import torch

    output = {
        "boxes": torch.tensor(rows[:, 2:]),
        "labels": torch.tensor(rows[:, 0]).long() + 1,
        "scores": torch.tensor(rows[:, 1]),
    }
    return module["filter_output"](output, ["__background__", *classes])["boxes"][:, 0].numpy()


tool, module_path, detections_path = sys.argv[1:]
document = json.loads(Path(detections_path).read_text())
module = runpy.run_path(module_path)
kept = {}
for path, image_rows in document["images"].items():
    rows = np.array(image_rows, float).reshape(-1, 6)
    rows[:, 2] = np.arange(len(rows))
    kept[path] = globals()[f"filter_{tool}"](module, document["classes"], rows).tolist()
print(json.dumps({"version": version(tool), "kept": kept}))
