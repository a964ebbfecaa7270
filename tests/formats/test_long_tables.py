"""Tables of several row groups: the database reads them in parallel, and every cell stays in its
row."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid

ROWS = 250_000
"""Over two of DuckDB's row groups (122,880 rows)."""


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(4)
    return {
        "image": np.char.add(rng.integers(0, 9_000, ROWS).astype(str), ".png"),
        "concept": rng.choice(["cat", "dog", "owl"], ROWS),
        "score": np.round(rng.random(ROWS), 6),
        "x": rng.integers(0, 5_000, ROWS).astype(float),
        "y": rng.integers(0, 5_000, ROWS).astype(float),
        "width": rng.integers(1, 900, ROWS).astype(float),
        "height": rng.integers(1, 900, ROWS).astype(float),
    }


def write_csv(path, columns):
    rows = zip(*(column.astype(str).tolist() for column in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *map(",".join, rows), ""]), encoding="utf-8")
    return path


def in_order_of_the_file(rows):
    """Columns of the predictions or annotations of a version as sets of rows."""
    return sorted(zip(*(np.asarray(column).tolist() for column in rows), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "memory"])
def test_every_cell_stays_in_its_row(tmp_path, columns, form):
    annotations = {name: column for name, column in columns.items() if name != "score"}
    if form == "csv":
        sources = write_csv(tmp_path / "a.csv", annotations), write_csv(tmp_path / "p.csv", columns)
    else:
        sources = annotations, columns
    view, _ = pellucid.open(tmp_path / "w").add("v", sources[0], kind="detection")
    version = view.start("m")
    version.add_predictions(sources[1], boxes="xywh-pixels")
    evaluation = version.evaluation
    for table, scores in ((evaluation.annotations, ()), (evaluation.predictions, ("score",))):
        read = [
            np.asarray(evaluation.images.path)[np.asarray(table.image)],
            np.asarray(evaluation.concepts)[np.asarray(table.concept)],
            *(np.asarray(getattr(table, name)) for name in scores),
            *np.asarray(table.box).T,
        ]
        names = ["image", "concept", *scores, "x", "y", "width", "height"]
        written = [columns[name] for name in names]
        assert in_order_of_the_file(read) == in_order_of_the_file(written)
