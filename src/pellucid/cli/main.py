"""The command line. Each command is one call of the Python API."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from pellucid.cli.analyse import ANALYSIS_COMMANDS
from pellucid.cli.command_group import CommandGroup, with_suggestion
from pellucid.cli.compare_command import compare_command
from pellucid.cli.console import exit_with_error
from pellucid.cli.evaluate import evaluate_command
from pellucid.cli.export_commands import EXPORT_COMMANDS
from pellucid.cli.findings_command import findings_command
from pellucid.cli.import_commands import IMPORT_COMMANDS
from pellucid.cli.interruption import INTERRUPTED, InterruptRecorder
from pellucid.cli.manage_commands import MANAGE_COMMANDS
from pellucid.cli.result_commands import RESULT_COMMANDS
from pellucid.cli.server_commands import SERVER_COMMANDS
from pellucid.core.errors import PellucidError, WriteError


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="pellucid")
def cli() -> None:
    """Evaluate vision models and review their true positives, false positives and false
    negatives."""


for command in (
    *IMPORT_COMMANDS,
    *RESULT_COMMANDS,
    compare_command,
    findings_command,
    *MANAGE_COMMANDS,
    *ANALYSIS_COMMANDS,
    evaluate_command,
    *EXPORT_COMMANDS,
    *SERVER_COMMANDS,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line. Exit status: 0 success, 1 other error, 2 usage error, 3 invalid
    input, 4 a gate failed, 130 interrupted."""
    debug = "--debug" in sys.argv
    interrupts = InterruptRecorder()
    interrupts.install()
    try:
        status = cli.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        exit_interrupted(debug)
    except click.ClickException as error:
        with_suggestion(error).show()
        sys.exit(error.exit_code)
    except Exception as error:
        if interrupts.was_interrupted:
            exit_interrupted(debug)
        report(error, debug)
    sys.exit(status if isinstance(status, int) else 0)


def exit_interrupted(debug: bool) -> NoReturn:
    if sys.stderr.isatty():
        click.echo(err=True)  # behind the ^C that the terminal shows
    exit_with_error("interrupted", INTERRUPTED, debug)


def report(error: Exception, debug: bool) -> NoReturn:
    """Print an error of a command and exit with its status."""
    if isinstance(error, PellucidError):
        exit_with_error(str(error), error.exit_status, debug)
    if isinstance(error, OSError) and error.filename:
        problem = (error.strerror or str(error)).lower()
        exit_with_error(str(WriteError(error.filename, problem)), 3, debug)
    if isinstance(error, OSError):
        exit_with_error(str(error), 1, debug)
    exit_with_error(
        f"{type(error).__name__}: {error}. This is a bug: run again with --debug and report "
        "the output.",
        1,
        debug,
    )
