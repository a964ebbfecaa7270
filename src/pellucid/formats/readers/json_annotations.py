"""Annotations in the JSON of people's own programs: records, or an entry per image, whose fields
are understood like the columns of a table. See `json_rows` for the layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from pellucid.core.errors import MalformedFileError, PellucidError
from pellucid.core.tables import SPLITS
from pellucid.formats.dataset import Note, ParsedAnnotations, split_of_folder
from pellucid.formats.errors import (
    AmbiguousColumnsError,
    InvalidRecordError,
    UnequalListsError,
    UnreadBoxColumnsError,
)
from pellucid.formats.image_files import is_image_file
from pellucid.formats.json_class_names import with_class_names
from pellucid.formats.json_rows import (
    BOX_KEYS,
    LABEL_STEMS,
    LIST_KEYS,
    Row,
    document_rows,
    find_record_list,
    image_entries,
    image_key,
    is_score_key,
    named_image_field,
    names_concepts,
    parse_document,
    reject_repeated_images,
    row_columns,
    with_image_field,
    without_failures,
)
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions
from pellucid.formats.readers.json_predictions import has_scores
from pellucid.formats.tabular.annotation_table import (
    explain_annotation_columns,
    has_annotation_columns,
    parse_annotation_table,
)
from pellucid.formats.tabular.open_tables import open_memory_table
from pellucid.formats.tabular.reader import TableReader

NAME = "json"
SAMPLED_ROWS = 200
"""Rows that are examined to recognise the file."""


def matches(probe: Probe) -> bool:
    """Whether a file holds annotations, or a folder a file about each image."""
    if not probe.is_dir:
        return holds_annotations(probe)
    files = [file_probe(probe, name) for name in probe.sample_with_suffix(".json")]
    return len(files) > 1 and all(map(is_of_one_image, files)) and any(map(matches, files))


def may_have_fields(probe: Probe) -> bool:
    """Whether a file is JSON without scores, whose fields the user may name."""
    return probe.head[:1] in ("{", "[") and not has_scores(probe.head)


def holds_annotations(probe: Probe) -> bool:
    """Whether a file holds records that name an image and a concept, and no scores."""
    if not may_have_fields(probe):
        return False
    try:
        document = parse_document(probe.path, probe.head)
        if not names_images_by_key(document):
            return False
        rows, _ = parse_rows(probe, SAMPLED_ROWS)
        names_images = bool(rows) and all(image_key(row) for row in rows)
        is_scored = any(is_score_key(field) for row in rows for field in row)
        if not names_images or is_scored:
            return False
        return has_annotation_columns(open_rows(probe, rows), ReadOptions())
    except (AmbiguousColumnsError, InvalidRecordError, UnreadBoxColumnsError):
        return True  # reading says what is asked
    except PellucidError:
        return False


OBJECT_FIELDS = {
    *BOX_KEYS,
    *LIST_KEYS,
    *(stem for stem in LABEL_STEMS if stem != "name"),
    *(f"{stem}s" for stem in LABEL_STEMS if stem != "name"),
}
"""Fields of the objects of an image."""


def names_images_by_key(document: Any) -> bool:
    """Whether the keys of an object may be images: they end like image files, or the entries are
    lists, have boxes or labels, or several have the same fields. Settings are none of these."""
    entries = entries_by_key(document)
    if entries is None:
        return True
    fields = [set(entry) for entry in entries.values() if isinstance(entry, Mapping)]
    has_lists = len(fields) < len(entries)
    are_alike = len(fields) > 2 and all(names == fields[0] for names in fields)
    has_objects = any(names & OBJECT_FIELDS for names in fields)
    return has_lists or are_alike or has_objects or any(map(is_image_file, entries))


def entries_by_key(document: Any) -> dict[str, Any] | None:
    """The entries of an object whose keys alone can name the images."""
    if not isinstance(document, Mapping) or image_key(document) is not None:
        return None
    if names_concepts(document):
        return None
    entries = image_entries(document)
    if entries is None or find_record_list(document) is not None:
        return None
    if all(isinstance(entry, Mapping) and image_key(entry) for entry in entries.values()):
        return None
    return entries


def parse_rows(
    probe: Probe, row_limit: int | None = None, image_field: str | None = None
) -> tuple[list[Row], list[Note]]:
    document = parse_document(probe.path, probe.head)
    if image_field:
        document = with_image_field(document, image_field)
    if row_limit is None:
        reject_repeated_images(probe.path, document)
    try:
        rows = without_failures(list(islice(document_rows(document), row_limit)))[0]
    except UnequalListsError as error:
        raise MalformedFileError(probe.path, str(error)) from error
    return with_class_names(probe.path, document, rows)


def file_probe(folder: Probe, file_name: str) -> Probe:
    return Probe(folder.path / file_name, folder.load_head(file_name))


def is_of_one_image(probe: Probe) -> bool:
    """Whether a file is a document about one image, which it names."""
    document = parse_document(probe.path, probe.head) if probe.head.startswith("{") else None
    return isinstance(document, Mapping) and image_key(document) is not None


def read_folder(folder: Probe, options: ReadOptions) -> ParsedAnnotations:
    """The annotations of a folder with a file for each image; a folder may name the split."""
    rows: list[Row] = []
    notes: list[Note] = []
    for file_name in folder.files_with_suffix(".json"):
        probe = file_probe(folder, file_name)
        if not is_of_one_image(probe):
            message = f"not read: {file_name}, which names no image"
            notes.append(Note("files_not_read", message, 1))
            continue
        split = split_of_folder(file_name)
        stated = {} if split < 0 else {"split": SPLITS[split]}
        rows += [{**stated, **row} for row in parse_rows(probe)[0]]
    reader = open_memory_table(row_columns(rows))
    reader.path = str(folder.path)
    annotations = parse_annotation_table(reader, options)
    return replace(
        annotations, path=str(folder.path), format=NAME, notes=[*annotations.notes, *notes]
    )


def open_rows(probe: Probe, rows: Sequence[Row]) -> TableReader:
    """The rows of the file as a table."""
    reader = open_memory_table(row_columns(rows))
    reader.path = str(probe.path)
    return reader


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    if probe.is_dir:
        return read_folder(probe, options)
    image_field, options = named_image_field(options)
    rows, notes = parse_rows(probe, image_field=image_field)
    reader = open_rows(probe, rows)
    if not has_annotation_columns(reader, options):
        explain_annotation_columns(reader, options)
    annotations = parse_annotation_table(reader, options)
    return replace(
        annotations, path=str(probe.path), format=NAME, notes=[*annotations.notes, *notes]
    )


FORMAT = AnnotationFormat(NAME, matches, read, has_columns=True)
