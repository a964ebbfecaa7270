"""What all tasks of an evaluation must know, and the files that they leave for one another."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.columns import Kind

PARTS_OF = ("annotations", "predictions")


@dataclass(frozen=True)
class Job:
    """kind, concepts (how many), iou: the version's · edges: where shards of images begin and end, see `plan_shards` · images, annotations,
    predictions: where its tables lie · work: the folder of what is not yet put together."""

    kind: Kind
    concepts: int
    iou: float
    edges: tuple[int, ...]
    images: str
    annotations: str
    predictions: str
    work: str

    @property
    def shards(self) -> int:
        return len(self.edges) - 1

    def file(self, name: str) -> str:
        return f"{self.work}/{name}"


@dataclass(frozen=True)
class Part:
    """Rows begin to end of one of the tables, to be parted by shards."""

    table: str
    number: int
    begin: int
    end: int

    @property
    def name(self) -> str:
        return f"part-{self.table}-{self.number:05}"


def shard_name(shard: int) -> str:
    return f"shard-{shard:05}"


def stretch_name(stretch: int) -> str:
    return f"stretch-{stretch:05}"
