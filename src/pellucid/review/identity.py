"""Names of people, in one form: two spellings that look the same are one person."""

from __future__ import annotations

import unicodedata

INVISIBLE_CATEGORIES = ("Cc", "Cf", "Co", "Cn")
"""Control and format characters, such as a zero-width space; private and unassigned ones."""


def normalize_name(name: str) -> str:
    """The name in Unicode's compatibility form (NFKC), without invisible characters, and with
    single spaces. Upper and lower case stay different. '' if nothing is left."""
    composed = unicodedata.normalize("NFKC", name)
    visible = "".join(
        " " if character.isspace() else character
        for character in composed
        if character.isspace() or unicodedata.category(character) not in INVISIBLE_CATEGORIES
    )
    return " ".join(visible.split())
