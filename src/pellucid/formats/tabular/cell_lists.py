"""Several concepts in one cell: `a|b`, `a; b`, `a, b`, `a b`, `['a', 'b']`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from pellucid.formats.errors import AmbiguousSeparatorError, InvalidRecordError
from pellucid.formats.parsing import is_number
from pellucid.formats.tabular.column_names import CONCEPT_LIST_NAMES, parse_column_name

SEPARATORS = "|\n;,/+&:\t -_"
"""The likeliest first."""
RARE_SEPARATORS = "&"
"""Separators that are asked for if parts recur."""
WORD_SEPARATORS = ":\t-_"
"""Likewise, in columns whose name announces several concepts; elsewhere they join words."""
NEVER_IN_NAMES = "|\n"
JOINING_WORDS = {"and", "or", "und", "oder", "et", "ou"}
NO_SEPARATOR = "none"
UNIT_SEPARATOR = "\x1f"
"""Separates the items of list columns of Parquet files and data frames."""
LIST_CELL = "list"
"""Cells are Python or JSON lists."""
OBJECT_PATTERN = re.compile(r"""\{\s*['"]\w+['"]\s*:""")
"""The beginning of an object within a list."""


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
    announces_lists = parse_column_name(column).rest in CONCEPT_LIST_NAMES
    if distinct_cells:
        reject_stated_values(path, column, distinct_cells, announces_lists)
    if any(UNIT_SEPARATOR in cell for cell in distinct_cells):
        reject_lists_of_values(path, column, distinct_cells)
        return UNIT_SEPARATOR
    are_tuples = all(is_tuple(cell) for cell in distinct_cells)
    list_cells = [cell for cell in distinct_cells if are_tuples or is_list_cell(cell)]
    if list_cells:
        reject_unclear_lists(path, column, distinct_cells, list_cells)
        return LIST_CELL
    reject_mappings(path, column, distinct_cells)
    reject_scored_names(path, column, distinct_cells)
    reject_other_separators(path, column, distinct_cells, announces_lists)
    return next(
        (
            separator
            for separator in SEPARATORS
            if is_separator(path, column, distinct_cells, separator, announces_lists)
        ),
        None,
    )


def is_separator(
    path: str, column: str, distinct_cells: Sequence[str], separator: str, announces_lists: bool
) -> bool:
    """Whether a character separates concepts.

    Raises AmbiguousSeparatorError where it may do so.

    Args:
        announces_lists: the column's name says that there may be several
    """
    joined_cells = [cell for cell in distinct_cells if separator in cell]
    if not joined_cells or (separator in WORD_SEPARATORS and not announces_lists):
        return False
    reject_flag_cells(path, column, distinct_cells, separator)
    if separator in NEVER_IN_NAMES or (announces_lists and separator in ";,"):
        reject_second_separator(path, column, distinct_cells, separator)
        return True
    recurs = do_parts_recur(distinct_cells, separator)
    is_announced = announces_lists and separator not in RARE_SEPARATORS + WORD_SEPARATORS
    if is_announced and separator == " ":
        reject_joining_words(path, column, joined_cells)
    if is_announced and recurs:
        return True
    if recurs or is_announced:
        raise AmbiguousSeparatorError(path, column, joined_cells[0], separator)
    return False


OTHER_SEPARATOR = re.compile(r"\s*[^\w\s]+\s*|[_\t]+")
MIN_KNOWN_SHARE = 0.8
"""Share of joined cells all of whose parts must be cells of their own to be several concepts."""


def reject_other_separators(
    path: str, column: str, distinct_cells: Sequence[str], announces_lists: bool
) -> None:
    """Raise AmbiguousSeparatorError if a sign that is not known to separate concepts joins cells
    that occur alone: `cat、dog` beside `cat` and `dog`."""
    cells = {*distinct_cells}
    tried = SEPARATORS if announces_lists else SEPARATORS.translate({ord(c): "" for c in ":\t-_"})
    signs = {sign for cell in cells for sign in OTHER_SEPARATOR.findall(cell)} - {*tried}
    for sign in sorted(signs, key=len, reverse=True):
        if sign.strip() and sign.strip() in tried:
            continue
        joined = sorted(cell for cell in cells if sign in cell and len(split_cell(cell, sign)) > 1)
        known = [cell for cell in joined if {*split_cell(cell, sign)} <= cells]
        if len(known) > 1 and len(known) >= MIN_KNOWN_SHARE * len(joined):
            raise AmbiguousSeparatorError(path, column, known[0], sign)


SCORED_NAME = re.compile(r"(\D.*?)\s*[:=(]\s*(0?\.\d+|[01]\.\d+)\s*\)?")
"""A concept with a score: `dog:0.73`, `dog (0.73)`."""


def reject_scored_names(path: str, column: str, distinct_cells: Sequence[str]) -> None:
    """Raise InvalidRecordError if every part of the cells gives a concept a score."""
    parts = {
        part.strip() for cell in distinct_cells for part in re.split("[;,|]", cell) if part.strip()
    }
    if len(parts) > 1 and all(SCORED_NAME.fullmatch(part) for part in parts):
        raise InvalidRecordError(
            path,
            f"column {column}",
            f"'{min(parts)}' gives a concept a score",
            "Write the names of the concepts that are there; of predictions, one row with a score "
            "for each image and concept.",
        )


def reject_joining_words(path: str, column: str, cells: Sequence[str]) -> None:
    """Raise AmbiguousSeparatorError if concepts are joined by a word: `sun and sea`."""
    for cell in cells:
        for word in JOINING_WORDS & {*cell.lower().split()}:
            raise AmbiguousSeparatorError(path, column, cell, f" {word} ")


STATED_VALUE = re.compile(
    r"([^:=;,|\d][^:=;,|]*?)\s*[:=]\s*(?:(0|0\.0|no|false|absent)|1|1\.0|yes|true|present)", re.I
)
"""A concept, and whether it is there: `dog:1`, `cat=no`."""


def reject_stated_values(
    path: str, column: str, distinct_cells: Sequence[str], announces_lists: bool
) -> None:
    """Raise InvalidRecordError if the parts of cells say whether their concept is there, or that it
    is not, or if cells are arrays as NumPy names them, or vectors of bits."""
    parts_of_cells = [
        [part.strip() for part in re.split("[;,|\x1f]", cell) if part.strip()]
        for cell in distinct_cells
    ]
    parts = {part for cell in parts_of_cells for part in cell}
    stated = [match for part in parts if (match := STATED_VALUE.fullmatch(part))]
    are_stated = len(stated) == len(parts) and any(match[2] for match in stated)
    are_several = len({match[1] for match in stated}) > 1 and max(map(len, parts_of_cells)) > 1
    negated = sorted(part for part in parts if part[0] in "!~" and part[1:].strip() in parts)
    if (are_stated and are_several) or negated:
        shown = negated[0] if negated else next(match[0] for match in stated if match[2])
        raise InvalidRecordError(
            path,
            f"column {column}",
            f"'{shown}' says whether a concept is there",
            "Write the names of those that are there, or one column of 0 and 1 per concept; or "
            "specify --separator none if it is a name.",
        )
    arrays = [cell for cell in distinct_cells if cell.startswith("array(")]
    if arrays:
        raise InvalidRecordError(
            path,
            f"column {column}",
            f"'{arrays[0][:60]}' is an array as NumPy prints it",
            "Write lists: column.apply(list).",
        )
    are_bits = all(re.fullmatch("[01]{2,}", cell) for cell in distinct_cells)
    if announces_lists and are_bits and len({*map(len, distinct_cells)}) == 1 < len(distinct_cells):
        raise flag_list_error(path, column, distinct_cells[0])


def reject_mappings(path: str, column: str, distinct_cells: Sequence[str]) -> None:
    """Raise InvalidRecordError if most cells give each concept a value."""
    mappings = [cell for cell in distinct_cells if is_mapping(cell)]
    if len(mappings) * 2 > len(distinct_cells):
        raise InvalidRecordError(
            path,
            f"column {column}",
            f"'{mappings[0][:80]}' gives each concept a value",
            "Write one column of 0 and 1 per concept, or a list of those that are there.",
        )


def reject_flag_cells(
    path: str, column: str, distinct_cells: Sequence[str], separator: str
) -> None:
    """Raise InvalidRecordError if each cell is a vector of 0 and 1, such as `1 0 1`."""
    vectors = [cell.strip().split(separator) for cell in distinct_cells]
    lengths = {len(vector) for vector in vectors}
    if lengths != {1} and len(lengths) == 1 and {p for v in vectors for p in v} <= {"0", "1"}:
        raise flag_list_error(path, column, distinct_cells[0])


def reject_lists_of_values(path: str, column: str, distinct_cells: Sequence[str]) -> None:
    """Raise InvalidRecordError if the items of list columns are numbers between 0 and 1 or flags, a
    value for each concept, or objects."""
    rows = [cell.split(UNIT_SEPARATOR) for cell in distinct_cells]
    items = {item.strip().lower() for row in rows for item in row if item.strip()}
    is_value = [item in ("true", "false") or is_fraction(item) for item in items]
    if items and all(is_value) and len({len(row) for row in rows}) == 1:
        shown = distinct_cells[0].replace(UNIT_SEPARATOR, ", ")
        are_flags = items <= {"0", "1", "0.0", "1.0", "true", "false"}
        values = "0 and 1" if are_flags else "numbers from 0 to 1"
        raise flag_list_error(path, column, f"[{shown}]", values)
    if objects := sorted(item for item in items if is_mapping(item)):
        raise object_list_error(path, column, objects[0])


def is_fraction(text: str) -> bool:
    return is_number(text) and 0 <= float(text) <= 1


def object_list_error(path: str, column: str, cell: str) -> InvalidRecordError:
    return InvalidRecordError(
        path,
        f"column {column}",
        f"'{cell[:80]}' lists objects",
        "Write a list of the names of the concepts.",
    )


def reject_second_separator(
    path: str, column: str, distinct_cells: Sequence[str], separator: str
) -> None:
    """Raise AmbiguousSeparatorError if parts are joined by another separator."""
    parts = sorted({part for cell in distinct_cells for part in split_cell(cell, separator)})
    for other in "|;,":
        joined = [part for part in parts if other in part]
        if other != separator and joined and do_parts_recur(parts, other):
            raise AmbiguousSeparatorError(path, column, joined[0], other)


def flag_list_error(
    path: str, column: str, cell: str, values: str = "0 and 1"
) -> InvalidRecordError:
    return InvalidRecordError(
        path,
        f"column {column}",
        f"'{cell}' is a list of {values}, without the names of the concepts",
        "Write the names, or one column of 0 and 1 per concept.",
    )


def reject_unclear_lists(
    path: str, column: str, distinct_cells: Sequence[str], list_cells: Sequence[str]
) -> None:
    """Raise InvalidRecordError if only some cells are lists, or lists hold 0 and 1."""
    other_cells = [cell for cell in distinct_cells if cell not in list_cells]
    if other_cells:
        raise InvalidRecordError(
            path,
            f"column {column}",
            f"some cells are lists ('{list_cells[0]}') and others are not ('{other_cells[0]}')",
            "Write all cells in the same way.",
        )
    if objects := [cell for cell in list_cells if OBJECT_PATTERN.search(cell)]:
        raise object_list_error(path, column, objects[0])
    items = [parse_list_cell(cell) for cell in list_cells]
    if {item for row in items for item in row} <= {"0", "1", "0.0", "1.0"} and any(
        len(row) > 1 for row in items
    ):
        raise flag_list_error(path, column, list_cells[0])


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
    return share >= 0.5 and (
        len(cell_counts) < len(distinct_cells) or contains_another(joined, cell_counts)
    )


def contains_another(joined: Sequence[set[str]], cell_counts: Counter[str]) -> bool:
    """Whether one of these sets is part of another. Only those with its rarest part can hold it."""
    sets_of_part: dict[str, list[set[str]]] = {}
    for parts in joined:
        for part in parts:
            sets_of_part.setdefault(part, []).append(parts)
    return any(
        first < second
        for first in joined
        for second in sets_of_part[min(first, key=cell_counts.__getitem__)]
    )


def is_list_cell(cell: str) -> bool:
    is_bracketed = (cell[:1], cell[-1:]) in (("[", "]"), ("{", "}"))
    return is_bracketed and not is_mapping(cell)


def is_tuple(cell: str) -> bool:
    return (cell[:1], cell[-1:]) == ("(", ")") and not set(cell) & set(";|")


def is_mapping(cell: str) -> bool:
    return (cell[:1], cell[-1:]) == ("{", "}") and (":" in cell or "=" in cell)


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
    """The items of a Python or JSON list or set, or of an array as NumPy prints it."""
    if "\\" in cell and (texts := parse_escaped_texts(cell)) is not None:
        return texts
    inside = cell.strip("[]{}() \n")
    quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", inside)
    if quoted:
        return [single or double for single, double in quoted]
    return [
        part for part in re.split(r"[\s,]+" if "," not in inside else r"\s*,\s*", inside) if part
    ]


def parse_escaped_texts(cell: str) -> list[str] | None:
    """The texts of a JSON list, which escapes letters beyond ASCII; None for other cells."""
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    is_list_of_texts = isinstance(items, list) and all(isinstance(item, str) for item in items)
    return items if is_list_of_texts else None
