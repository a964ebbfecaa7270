"""Versions, galleries and figures in notebooks. Importing it registers how they are displayed."""

from pellucid.notebook import tables as tables
from pellucid.notebook.html_repr import gallery_html, version_html
from pellucid.notebook.widget import gallery_widget

__all__ = ["gallery_html", "gallery_widget", "version_html"]
