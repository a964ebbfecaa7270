"""Exported files and folders appear complete or not at all: they are written beside their place,
synced to disk and renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree.ElementTree import Element, tostring

from pellucid.core.errors import WriteError
from pellucid.core.files import atomic_write, sync_to_disk
from pellucid.formats.errors import ExportError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path, whose file becomes `path` when the block succeeds.

    Raises:
        ExportError: the file exists already.
        WriteError: the disk is full or the folder is not writable.
    """
    if path.exists():
        raise ExportError(str(path), "it already exists; specify a new file")
    with convert_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, locked=False) as temp_path:
            yield temp_path
            sync_to_disk(temp_path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder, which becomes `path` when the block succeeds; `path` may exist if
    it is empty. A killed process leaves a hidden folder that ends in `.partial`.

    Raises:
        ExportError: the folder is not empty, or a file.
        WriteError: the disk is full or the folder is not writable.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ExportError(str(path), "it already exists; specify a new folder")
    target = path.resolve()
    temp_folder = target.with_name(f".{target.name}.{uuid4().hex}.partial")
    with convert_write_errors(path):
        temp_folder.mkdir(parents=True)
        try:
            yield temp_folder
            sync_all_files(temp_folder)
            move_folder(temp_folder, target)
        finally:
            shutil.rmtree(temp_folder, ignore_errors=True)


def sync_all_files(folder: Path) -> None:
    if hasattr(os, "sync"):  # one flush instead of one per label file
        os.sync()
        return
    for file in folder.rglob("*"):
        if file.is_file():
            sync_to_disk(file)


def move_folder(folder: Path, target: Path) -> None:
    """Put the folder in the place of an absent or empty one. A folder that cannot be replaced, such
    as a mount point, is filled instead."""
    try:
        if target == Path.cwd():
            raise OSError("a shell is in the folder")
        folder.replace(target)
    except OSError:
        if not target.is_dir():
            raise
        for child in folder.iterdir():
            child.replace(target / child.name)


@contextmanager
def convert_write_errors(path: Path) -> Iterator[None]:
    """Raises WriteError for the errors of the operating system and of DuckDB."""
    import duckdb

    try:
        yield
    except OSError as error:
        raise WriteError(path, (error.strerror or str(error)).lower()) from error
    except duckdb.IOException as error:
        raise WriteError(path, str(error).split("\n", maxsplit=1)[0]) from error


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file into a folder that is being written."""
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_xml(path: Path, root: Element) -> None:
    """Write an XML file into a folder that is being written. Carriage returns are escaped, since
    parsers read plain ones as line feeds."""
    text = tostring(root, encoding="utf-8", xml_declaration=True)
    path.write_bytes(text.replace(b"\r", b"&#13;"))


def write_new_json(path: Path, document: Any) -> None:
    """Write one JSON file. Raises ExportError, WriteError."""
    with new_file(path) as temp_path:
        write_json(temp_path, document)


def write_new_text(path: Path, text: str) -> None:
    """Write one text file. Raises ExportError, WriteError."""
    with new_file(path) as temp_path:
        temp_path.write_text(text, encoding="utf-8")
