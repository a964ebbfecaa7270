"""Columns of a file in an object store, fetched block by block on demand.

A column behaves like a NumPy array. Blocks are cached in a local sparse file with holes for
blocks that were not fetched yet, so that NumPy can index it directly. Eviction is approximately
LRU, with two generations of files: when the current ones reach half of the limit, the previous
ones are dropped and replaced by them; blocks used again are copied over.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
from pathlib import Path
from typing import Any
from weakref import WeakSet, finalize

import numpy as np

from pellucid.core.tables import Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.evaluation.indexes import PredictionsByImage
from pellucid.storage.column_file import ColumnFile
from pellucid.storage.mapped_columns import ColumnIndex, byte_size, register_mapping

BLOCK_SIZE = 1 << 16
"""Smallest fetch in bytes: about 250 prediction records."""
MAX_REQUEST_SIZE = 1 << 23
"""Largest request in bytes."""
SMALL = 128 << 20
"""Total bytes of the columns that are read completely when a version is opened, smallest first."""
MAX_CACHE_SIZE = 2 << 30
"""Largest local cache of a workspace's columns, in bytes."""


class BlockCache:
    """Size limit shared by all cached files of a workspace."""

    def __init__(self, folder: Path, max_size: int = MAX_CACHE_SIZE) -> None:
        self.folder = folder
        self.max_size = max_size
        self.used_size = 0
        self._files: WeakSet[FileBlocks] = WeakSet()
        self._lock = threading.Lock()

    def register(self, blocks: FileBlocks) -> None:
        with self._lock:
            self._files.add(blocks)

    def add_size(self, byte_count: int) -> None:
        with self._lock:
            self.used_size += byte_count
            if self.used_size > self.max_size // 2:
                self.used_size = 0
                for blocks in self._files:
                    blocks.start_generation()


class CacheGeneration:
    """A sparse cache file. is_present: bool, which of its blocks were fetched."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor, temp_path = tempfile.mkstemp(dir=folder)
        Path(temp_path).unlink()  # deleted once it is no longer open
        finalize(self, os.close, self._descriptor)
        os.truncate(self._descriptor, size)
        self.is_present = np.zeros(-(-size // BLOCK_SIZE), bool)
        self.mapping = mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ)
        register_mapping(self.mapping)

    def write(self, offset: int, content: bytes | memoryview) -> None:
        os.pwrite(self._descriptor, content, offset)


class FileBlocks:
    """The cached blocks of one remote file."""

    def __init__(self, column_file: ColumnFile, size: int, block_cache: BlockCache) -> None:
        self._column_file, self._size, self._block_cache = column_file, size, block_cache
        self._current = CacheGeneration(block_cache.folder, size)
        self._previous: CacheGeneration | None = None
        block_cache.register(self)

    def start_generation(self) -> None:
        self._previous, self._current = (
            self._current,
            CacheGeneration(self._block_cache.folder, self._size),
        )

    def load_blocks(self, block_numbers: np.ndarray) -> mmap.mmap:
        """Fetch these blocks if necessary; returns a mapping that contains them."""
        current, previous = self._current, self._previous
        missing = block_numbers[~current.is_present[block_numbers]]
        if not len(missing):
            return current.mapping
        if previous is not None:
            cached_blocks = missing[previous.is_present[missing]]
            for block in cached_blocks.tolist():
                current.write(
                    block * BLOCK_SIZE,
                    previous.mapping[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE],
                )
            current.is_present[cached_blocks] = True
            self._block_cache.add_size(len(cached_blocks) * BLOCK_SIZE)
            missing = missing[~previous.is_present[missing]]
        if len(missing):
            spans = block_spans(missing, self._size)
            for (span_start, _), content in zip(
                spans, self._column_file.fetch_spans(spans), strict=True
            ):
                current.write(span_start, content)
            current.is_present[missing] = True
            self._block_cache.add_size(len(missing) * BLOCK_SIZE)
        return current.mapping


def block_spans(blocks: np.ndarray, size: int) -> list[tuple[int, int]]:
    """Merge adjacent blocks (sorted) into byte ranges of at most MAX_REQUEST_SIZE."""
    run_breaks = (
        np.flatnonzero(
            (np.diff(blocks) > 1)
            | (np.diff(np.arange(len(blocks)) // (MAX_REQUEST_SIZE // BLOCK_SIZE)) > 0)
        )
        + 1
    )
    return [
        (int(block_run[0]) * BLOCK_SIZE, min((int(block_run[-1]) + 1) * BLOCK_SIZE, size))
        for block_run in np.split(blocks, run_breaks)
    ]


class RemoteColumn(np.lib.mixins.NDArrayOperatorsMixin):
    """A column.

    Args:
        record, field: a copy of its values in the record column, row by row with the table's other
            columns
    """

    def __init__(
        self,
        blocks: FileBlocks,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        offset: int,
        record: RemoteColumn | None = None,
        field: str = "",
    ) -> None:
        self.blocks, self.dtype, self.shape, self._offset = blocks, dtype, shape, offset
        self._record, self._field = record, field
        self._row_size = (
            byte_size(dtype.str, [1, *shape[1:]]) if dtype.names is None else dtype.itemsize
        )

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        return self._row_size * len(self)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            selection = self[key[0]]
            return (
                selection[key[1:]]
                if isinstance(key[0], int | np.integer)
                else selection[(slice(None), *key[1:])]
            )
        if isinstance(key, slice):
            row_range = range(*key.indices(len(self)))
            if not row_range:
                return np.empty((0, *self.shape[1:]), self.dtype)
            return np.array(
                self._load_range(
                    min(row_range[0], row_range[-1]), max(row_range[0], row_range[-1])
                )[key]
            )
        row_indexes = np.asarray(key)
        if row_indexes.dtype == bool:
            row_indexes = np.flatnonzero(row_indexes)
        if not row_indexes.size:
            return np.empty((*row_indexes.shape, *self.shape[1:]), self.dtype)
        if self._record is not None:
            selection = self._record[row_indexes][self._field]
            return np.ascontiguousarray(selection) if row_indexes.ndim else selection
        return self._load_rows(row_indexes)[row_indexes]

    def _load_range(self, first_row: int, last_row: int) -> Any:
        """The column as an array in which the rows first_row to last_row (inclusive) are loaded."""
        first_block, last_block = (
            (self._offset + first_row * self._row_size) // BLOCK_SIZE,
            (self._offset + (last_row + 1) * self._row_size - 1) // BLOCK_SIZE,
        )
        return self._load_array(np.arange(first_block, last_block + 1))

    def _load_rows(self, row_indexes: Any) -> Any:
        positions = (
            np.where(row_indexes < 0, row_indexes + len(self), row_indexes)
            .astype(np.int64)
            .reshape(-1)
        )
        if positions.min() < 0 or positions.max() >= len(self):
            raise IndexError(f"row {int(positions.max())} of {len(self)}")
        byte_offsets = self._offset + positions * self._row_size
        return self._load_array(
            np.unique(
                np.concatenate(
                    [byte_offsets // BLOCK_SIZE, (byte_offsets + self._row_size - 1) // BLOCK_SIZE]
                )
            )
        )

    def _load_array(self, blocks: np.ndarray) -> Any:
        mapping = self.blocks.load_blocks(blocks)
        dtype = self.dtype
        count = self.size if dtype.names is None else len(self)
        return np.frombuffer(mapping, dtype, count, self._offset).reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        whole_column = self[:] if len(self) else np.empty(self.shape, self.dtype)
        return whole_column if dtype is None else whole_column.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*(materialize(operand) for operand in inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*materialize(args), **materialize(kwargs))

    def __getattr__(self, name: str) -> Any:
        """Delegate other array attributes to the fully loaded array."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __iter__(self) -> Any:
        return iter(np.asarray(self))


def materialize(argument: Any) -> Any:
    """Replace remote columns by arrays, recursively in lists, tuples and dicts."""
    if isinstance(argument, RemoteColumn):
        return np.asarray(argument)
    if isinstance(argument, list | tuple):
        return type(argument)(materialize(element) for element in argument)
    if isinstance(argument, dict):
        return {key: materialize(element) for key, element in argument.items()}
    return argument


RECORD_PREFIX = "records."
"""Prefix of record columns: row-wise copies of a table, to fetch a row at once."""
IMAGE_RECORD_COLUMNS = (
    "predictions.concept",
    "predictions.score",
    "predictions.box",
    "evaluation.state",
)
RECORD_COLUMNS: dict[str, tuple[str, ...]] = {
    "by_image": IMAGE_RECORD_COLUMNS,
    "predictions": (
        *(
            f"predictions.{column_name}"
            for column_name in ("image", "concept", "score", "box", "order")
        ),
        *(f"evaluation.{column_name}" for column_name in ("state", "partner", "iou")),
    ),
    "annotations": (
        *(
            f"annotations.{column_name}"
            for column_name in ("image", "concept", "box", "ignore", "positive", "area")
        ),
        "evaluation.answer",
        "evaluation.own",
        "derived.answer_score",
    ),
}


def record_dtype(column_index: ColumnIndex, table_name: str) -> np.dtype[Any]:
    """The record dtype of a table, with a field for each column that exists."""
    column_names = [
        column_name for column_name in RECORD_COLUMNS[table_name] if column_name in column_index
    ]
    return np.dtype(
        [
            (
                column_name,
                np.dtype(column_index[column_name][0]),
                tuple(column_index[column_name][1][1:]),
            )
            for column_name in column_names
        ]
    )


class RecordColumn:
    """Records of a table, assembled while they are written.

    Args:
        columns: of the file
        row_order: the row order, if different
    """

    def __init__(self, columns: dict[str, Any], table_name: str, row_order: Any = None) -> None:
        self._columns = {
            column_name: columns[column_name]
            for column_name in RECORD_COLUMNS[table_name]
            if column_name in columns
        }
        self._row_order = row_order
        column_index: ColumnIndex = {
            column_name: (column.dtype.str, list(column.shape), 0)
            for column_name, column in self._columns.items()
        }
        self._record_dtype = record_dtype(column_index, table_name)
        self.dtype = np.dtype(f"V{self._record_dtype.itemsize}")
        self.shape = (len(next(iter(self._columns.values()))),)
        self.nbytes = self.shape[0] * self._record_dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row_slice: slice) -> Any:
        first_row, end_row, _ = row_slice.indices(len(self))
        source_rows = (
            slice(first_row, end_row)
            if self._row_order is None
            else self._row_order[first_row:end_row]
        )
        records = np.empty(max(0, end_row - first_row), self._record_dtype)
        for column_name, column in self._columns.items():
            records[column_name] = column[source_rows]
        return records.view(self.dtype)


def add_record_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Add the record columns that are stored in object stores."""
    row_orders = {"by_image": columns["derived.prediction_of_image"]}
    return {
        **columns,
        **{
            f"{RECORD_PREFIX}{table_name}": RecordColumn(
                columns, table_name, row_orders.get(table_name)
            )
            for table_name in RECORD_COLUMNS
        },
    }


def remote_columns(column_file: ColumnFile, block_cache: BlockCache) -> dict[str, Any]:
    """All columns of a remote file: small ones in memory, large ones fetched on demand. Raises
    FileMissingError."""
    column_index = column_file.index
    blocks = FileBlocks(column_file, column_file.size, block_cache)
    small_column_names = select_small_columns(column_index)
    columns: dict[str, Any] = column_file.read(small_column_names)
    record_columns = {
        table_name: RemoteColumn(
            blocks,
            record_dtype(column_index, table_name),
            *shape_and_offset(column_index, f"{RECORD_PREFIX}{table_name}"),
        )
        for table_name in RECORD_COLUMNS
        if f"{RECORD_PREFIX}{table_name}" in column_index
    }
    record_by_column = {
        column_name: record_columns[table_name]
        for table_name, column_names in RECORD_COLUMNS.items()
        if table_name in record_columns and table_name != "by_image"
        for column_name in column_names
    }
    if "by_image" in record_columns:
        columns["by_image"] = build_predictions_by_image(record_columns["by_image"])
    for column_name, (dtype_name, _, _) in column_index.items():
        if column_name not in columns and not column_name.startswith(RECORD_PREFIX):
            columns[column_name] = RemoteColumn(
                blocks,
                np.dtype(dtype_name),
                *shape_and_offset(column_index, column_name),
                record_by_column.get(column_name),
                column_name,
            )
    return columns


def build_predictions_by_image(record: RemoteColumn) -> PredictionsByImage:
    row_dtype = record.dtype
    assert row_dtype.fields is not None
    columns = (
        RemoteColumn(
            record.blocks,
            row_dtype.fields[column_name][0].base,
            (len(record), *row_dtype.fields[column_name][0].shape),
            0,
            record,
            column_name,
        )
        if column_name in row_dtype.fields
        else None
        for column_name in IMAGE_RECORD_COLUMNS
    )
    return PredictionsByImage(*columns)


def prefetch(evaluation: Evaluation, item_rows: Int64Array, are_annotations: bool) -> bool:
    """Prefetch the data of these items (rows of the annotations or of the predictions) if
    remote; returns whether any are."""
    columns_by_table = {
        table_name: [
            column
            for column in table_columns.to_dict().values()
            if isinstance(column, RemoteColumn)
        ]
        for table_name, table_columns in (
            ("annotations", evaluation.annotations),
            ("predictions", evaluation.predictions),
        )
    }
    for column in columns_by_table["annotations" if are_annotations else "predictions"][:1]:
        column[item_rows]
    if columns_by_table["annotations"] and not are_annotations:
        partner_rows = evaluation.partner[item_rows]
        columns_by_table["annotations"][0][partner_rows[partner_rows >= 0]]
    return any(columns_by_table.values())


def shape_and_offset(column_index: ColumnIndex, column_name: str) -> tuple[tuple[int, ...], int]:
    _, shape, offset = column_index[column_name]
    return tuple(shape), offset


def select_small_columns(column_index: ColumnIndex) -> list[str]:
    """Columns to read completely: all search indexes, and the smallest others."""
    sizes = {
        column_name: byte_size(dtype_name, shape)
        for column_name, (dtype_name, shape, _) in column_index.items()
        if not column_name.startswith(RECORD_PREFIX)
    }
    names_by_size = sorted(sizes, key=lambda name: (not name.endswith("index"), sizes[name]))
    cumulative_sizes = np.cumsum([sizes[column_name] for column_name in names_by_size])
    return [
        column_name
        for column_name, cumulative_size in zip(
            names_by_size, cumulative_sizes.tolist(), strict=True
        )
        if cumulative_size <= SMALL or column_name.endswith("index")
    ]
