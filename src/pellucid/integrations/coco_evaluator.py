"""The surface of pycocotools' COCOeval over Pellucid's evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.tables import Float64Array, Geometry
from pellucid.ingest.coco_eval import evaluate_coco
from pellucid.integrations.errors import InvalidBatchError

SUMMARY = (
    ("AP", "Average Precision  (AP)", "0.50:0.95", "all", 100),
    ("AP50", "Average Precision  (AP)", "0.50", "all", 100),
    ("AP75", "Average Precision  (AP)", "0.75", "all", 100),
    ("APs", "Average Precision  (AP)", "0.50:0.95", "small", 100),
    ("APm", "Average Precision  (AP)", "0.50:0.95", "medium", 100),
    ("APl", "Average Precision  (AP)", "0.50:0.95", "large", 100),
    ("AR1", "Average Recall     (AR)", "0.50:0.95", "all", 1),
    ("AR10", "Average Recall     (AR)", "0.50:0.95", "all", 10),
    ("AR100", "Average Recall     (AR)", "0.50:0.95", "all", 100),
    ("ARs", "Average Recall     (AR)", "0.50:0.95", "small", 100),
    ("ARm", "Average Recall     (AR)", "0.50:0.95", "medium", 100),
    ("ARl", "Average Recall     (AR)", "0.50:0.95", "large", 100),
)
"""The lines of COCO's summary, in the order of `stats`: name, title, IoU, area, detections."""
KEYPOINT_SUMMARY = (
    ("AP", "Average Precision  (AP)", "0.50:0.95", "all", 20),
    ("AP50", "Average Precision  (AP)", "0.50", "all", 20),
    ("AP75", "Average Precision  (AP)", "0.75", "all", 20),
    ("APm", "Average Precision  (AP)", "0.50:0.95", "medium", 20),
    ("APl", "Average Precision  (AP)", "0.50:0.95", "large", 20),
    ("AR", "Average Recall     (AR)", "0.50:0.95", "all", 20),
    ("AR50", "Average Recall     (AR)", "0.50", "all", 20),
    ("AR75", "Average Recall     (AR)", "0.75", "all", 20),
    ("ARm", "Average Recall     (AR)", "0.50:0.95", "medium", 20),
    ("ARl", "Average Recall     (AR)", "0.50:0.95", "large", 20),
)

GEOMETRY_BY_TYPE: dict[str, Geometry] = {"bbox": "box", "segm": "mask", "keypoints": "keypoints"}


class CocoEvaluator:
    """In the place of `pycocotools.cocoeval.COCOeval` with its default parameters.

    evaluator = pellucid.CocoEvaluator("instances_val.json", "predictions.json")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    evaluator.stats
    """

    def __init__(self, coco_gt: Any, coco_dt: Any, iou_type: str = "bbox") -> None:
        """coco_gt, coco_dt: paths, documents in memory, or pycocotools' `COCO` objects.

        Raises:
            InvalidBatchError: iou_type is not `bbox`, `segm` or `keypoints`.
        """
        if iou_type not in GEOMETRY_BY_TYPE:
            raise InvalidBatchError("iou_type", f"'bbox', 'segm' or 'keypoints', not '{iou_type}'")
        self._geometry = GEOMETRY_BY_TYPE[iou_type]
        self._annotations = coco_gt.dataset if hasattr(coco_gt, "dataset") else coco_gt
        self._predictions = loaded_results(coco_dt) if hasattr(coco_dt, "dataset") else coco_dt
        self.stats: Float64Array = np.zeros(0)
        """float64 (12,), of keypoints (10,): in COCO's order, -1 where there are no annotations."""
        self._figures: dict[str, float | None] = {}

    def evaluate(self) -> None:
        """Match and count. Raises PellucidError if an input cannot be read."""
        self._figures, _ = evaluate_coco(
            self._annotations, self._predictions, geometry=self._geometry
        )

    def accumulate(self) -> None:
        """Nothing is left to do after `evaluate`; kept so that existing code runs."""

    def summarize(self) -> None:
        """Print the metrics as pycocotools does, and set `stats`."""
        if not self._figures:
            self.evaluate()
        summary = KEYPOINT_SUMMARY if self._geometry == "keypoints" else SUMMARY
        values = [self._figures[name] for name, *_ in summary]
        self.stats = np.array([-1.0 if value is None else value for value in values])
        for (_, title, iou, area, detections), value in zip(summary, self.stats, strict=True):
            print(
                f" {title} @[ IoU={iou:<9} | area={area:>6s} | maxDets={detections:>3d} ] = "
                f"{value:0.3f}"
            )


def loaded_results(coco_dt: Any) -> list[dict[str, Any]]:
    """The results in a `COCO` object. `loadRes` gives masks a box, which their size by area is not
    that of: such boxes, whose area is not the one stated, are left out."""
    return [
        {key: value for key, value in result.items() if key != "bbox"}
        if "segmentation" in result and result["area"] != result["bbox"][2] * result["bbox"][3]
        else result
        for result in coco_dt.dataset["annotations"]
    ]
