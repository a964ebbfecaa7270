"""Thresholds as files: for people, for programs, and for the code that deploys a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import Kind, string_column
from pellucid.export.filter_modules import FILTER_LIBRARIES, filter_module
from pellucid.export.onnx_filter import build_filter_graph, write_triton_repository
from pellucid.formats.writers.new_files import new_file, new_folder, write_new_json, write_new_text
from pellucid.formats.writers.table_writer import write_columns

THRESHOLD_FORMATS = ("json", "csv", "parquet", *FILTER_LIBRARIES, "onnx", "triton")


@dataclass(frozen=True)
class ExportedThresholds:
    """The threshold of each concept, in the version's order, and where they come from."""

    view: str
    version: str
    kind: Kind
    iou: float
    thresholds: Mapping[str, float]


def write_thresholds(exported: ExportedThresholds, format_name: str, path: Path) -> None:
    """Write the file, or the folder of `triton`. python, ultralytics, torchvision, supervision: a
    module that filters predictions; onnx: a graph that does.

    Raises:
        InvalidChoiceError: the format is unknown, or not for this kind of view.
        ExportError: the file exists.
        MissingDependencyError: onnx is not installed.
    """
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
            "thresholds": dict(thresholds),
        }
        write_new_json(path, document)
    elif format_name in FILTER_LIBRARIES:
        write_new_text(path, filter_module(format_name, origin, exported.kind, thresholds))
    elif format_name == "onnx":
        graph = build_filter_graph(origin, exported.kind, thresholds)
        with new_file(path) as temp_path:
            temp_path.write_bytes(graph.SerializeToString())
    elif format_name == "triton":
        with new_folder(path) as folder:
            write_triton_repository(folder, origin, exported.kind, thresholds)
    else:
        raise InvalidChoiceError("--format", format_name, THRESHOLD_FORMATS)
