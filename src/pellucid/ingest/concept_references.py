"""Resolve the concept keys of predictions: names, ids or positions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from pellucid.formats.dataset import ParsedPredictions, normalize_text
from pellucid.formats.tabular.wide_scores import common_prefix, common_suffix
from pellucid.ingest.image_names import fold_text
from pellucid.ingest.references import Interpretation, best_interpretation, find_rows, plain_integer
from pellucid.storage.manifests import Concept

COCO_CATEGORY_IDS = [
    category_id
    for category_id in range(1, 91)
    if category_id not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
]
"""The category ids of COCO's 80 concepts (of 1 to 90)."""
NUMBER_SIGN = "#"


def concept_interpretations(
    source: ParsedPredictions, concepts: Sequence[Concept]
) -> list[Interpretation]:
    """Interpretations of the concept keys, the most likely first."""
    keys, names = source.concept_keys, [concept.name for concept in concepts]
    positional = positional_interpretations(numbers_of(keys), names)
    if source.concept_interpretation == "position":
        return positional
    rows = range(len(names))
    plain_keys = [plain_integer(key) for key in keys]
    name_based = Interpretation(
        "names",
        find_rows(
            [normalize_text(key) for key in plain_keys],
            [normalize_text(plain_integer(name)) for name in names],
            rows,
        ),
    )
    folded = Interpretation(
        "names, ignoring case",
        find_rows(
            [fold_concept(key) for key in keys], [fold_concept(name) for name in names], rows
        ),
    )
    if source.concept_interpretation == "column":
        are_numbers = all(number.isdecimal() for number in numbers_of(keys))
        return [
            name_based,
            folded,
            *strip_affixes(keys, names),
            *(positional if are_numbers else []),
        ]
    id_pairs = [
        (plain_integer(concept_id), row) for row in rows for concept_id in concepts[row].ids
    ]
    id_based = Interpretation(
        "ids", find_rows(plain_keys, [text for text, _ in id_pairs], [row for _, row in id_pairs])
    )
    first = [id_based, name_based]
    if source.concept_interpretation == "name":
        first.reverse()
    return [*first, folded, *positional]


def fold_concept(name: str) -> str:
    """The name without differences of case, and of blanks, underscores and hyphens."""
    return " ".join(re.split(r"[\s_-]+", fold_text(name)))


def positional_interpretations(keys: Sequence[str], names: Sequence[str]) -> list[Interpretation]:
    """Keys that count the concepts."""
    rows = range(len(names))
    alphabetical_rows = sorted(rows, key=names.__getitem__)
    numberings: list[tuple[str, Sequence[int], Sequence[int]]] = [
        ("positions from 0", rows, rows),
        ("positions from 1", range(1, len(names) + 1), rows),
        ("positions in alphabetical order", rows, alphabetical_rows),
    ]
    if len(names) == len(COCO_CATEGORY_IDS):
        numberings.append(("COCO's 91 ids", COCO_CATEGORY_IDS, rows))
    return [
        Interpretation(name, find_rows(keys, [str(number) for number in numbers], target_rows))
        for name, numbers, target_rows in numberings
    ]


def strip_affixes(keys: Sequence[str], names: Sequence[str]) -> list[Interpretation]:
    """Names of columns that begin or end alike: `p_fox`, `fox_score`."""
    prefix, suffix = common_prefix(keys, names), common_suffix(keys, names)
    after_prefix = [key.removeprefix(prefix) for key in keys]
    before_suffix = [key.removesuffix(suffix) for key in keys]
    rows = range(len(names))
    return [
        *(
            [Interpretation(f"names after '{prefix}'", find_rows(after_prefix, names, rows))]
            if prefix
            else []
        ),
        *(
            [Interpretation(f"names before '{suffix}'", find_rows(before_suffix, names, rows))]
            if suffix
            else []
        ),
        *between_affixes(keys, names),
    ]


def numbers_of(keys: Sequence[str]) -> Sequence[str]:
    """The numbers of keys that differ by a number alone (`LABEL_0`, `prob_1`), else the keys."""
    numbers = [re.sub(r".*\D", "", key) for key in keys]
    is_numbered = all(numbers) and len({key.rstrip("0123456789") for key in keys}) == 1
    return numbers if is_numbered else keys


def between_affixes(keys: Sequence[str], names: Sequence[str]) -> list[Interpretation]:
    """Names of columns between a beginning and an end that all have, but for numbers in them and
    for case: `P(fox)`, `proba_fox_2`, `0_fox`, `FOX_SCORE`."""
    by_affixes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in keys:
        folded = key.casefold()
        for name in filter(None, map(str.casefold, names)):
            if name in folded:
                prefix, suffix = folded.partition(name)[0], folded.rpartition(name)[2]
                by_affixes[without_numbers(prefix), without_numbers(suffix)].add(key)
    prefix, suffix = max(by_affixes, key=lambda affixes: len(by_affixes[affixes]), default=("", ""))
    is_pattern = len(by_affixes[prefix, suffix]) > 1 and bool(prefix or suffix)
    if not is_pattern and not (prefix and suffix):
        return []
    pattern = re.compile(f"{affix_pattern(prefix)}(.*){affix_pattern(suffix)}", re.DOTALL)
    inner = [
        match[1] if (match := pattern.fullmatch(key.casefold())) else key.casefold() for key in keys
    ]
    folded_names = list(map(str.casefold, names))
    return [
        Interpretation(
            f"names between '{prefix}' and '{suffix}'",
            find_rows(inner, folded_names, range(len(names))),
        )
    ]


def without_numbers(text: str) -> str:
    """The text with a sign in place of each number."""
    return re.sub(r"\d+", NUMBER_SIGN, text)


def affix_pattern(affix: str) -> str:
    return r"\d+".join(map(re.escape, affix.split(NUMBER_SIGN)))


def default_concept_interpretation(interpretations: Sequence[Interpretation]) -> Interpretation:
    """The first of ids and names that resolves every key, else the one that resolves most.
    Positions are only used if boxes confirm them."""
    by_name = [
        interpretation
        for interpretation in interpretations
        if (interpretation.explained_count or interpretation.ambiguous_count)
        and not interpretation.name.startswith(("positions", "COCO"))
    ]
    return best_interpretation(by_name) if by_name else interpretations[0]
