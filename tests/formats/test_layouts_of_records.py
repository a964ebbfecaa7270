"""Data frames as JSON, nested columns of Parquet, comments above a header, text files of
classifications: each is read as the plain table of the same facts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

IMAGES = [f"im{index}.jpg" for index in range(12)]
LABELS = ["cat", "dog", "big cat"]
TRUTH = [LABELS[index % 3] for index in range(12)]
SCORES = np.random.default_rng(4).dirichlet(np.ones(3), 12).round(3)
Table = dict[str, list[Any]]
Answers = list[tuple[str, str, float]]

ANNOTATIONS: Table = {"image": IMAGES, "label": TRUTH}
WIDE: Table = {"image": IMAGES} | dict(zip(LABELS, SCORES.T.tolist(), strict=True))


def rows_of(table: Table) -> list[list[Any]]:
    return [list(row) for row in zip(*table.values(), strict=True)]


def csv_text(table: Table) -> str:
    return "\n".join(",".join(map(str, row)) for row in [list(table), *rows_of(table)]) + "\n"


def by_column(table: Table) -> object:
    return {
        name: {str(row): cell for row, cell in enumerate(cells)} for name, cells in table.items()
    }


def split(table: Table) -> object:
    return {"columns": list(table), "index": list(range(12)), "data": rows_of(table)}


def split_without_index(table: Table) -> object:
    return {"columns": list(table), "data": rows_of(table)}


FRAMES = [by_column, split, split_without_index]


def annotated_view(folder: Path) -> pellucid.View:
    source = toys.write(folder / "annotations.csv", csv_text(ANNOTATIONS))
    return pellucid.open(folder / "w").add("v", source)[0]


def labels(view: pellucid.View) -> dict[str, str]:
    images, rows, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    pairs = zip(rows.image.tolist(), rows.concept.tolist(), strict=True)
    return {str(images.path[image]): names[concept] for image, concept in pairs}


def answers(folder: Path, source: Path) -> Answers:
    version = annotated_view(folder).start("m")
    version.add_predictions(source)
    evaluation = version.evaluation
    predictions = evaluation.predictions
    return sorted(
        (
            str(evaluation.images.path[image]),
            evaluation.concepts[concept],
            round(float(score), 3),
        )
        for image, concept, score in zip(
            predictions.image, predictions.concept, predictions.score, strict=True
        )
    )


EXPECTED: Answers = sorted(
    (image, label, float(score))
    for image, scores in zip(IMAGES, SCORES, strict=True)
    for label, score in zip(LABELS, scores, strict=True)
)


@pytest.mark.parametrize("layout", FRAMES)
def test_data_frames(layout: Callable[[Table], object], tmp_path: Path) -> None:
    source = toys.write(tmp_path / "a.json", json.dumps(layout(ANNOTATIONS)))
    view, _ = pellucid.open(tmp_path / "annotated").add("v", source)
    assert labels(view) == dict(zip(IMAGES, TRUTH, strict=True))
    source = toys.write(tmp_path / "p.json", json.dumps(layout(WIDE)))
    assert answers(tmp_path, source) == EXPECTED


def test_scores_by_image_are_no_data_frame(tmp_path: Path) -> None:
    """The images are the keys, also where an image is called like a column."""
    names = ["image", *IMAGES[1:]]
    table = {"image": names, "label": TRUTH}
    annotations = toys.write(tmp_path / "annotations.csv", csv_text(table))
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations)
    entries = {
        name: dict(zip(LABELS, row, strict=True))
        for name, row in zip(names, SCORES.tolist(), strict=True)
    }
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.json", json.dumps(entries)))
    assert len(version.evaluation.predictions) == 36
    assert version.metrics().covered == 12


@pytest.mark.parametrize("comments", ["# made by tool\n", "# a, b\n#\n\n# classes: cat, dog\n"])
def test_comments_above_a_header(comments: str, tmp_path: Path) -> None:
    source = toys.write(tmp_path / "a.csv", comments + csv_text(ANNOTATIONS))
    view, _ = pellucid.open(tmp_path / "annotated").add("v", source)
    assert labels(view) == dict(zip(IMAGES, TRUTH, strict=True))
    source = toys.write(tmp_path / "p.csv", comments + csv_text(WIDE))
    assert answers(tmp_path, source) == EXPECTED


def test_a_header_that_begins_with_the_mark_of_comments(tmp_path: Path) -> None:
    source = toys.write(tmp_path / "a.csv", "#" + csv_text(ANNOTATIONS))
    view, _ = pellucid.open(tmp_path / "annotated").add("v", source)
    assert labels(view) == dict(zip(IMAGES, TRUTH, strict=True))


def test_lines_behind_comments_keep_their_numbers(tmp_path: Path) -> None:
    source = toys.write(tmp_path / "a.csv", "# one\n# two\nimage,label\na.jpg,cat\nb.jpg\n")
    with pytest.raises(PellucidError, match="line 5"):
        pellucid.open(tmp_path / "w").add("v", source)


def write_classifications(folder: Path) -> Path:
    for image, scores in zip(IMAGES, SCORES.tolist(), strict=True):
        ranked = sorted(zip(scores, LABELS, strict=True), reverse=True)
        lines = "".join(f"{score} {label}\n" for score, label in ranked)
        toys.write(folder / image.replace(".jpg", ".txt"), lines)
    return folder


def test_text_files_of_classifications(tmp_path: Path) -> None:
    """ultralytics writes them with `save_txt=True`."""
    assert answers(tmp_path, write_classifications(tmp_path / "labels")) == EXPECTED


def test_a_line_without_a_confidence_is_refused(tmp_path: Path) -> None:
    folder = write_classifications(tmp_path / "labels")
    toys.write(folder / "im3.txt", "0.9 cat\ndog\n")
    version = annotated_view(tmp_path).start("m")
    with pytest.raises(PellucidError, match=r"im3\.txt: line 2: found 'dog'"):
        version.add_predictions(folder)


@pytest.mark.parametrize("name", ["predictions", "outputs", "preds"])
def test_lists_of_labels_and_scores_in_parquet(name: str, tmp_path: Path) -> None:
    lists = [
        [
            {"label": label, "score": score}
            for label, score in zip(LABELS, scores.tolist(), strict=True)
        ]
        for scores in SCORES
    ]
    pq.write_table(pa.table({"image": IMAGES, name: lists}), tmp_path / "p.parquet")
    assert answers(tmp_path, tmp_path / "p.parquet") == EXPECTED


def test_objects_in_parquet(tmp_path: Path) -> None:
    best = [{"label": LABELS[row.argmax()], "score": float(row.max())} for row in SCORES]
    pq.write_table(pa.table({"image": IMAGES, "prediction": best}), tmp_path / "p.parquet")
    expected = [(i, b["label"], b["score"]) for i, b in zip(IMAGES, best, strict=True)]
    assert answers(tmp_path, tmp_path / "p.parquet") == sorted(expected)


@pytest.mark.parametrize("names", [("label_1", "label_2"), ("class1", "class2")])
def test_numbered_columns_of_concepts_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    """Both remedies are tried."""
    text = f"image,{names[0]},{names[1]}\na.jpg,cat,red\nb.jpg,dog,\nc.jpg,cat,blue\n"
    source = toys.write(tmp_path / "a.csv", text)
    workspace = pellucid.open(tmp_path / "w")
    with pytest.raises(PellucidError, match=f"--columns concept={names[0]}") as raised:
        workspace.add("v", source)
    assert "'cat|red'" in str(raised.value)
    view, _ = workspace.add("one", source, columns={"concept": names[0]})
    assert labels(view) == {"a.jpg": "cat", "b.jpg": "dog", "c.jpg": "cat"}
    joined = toys.write(tmp_path / "b.csv", "image,labels\na.jpg,cat|red\nb.jpg,dog\n")
    view, _ = workspace.add("both", joined)
    assert [concept.name for concept in view.manifest.concepts] == ["cat", "dog", "red"]
