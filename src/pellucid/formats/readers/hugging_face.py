"""Hugging Face: `ImageFolder` with `metadata.jsonl` (`metadata.csv` is read as a table), and
Parquet datasets with embedded images.

Concepts may be integers; their names are those of the `ClassLabel` feature of their own column, in
the file's metadata.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.duckdb_cursor import open_cursor, query_errors
from pellucid.core.errors import MalformedFileError
from pellucid.core.sql_quoting import escape_glob, quote_identifier
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, find_split, parse_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import load_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files
from pellucid.formats.readers.hugging_face_records import (
    NAME,
    RECORD_KEYS,
    UNNEEDED_KEYS,
    Fields,
    Record,
    build_annotations,
    class_names,
    image_size,
    name_classes,
)
from pellucid.images.parquet_images import find_image_columns, parquet_column_types

BATCH_ROWS = 5_000


def matches(probe: Probe) -> bool:
    if probe.is_dir:
        return bool(probe.files_with_suffix("metadata.jsonl")) or any(
            has_images(probe.path / file_name) for file_name in probe.sample_with_suffix(".parquet")
        )
    return is_metadata_lines(probe.head) or (
        probe.head.startswith("PAR1") and has_images(probe.path)
    )


def is_metadata_lines(head: str) -> bool:
    return (
        head.startswith("{")
        and '"file_name"' in head.split("\n", maxsplit=1)[0]
        and '"images"' not in head
    )


def has_images(path: Path) -> bool:
    """Whether the Parquet file has a column of embedded images."""
    return bool(find_image_columns(parquet_column_types(path)))


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    if probe.is_dir:
        table_files = [probe.path / name for name in probe.files_with_suffix(".parquet")]
    else:
        table_files = [probe.path] if probe.head.startswith("PAR1") else []
    if not table_files:
        return build_annotations(builder, list(parse_metadata(probe, builder)), {}, options, None)
    features: dict[str, Any] = {}
    records: list[Record] = []
    for table_file in table_files:
        stated = parse_features(table_file)  # files may number their classes differently
        features = features or stated
        wanted = {*RECORD_KEYS, *options.columns.get("concept", ())}
        wanted |= {column for column, feature in stated.items() if class_names(feature)}
        records += load_table(probe, builder, table_file, wanted, stated)
    image_folder = str(probe.path if probe.is_dir else probe.path.parent)
    return build_annotations(builder, records, features, options, image_folder)


def parse_metadata(probe: Probe, builder: DatasetBuilder) -> Iterator[Record]:
    for file in list_files(probe, "metadata.jsonl"):
        folder_prefix = file.parent.relative_to(probe.path).as_posix() if probe.is_dir else "."
        split = find_split(Path(folder_prefix).parts)
        for line_number, fields in parse_json_lines(file):
            file_name = fields.pop("file_name", None)
            if not isinstance(file_name, str):
                raise InvalidRecordError(
                    file, f"line {line_number}", "missing file_name", "Add the image's file_name."
                )
            path = f"{folder_prefix}/{file_name}"
            stated = parse_split(str(fields.get("split", "")))
            if stated is not None:
                del fields["split"]
            image_split = split if stated is None else stated
            image = builder.add_image(path, *image_size(fields), split=image_split)
            yield Record(image, fields, f"{file.name} line {line_number}")


def parse_json_lines(file: Path) -> Iterator[tuple[int, Fields]]:
    for line_number, line in load_lines(file):
        try:
            yield line_number, msgspec.json.decode(line, type=Fields)
        except msgspec.MsgspecError as error:
            raise MalformedFileError(
                file, f"line {line_number} is not a valid JSON object: {error}"
            ) from error


def load_table(
    probe: Probe,
    builder: DatasetBuilder,
    table_file: Path,
    wanted: Collection[str],
    features: Mapping[str, Any],
) -> Iterator[Record]:
    table_path = table_file.relative_to(probe.path) if probe.is_dir else Path(table_file.name)
    split = parse_split(table_file.stem.split("-")[0])
    if split is None:
        split = find_split(table_path.parts[:-1])
    column_types = parquet_column_types(table_file)
    image_columns = find_image_columns(column_types)
    if not image_columns:
        raise MalformedFileError(table_file, "it has no column of embedded images")
    columns = [column for column in column_types if column in wanted]
    for column in column_types:
        if column not in (*image_columns[:1], *columns, *UNNEEDED_KEYS):
            builder.skip_key(column)
    rows = table_rows(table_file, image_columns[0], columns)
    for row_index, (image_path, fields) in enumerate(rows):
        image = builder.add_image(
            f"{table_path.as_posix()}/{row_index:07d}",
            *image_size(fields),
            split=split,
            image_id=image_path,
        )
        location = f"{table_file.name} row {row_index}"
        named = {
            name: name_classes(value, features.get(name), str(probe.path), location)
            for name, value in fields.items()
        }
        yield Record(image, named, location)


def table_rows(
    table_file: Path, image_column: str, columns: Sequence[str]
) -> Iterator[tuple[str, Fields]]:
    """Of each row the path of its image, if stated, and the columns."""
    select_list = ", ".join(
        [f"{quote_identifier(image_column)}.path", *map(quote_identifier, columns)]
    )
    try:
        with open_cursor() as connection:
            result = connection.execute(
                f"SELECT {select_list} FROM read_parquet(?, hive_partitioning = false)",
                [escape_glob(table_file)],
            )
            while batch := result.fetchmany(BATCH_ROWS):
                for path, *values in batch:
                    yield path or "", dict(zip(columns, values, strict=True))
    except query_errors() as error:
        raise MalformedFileError(
            table_file, f"cannot be read as Parquet: {str(error).split(chr(10), maxsplit=1)[0]}"
        ) from error


def parse_features(table_file: Path) -> dict[str, Any]:
    """The feature of each column in the file's metadata, empty if it states none."""

    with open_cursor() as connection:
        stated = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'huggingface'",
            [escape_glob(table_file)],
        ).fetchone()
    try:
        features = msgspec.json.decode(stated[0])["info"]["features"] if stated else {}
    except (msgspec.MsgspecError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


FORMAT = AnnotationFormat(NAME, matches, read, has_columns=True)
