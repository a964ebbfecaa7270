"""YOLO: a `data.yaml` with one label file per image; predictions are label files with a sixth
column.

A line is `class cx cy width height [confidence]` in fractions of the image; polygon lines
(`class x1 y1 x2 y2 x3 y3 ...`) are converted to bounding boxes, with a note.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import FileMissingError, MalformedFileError, format_count, summarize_names
from pellucid.core.tables import SPLITS, Annotations, Float64Array, string_column
from pellucid.formats.dataset import (
    BoxUnit,
    Note,
    ParsedAnnotations,
    ParsedPredictions,
    Severity,
    check_boxes,
    create_images,
    encode_texts,
    validate_predictions,
)
from pellucid.formats.errors import (
    InvalidRecordError,
    LabelFilesMissingError,
    UnlistedConceptError,
)
from pellucid.formats.image_files import list_files, list_image_files
from pellucid.formats.limits import check_file_size
from pellucid.formats.parsing import is_number
from pellucid.formats.probe import (
    MAX_SAMPLED_FILES,
    AnnotationFormat,
    PredictionFormat,
    Probe,
    ReadOptions,
)
from pellucid.formats.readers import dota

NAME = "yolo"
PREDICTIONS_NAME = "yolo-labels"

NAMES_FILES = ("classes.txt", "labels.txt", "names.txt", "class_names.txt", "readme.txt")
"""Text files beside label files that are not label files."""
LABEL_FOLDERS = ("labels", "Labels", "LABELS")
SPLIT_KEYS = (("train", "training"), ("val", "validation"), ("test", "test"))


def matches(probe: Probe) -> bool:
    """Whether the source is a YAML file with `names`, or a folder with one."""
    if probe.is_dir:
        return find_settings_file(probe.path) is not None and not any(
            dota.is_dota_line(line) for line in first_lines(probe)
        )
    return probe.path.suffix.lower() in (".yaml", ".yml") and "names" in probe.head


def first_lines(probe: Probe) -> list[str]:
    return [
        line
        for file_name in probe.sample_with_suffix(".txt")
        for line in probe.read_head(file_name).split("\n")[:2]
    ]


def matches_predictions(probe: Probe) -> bool:
    """Whether the source is a folder of label files with numeric lines."""
    if not probe.is_dir:
        return False
    label_files = [name for name in probe.files_with_suffix(".txt") if not is_names_file(name)]
    heads = [probe.read_head(name) for name in label_files[:MAX_SAMPLED_FILES]]
    first_lines = [head.split("\n", maxsplit=1)[0].split() for head in heads if head.strip()]
    if label_files and not first_lines:  # empty files: images without predictions
        return not any(probe.read_head(name).strip() for name in label_files)
    return any(
        len(fields) >= 5 and all(is_number(field) for field in fields) for fields in first_lines
    )


def is_names_file(file_name: str) -> bool:
    """Whether a text file among label files lists the names of the concepts."""
    return file_name.lower().rpartition("/")[2] in NAMES_FILES


def find_settings_file(folder: Path) -> Path | None:
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return next((file for file in files if "names" in file.read_text(errors="replace")), None)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    """Image paths are relative to the dataset root, or to the image folder if one was given."""
    path, chosen_folder = probe.path, Path(options.image_folder) if options.image_folder else None
    path = ((find_settings_file(path) or path) if path.is_dir() else path).resolve()
    settings = read_settings(path)
    concepts = parse_concept_names(path, settings)
    root = (path.parent / str(settings.get("path") or ".")).resolve()
    root = root if root.is_dir() else path.parent
    image_folder = chosen_folder.resolve() if chosen_folder else root
    image_paths: list[str] = []
    split_indexes: list[int] = []
    label_files: list[Path | None] = []
    folders: set[Path] = set()
    first_candidate: Path | None = None
    for key, split_name in SPLIT_KEYS:
        entries = settings.get(key)
        for entry in entries if isinstance(entries, list) else [entries] if entries else []:
            base_folder, image_files = list_entry_images(path, str(entry), root, image_folder)
            labels_by_image = find_label_files(
                base_folder, image_files, path.parent, root, str(entry)
            )
            if image_files and first_candidate is None:
                first_candidate = candidate_label_files(
                    image_files[0], base_folder, path.parent, root, str(entry)
                )[0]
            for image_file in image_files:
                image_paths.append(relative_image_path(image_file, image_folder, path))
                split_indexes.append(SPLITS.index(split_name))
                label_files.append(labels_by_image.by_image.get(image_file))
            folders |= labels_by_image.folders
    if not image_paths:
        raise MalformedFileError(path, "has no images under train, val or test")
    if not any(label_files):
        raise LabelFilesMissingError(
            path, len(image_paths), str(first_candidate), label_folders(root)
        )
    return build_annotations(
        path,
        image_folder,
        concepts,
        image_paths,
        split_indexes,
        label_files,
        orphan_label_files(folders, label_files),
        "kpt_shape" in settings,
    )


def build_annotations(
    path: Path,
    image_folder: Path,
    concepts: list[str],
    image_paths: list[str],
    split_indexes: list[int],
    label_files: list[Path | None],
    orphan_labels: list[str],
    has_keypoints: bool = False,
) -> ParsedAnnotations:
    """Parse label files. keypoints: pose keypoints follow the box and are ignored."""
    notes = []
    unlabelled_images = [
        image_path
        for image_path, label_file in zip(image_paths, label_files, strict=True)
        if label_file is None
    ]
    if unlabelled_images:
        message = (
            f"{format_count(len(unlabelled_images), 'image')} without a label file, treated as "
            f"having no objects: {summarize_names(unlabelled_images)}"
        )
        are_most = len(unlabelled_images) * 2 > len(image_paths)
        severity: Severity = "warning" if are_most else "info"
        notes.append(Note("no_label_file", message, len(unlabelled_images), severity))
    if orphan_labels:
        message = (
            f"{format_count(len(orphan_labels), 'label file')} without an image, ignored: "
            f"{summarize_names(orphan_labels)}"
        )
        notes.append(Note("no_picture", message, len(orphan_labels)))
    label_lines = [
        (image_index, *line)
        for image_index, label_file in enumerate(label_files)
        if label_file
        for line in read_label_lines(label_file)
    ]
    if has_keypoints:
        label_lines = [
            (image_index, label_file, line, numbers[:5])
            for image_index, label_file, line, numbers in label_lines
        ]
        notes.append(
            Note(
                "keypoints",
                f"{format_count(len(label_lines), 'pose')} read as boxes, keypoints ignored",
                len(label_lines),
                "info",
            )
        )
    polygon_count = sum(len(numbers) > 5 for _, _, _, numbers in label_lines)
    if polygon_count:
        notes.append(
            Note(
                "polygons",
                f"{format_count(polygon_count, 'polygon')} converted to bounding boxes",
                polygon_count,
                "info",
            )
        )
    boxes = np.array(
        [line_box(numbers, label_file, line) for _, label_file, line, numbers in label_lines], float
    ).reshape(-1, 4)
    locations = [f"{label_file.name} line {line}" for _, label_file, line, _ in label_lines]
    notes += check_boxes(path, boxes, lambda index: locations[index])
    concept_indexes = [
        class_index(numbers[0], len(concepts), label_file, line, concepts)
        for _, label_file, line, numbers in label_lines
    ]
    images = create_images(image_paths, split_indexes)
    annotations = Annotations(
        np.array([label_line[0] for label_line in label_lines], np.int32),
        np.array(concept_indexes, np.int32),
        boxes,
        np.zeros(len(label_lines), bool),
        np.ones(len(label_lines), bool),
        boxes[:, 2] * boxes[:, 3],
        string_column(
            [json.dumps([numbers[1:]]) if len(numbers) > 5 else "" for *_, numbers in label_lines]
        )
        if polygon_count
        else None,
    )
    concept_ids = [str(index) for index in range(len(concepts))]
    return ParsedAnnotations(
        str(path),
        NAME,
        "detection",
        concepts,
        concept_ids,
        True,
        images,
        annotations,
        str(image_folder),
        notes,
        "fractions",
    )


MAX_SETTINGS_BYTES = 64 << 20
MAX_YAML_ALIASES = 20
"""Nested aliases multiply (a YAML bomb), so their number is limited."""


def read_settings(path: Path) -> dict[str, Any]:
    import yaml

    try:
        settings_text = check_file_size(path, MAX_SETTINGS_BYTES).read_text(encoding="utf-8-sig")
        if (
            sum(
                isinstance(token, yaml.AliasToken)
                for token in yaml.scan(settings_text, Loader=yaml.BaseLoader)
            )
            > MAX_YAML_ALIASES
        ):
            raise MalformedFileError(
                path,
                f"has over {MAX_YAML_ALIASES} aliases (*name), which may expand beyond available "
                "memory",
            )
        # the base loader keeps scalars as strings: a concept named `no` does not become False
        settings = yaml.load(settings_text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MalformedFileError(
            path, f"is not valid YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(settings, dict):
        raise MalformedFileError(path, "has no settings (names, train, val)")
    return settings


def parse_concept_names(path: Path, settings: dict[str, Any]) -> list[str]:
    listed_names = settings.get("names")
    if isinstance(listed_names, dict):
        expected_indexes = [str(index) for index in range(len(listed_names))]
        if set(listed_names) != set(expected_indexes):
            raise InvalidRecordError(
                path,
                "names",
                f"indices are {summarize_names(listed_names)}, expected 0 to "
                f"{len(listed_names) - 1}",
                "Number them from 0.",
            )
        listed_names = [listed_names[index] for index in expected_indexes]
    if not isinstance(listed_names, list) or not listed_names:
        raise InvalidRecordError(
            path,
            "names",
            f"found {listed_names!r}",
            "Use a list of names, or a mapping from 0-based indices.",
        )
    concepts = [str(concept_name) for concept_name in listed_names]
    duplicates = [concept_name for concept_name, count in Counter(concepts).items() if count > 1]
    if duplicates:
        raise InvalidRecordError(
            path, "names", f"'{duplicates[0]}' is listed twice", "Use unique names."
        )
    return concepts


def list_entry_images(
    path: Path, entry: str, root: Path, image_folder: Path
) -> tuple[Path, list[Path]]:
    """The base folder and image files of one entry: a folder, or a text file that lists them."""
    posix_entry = entry.replace("\\", "/").removeprefix("./")
    entry_below_images = posix_entry.removeprefix("images/")
    candidates = [
        root / posix_entry,
        path.parent / posix_entry,
        path.parent / posix_entry.removeprefix("../"),
        image_folder / posix_entry,
        image_folder / entry_below_images,
        image_folder.parent / posix_entry,
    ]
    if "valid" in posix_entry.split(
        "/"
    ):  # Roboflow writes `valid`, but the folder may be named `val`
        val_entry = "/".join(
            "val" if folder_name == "valid" else folder_name
            for folder_name in posix_entry.removeprefix("../").split("/")
        )
        candidates += [root / val_entry, path.parent / val_entry]
    image_source = next((candidate for candidate in candidates if candidate.exists()), None)
    if image_source is None:
        raise FileMissingError(
            f"{path}: {entry} (searched {root} and {image_folder}; set the image folder with "
            "--images DIR)"
        )
    if image_source.is_dir():
        return image_source, [
            image_source / image_path for image_path in list_image_files(image_source)
        ]
    base_folders = (root, image_source.parent, image_folder)
    return image_source.parent, [
        locate_listed_image(line.strip(), base_folders)
        for line in image_source.read_text(encoding="utf-8-sig").splitlines()
        if line.strip()
    ]


def locate_listed_image(line: str, base_folders: Sequence[Path]) -> Path:
    """The image of a line of a list. Paths may be written on Windows, and absolute paths may be
    of another machine: their end is then looked for."""
    posix_line = line.replace("\\", "/")
    for base_folder in base_folders:
        for listed_path in (line, posix_line):
            if (base_folder / listed_path).exists():
                return base_folder / listed_path
    parts = [part for part in posix_line.split("/") if part not in ("", ".")]
    is_absolute = posix_line.startswith("/") or posix_line[1:3] == ":/"
    for start in range(1, len(parts)) if is_absolute else ():
        for base_folder in base_folders:
            if (base_folder / Path(*parts[start:])).exists():
                return base_folder / Path(*parts[start:])
    return base_folders[0] / posix_line


@dataclass(frozen=True)
class LabelFiles:
    """found: the label file of each image · folders: searched for label files."""

    by_image: dict[Path, Path]
    folders: set[Path]


def find_label_files(
    base_folder: Path, image_files: list[Path], settings_folder: Path, root: Path, entry: str
) -> LabelFiles:
    """The label file of each picture: `images` replaced by `labels` in its path, else near the
    settings file, else next to the image."""
    by_image: dict[Path, Path] = {}
    folders: set[Path] = set()
    for image_file in image_files:
        candidates = [
            Path(os.path.normpath(candidate))
            for candidate in candidate_label_files(
                image_file, base_folder, settings_folder, root, entry
            )
        ]
        folders |= {candidate.parent for candidate in candidates[:-1]}
        label_file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if label_file is not None:
            by_image[image_file] = label_file
    return LabelFiles(by_image, folders)


def orphan_label_files(folders: set[Path], label_files: list[Path | None]) -> list[str]:
    """Names of label files in the folders without a matching image."""
    used_paths = {os.path.realpath(label_file) for label_file in label_files if label_file}
    return [
        label_file.name
        for folder in sorted(
            {Path(os.path.realpath(folder)) for folder in folders if folder.is_dir()}
        )
        for label_file in sorted(folder.glob("*.txt"))
        if os.path.realpath(label_file) not in used_paths and label_file.name != "classes.txt"
    ]


def label_folders(root: Path) -> list[str]:
    """Folders below the root that contain label files."""
    return sorted(
        {
            file_name.rpartition("/")[0] or "."
            for file_name in list_files(root)
            if file_name.endswith(".txt") and not is_names_file(file_name)
        }
    )


def candidate_label_files(
    image_file: Path, base_folder: Path, settings_folder: Path, root: Path, entry: str
) -> list[Path]:
    sibling_label = image_file.with_suffix(".txt")
    path_parts = list(sibling_label.parts)
    lower_parts = [part.lower() for part in path_parts]
    candidates = []
    if "images" in lower_parts:
        images_position = len(path_parts) - 1 - lower_parts[::-1].index("images")
        candidates += [
            Path(*path_parts[:images_position], labels, *path_parts[images_position + 1 :])
            for labels in LABEL_FOLDERS
        ]
    posix_entry = entry.replace("\\", "/").removeprefix("./")
    if posix_entry.split("/")[0].lower() == "images" and image_file.is_relative_to(base_folder):
        relative_label = Path("labels", *posix_entry.split("/")[1:]) / sibling_label.relative_to(
            base_folder
        )
        candidates += [settings_folder / relative_label, root / relative_label]
    return [*candidates, sibling_label]


def relative_image_path(image_file: Path, image_folder: Path, path: Path) -> str:
    try:
        return (
            Path(os.path.normpath(image_file)).relative_to(image_folder).as_posix()
        )  # not resolved: the image may be a symbolic link
    except ValueError as error:
        raise InvalidRecordError(
            path,
            image_file,
            f"the image is outside {image_folder}",
            "Use --images DIR with a folder that contains all images.",
        ) from error


def read_label_lines(label_file: Path) -> Iterator[tuple[Path, int, list[float]]]:
    """(file, line number, numbers) of every non-empty line."""
    try:
        lines = label_file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise MalformedFileError(label_file, f"invalid UTF-8 at byte {error.start:,}") from error
    for line_number, line in enumerate(lines, 1):
        if fields := line.split():
            try:
                yield label_file, line_number, [float(field) for field in fields]
            except ValueError as error:
                invalid_field = next(field for field in fields if not is_number(field))
                raise InvalidRecordError(
                    label_file,
                    f"line {line_number}",
                    f"'{invalid_field}' is not a number",
                    "Expected: class cx cy width height.",
                ) from error


def line_box(fields: list[float], label_file: Path, line_number: int) -> list[float]:
    """[left, top, width, height] in fractions."""
    if max(fields[1:]) > 2 and len(fields) != 6:
        raise InvalidRecordError(
            label_file,
            f"line {line_number}",
            f"found {max(fields[1:]):g}",
            "Boxes must be fractions of the image, from 0 to 1.",
        )
    if len(fields) == 5:
        _, cx, cy, width, height = fields
        return [cx - width / 2, cy - height / 2, width, height]
    if len(fields) >= 7 and len(fields) % 2:
        xs, ys = fields[1::2], fields[2::2]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    if len(fields) == 6:
        raise InvalidRecordError(
            label_file,
            f"line {line_number}",
            "found a sixth number (confidence)",
            "Import this as predictions, not annotations.",
        )
    raise InvalidRecordError(
        label_file,
        f"line {line_number}",
        f"found {len(fields)} numbers",
        "Expected: class cx cy width height.",
    )


def class_index(
    class_number: float,
    concept_count: int,
    label_file: Path,
    line_number: int,
    concept_names: list[str],
) -> int:
    if not 0 <= class_number < concept_count or class_number != int(class_number):
        raise UnlistedConceptError(
            label_file,
            f"line {line_number}",
            f"{class_number:g}",
            [f"0 to {len(concept_names) - 1}"],
        )
    return int(class_number)


def read_predictions(probe: Probe, options: ReadOptions) -> ParsedPredictions:
    """Label files with a confidence; the image key is the file's path below the folder, without
    suffix."""
    path = probe.path
    files, notes = find_prediction_files(probe)
    image_keys = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    image_indexes: list[int] = []
    line_records: list[tuple[str, int]] = []
    prediction_rows: list[list[float]] = []
    tracked_count = 0
    for image_index, label_file in enumerate(files):
        for _, line, numbers in read_label_lines(label_file):
            if len(numbers) == 7 and is_tracked(numbers):
                tracked_count += 1
                numbers = numbers[:6]
            if len(numbers) != 6:
                raise number_count_error(label_file, line, len(numbers))
            image_indexes.append(image_index)
            line_records.append((image_keys[image_index], line))
            prediction_rows.append(numbers)
    predictions = np.array(prediction_rows, float).reshape(-1, 6)
    if len(
        fractional := np.flatnonzero(
            ~(
                (predictions[:, 0] == np.floor(predictions[:, 0]))
                & (predictions[:, 0] >= 0)
                & (predictions[:, 0] < 1e9)
            )
        )
    ):
        image_key, line = line_records[fractional[0]]
        raise InvalidRecordError(
            path,
            f"{image_key}.txt line {line}",
            f"invalid class {predictions[fractional[0], 0]:g}",
            "Expected an integer index from 0.",
        )
    concept_keys, concept_indexes = encode_texts(
        [str(int(class_number)) for class_number in predictions[:, 0]]
    )

    def build_label_source(
        confidence_column: int, box_unit: BoxUnit, boxes: Float64Array
    ) -> LabelSource:
        return LabelSource(
            str(path),
            PREDICTIONS_NAME,
            image_keys,
            np.array(image_indexes, np.int32),
            concept_keys,
            concept_indexes,
            "position",
            predictions[:, confidence_column],
            boxes,
            box_unit,
            np.array([line for _, line in line_records], np.int64),
            "line",
            image_key_kind="stem",
            box_shape="xywh" if box_unit == "pixels" else "cxcywh",
        )

    primary = build_label_source(5, "fractions", center_to_corner(predictions[:, 1:5]))
    alternative = alternative_source(predictions, build_label_source)
    if alternative is not None and not are_probabilities(predictions[:, 5]):
        primary, alternative = (
            alternative,
            None,
        )  # the confidence is in the second column, not the sixth
    source = replace(primary, alternative=alternative) if alternative is not None else primary
    if tracked_count:
        message = f"{format_count(tracked_count, 'track id')} after the confidence not read"
        notes.append(Note("track_ids", message, tracked_count, "info"))
    source.notes.extend(notes)
    return validate_predictions(source)


def find_prediction_files(probe: Probe) -> tuple[list[Path], list[Note]]:
    """The label files of a folder. Lists of names and text files without any number are not label
    files: they are named in a note."""
    files: list[str] = []
    other_files: list[str] = []
    for file_name in probe.files_with_suffix(".txt"):
        head = "" if is_names_file(file_name) else probe.read_head(file_name)
        has_numbers = any(is_number(line.split()[0]) for line in head.splitlines() if line.strip())
        is_label = not is_names_file(file_name) and (has_numbers or not head.strip())
        (files if is_label else other_files).append(file_name)
    notes = []
    if other_files:
        message = f"not label files, ignored: {summarize_names(other_files)}"
        is_surprising = any(not is_names_file(file_name) for file_name in other_files)
        severity: Severity = "warning" if is_surprising else "info"
        notes.append(Note("other_files", message, len(other_files), severity))
    return [probe.path / file_name for file_name in files], notes


def is_tracked(numbers: list[float]) -> bool:
    """Whether a line ends with a confidence and the id of a track."""
    return 0 <= numbers[5] <= 1 and numbers[6] >= 0 and numbers[6] == int(numbers[6])


def number_count_error(label_file: Path, line: int, count: int) -> InvalidRecordError:
    """A line that is not a box with a confidence, and what it resembles."""
    if count == 5:
        problem = "found 5 numbers: a box without a confidence"
        remedy = "Write the confidence too (ultralytics: save_conf=True)."
    elif count > 6:
        problem = (
            f"found {count} numbers: a polygon, an oriented box or a pose; only boxes can be read "
            "from label files"
        )
        remedy = "Use COCO results (ultralytics: val with save_json=True) or a CSV table."
    else:
        problem = f"found {count} numbers"
        remedy = "Expected: class cx cy width height confidence."
    return InvalidRecordError(label_file, f"line {line}", problem, remedy)


def are_probabilities(scores: Float64Array) -> bool:
    return bool(len(scores)) and bool(((scores >= 0) & (scores <= 1)).all())


def alternative_source(
    predictions: Float64Array,
    build_label_source: Callable[[int, BoxUnit, Float64Array], LabelSource],
) -> LabelSource | None:
    """Columns read as `class confidence ...`, with boxes in pixels or fractions, as other tools
    write; None if impossible."""
    boxes = predictions[:, 2:6]
    if not are_probabilities(predictions[:, 1]) or (boxes[:, 2:] < 0).any():
        return None
    if boxes.max(initial=0) > 2:
        return build_label_source(1, "pixels", boxes)
    return build_label_source(1, "fractions", center_to_corner(boxes))


@dataclass(frozen=True, eq=False)
class LabelSource(ParsedPredictions):
    """Predictions from many files; a record's location is a file and a line."""

    def row_location(self, row: int) -> str:
        return f"{self.image_keys[self.image[row]]}.txt line {int(self.record_numbers[row])}"


def center_to_corner(boxes: Float64Array) -> Float64Array:
    """Convert [cx, cy, width, height] to [left, top, width, height]."""
    return np.stack(
        [boxes[:, 0] - boxes[:, 2] / 2, boxes[:, 1] - boxes[:, 3] / 2, boxes[:, 2], boxes[:, 3]],
        axis=1,
    )


FORMAT = AnnotationFormat(NAME, matches, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS_NAME, matches_predictions, read_predictions)
