"""What is to be done, decided before it is: which images make a shard, which rows a part, which runs a stretch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
import numpy as np

from pellucid import kernel
from pellucid.columns import Kind
from pellucid.release import __version__
from pellucid.understand.shards import plan_shards
from pellucid.workspace.spread.job import PARTS_OF, Job, Part
from pellucid.workspace.spread.tasks import query


@dataclass(frozen=True, eq=False)
class Plan:
    """rows: the most predictions that a worker holds at a time."""

    job: Job
    parts: tuple[Part, ...]
    rows: int


def make_plan(kind: Kind, concepts: int, iou: float, tables: dict[str, str], state: str, work: str, rows: int) -> Plan:
    """tables: where images, annotations and predictions lie; state: changes when the version does; work: the folder in which this plan gets
    a folder of its own, named after all that its result depends on, so that the same plan finds again what is done."""
    images = int(query(tables["images"], "SELECT count(*) AS n FROM {table}", threads=kernel.cores())["n"][0])
    found = query(tables["predictions"], "SELECT image, count(*) AS n FROM {table} GROUP BY image", threads=kernel.cores())
    per_image = np.zeros(images, np.int64)
    per_image[found["image"]] = found["n"]
    edges = tuple(plan_shards(per_image, rows).tolist())
    parts = tuple(part for table in PARTS_OF for part in parts_of(table, length(tables[table]), rows))
    told = msgspec.json.encode(
        [__version__, state, kind, concepts, iou, edges, [list(vars(part).values()) for part in parts], sorted(tables.items())]
    )
    name = hashlib.sha256(told).hexdigest()[:16]
    return Plan(Job(kind, concepts, iou, edges, **tables, work=f"{work}/{name}"), parts, rows)


def length(table: str) -> int:
    return int(query(table, "SELECT count(*) AS n FROM {table}")["n"][0])


def parts_of(table: str, length: int, rows: int) -> list[Part]:
    """The rows of a table in parts; one, if it has none."""
    begins = range(0, max(length, 1), rows)
    return [Part(table, number, begin, min(begin + rows, length)) for number, begin in enumerate(begins)]
