"""One peer, or Pellucid, from two JSON files to COCO's twelve figures: `python competitors.py
NAME ANNOTATIONS RESULTS [segm]` prints the durations and the peak memory.

Run by `figures.py` in a process of its own, with the interpreter that has the peers.
"""

import contextlib
import importlib
import io
import json
import sys
import time
from pathlib import Path


def peak_memory():
    """Megabytes at the highest, of this program alone: what the system counts for a process
    includes the one it was forked from."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def pellucid(annotations, results, kind):
    import pellucid

    pellucid.coco_figures
    begin = time.perf_counter()
    geometry = {"bbox": "box", "segm": "mask"}[kind]
    figures = list(pellucid.coco_figures(annotations, results, geometry=geometry).values())
    return time.perf_counter() - begin, [-1 if value is None else value for value in figures]


def like_pycocotools(coco_module, eval_module, evaluator):
    def run(annotations, results, kind):
        coco = importlib.import_module(coco_module)
        evaluation = importlib.import_module(eval_module)
        begin = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            truth = coco.COCO(annotations)
            judge = getattr(evaluation, evaluator)(truth, truth.loadRes(results), kind)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return time.perf_counter() - begin, [float(value) for value in judge.stats[:12]]

    return run


PEERS = {
    "ultrafast-pycocotools": ("ultrafast_pycocotools", "ultrafast_pycocotools", "COCOeval"),
    "hotcoco": ("hotcoco", "hotcoco", "COCOeval"),
    "faster-coco-eval": ("faster_coco_eval", "faster_coco_eval", "COCOeval_faster"),
    "pycocotools": ("pycocotools.coco", "pycocotools.cocoeval", "COCOeval"),
}
"""The modules of each peer's data set and evaluation, and the name of its evaluator."""
COMPETITORS = {"pellucid": pellucid} | {
    name: like_pycocotools(*modules) for name, modules in PEERS.items()
}

if __name__ == "__main__":
    name, annotations, results, *kind = sys.argv[1:]
    seconds, figures = COMPETITORS[name](annotations, results, *(kind or ["bbox"]))
    memory = peak_memory()
    json.dump({"seconds": seconds, "memory": memory, "figures": figures}, sys.stdout)
