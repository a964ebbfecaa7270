"""Resolve the image keys of predictions: paths, ids, file names, stems or numbers."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import unquote

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import BoolArray, Images, Int64Array
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.ingest.errors import NoMatchesError
from pellucid.ingest.image_names import fold_text
from pellucid.ingest.references import (
    UNKNOWN,
    Interpretation,
    base_name,
    file_stem,
    find_rows,
    numeric_stem,
    plain_integer,
)


def strip_extension(path: str) -> str:
    folder, separator, file_name = path.rpartition("/")
    return folder + separator + os.path.splitext(file_name)[0]


def number_in_name(path: str) -> str:
    """The only number in the stem, without leading zeros; '' if there is none, or several."""
    numbers = re.findall(r"[0-9]+", file_stem(path))
    return str(int(numbers[0])) if len(numbers) == 1 else ""


def number_key(key: str) -> str:
    """A number without leading zeros; a key that is none matches nothing."""
    plain = plain_integer(key)
    return str(int(plain)) if plain.isascii() and plain.isdigit() else "\n"


ROBOFLOW = "file stem without the hash of Roboflow"
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
        if source.box is not None:  # as positions in a set that was whole once
            from_zero = ("positions from 0 by number in file name", number_scheme[1], next_number)
            yield from filter(is_one_to_one, [interpret_keys(from_zero, keys, candidate_rows)])


def next_number(key: str) -> str:
    """The number after that of a key; a key that is none matches nothing."""
    number = number_key(key)
    return str(int(number) + 1) if number.isdecimal() else number


def whole_numbers(keys: Sequence[str]) -> Sequence[str]:
    """Keys that are all numbers as whole ones: `7.0`, as pandas writes them beside empty cells."""
    if all(key.removesuffix(".0").isdecimal() for key in keys):
        return [key.removesuffix(".0") for key in keys]
    return keys


QUOTED_PATH = re.compile(r"""(?:b|\w*Path\()?(['"])(.+)\1\)?""")
ROBOFLOW_NAME = re.compile(r"(.+?)(?:_(?:jpe?g|png|bmp|webp|tiff?))?\.rf\.\w{8,}", re.IGNORECASE)
"""The name that Roboflow gives the file of a version: `a_jpg.rf.0123456789abcdef.jpg`."""


def unquote_path(key: str) -> str:
    """The path in a text that Python prints: `'a.jpg'`, `b'a.jpg'`, `PosixPath('a.jpg')`."""
    match = QUOTED_PATH.fullmatch(key.strip())
    return strip_dot_slash(match[2] if match else key)


def stem_before_roboflow(path: str) -> str:
    """The stem of the file that was uploaded to Roboflow."""
    stem = file_stem(path)
    match = ROBOFLOW_NAME.fullmatch(stem)
    return match[1] if match else stem


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
        (
            ROBOFLOW,
            named(images, stem_before_roboflow),
            lambda key: stem_before_roboflow(f"{key}.jpg"),
        ),
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
        ("path without quotes", named(images, str), unquote_path),
        (
            "file name without quotes",
            named(images, base_name),
            lambda k: base_name(unquote_path(k)),
        ),
        (ROBOFLOW, named(images, stem_before_roboflow), stem_before_roboflow),
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


def skip_folders(depth: int) -> Callable[[str], str]:
    """A function that removes the first `depth` folders of a path; '' if there are fewer."""
    return lambda key: key.split("/", depth)[-1] if key.count("/") >= depth else ""


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


def added_text_advice(source: ParsedPredictions, images: Images) -> str:
    """What to do where every key is the name of an image with the same text before or after it;
    empty if that is not so."""
    stems = [file_stem(base_name(key.replace("\\", "/"))) for key in source.image_keys]
    known = {file_stem(path) for path in images.path.tolist()}
    if len(stems) < 2 or len(known) < 2:
        return ""
    for length in range(min(map(len, stems)) - 1, 0, -1):
        for where, text, rest in (
            ("begin", stems[0][:length], {stem[length:] for stem in stems}),
            ("end", stems[0][-length:], {stem[:-length] for stem in stems}),
        ):
            has_text = str.startswith if where == "begin" else str.endswith
            if rest <= known and all(has_text(stem, text) for stem in stems):
                return (
                    f" All {format_count(len(stems), 'name')} {where} with '{text}' and match "
                    "without it: remove it from the names if they are the same images."
                )
    return ""


def note_unmatched_images(
    source: ParsedPredictions, image_refs: Interpretation, images: Images
) -> list[Note]:
    """Notes on unresolved image keys, whose predictions are left out. Raises NoMatchesError if
    none is resolved."""
    if source.image_keys and not image_refs.explained_count:
        advice = repeated_name_advice(source, images) or added_text_advice(source, images)
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
