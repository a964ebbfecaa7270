"""YOLO: a `data.yaml` with label files beside the pictures; predictions as label files with a sixth column.

A line is `class cx cy width height [confidence]` in fractions of the picture; polygon lines
(`class x1 y1 x2 y2 x3 y3 ...`) are taken by their bounding box, and that is said.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.columns import SPLITS, Annotations, Floats, texts
from pellucid.errors import ConceptUnknown, FileMalformed, FileMissing, RecordBad, counted, few
from pellucid.formats import dota
from pellucid.formats.bounds import bounded
from pellucid.formats.look import AnnotationFormat, Asked, Look, PredictionFormat
from pellucid.formats.parsed import is_number
from pellucid.formats.pictures import pictures_below
from pellucid.formats.source import AnnotationSource, BoxUnit, Note, PredictionSource, check_boxes, checked, codes, listed_images

NAME = "yolo"
PREDICTIONS = "yolo-labels"

LISTS = (("train", "training"), ("val", "validation"), ("test", "test"))


def is_it(look: Look) -> bool:
    """A YAML file with `names`, or a folder that holds one."""
    if look.is_dir:
        return settings_in(look.path) is not None and not any(dota.is_line(line) for line in first_lines(look))
    return look.path.suffix.lower() in (".yaml", ".yml") and "names" in look.head


def first_lines(look: Look) -> list[str]:
    return [line for name in look.ending(".txt")[:5] for line in look.head_of(name).split("\n")[:2]]


def is_predictions(look: Look) -> bool:
    """A folder of text files whose lines are numbers."""
    path = look.path
    if not look.is_dir:
        return False
    first = next((file for file in sorted(path.rglob("*.txt")) if file.stat().st_size), None)
    if first is None:
        return next(path.rglob("*.txt"), None) is not None
    words = first.read_text(errors="replace").split("\n", maxsplit=1)[0].split()
    return len(words) >= 5 and all(is_number(word) for word in words)


def settings_in(folder: Path) -> Path | None:
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return next((file for file in files if "names" in file.read_text(errors="replace")), None)


def read(look: Look, asked: Asked) -> AnnotationSource:
    """Paths are relative to the data set's own root, where no folder of pictures was named."""
    path, pictures = look.path, Path(asked.pictures) if asked.pictures else None
    path = ((settings_in(path) or path) if path.is_dir() else path).resolve()
    settings = read_settings(path)
    concepts = concept_names(path, settings)
    root = (path.parent / str(settings.get("path") or ".")).resolve()
    root = root if root.is_dir() else path.parent
    home = pictures.resolve() if pictures else root
    names: list[str] = []
    split: list[int] = []
    label_files: list[Path | None] = []
    folders: set[Path] = set()
    for key, split_name in LISTS:
        listed = settings.get(key)
        for entry in listed if isinstance(listed, list) else [listed] if listed else []:
            here, files = pictures_listed(path, str(entry), root, home)
            labels = labels_of(here, files, path.parent, root, str(entry))
            for file in files:
                names.append(relative(file, home, path))
                split.append(SPLITS.index(split_name))
                label_files.append(labels.found.get(file))
            folders |= labels.folders
    if not names:
        raise FileMalformed(path, "lists no pictures under train, val or test")
    return assemble(path, home, concepts, names, split, label_files, without_picture(folders, label_files), "kpt_shape" in settings)


def assemble(
    path: Path, home: Path, concepts: list[str], names: list[str], split: list[int],
    label_files: list[Path | None], orphans: list[str], keypoints: bool = False,
) -> AnnotationSource:  # fmt: skip
    """keypoints: behind the box stand points of a pose, which are left out."""
    notes = []
    bare = [name for name, file in zip(names, label_files, strict=True) if file is None]
    if bare:
        text = f"{counted(len(bare), 'image')} without a label file, taken as annotated with nothing: {few(bare)}"
        notes.append(Note("no_label_file", text, len(bare), "info"))
    if orphans:
        text = f"{counted(len(orphans), 'label file')} without a picture, left out: {few(orphans)}"
        notes.append(Note("no_picture", text, len(orphans)))
    lines = [(row, *line) for row, file in enumerate(label_files) if file for line in lines_of(file)]
    if keypoints:
        lines = [(row, file, line, numbers[:5]) for row, file, line, numbers in lines]
        notes.append(Note("keypoints", f"{counted(len(lines), 'pose')} taken by the box, without the keypoints", len(lines), "info"))
    polygons = sum(len(numbers) > 5 for _, _, _, numbers in lines)
    if polygons:
        notes.append(Note("polygons", f"{counted(polygons, 'polygon')} taken by their bounding box", polygons, "info"))
    box = np.array([box_of(numbers, file, line) for _, file, line, numbers in lines], float).reshape(-1, 4)
    places = [f"{file.name} line {line}" for _, file, line, _ in lines]
    notes += check_boxes(path, box, lambda row: places[row])
    concept = [concept_number(numbers[0], len(concepts), file, line, concepts) for _, file, line, numbers in lines]
    images = listed_images(names, split)
    annotations = Annotations(
        np.array([line[0] for line in lines], np.int32), np.array(concept, np.int32), box,
        np.zeros(len(lines), bool), np.ones(len(lines), bool), box[:, 2] * box[:, 3],
        texts([json.dumps([numbers[1:]]) if len(numbers) > 5 else "" for *_, numbers in lines]) if polygons else None,
    )  # fmt: skip
    ids = [str(row) for row in range(len(concepts))]
    return AnnotationSource(str(path), NAME, "detection", concepts, ids, True, images, annotations, str(home), notes, "fractions")


MOST_SETTINGS = 64 << 20
MOST_ALIASES = 20
"""Aliases of aliases multiply: with so few of them not by much."""


def read_settings(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = bounded(path, MOST_SETTINGS).read_text(encoding="utf-8-sig")
        if sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.BaseLoader)) > MOST_ALIASES:
            raise FileMalformed(path, f"has over {MOST_ALIASES} aliases (*name), which may stand for more than a machine holds")
        # the base loader leaves words as they are: a concept named `no` is no truth value
        settings = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileMalformed(path, f"is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise FileMalformed(path, "holds no settings (names, train, val)")
    return settings


def concept_names(path: Path, settings: dict[str, Any]) -> list[str]:
    names = settings.get("names")
    if isinstance(names, dict):
        wanted = [str(number) for number in range(len(names))]
        if set(names) != set(wanted):
            raise RecordBad(path, "names", f"the numbers are {few(names)}, not 0 to {len(names) - 1}", "Number them from 0.")
        names = [names[number] for number in wanted]
    if not isinstance(names, list) or not names:
        raise RecordBad(path, "names", f"found {names!r}", "Give a list of concepts, or a mapping from 0 on.")
    words = [str(name) for name in names]
    twice = [name for name, times in Counter(words).items() if times > 1]
    if twice:
        raise RecordBad(path, "names", f"'{twice[0]}' stands twice", "Give each concept its own name.")
    return words


def pictures_listed(path: Path, entry: str, root: Path, home: Path) -> tuple[Path, list[Path]]:
    """The pictures of one entry: a folder, or a text file that lists them."""
    tidy = entry.replace("\\", "/").removeprefix("./")
    short = tidy.removeprefix("images/")
    candidates = [root / tidy, path.parent / tidy, path.parent / tidy.removeprefix("../"), home / tidy, home / short, home.parent / tidy]
    if "valid" in tidy.split("/"):  # Roboflow writes valid, and its folder may be called val
        renamed = "/".join("val" if part == "valid" else part for part in tidy.removeprefix("../").split("/"))
        candidates += [root / renamed, path.parent / renamed]
    place = next((candidate for candidate in candidates if candidate.exists()), None)
    if place is None:
        raise FileMissing(f"{path}: {entry} (looked in {root} and {home}; --images DIR names the folder of the pictures)")
    if place.is_dir():
        return place, [place / name for name in pictures_below(place)]
    listed = [line.strip() for line in place.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    files = [next((base / line for base in (root, place.parent, home) if (base / line).exists()), root / line) for line in listed]
    return place.parent, files


@dataclass(frozen=True)
class Labels:
    """found: the label file of a picture · folders: where label files are looked for."""

    found: dict[Path, Path]
    folders: set[Path]


def labels_of(here: Path, files: list[Path], beside: Path, root: Path, entry: str) -> Labels:
    """The label file of each picture: `images` becomes `labels` in its path; else beside the settings; else beside it."""
    found: dict[Path, Path] = {}
    folders: set[Path] = set()
    for file in files:
        candidates = [Path(os.path.normpath(candidate)) for candidate in label_candidates(file, here, beside, root, entry)]
        folders |= {candidate.parent for candidate in candidates[:-1]}
        label = next((candidate for candidate in candidates if candidate.is_file()), None)
        if label is not None:
            found[file] = label
    return Labels(found, folders)


def without_picture(folders: set[Path], label_files: list[Path | None]) -> list[str]:
    """Label files in the folders that belong to no picture."""
    used = {os.path.realpath(file) for file in label_files if file}
    return [
        label.name
        for folder in sorted({Path(os.path.realpath(folder)) for folder in folders if folder.is_dir()})
        for label in sorted(folder.glob("*.txt"))
        if os.path.realpath(label) not in used and label.name != "classes.txt"
    ]


def label_candidates(file: Path, here: Path, beside: Path, root: Path, entry: str) -> list[Path]:
    ending = file.with_suffix(".txt")
    parts = list(ending.parts)
    places = []
    if "images" in parts:
        last = len(parts) - 1 - parts[::-1].index("images")
        places.append(Path(*parts[:last], "labels", *parts[last + 1 :]))
    tidy = entry.replace("\\", "/").removeprefix("./")
    if tidy.split("/")[0] == "images" and file.is_relative_to(here):
        inside = Path("labels", *tidy.split("/")[1:]) / ending.relative_to(here)
        places += [beside / inside, root / inside]
    return [*places, ending]


def relative(file: Path, home: Path, path: Path) -> str:
    try:
        return Path(os.path.normpath(file)).relative_to(home).as_posix()  # a picture may be a link to elsewhere
    except ValueError as error:
        raise RecordBad(
            path, file, f"the picture lies outside {home}", "Name a folder that holds all the pictures with --images DIR."
        ) from error


def lines_of(file: Path) -> Iterator[tuple[Path, int, list[float]]]:
    """(file, line number, numbers) of every line that is not empty."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FileMalformed(file, f"is no valid UTF-8 text at byte {error.start:,}") from error
    for number, line in enumerate(lines, 1):
        if words := line.split():
            try:
                yield file, number, [float(word) for word in words]
            except ValueError as error:
                wrong = next(word for word in words if not is_number(word))
                raise RecordBad(file, f"line {number}", f"'{wrong}' is no number", "Write class cx cy width height.") from error


def box_of(numbers: list[float], file: Path, line: int) -> list[float]:
    """[left, top, width, height] in fractions."""
    if max(numbers[1:]) > 2 and len(numbers) != 6:
        raise RecordBad(file, f"line {line}", f"it has {max(numbers[1:]):g}", "Boxes are fractions of the picture, from 0 to 1.")
    if len(numbers) == 5:
        _, cx, cy, width, height = numbers
        return [cx - width / 2, cy - height / 2, width, height]
    if len(numbers) >= 7 and len(numbers) % 2:
        xs, ys = numbers[1::2], numbers[2::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    if len(numbers) == 6:
        raise RecordBad(file, f"line {line}", "it has a sixth number, a confidence", "These are predictions, not annotations.")
    raise RecordBad(file, f"line {line}", f"it has {len(numbers)} numbers", "Write class cx cy width height.")


def concept_number(number: float, concepts: int, file: Path, line: int, names: list[str]) -> int:
    if not 0 <= number < concepts or number != int(number):
        raise ConceptUnknown(file, f"line {line}", f"{number:g}", [f"0 to {len(names) - 1}"])
    return int(number)


def read_predictions(look: Look, asked: Asked) -> PredictionSource:
    """Label files with a confidence; an image is named by its path below the folder, without ending."""
    path = look.path
    files = sorted(file for file in path.rglob("*.txt") if file.is_file())
    keys = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    image: list[int] = []
    record: list[tuple[str, int]] = []
    rows: list[list[float]] = []
    for row, file in enumerate(files):
        for _, line, numbers in lines_of(file):
            if len(numbers) != 6:
                found = f"it has {len(numbers)} numbers"
                raise RecordBad(file, f"line {line}", found, "Write class cx cy width height confidence (save_conf=True).")
            image.append(row)
            record.append((keys[row], line))
            rows.append(numbers)
    table = np.array(rows, float).reshape(-1, 6)
    if len(fractional := np.flatnonzero(~((table[:, 0] == np.floor(table[:, 0])) & (table[:, 0] >= 0) & (table[:, 0] < 1e9)))):
        key, line = record[fractional[0]]
        raise RecordBad(path, f"{key}.txt line {line}", f"class {table[fractional[0], 0]:g} is no index", "Write an index from 0.")
    concept_keys, concept = codes([str(int(number)) for number in table[:, 0]])

    def ordered(confidence: int, unit: BoxUnit, box: Floats) -> LabelSource:
        return LabelSource(
            str(path), PREDICTIONS, keys, np.array(image, np.int32), concept_keys, concept, "position", table[:, confidence], box, unit,
            np.array([line for _, line in record], np.int64), "line", images_named_by="stem",
            written="xywh" if unit == "pixels" else "cxcywh",
        )  # fmt: skip

    last = ordered(5, "fractions", left_top(table[:, 1:5]))
    second = second_column(table, ordered)
    if second is not None and not is_probability(table[:, 5]):
        last, second = second, None  # the sixth number is no confidence, the second one is
    source = replace(last, rival=second) if second is not None else last
    return checked(source)


def is_probability(column: Floats) -> bool:
    return bool(len(column)) and bool(((column >= 0) & (column <= 1)).all())


def second_column(table: Floats, ordered: Callable[[int, BoxUnit, Floats], LabelSource]) -> LabelSource | None:
    """Other tools write the confidence behind the class, and boxes in pixels as well as in fractions; None where that cannot be."""
    sides = table[:, 2:6]
    if not is_probability(table[:, 1]) or (sides[:, 2:] < 0).any():
        return None
    if sides.max(initial=0) > 2:
        return ordered(1, "pixels", sides)
    return ordered(1, "fractions", left_top(sides))


@dataclass(frozen=True, eq=False)
class LabelSource(PredictionSource):
    """Predictions from many files: a place is a file and a line."""

    def place(self, row: int) -> str:
        return f"{self.image_keys[self.image[row]]}.txt line {int(self.record[row])}"


def left_top(sides: Floats) -> Floats:
    """From middle and size."""
    return np.stack([sides[:, 0] - sides[:, 2] / 2, sides[:, 1] - sides[:, 3] / 2, sides[:, 2], sides[:, 3]], axis=1)


FORMAT = AnnotationFormat(NAME, is_it, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS, is_predictions, read_predictions)
