"""KITTI results: label files whose lines have a score behind the fifteen columns, as the
benchmark's evaluation takes them."""

from __future__ import annotations

from pellucid.formats.companion_files import is_companion_file
from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import load_lines, parse_number
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import PredictionFormat, Probe, ReadOptions, list_files
from pellucid.formats.readers.kitti import DONT_CARE, parse_line

NAME = "kitti-results"
NUMBERS = 15
"""Behind the concept, the score last."""


def matches(probe: Probe) -> bool:
    """Whether the lines of a file, or of some files of a folder, end in a score."""
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(name) for name in probe.sample_with_suffix(".txt")]
    )
    lines = [parse_line(head.split("\n", maxsplit=1)[0]) for head in heads]
    return any(line is not None and len(line[1]) == NUMBERS for line in lines)


def read(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Boxes with scores; images by the paths of their files without suffix.

    Raises:
        InvalidRecordError: a line has other columns.
    """
    builder = PredictionBuilder(str(probe.path), NAME, "line")
    for file in list_files(probe, ".txt"):
        if is_companion_file(file.name):
            continue
        key = file.relative_to(probe.path) if probe.is_dir else file.stem
        image = builder.add_image(str(key).removesuffix(file.suffix).replace("\\", "/"))
        for number, line in load_lines(file):
            parsed, location = parse_line(line), f"{file.name} line {number}"
            if parsed is None or len(parsed[1]) != NUMBERS:
                raise InvalidRecordError(
                    probe.path,
                    location,
                    f"'{line[:60]}'",
                    "Expected the fifteen columns of KITTI and a score.",
                )
            concept, texts = parsed
            left, top, right, bottom = (
                parse_number(text, probe.path, location, "coordinate") for text in texts[3:7]
            )
            if concept != DONT_CARE:
                score = parse_number(texts[-1], probe.path, location, "score")
                box = (left, top, right - left, bottom - top)
                builder.add(image, concept, score, box, number)
    return builder.build("detection", image_key_kind="stem")


FORMAT = PredictionFormat(NAME, matches, read)
