"""The job shared by all tasks of an evaluation, and the names of intermediate files."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.core.tables import Kind

PARTITIONED_TABLES = ("annotations", "predictions")


@dataclass(frozen=True)
class Job:
    """What a partitioned evaluation is about.

    Attributes:
        kind, concept_count, iou, unannotated_concepts: of the version
        shard_edges: image indices, see `plan_shards`
        images, annotations, predictions: paths of its tables
        work_folder: holds the intermediate files
        has_shapes: whether masks, oriented boxes or keypoints are compared
    """

    kind: Kind
    concept_count: int
    iou: float
    unannotated_concepts: tuple[int, ...]
    shard_edges: tuple[int, ...]
    images: str
    annotations: str
    predictions: str
    work_folder: str
    has_shapes: bool

    @property
    def shard_count(self) -> int:
        return len(self.shard_edges) - 1

    def file_path(self, file_name: str) -> str:
        return f"{self.work_folder}/{file_name}"


@dataclass(frozen=True)
class TablePart:
    """Rows `begin` to `end` of one table, to be partitioned by shard."""

    table_name: str
    part_index: int
    begin: int
    end: int

    @property
    def file_name(self) -> str:
        return f"part-{self.table_name}-{self.part_index:05}"


def shard_file_name(shard: int) -> str:
    return f"shard-{shard:05}"


def batch_file_name(batch_index: int) -> str:
    return f"stretch-{batch_index:05}"
