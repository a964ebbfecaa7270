"""Thresholds as files: for people, for programs, and for the code that deploys a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import Kind, string_column
from pellucid.formats.writers.new_files import write_new_json, write_new_text
from pellucid.formats.writers.table_writer import write_columns

THRESHOLD_FORMATS = ("json", "csv", "parquet", "python")


@dataclass(frozen=True)
class ExportedThresholds:
    """The threshold of each concept, in the version's order, and where they come from."""

    view: str
    version: str
    kind: Kind
    iou: float
    thresholds: Mapping[str, float]


def write_thresholds(exported: ExportedThresholds, format_name: str, path: Path) -> None:
    """Write the file. python: a module without dependencies that filters predictions.

    Raises:
        InvalidChoiceError: the format is unknown.
        ExportError: the file exists.
    """
    thresholds = exported.thresholds
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
    elif format_name == "python":
        write_new_text(path, filter_module(exported))
    else:
        raise InvalidChoiceError("--format", format_name, THRESHOLD_FORMATS)


def filter_module(exported: ExportedThresholds) -> str:
    """The source of a Python module with the thresholds and the rule for counted predictions."""
    lines = [f"    {name!r}: {value!r}," for name, value in exported.thresholds.items()]
    origin = json.dumps(f"{exported.view} {exported.version}", ensure_ascii=False)
    rules = {"detection": BOX_RULE, "tagging": BOX_RULE, "classification": CLASS_RULE}
    return "\n".join(
        [
            f"# Thresholds of {origin}, made by pellucid {__version__}.",
            "",
            "THRESHOLDS = {",
            *lines,
            "}",
            rules[exported.kind],
        ]
    )


BOX_RULE = '''

def counts(concept, score):
    """Whether a prediction counts: its score reaches its concept's threshold."""
    return concept in THRESHOLDS and float(score) >= THRESHOLDS[concept]


def keep(concepts, scores):
    """A list of booleans, one per prediction, to filter with.

    ultralytics:  result[keep([result.names[int(c)] for c in result.boxes.cls], result.boxes.conf)]
    torchvision:  mask = torch.tensor(keep([names[int(n)] for n in output["labels"]],
                                           output["scores"]), dtype=torch.bool)
    supervision:  detections[numpy.array(keep(detections["class_name"], detections.confidence))]
    """
    return [counts(concept, score) for concept, score in zip(concepts, scores, strict=True)]
'''
CLASS_RULE = '''

def predicted(scores):
    """The predicted concept of an image, or None: the one with the highest score (of equal ones
    the first), if it reaches its threshold. scores: by concept, in the order of the model's
    classes."""
    concept = max(scores, key=scores.get)
    reached = concept in THRESHOLDS and float(scores[concept]) >= THRESHOLDS[concept]
    return concept if reached else None
'''
