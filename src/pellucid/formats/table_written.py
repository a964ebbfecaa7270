"""Writing tables: CSV or Parquet, one row a fact, which hold everything that Pellucid knows of an annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import SPLITS, Annotations, texts
from pellucid.formats.cells import text_literal
from pellucid.formats.outgoing import Outgoing, file_for

SIDES = ("x", "y", "width", "height")


def write_csv(outgoing: Outgoing, path: Path) -> None:
    write_columns(columns_of(outgoing), path, "csv, header")


def write_parquet(outgoing: Outgoing, path: Path) -> None:
    write_columns(columns_of(outgoing), path, "parquet")


def write_columns(columns: dict[str, Any], path: Path, form: str) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.register("given", columns)
        connection.execute(f"COPY (SELECT * FROM given) TO {text_literal(str(file_for(path)))} (FORMAT {form})")


def columns_of(outgoing: Outgoing) -> dict[str, Any]:
    """image, split, concept, then what applies. An image of which nothing is said has a row without a concept."""
    table, images = outgoing.rows, outgoing.images
    bare = np.setdiff1d(np.arange(len(images)), table.image)
    owner = np.concatenate([table.image, bare]).astype(np.int64)
    names = np.array([*outgoing.concepts, ""], object)
    concept = np.concatenate([table.concept, np.full(len(bare), len(outgoing.concepts))])

    def filled(column: Any) -> Any:
        return np.concatenate([np.asarray(column, float), np.full(len(bare), np.nan)])

    columns: dict[str, Any] = {"image": texts(images.path[owner]), "split": texts([SPLITS[place] for place in images.split[owner]])}
    columns["concept"] = texts(names[concept])
    if table.box is not None:
        columns |= {side: masked(filled(table.box[:, place])) for place, side in enumerate(SIDES)}
    if isinstance(table, Annotations):
        if table.box is not None or table.ignore.any():  # of tags: unknown
            columns["ignore"] = np.concatenate([table.ignore, np.zeros(len(bare), bool)]).astype(np.int8)
        if outgoing.kind == "tagging" or not table.positive.all():
            words = np.where(table.positive, "positive", "negative").tolist()
            columns["value"] = texts([*words, *([""] * len(bare))])
    else:
        columns["score"] = masked(filled(table.score))
    return columns


def masked(column: Any) -> Any:
    """Absent numbers as empty cells."""
    return np.ma.masked_invalid(column)
