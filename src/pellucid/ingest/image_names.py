"""Image names that differ from the files on disk by case, Unicode form or ending."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from pellucid.core.errors import format_count
from pellucid.core.tables import Images, string_column
from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Note
from pellucid.formats.image_files import list_image_files


def fold_text(text: str) -> str:
    """The text in one Unicode form and without differences of case."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def describe_difference(name: str, other_name: str) -> str:
    """Both names, with what cannot be seen in them."""
    if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other_name):
        forms = [unicode_form(text) for text in (name, other_name)]
        return f"'{name}' in Unicode {forms[0]} is {forms[1]} on disk"
    return f"'{name}' is '{other_name}' on disk"


def unicode_form(text: str) -> str:
    return "NFC" if unicodedata.is_normalized("NFC", text) else "NFD"


def fold_without_ending(path: str) -> str:
    folded = fold_text(path)
    return folded.removesuffix(PurePosixPath(folded).suffix)


def match_names(
    paths: Sequence[str], files: Sequence[str], normalize: Callable[[str], str]
) -> dict[str, str]:
    """For each path the only file with the same normalised name, if there is one."""
    files_by_name: dict[str, list[str]] = {}
    for file_name in files:
        files_by_name.setdefault(normalize(file_name), []).append(file_name)
    return {
        path: named[0]
        for path in paths
        if len(named := files_by_name.get(normalize(path), [])) == 1
    }


def use_names_on_disk(images: Images, folder: str | None) -> tuple[Images, list[Note]]:
    """Rename images that are not in the folder but whose name, apart from case and Unicode form or
    from its ending, is that of one file there."""
    if folder is None or is_remote(folder) or not Path(folder).is_dir():
        return images, []
    paths = images.path.tolist()
    missing = [path for path in paths if not (Path(folder) / path).exists()]
    if not missing:
        return images, []
    files = list_image_files(Path(folder))
    new_names: dict[str, str] = {}
    for normalize in (fold_text, fold_without_ending):
        absent = [path for path in missing if path not in new_names]
        taken = {*paths, *new_names.values()}
        found = match_names(absent, [file for file in files if file not in taken], normalize)
        if len(set(found.values())) == len(found):
            new_names |= found
    if not new_names:
        return images, []
    path, file_name = next(iter(new_names.items()))
    names = format_count(len(new_names), "image name differs", "image names differ")
    message = (
        f"{names} from the files by case, Unicode form or ending: "
        f"{describe_difference(path, file_name)}. "
        "The names of the files are used"
    )
    renamed = string_column([new_names.get(path, path) for path in paths])
    return images.replace(path=renamed), [Note("names_on_disk", message, len(new_names), "info")]
