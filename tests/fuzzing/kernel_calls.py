"""Calls of the kernel with arguments made from bytes; each compares with NumPy where it can."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from fuzzing.seeds import SEEDS
from pellucid import _native
from pellucid.core.masks import create_masks
from pellucid.core.tables import (
    EXHAUSTIVE,
    HAS_PREDICTIONS,
    Annotations,
    Images,
    Predictions,
    string_column,
)
from pellucid.evaluation.coco_metrics import compute_coco_metrics
from pellucid.evaluation.evaluation import build_evaluation
from pellucid.evaluation.mask_runs import masks_of_polygons, measure_masks, pairwise_mask_iou
from pellucid.evaluation.oriented_boxes import pairwise_oriented_iou
from pellucid.formats.readers.coco_results import parse_columns_native

SIDE = 40
"""Of the images in pixels."""


def call_kernel(data: bytes) -> None:
    """The first byte chooses the function, the rest are its arguments."""
    if data:
        CALLS[data[0] % len(CALLS)](data[1:])


def parse_results(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".json", delete=False) as file:
        file.write(data)
    try:
        for with_masks in (False, True):
            parse_columns_native(Path(file.name), with_masks=with_masks)
    finally:
        Path(file.name).unlink()


def measure(data: bytes) -> None:
    """Every text between line breaks is a mask."""
    texts = data.decode("latin-1").split("\n")[:20]
    masks = create_masks(texts, [SIDE] * len(texts), [SIDE] * len(texts))
    rows = np.arange(len(texts))

    def compute() -> list[np.ndarray]:
        iou = pairwise_mask_iou(masks, rows, masks, rows[::-1].copy(), rows % 3 == 0)
        return [*measure_masks(masks), iou]

    compare_with_numpy(compute)


def rasterize(data: bytes) -> None:
    """Numbers of a tenth of a pixel; 32767 ends a polygon, -32768 an object."""
    objects: list[list[list[float]]] = [[[]]]
    for number in numbers(data, "h"):
        if number == -32768:
            objects.append([[]])
        elif number == 32767:
            objects[-1].append([])
        else:
            objects[-1][-1].append(number / 10)
    whole = [
        [polygon[: len(polygon) // 2 * 2] for polygon in polygons if len(polygon) >= 4]
        for polygons in objects[:10]
    ]
    side = np.full(len(whole), SIDE, np.int32)

    def compute() -> list[np.ndarray]:
        masks = masks_of_polygons(whole, side, side)
        return [masks.text, masks.start]

    compare_with_numpy(compute)


def overlap_quads(data: bytes) -> None:
    """Sixteen small numbers a pair: the corners of both boxes."""
    corners = np.array(numbers(data, "b")[:320], float)
    pairs = corners[: len(corners) // 16 * 16].reshape(-1, 2, 8)
    ignored = np.arange(len(pairs)) % 2 == 0
    compare_with_numpy(lambda: [pairwise_oriented_iou(pairs[:, 0], pairs[:, 1], ignored)])


def match(data: bytes) -> None:
    """Seven bytes an object: image, concept, a score (of predictions) or a kind, and a box."""
    objects = np.frombuffer(data[: len(data) // 7 * 7], np.uint8).reshape(-1, 7)[:60].astype(int)
    is_prediction = objects[:, 2] >= 64
    predicted, annotated = objects[is_prediction], objects[~is_prediction]
    images = Images(
        string_column([f"{row}.jpg" for row in range(4)]),
        np.ones(4, np.int8),
        np.full(4, SIDE, np.int32),
        np.full(4, SIDE, np.int32),
        np.full(4, -1, np.int32),
        string_column([""] * 4),
        np.full(4, EXHAUSTIVE, np.int8),
        string_column([""] * 4),
    )

    def columns(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        box = rows[:, 3:].astype(float) / 4
        box[:, 2:] += 0.25
        return (rows[:, 0] % 4).astype(np.int32), (rows[:, 1] % 3).astype(np.int32), box

    image, concept, box = columns(annotated)
    annotations = Annotations(
        image,
        concept,
        box,
        annotated[:, 2] % 2 == 1,
        np.ones(len(box), bool),
        box[:, 2] * box[:, 3],
    )
    image, concept, box = columns(predicted)
    predictions = Predictions(
        image, concept, predicted[:, 2] / 255, box, np.arange(len(box), dtype=np.int32)
    )

    def compute() -> list[np.ndarray]:
        evaluation = build_evaluation(
            "detection",
            ("a", "b", "c"),
            images,
            np.full(4, HAS_PREDICTIONS, np.int8),
            annotations,
            predictions,
            0.5,
        )
        figures = compute_coco_metrics(evaluation, 1)
        return [evaluation.state, evaluation.partner, evaluation.iou, figures.ap]

    compare_with_numpy(compute)


def numbers(data: bytes, letter: str) -> list[int]:
    size = struct.calcsize(letter)
    count = len(data) // size
    return list(struct.unpack(f"<{count}{letter}", data[: count * size]))


def compare_with_numpy(compute: Callable[[], list[np.ndarray]]) -> None:
    native = compute()
    with mock.patch.object(_native, "library", None):
        for own, other in zip(native, compute(), strict=True):
            np.testing.assert_array_equal(own, other)


CALLS: list[Callable[[bytes], None]] = [parse_results, measure, rasterize, overlap_quads, match]
SEED_INPUTS = [
    bytes([position]) + arguments
    for position, arguments in enumerate(
        (
            SEEDS["results.json"].encode(),
            b"11h2\nR2;3\n<0o1",
            bytes(range(1, 49)),
            bytes(range(32)) * 2,
            bytes([0, 0, 1, 8, 8, 40, 40, 0, 0, 200, 8, 10, 40, 40]),
        )
    )
]
"""An input for each call."""
