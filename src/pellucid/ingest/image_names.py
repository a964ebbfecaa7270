"""Image names that differ from the files on disk by case or Unicode form."""

from __future__ import annotations

import unicodedata
from pathlib import Path

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


def use_names_on_disk(images: Images, folder: str | None) -> tuple[Images, list[Note]]:
    """Rename images that are not in the folder but whose name, apart from case and Unicode form,
    is that of one file there."""
    if folder is None or is_remote(folder) or not Path(folder).is_dir():
        return images, []
    paths = images.path.tolist()
    missing = [path for path in paths if not (Path(folder) / path).exists()]
    if not missing:
        return images, []
    files_by_name: dict[str, list[str]] = {}
    for file_name in list_image_files(Path(folder)):
        files_by_name.setdefault(fold_text(file_name), []).append(file_name)
    known = set(paths)
    new_names = {
        path: files[0]
        for path in missing
        if len(files := files_by_name.get(fold_text(path), [])) == 1 and files[0] not in known
    }
    if not new_names or len(set(new_names.values())) < len(new_names):
        return images, []
    path, file_name = next(iter(new_names.items()))
    names = format_count(len(new_names), "image name differs", "image names differ")
    message = (
        f"{names} from the files by case or Unicode form: {describe_difference(path, file_name)}. "
        "The names of the files are used"
    )
    renamed = string_column([new_names.get(path, path) for path in paths])
    return images.replace(path=renamed), [Note("names_on_disk", message, len(new_names), "info")]
