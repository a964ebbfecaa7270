"""Folders with one annotation file per split, such as `train/_annotations.csv` and
`valid/_annotations.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.core.errors import summarize_names
from pellucid.core.tables import UNANNOTATED
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import Note, ParsedAnnotations, parse_split, split_of_file
from pellucid.formats.errors import MultipleAnnotationFilesError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

MAX_SPLIT_FILES = 100
"""Folders with more files besides images have one file per image, not one per split."""


def split_files(folder: Probe) -> list[Probe]:
    """Files, other than images, in folders named after a split."""
    file_names = [
        file_name
        for file_name in folder.file_names
        if not is_image_file(file_name) and split_of_file(folder.path / file_name, folder.path) >= 0
    ]
    if len(file_names) > MAX_SPLIT_FILES:
        return []
    return [Probe(folder.path / file_name, folder.load_head(file_name)) for file_name in file_names]


def parse_split_files(
    folder: Probe, matches: Sequence[tuple[Probe, AnnotationFormat]], options: ReadOptions
) -> ParsedAnnotations:
    """Merge the annotation files of several splits. Image paths are relative to each file's folder.

    Raises:
        MultipleAnnotationFilesError: two files in one folder, or files of different formats, kinds
            or units, so that it is unclear which are meant.
    """
    folders = {file_probe.path.parent for file_probe, _ in matches}
    sources = [reader.read(file_probe, options) for file_probe, reader in matches]
    readings = {(source.format, source.kind, source.unit) for source in sources}
    if len(folders) < len(matches) or len(readings) > 1:
        names = (file_probe.path.relative_to(folder.path) for file_probe, _ in matches)
        raise MultipleAnnotationFilesError(folder.path, summarize_names(sorted(map(str, names))))
    builder = DatasetBuilder(str(folder.path), sources[0].format, options.image_folder)
    for (file_probe, _), source in zip(matches, sources, strict=True):
        add_split_file(builder, folder, file_probe, source)
    for file_name in unread_files(folder, matches):
        builder.skip_file(file_name)
    listed = dict.fromkeys(
        concept for source in sources if source.concepts_listed for concept in source.concepts
    )
    return builder.build(sources[0].kind, list(listed), unit=sources[0].unit)


def unread_files(folder: Probe, matches: Sequence[tuple[Probe, AnnotationFormat]]) -> list[str]:
    """Files that end like those that are read, but lie in no folder of a split."""
    paths = {file_probe.path for file_probe, _ in matches}
    endings = tuple({path.suffix.lower() for path in paths})
    return [name for name in folder.files_with_suffix(*endings) if folder.path / name not in paths]


def locate_image(path: str, prefix: str, folders: Sequence[Path]) -> str:
    """The path below the root: beside its annotation file, unless the file is found there without
    the folder's name."""
    is_beside = any((folder / f"{prefix}{path}").is_file() for folder in folders)
    is_below_root = any((folder / path).is_file() for folder in folders)
    return path if is_below_root and not is_beside else f"{prefix}{path}"


def add_split_file(
    builder: DatasetBuilder, folder: Probe, file_probe: Probe, source: ParsedAnnotations
) -> None:
    split = split_of_file(file_probe.path, folder.path)
    prefix = f"{file_probe.path.parent.relative_to(folder.path).as_posix()}/"
    builder.notes += source.notes
    images = source.images
    folders = [folder.path, *([Path(builder.image_folder)] if builder.image_folder else [])]
    paths = [locate_image(str(path), prefix, folders) for path in images.path]
    for row, path in enumerate(paths):
        builder.add_unique_image(
            path,
            images.width[row],
            images.height[row],
            split if images.split[row] < 0 else int(images.split[row]),
            images.source_id[row],
            images.metadata[row],
            annotated=bool(images.stated[row] != UNANNOTATED),
        )
    builder.add_annotations(source, paths, str(file_probe.path.relative_to(folder.path)))


DATA_SUFFIXES = (".csv", ".tsv", ".parquet", ".json", ".jsonl")
"""Endings of files that may hold data of the set."""


def with_file_split(
    annotations: ParsedAnnotations, path: Path, unread: Sequence[str]
) -> ParsedAnnotations:
    """The annotations of the only annotated file of a folder, whose name may state the split. A
    note names the other files."""
    split = parse_split(path.stem)
    images = annotations.images
    if split is not None:
        stated = np.where(images.split < 0, split, images.split).astype(np.int8)
        images = images.replace(split=stated)
    notes = list(annotations.notes)
    if unread:
        message = f"not read beside {path.name}: {summarize_names(unread)}"
        notes.append(Note("files_not_read", message, len(unread)))
    return replace(annotations, images=images, notes=notes)
