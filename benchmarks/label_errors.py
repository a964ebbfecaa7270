"""How well the order `mistakes` finds label errors, beside cleanlab on the same input.
Run alone with `python -m benchmarks.label_errors`."""

from __future__ import annotations

import copy
import csv
import json
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import pellucid

CHECKOUT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("PELLUCID_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
CLEANLAB = CHECKOUT / ".venv/peers/bin/python"
AT = (10, 50, 100)
SHARE, SEEDS = 0.15, 3
KINDS = ("removed", "shifted", "relabelled")
MODELS = ("nanodet", "mb3-centernet", "yolov3-tiny")


def report_sections(folder: Path) -> list[str]:
    """Markdown; sections whose data is missing say so."""
    if not SHARED.is_dir():
        return [
            "## Finding label errors\n\nNot measured: the data sets are not at "
            f"{SHARED.name} (PELLUCID_SHARED_DATA)."
        ]
    return [
        measure_digits(folder / "digits"),
        measure_boxes(folder / "boxes"),
        measure_demo(folder / "demo"),
    ]


def run_cleanlab(what: str, question: dict[str, Any], folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "question.json"
    path.write_text(json.dumps(question), encoding="utf-8")
    done = subprocess.run(
        [str(CLEANLAB), str(Path(__file__).parent / "cleanlab_scores.py"), what, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_digits(folder: Path) -> str:
    """The digits that people examined: 100 candidates of the MNIST test set, 15 of them
    wrong."""
    source = SHARED / "mnist_test_labelerrors"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(source / "images.zip") as archive:
        archive.extractall(folder / "pictures")
    workspace = pellucid.open(folder / "digits.pellucid")
    view, _ = workspace.add(
        "digits", source / "labels.csv", images=folder / "pictures", kind="classification"
    )
    version = view.start("cv")
    version.add_predictions(source / "pred_cleanlab_cv.csv")
    with (source / "mturk_verdicts.csv").open() as file:
        wrong = {row["image"] for row in csv.DictReader(file) if row["is_label_error"] == "1"}
    rows = []
    for tab in ("missing", "extra"):
        ours = [item.image for item in version.gallery(tab, order="mistakes")]  # type: ignore[arg-type]
        rows.append([f"Pellucid, {tab}", *count_found(ours, wrong), len(ours)])
    own = [item.image for item in version.gallery("extra")]
    rows.append(["Pellucid, extra, default order", *count_found(own, wrong), len(own)])
    with (source / "labels.csv").open() as file:
        labels = {row["image"]: int(row["label"]) for row in csv.DictReader(file)}
    with (source / "pred_cleanlab_cv.csv").open() as file:
        scores = {
            row["image"]: [float(row[f"p_{digit}"]) for digit in range(10)]
            for row in csv.DictReader(file)
        }
    names = list(labels)
    for by in ("self_confidence", "normalized_margin"):
        question = {
            "labels": [labels[name] for name in names],
            "scores": [scores[name] for name in names],
            "by": by,
        }
        ranked = [names[place] for place in run_cleanlab("images", question, folder)["ranked"]]
        rows.append(
            [f"cleanlab `find_label_issues`, by {by}", *count_found(ranked, wrong), len(ranked)]
        )
    text = (
        "The MNIST test set with cross-validated probabilities (cleanlab/label-errors); people "
        "examined 100 candidates and found 15 wrong. "
        "Of the first items, how many are among these 15 (most of the others were not examined and "
        "count as correct)."
    )
    return (
        "## Label errors: "
        f"digits\n\n{text}\n\n{format_table(['', *(f'first {most}' for most in AT), 'listed'], rows)}"
    )


def count_found(ranked: list[str], wrong: set[str]) -> list[int]:
    return [sum(one in wrong for one in ranked[:most]) for most in AT]


def measure_boxes(folder: Path) -> str:
    """coco256 with boxes removed, shifted or relabelled at random."""
    base = json.loads((SHARED / "coco256/annotations/instances.json").read_text())
    rows = []
    for kind in KINDS:
        for model in MODELS:
            guesses = json.loads(
                (SHARED / f"coco256/predictions/{model}/coco_results.json").read_text()
            )
            each = [
                score_methods(base, guesses, kind, seed, folder / f"{kind}-{model}-{seed}")
                for seed in range(SEEDS)
            ]
            for who in each[0]:
                figures = np.mean([one[who] for one in each], axis=0)
                rows.append(
                    [
                        kind,
                        model,
                        who,
                        f"{figures[0]:.3f}",
                        *(f"{number:.1f}" for number in figures[1:]),
                    ]
                )
    text = (
        f"coco256 (1,827 boxes of people) with {SHARE:.0%} of the boxes removed, shifted by 25 to "
        "60 % of their size, or given another concept at random; "
        f"mean of {SEEDS} seeds. Ranked are all annotations (shifted, relabelled) or all "
        "predictions (removed; right is one that overlaps a removed box of its "
        "concept with IoU of at least 0.5). cleanlab's per-box scores "
        "(`compute_overlooked_box_scores`, `compute_badloc_box_scores`, "
        "`compute_swap_box_scores`) with "
        "their own thresholds, and with 0.4 in their place, which suits scores as low as these "
        "detectors'."
    )
    return (
        "## Label errors: "
        f"boxes\n\n{text}\n\n{format_table(['mistake', 'predictions of', '', 'average precision', *(f'first {most}' for most in AT)], rows)}"
    )


def score_methods(
    base: dict[str, Any], guesses: list[dict[str, Any]], kind: str, seed: int, folder: Path
) -> dict[str, list[float]]:
    folder.mkdir(parents=True)
    spoilt, truth = corrupt_annotations(base, kind, seed)
    (folder / "spoilt.json").write_text(json.dumps(spoilt))
    (folder / "results.json").write_text(json.dumps(guesses))
    workspace = pellucid.open(folder / "w")
    view, _ = workspace.add("v", folder / "spoilt.json")
    version = view.start("m")
    version.add_predictions(folder / "results.json")
    found = {"Pellucid": ranking_metrics(*score_with_pellucid(version, kind, spoilt, truth))}
    for threshold in (None, 0.4):
        name = "cleanlab" if threshold is None else f"cleanlab, {threshold}"
        found[name] = ranking_metrics(
            *score_with_cleanlab(spoilt, guesses, truth, kind, threshold, folder)
        )
    return found


def corrupt_annotations(
    base: dict[str, Any], kind: str, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data set with label errors, and the annotations that were removed or are now wrong."""
    chance, document = np.random.default_rng(seed), copy.deepcopy(base)
    size = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    concepts = [concept["id"] for concept in document["categories"]]
    kept, changed = [], []
    for note in document["annotations"]:
        if chance.random() >= SHARE:
            kept.append(note)
            continue
        changed.append(note)
        if kind == "removed":
            continue
        left, top, width, height = note["bbox"]
        if kind == "shifted":
            across, down = size[note["image_id"]]
            by = (
                chance.choice([-1, 1], 2) * chance.uniform(0.25, 0.6, 2) * np.array([width, height])
            )
            note["bbox"] = [
                float(np.clip(left + by[0], 0, across - 2)),
                float(np.clip(top + by[1], 0, down - 2)),
                width,
                height,
            ]
        else:
            note["category_id"] = int(
                chance.choice([one for one in concepts if one != note["category_id"]])
            )
        kept.append(note)
    document["annotations"] = kept
    return document, changed


def score_with_pellucid(
    version: Any, kind: str, spoilt: dict[str, Any], truth: list[dict[str, Any]]
) -> tuple[Any, Any]:
    """Suspicion of each box, and whether it is right to suspect it."""
    evaluation, suspicion = version.evaluation, version.results().suspicion
    names = {image["id"]: image["file_name"] for image in spoilt["images"]}
    concepts = {concept["id"]: concept["name"] for concept in spoilt["categories"]}
    place = {path: row for row, path in enumerate(evaluation.images.path)}
    at: dict[tuple[int, str], list[list[float]]] = {}
    for note in truth:
        at.setdefault((place[names[note["image_id"]]], concepts[note["category_id"]]), []).append(
            note["bbox"]
        )
    table, score = (
        (evaluation.predictions, suspicion.prediction_scores)
        if kind == "removed"
        else (evaluation.annotations, suspicion.annotation_scores)
    )
    least = 0.5 if kind == "removed" else 0.999
    right = [
        any(iou(own, other) >= least for other in at.get((image, evaluation.concepts[concept]), ()))
        for image, concept, own in zip(
            table.image.tolist(), table.concept.tolist(), table.box.tolist(), strict=True
        )
    ]
    return score, np.array(right)


def score_with_cleanlab(
    spoilt: dict[str, Any],
    guesses: list[dict[str, Any]],
    truth: list[dict[str, Any]],
    kind: str,
    threshold: float | None,
    folder: Path,
) -> tuple[Any, Any]:
    place = {image["id"]: row for row, image in enumerate(spoilt["images"])}
    number = {concept["id"]: row for row, concept in enumerate(spoilt["categories"])}
    labels: list[dict[str, Any]] = [{"boxes": [], "labels": []} for _ in place]
    predictions: list[list[list[Any]]] = [[[] for _ in number] for _ in place]
    owners: list[list[dict[str, Any]]] = [[] for _ in place]
    for note in spoilt["annotations"]:
        row = place[note["image_id"]]
        labels[row]["boxes"].append(to_corners(note["bbox"]))
        labels[row]["labels"].append(number[note["category_id"]])
        owners[row].append(note)
    for guess in guesses:
        predictions[place[guess["image_id"]]][number[guess["category_id"]]].append(
            [*to_corners(guess["bbox"]), guess["score"], guess]
        )
    asked = [[[one[:5] for one in several] for several in image] for image in predictions]
    answer = run_cleanlab(
        "boxes",
        {"labels": labels, "predictions": asked, "kind": kind, "threshold": threshold},
        folder,
    )["scores"]
    things = (
        [[one[5] for several in image for one in several] for image in predictions]
        if kind == "removed"
        else owners
    )
    wrong = {id(note) for note in truth}
    score, right = [], []
    for scores, several in zip(answer, things, strict=True):
        for value, thing in zip(scores, several, strict=True):
            score.append(-np.inf if value is None else -value)
            near = (
                note
                for note in truth
                if note["image_id"] == thing["image_id"]
                and note["category_id"] == thing["category_id"]
            )
            right.append(
                any(iou(thing["bbox"], note["bbox"]) >= 0.5 for note in near)
                if kind == "removed"
                else id(thing) in wrong
            )
    return np.array(score), np.array(right)


def to_corners(box: list[float]) -> list[float]:
    left, top, width, height = box
    return [left, top, left + width, top + height]


def iou(one: list[float], other: list[float]) -> float:
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    whole = one[2] * one[3] + other[2] * other[3] - both
    return both / whole if whole else 0.0


def ranking_metrics(score: Any, right: Any) -> list[float]:
    """Average precision, and how many of the first are right."""
    ranked = right[np.argsort(-score, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return [
        float((precision * ranked).sum() / max(1, ranked.sum())),
        *(float(ranked[:most].sum()) for most in AT),
    ]


def measure_demo(folder: Path) -> str:
    """The mistakes that the demo plants; its models are trained on annotations that hold them."""
    from pellucid.demo import demo_workspace

    workspace = demo_workspace(folder)
    with (folder / "sources/planted-mistakes.csv").open(encoding="utf-8") as file:
        planted = list(csv.DictReader(file))
    rows = []
    for view in ("cells", "findings", "smears"):
        version = workspace.view(view).version("v2")
        mine = [one for one in planted if one["view"] == view]
        for tab in ("missing", "extra"):
            for order in ("score", "mistakes"):
                hits = [is_planted(item, mine) for item in version.gallery(tab, order=order)]  # type: ignore[arg-type]
                number = sum(hits)
                rows.append([view, tab, order, f"{sum(hits[:number])} of {number}", len(hits)])
    text = (
        "On validation: of the planted mistakes that a tab lists, how many are among as many "
        "first items."
    )
    return (
        "## Label errors: the "
        f"demo\n\n{text}\n\n{format_table(['view', 'tab', 'order', 'found', 'items'], rows)}"
    )


def is_planted(item: Any, mistakes: list[dict[str, str]]) -> bool:
    for mistake in mistakes:
        box = (
            [float(side) for side in mistake["box"].strip("()").split(",")]
            if mistake["box"]
            else None
        )
        if mistake["image"] == item.image and (
            box is None or (item.box is not None and iou(box, list(item.box)) >= 0.4)
        ):
            return True
    return False


def format_table(headings: list[str], rows: list[list[Any]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pellucid-bench-") as temporary:
        print("\n\n".join(report_sections(Path(temporary))))
