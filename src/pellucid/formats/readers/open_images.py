"""Open Images CSV: boxes as fractions (XMin, XMax, YMin, YMax), human-verified image labels;
groups become ignored regions.

Unverified concepts of an image are unknown, so predicting them is not an error (Kuznetsova et al.,
The Open Images Dataset V4, 2020).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from pellucid.core.errors import format_count
from pellucid.core.tables import PARTIAL
from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, find_split, parse_split
from pellucid.formats.errors import InvalidRecordError, NothingReadError
from pellucid.formats.image_files import is_image_file, list_image_files
from pellucid.formats.parsing import parse_number
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files

NAME = "open-images"
CORNER_COLUMNS = ("XMin", "XMax", "YMin", "YMax")
CsvRow = dict[str, str]


def matches(probe: Probe) -> bool:
    if not probe.is_dir:
        return is_boxes(probe.head) or is_labels(probe.head)
    heads = [probe.load_head(file_name) for file_name in probe.files_with_suffix(".csv")]
    return any(is_boxes(head) or is_labels(head) or is_images(head) for head in heads)


def header_line(head: str) -> str:
    return head.split("\n", maxsplit=1)[0]


def is_boxes(head: str) -> bool:
    return all(
        column_name in header_line(head)
        for column_name in ("ImageID", "LabelName", *CORNER_COLUMNS)
    ) and "MaskPath" not in header_line(head)


def is_labels(head: str) -> bool:
    return (
        "ImageID" in header_line(head)
        and "LabelName" in header_line(head)
        and "XMin" not in head
        and "MaskPath" not in header_line(head)
    )


def is_images(head: str) -> bool:
    return "ImageID" in header_line(head) and "Rotation" in header_line(head)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    root = probe.path if probe.is_dir else probe.path.parent
    files = [*list_files(probe, ".csv")]
    heads = {
        file: Probe(file, file.read_text(encoding="utf-8-sig", errors="replace")[:4096]).head
        for file in files
    }
    label_names = parse_label_names(root)
    image_paths = image_paths_by_stem(Path(options.image_folder) if options.image_folder else root)
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    image_indexes: dict[str, int] = {}

    def image_index(csv_row: CsvRow, file: Path, location: str, split: int = -1) -> int:
        image_id = (csv_row.get("ImageID") or "").strip()
        if not image_id:
            raise InvalidRecordError(file, location, "missing ImageID", "Add the image's id.")
        if image_id not in image_indexes or split >= 0:
            image_path = image_paths.get(
                image_id, image_id if is_image_file(image_id) else f"{image_id}.jpg"
            )
            image_indexes[image_id] = builder.add_image(
                image_path, split=split if split >= 0 else file_split(file), image_id=image_id
            )
        return image_indexes[image_id]

    for file in files:
        if is_images(heads[file]):
            for location, csv_row in csv_records(file):
                split = parse_split(csv_row.get("Subset") or "")
                image_index(csv_row, file, location, -1 if split is None else split)
    annotation_builder = OpenImagesBuilder(builder, label_names)
    for file in files:
        if is_boxes(heads[file]):
            for location, csv_row in csv_records(file):
                annotation_builder.box(
                    image_index(csv_row, file, location), csv_row, file, location
                )
        elif is_labels(heads[file]):
            for location, csv_row in csv_records(file):
                annotation_builder.label(
                    image_index(csv_row, file, location), csv_row, file, location
                )
    return annotation_builder.source(options, list(label_names.values()))


def csv_records(file: Path) -> Iterator[tuple[str, CsvRow]]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as csv_file:
        for line_number, csv_row in enumerate(csv.DictReader(csv_file), 2):
            yield f"line {line_number}", csv_row


def parse_label_names(root: Path) -> dict[str, str]:
    """Concept names by label id such as /m/01g317, in file order."""
    label_names: dict[str, str] = {}
    for file in sorted([*root.rglob("*class-descriptions*.csv")]):
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as csv_file:
            label_names |= {
                csv_row[0]: csv_row[1]
                for csv_row in csv.reader(csv_file)
                if len(csv_row) >= 2 and csv_row[0] != "LabelName"
            }
    return label_names


def image_paths_by_stem(folder: Path) -> dict[str, str]:
    """Relative paths of the image files in the folder, by file stem."""
    image_files = (folder / name for name in list_image_files(folder))
    return {file.stem: file.relative_to(folder).as_posix() for file in sorted(image_files)}


def file_split(file: Path) -> int:
    return find_split(file.stem.replace("_", "-").split("-"))


class OpenImagesBuilder:
    """Collects boxes and verified labels; the requested kind decides which become annotations."""

    def __init__(self, builder: DatasetBuilder, label_names: dict[str, str]) -> None:
        self.builder = builder
        self.label_names = label_names
        self.verified_labels: dict[tuple[int, str], bool] = {}
        self.group_count = 0
        self.box_count = 0
        self.unverified_count = 0

    def concept(self, csv_row: CsvRow) -> str:
        label = (csv_row.get("LabelName") or "").strip()
        return self.label_names.get(label, label)

    def box(self, image: int, csv_row: CsvRow, file: Path, location: str) -> None:
        x_min, x_max, y_min, y_max = (
            parse_number((csv_row.get(side) or "").replace(",", "."), file, location, side)
            for side in CORNER_COLUMNS
        )
        is_group = (csv_row.get("IsGroupOf") or "").strip() == "1"
        self.group_count += is_group
        self.box_count += 1
        self.builder.add_corners(
            image,
            self.concept(csv_row),
            (x_min, y_min, x_max, y_max),
            f"{file.name} {location}",
            is_group,
        )

    def label(self, image: int, csv_row: CsvRow, file: Path, location: str) -> None:
        confidence = parse_number(
            (csv_row.get("Confidence") or "").replace(",", "."), file, location, "Confidence"
        )
        if 0 < confidence < 1:  # of a machine: nobody verified it
            self.unverified_count += 1
        else:
            self.verified_labels[image, self.concept(csv_row)] = confidence > 0

    def source(self, options: ReadOptions, concepts: list[str]) -> ParsedAnnotations:
        gathering = self.builder
        gathering.add_note(
            "unverified",
            self.unverified_count,
            f"{format_count(self.unverified_count, 'label')} of a machine (confidence between 0 "
            "and 1) left out: unknown",
        )
        gathering.add_note(
            "groups",
            self.group_count,
            f"{format_count(self.group_count, 'group')} (IsGroupOf) converted to ignored regions",
        )
        if self.unverified_count and not self.verified_labels and not self.box_count:
            raise NothingReadError(
                self.builder.path,
                {"labels of a machine that nobody verified": self.unverified_count},
            )
        has_boxes = options.kind == "detection" or (options.kind is None and self.box_count)
        for (image, concept), positive in self.verified_labels.items():
            if not has_boxes:
                gathering.add_tag(image, concept, positive)
            elif not positive:
                gathering.add_absent_concept(image, concept)
        message = (
            f"{format_count(len(self.verified_labels), 'verified label')}: unverified concepts of "
            "an image are unknown and not counted as errors"
        )
        gathering.add_note("verified", len(self.verified_labels) if has_boxes else 0, message)
        source = gathering.build(
            "detection" if has_boxes else options.kind,
            concepts,
            unit="fractions" if has_boxes else "pixels",
        )
        if has_boxes and self.verified_labels:
            source.images.stated[:] = PARTIAL
        return source


FORMAT = AnnotationFormat(NAME, matches, read)
