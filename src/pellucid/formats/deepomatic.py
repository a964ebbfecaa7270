"""Deepomatic Studio: `images` with `annotated_regions` in fractions, as one JSON document or one record a line; and its predictions,
of which both the `predicted` and the `discarded` labels are taken, since their scores decide here."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from pellucid.errors import FileMalformed, NothingPredicted, RecordBad
from pellucid.formats.gathering import Gathering, Numbers
from pellucid.formats.look import AnnotationFormat, Asked, Look, PredictionFormat
from pellucid.formats.parsed import lines_of, listed, number_of, parsed_json, record_in
from pellucid.formats.source import AnnotationSource, PredictionSource, checked, codes, split_named

NAME = "deepomatic"
PREDICTIONS = "deepomatic-predictions"
SIDES = ("xmin", "ymin", "xmax", "ymax")
Record = dict[str, Any]


class File(msgspec.Struct):
    images: list[Record]
    tags: list[str] = []


def is_it(look: Look) -> bool:
    return look.head.startswith("{") and '"annotated_regions"' in look.head


def records(look: Look) -> tuple[list[Record], list[str]]:
    """The images and, where they are listed, the tags."""
    if '"images"' in look.head:
        found: File = parsed_json(look.path, File, "Deepomatic Studio")
        return found.images, found.tags
    several = []
    for number, line in lines_of(look.path):
        try:
            several.append(msgspec.json.decode(line, type=Record))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise FileMalformed(look.path, f"line {number} is no JSON record: {error}") from error
    return several, []


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    pictures, tags = records(look)
    for row, picture in enumerate(pictures):
        name = location_of(look, picture, row)
        split = split_named(str(picture.get("stage") or ""))
        image = gathering.image(name, split=-1 if split is None else split)
        for number, one in enumerate(listed(picture.get("annotated_regions"), look.path, f"$.images[{row}].annotated_regions")):
            place = f"$.images[{row}].annotated_regions[{number}]"
            region = record_in(one, look.path, place)
            for tag in listed(region.get("tags"), look.path, place):
                if region.get("region"):
                    gathering.box(image, str(tag), box_of(look, region["region"], place), place)
                else:
                    gathering.tag(image, str(tag))
    return gathering.source(asked.kind, tags, unit="fractions")


def location_of(look: Look, record: Record, row: int) -> str:
    name = record.get("location") or record.get("filename") or record.get("image_path")
    if not isinstance(name, str):
        raise RecordBad(look.path, f"record {row}", "it has no location", "Name its picture.")
    return name


def box_of(look: Look, region: Any, place: str) -> Numbers:
    region = record_in(region, look.path, place)
    left, top, right, bottom = (number_of(region.get(side), look.path, place, side) for side in SIDES)
    return left, top, right - left, bottom - top


def is_predictions(look: Look) -> bool:
    return look.head[:1] in "{[" and '"predicted"' in look.head and '"discarded"' in look.head


def read_predictions(look: Look, asked: Asked) -> PredictionSource:
    found = parsed_json(look.path, list[Record] | Record, "a Deepomatic prediction")
    pictures = found if isinstance(found, list) else listed(found.get("images"), look.path, "$.images") or [found]
    keys: list[str] = []
    rows: list[tuple[int, str, float, Numbers]] = []
    for row, picture in enumerate(pictures):
        place = f"record {row}"
        record = record_in(picture, look.path, place)
        keys.append(location_of(look, record, row))
        for output in listed(record.get("outputs"), look.path, place) or [record]:
            labels = record_in(record_in(output, look.path, place).get("labels"), look.path, place)
            both = [*listed(labels.get("predicted"), look.path, place), *listed(labels.get("discarded"), look.path, place)]
            for one in both:
                label = record_in(one, look.path, place)
                score = number_of(label.get("score"), look.path, place, "score")
                region = record_in(label.get("roi"), look.path, place).get("bbox")
                box = box_of(look, region, place) if region else (0.0, 0.0, 0.0, 0.0)
                rows.append((row, str(label.get("label_name") or label.get("name") or ""), score, box))
    if not keys:
        raise NothingPredicted(look.path, "it holds no record")
    detection = asked.kind == "detection"
    concept_keys, concept = codes([one[1] for one in rows])
    boxes = np.array([one[3] for one in rows], float).reshape(-1, 4) if detection else None
    image = np.array([one[0] for one in rows], np.int32)
    source = PredictionSource(
        str(look.path), PREDICTIONS, keys, image, concept_keys, concept, "name", np.array([one[2] for one in rows], float), boxes,
        "fractions" if detection else "pixels", image.astype(np.int64),
    )  # fmt: skip
    return checked(source)


FORMAT = AnnotationFormat(NAME, is_it, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS, is_predictions, read_predictions)
