"""Formats that are recognised and not read are refused by their name, with a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

LABELS = "image,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n"
SOURCES = {
    "a.manifest": ('{"source-ref": "s3://b/a.jpg", "bb": {"annotations": []}}', "SageMaker"),
    "a.odgt": ('{"ID": "a", "gtboxes": [{"tag": "cat", "fbox": [1, 2, 3, 4]}]}', "CrowdHuman"),
    "bdd.json": (
        '[{"name": "a.jpg", "labels": [{"category": "car", "box2d": {"x1": 1, "y1": 2}}]}]',
        "BDD100K",
    ),
    "a.ndjson": ('{"data_row": {"external_id": "a.jpg"}, "projects": {}}', "Labelbox"),
    "darwin.json": (
        '{"item": {"name": "a.jpg", "slots": []}, "annotations": [{"name": "cat"}]}',
        "Darwin",
    ),
    "a.jpg.json": (
        '{"objects": [{"classTitle": "cat", "geometryType": "rectangle"}], "tags": []}',
        "Supervisely",
    ),
    "vertex.jsonl": ('{"imageGcsUri": "gs://b/a.jpg", "boundingBoxAnnotations": []}', "Vertex AI"),
    "labels.json": (
        '{"classes": ["cat"], "labels": {"a": [{"label": 0, "bounding_box": [0.1, 0.1, 0.2, 0.2]}]}}',
        "FiftyOne",
    ),
    "spans.jsonl": (
        '{"image": "a.jpg", "spans": [{"label": "cat", "points": [[1, 2], [3, 4]]}]}',
        "Prodigy",
    ),
    "scale.json": (
        '[{"task_id": "1", "params": {"attachment": "a.jpg"}, "response": {"annotations": []}}]',
        "Scale",
    ),
    "encord.json": ('[{"data_title": "a.jpg", "label_hash": "h", "data_units": {}}]', "Encord"),
    "superannotate.json": (
        '{"metadata": {"name": "a.jpg"}, "instances": [{"className": "cat"}]}',
        "SuperAnnotate",
    ),
    "azure.json": ('[{"name": "a.jpg", "regions": [{"tagName": "cat", "left": 0.4}]}]', "Azure"),
    "middle.json": (
        '[{"filename": "a.jpg", "ann": {"bboxes": [[1, 2, 3, 4]], "labels": [0]}}]',
        "MMDetection",
    ),
    "chat.jsonl": ('{"messages": [{"role": "user", "content": "a.jpg"}]}', "chat model"),
    "answers.jsonl": ('{"custom_id": "a.jpg", "response": {"choices": []}}', "chat model"),
    "mot.txt": ("1,1,66,189,191,109,1,1,1.0\n2,1,310,6,188,48,1,1,1.0\n", "MOT"),
    "visdrone.txt": ("145,63,186,74,1,1,0,0\n327,247,163,149,1,1,0,0\n", "VisDrone"),
    "rle.csv": ("ImageId,ClassId,EncodedPixels\na.jpg,dog,121027 191 121667 191\n", "run lengths"),
}


@pytest.mark.parametrize("file_name", SOURCES)
def test_format_is_named(file_name: str, tmp_path: Path) -> None:
    text, name = SOURCES[file_name]
    source = toys.write(tmp_path / file_name, text)
    with pytest.raises(
        PellucidError, match=rf"unsupported format: .*{name}.*\. .*(Conv|Exp)ert|port"
    ):
        pellucid.open(tmp_path / "w").add("v", source)


PREDICTIONS = {
    "rekognition.json": (
        '{"a.jpg": {"CustomLabels": [{"Name": "cat", "Confidence": 59.5, "Geometry": {}}]}}',
        "Rekognition",
    ),
    "vertex.jsonl": (
        '{"prediction": {"displayNames": ["cat"], "confidences": [0.5], "bboxes": [[0, 1, 0, 1]]}}',
        "Vertex AI",
    ),
    "vision.json": (
        '{"a.jpg": {"localizedObjectAnnotations": [{"name": "cat", "score": 0.5}]}}',
        "Google Vision",
    ),
    "darwin.json": (
        '[{"annotations": [{"bounding_box": {"x": 3}, "inference": {"confidence": 0.5}}]}]',
        "V7",
    ),
    "comp4_det_val_cat.txt": ("a 0.5951 333.81 128.15 427.57 350.85\n", "Pascal VOC"),
    "a.txt": ("cat 0.5951 333 127 428 351\ncat 0.5088 424 5 577 57\n", "text files of a name"),
}


@pytest.mark.parametrize("file_name", PREDICTIONS)
def test_format_of_predictions_is_named(file_name: str, tmp_path: Path) -> None:
    text, name = PREDICTIONS[file_name]
    rows = "image,label,x,y,width,height\na.jpg,cat,1,2,30,40\n"
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.write(tmp_path / "t.csv", rows))
    source = toys.write(tmp_path / file_name, text)
    with pytest.raises(PellucidError, match=rf"unsupported format: .*{name}"):
        view.start("m").add_predictions(source)


def test_image_sets_of_one_class_are_named(tmp_path: Path) -> None:
    for name in ("cat_train", "cat_val"):
        toys.write(tmp_path / f"sets/{name}.txt", "a  1\nb -1\nc  0\n")
    with pytest.raises(PellucidError, match="image sets of Pascal VOC"):
        pellucid.open(tmp_path / "w").add("v", tmp_path / "sets")


def test_tables_of_numbers_are_no_tracks(tmp_path: Path) -> None:
    """Text files of YOLO labels and tables with a header hold numbers too."""
    rows = "\n".join(f"{number}.jpg,{number % 2},{number},{number},9,9" for number in range(20))
    source = toys.write(tmp_path / "a.csv", f"image,label,x,y,width,height\n{rows}\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", source, boxes="xywh-pixels")
    assert len(view.manifest.concepts) == 2


def predict(folder: Path, document: Any) -> None:
    view, _ = pellucid.open(folder / "w").add("v", toys.write(folder / "a.csv", LABELS))
    view.version_or_draft("m").add_predictions(toys.write(folder / "p.json", json.dumps(document)))


def test_numbers_without_concepts_are_refused(tmp_path: Path) -> None:
    scores = {"a.jpg": [0.9, 0.1], "b.jpg": [0.2, 0.8], "c.jpg": [0.7, 0.3]}
    with pytest.raises(
        PellucidError, match=r'without the names of their concepts. Write {"cat": 0'
    ):
        predict(tmp_path, scores)


def test_names_that_match_nothing_can_be_mapped(tmp_path: Path) -> None:
    scores = {
        f"{image}.jpg": [{"label": f"LABEL_{number % 2}", "score": 0.9}]
        for number, image in enumerate("abc")
    }
    with pytest.raises(PellucidError, match="--category-ids positions-from-0"):
        predict(tmp_path, scores)
    named = json.loads(json.dumps(scores).replace("LABEL_", "class "))
    for entries, number in zip(named.values(), "xyx", strict=True):
        entries[0]["label"] = f"class {number}"
    with pytest.raises(PellucidError, match="specify --map NAME=CONCEPT for each name"):
        predict(tmp_path / "named", named)


@pytest.mark.parametrize(
    "text",
    [
        '{"a.jpg": "cat", "b.jpg": "dog", "a.jpg": "dog", "c.jpg": "cat"}',
        '{"a.jpg": {"label": "cat"}, "b.jpg": {"label": "dog"}, "a.jpg": {"label": "dog"}}',
    ],
)
def test_an_image_that_is_a_key_twice_is_refused(text: str, tmp_path: Path) -> None:
    source = toys.write(tmp_path / "a.json", text)
    with pytest.raises(PellucidError, match=r"states 1 image twice \('a.jpg'\)"):
        pellucid.open(tmp_path / "w").add("v", source)


def test_predictions_of_an_image_that_is_a_key_twice_are_refused(tmp_path: Path) -> None:
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.write(tmp_path / "a.csv", LABELS))
    text = '{"a.jpg": [{"label": "cat", "score": 0.5}], "a.jpg": [{"label": "dog", "score": 0.6}]}'
    with pytest.raises(PellucidError, match="states 1 image twice"):
        view.version_or_draft("m").add_predictions(toys.write(tmp_path / "p.json", text))


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["1", "2.0", "1.0", "2"], ["1", "2"]),
        (["1.0", "2.0", "1.0", "3"], ["1.0", "2.0", "3"]),
        (["v1.0", "v1", "1.0", "2.0"], ["1.0", "2.0", "v1", "v1.0"]),
    ],
)
def test_two_forms_of_a_number_are_one_concept(
    cells: list[str], names: list[str], tmp_path: Path
) -> None:
    rows = "\n".join(f"{letter}.jpg,{cell}" for letter, cell in zip("abcd", cells, strict=True))
    source = toys.write(tmp_path / "a.csv", f"image,label\n{rows}\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert sorted(concept.name for concept in view.manifest.concepts) == names
