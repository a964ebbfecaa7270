"""COCO metrics during training, fed batch by batch with arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pellucid.core.masks import Masks, create_masks, no_masks
from pellucid.core.outlines import encode_mask
from pellucid.core.tables import Annotations, Float64Array, Int64Array, Predictions, string_column
from pellucid.evaluation.coco_metrics import CocoMetrics, coco_metrics
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.dataset import ParsedPredictions, create_images
from pellucid.formats.mask_arrays import encode_mask_arrays
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import create_read_options
from pellucid.ingest.coco_eval import build_coco_inputs
from pellucid.integrations.errors import InvalidBatchError
from pellucid.integrations.tensors import to_numpy
from pellucid.project import Version, Workspace
from pellucid.storage.manifests import Concept

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
IouType = Literal["bbox", "segm"]
IOU_TYPES: tuple[IouType, ...] = ("bbox", "segm")
BOX_FORMATS: tuple[BoxFormat, ...] = ("xyxy", "xywh", "cxcywh")
ARRAYS = {
    "predicted_image": (np.int64, ()),
    "predicted_label": (np.int64, ()),
    "predicted_box": (np.float64, (4,)),
    "score": (np.float64, ()),
    "annotated_image": (np.int64, ()),
    "annotated_label": (np.int64, ()),
    "annotated_box": (np.float64, (4,)),
    "crowd": (np.bool_, ()),
    "area": (np.float64, ()),
    "predicted_mask": (np.object_, ()),
    "annotated_mask": (np.object_, ()),
}
"""The collected arrays: dtype, and shape of a row. Boxes are [left, top, width, height]; masks are
outlines as in Annotations, '' where boxes are compared."""
TORCHMETRICS_NAMES = {
    "map": "AP",
    "map_50": "AP50",
    "map_75": "AP75",
    "map_small": "APs",
    "map_medium": "APm",
    "map_large": "APl",
    "mar_1": "AR1",
    "mar_10": "AR10",
    "mar_100": "AR100",
    "mar_small": "ARs",
    "mar_medium": "ARm",
    "mar_large": "ARl",
}


@dataclass
class DetectionMetric:
    """The twelve COCO metrics of boxes or masks, equal to pycocotools', without files.

    `update` takes batches as torchmetrics' `MeanAveragePrecision` does; `compute` gives the figures
    of everything so far. Across processes, collect each one's `state()` and `merge` them. If image
    names are given, `save` leaves a version with its gallery behind.

        metric = pellucid.DetectionMetric()
        for images, targets in loader:
            metric.update(model(images), targets)
        metric.compute()["map"]
    """

    box_format: BoxFormat = "xyxy"
    """Of all boxes, in pixels: two corners; left, top, width, height; or center and size."""
    class_names: Sequence[str] | None = None
    """Names of the labels 0, 1, ...; by default a label is its own name."""
    iou_type: IouType = "bbox"
    """What is compared: `bbox`, or `segm` for masks."""
    _parts: dict[str, list[Any]] = field(default_factory=dict, repr=False)
    _image_count: int = field(default=0, repr=False)
    _image_names: list[str | None] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.box_format not in BOX_FORMATS:
            raise InvalidBatchError("box_format", f"one of {', '.join(BOX_FORMATS)}")
        if self.iou_type not in IOU_TYPES:
            raise InvalidBatchError("iou_type", f"one of {', '.join(IOU_TYPES)}")
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._parts = {name: [] for name in ARRAYS}
        self._image_count, self._image_names = 0, []

    def update(
        self,
        preds: Sequence[Mapping[str, Any]],
        targets: Sequence[Mapping[str, Any]],
        images: Sequence[str | Path] | None = None,
    ) -> None:
        """Add a batch: one mapping per image, in the same order.

        preds: `boxes` (n, 4), `scores` (n,), `labels` (n,). targets: `boxes` (m, 4), `labels` (m,),
        and optionally `iscrowd` (m,) and `area` (m,) in square pixels; a value of 0 in `area` means
        the area of the box. With `segm` both have `masks` (n, height, width), not 0 on the object,
        and need no boxes; areas are those of the masks. Arrays, lists, and tensors of any device
        and precision are accepted.
        images: their file names, if `save` is to be used.

        Raises:
            InvalidBatchError: the lists or arrays do not fit together, or a score or box is not
                finite. Nothing of the batch is added.
        """
        if len(preds) != len(targets) or (images is not None and len(images) != len(targets)):
            raise InvalidBatchError(
                "preds, targets and images", "lists of equal length, one entry per image"
            )
        rows = [
            self._parse_image(self._image_count + place, prediction, target)
            for place, (prediction, target) in enumerate(zip(preds, targets, strict=True))
        ]
        for arrays in rows:
            for name, array in arrays.items():
                self._parts[name].append(array)
        self._image_count += len(rows)
        self._image_names += (
            [None] * len(rows) if images is None else [str(name) for name in images]
        )

    def _parse_image(
        self, image: int, prediction: Mapping[str, Any], target: Mapping[str, Any]
    ) -> dict[str, Any]:
        predicted_mask = annotated_mask = None
        if self.iou_type == "segm":
            predicted_mask = parse_masks(prediction, "preds", image)
            annotated_mask = parse_masks(target, "targets", image)
            if len(predicted_mask) and len(annotated_mask):
                require_same_size(predicted_mask, annotated_mask, image)
            predicted_box = measure_masks(predicted_mask).box
            annotated_box, annotated_area, _ = measure_masks(annotated_mask)
        else:
            predicted_box = parse_boxes(prediction, "preds", image, self.box_format)
            annotated_box = parse_boxes(target, "targets", image, self.box_format)
            annotated_area = annotated_box[:, 2] * annotated_box[:, 3]
        counts = len(predicted_box), len(annotated_box)
        predicted_label = self._parse_labels(prediction, "preds", image, counts[0])
        annotated_label = self._parse_labels(target, "targets", image, counts[1])
        area = to_array(target, "area", "targets", image, counts[1], np.float64, 0.0)
        return {
            "predicted_image": np.full(counts[0], image),
            "predicted_label": predicted_label,
            "predicted_box": predicted_box,
            "score": to_array(prediction, "scores", "preds", image, counts[0], np.float64),
            "annotated_image": np.full(counts[1], image),
            "annotated_label": annotated_label,
            "annotated_box": annotated_box,
            "crowd": to_array(target, "iscrowd", "targets", image, counts[1], np.bool_, False),
            "area": np.where(area == 0, annotated_area, area),
            "predicted_mask": outline_column(predicted_mask, counts[0]),
            "annotated_mask": outline_column(annotated_mask, counts[1]),
        }

    def _parse_labels(self, record: Mapping[str, Any], side: str, image: int, count: int) -> Any:
        labels = to_array(record, "labels", side, image, count, np.int64)
        names = self.class_names
        if names is not None and ((labels < 0) | (labels >= len(names))).any():
            raise InvalidBatchError(
                f"{side}[{image}]['labels']",
                f"positions in class_names, from 0 to {len(names) - 1}",
            )
        return labels

    def state(self) -> dict[str, Any]:
        """What was collected, as NumPy arrays: to be pickled, gathered and merged."""
        return {
            **{name: self._column(name) for name in ARRAYS},
            "image_count": self._image_count,
            "image_names": list(self._image_names),
        }

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what another process collected, as further images."""
        for name in ARRAYS:
            offset = self._image_count if name.endswith("_image") else 0
            array = np.asarray(state[name])
            self._parts[name].append(array + offset if offset else array)
        self._image_count += int(state["image_count"])
        self._image_names += list(state["image_names"])

    def compute(self) -> dict[str, Any]:
        """The figures by torchmetrics' names: `map`, `map_50`, ... `mar_large`, -1 where there are
        no annotations; `map_per_class` and `mar_100_per_class`, float64 (classes,), of the labels
        in `classes`, int64 (classes,)."""
        classes, metrics = self._evaluate()
        figures: dict[str, Any] = {
            name: -1.0 if (value := metrics.stats[key]) is None else value
            for name, key in TORCHMETRICS_NAMES.items()
        }
        figures["map_per_class"] = np.nan_to_num(metrics.ap, nan=-1.0)
        figures["mar_100_per_class"] = np.nan_to_num(metrics.ar, nan=-1.0)
        figures["classes"] = classes
        return figures

    def save(
        self, workspace: str | Path, view: str, version: str, images: str | Path | None = None
    ) -> Version:
        """Keep what was collected as a version with its gallery. The view is created from the
        targets if it does not exist; otherwise the predictions are added to it.

        images: the folder of the image files.

        Raises:
            InvalidBatchError: `update` was called without image names.
            PellucidError: the version exists and has predictions, or names do not fit.
        """
        if None in self._image_names or not self._image_names:
            raise InvalidBatchError("images", "file names in every call of update, for save")
        opened = Workspace(workspace)
        if view in opened.views:
            target_view = opened.view(view)
        else:
            target_view, _ = opened.add(
                view, self._annotation_document(), images=images, kind="detection"
            )
        target_version = target_view.start(version)
        target_version.add_predictions(
            self._to_predictions(target_view.manifest.concepts), covered="listed"
        )
        return target_version

    def _evaluate(self) -> tuple[Int64Array, CocoMetrics]:
        labels = self._column("annotated_label"), self._column("predicted_label")
        classes = np.unique(np.concatenate(labels))
        annotated_concept, predicted_concept = (
            np.searchsorted(classes, column).astype(np.int32) for column in labels
        )
        annotations = Annotations(
            self._column("annotated_image").astype(np.int32),
            annotated_concept,
            self._column("annotated_box"),
            self._column("crowd"),
            np.ones(len(annotated_concept), bool),
            self._column("area"),
            mask=self._masks("annotated_mask"),
        )
        predicted_mask = self._masks("predicted_mask")
        predictions = Predictions(
            self._column("predicted_image").astype(np.int32),
            predicted_concept,
            self._column("score"),
            self._column("predicted_box"),
            np.arange(len(predicted_concept), dtype=np.int32),
            predicted_mask,
            None if predicted_mask is None else measure_masks(predicted_mask).area,
        )
        ids = [str(image) for image in range(self._image_count)]
        inputs = build_coco_inputs(
            create_images(ids, image_ids=ids), annotations, predictions, len(classes)
        )
        return classes, coco_metrics(inputs, len(classes), max(1, self._image_count))

    def _column(self, name: str) -> Any:
        dtype, row_shape = ARRAYS[name]
        return np.concatenate([np.zeros((0, *row_shape), dtype), *self._parts[name]])

    def _masks(self, name: str) -> Masks | None:
        """The masks of one side; None if boxes are compared."""
        if self.iou_type == "bbox":
            return None
        shapes = [json.loads(outline) for outline in self._column(name).tolist()]
        sizes = np.array([shape["size"] for shape in shapes], np.int32).reshape(-1, 2)
        return create_masks([shape["counts"] for shape in shapes], *sizes.T.copy())

    def _name(self, label: int) -> str:
        return str(label) if self.class_names is None else self.class_names[label]

    def _annotation_document(self) -> dict[str, Any]:
        labels = self._column("annotated_label"), self._column("predicted_label")
        rows = zip(
            *(
                self._column(name).tolist()
                for name in (
                    "annotated_image",
                    "annotated_label",
                    "annotated_box",
                    "crowd",
                    "area",
                    "annotated_mask",
                )
            ),
            strict=True,
        )
        return {
            "images": [
                {"id": image, "file_name": name, "width": 0, "height": 0}
                for image, name in enumerate(self._image_names)
            ],
            "categories": [
                {"id": label, "name": self._name(label)}
                for label in np.unique(np.concatenate(labels)).tolist()
            ],
            "annotations": [
                {
                    "id": row + 1,
                    "image_id": image,
                    "category_id": label,
                    "bbox": box,
                    "iscrowd": int(crowd),
                    "area": area,
                    **({"segmentation": json.loads(outline)} if outline else {}),
                }
                for row, (image, label, box, crowd, area, outline) in enumerate(rows)
            ],
        }

    def _to_predictions(self, concepts: Sequence[Concept]) -> ParsedPredictions:
        options = create_read_options("detection", concepts=[concept.name for concept in concepts])
        parsed = read_predictions(self._prediction_columns(), None, options)
        masks = self._masks("predicted_mask")
        if masks is None:
            return parsed
        return replace(parsed, mask=masks, area=measure_masks(masks).area)

    def _prediction_columns(self) -> dict[str, Any]:
        box, image = self._column("predicted_box"), self._column("predicted_image")
        empty = np.setdiff1d(np.arange(self._image_count), image)
        corners = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)
        corners = np.concatenate([corners, np.full((len(empty), 4), np.nan)])
        names = [self._image_names[row] for row in [*image.tolist(), *empty.tolist()]]
        concepts = [self._name(label) for label in self._column("predicted_label").tolist()]
        return {
            "image": names,
            "concept": concepts + [""] * len(empty),
            "score": np.concatenate([self._column("score"), np.full(len(empty), np.nan)]),
            **{
                side: corners[:, index]
                for index, side in enumerate(("xmin", "ymin", "xmax", "ymax"))
            },
        }


def parse_masks(record: Mapping[str, Any], side: str, image: int) -> Masks:
    location = f"{side}[{image}]['masks']"
    if record.get("masks") is None:
        raise InvalidBatchError(location, "an array of shape (n, height, width)")
    pixels = to_numpy(record["masks"], None)
    if pixels.size == 0:
        return no_masks(0)
    try:
        return encode_mask_arrays(pixels)
    except ValueError as error:
        raise InvalidBatchError(
            location, f"an array of shape (n, height, width), not {pixels.shape}"
        ) from error


def require_same_size(predicted: Masks, annotated: Masks, image: int) -> None:
    sizes = [(int(masks.height[0]), int(masks.width[0])) for masks in (predicted, annotated)]
    if sizes[0] != sizes[1]:
        raise InvalidBatchError(
            f"masks of image {image}",
            f"the same size in preds and targets, not {sizes[0]} and {sizes[1]}",
        )


def outline_column(masks: Masks | None, count: int) -> Any:
    return string_column(["" if masks is None else encode_mask(masks, row) for row in range(count)])


def to_array(
    record: Mapping[str, Any],
    key: str,
    side: str,
    image: int,
    length: int,
    dtype: Any,
    default: Any = None,
) -> Any:
    """One value per box. default: where the key may be absent."""
    location = f"{side}[{image}]['{key}']"
    if record.get(key) is None:
        if default is None:
            raise InvalidBatchError(location, f"{length} values, one per box")
        return np.full(length, default, dtype)
    array = to_numpy(record[key], dtype).reshape(-1)
    if len(array) != length:
        raise InvalidBatchError(location, f"{length} values, one per box, not {len(array)}")
    if array.dtype == np.float64 and not np.isfinite(array).all():
        raise InvalidBatchError(location, "finite numbers")
    return array


def parse_boxes(
    record: Mapping[str, Any], side: str, image: int, box_format: BoxFormat
) -> Float64Array:
    """float64 (n, 4): left, top, width, height in pixels."""
    location = f"{side}[{image}]['boxes']"
    if record.get("boxes") is None:
        raise InvalidBatchError(location, "an array of shape (n, 4)")
    boxes: Float64Array = to_numpy(record["boxes"], np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InvalidBatchError(location, f"an array of shape (n, 4), not {boxes.shape}")
    if not np.isfinite(boxes).all():
        raise InvalidBatchError(location, "finite numbers")
    if box_format == "xyxy":
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    elif box_format == "cxcywh":
        boxes = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)
    if (boxes[:, 2:] < 0).any():
        raise InvalidBatchError(location, f"boxes as {box_format}, with sizes of at least 0")
    return boxes
