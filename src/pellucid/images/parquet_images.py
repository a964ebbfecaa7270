"""Images embedded in Parquet files, as Hugging Face's `datasets` writes them: a column of structs
with `bytes` and `path`."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.duckdb_cursor import open_cursor, query_errors
from pellucid.core.sql_quoting import escape_glob, quote_identifier

IMAGE_COLUMNS = ("image", "img")
"""Preferred among several columns of images."""


def parquet_location(location: str) -> tuple[Path, int] | None:
    """The file and row of an image in a Parquet file: `.../train.parquet/0000012`."""
    table_path, _, row_number = location.rpartition("/")
    return (
        (Path(table_path), int(row_number))
        if table_path.endswith(".parquet") and row_number.isdecimal()
        else None
    )


def parquet_column_types(path: Path) -> dict[str, str]:
    """The SQL type of each column, none if the file cannot be read."""
    try:
        with open_cursor() as connection:
            column_rows = connection.execute(
                "DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning = false)",
                [escape_glob(path)],
            ).fetchall()
    except query_errors():
        return {}
    return {column_name: column_type for column_name, column_type, *_ in column_rows}


def find_image_columns(column_types: dict[str, str]) -> list[str]:
    """The columns of embedded images, the one that is shown first."""
    columns = [
        column
        for column, column_type in column_types.items()
        if column_type.startswith("STRUCT(") and "bytes BLOB" in column_type.replace('"', "")
    ]
    return sorted(columns, key=lambda column: column not in IMAGE_COLUMNS)


def load_parquet_image(table_path: Path, row_number: int) -> bytes:
    """The bytes of one image; raises OSError."""
    columns = find_image_columns(parquet_column_types(table_path))
    if not columns:
        raise FileNotFoundError(f"No images in {table_path}")
    query = (
        f"SELECT {quote_identifier(columns[0])}.bytes FROM read_parquet(?, file_row_number = true, "
        "hive_partitioning = false) WHERE file_row_number = ?"
    )
    try:
        with open_cursor() as connection:
            record = connection.execute(query, [escape_glob(table_path), row_number]).fetchone()
    except query_errors() as error:
        raise OSError(str(error)) from error
    if record is None or record[0] is None:
        raise FileNotFoundError(f"No image in row {row_number} of {table_path}")
    return bytes(record[0])
