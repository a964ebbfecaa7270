"""Small tables are kept in memory, large ones are asked in SQL: both give the same answers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.formats.tabular import open_tables, reader

CELLS = st.sampled_from(
    ["", "a", "b", " a", "1", "1.0", "1,5", "-2", "nan", "NA", "x\ny", "é", "'-3"]
)
TABLES = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12)
NAMES = ("first", "second", "third")


def answers(path: Path) -> list[Any]:
    table = open_tables.open_table(path)
    pairs = [(one, other) for one in NAMES for other in NAMES]
    return [
        [(name, *encoding(table, name)) for name in NAMES],
        [table.text_column(name).tolist() for name in NAMES],
        [sorted(table.first_texts(name, 5)) for name in NAMES],
        [(table.is_numeric(name), table.has_number(name)) for name in NAMES],
        [(table.is_empty(name), table.is_unique(name)) for name in NAMES],
        [(table.is_equal(*pair), table.determines(*pair)) for pair in pairs],
    ]


def encoding(table: reader.TableReader, name: str) -> tuple[list[str], list[int]]:
    texts, codes = table.encode_column(name)
    return texts, codes.tolist()


@given(rows=TABLES)
def test_both_ways_give_the_same_answers(
    rows: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("table") / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *rows])
    kept = answers(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "SMALL_TABLE_CELLS", -1)
        assert answers(path) == kept
