"""Pellucid opens the black box of a vision model: a gallery of what it gets right, misses and is unsure of.

workspace = pellucid.open("panels.pellucid")
view = workspace.view("panels", kind="detection")
view.add("instances_val.json", images="val2017/")
version = view.start("yolo-3")
version.add_predictions("predictions.json")
workspace.serve()
"""

from pellucid.errors import PellucidError
from pellucid.formats.source import Note
from pellucid.release import __version__
from pellucid.show import open, show
from pellucid.understand.items import Item
from pellucid.understand.thresholds import Threshold
from pellucid.workspace import Gallery, Version, View, Workspace

__all__ = ["Gallery", "Item", "Note", "PellucidError", "Threshold", "Version", "View", "Workspace", "__version__", "open", "show"]
