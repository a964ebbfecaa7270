"""What is wrong with a table, from DuckDB's message."""

from __future__ import annotations

import re

CSV_WIDTH_PATTERN = re.compile(
    r"Line: (\d+).*?Expected Number of Columns: (\d+) Found: (\d+)", re.DOTALL
)
CSV_LINE_PATTERN = re.compile(r"CSV Error on Line: (\d+)")


def describe_table_error(message: str) -> str:
    """What is wrong with a table, from DuckDB's message."""
    if width := CSV_WIDTH_PATTERN.search(message):
        line, expected, found = width.groups()
        return f"line {line} has {found} values; expected {expected}, as in the lines before"
    if line_match := CSV_LINE_PATTERN.search(message):
        reason = "a quotation mark is not closed" if "quote" in message.lower() else "not valid CSV"
        return f"line {line_match[1]} cannot be read: {reason}"
    return f"cannot read the table: {first_paragraph(message)}"


def first_paragraph(message: str) -> str:
    return " ".join(message.split("\n\n", maxsplit=1)[0].split())[:300]
