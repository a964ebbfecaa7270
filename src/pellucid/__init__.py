"""Pellucid evaluates vision models and shows a gallery of their true and false positives and
negatives.

workspace = pellucid.open("panels.pellucid")
view = workspace.view("panels", kind="detection")
view.add("instances_val.json", images="val2017/")
version = view.start("yolo-3")
version.add_predictions("predictions.json")
workspace.serve()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pellucid._version import __version__

if TYPE_CHECKING:
    from pellucid.api import coco_figures, open, show, widget
    from pellucid.browse.items import Item
    from pellucid.browse.query import ListQuery
    from pellucid.client import Client
    from pellucid.core.errors import PellucidError
    from pellucid.evaluation.thresholds import Threshold
    from pellucid.export.html import export_html
    from pellucid.formats.dataset import Note
    from pellucid.integrations.coco_evaluator import CocoEvaluator
    from pellucid.integrations.detection_metric import DetectionMetric
    from pellucid.integrations.recorder import record
    from pellucid.project import Gallery, Version, View, Workspace
    from pellucid.project.reviews import ItemRef
    from pellucid.results.results import Results
    from pellucid.review.resolve import Edit

PUBLIC_MODULES = {
    "PellucidError": "core.errors",
    "Note": "formats.dataset",
    "coco_figures": "api",
    "export_html": "export.html",
    "open": "api",
    "Client": "client",
    "CocoEvaluator": "integrations.coco_evaluator",
    "DetectionMetric": "integrations.detection_metric",
    "record": "integrations.recorder",
    "show": "api",
    "widget": "api",
    "ListQuery": "browse.query",
    "Edit": "review.resolve",
    "ItemRef": "project.reviews",
    "Results": "results.results",
    "Item": "browse.items",
    "Threshold": "evaluation.thresholds",
    "Gallery": "results.gallery",
    "Version": "project.version",
    "View": "project.view",
    "Workspace": "project.workspace",
}
"""The module of each public name, imported on first access to keep the start of commands fast."""

__all__ = [
    "Client",
    "CocoEvaluator",
    "DetectionMetric",
    "Edit",
    "Gallery",
    "Item",
    "ItemRef",
    "ListQuery",
    "Note",
    "PellucidError",
    "Results",
    "Threshold",
    "Version",
    "View",
    "Workspace",
    "__version__",
    "coco_figures",
    "export_html",
    "open",
    "record",
    "show",
    "widget",
]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC_MODULES:
        raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
    attribute = getattr(import_module(f"pellucid.{PUBLIC_MODULES[name]}"), name)
    globals()[name] = attribute
    return attribute


def __dir__() -> list[str]:
    return sorted(__all__)
