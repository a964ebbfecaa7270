"""Names close to a mistyped one, for messages."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

MIN_SIMILARITY = 0.75
"""Least similarity (0 to 1, difflib's ratio) of a suggestion."""


def closest_name(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: the same but for case, spaces, punctuation, plural and
    Unicode form, else one of similar spelling; None if there is none."""
    candidates = [candidate for candidate in names if candidate != name]
    wanted = reduce_name(name)
    reduced_names = [reduce_name(candidate) for candidate in candidates]
    if wanted and wanted in reduced_names:
        return candidates[reduced_names.index(wanted)]
    matches = difflib.get_close_matches(wanted, reduced_names, 1, MIN_SIMILARITY)
    return candidates[reduced_names.index(matches[0])] if matches else None


def reduce_name(name: str) -> str:
    """The name in lower case, without accents, punctuation, spaces and plural endings."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(character for character in decomposed if character.isalnum())
    for ending in ("es", "s"):
        if len(letters) > len(ending) + 2 and letters.endswith(ending):
            return letters.removesuffix(ending)
    return letters


def suggestion_text(name: str, names: Iterable[str]) -> str:
    """` Did you mean 'panels'?`, or nothing if no name is close."""
    close_name = closest_name(name, names)
    return "" if close_name is None else f" Did you mean '{close_name}'?"
