"""Several concepts in one cell: `a|b`, `a; b`, `a, b`, `a b`, `['a', 'b']`."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from pellucid.formats.errors import AmbiguousSeparatorError
from pellucid.formats.tabular.column_names import CONCEPT_LIST_NAMES, parse_column_name

SEPARATORS = "|;, "
NO_SEPARATOR = "none"
LIST_CELL = "list"
"""Cells are Python or JSON lists."""


def find_separator(
    path: str, column: str, cells: Sequence[str], forced: str | None = None
) -> str | None:
    """The separator of the cells of a column, LIST_CELL, or None for one concept per cell.

    A bar separates in any column; other separators only in a column whose name announces several
    concepts, as a name may contain a comma or a space. forced: as the user specified it.

    Raises:
        AmbiguousSeparatorError: the parts of cells recur in other cells, so that they could be
            concepts of their own, or a space separates words that never recur.
    """
    if forced is not None:
        return None if forced == NO_SEPARATOR else forced
    distinct_cells = sorted({cell for cell in cells if cell})
    if distinct_cells and all(is_list_cell(cell) for cell in distinct_cells):
        return LIST_CELL
    announces_lists = parse_column_name(column).rest in CONCEPT_LIST_NAMES
    for separator in SEPARATORS:
        joined_cells = [cell for cell in distinct_cells if separator in cell]
        if not joined_cells:
            continue
        if separator == "|" or (announces_lists and separator in ";,"):
            return separator
        recurs = do_parts_recur(distinct_cells, separator)
        if announces_lists and recurs:
            return separator
        if announces_lists or recurs:
            raise AmbiguousSeparatorError(path, column, joined_cells[0], separator)
    return None


def do_parts_recur(distinct_cells: Sequence[str], separator: str) -> bool:
    """Whether most parts of joined cells recur in other cells, in other combinations: few parts
    then form many cells."""
    parts_of_cells = [set(split_cell(cell, separator)) for cell in distinct_cells]
    joined = [parts for parts in parts_of_cells if len(parts) > 1]
    cell_counts = Counter(part for parts in parts_of_cells for part in parts)
    occurrences = [cell_counts[part] for parts in joined for part in parts]
    if not occurrences:
        return False
    share = sum(count > 1 for count in occurrences) / len(occurrences)
    contains_another = any(
        first < second for first in joined for second in joined if first is not second
    )
    return share >= 0.5 and (contains_another or len(cell_counts) < len(distinct_cells))


def is_list_cell(cell: str) -> bool:
    return cell.startswith("[") and cell.endswith("]")


def split_cell(cell: str, separator: str | None) -> list[str]:
    """The concepts of a cell, without empty ones and repetitions."""
    if separator is None:
        parts = [cell]
    elif separator == LIST_CELL:
        parts = parse_list_cell(cell)
    else:
        parts = cell.split(separator)
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def parse_list_cell(cell: str) -> list[str]:
    """The items of a Python or JSON list; of `[a, b]`, which is neither, the parts."""
    try:
        items = ast.literal_eval(cell)
        return [str(item) for item in items]
    except (ValueError, SyntaxError):
        return [part.strip(" '\"") for part in cell.strip("[]").split(",")]
