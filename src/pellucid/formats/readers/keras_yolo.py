"""The lists of keras-yolo3 and the programs that follow it: a line per image, with its path and
`x1,y1,x2,y2,class` of each box. The classes are numbers; a names file beside the list names them.

Source: the README of github.com/qqwweee/keras-yolo3.
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.core.errors import MalformedFileError
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.class_names import parse_class_names
from pellucid.formats.dataset import Note, ParsedAnnotations
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.parsing import load_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "keras-yolo"
NUMBER = r"-?\d+(?:\.\d+)?"
BOX = re.compile(rf"\s({NUMBER}),({NUMBER}),({NUMBER}),({NUMBER}),(\d+)(?=\s|$)")
SAMPLED_LINES = 20


def matches(probe: Probe) -> bool:
    """Whether every line has the path of an image, and one of them boxes."""
    if probe.is_dir:
        return False
    lines = [line for line in probe.head.splitlines() if line.strip()]
    complete = lines if len(lines) == 1 else lines[:-1]  # the last one may be cut
    sampled = complete[:SAMPLED_LINES]
    return all(is_image_file(path_of(line)) for line in sampled) and any(map(BOX.search, sampled))


def path_of(line: str) -> str:
    """What stands in front of the boxes."""
    return BOX.sub("", line).strip()


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    names = find_class_names(probe.path)
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    for line_number, line in load_lines(probe.path):
        location = f"line {line_number}"
        path = path_of(line)
        if not is_image_file(path):
            raise InvalidRecordError(
                probe.path,
                location,
                f"'{path[:60]}' is not the path of an image",
                "Write the path, then x1,y1,x2,y2,class of each box, separated by spaces.",
            )
        image = builder.add_image(path)
        for xmin, ymin, xmax, ymax, number in BOX.findall(line):
            left, top = float(xmin), float(ymin)
            box = (left, top, float(xmax) - left, float(ymax) - top)
            builder.add_box(image, class_name(probe.path, location, names, number), box, location)
    if not names:
        message = (
            f"no names file beside {probe.path.name}: concepts are called by their numbers. To name"
            " them, write classes.txt with one name per line"
        )
        builder.notes.append(Note("numbers_as_names", message, 1))
    return builder.build(options.kind, names)


def class_name(path: Path, location: str, names: list[str], number: str) -> str:
    if names and int(number) >= len(names):
        raise InvalidRecordError(
            path,
            location,
            f"class {number}, and the names file has {len(names)} names",
            "Correct the number, or the names file.",
        )
    return names[int(number)] if names else number


def find_class_names(path: Path) -> list[str]:
    """The names in `classes.txt` beside the list, else in the one names file beside it or in its
    folder `model_data`; empty if there is none.

    Raises:
        MalformedFileError: files there have different names, or a name twice.
    """
    own = path.parent / "classes.txt"
    files = [own] if own.is_file() else names_files(path)
    found = {tuple(parse_class_names(file)): file for file in files}
    if len(found) > 1:
        listed = " and ".join(file.name for file in found.values())
        raise MalformedFileError(
            path,
            f"may have its class names in {listed}, which differ. Copy the right one to "
            f"classes.txt in the folder of {path.name}",
        )
    names = next(iter(found), ())
    if len({*names}) < len(names):
        raise MalformedFileError(found[names], "has a class name twice. Use unique names")
    return list(names)


def names_files(path: Path) -> list[Path]:
    return [
        file
        for folder in (path.parent, path.parent / "model_data")
        for pattern in ("*classes.txt", "*.names")
        for file in sorted(folder.glob(pattern))
        if file != path
    ]


FORMAT = AnnotationFormat(NAME, matches, read)
