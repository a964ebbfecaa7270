"""One peer, or Pellucid, from batches of arrays to COCO's twelve figures: `python
metric_competitors.py NAME BATCHES` prints the durations and the peak memory.

Run by `metric_objects.py` in a process of its own, with the interpreter that has the peers. Peers
without a metric object get what torchmetrics builds for them: records in memory, from arrays.
"""

import contextlib
import importlib
import io
import json
import sys
import time

import numpy as np
from competitors import PEERS, peak_memory


def get_images(path):
    """(prediction, target) of each image, as a data loader and a model give them."""
    columns = dict(np.load(path))
    ends = {side: np.cumsum(columns[f"{side}_count"]) for side in ("predicted", "annotated")}
    images = []
    starts = {"predicted": 0, "annotated": 0}
    for number in range(len(ends["predicted"])):
        rows = {side: slice(starts[side], ends[side][number]) for side in ends}
        starts = {side: ends[side][number] for side in ends}
        predicted, annotated = rows["predicted"], rows["annotated"]
        prediction = {
            "boxes": columns["predicted_box"][predicted],
            "labels": columns["predicted_label"][predicted],
            "scores": columns["predicted_score"][predicted],
        }
        target = {
            "boxes": columns["annotated_box"][annotated],
            "labels": columns["annotated_label"][annotated],
            "iscrowd": columns["crowd"][annotated],
        }
        images.append((prediction, target))
    return images


def pellucid(images):
    import pellucid

    metric = pellucid.DetectionMetric(box_format="xywh")
    begin = time.perf_counter()
    for prediction, target in images:
        metric.update([prediction], [target])
    figures = metric.compute()
    names = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large", "mar_1", "mar_10")
    names += ("mar_100", "mar_small", "mar_medium", "mar_large")
    return time.perf_counter() - begin, [float(figures[name]) for name in names]


def records(images):
    """What COCO's classes take: annotations and results, as records."""
    annotations, results = [], []
    for number, (prediction, target) in enumerate(images, 1):
        rows = zip(
            target["boxes"].tolist(),
            target["labels"].tolist(),
            target["iscrowd"].tolist(),
            strict=True,
        )
        for box, label, crowd in rows:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": label + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(crowd),
                }
            )
        rows = zip(
            prediction["boxes"].tolist(),
            prediction["labels"].tolist(),
            prediction["scores"].tolist(),
            strict=True,
        )
        for box, label, score in rows:
            results.append(
                {"image_id": number, "category_id": label + 1, "bbox": box, "score": score}
            )
    return annotations, results


def like_pycocotools(coco_module, eval_module, evaluator):
    def run(images):
        coco = importlib.import_module(coco_module)
        evaluation = importlib.import_module(eval_module)
        begin = time.perf_counter()
        annotations, results = records(images)
        labels = {record["category_id"] for record in annotations}
        labels |= {record["category_id"] for record in results}
        document = {
            "images": [{"id": number} for number in range(1, len(images) + 1)],
            "categories": [{"id": label, "name": str(label)} for label in sorted(labels)],
            "annotations": annotations,
        }
        with contextlib.redirect_stdout(io.StringIO()):
            truth = make_truth(coco, document)
            judge = getattr(evaluation, evaluator)(truth, truth.loadRes(results), "bbox")
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return time.perf_counter() - begin, [float(value) for value in judge.stats[:12]]

    return run


def make_truth(coco, document):
    """The peer's data set of a document in memory; some take it in the constructor."""
    truth = coco.COCO()
    truth.dataset = document
    truth.createIndex()
    return truth


COMPETITORS = {"pellucid": pellucid} | {
    name: like_pycocotools(*modules) for name, modules in PEERS.items()
}

if __name__ == "__main__":
    name, path = sys.argv[1:]
    seconds, figures = COMPETITORS[name](get_images(path))
    memory = peak_memory()
    json.dump({"seconds": seconds, "memory": memory, "figures": figures}, sys.stdout)
