"""Tables of Arrow in memory, however they are handed over."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import pellucid
from pellucid.formats.errors import InMemoryDataError

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


def test_data_of_pandas_names_images_in_its_index(tmp_path):
    pandas = pytest.importorskip("pandas")
    images = ["a.jpg", "b.jpg", "c.jpg"]
    workspace = pellucid.open(tmp_path / "w")
    sources = {
        "series": pandas.Series(["cat", "dog", "cat"], index=images),
        "frame": pandas.DataFrame({"label": ["cat", "dog", "cat"]}, index=images),
    }
    for name, source in sources.items():
        view, _ = workspace.add(name, source)
        assert view.annotation_tables[0].path.tolist() == images
        assert view.annotation_tables[1].concept.tolist() == [0, 1, 0]


def test_lists_of_tags_by_image_are_read(tmp_path):
    source = {"a.jpg": ["cat"], "b.jpg": ["cat", "dog"], "c.jpg": []}
    view, _ = pellucid.open(tmp_path / "w").add("v", source, kind="tagging")
    images, annotations, _ = view.annotation_tables
    assert images.path.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert sorted(annotations.image[annotations.positive].tolist()) == [0, 1, 1]


def test_what_can_be_read_once_is_refused(tmp_path):
    rows = ({"image": f"{n}.jpg", "label": "cat"} for n in range(3))
    with pytest.raises(InMemoryDataError, match=r"a generator, .*list"):
        pellucid.open(tmp_path / "w").add("v", rows)
