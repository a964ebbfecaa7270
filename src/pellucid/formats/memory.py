"""What people have in memory, as columns: rows of other libraries are recognised by their shape, and none of these is imported.

- columns: a dict of arrays, pandas, polars, Arrow, or anything that hands itself over by the Arrow PyCapsule protocol;
- detections by image: a dict from image to torchmetrics' `{"boxes", "scores", "labels"}` (corners, pixels) or to `supervision.Detections`;
- outputs of a Hugging Face pipeline by image: `[{"label", "score"}]`, with a `box` of corners for detection;
- a `datasets.Dataset` with `label` or `objects`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.errors import MemoryUnclear

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def annotation_columns(source: Any) -> Any:
    """Columns of a long table of annotations, or the source itself where it has columns already."""
    if is_dataset(source):
        return dataset_columns(source)
    return by_image(source) if is_by_image(source) else as_table(source)


def prediction_columns(source: Any) -> Any:
    return by_image(source) if is_by_image(source) else as_table(source)


def as_table(source: Any) -> Any:
    """Whoever speaks the Arrow PyCapsule protocol alone is read through pyarrow, if that is there."""
    if hasattr(source, "__arrow_c_stream__") and not type(source).__module__.startswith(("pandas", "polars", "pyarrow")):
        try:
            import pyarrow
        except ImportError as error:
            raise MemoryUnclear(f"a {type(source).__name__}, which needs pyarrow to be read: pip install pellucid[arrow]") from error
        return pyarrow.table(source)
    return source


def is_by_image(source: Any) -> bool:
    if not isinstance(source, Mapping) or not source:
        return False
    values = list(source.values())
    return any(is_detections(value) or isinstance(value, Mapping) or (is_pipeline(value) and len(value) > 0) for value in values)


def is_detections(value: Any) -> bool:
    return hasattr(value, "xyxy") and hasattr(value, "class_id")


def is_pipeline(value: Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return listed and all(isinstance(one, Mapping) and "label" in one for one in value)


def by_image(source: Mapping[Any, Any]) -> dict[str, Any]:
    """A row a detection; an image without any gets a row without a concept."""
    rows: list[tuple[str, str, float | None, tuple[float, ...] | None]] = []
    for image, value in source.items():
        found = [*detections(value)]
        rows += [(str(image), *one) for one in found] or [(str(image), "", None, None)]
    columns: dict[str, Any] = {"image": [row[0] for row in rows], "concept": [row[1] for row in rows]}
    if any(row[2] is not None for row in rows):
        columns["score"] = np.array([np.nan if row[2] is None else row[2] for row in rows], float)
    if any(row[3] is not None for row in rows):
        box = np.array([row[3] or (np.nan,) * 4 for row in rows], float)
        columns |= {name: box[:, side] for side, name in enumerate(CORNERS)}
    return columns


def detections(value: Any) -> list[tuple[str, float | None, tuple[float, ...] | None]]:
    """(concept, score, corners) of one image."""
    if is_detections(value):
        names = (getattr(value, "data", None) or {}).get("class_name")
        concepts = names if names is not None else [] if value.class_id is None else value.class_id
        return together(concepts, value.confidence, value.xyxy)
    if isinstance(value, Mapping):
        if "labels" not in value:
            raise MemoryUnclear(f"a dict of {', '.join(map(str, value))}, where boxes, labels and scores were expected")
        return together(value["labels"], value.get("scores"), value.get("boxes"))
    return [
        (str(one["label"]), one.get("score"), tuple(float(one["box"][side]) for side in CORNERS) if one.get("box") else None)
        for one in value
    ]


def together(concepts: Any, scores: Any, boxes: Any) -> list[tuple[str, float | None, tuple[float, ...] | None]]:
    names = [text(concept) for concept in (concepts.tolist() if hasattr(concepts, "tolist") else concepts)]
    marks = [None] * len(names) if scores is None else np.asarray(scores, float).reshape(-1).tolist()
    corners = [None] * len(names) if boxes is None else [tuple(row) for row in np.asarray(boxes, float).reshape(-1, 4).tolist()]
    if not len(names) == len(marks) == len(corners):
        raise MemoryUnclear(
            f"{len(names)} labels, {len(marks)} scores and {len(corners)} boxes of one image, where as many of each were expected"
        )
    return list(zip(names, marks, corners, strict=True))


def text(concept: Any) -> str:
    return str(int(concept)) if isinstance(concept, float) and concept.is_integer() else str(concept)


def is_dataset(source: Any) -> bool:
    return hasattr(source, "features") and hasattr(source, "column_names") and hasattr(source, "num_rows")


def dataset_columns(source: Any) -> dict[str, Any]:
    """A Hugging Face data set's labels; its pictures are named by their file, or else by their place."""
    names = source.column_names
    label = next((name for name in ("label", "labels", "category", "class") if name in names), None)
    keys = [name for name in ("file_name", "image_path", "path", "image_id") if name in names]
    images = [str(value) for value in source[keys[0]]] if keys else [f"{row:07d}" for row in range(source.num_rows)]
    if "objects" in names:
        return objects_of(source["objects"], images, source.features["objects"])
    if label is None:
        raise MemoryUnclear(f"a data set with the columns {', '.join(names)}, where label or objects was expected")
    known = getattr(source.features[label], "names", None)
    return {"image": images, "concept": [known[value] if known else str(value) for value in source[label]]}


def objects_of(several: Any, images: list[str], feature: Any) -> dict[str, Any]:
    rows: list[tuple[str, str, list[float]]] = []
    for image, objects in zip(images, several, strict=True):
        key = "category" if "category" in objects else "categories" if "categories" in objects else "label"
        known = class_names(feature, key)
        found = [
            (image, known[concept] if known else str(concept), list(map(float, box)))
            for concept, box in zip(objects[key], objects["bbox"], strict=True)
        ]
        rows += found or [(image, "", [np.nan] * 4)]
    box = np.array([row[2] for row in rows], float).reshape(-1, 4)
    sides = {name: box[:, place] for place, name in enumerate(("x", "y", "width", "height"))}
    return {"image": [row[0] for row in rows], "concept": [row[1] for row in rows], **sides}


def class_names(feature: Any, key: str) -> Any:
    """Of a feature that is a dict, or a sequence of dicts."""
    inner = getattr(feature, "feature", feature)
    inner = inner.get(key) if isinstance(inner, Mapping) else None
    return getattr(inner, "names", None) or getattr(getattr(inner, "feature", None), "names", None)
