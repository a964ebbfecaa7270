"""Workspaces on disk: views, their frozen versions, imports and exports."""

from pellucid.workspace.gallery import Gallery
from pellucid.workspace.version import Version
from pellucid.workspace.view import View
from pellucid.workspace.workspace import Workspace

__all__ = ["Gallery", "Version", "View", "Workspace"]
