"""Columns of a file in an object store, of which only those blocks are fetched that are asked for.

A column behaves as the NumPy array that it stands for. Blocks lie in a file of this machine that has holes where nothing was fetched
yet, so that indexing is NumPy's own. What was not asked for longest is dropped: files are kept in two ages, and when the young ones
hold half of the bound, the old are let go and the young become old; what is asked for again moves over.
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
from pellucid.storage.column_file import Stored
from pellucid.storage.mapped_columns import Index, bytes_of, keep_track

BLOCK = 1 << 16
"""Bytes fetched at least: 250 predictions with all that is known of them."""
AT_ONCE = 1 << 23
"""Bytes of one request at most."""
SMALL = 128 << 20
"""Columns are read whole when a version is opened, the smallest first, as long as they are not more than this together."""
BOUND = 2 << 30
"""Bytes that this machine keeps of a workspace's columns."""


class Room:
    """What all files of a workspace may hold together."""

    def __init__(self, folder: Path, bound: int = BOUND) -> None:
        self.folder = folder
        self.bound = bound
        self.held = 0
        self._files: WeakSet[Blocks] = WeakSet()
        self._lock = threading.Lock()

    def join(self, file: Blocks) -> None:
        with self._lock:
            self._files.add(file)

    def grew(self, number: int) -> None:
        with self._lock:
            self.held += number
            if self.held > self.bound // 2:
                self.held = 0
                for file in self._files:
                    file.grow_old()


class Age:
    """A file with holes. present: bool, which of its blocks are there."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handle, name = tempfile.mkstemp(dir=folder)
        Path(name).unlink()  # it is gone with the last who has it open
        finalize(self, os.close, self._handle)
        os.truncate(self._handle, size)
        self.present = np.zeros(-(-size // BLOCK), bool)
        self.map = mmap.mmap(self._handle, size, access=mmap.ACCESS_READ)
        keep_track(self.map)

    def write(self, offset: int, text: bytes | memoryview) -> None:
        os.pwrite(self._handle, text, offset)


class Blocks:
    """One file of a store."""

    def __init__(self, stored: Stored, size: int, room: Room) -> None:
        self._stored, self._size, self._room = stored, size, room
        self._young = Age(room.folder, size)
        self._old: Age | None = None
        room.join(self)

    def grow_old(self) -> None:
        self._old, self._young = self._young, Age(self._room.folder, self._size)

    def with_blocks(self, wanted: np.ndarray) -> mmap.mmap:
        """A map in which these blocks are there."""
        young, old = self._young, self._old
        missing = wanted[~young.present[wanted]]
        if not len(missing):
            return young.map
        if old is not None:
            known = missing[old.present[missing]]
            for block in known.tolist():
                young.write(block * BLOCK, old.map[block * BLOCK : (block + 1) * BLOCK])
            young.present[known] = True
            self._room.grew(len(known) * BLOCK)
            missing = missing[~old.present[missing]]
        if len(missing):
            spans = spans_of(missing, self._size)
            for (begin, _), text in zip(spans, self._stored.fetch(spans), strict=True):
                young.write(begin, text)
            young.present[missing] = True
            self._room.grew(len(missing) * BLOCK)
        return young.map


def spans_of(blocks: np.ndarray, size: int) -> list[tuple[int, int]]:
    """Neighbouring blocks (rising) as spans of bytes."""
    cuts = np.flatnonzero((np.diff(blocks) > 1) | (np.diff(np.arange(len(blocks)) // (AT_ONCE // BLOCK)) > 0)) + 1
    return [(int(part[0]) * BLOCK, min((int(part[-1]) + 1) * BLOCK, size)) for part in np.split(blocks, cuts)]


class Ranged(np.lib.mixins.NDArrayOperatorsMixin):
    """A column. record, field: where its values lie a second time, each row beside those of the table's other columns."""

    def __init__(
        self, blocks: Blocks, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int, record: Ranged | None = None, field: str = ""
    ) -> None:
        self.blocks, self.dtype, self.shape, self._offset = blocks, dtype, shape, offset
        self._record, self._field = record, field
        self._each = bytes_of(dtype.str, [1, *shape[1:]]) if dtype.names is None else dtype.itemsize

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
        return self._each * len(self)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            found = self[key[0]]
            return found[key[1:]] if isinstance(key[0], int | np.integer) else found[(slice(None), *key[1:])]
        if isinstance(key, slice):
            span = range(*key.indices(len(self)))
            if not span:
                return np.empty((0, *self.shape[1:]), self.dtype)
            return np.array(self._over(min(span[0], span[-1]), max(span[0], span[-1]))[key])
        rows = np.asarray(key)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        if not rows.size:
            return np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        if self._record is not None:
            found = self._record[rows][self._field]
            return np.ascontiguousarray(found) if rows.ndim else found
        return self._at(rows)[rows]

    def _over(self, low: int, high: int) -> Any:
        """As an array of which the rows low to high are there."""
        first, last = (self._offset + low * self._each) // BLOCK, (self._offset + (high + 1) * self._each - 1) // BLOCK
        return self._array(np.arange(first, last + 1))

    def _at(self, rows: Any) -> Any:
        place = np.where(rows < 0, rows + len(self), rows).astype(np.int64).reshape(-1)
        if place.min() < 0 or place.max() >= len(self):
            raise IndexError(f"row {int(place.max())} of {len(self)}")
        first = self._offset + place * self._each
        return self._array(np.unique(np.concatenate([first // BLOCK, (first + self._each - 1) // BLOCK])))

    def _array(self, blocks: np.ndarray) -> Any:
        whole = self.blocks.with_blocks(blocks)
        kind = self.dtype
        count = self.size if kind.names is None else len(self)
        return np.frombuffer(whole, kind, count, self._offset).reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        found = self[:] if len(self) else np.empty(self.shape, self.dtype)
        return found if dtype is None else found.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        return getattr(ufunc, method)(*(plain(one) for one in inputs), **more)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*plain(args), **plain(kwargs))

    def __getattr__(self, name: str) -> Any:
        """Whatever else an array can do is done on all of it."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __iter__(self) -> Any:
        return iter(np.asarray(self))


def plain(value: Any) -> Any:
    """The same with columns as arrays, in lists and arguments too."""
    if isinstance(value, Ranged):
        return np.asarray(value)
    if isinstance(value, list | tuple):
        return type(value)(plain(one) for one in value)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


RECORDS = "records."
"""Columns of whole rows: what lies scattered is fetched at one place for all columns of a table."""
BY_IMAGE = ("predictions.concept", "predictions.score", "predictions.box", "evaluation.state")
RECORDED: dict[str, tuple[str, ...]] = {
    "by_image": BY_IMAGE,
    "predictions": (*(f"predictions.{name}" for name in ("image", "concept", "score", "box", "order")),
                    *(f"evaluation.{name}" for name in ("state", "partner", "iou"))),
    "annotations": (*(f"annotations.{name}" for name in ("image", "concept", "box", "ignore", "positive", "area")),
                    "evaluation.answer", "evaluation.own", "derived.answer_score"),
}  # fmt: skip


def record_type(index: Index, table: str) -> np.dtype[Any]:
    """Of a table's rows, by the columns that there are; fields are named after them."""
    names = [name for name in RECORDED[table] if name in index]
    return np.dtype([(name, np.dtype(index[name][0]), tuple(index[name][1][1:])) for name in names])


class Recorded:
    """The rows of a table, put together as they are written. columns: of the file that they are added to. rows: their order, if another."""

    def __init__(self, columns: dict[str, Any], table: str, rows: Any = None) -> None:
        self._columns = {name: columns[name] for name in RECORDED[table] if name in columns}
        self._rows = rows
        index: Index = {name: (column.dtype.str, list(column.shape), 0) for name, column in self._columns.items()}
        self._kind = record_type(index, table)
        self.dtype = np.dtype(f"V{self._kind.itemsize}")
        self.shape = (len(next(iter(self._columns.values()))),)
        self.nbytes = self.shape[0] * self._kind.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Any:
        begin, end, _ = part.indices(len(self))
        rows = slice(begin, end) if self._rows is None else self._rows[begin:end]
        found = np.empty(max(0, end - begin), self._kind)
        for name, column in self._columns.items():
            found[name] = column[rows]
        return found.view(self.dtype)


def with_records(columns: dict[str, Any]) -> dict[str, Any]:
    """What is written to a store."""
    order = {"by_image": columns["derived.prediction_of_image"]}
    return {**columns, **{f"{RECORDS}{table}": Recorded(columns, table, order.get(table)) for table in RECORDED}}


def ranged_columns(stored: Stored, room: Room) -> dict[str, Any]:
    """All columns of a file in a store: small ones in memory, large ones fetched as they are asked for. Raises FileMissingError."""
    index = stored.index
    blocks = Blocks(stored, stored.size, room)
    whole = small_columns(index)
    columns: dict[str, Any] = stored.read(whole)
    rows = {table: Ranged(blocks, record_type(index, table), *place(index, f"{RECORDS}{table}"))
            for table in RECORDED if f"{RECORDS}{table}" in index}  # fmt: skip
    record_of = {name: rows[table] for table, names in RECORDED.items() if table in rows and table != "by_image" for name in names}
    if "by_image" in rows:
        columns["by_image"] = by_image(rows["by_image"])
    for name, (kind, _, _) in index.items():
        if name not in columns and not name.startswith(RECORDS):
            columns[name] = Ranged(blocks, np.dtype(kind), *place(index, name), record_of.get(name), name)
    return columns


def by_image(record: Ranged) -> PredictionsByImage:
    kind = record.dtype
    assert kind.fields is not None
    columns = (
        Ranged(record.blocks, kind.fields[name][0].base, (len(record), *kind.fields[name][0].shape), 0, record, name)
        if name in kind.fields
        else None
        for name in BY_IMAGE
    )
    return PredictionsByImage(*columns)


def bring(evaluation: Evaluation, rows: Int64Array, annotations: bool) -> bool:
    """Fetch at once what is going to be asked for of these items (rows of the annotations or of the predictions), if they are far."""
    far = {
        table: [column for column in columns.to_dict().values() if isinstance(column, Ranged)]
        for table, columns in (("annotations", evaluation.annotations), ("predictions", evaluation.predictions))
    }
    for column in far["annotations" if annotations else "predictions"][:1]:
        column[rows]
    if far["annotations"] and not annotations:
        partner = evaluation.partner[rows]
        far["annotations"][0][partner[partner >= 0]]
    return any(far.values())


def place(index: Index, name: str) -> tuple[tuple[int, ...], int]:
    _, shape, offset = index[name]
    return tuple(shape), offset


def small_columns(index: Index) -> list[str]:
    """Those that are read whole: every index of a column, and the smallest others."""
    size = {name: bytes_of(kind, shape) for name, (kind, shape, _) in index.items() if not name.startswith(RECORDS)}
    by_size = sorted(size, key=lambda name: (not name.endswith("index"), size[name]))
    total = np.cumsum([size[name] for name in by_size])
    return [name for name, sum_ in zip(by_size, total.tolist(), strict=True) if sum_ <= SMALL or name.endswith("index")]
