"""A text file of `image concept` lines, as in Kaggle and ImageNet; numbers are indices into a
`synsets.txt` or `classes.txt` in the same folder. Several numbers in a line are several tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.core.errors import format_count
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.class_names import find_first_number, parse_class_names
from pellucid.formats.dataset import Note, ParsedAnnotations, parse_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_data_file, is_image_file
from pellucid.formats.parsing import load_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions
from pellucid.formats.tabular.cell_lists import find_separator, split_cell

NAME = "picture-list"
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
NAMES_FILES = ("synsets.txt", "classes.txt")


def matches(probe: Probe) -> bool:
    if probe.is_dir:
        return any(
            (probe.path / f"{split}.txt").is_file()
            and is_image_list(probe.load_head(f"{split}.txt"))
            for split in ("train", "val", "test")
        )
    return is_image_list(probe.head)


def is_image_list(head: str) -> bool:
    lines = [line for line in head.split("\n")[:20] if line.strip()]
    complete_lines = lines[:-1] if len(lines) > 1 else lines
    return bool(complete_lines) and all(
        re.fullmatch(r"[^,;]+\.\w+[ \t]+\S[^,;]*", line.strip()) and is_image_file(line.split()[0])
        for line in complete_lines
    )


@dataclass(frozen=True)
class ListLine:
    """A line of a list of images.

    Attributes:
        image: its path
        text: what follows it
        location: file and line, for messages
    """

    image: str
    text: str
    split: int
    location: str


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    files = (
        [file for file in sorted(probe.path.glob("*.txt")) if parse_split(file.stem) is not None]
        if probe.is_dir
        else [probe.path]
    )
    folder = probe.path if probe.is_dir else probe.path.parent
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    names = next((parse_names(folder / name) for name in NAMES_FILES if is_file(folder, name)), [])
    lines = [line for file in files for line in parse_list_lines(file)]
    concepts_of_lines = parse_concepts(builder, lines, names, options.separator)
    for line, concepts in zip(lines, concepts_of_lines, strict=True):
        image = builder.add_image(line.image, split=line.split)
        for concept in concepts:
            builder.add_tag(image, concept)
    return builder.build(options.kind, names)


def is_file(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def parse_names(path: Path) -> list[str]:
    """Of a line with synonyms, as in ImageNet, the first."""
    return [name.split(",")[0] for name in parse_class_names(path)]


def parse_list_lines(file: Path) -> list[ListLine]:
    split = parse_split(file.stem)
    parted = [
        (number, *line.partition("\t" if "\t" in line else " "))
        for number, line in load_lines(file)
    ]
    return [
        ListLine(image, text.strip(), -1 if split is None else split, f"{file.name} line {number}")
        for number, image, _, text in parted
    ]


def parse_concepts(
    builder: DatasetBuilder, lines: Sequence[ListLine], names: Sequence[str], forced: str | None
) -> list[list[str]]:
    """The concepts of each line.

    Raises:
        AmbiguousSeparatorError: lines could hold one name or several.
        InvalidRecordError: a number has no name, or 0 and 1 stand for concepts without names.
    """
    words = [line.text.split() for line in lines]
    reject_files(builder, lines)
    reject_boxes(builder, lines, words, names)
    if not all(word.isdecimal() for line_words in words for word in line_words):
        if forced is None:
            reject_numbered_names(builder, lines, words)
        separator = find_separator(builder.path, "concept", [line.text for line in lines], forced)
        return [split_cell(line.text, separator) for line in lines]
    lengths = {len(line_words) for line_words in words}
    values = {int(word) for line_words in words for word in line_words}
    if len(lengths) == 1 and lengths != {1} and values <= {0, 1}:
        return parse_flags(builder, lines, words, names)
    if not names:
        return words
    first = find_first_number(sorted(values), len(names))
    if first is None:
        line = next(line for line, ws in zip(lines, words, strict=True) if not fits(ws, names))
        raise InvalidRecordError(
            builder.path,
            line.location,
            f"found '{line.text}', but there are {len(names):,} names; numbers from "
            f"{min(values)} to {max(values)} do not count them from 0 or from 1",
            "Add the missing names, or write names in place of the numbers.",
        )
    if first:
        message = (
            f"{format_count(len(names), 'name')} counted from 1: {max(values)} occurs, and 0 does "
            "not"
        )
        builder.notes.append(Note("names", message, 1, "info"))
    return [[names[int(word) - first] for word in line_words] for line_words in words]


def reject_files(builder: DatasetBuilder, lines: Sequence[ListLine]) -> None:
    """Raise InvalidRecordError if the lines name another file beside each image: its mask, or its
    annotations."""
    if lines and all(is_data_file(line.text) for line in lines):
        raise InvalidRecordError(
            builder.path,
            lines[0].location,
            f"'{lines[0].text}' is a file, not a concept",
            "Specify the folder that has these files, or write the concept of each image.",
        )


def reject_boxes(
    builder: DatasetBuilder,
    lines: Sequence[ListLine],
    words: Sequence[Sequence[str]],
    names: Sequence[str],
) -> None:
    """Raise InvalidRecordError if each line has four numbers or more that may be a box or points,
    or one that is a measured value."""
    numbers = [[word for word in line_words if NUMBER.fullmatch(word)] for line_words in words]
    if not lines or not all(numbers):
        return
    have_boxes = all(len(line_numbers) >= 4 for line_numbers in numbers)
    are_flags = {number for line_numbers in numbers for number in line_numbers} <= {"0", "1", "-1"}
    are_tags = bool(names) and all(word.isdecimal() for ws in words for word in ws)
    are_values = all(len(ws) == 1 and "." in ws[0] for ws in words)
    if (have_boxes and not are_flags and not are_tags) or are_values:
        raise InvalidRecordError(
            builder.path,
            lines[0].location,
            f"'{lines[0].text}' has numbers that may be a box or a value",
            "Write a CSV table with a header, such as image,concept,xmin,ymin,xmax,ymax.",
        )


def reject_numbered_names(
    builder: DatasetBuilder, lines: Sequence[ListLine], words: Sequence[Sequence[str]]
) -> None:
    """Raise InvalidRecordError if each line has a name and a number behind it, which may be part of
    the name, a score or a split."""
    lengths = {len(line_words) for line_words in words}
    if len(lengths) == 1 and all(len(ws) > 1 and NUMBER.fullmatch(ws[-1]) for ws in words):
        raise InvalidRecordError(
            builder.path,
            lines[0].location,
            f"'{lines[0].text}' could be a name, or a name and a number behind it",
            "Specify --separator none if it is a name; else write a CSV table with a header.",
        )


def fits(words: Sequence[str], names: Sequence[str]) -> bool:
    return all(int(word) < len(names) for word in words)


def parse_flags(
    builder: DatasetBuilder,
    lines: Sequence[ListLine],
    words: Sequence[Sequence[str]],
    names: Sequence[str],
) -> list[list[str]]:
    """The named concepts whose number is 1."""
    if len(names) != len(words[0]):
        raise InvalidRecordError(
            builder.path,
            lines[0].location,
            f"'{lines[0].text}' could be {len(words[0])} flags, or the classes 0 and 1",
            f"Add a classes.txt with {len(words[0])} names if they are flags; write each class "
            "once if they are numbers of classes.",
        )
    return [
        [name for name, word in zip(names, line_words, strict=True) if word == "1"]
        for line_words in words
    ]


FORMAT = AnnotationFormat(NAME, matches, read)
