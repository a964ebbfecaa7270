"""Figures of classification and tagging equal scikit-learn's, on real data."""

import csv

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

pytestmark = pytest.mark.shared


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("split", ["training", "validation"])
@pytest.mark.parametrize("predictions", ["pred_v1_colorhist_rf.csv", "pred_v2_efficientnet_lr.csv"])
def test_flowers(shared, workspace, split, predictions):
    folder = shared / "flowers5"
    view, _ = workspace.add("flowers", folder / "labels.csv")
    version = view.start("v")
    version.add_predictions(folder / predictions)
    metrics = version.metrics(split)
    scores = {row["image"]: row for row in table(folder / predictions)}
    labels = [row for row in table(folder / "labels.csv") if split.startswith(row["split"])]
    concepts = [figures.concept for figures in metrics.concepts]
    truth, argmax, decided = [], [], []
    for row in labels:
        best = max(
            concepts,
            key=lambda name, row=row: (
                float(scores[row["image"]][f"p_{name}"]),
                -concepts.index(name),
            ),
        )
        truth.append(row["label"])
        argmax.append(best)
        decided.append(
            best
            if float(scores[row["image"]][f"p_{best}"]) >= version.thresholds[best].value
            else "none"
        )
    assert metrics.overall.accuracy == pytest.approx(accuracy_score(truth, decided), abs=1e-12)
    assert metrics.overall.argmax_accuracy == pytest.approx(
        accuracy_score(truth, argmax), abs=1e-12
    )
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, decided, labels=concepts, zero_division=np.nan
    )
    for place, figures in enumerate(metrics.concepts):
        assert (figures.precision, figures.recall, figures.f1) == pytest.approx(
            (precision[place], recall[place], f1[place]), abs=1e-12
        )
        assert figures.tp + figures.fn == support[place]
    assert metrics.overall.macro_f1 == pytest.approx(f1.mean(), abs=1e-12)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    "predictions",
    [
        "pred_v0_max_score_yolov3-tiny",
        "pred_v1_efficientnet_lr_oof",
        "pred_v2_max_score_mb3-centernet",
    ],
)
def test_tags_of_coco256(shared, workspace, predictions):
    folder = shared / "coco256" / "multilabel"
    view, _ = workspace.add("tags", folder / "labels_onehot.csv")
    version = view.start("v")
    version.add_predictions(folder / f"{predictions}.csv")
    metrics = version.metrics("validation")
    concepts = [figures.concept for figures in metrics.concepts]
    truth = np.array(
        [[int(row[name]) for name in concepts] for row in table(folder / "labels_onehot.csv")]
    )
    scores = np.array(
        [[float(row[name]) for name in concepts] for row in table(folder / f"{predictions}.csv")]
    )
    decided = (scores >= [version.thresholds[name].value for name in concepts]).astype(int)
    assert metrics.overall.micro_f1 == pytest.approx(
        f1_score(truth, decided, average="micro"), abs=1e-12
    )
    precision, recall, _, _ = precision_recall_fscore_support(truth, decided, zero_division=np.nan)
    for place, figures in enumerate(metrics.concepts):
        ours = (figures.precision if figures.precision is not None else np.nan, figures.recall)
        assert ours == pytest.approx((precision[place], recall[place]), abs=1e-12, nan_ok=True)
