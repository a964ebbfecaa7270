"""Texts that a spreadsheet would run as a formula, in CSV files.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe before it,
as spreadsheets themselves mark text; so does one that begins with apostrophes and then one of
these, so that reading back gives the same text.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from pellucid.core.tables import string_column

FORMULA_START = re.compile(r"'*[=+\-@\t\r]")


def neutralize_formulas(column: Any) -> Any:
    """The column of a CSV file; numbers and empty cells are unchanged."""
    cells = np.ma.getdata(column)
    if cells.dtype.kind not in "OU" or not any(
        isinstance(cell, str) and FORMULA_START.match(cell) for cell in cells
    ):
        return column
    return string_column(
        [
            f"'{cell}" if isinstance(cell, str) and FORMULA_START.match(cell) else cell
            for cell in cells.tolist()
        ]
    )


def restore_formulas_sql(cell_sql: str) -> str:
    """SQL for the text of a cell of a CSV file, as it was before neutralize_formulas."""
    restored = f"regexp_replace({cell_sql}, '^''(''*[=+@\\t\\r-])', '\\1')"
    return f"CASE WHEN starts_with({cell_sql}, '''') THEN {restored} ELSE {cell_sql} END"
