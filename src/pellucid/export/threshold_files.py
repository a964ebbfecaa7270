"""Thresholds as files: for people, for programs, and for the code that deploys a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import Kind, string_column
from pellucid.export.filter_modules import filter_libraries, filter_module
from pellucid.export.onnx_filter import build_filter_graph, write_triton_repository
from pellucid.formats.writers.new_files import new_file, new_folder, write_new_json, write_new_text
from pellucid.formats.writers.table_writer import write_columns
from pellucid.storage.manifests import utc_timestamp


@dataclass(frozen=True)
class ExportedThresholds:
    """The threshold of each concept, in the version's order, and where they come from.

    Attributes:
        sources: of each concept, as in `Threshold`: `validation`, `user`, ...
    """

    view: str
    version: str
    kind: Kind
    iou: float
    thresholds: Mapping[str, float]
    sources: Mapping[str, str]


def write_thresholds(exported: ExportedThresholds, format_name: str, path: Path) -> None:
    """Write the file, or the folder of `triton`. python, ultralytics, torchvision, supervision: a
    module that filters predictions; onnx: a graph that does.

    Raises:
        InvalidChoiceError: the format is unknown, or not for this kind of view.
        ExportError: the file exists.
        MissingDependencyError: onnx is not installed.
    """
    if format_name not in (available := threshold_formats(exported.kind)):
        raise InvalidChoiceError(f"--format for a {exported.kind} view", format_name, available)
    thresholds = exported.thresholds
    origin = f"{exported.view} {exported.version}"
    if format_name in ("csv", "parquet"):
        columns = {
            "concept": string_column([*thresholds]),
            "threshold": np.array([*thresholds.values()], float),
        }
        write_columns(columns, path, "csv, header" if format_name == "csv" else "parquet")
    elif format_name == "json":
        document = {
            "made_by": f"pellucid {__version__}",
            "view": exported.view,
            "version": exported.version,
            "kind": exported.kind,
            "iou": exported.iou,
            "made": utc_timestamp(),
            "thresholds": dict(thresholds),
            "sources": dict(exported.sources),
        }
        write_new_json(path, document)
    elif format_name in filter_libraries(exported.kind):
        write_new_text(path, filter_module(format_name, origin, exported.kind, thresholds))
    elif format_name == "onnx":
        graph = build_filter_graph(origin, exported.kind, thresholds)
        with new_file(path) as temp_path:
            temp_path.write_bytes(graph.SerializeToString())
    else:
        with new_folder(path) as folder:
            write_triton_repository(folder, origin, exported.kind, thresholds)


def threshold_formats(kind: Kind) -> tuple[str, ...]:
    """The formats of thresholds for a kind of view: not every library has filters for all."""
    return ("json", "csv", "parquet", *filter_libraries(kind), "onnx", "triton")
