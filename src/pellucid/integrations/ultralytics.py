"""A recorder for ultralytics, which is never imported: its objects are duck-typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.formats.tabular.dataframes import format_concept
from pellucid.integrations.recorder import Recorder, record


def category_names(validator: Any) -> dict[int, str]:
    """Class names by category id in the results: Ultralytics numbers them from 1, and COCO's with
    gaps (`class_map`)."""
    class_names = getattr(validator, "names", {})
    class_map = getattr(validator, "class_map", None)
    pairs = class_names.items() if isinstance(class_names, Mapping) else enumerate(class_names)
    return {
        int(class_map[class_index]) if class_map is not None else int(class_index): str(class_name)
        for class_index, class_name in pairs
    }


def ultralytics_callbacks(
    workspace: str | Path, view: str, version: str
) -> Mapping[str, Callable[[Any], None]]:
    """Callbacks for an ultralytics model: `for event, call in ultralytics_callbacks(...).items():
    model.add_callback(event, call)`.

    Freezes the version when training starts and records the boxes of the last validation.
    """
    recorder: list[Recorder] = []

    def start_recording(_: Any) -> None:
        if not recorder:
            recorder.append(record(workspace, view, version))

    def enable_json_results(validator: Any) -> None:
        start_recording(validator)
        validator.args.save_json = True  # ultralytics only fills `jdict` when it saves JSON

    def record_results(validator: Any) -> None:
        results_by_image: dict[str, list[Mapping[str, Any]]] = {}
        for result in validator.jdict:
            results_by_image.setdefault(
                str(result.get("file_name") or result["image_id"]), []
            ).append(result)
        names_by_id = category_names(validator)
        for image_path, image_results in results_by_image.items():
            boxes = np.array([result["bbox"] for result in image_results], float)
            boxes[:, 2:] += boxes[:, :2]
            labels = [
                names_by_id.get(int(result["category_id"]), format_concept(result["category_id"]))
                for result in image_results
            ]
            scores = [result["score"] for result in image_results]
            shapes = [result.get("segmentation") for result in image_results]
            masks = shapes if all(shapes) else None
            recorder[0].add(image_path, labels, scores, boxes, masks)

    def finish_recording(_: Any) -> None:
        recorder[0].close()

    return {
        "on_train_start": start_recording,
        "on_val_start": enable_json_results,
        "on_val_end": record_results,
        "on_train_end": finish_recording,
    }
