"""Pages of the reference that are written from the program: commands, errors, keys, Python."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import click

import pellucid
from pellucid.cli.main import cli
from pellucid.core.errors import PellucidError

SHORTCUTS = Path(__file__).parents[2] / "web/src/lib/shortcuts.ts"


EXIT_STATUSES = [
    ["0", "success"],
    ["1", "a defect of Pellucid, or of the machine"],
    ["2", "wrong use of the command line"],
    [
        "3",
        "an input that cannot be used; the message states the file, what was expected and the "
        "remedy. Of `verify`: damage was found",
    ],
    ["4", "of `compare --fail-on`: the new version does not pass"],
    ["130", "interrupted with Ctrl+C; nothing is half-written"],
]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def as_code(text: str) -> str:
    """A Markdown code span; backticks in it are doubled round."""
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def cli_page() -> str:
    """Every command with its arguments and options, as `--help` states them."""
    parts = [
        "# Command line",
        "Every command takes `--help`. Errors are one message on standard error; exit statuses "
        "are listed under [errors](errors.md).",
    ]
    for name, command in sorted(cli.commands.items()):
        context = click.Context(command, info_name=f"pellucid {name}")
        parts += [f"## {name}", inspect.cleandoc(command.help or "").replace("\b\n", "")]
        parts.append(f"```text\n{' '.join(command.get_usage(context).split())}\n```")
        options = [
            record
            for parameter in command.get_params(context)
            if isinstance(parameter, click.Option)
            and not parameter.hidden
            and (record := parameter.get_help_record(context))
        ]
        parts.append(table(["option", ""], [[as_code(names), text] for names, text in options]))
    return "\n\n".join(parts) + "\n"


def error_classes() -> list[type[PellucidError]]:
    """Every error that the program raises, in alphabetical order."""
    for module in pkgutil.walk_packages(pellucid.__path__, "pellucid."):
        if module.name.endswith("errors"):
            importlib.import_module(module.name)

    def descend(error: type[PellucidError]) -> Iterator[type[PellucidError]]:
        yield error
        for derived in error.__subclasses__():
            yield from descend(derived)

    return sorted(set(descend(PellucidError)), key=lambda error: error.__name__)


def errors_page() -> str:
    """Exit statuses, and the status of each error on the command line and over HTTP."""
    rows = [
        [
            f"`{error.__name__}`",
            f"`{error.__module__.removesuffix('.errors')}`",
            str(error.exit_status),
            f"{error.http_status} {HTTPStatus(error.http_status).phrase}",
        ]
        for error in error_classes()
    ]
    return "\n\n".join(
        [
            "# Errors and exit statuses",
            "## Exit statuses",
            table(["status", "meaning"], EXIT_STATUSES),
            "## Errors",
            "All derive from `pellucid.PellucidError`; their text is the whole message.",
            table(["error", "package", "exit status", "HTTP"], rows),
        ]
    )


def shortcuts() -> list[tuple[str, list[str], str]]:
    """Scope, keys and meaning of each shortcut, from the table that the page itself uses."""
    pattern = r"scope: '(\w+)',.*?labels: \[(.*?)\],\s*help:\s*'(.*?)',?\s*\}"
    text = SHORTCUTS.read_text(encoding="utf-8").partition("SHORTCUTS: readonly Shortcut[]")[2]
    return [
        (scope, re.findall(r"'(.*?)'", labels), help_text)
        for scope, labels, help_text in re.findall(pattern, text, re.DOTALL)
    ]


def shortcut_groups() -> list[tuple[str, list[str]]]:
    """Title and scopes of each group of the help, in its order."""
    text = SHORTCUTS.read_text(encoding="utf-8").partition("HELP_GROUPS: ")[2].partition(";")[0]
    groups = re.findall(r"\['([^']+)', \[([^\]]+)\]\]", text)
    return [(title, re.findall(r"'(\w+)'", scopes)) for title, scopes in groups]


def keyboard_page() -> str:
    parts = ["# Keyboard", "`?` shows this list in the page."]
    for title, scopes in shortcut_groups():
        rows = [
            [" ".join(f"`{key}`" for key in keys), help_text]
            for row_scope, keys, help_text in shortcuts()
            if row_scope in scopes
        ]
        parts += [f"## {title}", table(["key", ""], rows)]
    return "\n\n".join(parts) + "\n"


def python_page() -> str:
    """The public names, whose documentation comes from the source."""
    parts = ["# Python", "Everything here is importable as `pellucid.NAME`."]
    for name, module in sorted(pellucid.PUBLIC_MODULES.items()):
        target = getattr(importlib.import_module(f"pellucid.{module}"), name)
        parts.append(f"::: {target.__module__}.{name}")
    return "\n\n".join(parts) + "\n"


PAGES = {
    "reference/cli.md": cli_page,
    "reference/errors.md": errors_page,
    "reference/keyboard.md": keyboard_page,
    "reference/python.md": python_page,
}
