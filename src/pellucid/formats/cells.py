"""A table's cells, from CSV, Parquet or memory: texts as they stand, numbers checked."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import Floats, Integers, Texts, texts
from pellucid.errors import FileMalformed, RecordBad, ScoreBad
from pellucid.formats.bounds import bounded_table


class Cells:
    """One table held by DuckDB. `first_record` is what the first row is called in messages."""

    def __init__(self, path: str, connection: Any, columns: dict[str, str], noun: str, first_record: int) -> None:
        import duckdb

        self._failure = duckdb.Error
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
        return texts(np.ma.getdata(self._fetch(f"SELECT {self._text(name)} AS cell FROM cells")["cell"]))

    def _text(self, name: str) -> str:
        """The SQL of a column's stripped text."""
        quoted, kind = quote(name), self.columns[name]
        cell = f"CAST({quoted} AS VARCHAR)"
        if kind.endswith("[]"):
            cell = f"array_to_string({quoted}, '|')"
        elif kind in ("DOUBLE", "FLOAT"):  # labels that pandas made floats, because some were absent
            whole = f"CAST(CAST({quoted} AS BIGINT) AS VARCHAR)"
            cell = f"CASE WHEN {quoted} = trunc({quoted}) AND abs({quoted}) < 1e15 THEN {whole} ELSE {cell} END"
        return f"coalesce(trim({cell}), '')"

    def coded(self, name: str) -> tuple[list[str], Integers]:
        """The distinct stripped strings in order of appearance, and each row's position among them.

        A string is made for each distinct one alone, not for each row.
        """
        cell = self._text(name)
        distinct = f"SELECT DISTINCT {cell} AS cell FROM cells"
        words = self._fetch(f"SELECT cell FROM ({distinct}) ORDER BY cell")["cell"].tolist()
        self._connection.execute("CREATE OR REPLACE TEMP TABLE words (cell VARCHAR, code INTEGER)")
        self._connection.execute("INSERT INTO words SELECT unnest(?), unnest(range(?))", [words, len(words)])
        found = self._fetch(f"SELECT code, {PLACE} AS place FROM (SELECT {cell} AS cell, {PLACE} FROM numbered) JOIN words USING (cell)")
        code = np.empty(self.rows, np.int32)
        code[found["place"]] = found["code"]  # a join keeps no order
        if not len(code):
            return [], code
        first = np.zeros(len(words), np.int64)
        for begin in reversed(range(0, len(code), PART)):  # the last to be written is the first to appear
            part = code[begin : begin + PART][::-1]
            first[part] = np.arange(begin + len(part) - 1, begin - 1, -1)
        order = np.argsort(first)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order))
        return [words[row] for row in order.tolist()], place[code]

    def number(self, name: str) -> Floats:
        """The column as float64, NaN where a cell is empty; raises RecordBad on anything else that is no number."""
        values, wrong = self._numbers(name)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise RecordBad(self.path, self.place(row), f"{name} is '{self.text(name)[row]}'", "Write a number.")
        return values

    def finite(self, name: str) -> Floats:
        """Likewise, but only an empty cell is NaN: one that says NaN, or is infinite, is refused as a score."""
        values = self.number(name)
        said = np.array([cell != "" for cell in self.text(name)], bool)
        bad = np.flatnonzero(~np.isfinite(values) & (said | np.isinf(values)))
        if len(bad):
            raise ScoreBad(self.path, f"{self.place(int(bad[0]))}, {name}", values[bad[0]])
        return values

    def is_numeric(self, name: str) -> bool:
        """Whether every cell is a number or empty, and not all are empty."""
        values, wrong = self._numbers(name)
        return not wrong.any() and bool(np.isfinite(values).any())

    def _numbers(self, name: str) -> tuple[Floats, Any]:
        cell = f"trim(CAST({quote(name)} AS VARCHAR))" if self.columns[name] == "VARCHAR" else quote(name)
        if self.columns[name] in MACHINE_NUMBERS:
            column = self._fetch(f"SELECT CAST({quote(name)} AS DOUBLE) AS number FROM cells")["number"]
            return np.ma.filled(column, np.nan), NONE_WRONG
        query = (
            f"SELECT TRY_CAST({cell} AS DOUBLE) AS number, "
            f"{cell} IS NOT NULL AND CAST({cell} AS VARCHAR) <> '' AND TRY_CAST({cell} AS DOUBLE) IS NULL AS wrong FROM cells"
        )
        columns = self._fetch(query)
        return np.ma.filled(columns["number"].astype(float), np.nan), np.ma.filled(columns["wrong"], False)

    def _fetch(self, query: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._connection.execute(query).fetchnumpy()
        except self._failure as error:
            raise self._unreadable(error) from error
        return found

    def _unreadable(self, error: Exception) -> FileMalformed:
        return FileMalformed(self.path, f"is no table that can be read: {first_sentence(str(error))}")


MACHINE_NUMBERS = ("DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER")
PLACE = "pellucid_place"
"""What rows are numbered by, in the view `numbered`."""
NONE_WRONG = np.zeros(1, bool)
PART = 1 << 22


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
            source = text_literal(exactly(path))
            bounded_table(path, exactly(path), connection)
            connection.execute(f"CREATE VIEW cells AS SELECT * FROM read_parquet({source}, hive_partitioning = false)")
            named = {name.lower() for name in column_types(connection)}
            number = "row_number() OVER () - 1" if "file_row_number" in named else "file_row_number"
            rows = "cells" if "file_row_number" in named else f"read_parquet({source}, file_row_number = true, hive_partitioning = false)"
            connection.execute(f"CREATE VIEW numbered AS SELECT *, {number} AS {PLACE} FROM {rows}")
            noun, first = "row", 0
        else:
            read_csv(connection, path)
            connection.execute(f"CREATE VIEW numbered AS SELECT *, row_number() OVER () - 1 AS {PLACE} FROM cells")
            noun, first = "line", 2
    except duckdb.Error as error:
        raise FileMalformed(path, f"is no table that can be read: {first_sentence(str(error))}") from error
    return Cells(str(path), connection, column_types(connection), noun, first)


DELIMITERS = ",;\t|"


def read_csv(connection: Any, path: Path) -> None:
    """Every cell as it stands. Every line must have the columns of the first."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline().rstrip("\r\n")
    delimiter = max(DELIMITERS, key=line.count)
    heading = [name.strip() or f"column {place}" for place, name in enumerate(next(csv.reader([line], delimiter=delimiter)))]
    twice = [name for name, times in Counter(heading).items() if times > 1]
    if twice:
        raise FileMalformed(path, f"has two columns named '{twice[0]}'")
    columns = ", ".join(f"{text_literal(name)}: 'VARCHAR'" for name in heading)
    connection.execute(
        f"CREATE TABLE cells AS SELECT * FROM read_csv(?, auto_detect = false, hive_partitioning = false, header = true, "
        f"columns = {{{columns}}}, "
        f"delim = ?, quote = '\"', escape = '\"', strict_mode = {not mixes_line_ends(path)}, null_padding = false)",
        [exactly(path), delimiter],
    )


def mixes_line_ends(path: Path) -> bool:
    """Files put together from two systems: DuckDB reads them only where it is lenient about the rest too."""
    with path.open("rb") as file:
        text = file.read(1 << 20)
    return b"\r\n" in text and text.count(b"\n") > text.count(b"\r\n")


def text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def exactly(path: Path | str) -> str:
    """The path for DuckDB, which takes `*`, `?` and `[` for patterns."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path))


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def cells_of_memory(table: Any) -> Cells:
    """Columns in memory: a dict of arrays or lists, pandas, polars or Arrow; raises FileMalformed for anything else."""
    import duckdb

    where = "columns in memory"
    connection = duckdb.connect()
    try:
        if isinstance(table, dict):
            table = {str(name): np.asarray(column) for name, column in table.items()}
            lengths = {name: len(column) for name, column in table.items()}
            if len(set(lengths.values())) != 1:
                raise FileMalformed(where, f"are {lengths or 'none'}, where columns of one length were expected")
        connection.register("given", table)
        connection.execute("CREATE TABLE cells AS SELECT * FROM given")
        connection.execute(f"CREATE VIEW numbered AS SELECT *, row_number() OVER () - 1 AS {PLACE} FROM cells")
    except (duckdb.Error, TypeError) as error:
        raise FileMalformed(where, f"are no table that can be read: {first_sentence(str(error))}") from error
    return Cells(where, connection, column_types(connection), "row", 0)


def column_types(connection: Any) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute("DESCRIBE cells").fetchall()}


def first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())[:300]
