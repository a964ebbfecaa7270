"""Text, JSON and XML files, read with a message that says where they are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec

from pellucid.errors import FileMalformed, RecordBad
from pellucid.formats.bounds import MOST_TEXT, MOST_XML, bounded


def parsed_json(path: Path, kind: Any, what: str) -> Any:
    """kind: the msgspec type expected; what: the format, for messages."""
    try:
        return msgspec.json.decode(bounded(path, MOST_TEXT).read_bytes().removeprefix(b"\xef\xbb\xbf"), type=kind)
    except msgspec.ValidationError as error:
        raise FileMalformed(path, f"not as {what} wants it: {str(error)[0].lower()}{str(error)[1:]}") from error
    except msgspec.DecodeError as error:
        size = path.stat().st_size
        found = f"is cut short after byte {size:,}" if "truncated" in str(error) else f"is no valid JSON: {error}"
        raise FileMalformed(path, found) from error
    except RecursionError as error:
        raise FileMalformed(path, f"is nested too deeply to be {what}") from error
    except UnicodeDecodeError as error:
        raise FileMalformed(path, f"is no valid UTF-8 text at byte {error.start:,}") from error


def listed(value: Any, path: object, place: str) -> list[Any]:
    """A list, or nothing where there is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordBad(path, place, f"found {value!r:.40}, where a list was expected", "Write [...].")
    return value


def record_in(value: Any, path: object, place: str) -> dict[str, Any]:
    """An object, or an empty one where there is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordBad(path, place, f"found {value!r:.40}, where an object was expected", "Write {...}.")
    return value


def parsed_xml(path: Path) -> Element:
    """The root of an XML file; entities and references to other files are refused."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(bounded(path, MOST_XML).read_bytes())
    except ParseError as error:
        raise FileMalformed(path, f"is no valid XML: {error}") from error
    except (DefusedXmlException, ValueError, LookupError) as error:
        raise FileMalformed(path, f"is no XML that is safe to read: {' '.join(str(error).split())[:200]}") from error
    return root


def text_of(element: Element, name: str, otherwise: str = "") -> str:
    found = element.find(name)
    return otherwise if found is None or found.text is None else found.text.strip()


def number_of(text: Any, path: object, place: str, name: str) -> float:
    """A finite number, or RecordBad."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not abs(value) < float("inf"):
        raise RecordBad(path, place, f"{name} is '{text}'", "Write a number.")
    return value


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, stripped line) of every line that is not empty."""
    try:
        text = bounded(path, MOST_TEXT).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileMalformed(path, f"is no valid UTF-8 text at byte {error.start:,}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def columns_of(line: str, wanted: int, path: object, number: int, what: str) -> list[str]:
    """The words of a line, at least as many as wanted."""
    words = line.split()
    if len(words) < wanted:
        raise RecordBad(path, f"line {number}", f"it has {len(words)} columns", f"Write {what}.")
    return words
