"""What the messages about a source that cannot be read have in common."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pellucid.core.errors import PellucidError, UnreadableFileError, summarize_names
from pellucid.formats import memory_documents
from pellucid.formats.probe import Probe


@contextmanager
def convert_os_errors(source: Any) -> Iterator[None]:
    """Convert OSError to UnreadableFileError."""
    try:
        yield
    except OSError as error:
        raise UnreadableFileError(
            error.filename or source, (error.strerror or str(error)).lower()
        ) from error


@contextmanager
def rename_errors() -> Iterator[None]:
    """Messages about the temporary file of records are about the records."""
    try:
        yield
    except PellucidError as error:
        text = re.sub(r"\S*/document\.json", memory_documents.RECORDS_NAME, str(error))
        error.args = (text,)
        raise


@contextmanager
def options_of_predictions() -> Iterator[None]:
    """Where both sources are given at once, an option of tables of predictions has another name."""
    try:
        yield
    except PellucidError as error:
        error.args = (str(error).replace("--columns", "--prediction-columns"),)
        raise


def describe_content(probe: Probe) -> str:
    head = probe.head
    if probe.is_dir:
        endings = Counter(Path(name).suffix.lower() or "no ending" for name in probe.file_names)
        counts = [f"{count:,} {ending}" for ending, count in endings.most_common(4)]
        files = f"files: {', '.join(counts)}" if counts else "no files"
        return f"a folder with {files}"
    if fields := first_record_fields(head):
        return (
            f"JSON records with the fields {summarize_names(fields, 8)}; if they are objects or "
            "images, name the fields with --columns image=FIELD,concept=FIELD"
        )
    if head[:1] in "{[":
        return f"JSON beginning with {' '.join(head[:60].split())}"
    if head.startswith("<"):
        return "XML or HTML"
    if "\0" in head or "\ufffd" in head[:200]:
        return "a binary file"
    return f"a file beginning with '{' '.join(head[:60].split())}'"


def first_record_fields(head: str) -> list[str]:
    """The fields of the first record of a JSON list; empty for other content."""
    start = head[1:].lstrip()
    if not head.startswith("[") or not start.startswith("{"):
        return []
    try:
        return list(json.JSONDecoder().raw_decode(start)[0])
    except ValueError:
        return []
