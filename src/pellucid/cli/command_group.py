"""The group of all commands: what they have in common, and hints at mistyped arguments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from pellucid.core.suggestions import suggestion_text
from pellucid.storage.file_names import WORKSPACE_MANIFEST


class CommandGroup(click.Group):
    """A group whose commands all have a --debug option, which `main` reads, and say where a
    workspace or a view was given in the place of another argument."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                help="Show the traceback of an error.",
            )
        )
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise click.Abort from interrupt  # click prints an empty line before it does so

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, words = super().resolve_command(ctx, args)
        if command is not None:
            reject_swapped(ctx, command, words)
        return name, command, words


def reject_swapped(context: click.Context, command: click.Command, words: list[str]) -> None:
    """Raise UsageError if the workspace is given in the place of another argument, or the view."""
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if "workspace" not in {argument.name for argument in arguments}:
        return
    try:
        values = command.make_parser(context).parse_args(list(words))[0]
    except click.UsageError:
        return  # the command itself reports it
    given = {
        str(argument.name): value
        for argument in arguments
        if isinstance(value := values.get(str(argument.name)), str)
    }
    usage = f"Usage: pellucid {command.name} {' '.join(a.human_readable_name for a in arguments)}"
    if not is_workspace(given.get("workspace", "")):
        swapped = [value for value in given.values() if is_workspace(value)]
        if swapped:
            raise click.UsageError(f"'{swapped[0]}' is a workspace: give it first. {usage}")
    elif "view" in given:
        views = view_names(given["workspace"])
        others = [value for name, value in given.items() if name not in ("workspace", "view")]
        swapped = [value for value in others if value in views and not Path(value).exists()]
        if given["view"] not in views and swapped:
            raise click.UsageError(f"'{swapped[0]}' is a view: give it second. {usage}")


def is_workspace(path: str) -> bool:
    return "://" not in path and Path(path, WORKSPACE_MANIFEST).is_file()


def view_names(workspace: str) -> list[str]:
    folder = Path(workspace, "views")
    return [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def with_suggestion(error: click.ClickException) -> click.ClickException:
    """The error, with the choice that was probably meant in the place of an invalid one."""
    parameter: Any = getattr(error, "param", None)
    if not isinstance(error, click.BadParameter) or not isinstance(parameter, click.Parameter):
        return error
    match = re.match(r"'(.*?)' is not one of", error.message)
    if match is None or not isinstance(parameter.type, click.Choice):
        return error
    suggestion = suggestion_text(match[1], map(str, parameter.type.choices))
    return click.BadParameter(error.message + suggestion, error.ctx, parameter)
