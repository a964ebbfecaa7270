"""Read annotations in any format: a file, a folder, a URL or an object in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from pellucid.core.errors import EmptyFileError, format_count, summarize_names
from pellucid.core.outlines import encode_mask
from pellucid.core.tables import string_column
from pellucid.core.urls import is_remote
from pellucid.formats import memory_documents
from pellucid.formats.compressed_files import decompress
from pellucid.formats.dataset import Note, ParsedAnnotations, parse_split
from pellucid.formats.download import download
from pellucid.formats.errors import (
    MultipleAnnotationFilesError,
    NoTableError,
    PredictionsAsAnnotationsError,
    UnrecognizedFormatError,
)
from pellucid.formats.image_files import is_image_file
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, probe_source
from pellucid.formats.readers import coco, hugging_face_memory, json_annotations
from pellucid.formats.registry import (
    ANNOTATION_FORMATS,
    NO_OPTIONS,
    PREDICTION_READERS,
    READERS,
    check_format_name,
    matches_source,
)
from pellucid.formats.source_errors import convert_os_errors, describe_content, rename_errors
from pellucid.formats.split_files import (
    DATA_SUFFIXES,
    parse_split_files,
    split_files,
    with_file_split,
)
from pellucid.formats.split_lists import with_listed_splits
from pellucid.formats.tabular import dataframes, table
from pellucid.formats.tabular.annotation_table import (
    explain_annotation_columns,
    has_annotation_columns,
    parse_annotation_table,
)
from pellucid.formats.tabular.box_lists import split_box_lists
from pellucid.formats.tabular.long_format import NAME as TABLE_NAME
from pellucid.formats.tabular.open_tables import open_memory_table
from pellucid.formats.unsupported import reject_unsupported_format

OWN_FILES = ("coco", "voc", "yolo", "labelme", "createml", "cvat", "via", "label-studio", "vott")
"""Formats whose files are of no other format."""


def parse_annotations(
    source: Any, format: str | None = None, options: ReadOptions = NO_OPTIONS
) -> ParsedAnnotations:
    """Read images and annotations from a path or from columns in dataframes.

    Args:
        format: one of ANNOTATION_FORMATS, or None to detect it
    """
    with convert_os_errors(source):
        if not isinstance(source, str | Path):
            annotations = parse_memory_annotations(source, options)
        else:
            with download(source) as local_path, decompress(local_path) as plain_path:
                annotations = parse_annotation_file(plain_path, format, options)
            if plain_path != local_path:
                annotations = with_source(annotations, plain_path, local_path)
            if is_remote(str(source)):
                annotations = replace(
                    annotations,
                    path=str(source),
                    image_folder=remote_image_folder(
                        annotations.image_folder, local_path, str(source)
                    ),
                )
    if not len(annotations.images):
        raise EmptyFileError(annotations.path, "at least one image")
    return annotations


def with_source(
    annotations: ParsedAnnotations, read_path: Path, source_path: Path
) -> ParsedAnnotations:
    """The annotations of a file that was read from a temporary copy, as of the file itself."""
    folder = annotations.image_folder
    if folder is not None and Path(folder).is_relative_to(read_path.parent):
        folder = str(source_path.parent / Path(folder).relative_to(read_path.parent))
    return replace(annotations, path=str(source_path), image_folder=folder)


def remote_image_folder(local_folder: str | None, local_root: Path, source_url: str) -> str | None:
    """The URL of the image folder in the store, given the folder in the downloaded copy."""
    if local_folder is None or not Path(local_folder).is_relative_to(local_root):
        return None
    relative_folder = Path(local_folder).relative_to(local_root).as_posix()
    return f"{source_url.rstrip('/')}/{relative_folder}".removesuffix("/.")


def parse_memory_annotations(source: Any, options: ReadOptions) -> ParsedAnnotations:
    if memory_documents.is_annotation_document(source):
        with memory_documents.as_file(source) as path:
            return replace(
                parse_annotation_file(path, coco.NAME, options), path=memory_documents.NAME
            )
    if hugging_face_memory.is_dataset(source) or hugging_face_memory.is_dataset_dict(source):
        return hugging_face_memory.read(source, options)
    if dataframes.maps_images_to_tags(source):
        source = [{"image": image, "tags": list(tags)} for image, tags in source.items()]
    if memory_documents.are_records(source):
        with rename_errors(), memory_documents.as_json_file(source) as path:
            records = parse_annotation_file(path, None, options)
            return replace(records, path=memory_documents.RECORDS_NAME)
    table_reader = split_box_lists(open_memory_table(dataframes.table_columns(source)))
    if not has_annotation_columns(table_reader, options):
        explain_annotation_columns(table_reader, options)
    annotations = parse_annotation_table(table_reader, options)
    masks, texts = dataframes.detection_masks(source), dataframes.detection_outlines(source)
    if masks is not None:
        texts = [encode_mask(masks, row) for row in range(len(masks))]
    if texts is None:
        return annotations
    outlines = string_column(texts)
    return replace(annotations, annotations=annotations.annotations.replace(outline=outlines))


def unread_split_notes(annotations: ParsedAnnotations) -> list[Note]:
    """A warning where a file states no split, and its images are in folders named like splits."""
    images = annotations.images
    folders = {str(path).split("/")[0] for path in images.path if "/" in str(path)}
    splits = {parse_split(folder) for folder in folders}
    if (images.split >= 0).any() or None in splits or len(splits) < 2:
        return []
    message = (
        f"images are in folders named like splits ({summarize_names(sorted(folders))}), which are "
        "not read: all get the same split. Write a column `split`, or add the images of each "
        "folder with --split"
    )
    return [Note("unread_split", message, len(folders))]


def parse_annotation_file(
    source: str | Path, format: str | None, options: ReadOptions
) -> ParsedAnnotations:
    probe = probe_source(source)
    stated_name = check_format_name(format, ANNOTATION_FORMATS)
    format_name = stated_name or annotation_format_by_columns(probe, options)
    if format_name is None:
        reject_unsupported_format(probe, before_readers=True)
    reader = find_annotation_reader(probe, format_name, options)
    if reader is None and probe.is_dir and stated_name is None:
        return with_listed_splits(parse_annotation_folder(probe, options), probe)
    if reader is None:
        refuse_unknown_annotations(probe, options)
    if reader is table.FORMAT and format_name and not table.matches(probe, options):
        table.explain_mismatch(probe, options, are_predictions=False)
    if stated_name and not matches_source(reader, probe, options):
        raise UnrecognizedFormatError(
            probe.path, stated_name, describe_content(probe), ANNOTATION_FORMATS
        )
    annotations = reader.read(probe, options)
    annotations.notes.extend(system_file_notes(probe))
    if not probe.is_dir:
        annotations.notes.extend(unread_split_notes(annotations))
        return annotations
    annotations = with_listed_splits(annotations, probe)
    if stated_name is None:
        annotations.notes.extend(other_format_notes(probe, reader))
    return annotations


def annotation_format_by_columns(probe: Probe, options: ReadOptions) -> str | None:
    """The format of a source whose columns the user named; None without such names."""
    if not options.columns:
        return None
    named = (reader.name for reader in READERS if reader.has_columns and reader.matches(probe))
    is_json = json_annotations.may_have_fields(probe)
    format_name = next(named, json_annotations.NAME if is_json else TABLE_NAME)
    if probe.is_dir and format_name == TABLE_NAME:
        raise NoTableError(probe.path)
    return format_name


def find_annotation_reader(
    probe: Probe, format_name: str | None, options: ReadOptions
) -> AnnotationFormat | None:
    """The reader of a name; without a name, the first that recognises the source."""
    if format_name:
        return next((reader for reader in READERS if reader.name == format_name), None)
    return next((reader for reader in READERS if fits(reader, probe, options)), None)


def refuse_unknown_annotations(probe: Probe, options: ReadOptions) -> NoReturn:
    """Raise the error that says most about a source that no reader recognises."""
    reject_unsupported_format(probe)
    table.explain_mismatch(probe, options, are_predictions=False)
    if any(matches_source(candidate, probe, options) for candidate in PREDICTION_READERS):
        raise PredictionsAsAnnotationsError(probe.path)
    raise UnrecognizedFormatError(
        probe.path, "annotations", describe_content(probe), ANNOTATION_FORMATS
    )


def system_file_notes(probe: Probe) -> list[Note]:
    count = probe.ignored_file_count
    if not count:
        return []
    message = f"{format_count(count, 'hidden, system or special file')} in the folder not read"
    return [Note("system_files", message, count, "info")]


def fits(reader: AnnotationFormat, probe: Probe, options: ReadOptions) -> bool:
    """Whether a reader recognises a source. Tables of predictions without scores have columns of
    their own."""
    if reader is table.FORMAT and not options.has_scores:
        return table.matches(probe, options)
    return reader.matches(probe)


def other_format_notes(folder: Probe, chosen: AnnotationFormat) -> list[Note]:
    """A warning if a folder has annotation files of another format than the one that is read."""
    if chosen.name not in OWN_FILES:
        return []
    others = [
        reader.name
        for reader in READERS
        if reader.name in OWN_FILES and reader.name != chosen.name and reader.matches(folder)
    ]
    if not others:
        return []
    options = " or ".join(f"--format {name}" for name in others)
    message = (
        f"read as {chosen.name}; the folder also has files of {summarize_names(others)}, not read. "
        f"Specify {options} to read these"
    )
    return [Note("other_format", message, len(others))]


def parse_annotation_folder(folder: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Read the only recognised annotation file at the top level of a folder, or one per split."""
    file_probes = [
        Probe(folder.path / file_name, folder.load_head(file_name))
        for file_name in folder.file_names
        if "/" not in file_name and not is_image_file(file_name)
    ]
    matches = [
        (file_probe, reader)
        for file_probe in file_probes
        if file_probe.head.strip()
        for reader in READERS
        if reader.matches(file_probe)
    ]
    if len({file_probe.path for file_probe, _ in matches}) > 1:
        raise MultipleAnnotationFilesError(
            folder.path,
            summarize_names(sorted({file_probe.path.name for file_probe, _ in matches})),
        )
    if matches:
        file_probe, reader = matches[0]
        unread = [
            probe.path.name
            for probe in file_probes
            if probe.path != file_probe.path and probe.path.suffix.lower() in DATA_SUFFIXES
        ]
        return with_file_split(reader.read(file_probe, options), file_probe.path, unread)
    reject_unsupported_format(folder)
    split_matches = [
        (file_probe, reader)
        for file_probe in split_files(folder)
        if file_probe.head.strip()
        for reader in READERS
        if reader.matches(file_probe)
    ]
    if split_matches:
        return parse_split_files(folder, split_matches, options)
    raise UnrecognizedFormatError(
        folder.path, "annotations", describe_content(folder), ANNOTATION_FORMATS
    )
