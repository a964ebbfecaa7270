"""A text file of `image concept` lines, as in Kaggle and ImageNet; numbers are indices into a
`synsets.txt` in the same folder."""

from __future__ import annotations

import re

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, parse_split
from pellucid.formats.image_files import is_image_file
from pellucid.formats.parsing import read_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "picture-list"


def matches(probe: Probe) -> bool:
    if probe.is_dir:
        return any(
            (probe.path / f"{split}.txt").is_file()
            and is_image_list(probe.read_head(f"{split}.txt"))
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


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    files = (
        [file for file in sorted(probe.path.glob("*.txt")) if parse_split(file.stem) is not None]
        if probe.is_dir
        else [probe.path]
    )
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    concept_names: list[str] = []
    for file in files:
        names_file = next(
            (
                candidate
                for candidate in (file.parent / "synsets.txt", file.parent / "classes.txt")
                if candidate.is_file()
            ),
            None,
        )
        concept_names = (
            [line.split(",")[0] for _, line in read_lines(names_file)]
            if names_file
            else concept_names
        )
        split = parse_split(file.stem)
        for _, line in read_lines(file):
            image_path, _, concept = line.partition("\t" if "\t" in line else " ")
            concept_word = concept.strip()
            concept_name = (
                concept_names[int(concept_word)]
                if concept_word.isdigit() and int(concept_word) < len(concept_names)
                else concept_word
            )
            builder.add_tag(
                builder.add_image(image_path, split=-1 if split is None else split), concept_name
            )
    return builder.build(options.kind, concept_names)


FORMAT = AnnotationFormat(NAME, matches, read)
