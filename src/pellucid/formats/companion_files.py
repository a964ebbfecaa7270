"""Text files that stand beside label files without being label files."""

from __future__ import annotations

NAMES_FILES = (
    "classes.txt",
    "labels.txt",
    "names.txt",
    "class_names.txt",
    "requirements.txt",
)
DOCUMENT_STEMS = ("readme", "license", "licence")


def is_companion_file(file_name: str) -> bool:
    """Whether a text file lists the names of concepts or documents the data set."""
    base_name = file_name.lower().rpartition("/")[2]
    return base_name in NAMES_FILES or base_name.partition(".")[0] in DOCUMENT_STEMS
