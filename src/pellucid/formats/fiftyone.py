"""FiftyOne's `FiftyOneDataset` export: `samples.json` with label fields, `metadata.json`, and the pictures in `data/`.

Boxes are [left, top, width, height] in fractions of the picture. The field of the annotations is `ground_truth` where there is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.columns import Annotations, Predictions
from pellucid.errors import FieldUnclear, NothingPredicted, RecordBad, few
from pellucid.formats.gathering import Gathering, Numbers
from pellucid.formats.look import AnnotationFormat, Asked, Look, PredictionFormat
from pellucid.formats.outgoing import Outgoing, folder_for, sizes, write_json
from pellucid.formats.parsed import number_of, parsed_json
from pellucid.formats.source import AnnotationSource, PredictionSource, checked, codes, split_in

NAME = "fiftyone"
PREDICTIONS = "fiftyone-predictions"
TRUTH = ("ground_truth", "annotations", "labels", "detections", "label")
Label = dict[str, Any]


class File(msgspec.Struct):
    samples: list[dict[str, Any]]


def samples_file(look: Look) -> Path:
    return look.path / "samples.json" if look.is_dir else look.path


def is_it(look: Look) -> bool:
    head = look.head if not look.is_dir else look.head_of("samples.json") if (look.path / "samples.json").is_file() else ""
    return head.startswith("{") and '"samples"' in head and '"filepath"' in head


def label_fields(samples: list[dict[str, Any]]) -> dict[str, bool]:
    """The fields that hold labels, and whether these have a confidence."""
    found: dict[str, bool] = {}
    for sample in samples:
        for name, value in sample.items():
            if isinstance(value, dict) and value.get("_cls") in ("Detections", "Classification", "Classifications", "Polylines"):
                found[name] = found.get(name, False) or any(label.get("confidence") is not None for label in labels_of(value))
    return found


def labels_of(field: Label) -> list[Label]:
    several = next((field[key] for key in ("detections", "classifications", "polylines") if isinstance(field.get(key), list)), None)
    return [field] if several is None else [label for label in several if isinstance(label, dict)]


def truth_field(look: Look, samples: list[dict[str, Any]]) -> str | None:
    fields = label_fields(samples)
    certain = [name for name, has_confidence in fields.items() if not has_confidence]
    named = [name for name in TRUTH if name in certain]
    if not named and len(certain) > 1:
        raise FieldUnclear(look.path, "annotations", few(certain))
    return next(iter(named or certain), None)


def read(look: Look, asked: Asked) -> AnnotationSource:
    samples = parsed_json(samples_file(look), File, "FiftyOne").samples
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    field = truth_field(look, samples)
    for row, sample in enumerate(samples):
        split = split_in(sample.get("tags") or [])
        size = sample.get("metadata")
        width, height = (size.get(side) or 0 for side in ("width", "height")) if isinstance(size, dict) else (0, 0)
        value = sample.get(field) if field else None
        image = gathering.image(picture_of(look, sample, row), width, height, split, annotated=value is not None)
        for number, label in enumerate(labels_of(value) if isinstance(value, dict) else []):
            place, concept = f"$.samples[{row}].{field}[{number}]", str(label.get("label") or "")
            if label.get("bounding_box") is not None:
                gathering.box(image, concept, box_of(look, label, place), place, ignore=bool(label.get("iscrowd")))
            elif label.get("points"):
                gathering.around(image, concept, [(x, y) for line in label["points"] for x, y in line], place)
            else:
                gathering.tag(image, concept)
    return gathering.source(asked.kind, unit="fractions")


def picture_of(look: Look, sample: dict[str, Any], row: int) -> str:
    path = sample.get("filepath")
    if not isinstance(path, str):
        raise RecordBad(look.path, f"$.samples[{row}]", "it has no filepath", "Name its picture.")
    tidy = path.replace("\\", "/")
    return tidy.split("/data/", 1)[-1] if tidy.startswith("/") and "/data/" in tidy else tidy.removeprefix("data/").rsplit("//", 1)[-1]


def box_of(look: Look, label: Label, place: str) -> Numbers:
    sides = label["bounding_box"]
    if not isinstance(sides, list) or len(sides) != 4:
        raise RecordBad(look.path, place, f"its bounding_box is {sides!r:.60}", "Write [left, top, width, height] in fractions.")
    left, top, width, height = (number_of(side, look.path, place, "a side") for side in sides)
    return left, top, width, height


def is_predictions(look: Look) -> bool:
    return is_it(look) and '"confidence"' in (look.head or look.head_of("samples.json"))


def read_predictions(look: Look, asked: Asked) -> PredictionSource:
    samples = parsed_json(samples_file(look), File, "FiftyOne").samples
    fields = [name for name, has_confidence in label_fields(samples).items() if has_confidence]
    if not fields:
        raise NothingPredicted(look.path, "no label has a confidence")
    if len(fields) > 1 and "predictions" not in fields:
        raise FieldUnclear(look.path, "predictions", few(fields))
    field = "predictions" if "predictions" in fields else fields[0]
    image: list[int] = []
    concepts, scores, boxes = [], [], []
    keys = [picture_of(look, sample, row) for row, sample in enumerate(samples)]
    for row, sample in enumerate(samples):
        for number, label in enumerate(labels_of(sample[field]) if isinstance(sample.get(field), dict) else []):
            place = f"$.samples[{row}].{field}[{number}]"
            image.append(row)
            concepts.append(str(label.get("label") or ""))
            scores.append(number_of(label.get("confidence"), look.path, place, "confidence"))
            boxes.append(box_of(look, label, place) if label.get("bounding_box") is not None else (0.0, 0.0, 0.0, 0.0))
    detection = asked.kind == "detection"
    concept_keys, concept = codes(concepts)
    box = np.array(boxes, float).reshape(-1, 4) if detection else None
    source = PredictionSource(
        str(look.path), PREDICTIONS, keys, np.array(image, np.int32), concept_keys, concept, "name", np.array(scores, float), box,
        "fractions" if detection else "pixels", np.array(image, np.int64), "sample",
    )  # fmt: skip
    return checked(source)


def write(outgoing: Outgoing, path: Path) -> None:
    """`samples.json` and `metadata.json`; the pictures are named and not copied: FiftyOne wants them in `data/`."""
    folder = folder_for(path)
    detection = outgoing.kind == "detection"
    extents = sizes(outgoing, NAME) if detection else [(0, 0)] * len(outgoing.images)
    samples: list[dict[str, Any]] = [
        {"filepath": f"data/{name}", "tags": [outgoing.split(row)], "metadata": {"width": extents[row][0], "height": extents[row][1]}}
        for row, name in enumerate(outgoing.images.path)
    ]
    plain = outgoing.plain_annotations("FiftyOne") if outgoing.annotations is not None else None
    for name, table in (("ground_truth", plain), ("predictions", outgoing.predictions)):
        for image, rows in outgoing.of_image(table) if table is not None else ():
            labels = [written(outgoing, table, row, extents[image]) for row in rows] if table is not None else []
            many = {"_cls": "Detections", "detections": labels} if detection else {"_cls": "Classifications", "classifications": labels}
            samples[image][name] = many
    write_json(folder / "samples.json", {"samples": samples})
    write_json(folder / "metadata.json", {"_cls": "FiftyOneDataset", "name": path.name, "media_type": "image", "sample_fields": []})


def written(outgoing: Outgoing, table: Annotations | Predictions, row: int, extent: tuple[int, int]) -> Label:
    label: Label = {"_cls": "Detection" if table.box is not None else "Classification", "label": outgoing.concepts[table.concept[row]]}
    if table.box is not None:
        left, top, width, height = table.box[row].tolist()
        label["bounding_box"] = [left / extent[0], top / extent[1], width / extent[0], height / extent[1]]
    if isinstance(table, Predictions):
        label["confidence"] = float(table.score[row])
    return label


FORMAT = AnnotationFormat(NAME, is_it, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS, is_predictions, read_predictions)
