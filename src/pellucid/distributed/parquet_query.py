"""Queries of the Parquet tables of a version, near or far."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import MalformedFileError
from pellucid.core.sql_quoting import escape_glob, quote_string
from pellucid.core.urls import is_remote
from pellucid.storage.object_store import open_store


def query_parquet(location: str, sql: str, *, threads: int = 1) -> dict[str, Any]:
    """Run a query on a Parquet file and return NumPy columns; `sql` refers to the file as
    `{table}`. Raises MalformedFileError."""
    import duckdb

    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("SET preserve_insertion_order = true")
        if is_remote(location):
            store, _ = open_store(location)
            connection.register_filesystem(store)
        path = escape_glob(location)  # glob characters are escaped for object stores too
        table_function = (
            f"read_parquet({quote_string(path)}, file_row_number = true, hive_partitioning = false)"
        )
        try:
            result = connection.execute(sql.format(table=table_function)).fetchnumpy()
        except duckdb.Error as error:
            raise MalformedFileError(
                location,
                f"not a readable Parquet table: {str(error).split(chr(10), maxsplit=1)[0]}",
            ) from error
    return {
        column_name: np.ma.filled(data, np.nan) if np.ma.isMaskedArray(data) else data
        for column_name, data in result.items()
    }
