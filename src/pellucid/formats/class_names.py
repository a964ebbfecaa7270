"""Text files that name the classes which label files number, one name a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pellucid.formats.parsing import load_lines

NUMBERED_LINE = re.compile(r"(\d+)[\s,;:=]+(\S.*)")


def parse_class_names(path: Path) -> list[str]:
    """The names in the order of their numbers. Lines may state the number: `0 cat`."""
    lines = [line for _, line in load_lines(path)]
    matches = [NUMBERED_LINE.fullmatch(line) for line in lines]
    numbers = [int(match[1]) for match in matches if match]
    if numbers and numbers in (list(range(len(lines))), list(range(1, len(lines) + 1))):
        names = [match[2].strip() for match in matches if match]
        return names if len(set(names)) == len(names) else lines  # `1 euro`, `2 euro`
    return lines


def find_first_number(numbers: Sequence[int], name_count: int) -> int | None:
    """Whether numbers count the names from 0 or from 1; None if they fit neither."""
    if not numbers or max(numbers) > name_count:
        return None
    if max(numbers) < name_count:
        return 0
    return None if 0 in numbers else 1
