"""Text, JSON and XML files, read with a message that says where they are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec

from pellucid.errors import MalformedFileError, InvalidRecordError
from pellucid.formats.bounds import MAX_TEXT_BYTES, MAX_XML_BYTES, check_file_size


def parse_json(path: Path, expected_type: Any, format_name: str) -> Any:
    """kind: the msgspec type expected; what: the format, for messages."""
    try:
        return msgspec.json.decode(check_file_size(path, MAX_TEXT_BYTES).read_bytes().removeprefix(b"\xef\xbb\xbf"), type=expected_type)
    except msgspec.ValidationError as error:
        raise MalformedFileError(path, f"not as {format_name} wants it: {str(error)[0].lower()}{str(error)[1:]}") from error
    except msgspec.DecodeError as error:
        size = path.stat().st_size
        problem = f"is cut short after byte {size:,}" if "truncated" in str(error) else f"is no valid JSON: {error}"
        raise MalformedFileError(path, problem) from error
    except RecursionError as error:
        raise MalformedFileError(path, f"is nested too deeply to be {format_name}") from error
    except UnicodeDecodeError as error:
        raise MalformedFileError(path, f"is no valid UTF-8 text at byte {error.start:,}") from error


def expect_list(node: Any, path: object, location: str) -> list[Any]:
    """A list, or nothing where there is none."""
    if node is None:
        return []
    if not isinstance(node, list):
        raise InvalidRecordError(path, location, f"found {node!r:.40}, where a list was expected", "Write [...].")
    return node


def expect_object(node: Any, path: object, location: str) -> dict[str, Any]:
    """An object, or an empty one where there is none."""
    if node is None:
        return {}
    if not isinstance(node, dict):
        raise InvalidRecordError(path, location, f"found {node!r:.40}, where an object was expected", "Write {...}.")
    return node


def parse_xml(path: Path) -> Element:
    """The root of an XML file; entities and references to other files are refused."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(check_file_size(path, MAX_XML_BYTES).read_bytes())
    except ParseError as error:
        raise MalformedFileError(path, f"is no valid XML: {error}") from error
    except (DefusedXmlException, ValueError, LookupError) as error:
        raise MalformedFileError(path, f"is no XML that is safe to read: {' '.join(str(error).split())[:200]}") from error
    return root


def element_text(element: Element, child_name: str, default: str = "") -> str:
    child = element.find(child_name)
    return default if child is None or child.text is None else child.text.strip()


def parse_number(raw_number: Any, path: object, location: str, field_name: str) -> float:
    """A finite number, or RecordBad."""
    try:
        number = float(raw_number)
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < float("inf"):
        raise InvalidRecordError(path, location, f"{field_name} is '{raw_number}'", "Write a number.")
    return number


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, stripped line) of every line that is not empty."""
    try:
        content = check_file_size(path, MAX_TEXT_BYTES).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedFileError(path, f"is no valid UTF-8 text at byte {error.start:,}") from error
    for line_number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield line_number, line.strip()


def is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def split_fields(line: str, min_count: int, path: object, line_number: int, expected_fields: str) -> list[str]:
    """The words of a line, at least as many as wanted."""
    fields = line.split()
    if len(fields) < min_count:
        raise InvalidRecordError(path, f"line {line_number}", f"it has {len(fields)} columns", f"Write {expected_fields}.")
    return fields
