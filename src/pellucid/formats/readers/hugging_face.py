"""Hugging Face: `ImageFolder` with `metadata.jsonl` (`metadata.csv` is read as a table), and
Parquet datasets with embedded images.

Concepts may be integers; their names are read from the `ClassLabel` feature in the file's metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pellucid.core.errors import MalformedFileError, summarize_names
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import BoxShapes, ParsedAnnotations, find_split, parse_split
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import parse_number, read_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files
from pellucid.formats.tabular.reader import escape_glob

NAME = "hugging-face"
DatasetRecord = dict[str, Any]
LABEL_KEYS = ("label", "labels", "category", "class", "tags")
OBJECTS_KEY = "objects"
BOX_KEYS = ("bbox", "bboxes", "box", "boxes")
CONCEPT_KEYS = ("category", "categories", "label", "labels", "class", "classes")


def matches(probe: Probe) -> bool:
    if probe.is_dir:
        return bool(probe.files_with_suffix("metadata.jsonl")) or any(
            is_image_table(probe.path / file_name)
            for file_name in probe.sample_with_suffix(".parquet")
        )
    return is_metadata_lines(probe.head) or (
        probe.head.startswith("PAR1") and is_image_table(probe.path)
    )


def is_metadata_lines(head: str) -> bool:
    return (
        head.startswith("{")
        and '"file_name"' in head.split("\n", maxsplit=1)[0]
        and '"images"' not in head
    )


def is_image_table(path: Path) -> bool:
    """Whether the Parquet file has an `image` column with image data."""
    image_type = parquet_column_types(path).get("image", "")
    return image_type.startswith("STRUCT") and "bytes" in image_type


def parquet_column_types(path: Path) -> dict[str, str]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            column_rows = connection.execute(
                "DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning = false)",
                [escape_glob(path)],
            ).fetchall()
    except duckdb.Error:
        return {}
    return {column_name: column_type for column_name, column_type, *_ in column_rows}


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    table_files = (
        [probe.path / name for name in probe.files_with_suffix(".parquet")]
        if probe.is_dir
        else [probe.path]
        if probe.head.startswith("PAR1")
        else []
    )
    if table_files:
        return read_tables(probe, options, builder, table_files)
    for file in list_files(probe, "metadata.jsonl"):
        folder_prefix = file.parent.relative_to(probe.path).as_posix() if probe.is_dir else "."
        split = find_split(Path(folder_prefix).parts)
        for line_number, record in read_json_lines(file):
            file_name = record.get("file_name")
            if not isinstance(file_name, str):
                raise InvalidRecordError(
                    file, f"line {line_number}", "missing file_name", "Add the image's file_name."
                )
            read_record(
                builder,
                builder.add_image(f"{folder_prefix}/{file_name}", split=split),
                record,
                [],
                f"{file.name} line {line_number}",
            )
    return with_open_shapes(builder.build(options.kind))


def with_open_shapes(annotations: ParsedAnnotations) -> ParsedAnnotations:
    """Boxes are [left, top, width, height] by convention, but some data sets write corners."""
    if annotations.annotations.box is None:
        return annotations
    return replace(annotations, box_shapes=BoxShapes(("xywh", "xyxy"), "xywh"))


def read_json_lines(file: Path) -> Iterator[tuple[int, DatasetRecord]]:
    for line_number, line in read_lines(file):
        try:
            yield line_number, msgspec.json.decode(line, type=DatasetRecord)
        except msgspec.MsgspecError as error:
            raise MalformedFileError(
                file, f"line {line_number} is not a valid JSON object: {error}"
            ) from error


def read_tables(
    probe: Probe, options: ReadOptions, builder: DatasetBuilder, table_files: list[Path]
) -> ParsedAnnotations:
    concept_names: list[str] = []
    for table_file in table_files:
        concept_names = concept_names or feature_names(table_file)
        table_path = (
            table_file.relative_to(probe.path).as_posix() if probe.is_dir else table_file.name
        )
        split = parse_split(table_file.stem.split("-")[0])
        for row_index, record in enumerate(table_records(table_file)):
            image = builder.add_image(
                f"{table_path}/{row_index:07d}",
                split=-1 if split is None else split,
                image_id=record.pop("path", None) or "",
            )
            read_record(builder, image, record, concept_names, f"{table_file.name} row {row_index}")
    image_folder = str(probe.path if probe.is_dir else probe.path.parent)
    return with_open_shapes(builder.build(options.kind, concept_names, image_folder=image_folder))


def table_records(table_file: Path) -> Iterator[DatasetRecord]:
    """The rows as dicts, with the image's path but without its bytes."""
    import duckdb

    label_columns = [
        column_name
        for column_name in parquet_column_types(table_file)
        if column_name in (*LABEL_KEYS, OBJECTS_KEY)
    ]
    select_list = ", ".join(["image.path AS path", *label_columns])
    try:
        with duckdb.connect() as connection:
            result = connection.execute(
                f"SELECT {select_list} FROM read_parquet(?, hive_partitioning = false)",
                [escape_glob(table_file)],
            )
            while batch := result.fetchmany(5_000):
                for record in batch:
                    yield dict(zip(["path", *label_columns], record, strict=True))
    except duckdb.Error as error:
        raise MalformedFileError(
            table_file, f"cannot be read as Parquet: {str(error).split(chr(10), maxsplit=1)[0]}"
        ) from error


def feature_names(table_file: Path) -> list[str]:
    """The class names of the first ClassLabel feature in the file's metadata, at any depth."""
    import duckdb

    with duckdb.connect() as connection:
        features = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'huggingface'",
            [escape_glob(table_file)],
        ).fetchone()
    try:
        return class_label(msgspec.json.decode(features[0])) if features else []
    except msgspec.MsgspecError:
        return []


def class_label(feature: Any) -> list[str]:
    if isinstance(feature, dict):
        if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
            return [str(class_name) for class_name in feature["names"]]
        nested_features = list(feature.values())
    else:
        nested_features = feature if isinstance(feature, list) else []
    return next(
        (
            class_names
            for nested_feature in nested_features
            if (class_names := class_label(nested_feature))
        ),
        [],
    )


def read_record(
    builder: DatasetBuilder,
    image: int,
    record: DatasetRecord,
    concept_names: list[str],
    location: str,
) -> None:
    """Add the boxes of `objects` (`bbox`: [left, top, width, height] in pixels, with categories),
    or one or more labels."""
    objects = record.get(OBJECTS_KEY)
    for key in record:
        if key not in (*LABEL_KEYS, OBJECTS_KEY, "file_name"):
            builder.skip_key(key)
    if objects is None:
        label = next((record[key] for key in LABEL_KEYS if record.get(key) is not None), None)
        for label_value in label if isinstance(label, list) else [] if label is None else [label]:
            builder.add_tag(image, concept_name(builder, label_value, concept_names, location))
        return
    if isinstance(objects, dict):
        bboxes = first_value(objects, BOX_KEYS) or []
        concepts = first_value(objects, CONCEPT_KEYS) or []
        is_empty = not any(objects.values())
    else:
        bboxes = [first_value(object_record, BOX_KEYS) for object_record in objects]
        concepts = [first_value(object_record, CONCEPT_KEYS) for object_record in objects]
        is_empty = not objects
    if not bboxes and not is_empty:
        raise InvalidRecordError(
            builder.path,
            location,
            f"objects without boxes; found {summarize_names(objects, 8)}",
            "Write objects as {bbox: [[left, top, width, height], ...], category: [...]}.",
        )
    if len(bboxes) != len(concepts):
        raise InvalidRecordError(
            builder.path,
            location,
            f"found {len(bboxes)} boxes and {len(concepts)} categories",
            "Their numbers must match.",
        )
    for bbox, concept in zip(bboxes, concepts, strict=True):
        if not isinstance(bbox, list | tuple) or len(bbox) != 4:
            raise InvalidRecordError(
                builder.path,
                location,
                f"invalid bbox {bbox!r:.40}",
                "Write [left, top, width, height] in pixels.",
            )
        x, y, width, height = (parse_number(side, builder.path, location, "bbox") for side in bbox)
        builder.add_box(
            image,
            concept_name(builder, concept, concept_names, location),
            (x, y, width, height),
            location,
        )


def first_value(record: DatasetRecord, keys: Sequence[str]) -> Any:
    return next((record[key] for key in keys if key in record), None)


def concept_name(
    builder: DatasetBuilder, concept: Any, concept_names: list[str], location: str
) -> str:
    if isinstance(concept, int) and concept_names:
        if not 0 <= concept < len(concept_names):
            raise InvalidRecordError(
                builder.path,
                location,
                f"concept {concept} is not in 0 to {len(concept_names) - 1}",
                "See the names in its features.",
            )
        return concept_names[concept]
    return str(concept)


FORMAT = AnnotationFormat(NAME, matches, read)
