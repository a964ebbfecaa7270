"""Commands that start the server."""

from __future__ import annotations

from typing import Any, cast

import click

from pellucid.cli.console import (
    BOTH_BOXES_OPTION,
    COLUMNS_OPTION,
    FIRST_PIXEL_OPTION,
    IMAGES_OPTION,
    IOU_OPTION,
    KIND_OPTION,
    OVERRIDE_OPTIONS,
    SELECTION_OPTIONS,
    SEPARATOR_OPTION,
    SERVER_OPTIONS,
    columns_option,
    print_notes,
    selection_parameters,
    spinner,
    validate_workspace,
)
from pellucid.core.tables import SPLITS, Kind, Split


@click.command(name="mcp")
@click.argument("workspace", callback=validate_workspace)
@click.option(
    "--write", "may_write", is_flag=True, help="Also offer a tool that records review decisions."
)
def mcp_command(workspace: str, may_write: bool) -> None:
    """Offer a workspace to agents over the Model Context Protocol, on standard input and output.
    Tools read only, unless --write is given."""
    import pellucid
    from pellucid.agents.protocol_server import create_protocol_server

    create_protocol_server(pellucid.open(workspace), may_write).run("stdio")


def print_address(url: str, role: str) -> None:
    note = f"role {role}; press Ctrl+C to stop" if "?token=" in url else "press Ctrl+C to stop"
    click.echo(f"Pellucid is running at {url} ({note})", err=True)


@click.command(name="serve")
@click.argument("workspace", callback=validate_workspace)
@SERVER_OPTIONS
@click.option(
    "--reviews",
    metavar="URL",
    help="PostgreSQL database for review decisions, instead of a file in the workspace. Prefer "
    "the environment variable PELLUCID_REVIEWS, which applies to every command.",
)
@click.option(
    "--role",
    type=click.Choice(["reader", "reviewer", "owner"]),
    default="reviewer",
    show_default=True,
    help="On a network: role of the second token, or of users named by the proxy.",
)
@click.option(
    "--who-header",
    metavar="NAME",
    help="Header in which an authenticating proxy sends the user name; tokens are then disabled.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address to trust that header from; repeatable [default: loopback].",
)
@click.option(
    "--owner",
    "owners",
    multiple=True,
    metavar="NAME",
    help="User name with the owner role (new review rounds); repeatable.",
)
@click.option(
    "--hostname",
    "hostnames",
    multiple=True,
    metavar="NAME",
    help="Host name the proxy uses for this server; repeatable.",
)
@click.option("--log", is_flag=True, help="Write a JSON line per request to standard error.")
def serve_command(
    workspace: str,
    host: str,
    port: int | None,
    no_browser: bool,
    reviews: str | None,
    role: Any,
    who_header: str | None,
    proxies: tuple[str, ...],
    owners: tuple[str, ...],
    hostnames: tuple[str, ...],
    log: bool,
) -> None:
    """Serve a workspace in the browser until interrupted. Other than on loopback, clients must
    authenticate."""
    import pellucid

    access: dict[str, Any] = {
        "role": role,
        "who_header": who_header,
        "owners": owners,
        "hostnames": hostnames,
        "log": log,
    }
    if proxies:
        access["proxies"] = proxies
    pellucid.open(workspace, reviews).serve(host, port, not no_browser, print_address, **access)


@click.command(name="open")
@click.argument("source")
@click.argument("predictions")
@IMAGES_OPTION
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split of images for which SOURCE gives none [default: validation].",
)
@KIND_OPTION
@IOU_OPTION
@click.option(
    "--format",
    "format_name",
    metavar="F",
    help="The format of SOURCE [default: detected from its content].",
)
@FIRST_PIXEL_OPTION
@BOTH_BOXES_OPTION
@COLUMNS_OPTION
@columns_option("--prediction-columns", "PREDICTIONS")
@SEPARATOR_OPTION
@OVERRIDE_OPTIONS
@SELECTION_OPTIONS
@SERVER_OPTIONS
def open_command(
    source: str,
    predictions: str,
    images: str | None,
    split: Split | None,
    kind: Kind | None,
    iou: float,
    format_name: str | None,
    first_pixel: int | None,
    annotation_boxes: str | None,
    columns: dict[str, list[str]] | None,
    prediction_columns: dict[str, list[str]] | None,
    separator: str | None,
    host: str,
    port: int | None,
    no_browser: bool,
    renamed: tuple[tuple[str, str], ...],
    map_file: str | None,
    concepts: list[str] | None,
    ignore_concepts: list[str] | None,
    **overrides: Any,
) -> None:
    """Open a gallery of annotations (SOURCE) and PREDICTIONS in the browser. Nothing is saved."""
    import tempfile
    from pathlib import Path

    import pellucid
    from pellucid.api import PredictionOptions, import_sources

    with tempfile.TemporaryDirectory(prefix="pellucid-") as temporary_folder:
        workspace = pellucid.open(Path(temporary_folder) / "workspace")
        selection = selection_parameters(renamed, map_file, concepts, ignore_concepts)
        with spinner(f"Reading {source} and {predictions}"):
            _, notes = import_sources(
                workspace,
                source,
                predictions,
                iou,
                {
                    "images": images,
                    "split": split,
                    "kind": kind,
                    "format": format_name,
                    "first_pixel": first_pixel,
                    "boxes": annotation_boxes,
                    "columns": columns,
                    "separator": separator,
                },
                cast(PredictionOptions, {"columns": prediction_columns, **selection, **overrides}),
            )
        print_notes(notes)
        workspace.serve(host, port, not no_browser, print_address)


@click.command(name="demo")
@click.option(
    "--workspace",
    metavar="DIR",
    help="Folder of the demo workspace [default: in the user's cache].",
)
@click.option("--build-only", is_flag=True, help="Build the workspace and stop.")
@SERVER_OPTIONS
def demo_command(
    workspace: str | None, build_only: bool, host: str, port: int | None, no_browser: bool
) -> None:
    """Build the demo workspace and open its gallery."""
    from pellucid.demo import demo_workspace

    with spinner("Generating images and training small models (about 15 s, only once)"):
        example_workspace = demo_workspace(workspace)
    if build_only:
        click.echo(f"Demo workspace: {example_workspace.folder}", err=True)
        return
    example_workspace.serve(host, port, not no_browser, print_address)


SERVER_COMMANDS = (serve_command, open_command, mcp_command, demo_command)
