"""YOLO as Darknet and CVAT write it: `obj.data` that names the lists of pictures and `obj.names`; or label files beside a list of names."""

from __future__ import annotations

from pathlib import Path

from pellucid.errors import FileMalformed
from pellucid.formats.look import AnnotationFormat, Asked, Look
from pellucid.formats.parsed import is_number, lines_of
from pellucid.formats.pictures import is_picture
from pellucid.formats.source import AnnotationSource, split_in, split_named
from pellucid.formats.yolo import assemble

NAME = "darknet"
NAMES = ("obj.names", "classes.txt", "voc.names", "labels.txt", "coco.names")


def is_it(look: Look) -> bool:
    if not look.is_dir:
        return look.path.suffix == ".data" and "names" in look.head
    if look.ending(".data"):
        return any("names" in look.head_of(name) for name in look.ending(".data"))
    return names_file(look.path) is not None and any(is_label(look.head_of(name)) for name in look.ending(".txt")[:20])


def is_label(head: str) -> bool:
    words = head.split("\n", maxsplit=1)[0].split()
    return len(words) == 5 and words[0].isdigit() and all(is_number(word) for word in words)


def names_file(folder: Path) -> Path | None:
    near = [folder / name for name in NAMES] + [folder.parent / name for name in NAMES]
    return next((file for file in near if file.is_file()), None)


def read(look: Look, asked: Asked) -> AnnotationSource:
    data = look.path if not look.is_dir else next(iter(sorted(look.path.glob("*.data"))), None)
    root = look.path if look.is_dir else look.path.parent
    names = data.parent / Path(settings_of(data).get("names", "obj.names")).name if data else names_file(root)
    if names is None or not names.is_file():
        raise FileMalformed(data or root, "names no file of concepts that is there")
    concepts = [line for _, line in lines_of(names)]
    found = listed(data, root) if data else beside(root)
    home = Path(asked.pictures) if asked.pictures else root
    pictures = [inside(path, home, root) for path, _, _ in found]
    labels: list[Path | None] = [label if label.is_file() else None for _, _, label in found]
    return assemble(data or root, home, concepts, pictures, [split for _, split, _ in found], labels, [])


def settings_of(data: Path) -> dict[str, str]:
    pairs = (line.partition("=") for _, line in lines_of(data))
    return {key.strip(): value.strip() for key, _, value in pairs}


def listed(data: Path, root: Path) -> list[tuple[str, int, Path]]:
    """Picture, split and label file, as the lists that `obj.data` names have them; paths begin with a `data/` that may not be there."""
    found = []
    for key, value in settings_of(data).items():
        split = split_named("validation" if key == "valid" else key)
        place = next((folder for folder in (root / value, root / Path(value).name) if folder.is_file()), None)
        if split is None or place is None:
            continue
        for _, line in lines_of(place):
            path = line if (root / line).exists() or not line.startswith("data/") else line.removeprefix("data/")
            found.append((path, split, (root / path).with_suffix(".txt")))
    if not found:
        raise FileMalformed(data, "names no list of pictures (train, valid) that is there")
    return found


def beside(root: Path) -> list[tuple[str, int, Path]]:
    """Label files anywhere below, each with a picture of its name; a folder of its path may say the split."""
    by_stem: dict[str, list[Path]] = {}
    for file in sorted(root.rglob("*")):
        if is_picture(file.name):
            by_stem.setdefault(file.stem, []).append(file)
    found = []
    for label in sorted(root.rglob("*.txt")):
        if label.name in NAMES or not is_label(label.read_text(errors="replace")):
            continue
        words = label.relative_to(root).parts[:-1]
        split = split_in(words)
        picture = nearest(label, by_stem.get(label.stem, []))
        found.append((picture.relative_to(root).as_posix() if picture else f"{label.stem}.jpg", split, label))
    return found


def nearest(label: Path, pictures: list[Path]) -> Path | None:
    """Of pictures with the label's name, the one whose path has most in common with the label's."""
    return max(pictures, key=lambda picture: len(set(picture.parts) & set(label.parts)), default=None)


def inside(path: str, home: Path, root: Path) -> str:
    """The picture's path in the folder that the user named, where it lies there under its name alone."""
    if home == root or (home / path).exists():
        return path
    name = path.rsplit("/", maxsplit=1)[-1]
    return name if (home / name).exists() else path


FORMAT = AnnotationFormat(NAME, is_it, read)
