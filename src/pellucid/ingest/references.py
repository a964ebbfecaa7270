"""Resolve the image and concept keys of predictions.

Files refer to images by path, id, file name or stem, and to concepts by name, id or position.
Each is an interpretation; `inference` selects one. Ambiguous keys raise an error; unresolved keys
are reported and their predictions ignored.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import BoolArray, Images, Int32Array, Int64Array
from pellucid.formats.dataset import Note, ParsedPredictions, normalize_text
from pellucid.formats.tabular.wide_scores import common_prefix, common_suffix
from pellucid.ingest.errors import AmbiguousReferenceError, NoMatchesError
from pellucid.ingest.image_names import fold_text
from pellucid.storage.manifests import Concept

UNKNOWN, AMBIGUOUS = -1, -2
COCO_CATEGORY_IDS = [
    category_id
    for category_id in range(1, 91)
    if category_id not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
]
"""The category ids of COCO's 80 concepts (of 1 to 90)."""


@dataclass(frozen=True, eq=False)
class Interpretation:
    """One interpretation of the keys: its name, and for each key a position, UNKNOWN or
    AMBIGUOUS."""

    name: str
    positions: Int32Array

    @property
    def explained_count(self) -> int:
        return int((self.positions >= 0).sum())

    @property
    def is_complete(self) -> bool:
        """Whether every key is resolved."""
        return self.explained_count == len(self.positions) > 0

    def agrees_with(self, other: Interpretation) -> bool:
        """Whether both resolve the keys that the other resolves in the same way."""
        is_explained = other.positions >= 0
        return bool((self.positions[is_explained] == other.positions[is_explained]).all())

    @property
    def ambiguous_count(self) -> int:
        return int((self.positions == AMBIGUOUS).sum())


def file_stem(path: str) -> str:
    return os.path.splitext(base_name(path))[0]


def strip_extension(path: str) -> str:
    folder, separator, file_name = path.rpartition("/")
    return folder + separator + os.path.splitext(file_name)[0]


def numeric_stem(path: str) -> str:
    """The stem without leading zeros if it is numeric, else ''."""
    path_stem = file_stem(path)
    return str(int(path_stem)) if path_stem.isascii() and path_stem.isdigit() else ""


def number_in_name(path: str) -> str:
    """The only number in the stem, without leading zeros; '' if there is none, or several."""
    numbers = re.findall(r"[0-9]+", file_stem(path))
    return str(int(numbers[0])) if len(numbers) == 1 else ""


def number_key(key: str) -> str:
    """A number without leading zeros; a key that is none matches nothing."""
    plain = plain_integer(key)
    return str(int(plain)) if plain.isascii() and plain.isdigit() else "\n"


NUMBER_SIGN = "#"
PADDED_ID = "id without leading zeros"
NamingScheme = tuple[str, Callable[[], Sequence[str]], Callable[[str], str]]
"""Its name, what gives the names of the images (called only for a scheme that is tried), and the
function that converts a key before the comparison."""


def fold_path(path: str) -> str:
    return fold_text(strip_dot_slash(path))


def fold_stem(path: str) -> str:
    return fold_text(file_stem(path))


def compose_path(path: str) -> str:
    """The path in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", strip_dot_slash(path))


def plain_integer(key: str) -> str:
    """Ids that were written as numbers: `7.0` is `7`."""
    return key.removesuffix(".0") if re.fullmatch(r"-?\d+\.0", key) else key


def image_interpretations(
    source: ParsedPredictions, images: Images, is_candidate: BoolArray
) -> Iterator[Interpretation]:
    """Interpretations of the image keys, the most likely first, computed lazily.

    If a name matches several images, only the candidates are considered.
    """
    candidate_rows = np.flatnonzero(is_candidate)
    keys, is_stem = whole_numbers(source.image_keys), source.image_key_kind == "stem"
    schemes = stem_schemes(images) if is_stem else path_and_id_schemes(source, images)
    interpret_first, *interpreters = (
        partial(interpret_keys, scheme, keys, candidate_rows) for scheme in schemes
    )
    yield interpret_first()
    yield from filter(is_one_to_one, (interpret() for interpret in interpreters))
    if not is_stem and all(key.isdecimal() for key in keys):
        by_id = rows_by_id(images, candidate_rows)
        for first in (0, 1):
            yield number_images(keys, by_id, first)
        if (by_id != candidate_rows).any():
            for first in (0, 1):
                by_path = number_images(keys, candidate_rows, first)
                yield replace(by_path, name=f"{by_path.name} by path")
        number_scheme = ("number in file name", named(images, number_in_name), number_key)
        by_number = interpret_keys(number_scheme, keys, candidate_rows)
        is_whole = by_number.explained_count >= len(candidate_rows)
        if is_one_to_one(by_number) and (is_whole or source.box is not None):
            yield by_number


def whole_numbers(keys: Sequence[str]) -> Sequence[str]:
    """Keys that are all numbers as whole ones: `7.0`, as pandas writes them beside empty cells."""
    if all(key.removesuffix(".0").isdecimal() for key in keys):
        return [key.removesuffix(".0") for key in keys]
    return keys


def decode_path(key: str) -> str:
    """The path that a URL writes with %20 and the like."""
    return unquote(strip_dot_slash(key)) if "%" in key else strip_dot_slash(key)


def named(images: Images, name: Callable[[str], str]) -> Callable[[], list[str]]:
    """A function that gives the name of each image, made from its path."""
    return lambda: [name(path) for path in images.path.tolist()]


def stem_schemes(images: Images) -> list[NamingScheme]:
    """For keys that are paths without ending."""
    return [
        ("path without ending", named(images, strip_extension), strip_dot_slash),
        ("file stem", named(images, file_stem), base_name),
        (
            "path without ending, ignoring case",
            named(images, lambda path: fold_path(strip_extension(path))),
            fold_path,
        ),
        ("file stem, ignoring case", named(images, fold_stem), fold_base),
        ("file name", named(images, base_name), base_name),  # of label files such as `a.jpg.txt`
    ]


def path_and_id_schemes(source: ParsedPredictions, images: Images) -> list[NamingScheme]:
    """For keys that are paths or ids; those that the source states come first."""
    id_scheme: NamingScheme = (
        "id",
        lambda: [plain_ids(ids) for ids in images.source_id],
        clean_id,
    )
    folders = (key.count("/") + key.count("\\") for key in source.image_keys)
    deepest = min(12, max(folders, default=0))
    path_schemes: list[NamingScheme] = [
        ("path", named(images, str), strip_dot_slash),
        *(
            (f"path below {format_count(depth, 'folder')}", named(images, str), skip_folders(depth))
            for depth in range(1, deepest + 1)
        ),
        ("file name", named(images, base_name), base_name),
        *(
            (
                f"path from folder {depth + 1} on",
                named(images, skip_folders(depth)),
                strip_dot_slash,
            )
            for depth in (1, 2)
        ),
    ]
    padded_scheme: NamingScheme = (
        PADDED_ID,
        lambda: [unpadded_ids(ids) for ids in images.source_id],
        number_key,
    )
    ids = [id_scheme, *([padded_scheme] if source.has_id_column else [])]
    first = [*ids, *path_schemes]
    if source.image_key_kind == "path":
        first = [*path_schemes, *ids]
    return [
        *first,
        ("path without ending", named(images, strip_extension), strip_dot_slash),
        ("file stem", named(images, file_stem), base_name),
        ("file stem", named(images, file_stem), file_stem),
        padded_scheme,
        ("file stem without leading zeros", named(images, numeric_stem), strip_dot_slash),
        ("path in Unicode NFC", named(images, compose_path), compose_path),
        ("path, percent-decoded", named(images, str), decode_path),
        (
            "file name, percent-decoded",
            named(images, base_name),
            lambda k: base_name(decode_path(k)),
        ),
        ("path, ignoring case", named(images, fold_path), fold_path),
        ("file name, ignoring case", named(images, fold_base), fold_base),
        ("file stem, ignoring case", named(images, fold_stem), fold_stem),
    ]


def rows_by_id(images: Images, candidate_rows: Int64Array) -> Int64Array:
    """The candidates in the order in which pycocotools and torchvision count images: by ascending
    id; by path where they have no ids."""
    ids = [plain_integer(text) for text in images.source_id[candidate_rows].tolist()]
    if not all(text.isdecimal() for text in ids):
        return candidate_rows
    order = sorted(range(len(ids)), key=lambda place: int(ids[place]))
    return candidate_rows[np.array(order, np.int64)]


def number_images(keys: Sequence[str], candidate_rows: Int64Array, first: int) -> Interpretation:
    """Keys that count the candidate images in their order, from `first`, as a data loader does."""
    row_by_key = {str(place + first): row for place, row in enumerate(candidate_rows.tolist())}
    positions = np.array([row_by_key.get(key, UNKNOWN) for key in keys], np.int32)
    return Interpretation(f"positions from {first}", positions)


def fold_base(path: str) -> str:
    return fold_text(base_name(path))


def clean_id(key: str) -> str:
    return plain_integer(strip_dot_slash(key))


def plain_ids(ids: str) -> str:
    """Ids of one image, one per line, with integers written plainly."""
    return "\n".join(plain_integer(one_id) for one_id in ids.split("\n"))


def unpadded_ids(ids: str) -> str:
    """Numeric ids of one image, one per line, without leading zeros."""
    return "\n".join(
        str(int(one_id)) for one_id in plain_ids(ids).split("\n") if one_id.isdecimal()
    )


def interpret_keys(
    scheme: NamingScheme, keys: Sequence[str], candidate_rows: Int64Array
) -> Interpretation:
    """Resolve the keys with one naming scheme. candidate_rows: the candidate images."""
    scheme_name, list_names, normalize = scheme
    image_names = list_names()
    normalized_keys = [normalize(key.replace("\\", "/")) for key in keys]
    positions = find_rows(normalized_keys, image_names, range(len(image_names)))
    if (positions < 0).any():
        candidate_positions = find_rows(
            normalized_keys,
            [image_names[image_row] for image_row in candidate_rows.tolist()],
            candidate_rows,
        )
        positions = np.where(positions >= 0, positions, candidate_positions).astype(np.int32)
    return Interpretation(scheme_name, positions)


def is_one_to_one(interpretation: Interpretation) -> bool:
    """Whether no two keys resolve to the same image."""
    matched_positions = interpretation.positions[interpretation.positions >= 0]
    return len(np.unique(matched_positions)) == len(matched_positions)


def strip_dot_slash(key: str) -> str:
    return key.removeprefix("./")


def base_name(key: str) -> str:
    return key.rsplit("/", maxsplit=1)[-1]


def skip_folders(depth: int) -> Callable[[str], str]:
    """A function that removes the first `depth` folders of a path; '' if there are fewer."""
    return lambda key: key.split("/", depth)[-1] if key.count("/") >= depth else ""


def find_rows(
    keys: Sequence[str], alias_lines: Sequence[str], target_rows: Sequence[int] | np.ndarray
) -> Int32Array:
    """Row of each key, or UNKNOWN or AMBIGUOUS. alias_lines: aliases of each row, one per line."""
    row_by_alias: dict[str, int] = {}
    for aliases, target_row in zip(alias_lines, target_rows, strict=True):
        for alias in aliases.split("\n") if aliases else ():
            row_by_alias[alias] = AMBIGUOUS if alias in row_by_alias else int(target_row)
    return np.array([row_by_alias.get(key, UNKNOWN) for key in keys], np.int32).reshape(-1)


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


def best_interpretation(interpretations: Sequence[Interpretation]) -> Interpretation:
    """The interpretation that resolves most keys; ties: most ambiguous keys, then the first."""
    return max(
        interpretations,
        key=lambda interpretation: (interpretation.explained_count, interpretation.ambiguous_count),
    )


def is_sufficient(interpretation: Interpretation) -> bool:
    """Whether to use the default interpretation: it resolves half of the keys or has ambiguous
    ones."""
    return interpretation.ambiguous_count > 0 or (
        interpretation.explained_count > 0
        and interpretation.explained_count * 2 >= len(interpretation.positions)
    )


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


def reject_ambiguous(
    source: ParsedPredictions,
    image_refs: Interpretation,
    concept_refs: Interpretation,
    images: Images,
    is_candidate: BoolArray,
    concepts: Sequence[Concept],
) -> None:
    """Raise AmbiguousReferenceError if a key matches several images or several concepts."""
    ambiguous_indexes = np.flatnonzero(image_refs.positions == AMBIGUOUS)
    if len(ambiguous_indexes):
        key = source.image_keys[ambiguous_indexes[0]]
        posix_key = key.replace("\\", "/")
        key_forms = {key, file_stem(posix_key)}
        matching_paths = [
            path
            for path, source_id in zip(
                images.path[is_candidate], images.source_id[is_candidate], strict=True
            )
            if key in source_id.split("\n")
            or base_name(path) == base_name(posix_key)
            or file_stem(path) in key_forms
            or numeric_stem(path) == key
        ]
        advice = "Refer to images by their path, or set the split of the file with --split."
        raise AmbiguousReferenceError(source.path, "image", key, matching_paths, advice)
    ambiguous_indexes = np.flatnonzero(concept_refs.positions == AMBIGUOUS)
    if len(ambiguous_indexes):
        key = source.concept_keys[ambiguous_indexes[0]]
        concept_names = [c.name for c in concepts if key in c.ids]
        raise AmbiguousReferenceError(
            source.path,
            "concept",
            key,
            concept_names,
            "The annotation files use different ids: use concept names.",
        )


def repeated_name_advice(source: ParsedPredictions, images: Images) -> str:
    """What to do where two keys end in the name of the same image, as in the folders of two runs;
    empty if none do."""
    paths = {file_stem(path): path for path in images.path.tolist()}
    key_of_stem: dict[str, str] = {}
    for key in source.image_keys:
        stem = base_name(key) if source.image_key_kind == "stem" else file_stem(key)
        first = key_of_stem.setdefault(stem, key)
        if first != key and stem in paths:
            return (
                f" '{first}' and '{key}' both end in the name of '{paths[stem]}': import the "
                "results of one run at a time, each as a version of its own."
            )
    return ""


def note_unmatched_images(
    source: ParsedPredictions, image_refs: Interpretation, images: Images
) -> list[Note]:
    """Notes on unresolved image keys, whose predictions are left out. Raises NoMatchesError if
    none is resolved."""
    if source.image_keys and not image_refs.explained_count:
        advice = repeated_name_advice(source, images)
        raise NoMatchesError(source.path, "images", source.image_keys, images.path, remedy=advice)
    unknown_images = [
        key
        for key, position in zip(source.image_keys, image_refs.positions, strict=True)
        if position < 0
    ]
    if not unknown_images:
        return []
    prediction_count = int((image_refs.positions[source.image] < 0).sum())
    message = (
        f"{format_count(prediction_count, 'prediction')} of "
        f"{format_count(len(unknown_images), 'image')} not in the version, ignored: "
        f"{summarize_names(unknown_images)}"
    )
    return [Note("image_unknown", message, prediction_count)]
