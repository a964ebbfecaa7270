"""Names close to a mistyped one, for messages."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

MIN_SIMILARITY = 0.75
"""Least similarity (0 to 1, difflib's ratio) of a suggestion."""
MIN_ABBREVIATION = 3
"""Letters with which the only name that begins with them is suggested: `val`."""


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


def one_edit_away(name: str, names: Iterable[str]) -> str | None:
    """The first of the names from which the name differs by one letter, two exchanged ones, or one
    too many or too few; not by a number, which is meant."""
    for candidate in names:
        pairs = enumerate(zip(name, candidate, strict=False))
        shorter = min(len(name), len(candidate))
        prefix = next((index for index, (a, b) in pairs if a != b), shorter)
        rest, wanted = name[prefix:], candidate[prefix:]
        is_number = rest[:1].isdigit() or wanted[:1].isdigit()
        is_exchanged = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
        is_close = is_exchanged or wanted[1:] in (rest, rest[1:]) or wanted == rest[1:]
        if is_close and not is_number and candidate != name:
            return candidate
    return None


def suggestion_text(name: str, names: Iterable[str]) -> str:
    """` Did you mean 'panels'?`, or nothing if no name is close."""
    names = list(names)
    close_name = closest_name(name, names)
    if close_name is None and len(name) > 1:
        close_name = one_edit_away(name, names)
    if close_name is None and len(name) >= MIN_ABBREVIATION:
        longer = [each for each in names if each.casefold().startswith(name.casefold())]
        close_name = longer[0] if len(longer) == 1 else None
    return "" if close_name is None else f" Did you mean '{close_name}'?"
