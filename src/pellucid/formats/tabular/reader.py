"""Table reader for CSV, Parquet and in-memory columns: unchanged texts and validated numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.core.duckdb_cursor import query_errors
from pellucid.core.errors import MalformedFileError
from pellucid.core.sql_quoting import quote_identifier
from pellucid.core.tables import Float64Array, Int32Array, StringArray, string_column
from pellucid.formats.dataset import encode_texts
from pellucid.formats.errors import InvalidRecordError, InvalidScoreError
from pellucid.formats.tabular.column_names import is_index_name, normalize_column_name
from pellucid.formats.tabular.formula_cells import restore_formulas_sql
from pellucid.formats.tabular.table_errors import describe_table_error


class TableReader:
    """One table loaded into DuckDB. `first_record` is the number of the first row in messages."""

    def __init__(
        self,
        path: str,
        connection: Any,
        column_types: dict[str, str],
        row_noun: str,
        first_record: int,
        has_decimal_commas: bool = False,
        is_text_file: bool = False,
    ) -> None:
        self._query_errors = query_errors()
        self.path = path
        self.column_types = column_types
        self.row_noun = row_noun
        self.first_record = first_record
        self._has_decimal_commas = has_decimal_commas
        self._is_text_file = is_text_file
        self._connection = connection
        self._number_counts: dict[str, tuple[int, int]] = {}
        self._texts: dict[str, StringArray] = {}
        self.row_count = int(connection.execute("SELECT count(*) FROM cells").fetchone()[0])

    def row_location(self, row_index: int) -> str:
        return f"{self.row_noun} {row_index + self.first_record}"

    def _cache_texts(self, column_name: str) -> StringArray | None:
        """The column as stripped strings; None of tables too large to keep them. A query costs a
        millisecond, and the same is asked again for each role that a column may have."""
        if self.row_count * len(self.column_types) > SMALL_TABLE_CELLS:
            return None
        if column_name not in self._texts:
            self._texts |= self._query_texts(self._neighbours(column_name))
        return self._texts[column_name]

    def _neighbours(self, column_name: str) -> list[str]:
        """The columns to ask about at once: all of a text file; others may hold whole images."""
        is_small = self.row_count * len(self.column_types) <= SMALL_TABLE_CELLS
        return list(self.column_types) if self._is_text_file and is_small else [column_name]

    def _query_texts(self, column_names: Sequence[str]) -> dict[str, StringArray]:
        texts_sql = ", ".join(
            f"{self._text_sql(name)} AS cell{index}" for index, name in enumerate(column_names)
        )
        columns = self._fetch(f"SELECT {texts_sql} FROM cells")
        return {
            name: string_column(np.ma.getdata(columns[f"cell{index}"]))
            for index, name in enumerate(column_names)
        }

    def text_column(self, column_name: str) -> StringArray:
        """The column as stripped strings, '' for empty cells."""
        texts = self._cache_texts(column_name)
        return self._query_texts([column_name])[column_name] if texts is None else texts.copy()

    def cell_values(self, column_name: str) -> list[Any]:
        """The cells of a column: stripped texts, or the lists, numbers and None of typed ones."""
        if self.column_types[column_name] == "VARCHAR":
            return list(self.text_column(column_name))
        cells = self._connection.execute(f"SELECT {quote_identifier(column_name)} FROM cells")
        return [cell for (cell,) in cells.fetchall()]

    def _text_sql(self, column_name: str) -> str:
        """SQL expression for a column's stripped text."""
        identifier, sql_type = quote_identifier(column_name), self.column_types[column_name]
        cell_sql = f"CAST({identifier} AS VARCHAR)"
        if self._is_text_file:
            cell_sql = restore_formulas_sql(cell_sql)
        elif sql_type.endswith("[]"):
            cell_sql = f"array_to_string({identifier}, chr(31))"
        elif sql_type.startswith("DECIMAL"):
            cell_sql = f"CAST(CAST({identifier} AS DOUBLE) AS VARCHAR)"
        elif sql_type in (
            "DOUBLE",
            "FLOAT",
        ):  # integer labels that pandas converted to floats because of missing values
            integer_sql = f"CAST(CAST({identifier} AS BIGINT) AS VARCHAR)"
            cell_sql = (
                f"CASE WHEN {identifier} = trunc({identifier}) AND abs({identifier}) < 1e15 THEN "
                f"{integer_sql} ELSE {cell_sql} END"
            )
        return f"coalesce(trim({cell_sql}), '')"

    def encode_column(self, column_name: str) -> tuple[list[str], Int32Array]:
        """The distinct stripped strings in order of appearance, and each row's index among them.

        Python strings are created for distinct values only, not for each row.
        """
        if (texts := self._cache_texts(column_name)) is not None:
            return encode_texts(texts.tolist())
        cell_sql = self._text_sql(column_name)
        distinct_sql = f"SELECT DISTINCT {cell_sql} AS cell FROM cells"
        distinct_texts = self._fetch(f"SELECT cell FROM ({distinct_sql}) ORDER BY cell")[
            "cell"
        ].tolist()
        self._connection.execute("CREATE OR REPLACE TEMP TABLE words (cell VARCHAR, code INTEGER)")
        self._connection.execute(
            "INSERT INTO words SELECT unnest(?), unnest(range(?))",
            [distinct_texts, len(distinct_texts)],
        )
        code_columns = self._fetch(
            f"SELECT code, {ROW_INDEX_COLUMN} AS place FROM (SELECT {cell_sql} AS cell, "
            f"{ROW_INDEX_COLUMN} FROM numbered) JOIN words USING (cell)"
        )
        codes = np.empty(self.row_count, np.int32)
        codes[code_columns["place"]] = code_columns["code"]  # a join does not preserve the order
        if not len(codes):
            return [], codes
        first_rows = np.zeros(len(distinct_texts), np.int64)
        for start in reversed(
            range(0, len(codes), CODE_CHUNK_ROWS)
        ):  # in reverse, so that the first occurrence is written last
            chunk = codes[start : start + CODE_CHUNK_ROWS][::-1]
            first_rows[chunk] = np.arange(start + len(chunk) - 1, start - 1, -1)
        order = np.argsort(first_rows)
        rank_by_code = np.empty(len(order), np.int32)
        rank_by_code[order] = np.arange(len(order))
        return [distinct_texts[code] for code in order.tolist()], rank_by_code[codes]

    def number_column(self, column_name: str, has_missing_words: bool = False) -> Float64Array:
        """The column as float64, NaN for empty cells; raises InvalidRecordError for other
        non-numeric cells.

        Args:
            has_missing_words: whether `NA` and the like are empty cells
        """
        numbers, is_invalid = self._parse_numbers(column_name, has_missing_words)
        if is_invalid.any():
            row_index = int(np.flatnonzero(is_invalid)[0])
            cell = str(self.text_column(column_name)[row_index])
            raise InvalidRecordError(
                self.path,
                self.row_location(row_index),
                f"{column_name} is '{cell}'",
                "Expected a number"
                + (" without %: 0.63, or 63 with --scores percent." if "%" in cell else "."),
            )
        return numbers

    def score_column(self, column_name: str) -> Float64Array:
        """The column as float64, NaN for empty cells only; raises InvalidScoreError for NaN or
        infinite cells."""
        scores = self.number_column(column_name)
        is_stated = np.array([cell != "" for cell in self.text_column(column_name)], bool)
        invalid_rows = np.flatnonzero(~np.isfinite(scores) & (is_stated | np.isinf(scores)))
        if len(invalid_rows):
            raise InvalidScoreError(
                self.path,
                f"{self.row_location(int(invalid_rows[0]))}, {column_name}",
                scores[invalid_rows[0]],
            )
        return scores

    def drop_index_columns(self, column_names: Sequence[str]) -> list[str]:
        """The columns without the unnamed index of an exported data frame."""
        return [
            column_name
            for column_name in column_names
            if not is_index_name(column_name) and normalize_column_name(column_name) != "index"
        ]

    def is_numeric(self, column_name: str) -> bool:
        """Whether every cell is a number or empty, and not all are empty."""
        number_count, other_count = self._count_numbers(column_name)
        return not other_count and number_count > 0

    def has_number(self, column_name: str) -> bool:
        """Whether at least one cell is a number."""
        return self._count_numbers(column_name)[0] > 0

    def first_texts(self, column_name: str, count: int = 200) -> list[str]:
        """Distinct stripped texts of the first rows, '' for empty cells."""
        if (texts := self._cache_texts(column_name)) is not None:
            return list(dict.fromkeys(texts[:count].tolist()))
        query = (
            f"SELECT DISTINCT {self._text_sql(column_name)} AS cell FROM (FROM cells LIMIT {count})"
        )
        return [str(cell) for cell in np.ma.getdata(self._fetch(query)["cell"])]

    def head_texts(self, column_name: str, count: int) -> list[str]:
        """The stripped texts of the first rows, in their order."""
        query = f"SELECT {self._text_sql(column_name)} AS cell FROM (FROM cells LIMIT {count})"
        return [str(cell) for cell in np.ma.getdata(self._fetch(query)["cell"])]

    def is_numeric_or_empty(self, column_name: str) -> bool:
        """Whether every cell is a number or empty."""
        return not self._count_numbers(column_name)[1]

    def _count_numbers(self, column_name: str) -> tuple[int, int]:
        """The number of cells that are finite numbers, and of those that are neither numbers nor
        empty."""
        if column_name not in self._number_counts:
            self._number_counts |= self._query_number_counts(self._neighbours(column_name))
        return self._number_counts[column_name]

    def _query_number_counts(self, column_names: Sequence[str]) -> dict[str, tuple[int, int]]:
        expressions = [self._number_sql(column_name) for column_name in column_names]
        counts_sql = ", ".join(
            f"count(*) FILTER (isfinite({number_sql})) AS numbers{index}, "
            f"count(*) FILTER ({wrong_sql}) AS others{index}"
            for index, (number_sql, wrong_sql) in enumerate(expressions)
        )
        counts = self._fetch(f"SELECT {counts_sql} FROM cells")
        return {
            column_name: (int(counts[f"numbers{index}"][0]), int(counts[f"others{index}"][0]))
            for index, column_name in enumerate(column_names)
        }

    def is_empty(self, column_name: str) -> bool:
        """Whether there are rows, and none has a text."""
        if (texts := self._cache_texts(column_name)) is not None:
            return self.row_count > 0 and not any(texts)
        return self.row_count > 0 and self._is_true(f"bool_and({self._text_sql(column_name)} = '')")

    def is_unique(self, column_name: str) -> bool:
        """Whether no two cells are equal."""
        if (texts := self._cache_texts(column_name)) is not None:
            return len(set(texts)) == self.row_count
        return self._is_true(f"count(*) = count(DISTINCT {self._text_sql(column_name)})")

    def is_equal(self, first_column: str, second_column: str) -> bool:
        """Whether both columns have the same text in every row."""
        firsts, seconds = self._cache_texts(first_column), self._cache_texts(second_column)
        if firsts is not None and seconds is not None:
            return bool((firsts == seconds).all())
        first, second = self._text_sql(first_column), self._text_sql(second_column)
        return self._is_true(f"bool_and({first} = {second})")

    def equal_share(self, first_column: str, second_column: str) -> float:
        """The share of the rows in which both columns have the same text."""
        first, second = self._text_sql(first_column), self._text_sql(second_column)
        share_sql = f"SELECT coalesce(avg(({first} = {second})::INT), 0) AS share FROM cells"
        return float(self._fetch(share_sql)["share"][0])

    def determines(self, first_column: str, second_column: str) -> bool:
        """Whether rows with the same text in the first column also agree in the second."""
        firsts, seconds = self._cache_texts(first_column), self._cache_texts(second_column)
        if firsts is not None and seconds is not None:
            return len(set(firsts)) == len(set(zip(firsts, seconds, strict=True)))
        first, second = self._text_sql(first_column), self._text_sql(second_column)
        return self._is_true(
            f"count(DISTINCT {first}) = count(DISTINCT concat({first}, chr(1), {second}))"
        )

    def is_one_to_one(self, first_column: str, second_column: str) -> bool:
        return self.determines(first_column, second_column) and self.determines(
            second_column, first_column
        )

    def _is_true(self, condition_sql: str) -> bool:
        return bool(
            self._fetch(f"SELECT coalesce({condition_sql}, true) AS answer FROM cells")["answer"][0]
        )

    def _parse_numbers(
        self, column_name: str, has_missing_words: bool = False
    ) -> tuple[Float64Array, Any]:
        number_sql, wrong_sql = self._number_sql(column_name, has_missing_words)
        if self.column_types[column_name] in NUMERIC_SQL_TYPES:
            numbers = self._fetch(f"SELECT {number_sql} AS number FROM cells")["number"]
            return np.ma.filled(numbers, np.nan), NONE_INVALID
        parsed_columns = self._fetch(
            f"SELECT {number_sql} AS number, {wrong_sql} AS wrong FROM cells"
        )
        return np.ma.filled(parsed_columns["number"].astype(float), np.nan), np.ma.filled(
            parsed_columns["wrong"], False
        )

    def _number_sql(self, column_name: str, has_missing_words: bool = False) -> tuple[str, str]:
        """SQL for a cell as a number (NULL if it is none), and for whether it is neither a number
        nor empty."""
        identifier = quote_identifier(column_name)
        if self.column_types[column_name] in NUMERIC_SQL_TYPES:
            return f"CAST({identifier} AS DOUBLE)", "false"
        is_text = self.column_types[column_name] == "VARCHAR"
        cell_sql = (
            f"regexp_replace(trim({identifier}), '{APOSTROPHE_PATTERN}', '\\1')"
            if is_text
            else identifier
        )
        if self._has_decimal_commas:
            cell_sql = (
                f"CASE WHEN regexp_full_match({cell_sql}, '{DECIMAL_COMMA_PATTERN}') "
                f"THEN replace({cell_sql}, ',', '.') ELSE {cell_sql} END"
            )
        number_sql = f"TRY_CAST({cell_sql} AS DOUBLE)"
        text_sql = f"CAST({cell_sql} AS VARCHAR)"
        wrong_sql = f"{number_sql} IS NULL AND {cell_sql} IS NOT NULL AND {text_sql} <> ''"
        if has_missing_words:
            # no list of words: IN becomes a join, which does not keep the order of the rows
            wrong_sql += f" AND NOT regexp_full_match(lower({text_sql}), '{MISSING_PATTERN}')"
        return number_sql, wrong_sql

    def _fetch(self, query: str) -> dict[str, Any]:
        try:
            fetched_columns: dict[str, Any] = self._connection.execute(query).fetchnumpy()
        except self._query_errors as error:
            raise self._table_error(error) from error
        return fetched_columns

    def _table_error(self, error: Exception) -> MalformedFileError:
        return MalformedFileError(self.path, describe_table_error(str(error)))


NUMERIC_SQL_TYPES = (
    "DOUBLE",
    "FLOAT",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
)
MISSING_PATTERN = "na|n/a|<na>|none|null|-"
"""How missing numbers are written, in lower case; `nan` is read as a number."""
DECIMAL_COMMA_PATTERN = r"[-+]?[0-9]*,[0-9]+([eE][-+]?[0-9]+)?"
ROW_INDEX_COLUMN = "pellucid_place"
"""The row index column of the view `numbered`."""
NONE_INVALID = np.zeros(1, bool)
CODE_CHUNK_ROWS = 1 << 22
SMALL_TABLE_CELLS = 100_000
"""Cells of a table whose texts are kept in memory."""
APOSTROPHE_PATTERN = "^''([-+].*)$"
"""A number behind the apostrophe with which spreadsheets mark text (in SQL's quoting)."""
