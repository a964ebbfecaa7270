"""The plan of a distributed evaluation: which images form a shard, and which rows a table part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
import numpy as np

from pellucid import _native
from pellucid._version import __version__
from pellucid.core.tables import Kind
from pellucid.distributed.job import PARTITIONED_TABLES, Job, TablePart
from pellucid.distributed.parquet_query import query_parquet
from pellucid.distributed.sharding import plan_shards


@dataclass(frozen=True, eq=False)
class Plan:
    """How the tables are split among tasks.

    Attributes:
        max_rows: the maximum number of predictions that a worker holds at a time
    """

    job: Job
    table_parts: tuple[TablePart, ...]
    max_rows: int


def make_plan(
    kind: Kind,
    concept_count: int,
    iou: float,
    unannotated_concepts: tuple[int, ...],
    table_paths: dict[str, str],
    state: str,
    work_folder: str,
    max_rows: int,
    has_shapes: bool,
) -> Plan:
    """table_paths: of images, annotations and predictions; state: changes with the version;
    work_folder: parent of this plan's folder, which is named by a hash of all inputs, so that the
    same plan finds its finished tasks."""
    image_count = int(
        query_parquet(
            table_paths["images"],
            "SELECT count(*) AS n FROM {table}",
            threads=_native.thread_count(),
        )["n"][0]
    )
    counts = query_parquet(
        table_paths["predictions"],
        "SELECT image, count(*) AS n FROM {table} GROUP BY image",
        threads=_native.thread_count(),
    )
    predictions_per_image = np.zeros(image_count, np.int64)
    predictions_per_image[counts["image"]] = counts["n"]
    shard_edges = tuple(plan_shards(predictions_per_image, max_rows).tolist())
    table_parts = tuple(
        table_part
        for table_name in PARTITIONED_TABLES
        for table_part in split_table(table_name, row_count(table_paths[table_name]), max_rows)
    )
    plan_inputs = msgspec.json.encode(
        [
            __version__,
            state,
            kind,
            concept_count,
            iou,
            shard_edges,
            [list(vars(table_part).values()) for table_part in table_parts],
            sorted(table_paths.items()),
        ]
    )
    plan_hash = hashlib.sha256(plan_inputs).hexdigest()[:16]
    return Plan(
        Job(
            kind,
            concept_count,
            iou,
            unannotated_concepts,
            shard_edges,
            **table_paths,
            work_folder=f"{work_folder}/{plan_hash}",
            has_shapes=has_shapes,
        ),
        table_parts,
        max_rows,
    )


def row_count(table_path: str) -> int:
    return int(query_parquet(table_path, "SELECT count(*) AS n FROM {table}")["n"][0])


def split_table(table_name: str, row_total: int, max_rows: int) -> list[TablePart]:
    """Split the rows of a table into parts; an empty table has one part."""
    part_starts = range(0, max(row_total, 1), max_rows)
    return [
        TablePart(table_name, part_index, begin, min(begin + max_rows, row_total))
        for part_index, begin in enumerate(part_starts)
    ]
