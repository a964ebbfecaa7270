"""Workspaces on disk: views, their frozen versions, imports and exports."""

from pellucid.project.version import Version
from pellucid.project.view import View
from pellucid.project.workspace import Workspace
from pellucid.results.gallery import Gallery

__all__ = ["Gallery", "Version", "View", "Workspace"]
