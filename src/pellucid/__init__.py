"""Pellucid evaluates vision models and shows a gallery of their true and false positives and negatives.

workspace = pellucid.open("panels.pellucid")
view = workspace.view("panels", kind="detection")
view.add("instances_val.json", images="val2017/")
version = view.start("yolo-3")
version.add_predictions("predictions.json")
workspace.serve()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pellucid.release import __version__

if TYPE_CHECKING:
    from pellucid.errors import PellucidError
    from pellucid.formats.source import Note
    from pellucid.loggers import record
    from pellucid.share import export_html
    from pellucid.show import coco_figures, open, show
    from pellucid.understand.items import Item
    from pellucid.understand.thresholds import Threshold
    from pellucid.workspace import Gallery, Version, View, Workspace

PUBLIC_MODULES = {
    "PellucidError": "errors", "Note": "formats.source", "coco_figures": "show", "export_html": "share", "open": "show",
    "record": "loggers", "show": "show", "Item": "understand.items", "Threshold": "understand.thresholds", "Gallery": "workspace",
    "Version": "workspace", "View": "workspace", "Workspace": "workspace",
}  # fmt: skip
"""The module of each public name, imported on first access to keep the start of commands fast."""

__all__ = [
    "Gallery", "Item", "Note", "PellucidError", "Threshold", "Version", "View", "Workspace", "__version__", "coco_figures",
    "export_html", "open", "record", "show",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in PUBLIC_MODULES:
        raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
    attribute = getattr(import_module(f"pellucid.{PUBLIC_MODULES[name]}"), name)
    globals()[name] = attribute
    return attribute


def __dir__() -> list[str]:
    return sorted(__all__)
