"""Write columns in a format by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pellucid.core.errors import InvalidChoiceError
from pellucid.formats.dataset import Note
from pellucid.formats.writers.export_data import ExportData, Writer


def write_format(
    writers: Mapping[str, Writer], format_name: str, export_data: ExportData, path: Path
) -> list[Note]:
    """Write the columns; returns what the format cannot hold. Raises InvalidChoiceError."""
    if format_name not in writers:
        raise InvalidChoiceError("--format", format_name, list(writers))
    writers[format_name](export_data, path)
    return export_data.notes
