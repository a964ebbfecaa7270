"""What cleanlab suspects, in a process of its own: reads a JSON question, prints a JSON answer.
Run by benchmarks/label_errors.py."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")


def images(question: dict) -> dict:  # type: ignore[type-arg]
    """find_label_issues, ranked: positions of images."""
    from cleanlab.filter import find_label_issues

    ranked = find_label_issues(
        np.array(question["labels"]),
        np.array(question["scores"]),
        return_indices_ranked_by=question["by"],
    )
    return {"ranked": [int(one) for one in ranked]}


def boxes(question: dict) -> dict:  # type: ignore[type-arg]
    """Scores of boxes, low for suspects: of annotations (badly placed, swapped), or of
    predictions (overlooked). NaN as null."""
    from cleanlab.object_detection import rank

    labels = [
        {
            "bboxes": np.array(one["boxes"], float).reshape(-1, 4),
            "labels": np.array(one["labels"], int),
        }
        for one in question["labels"]
    ]
    guesses = []
    for image in question["predictions"]:
        by_class = np.empty(len(image), dtype=object)
        for place, several in enumerate(image):
            by_class[place] = np.array(several, float).reshape(-1, 5)
        guesses.append(by_class)
    work = {
        "removed": rank.compute_overlooked_box_scores,
        "shifted": rank.compute_badloc_box_scores,
        "relabelled": rank.compute_swap_box_scores,
    }
    options = (
        {}
        if question["threshold"] is None
        else {
            "low_probability_threshold"
            if question["kind"] == "shifted"
            else "high_probability_threshold": question["threshold"]
        }
    )
    found = work[question["kind"]](labels=labels, predictions=guesses, **options)
    return {
        "scores": [[None if np.isnan(one) else float(one) for one in several] for several in found]
    }


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps({"images": images, "boxes": boxes}[sys.argv[1]](asked)))
