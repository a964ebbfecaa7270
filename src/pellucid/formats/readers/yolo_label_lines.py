"""The lines of YOLO label files: `class cx cy width height [confidence]`, or a polygon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pellucid.core.errors import MalformedFileError
from pellucid.formats.errors import InvalidRecordError, UnlistedConceptError
from pellucid.formats.parsing import is_number


def parse_label_lines(label_file: Path) -> Iterator[tuple[Path, int, list[float]]]:
    """(file, line number, numbers) of every non-empty line."""
    try:
        lines = label_file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise MalformedFileError(label_file, f"invalid UTF-8 at byte {error.start:,}") from error
    for line_number, line in enumerate(lines, 1):
        if fields := line.split():
            try:
                yield label_file, line_number, [float(field) for field in fields]
            except ValueError as error:
                invalid_field = next(field for field in fields if not is_number(field))
                raise InvalidRecordError(
                    label_file,
                    f"line {line_number}",
                    f"'{invalid_field}' is not a number",
                    "Expected: class cx cy width height.",
                ) from error


def line_box(fields: list[float], label_file: Path, line_number: int) -> list[float]:
    """[left, top, width, height] in fractions."""
    if max(fields[1:]) > 2 and len(fields) != 6:
        raise InvalidRecordError(
            label_file,
            f"line {line_number}",
            f"found {max(fields[1:]):g}",
            "Boxes must be fractions of the image, from 0 to 1.",
        )
    if len(fields) == 5:
        _, cx, cy, width, height = fields
        return [cx - width / 2, cy - height / 2, width, height]
    if len(fields) >= 7 and len(fields) % 2:
        xs, ys = fields[1::2], fields[2::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    if len(fields) == 6:
        raise InvalidRecordError(
            label_file,
            f"line {line_number}",
            "found a sixth number (confidence)",
            "Import this as predictions, not annotations.",
        )
    raise InvalidRecordError(
        label_file,
        f"line {line_number}",
        f"found {len(fields)} numbers",
        "Expected: class cx cy width height.",
    )


def class_index(
    class_number: float,
    concept_count: int,
    label_file: Path,
    line_number: int,
    concept_names: list[str],
) -> int:
    if not 0 <= class_number < concept_count or class_number != int(class_number):
        raise UnlistedConceptError(
            label_file,
            f"line {line_number}",
            f"{class_number:g}",
            [f"0 to {len(concept_names) - 1}"],
        )
    return int(class_number)


def number_count_error(label_file: Path, line: int, count: int) -> InvalidRecordError:
    """A line that is not a box with a confidence, and what it resembles."""
    if count == 5:
        problem = "found 5 numbers: a box without a confidence"
        remedy = (
            "Write the confidence too (ultralytics: save_conf=True), or specify --no-scores if "
            "there is none."
        )
    elif count > 6:
        problem = (
            f"found {count} numbers: a polygon, an oriented box or a pose without a confidence; "
            "with a confidence they can be read"
        )
        remedy = (
            "Write the confidence too (ultralytics: save_conf=True), specify --no-scores if there "
            "is none, or use COCO results (val with save_json=True)."
        )
    else:
        problem = f"found {count} numbers"
        remedy = "Expected: class cx cy width height confidence."
    return InvalidRecordError(label_file, f"line {line}", problem, remedy)
