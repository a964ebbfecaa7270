"""A table's cells, from CSV, Parquet or memory: texts as they stand, numbers checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import Floats, Texts, texts
from pellucid.errors import FileEmpty, FileMalformed, RecordBad


class Cells:
    """One table held by DuckDB. `first_record` is what the first row is called in messages."""

    def __init__(self, path: str, connection: Any, columns: dict[str, str], noun: str, first_record: int) -> None:
        self.path = path
        self.columns = columns
        self.noun = noun
        self.first_record = first_record
        self._connection = connection
        self.rows = int(connection.execute("SELECT count(*) FROM cells").fetchone()[0])

    def place(self, row: int) -> str:
        return f"{self.noun} {row + self.first_record}"

    def text(self, name: str) -> Texts:
        """The column as stripped strings, '' where a cell is empty."""
        quoted = quote(name)
        cell = f"array_to_string({quoted}, '|')" if self.columns[name].endswith("[]") else f"CAST({quoted} AS VARCHAR)"
        column = self._connection.execute(f"SELECT coalesce(trim({cell}), '') AS cell FROM cells").fetchnumpy()["cell"]
        return texts(np.ma.getdata(column))

    def number(self, name: str) -> Floats:
        """The column as float64, NaN where a cell is empty; raises RecordBad on anything else that is no number."""
        values, wrong = self._numbers(name)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise RecordBad(self.path, self.place(row), f"{name} is '{self.text(name)[row]}'", "Write a number.")
        return values

    def is_numeric(self, name: str) -> bool:
        """Whether every cell is a number or empty, and not all are empty."""
        values, wrong = self._numbers(name)
        return not wrong.any() and bool(np.isfinite(values).any())

    def _numbers(self, name: str) -> tuple[Floats, Any]:
        cell = f"trim(CAST({quote(name)} AS VARCHAR))" if self.columns[name] == "VARCHAR" else quote(name)
        query = (
            f"SELECT TRY_CAST({cell} AS DOUBLE) AS number, "
            f"{cell} IS NOT NULL AND CAST({cell} AS VARCHAR) <> '' AND TRY_CAST({cell} AS DOUBLE) IS NULL AS wrong FROM cells"
        )
        columns = self._connection.execute(query).fetchnumpy()
        return np.ma.filled(columns["number"].astype(float), np.nan), np.ma.filled(columns["wrong"], False)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tidy(name: str) -> str:
    """A column's name as compared: `Image Path` is `image_path`."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def cells_of_file(path: Path) -> Cells:
    """A CSV (any usual delimiter) or Parquet file, by its content."""
    import duckdb

    connection = duckdb.connect()
    try:
        if is_parquet(path):
            connection.execute("CREATE TABLE cells AS SELECT * FROM read_parquet(?)", [str(path)])
            noun, first = "row", 0
        else:
            connection.execute(
                "CREATE TABLE cells AS SELECT * FROM read_csv(?, all_varchar = true, header = true, sample_size = -1)", [str(path)]
            )
            noun, first = "line", 2
    except duckdb.Error as error:
        raise FileMalformed(path, f"is no table that can be read: {first_sentence(str(error))}") from error
    cells = Cells(str(path), connection, column_types(connection), noun, first)
    if not cells.columns:
        raise FileEmpty(path, "a table with a header")
    return cells


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def cells_of_memory(table: Any) -> Cells:
    """Columns in memory: a dict of arrays or lists, pandas, polars or Arrow."""
    import duckdb

    if isinstance(table, dict):
        table = {name: np.asarray(column) for name, column in table.items()}
    connection = duckdb.connect()
    connection.register("given", table)
    connection.execute("CREATE TABLE cells AS SELECT * FROM given")
    return Cells("columns in memory", connection, column_types(connection), "row", 0)


def column_types(connection: Any) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute("DESCRIBE cells").fetchall()}


def first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())[:300]
