"""DOTA results: a text file per concept, each line an image, a score and four corners, as its
evaluation server takes them (`Task1_plane.txt`)."""

from __future__ import annotations

import re

from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import is_number, load_lines, parse_number
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions

NAME = "dota-results"
FILE_NAME = re.compile(r"(?:.*/)?Task1_(?P<concept>[^/]+)\.txt")
FIELDS = 10
LINE = "image score x1 y1 x2 y2 x3 y3 x4 y4"


def matches(probe: Probe) -> bool:
    """Whether the source is a folder with such files."""
    return probe.is_dir and any(
        FILE_NAME.fullmatch(name) and is_result_line(probe.load_head(name).split("\n")[0])
        for name in probe.files_with_suffix(".txt")
    )


def is_result_line(line: str) -> bool:
    fields = line.split()
    return not fields or (len(fields) == FIELDS and all(is_number(field) for field in fields[1:]))


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Oriented boxes with scores; images by their names without suffix.

    Raises:
        InvalidRecordError: a line has other fields.
    """
    builder = PredictionBuilder(str(probe.path), NAME, "line")
    for name in probe.files_with_suffix(".txt"):
        named = FILE_NAME.fullmatch(name)
        if named is None:
            continue
        for number, line in load_lines(probe.path / name):
            fields, location = line.split(), f"{name} line {number}"
            if len(fields) != FIELDS:
                raise InvalidRecordError(
                    probe.path, location, f"found {len(fields)} fields", f"Expected: {LINE}."
                )
            score, *corners = (
                parse_number(field, probe.path, location, "number") for field in fields[1:]
            )
            xs, ys = corners[::2], corners[1::2]
            builder.add(
                builder.add_image(fields[0]),
                named["concept"],
                score,
                (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)),
                number,
                list(zip(xs, ys, strict=True)),
            )
    return builder.build("detection", image_key_kind="stem")


FORMAT = PredictionFormat(NAME, matches, read)
