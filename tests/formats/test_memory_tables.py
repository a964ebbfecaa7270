"""Tables of Arrow in memory, however they are handed over."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import pellucid

COLUMNS = {"image": ["a", "b"], "concept": ["x", "y"], "x": [1, 5], "y": [2, 9]}


@pytest.fixture
def squares() -> Any:
    """Two columns with the same values."""
    return pa.table({**COLUMNS, "width": [20, 30], "height": [20, 30]})


def test_columns_of_equal_values_are_no_duplicates(workspace: Any, squares: Any) -> None:
    view, _ = workspace.add("v", squares)
    assert view.annotation_tables[1].box[:, 2:].tolist() == [[20, 20], [30, 30]]


def test_columns_of_one_name_are_duplicates(workspace: Any, squares: Any) -> None:
    doubled = squares.append_column("Width", [[1, 2]])
    with pytest.raises(pellucid.PellucidError, match="duplicate column 'width'"):
        workspace.add("v", doubled)


@pytest.mark.parametrize("form", ["table", "stream", "batches"])
def test_streams_are_read_once_and_whole(workspace: Any, squares: Any, form: str) -> None:
    view, _ = workspace.add("v", squares)
    table = squares.append_column("score", [[0.9, 0.8]])
    batches = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=1))
    source = {"table": table, "stream": table.to_reader(), "batches": batches}[form]
    version = view.start("m")
    version.add_predictions(source)
    assert version.metrics().overall.coco["AP"] == pytest.approx(1)
