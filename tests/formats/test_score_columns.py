"""Which columns of a table of predictions are the scores of concepts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

IMAGES = [f"im_{number}.jpg" for number in range(9)]


def view_of(folder: Path, names: Sequence[str]) -> Any:
    rows = "".join(f"{image},{names[n % len(names)]}\n" for n, image in enumerate(IMAGES))
    source = toys.write(folder / "truth.csv", f"image,label\n{rows}")
    return pellucid.open(folder / "w").add("v", source, kind="classification")[0]


def scores_of(folder: Path, header: Sequence[str]) -> Path:
    """A table of scores of a classifier that is always right; columns in the order of the names."""
    lines = [",".join(["image", *header])]
    for number, image in enumerate(IMAGES):
        right = number % len(header)
        lines.append(
            ",".join([image, *(("0.8" if n == right else "0.1") for n in range(len(header)))])
        )
    return toys.write(folder / "p.csv", "\n".join(lines) + "\n")


def accuracy(view: Any, source: Path, **options: Any) -> float | None:
    version = view.version_or_draft("m")
    version.add_predictions(source, **options)
    figure: float | None = version.metrics().overall.argmax_accuracy
    return figure


@pytest.mark.parametrize("name", ["index", "split", "score", "label", "image_id", "set"])
def test_columns_are_concepts_whatever_their_names_mean_elsewhere(
    name: str, tmp_path: Path
) -> None:
    names = [name, "middle", "ring"]
    assert accuracy(view_of(tmp_path, names), scores_of(tmp_path, names)) == 1


HEADERS: list[tuple[str, Callable[[int, str], str]]] = [
    ("number behind", lambda n, name: f"proba_{name}_{n}"),
    ("number before", lambda n, name: f"{n}_{name}"),
    ("number in brackets", lambda n, name: f"{name} ({n})"),
    ("capitals and a suffix", lambda n, name: f"{name.upper()}_SCORE"),
    ("softmax", lambda n, name: f"softmax_{n}_{name}"),
]


@pytest.mark.parametrize("form", [form for _, form in HEADERS], ids=[name for name, _ in HEADERS])
def test_concepts_between_numbers_and_words(
    form: Callable[[int, str], str], tmp_path: Path
) -> None:
    names = ["ants", "bees", "wasps"]
    header = [form(number, name) for number, name in enumerate(names)]
    assert accuracy(view_of(tmp_path, names), scores_of(tmp_path, header)) == 1


@pytest.mark.parametrize("names", [["😀", "😡"], ["+", "-"], ["±", "ok"]])
def test_concepts_without_letters(names: list[str], tmp_path: Path) -> None:
    assert accuracy(view_of(tmp_path, names), scores_of(tmp_path, names)) == 1


@pytest.mark.parametrize("role", ["concept", "score"])
def test_columns_that_the_user_names(role: str, tmp_path: Path) -> None:
    view, source = view_of(tmp_path, ["ants", "bees"]), scores_of(tmp_path, ["col_a", "col_b"])
    columns = {"image": "image", role: ["col_a", "col_b"]}
    rename = {"col_a": "ants", "col_b": "bees"}
    assert accuracy(view, source, columns=columns, rename=rename) == 1


@pytest.mark.parametrize("header", ["nom_image,prédiction,score", "image,label,score"])
def test_a_concept_that_is_not_recognised_is_asked_for(header: str, tmp_path: Path) -> None:
    """Not a score, which is there; the remedy works."""
    names = ["0.5", "1.5"] if "label" in header else ["cat", "dog"]
    truth = "".join(f"{image},{names[n % 2]}\n" for n, image in enumerate(IMAGES))
    source = toys.write(tmp_path / "truth.csv", f"image,label\n{truth}")
    columns = {"image": "image", "concept": "label"}
    view, _ = pellucid.open(tmp_path / "w").add("v", source, columns=columns)
    rows = "".join(f"{image},{names[n % 2]},0.9\n" for n, image in enumerate(IMAGES))
    results = toys.write(tmp_path / "p.csv", f"{header}\n{rows}")
    with pytest.raises(PellucidError, match=r"recognised as the concept.*concept=COLUMN"):
        accuracy(view, results)
    image, concept, _ = header.split(",")
    assert accuracy(view, results, columns={"image": image, "concept": concept}) == 1


def test_numbers_beside_probabilities_are_not_read(tmp_path: Path) -> None:
    """The columns of the concepts sum to one: a time and a flag are no further concepts."""
    view = view_of(tmp_path, ["cat", "dog", "owl"])
    lines = scores_of(tmp_path, ["cat", "dog", "owl"]).read_text().split()
    texts = [f"{line},0.00{n},0" for n, line in enumerate(lines[1:], 3)]
    head = f"{lines[0]},inference_time,occluded"
    source = toys.write(tmp_path / "q.csv", "\n".join([head, *texts]))
    version = view.version_or_draft("m")
    notes = version.add_predictions(source)
    assert "not read: 'inference_time', 'occluded'" in str(notes)
    assert [one.concept for one in version.metrics().concepts] == ["cat", "dog", "owl"]


def test_concepts_that_the_annotations_lack_are_read(tmp_path: Path) -> None:
    """The columns of all concepts sum to one."""
    view = view_of(tmp_path, ["cat", "dog"])
    source = scores_of(tmp_path, ["cat", "dog", "owl"])
    version = view.version_or_draft("m")
    notes = version.add_predictions(source)
    assert "scores from 'cat', 'dog', 'owl'" in str(notes)


def test_a_class_called_like_a_missing_one_is_said(tmp_path: Path) -> None:
    """`NA` of the annotations may be North America: the predictions show it."""
    view = view_of(tmp_path, ["NA", "EU", "AS"])
    rows = "".join(f"{image},{['NA', 'EU', 'AS'][n % 3]},0.9\n" for n, image in enumerate(IMAGES))
    results = toys.write(tmp_path / "p.csv", f"image,label,score\n{rows}")
    with pytest.raises(PellucidError, match=r"'NA'.*rename it in both files"):
        accuracy(view, results)
    for name in ("truth.csv", "p.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(",NA", ",North America"), encoding="utf-8")
    again, _ = pellucid.open(tmp_path / "again").add("v", tmp_path / "truth.csv")
    assert accuracy(again, results) == 1


@pytest.mark.parametrize("key", ["certainty", "objectness", "det_score", "classConfidence"])
def test_scores_of_json_under_other_names_are_read(tmp_path, key):
    truth = [{"image": f"{n}.jpg", "label": "cat", "bbox": [n, 5, 40, 30 + n]} for n in range(9)]
    predicted = [record | {key: 0.5 + n / 50} for n, record in enumerate(truth)]
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", toys.write(tmp_path / "t.json", json.dumps(truth)), boxes="xywh-pixels"
    )
    version = view.start("m")
    source = toys.write(tmp_path / "p.json", json.dumps(predicted))
    version.add_predictions(source, boxes="xywh-pixels")
    assert [item.score for item in version.gallery("matched")][-1] == 0.5


def test_a_score_of_json_that_the_user_names_is_read(tmp_path):
    truth = [{"image": f"{n}.jpg", "label": "cat", "bbox": [n, 5, 40, 30 + n]} for n in range(9)]
    predicted = [record | {"q": 0.5 + n / 50} for n, record in enumerate(truth)]
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", toys.write(tmp_path / "t.json", json.dumps(truth)), boxes="xywh-pixels"
    )
    version = view.start("m")
    source = toys.write(tmp_path / "p.json", json.dumps(predicted))
    version.add_predictions(source, boxes="xywh-pixels", columns={"score": "q"})
    assert len(version.gallery("matched")) == 9


@pytest.mark.parametrize("with_concept", [True, False])
def test_a_prediction_string_with_the_score_last_is_read(tmp_path, with_concept):
    truth = [f"{n}.jpg,cat,{n + 3},5,40,{30 + n}" for n in range(9)]
    lines = "\n".join(["image,label,x,y,width,height", *truth]) + "\n"
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.write(tmp_path / "t.csv", lines))
    concept = "cat " if with_concept else ""
    cells = [f"{n}.jpg,{concept}{n + 3} 5 40 {30 + n} 0.{n + 1}" for n in range(9)]
    lines = "\n".join(["image_id,PredictionString", *cells]) + "\n"
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.csv", lines), boxes="xywh-pixels")
    assert [item.score for item in version.gallery("matched")] == [n / 10 for n in range(9, 0, -1)]


def test_predicted_positions_of_classes_are_read(tmp_path):
    truth = "".join(f"{n}.jpg,{('cat', 'dog', 'fox')[n % 3]}\n" for n in range(12))
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", toys.write(tmp_path / "t.csv", "image,label\n" + truth)
    )
    rows = "".join(f"{n}.jpg,{n % 3},0.9\n" for n in range(12))
    version = view.start("m")
    source = toys.write(tmp_path / "p.csv", "image,pred_idx,score\n" + rows)
    with pytest.raises(PellucidError, match="--category-ids positions-from-0"):
        version.add_predictions(source)
    version.add_predictions(source, category_ids="positions-from-0")
    assert len(version.gallery("matched")) == 12
