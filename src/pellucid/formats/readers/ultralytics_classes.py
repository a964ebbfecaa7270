"""Classifications as ultralytics saves them with `save_txt`: a text file per image, a line per
concept with its confidence in front, such as `0.92 tabby cat`."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.formats.companion_files import is_companion_file
from pellucid.formats.dataset import ParsedPredictions
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import is_number, load_lines
from pellucid.formats.prediction_builder import PredictionBuilder
from pellucid.formats.probe import MAX_SAMPLED_FILES, PredictionFormat, Probe, ReadOptions

NAME = "ultralytics-classes"


def matches(probe: Probe) -> bool:
    """Whether the source is a folder of text files whose lines are a confidence and a name."""
    if not probe.is_dir:
        return False
    heads = (probe.load_head(name).strip() for name in label_files(probe)[:MAX_SAMPLED_FILES])
    first_lines = [head.partition("\n")[0] for head in heads if head]
    return bool(first_lines) and all(split_line(line) is not None for line in first_lines)


def label_files(probe: Probe) -> list[str]:
    return [name for name in probe.files_with_suffix(".txt") if not is_companion_file(name)]


def split_line(line: str) -> tuple[float, str] | None:
    """The confidence and the name of a line; None if it is something else."""
    confidence, _, name = line.strip().partition(" ")
    if not is_number(confidence) or not name.strip() or all(map(is_number, name.split())):
        return None
    return float(confidence), name.strip()


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """The image key is the file's path below the folder, without suffix.

    Raises:
        InvalidRecordError: a line is no confidence with a name.
    """
    builder = PredictionBuilder(str(probe.path), NAME, "line")
    for file_name, line_number, confidence, name in named_lines(probe):
        image = builder.add_image(file_name.removesuffix(".txt"))
        builder.add(image, name, confidence, None, line_number)
    return builder.build(None, image_key_kind="stem")


def named_lines(probe: Probe) -> Iterator[tuple[str, int, float, str]]:
    """(file, line number, confidence, name) of every line."""
    for file_name in label_files(probe):
        for line_number, line in load_lines(probe.path / file_name):
            parts = split_line(line)
            if parts is None:
                raise InvalidRecordError(
                    probe.path / file_name,
                    f"line {line_number}",
                    f"found '{line.strip()[:60]}'",
                    "Expected a confidence and the name of a concept: 0.92 tabby cat.",
                )
            yield file_name, line_number, *parts


PREDICTION_FORMAT = PredictionFormat(NAME, matches, read_predictions)
