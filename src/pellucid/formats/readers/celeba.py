"""CelebA's attribute list: a count, the attribute names, then one line of 1 and -1 per image.

Splits are read from `list_eval_partition.txt`.
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.parsing import load_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files

NAME = "celeba"


def matches(probe: Probe) -> bool:
    if probe.is_dir:
        return any(
            is_attribute_list(probe.load_head(file_name))
            for file_name in probe.files_with_suffix("list_attr_celeba.txt")
        )
    return is_attribute_list(probe.head)


def is_attribute_list(head: str) -> bool:
    lines = head.split("\n", maxsplit=3)
    return (
        len(lines) > 2
        and lines[0].strip().isdigit()
        and re.match(r"\S+\.\w+(\s+-?[01])+\s*$", lines[2]) is not None
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    attributes_file = next(iter(list_files(probe, "list_attr_celeba.txt")))
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    (_, _), (_, header), *lines = load_lines(attributes_file)
    attribute_names = header.split()
    splits = parse_partition(attributes_file)
    image_prefix = image_folder_prefix(probe, lines[0][1].split()[0] if lines else "")
    for line_number, line in lines:
        file_name, *marks = line.split()
        if len(marks) != len(attribute_names) or not set(marks) <= {"1", "-1", "0"}:
            raise InvalidRecordError(
                attributes_file,
                f"line {line_number}",
                f"found {len(marks)} values for {len(attribute_names)} attributes",
                "Write 1 or -1 for each.",
            )
        image = builder.add_image(image_prefix + file_name, split=splits.get(file_name, -1))
        for attribute_name, mark in zip(attribute_names, marks, strict=True):
            if mark == "1":
                builder.add_tag(image, attribute_name)
    return builder.build("tagging", attribute_names)


PARTITION_FILE = "list_eval_partition.txt"
"""Looked up next to the attribute file, in sibling folders and in the parent folder (CelebA's
layout), not further."""


def parse_partition(attributes_file: Path) -> dict[str, int]:
    """Split index by image file name. CelebA's numbers (0 training, 1 validation, 2 test) are
    those of SPLITS."""
    parent_folder = attributes_file.parent.parent
    partition_files = [
        candidate
        for candidate in (
            attributes_file.parent / PARTITION_FILE,
            *sorted(parent_folder.glob(f"*/{PARTITION_FILE}")),
            parent_folder / PARTITION_FILE,
        )
        if candidate.is_file()
    ]
    fields_by_line = (
        [line.split()[:2] for _, line in load_lines(partition_files[0])] if partition_files else []
    )
    return {
        fields[0]: int(fields[1])
        for fields in fields_by_line
        if len(fields) == 2 and fields[1] in ("0", "1", "2")
    }


def image_folder_prefix(probe: Probe, first_file_name: str) -> str:
    """The path prefix of the image files, found by the first image in the list; '' if not found."""
    image_path = (
        next(
            (
                path
                for path in probe.file_names
                if is_image_file(path) and path.rsplit("/", maxsplit=1)[-1] == first_file_name
            ),
            "",
        )
        if probe.is_dir
        else ""
    )
    return image_path[: -len(first_file_name)] if image_path else ""


FORMAT = AnnotationFormat(NAME, matches, read)
