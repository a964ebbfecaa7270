"""What lies on disk: views, their frozen versions, and the way in and out of them."""

from pellucid.workspace.gallery import Gallery
from pellucid.workspace.version import Version
from pellucid.workspace.view import View
from pellucid.workspace.workspace import Workspace

__all__ = ["Gallery", "Version", "View", "Workspace"]
