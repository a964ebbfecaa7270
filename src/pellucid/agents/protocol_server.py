"""The tools over the Model Context Protocol, on standard input and output."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

from pellucid._version import __version__
from pellucid.agents.workspace_tools import WorkspaceTools, without_folders
from pellucid.core.errors import MissingDependencyError
from pellucid.project import Workspace

READING = (
    "list_views",
    "get_metrics",
    "get_thresholds",
    "list_findings",
    "list_items",
    "list_images",
    "list_slices",
    "get_causes",
    "get_confusion",
    "compare_versions",
    "list_history",
)
INSTRUCTIONS = (
    "Pellucid evaluates vision models. A view is a task over a set of images, a version is a "
    "trained model. Begin with list_views, then list_findings of a version. Tabs: missing = false "
    "positives, extra = false negatives, matched = true positives. Look at pictures with show_item "
    "before you judge whether a label or the model is wrong."
)


def create_protocol_server(workspace: Workspace, may_write: bool = False) -> Any:
    """The server for one workspace. may_write: also offer `decide`.

    Raises:
        MissingDependencyError: the package mcp is not installed.
    """
    try:
        from mcp.server.mcpserver import Image, MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise MissingDependencyError("the package mcp", "pellucid mcp", "mcp") from error

    tools = WorkspaceTools(workspace)
    server: Any = MCPServer(
        "pellucid", version=__version__, instructions=INSTRUCTIONS, log_level="ERROR"
    )
    reading = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for name in READING:
        call = without_folders(workspace, getattr(tools, name), ToolError)
        server.tool(annotations=reading)(call)

    show_item = without_folders(workspace, tools.show_item, ToolError)

    def show_picture(*arguments: Any, **named: Any) -> Any:
        return Image(data=show_item(*arguments, **named), format="jpeg")

    copy_signature(show_picture, tools.show_item, Image)
    server.tool(name="show_item", annotations=reading, structured_output=False)(show_picture)
    if may_write:
        writing = ToolAnnotations(
            read_only_hint=False, destructive_hint=False, open_world_hint=False
        )
        server.tool(annotations=writing)(without_folders(workspace, tools.decide, ToolError))
    return server


def copy_signature(target: Any, source: Any, returned: Any) -> None:
    """Let a function look like another one that returns something else."""
    hints = {**get_type_hints(source), "return": returned}
    signature = inspect.signature(source)
    target.__signature__ = signature.replace(
        parameters=[
            parameter.replace(annotation=hints[name])
            for name, parameter in signature.parameters.items()
        ],
        return_annotation=returned,
    )
    target.__doc__, target.__annotations__ = source.__doc__, hints
