"""The command line."""

from pellucid.cli.main import cli, main

__all__ = ["cli", "main"]
