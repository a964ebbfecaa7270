"""Parsing of text, JSON and XML files, with errors that state the location."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec

from pellucid.core.errors import MalformedFileError
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.limits import MAX_TEXT_BYTES, MAX_XML_BYTES, check_file_size

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""First bytes of UTF-16 text, as Excel writes it."""


NOT_A_NUMBER = re.compile(rb"[\[:,]\s*-?(NaN|Infinity)\s*[\],}]")
"""What Python's json module writes for numbers that JSON does not have."""


def parse_json(path: Path, expected_type: Any, format_name: str) -> Any:
    """expected_type: a msgspec type; format_name: for messages."""
    try:
        return msgspec.json.decode(decode_utf8(path), type=expected_type)
    except msgspec.ValidationError as error:
        raise MalformedFileError(
            path,
            f"does not match the schema of {format_name}: {str(error)[0].lower()}{str(error)[1:]}",
        ) from error
    except msgspec.DecodeError as error:
        size = path.stat().st_size
        problem = (
            f"truncated after byte {size:,}"
            if "truncated" in str(error)
            else "holds NaN or Infinity, which JSON does not have: write null instead"
            if NOT_A_NUMBER.search(decode_utf8(path))
            else f"invalid JSON: {error}"
        )
        raise MalformedFileError(path, problem) from error
    except RecursionError as error:
        raise MalformedFileError(path, f"nested too deeply for {format_name}") from error


def decode_utf8(path: Path) -> bytes:
    """The bytes of a text file as UTF-8, without a byte order mark. UTF-16 is recognised by its
    mark.

    Raises:
        MalformedFileError: the text is in another encoding.
    """
    content = check_file_size(path, MAX_TEXT_BYTES).read_bytes()
    if content[:2] in UTF16_MARKS:
        try:
            return content.decode("utf-16").encode()
        except UnicodeError as error:
            raise MalformedFileError(path, f"invalid UTF-16: {error}") from error
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise MalformedFileError(
            path, f"invalid UTF-8 at byte {error.start:,}: save the file as UTF-8"
        ) from error
    return content.removeprefix(b"\xef\xbb\xbf")


def expect_list(node: Any, path: object, location: str) -> list[Any]:
    """The list, or an empty one for None; raises InvalidRecordError."""
    if node is None:
        return []
    if not isinstance(node, list):
        raise InvalidRecordError(
            path, location, f"found {node!r:.40}; expected a list", "Write [...]."
        )
    return node


def expect_object(node: Any, path: object, location: str) -> dict[str, Any]:
    """The object, or an empty one for None; raises InvalidRecordError."""
    if node is None:
        return {}
    if not isinstance(node, dict):
        raise InvalidRecordError(
            path, location, f"found {node!r:.40}; expected an object", "Write {...}."
        )
    return node


def parse_xml(path: Path) -> Element:
    """The root element of an XML file; entities and external references are rejected."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(check_file_size(path, MAX_XML_BYTES).read_bytes())
    except ParseError as error:
        raise MalformedFileError(path, f"invalid XML: {error}") from error
    except (DefusedXmlException, ValueError, LookupError) as error:
        raise MalformedFileError(
            path, f"unsafe XML: {' '.join(str(error).split())[:200]}"
        ) from error
    return root


def element_text(element: Element, child_name: str, default: str = "") -> str:
    child = element.find(child_name)
    return default if child is None or child.text is None else child.text.strip()


def parse_number(raw_number: Any, path: object, location: str, field_name: str) -> float:
    """Parse a finite number; raises InvalidRecordError."""
    try:
        number = float(raw_number)
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < float("inf"):
        raise InvalidRecordError(
            path, location, f"{field_name} is '{raw_number}'", "Expected a number."
        )
    return number


def load_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, stripped line) of every non-empty line."""
    try:
        content = check_file_size(path, MAX_TEXT_BYTES).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedFileError(path, f"invalid UTF-8 at byte {error.start:,}") from error
    for line_number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield line_number, line.strip()


def is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def split_fields(
    line: str, min_count: int, path: object, line_number: int, expected_fields: str
) -> list[str]:
    """Split a line into fields; raises InvalidRecordError if there are too few."""
    fields = line.split()
    if len(fields) < min_count:
        raise InvalidRecordError(
            path,
            f"line {line_number}",
            f"found {len(fields)} columns",
            f"Expected {expected_fields}.",
        )
    return fields
