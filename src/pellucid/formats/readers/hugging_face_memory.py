"""Data sets of Hugging Face in memory: a `datasets.Dataset`, or a `DatasetDict` of one per split.
They are recognised by their attributes, without importing the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, parse_split
from pellucid.formats.errors import InMemoryDataError
from pellucid.formats.probe import ReadOptions
from pellucid.formats.readers.hugging_face_records import (
    RECORD_KEYS,
    Record,
    build_annotations,
    class_names,
    image_size,
    name_classes,
)

NAME = "data set in memory"
PATH_COLUMNS = ("file_name", "image_path", "path", "image_id")


def is_dataset(source: Any) -> bool:
    return all(hasattr(source, name) for name in ("features", "column_names", "num_rows"))


def is_dataset_dict(source: Any) -> bool:
    return isinstance(source, Mapping) and bool(source) and all(map(is_dataset, source.values()))


def read(source: Any, options: ReadOptions) -> ParsedAnnotations:
    """The labels or boxes of a data set. Images are named by their file name, or else by their
    row.

    Raises:
        InMemoryDataError: no field has labels.
        AmbiguousColumnsError: several fields could be the concept.
    """
    datasets = source if is_dataset_dict(source) else {"": source}
    builder = DatasetBuilder(NAME, "hugging-face", options.image_folder)
    records: list[Record] = []
    features: dict[str, Any] = {}
    for split, dataset in datasets.items():
        stated = {name: plain_feature(value) for name, value in dataset.features.items()}
        features = features or stated
        records += dataset_records(builder, dataset, split, stated, options)
    if not any(record.fields for record in records):
        columns = next(iter(datasets.values())).column_names
        raise InMemoryDataError(
            f"a data set with the columns {', '.join(columns)}; expected label or objects"
        )
    return build_annotations(builder, records, features, options, None)


def dataset_records(
    builder: DatasetBuilder,
    dataset: Any,
    split: str,
    features: Mapping[str, Any],
    options: ReadOptions,
) -> list[Record]:
    wanted = {*RECORD_KEYS, *options.columns.get("concept", ())}
    wanted |= {name for name, feature in features.items() if class_names(feature)}
    columns = {name: list(dataset[name]) for name in dataset.column_names if name in wanted}
    path_column = next((name for name in PATH_COLUMNS if name in dataset.column_names), None)
    prefix = f"{split}/" if split else ""
    paths = (
        [f"{prefix}{row:07d}" for row in range(dataset.num_rows)]
        if path_column is None
        else [str(path) for path in dataset[path_column]]
    )
    split_index = parse_split(split) if split else None
    records = []
    for row, path in enumerate(paths):
        location = f"{prefix}row {row}"
        fields = {
            name: name_classes(values[row], features.get(name), NAME, location)
            for name, values in columns.items()
        }
        split_number = -1 if split_index is None else split_index
        image = builder.add_image(path, *image_size(fields), split=split_number)
        records.append(Record(image, fields, location))
    return records


def plain_feature(feature: Any) -> Any:
    """A feature as its JSON has it: `ClassLabel`, a list or a sequence of one, a dict."""
    names = getattr(feature, "names", None)
    if names is not None:
        return {"_type": "ClassLabel", "names": list(names)}
    if isinstance(feature, Mapping):
        return {name: plain_feature(value) for name, value in feature.items()}
    if isinstance(feature, list | tuple):
        return [plain_feature(value) for value in feature]
    inner = getattr(feature, "feature", None)
    return {"feature": plain_feature(inner)} if inner is not None else {}
