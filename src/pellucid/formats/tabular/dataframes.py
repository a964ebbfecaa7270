"""Conversion of in-memory data to columns. Objects of other libraries are recognised by their
attributes, without importing them.

- columns: a dict of arrays, pandas, polars, Arrow, or any object with the Arrow PyCapsule protocol;
- detections by image: a dict from image to torchmetrics' `{"boxes", "scores", "labels"}` (corners,
pixels) or to `supervision.Detections`, both with masks if they have any;
- outputs of a Hugging Face pipeline by image: `[{"label", "score"}]`, with a `box` of corners for
detection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.core.masks import Masks, concat_masks, no_masks
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.errors import InMemoryDataError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.mask_arrays import encode_mask_arrays

CORNER_KEYS = ("xmin", "ymin", "xmax", "ymax")


def table_columns(source: Any) -> Any:
    """Columns of a long table of annotations or predictions, or the source itself if it already
    has columns."""
    if maps_images_to_scores(source):
        rows = [
            (image, name, score) for image, row in source.items() for name, score in row.items()
        ]
        return {
            "image": [image for image, _, _ in rows],
            "concept": [name for _, name, _ in rows],
            "score": [score for _, _, score in rows],
        }
    if maps_images_to_detections(source):
        return flatten_detections(source)
    if maps_images_to_names(source):
        return {"image": list(source), "concept": [str(name) for name in source.values()]}
    if is_row_list(source):
        names = list(dict.fromkeys(name for row in source for name in row))
        return {name: [row.get(name) for row in source] for name in names}
    reject_no_columns(source)
    return convert_arrow_stream(with_index_columns(source))


def with_index_columns(source: Any) -> Any:
    """Data of pandas with what its index says as a column: the names of images, of a series of
    concepts or of rows without a column of images, or a column that was made the index."""
    if hasattr(source, "rename_axis") and not hasattr(source, "columns"):
        return {"image": list(source.index), "concept": list(source)}
    if has_image_index(source):
        return source.rename_axis("image").reset_index()
    has_name = isinstance(getattr(getattr(source, "index", None), "name", None), str)
    return source.reset_index() if has_name else source


def has_image_index(source: Any) -> bool:
    """Whether the rows of a pandas data frame without a column of images are named by files."""
    index = getattr(source, "index", None)
    if index is None or not hasattr(source, "rename_axis") or index.name is not None:
        return False
    first = next(iter(index), None)
    return isinstance(first, str) and all(is_image_file(str(name)) for name in index)


def convert_arrow_stream(source: Any) -> Any:
    """Convert objects that only support the Arrow PyCapsule protocol with pyarrow, if installed.
    A stream of pyarrow, which can be read once, is read as a table."""
    if hasattr(source, "read_all"):
        return source.read_all()
    if hasattr(source, "__arrow_c_stream__") and not type(source).__module__.startswith(
        ("pandas", "polars", "pyarrow")
    ):
        try:
            import pyarrow
        except ImportError as error:
            raise InMemoryDataError(
                f"a {type(source).__name__}, which requires pyarrow: pip install pellucid[arrow]"
            ) from error
        return pyarrow.table(source)
    return source


def reject_no_columns(source: Any) -> None:
    """Raise InMemoryDataError for a list, or for a dict with other values than columns."""
    is_stream = hasattr(source, "read_all") or hasattr(source, "__arrow_c_stream__")
    if isinstance(source, Iterator) and not is_stream:
        kind = type(source).__name__
        raise InMemoryDataError(f"a {kind}, which can be read once: write list(...)")
    if isinstance(source, Sequence):
        raise InMemoryDataError(f"a {type(source).__name__}")
    for name, column in source.items() if isinstance(source, Mapping) else ():
        if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
            raise InMemoryDataError(f"a dict of which '{name}' is no column")
        if len(getattr(column, "shape", (0,))) > 1:
            raise InMemoryDataError(f"a dict of which the column '{name}' has several dimensions")


def maps_images_to_scores(source: Any) -> bool:
    """Whether a source gives each image a dict from concepts to scores."""
    return (
        isinstance(source, Mapping)
        and bool(source)
        and all(
            isinstance(row, Mapping) and row and all(map(is_score, row.values()))
            for row in source.values()
        )
    )


def is_score(value: Any) -> bool:
    return isinstance(value, float | int | np.number) and not isinstance(value, bool)


def maps_images_to_names(source: Any) -> bool:
    """Whether a source gives each image the name of its class."""
    return (
        isinstance(source, Mapping)
        and bool(source)
        and all(isinstance(name, str | int) for name in source.values())
    )


def maps_images_to_tags(source: Any) -> bool:
    """Whether a source gives each image, named by its file, a list of names."""
    return (
        isinstance(source, Mapping)
        and bool(source)
        and all(isinstance(image, str) and is_image_file(image) for image in source)
        and all(
            isinstance(tags, list | tuple | set | frozenset)
            and all(isinstance(tag, str) for tag in tags)
            for tags in source.values()
        )
    )


def is_row_list(source: Any) -> bool:
    """Whether a source is a list of rows, each a dict of cells by column."""
    return (
        isinstance(source, Sequence)
        and not isinstance(source, str | bytes)
        and bool(source)
        and all(isinstance(row, Mapping) and all(map(is_cell, row.values())) for row in source)
    )


def is_cell(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | np.generic)


def maps_images_to_detections(source: Any) -> bool:
    if not isinstance(source, Mapping) or not source:
        return False
    image_values = list(source.values())
    return any(
        is_detections(image_value)
        or isinstance(image_value, Mapping)
        or (is_pipeline_output(image_value) and len(image_value) > 0)
        for image_value in image_values
    )


def is_detections(candidate: Any) -> bool:
    return hasattr(candidate, "xyxy") and hasattr(candidate, "class_id")


def is_pipeline_output(candidate: Any) -> bool:
    is_sequence = isinstance(candidate, Sequence) and not isinstance(candidate, str | bytes)
    return is_sequence and all(
        isinstance(output, Mapping) and "label" in output for output in candidate
    )


def flatten_detections(source: Mapping[Any, Any]) -> dict[str, Any]:
    """One row per detection; an image without detections gets a row without a concept."""
    detection_rows: list[tuple[str, str, float | None, tuple[float, ...] | None]] = []
    for image, image_detections in source.items():
        parsed_detections = [*parse_detections(image_detections)]
        detection_rows += [(str(image), *detection) for detection in parsed_detections] or [
            (str(image), "", None, None)
        ]
    columns: dict[str, Any] = {
        "image": [detection_row[0] for detection_row in detection_rows],
        "concept": [detection_row[1] for detection_row in detection_rows],
    }
    ignored = [flag for detections in source.values() for flag in flag_ignored(detections)]
    if any(ignored):
        columns["ignore"] = ignored
    if any(detection_row[2] is not None for detection_row in detection_rows):
        columns["score"] = np.array(
            [
                np.nan if detection_row[2] is None else detection_row[2]
                for detection_row in detection_rows
            ],
            float,
        )
    if any(detection_row[3] is not None for detection_row in detection_rows):
        boxes = np.array(
            [detection_row[3] or (np.nan,) * 4 for detection_row in detection_rows], float
        )
        columns |= {
            column_name: boxes[:, coordinate_index]
            for coordinate_index, column_name in enumerate(CORNER_KEYS)
        }
    return columns


def flag_ignored(image_detections: Any) -> list[int]:
    """Of each row of an image: whether it is a crowd, as torchvision's and torchmetrics' targets
    say."""
    count = len(parse_detections(image_detections)) or 1
    stated = image_detections.get("iscrowd") if isinstance(image_detections, Mapping) else None
    flags = [] if stated is None else [int(flag) for flag in np.asarray(stated).ravel().tolist()]
    return flags if len(flags) == count else [0] * count


def parse_detections(
    image_detections: Any,
) -> list[tuple[str, float | None, tuple[float, ...] | None]]:
    """(concept, score, corners) of one image."""
    if is_detections(image_detections):
        class_labels = (getattr(image_detections, "data", None) or {}).get("class_name")
        class_values = (
            class_labels
            if class_labels is not None
            else []
            if image_detections.class_id is None
            else image_detections.class_id
        )
        return zip_detections(class_values, image_detections.confidence, image_detections.xyxy)
    if isinstance(image_detections, Mapping):
        has_other_boxes = "boxes" not in image_detections and any(
            "box" in str(key).lower() for key in image_detections
        )
        if "labels" not in image_detections or has_other_boxes:
            raise InMemoryDataError(
                f"a dict of {', '.join(map(str, image_detections))}; expected boxes (corners in "
                "pixels), labels and scores"
            )
        return zip_detections(
            image_detections["labels"],
            image_detections.get("scores"),
            boxes_of_detections(image_detections),
        )
    return [
        (
            str(detection["label"]),
            detection.get("score"),
            tuple(float(detection["box"][corner]) for corner in CORNER_KEYS)
            if detection.get("box")
            else None,
        )
        for detection in image_detections
    ]


def boxes_of_detections(image_detections: Mapping[str, Any]) -> Any:
    """The boxes, or those around the masks; None if there are neither."""
    masks = image_masks(image_detections)
    if image_detections.get("boxes") is not None or masks is None:
        return image_detections.get("boxes")
    if len(masks) != len(image_detections["labels"]):
        raise InMemoryDataError(
            f"{len(masks)} masks and {len(image_detections['labels'])} labels of one image; "
            "expected equal numbers"
        )
    box = measure_masks(masks).box
    return np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)


def image_masks(image_detections: Any) -> Masks | None:
    """The masks of one image's detections, if they have any."""
    arrays = (
        getattr(image_detections, "mask", None)
        if is_detections(image_detections)
        else image_detections.get("masks")
        if isinstance(image_detections, Mapping)
        else None
    )
    if arrays is None:
        return None
    try:
        return encode_mask_arrays(arrays)
    except ValueError as error:
        raise InMemoryDataError(f"{error}; expected an array (n, height, width)") from error
    except (KeyError, IndexError, TypeError) as error:
        raise InMemoryDataError("masks that are no array (n, height, width)") from error


def detection_masks(source: Any) -> Masks | None:
    """The masks of all detections in their order, nothing for those without; None if no image has
    any."""
    if not maps_images_to_detections(source):
        return None
    masks = [image_masks(image_detections) for image_detections in source.values()]
    if not any(image is not None for image in masks):
        return None
    counts = [len(parse_detections(image_detections)) for image_detections in source.values()]
    for image_name, image, count in zip(source, masks, counts, strict=True):
        if image is not None and len(image) != count:
            raise InMemoryDataError(
                f"{len(image)} masks and {count} labels of image '{image_name}'; expected equal "
                "numbers"
            )
    return concat_masks(
        [
            no_masks(count) if image is None else image
            for image, count in zip(masks, counts, strict=True)
        ]
    )


ORIENTED_KEY = "xyxyxyxy"
"""Where `supervision.Detections.data` has the corners of oriented boxes."""


def detection_outlines(source: Any) -> list[str] | None:
    """The corners of all detections in their order, as JSON polygons in pixels; None if the
    detections are not oriented boxes."""
    if not maps_images_to_detections(source):
        return None
    data = [getattr(detections, "data", None) or {} for detections in source.values()]
    if not any(ORIENTED_KEY in image_data for image_data in data):
        return None
    outlines: list[str] = []
    for detections, image_data in zip(source.values(), data, strict=True):
        count = len(parse_detections(detections))
        corners = np.asarray(image_data.get(ORIENTED_KEY, np.empty((0, 4, 2))), float)
        if corners.size and corners.shape != (count, 4, 2):
            raise InMemoryDataError(f"corners of shape {corners.shape}; expected ({count}, 4, 2)")
        polygons = corners.reshape(-1, 8).tolist()
        outlines += [json.dumps([polygon]) for polygon in polygons] or [""] * count
    return outlines


def zip_detections(
    concepts: Any, scores: Any, boxes: Any
) -> list[tuple[str, float | None, tuple[float, ...] | None]]:
    concept_names = [
        format_concept(concept)
        for concept in (concepts.tolist() if hasattr(concepts, "tolist") else concepts)
    ]
    score_values = (
        [None] * len(concept_names)
        if scores is None
        else np.asarray(scores, float).reshape(-1).tolist()
    )
    corners = None if boxes is None else np.asarray(boxes, float)
    if corners is not None and corners.size and corners.shape[1:] != (4,):
        raise InMemoryDataError(f"boxes of shape {corners.shape}; expected (n, 4)")
    box_corners = (
        [None] * len(concept_names)
        if corners is None
        else [tuple(box) for box in corners.reshape(-1, 4).tolist()]
    )
    if not len(concept_names) == len(score_values) == len(box_corners):
        raise InMemoryDataError(
            f"{len(concept_names)} labels, {len(score_values)} scores and {len(box_corners)} "
            "boxes of one image; expected equal numbers"
        )
    return list(zip(concept_names, score_values, box_corners, strict=True))


def format_concept(concept: Any) -> str:
    return (
        str(int(concept)) if isinstance(concept, float) and concept.is_integer() else str(concept)
    )
