"""The settings file of a YOLO data set (`data.yaml`)."""

from __future__ import annotations

import re
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

from pellucid.core.errors import MalformedFileError, summarize_names
from pellucid.formats.errors import InvalidRecordError, MultipleAnnotationFilesError
from pellucid.formats.limits import check_file_size

MAX_SETTINGS_BYTES = 64 << 20
MAX_YAML_ALIASES = 20
"""Nested aliases multiply (a YAML bomb), so their number is limited."""


def find_settings_file(folder: Path) -> Path | None:
    return next(iter(settings_files(folder)), None)


def settings_files(folder: Path) -> list[Path]:
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return [file for file in files if "names" in file.read_text(errors="replace")]


def reject_other_names(folder: Path) -> None:
    """Raises MultipleAnnotationFilesError if the folder has settings with other names of
    concepts."""
    names = {
        file.name: stated
        for file in settings_files(folder)
        if (stated := find_names(file)) is not None
    }
    first = next(iter(names.values()), None)
    if any(other != first for other in names.values()):
        raise MultipleAnnotationFilesError(folder, summarize_names(names))


def find_names(path: Path) -> list[str] | None:
    """The names of the concepts; None of a file that is no settings of a data set."""
    try:
        settings = parse_settings(path)
    except MalformedFileError:
        return None
    is_data_set = "names" in settings and any(key in settings for key in ("train", "val", "test"))
    return parse_concept_names(path, settings) if is_data_set else None


def parse_settings(path: Path) -> dict[str, Any]:
    import yaml

    try:
        settings_text = check_file_size(path, MAX_SETTINGS_BYTES).read_text(encoding="utf-8-sig")
        if flow_depth(settings_text) > MAX_YAML_DEPTH:
            raise MalformedFileError(path, f"has more than {MAX_YAML_DEPTH} nested brackets")
        if (
            sum(
                isinstance(token, yaml.AliasToken)
                for token in yaml.scan(settings_text, Loader=yaml.BaseLoader)
            )
            > MAX_YAML_ALIASES
        ):
            raise MalformedFileError(
                path,
                f"has over {MAX_YAML_ALIASES} aliases (*name), which may expand beyond available "
                "memory",
            )
        # the base loader keeps scalars as strings: a concept named `no` does not become False
        settings = yaml.load(settings_text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedFileError(
            path, f"is not valid YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(settings, dict):
        raise MalformedFileError(path, "has no settings (names, train, val)")
    return settings


MAX_YAML_DEPTH = 50
"""The parser takes the square of the depth, and fails at some thousand levels."""


def flow_depth(text: str) -> int:
    """How deep brackets are nested."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[][{}]", text))
    return max(accumulate(steps), default=0)


def parse_concept_names(path: Path, settings: dict[str, Any]) -> list[str]:
    listed_names = settings.get("names")
    if isinstance(listed_names, dict):
        expected_indexes = [str(index) for index in range(len(listed_names))]
        if set(listed_names) != set(expected_indexes):
            raise InvalidRecordError(
                path,
                "names",
                f"indices are {summarize_names(listed_names)}, expected 0 to "
                f"{len(listed_names) - 1}",
                "Number them from 0.",
            )
        listed_names = [listed_names[index] for index in expected_indexes]
    if not isinstance(listed_names, list) or not listed_names:
        raise InvalidRecordError(
            path,
            "names",
            f"found {listed_names!r}",
            "Use a list of names, or a mapping from 0-based indices.",
        )
    concepts = [str(concept_name) for concept_name in listed_names]
    duplicates = [concept_name for concept_name, count in Counter(concepts).items() if count > 1]
    if duplicates:
        raise InvalidRecordError(
            path, "names", f"'{duplicates[0]}' is listed twice", "Use unique names."
        )
    return concepts
