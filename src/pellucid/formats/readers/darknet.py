"""YOLO as written by Darknet and CVAT: `obj.data` with paths of the image lists and `obj.names`;
or label files with a names file."""

from __future__ import annotations

from pathlib import Path

from pellucid.core.errors import MalformedFileError
from pellucid.formats.class_names import parse_class_names
from pellucid.formats.dataset import ParsedAnnotations, find_split, parse_split
from pellucid.formats.image_files import is_image_file, list_files
from pellucid.formats.parsing import is_number, load_lines
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions
from pellucid.formats.readers.yolo import ListedImages, build_annotations

NAME = "darknet"
NAMES_FILES = ("obj.names", "classes.txt", "voc.names", "labels.txt", "coco.names")


def matches(probe: Probe) -> bool:
    if not probe.is_dir:
        return probe.path.suffix == ".data" and "names" in probe.head
    if probe.files_with_suffix(".data"):
        return any(
            "names" in probe.load_head(file_name) for file_name in probe.files_with_suffix(".data")
        )
    return find_names_file(probe.path) is not None and any(
        is_label(probe.load_head(file_name)) for file_name in probe.sample_with_suffix(".txt")
    )


def is_label(head: str) -> bool:
    """Whether the first line that is not empty has a class number and a box or a polygon."""
    fields = next((fields for line in head.splitlines() if (fields := line.split())), [])
    return (
        len(fields) >= 5
        and all(is_number(field) for field in fields)
        and float(fields[0]).is_integer()
    )


def find_names_file(folder: Path) -> Path | None:
    folders = (folder, folder / "labels", folder.parent)  # LabelImg writes it among the labels
    candidates = [parent / file_name for parent in folders for file_name in NAMES_FILES]
    return next((file for file in candidates if file.is_file()), None)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    data_file = (
        probe.path if not probe.is_dir else next(iter(sorted(probe.path.glob("*.data"))), None)
    )
    root = probe.path if probe.is_dir else probe.path.parent
    names_path = (
        data_file.parent / Path(parse_data_settings(data_file).get("names", "obj.names")).name
        if data_file
        else find_names_file(root)
    )
    if names_path is None or not names_path.is_file():
        raise MalformedFileError(data_file or root, "has no existing concept names file (names)")
    concepts = parse_class_names(names_path)
    image_entries = parse_image_lists(data_file, root) if data_file else scan_label_files(root)
    image_folder = Path(options.image_folder) if options.image_folder else root
    listed = ListedImages(
        [path_in_image_folder(path, image_folder, root) for path, _, _ in image_entries],
        [split for _, split, _ in image_entries],
        [label_file if label_file.is_file() else None for _, _, label_file in image_entries],
    )
    return build_annotations(data_file or root, image_folder, concepts, listed)


def parse_data_settings(data_file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for _, line in load_lines(data_file))
    return {key.strip(): setting.strip() for key, _, setting in pairs}


def parse_image_lists(data_file: Path, root: Path) -> list[tuple[str, int, Path]]:
    """Image path, split and label file of each entry of the lists in `obj.data`. Paths may start
    with a `data/` that does not exist."""
    image_entries = []
    for key, setting in parse_data_settings(data_file).items():
        split = parse_split("validation" if key == "valid" else key)
        list_file = next(
            (
                candidate
                for candidate in (root / setting, root / Path(setting).name)
                if candidate.is_file()
            ),
            None,
        )
        if split is None or list_file is None:
            continue
        for _, line in load_lines(list_file):
            path = (
                line
                if (root / line).exists() or not line.startswith("data/")
                else line.removeprefix("data/")
            )
            image_entries.append((path, split, (root / path).with_suffix(".txt")))
    if not image_entries:
        raise MalformedFileError(data_file, "has no existing image list (train, valid)")
    return image_entries


def scan_label_files(root: Path) -> list[tuple[str, int, Path]]:
    """All pictures below, and label files without one; a folder in the path may give the split.

    A text file beside a picture, of its stem, is its label file whatever it holds: what cannot be
    read in it is an error, not another kind of file. A picture without one has nothing on it, as
    in YOLO.
    """
    files = [root / file_name for file_name in list_files(root)]
    labels_by_stem: dict[str, list[Path]] = {}
    for file in files:
        if file.suffix.lower() == ".txt" and file.name not in NAMES_FILES:
            labels_by_stem.setdefault(file.stem, []).append(file)
    image_entries = []
    used: set[Path] = set()
    for image_file in files:
        if is_image_file(image_file.name):
            label_file = closest_file(image_file, labels_by_stem.get(image_file.stem, []))
            if label_file is not None:
                used.add(label_file)
            path = image_file.relative_to(root)
            split = find_split((label_file or image_file).relative_to(root).parts[:-1])
            missing = image_file.with_suffix(".txt")
            image_entries.append((path.as_posix(), split, label_file or missing))
    for label_file in (file for files in labels_by_stem.values() for file in files):
        if label_file not in used and is_label(label_file.read_text(errors="replace")):
            split = find_split(label_file.relative_to(root).parts[:-1])
            image_entries.append((f"{label_file.stem}.jpg", split, label_file))
    return image_entries


def closest_file(file: Path, candidates: list[Path]) -> Path | None:
    """The candidate whose path shares most folders with the file's."""
    return max(
        candidates,
        key=lambda candidate: len(set(candidate.parts) & set(file.parts)),
        default=None,
    )


def path_in_image_folder(path: str, image_folder: Path, root: Path) -> str:
    """The image's path relative to the folder chosen by the user; its bare file name if only that
    exists there."""
    if image_folder == root or (image_folder / path).exists():
        return path
    file_name = path.rsplit("/", maxsplit=1)[-1]
    return file_name if (image_folder / file_name).exists() else path


FORMAT = AnnotationFormat(NAME, matches, read)
