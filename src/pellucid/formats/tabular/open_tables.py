"""Open tables: CSV and Parquet files, and columns in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.duckdb_cursor import open_cursor, query_errors
from pellucid.core.errors import MalformedFileError
from pellucid.core.sql_quoting import escape_glob, quote_identifier, quote_string
from pellucid.formats.errors import InMemoryDataError
from pellucid.formats.limits import check_unpacked_size
from pellucid.formats.tabular.reader import ROW_INDEX_COLUMN, TableReader
from pellucid.formats.tabular.table_errors import describe_table_error
from pellucid.formats.tabular.text_files import (
    TextTable,
    check_widths,
    has_mixed_newlines,
    open_text_table,
)


def open_table(path: Path, row_limit: int | None = None) -> TableReader:
    """Open a CSV (any usual delimiter) or Parquet file, detected by content.

    Args:
        row_limit: rows to read, to recognise a table
    """
    connection = open_cursor()
    try:
        if is_parquet(path):
            path_sql = quote_string(escape_glob(path))
            check_unpacked_size(path, escape_glob(path), connection)
            limit_sql = "" if row_limit is None else f" LIMIT {row_limit}"
            connection.execute(
                f"CREATE TEMP VIEW cells AS SELECT * FROM read_parquet({path_sql}, "
                f"hive_partitioning = false){limit_sql}"
            )
            lowercase_names = {
                column_name.lower() for column_name in parse_column_types(connection)
            }
            row_index_sql = (
                "row_number() OVER () - 1"
                if "file_row_number" in lowercase_names
                else "file_row_number"
            )
            table_sql = (
                "cells"
                if "file_row_number" in lowercase_names
                else f"read_parquet({path_sql}, file_row_number = true, hive_partitioning = false)"
            )
            connection.execute(
                f"CREATE TEMP VIEW numbered AS SELECT *, {row_index_sql} AS {ROW_INDEX_COLUMN} "
                f"FROM {table_sql}{limit_sql}"
            )
            row_noun, first_record, has_decimal_commas = "row", 0, False
        else:
            text_table = load_csv(connection, path, row_limit)
            connection.execute(
                "CREATE TEMP VIEW numbered AS SELECT *, row_number() OVER () - 1 AS "
                f"{ROW_INDEX_COLUMN} FROM cells"
            )
            row_noun = "line"
            first_record = text_table.header_line_number + text_table.header_line_count
            # a comma cannot be a decimal separator where it separates the columns
            has_decimal_commas = text_table.delimiter != ","
    except query_errors() as error:
        raise MalformedFileError(path, describe_table_error(str(error))) from error
    return TableReader(
        str(path),
        connection,
        parse_column_types(connection),
        row_noun,
        first_record,
        has_decimal_commas,
        is_text_file=row_noun == "line",
    )


def load_csv(connection: Any, path: Path, row_limit: int | None = None) -> TextTable:
    """Load all cells as text. Every line must have as many columns as the header."""
    with open_text_table(path) as text_table:
        columns_sql = ", ".join(
            f"{quote_string(column_name)}: 'VARCHAR'" for column_name in text_table.column_names
        )
        has_mixed = has_mixed_newlines(text_table.path)
        if has_mixed:
            check_widths(text_table)
        connection.execute(
            "CREATE TEMP TABLE cells AS SELECT * FROM read_csv(?, auto_detect = false, "
            "hive_partitioning = false, header = true, "
            f"skip = {text_table.header_line_number - 1}, columns = {{{columns_sql}}}, "
            "delim = ?, quote = '\"', escape = '\"', "
            f"strict_mode = {not has_mixed}, null_padding = false)"
            + ("" if row_limit is None else f" LIMIT {row_limit}"),
            [escape_glob(text_table.path), text_table.delimiter],
        )
        if row_limit is None and ends_with_empty_row(text_table):
            remove_empty_end(connection, text_table.column_names)
    return text_table


END_BYTES = 4_096


def ends_with_empty_row(text_table: TextTable) -> bool:
    """Whether the last line has delimiters alone, as spreadsheets leave it below a table."""
    with text_table.path.open("rb") as file:
        file.seek(max(0, text_table.path.stat().st_size - END_BYTES))
        last_line = file.read().rstrip(b"\r\n").rpartition(b"\n")[2]
    return not last_line.replace(text_table.delimiter.encode(), b"").strip()


def remove_empty_end(connection: Any, column_names: Sequence[str]) -> None:
    """Remove the rows without any cell at the end of a table."""
    stated_sql = " OR ".join(f"{quote_identifier(name)} <> ''" for name in column_names)
    connection.execute(
        "DELETE FROM cells WHERE rowid > "
        f"(SELECT coalesce(max(rowid), -1) FROM cells WHERE {stated_sql})"
    )


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def open_memory_table(source: Any) -> TableReader:
    """Open columns in memory: a dict of arrays or lists, pandas, polars or Arrow; raises
    MalformedFileError for anything else."""
    return open_columns("columns in memory", source, "row", 0)


def open_columns(location: str, source: Any, row_noun: str, first_record: int) -> TableReader:
    """Open columns, whose rows messages name by `row_noun` and a number from `first_record`."""
    connection = open_cursor()
    refusals: tuple[type[Exception], ...] = (*query_errors(), TypeError, ValueError)
    try:
        if isinstance(source, dict):
            source = {
                str(column_name): np.asarray(column) for column_name, column in source.items()
            }
            lengths = {column_name: len(column) for column_name, column in source.items()}
            if len(set(lengths.values())) != 1:
                raise MalformedFileError(
                    location, f"found lengths {lengths or 'none'}; expected columns of equal length"
                )
        reject_duplicate_columns(source, location)
        connection.register("given", source)
        connection.execute("CREATE TEMP TABLE cells AS SELECT * FROM given")
        connection.execute(
            "CREATE TEMP VIEW numbered AS SELECT *, row_number() OVER () - 1 AS "
            f"{ROW_INDEX_COLUMN} FROM cells"
        )
    except refusals as error:
        if "replacement scan" in str(error):
            raise InMemoryDataError(f"a {type(source).__name__} of other cells") from error
        raise MalformedFileError(location, describe_table_error(str(error))) from error
    types = parse_column_types(connection)
    return TableReader(location, connection, types, row_noun, first_record)


def reject_duplicate_columns(source: Any, location: str) -> None:
    """Raise MalformedFileError if two columns differ in case alone, or not at all."""
    stated = getattr(source, "column_names", None)  # of Arrow, whose `columns` are the values
    names = [
        str(name) for name in (getattr(source, "columns", source) if stated is None else stated)
    ]
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            raise MalformedFileError(location, f"duplicate column '{name}': rename one of them")


def parse_column_types(connection: Any) -> dict[str, str]:
    return {
        column_name: sql_type
        for column_name, sql_type, *_ in connection.execute("DESCRIBE cells").fetchall()
    }
