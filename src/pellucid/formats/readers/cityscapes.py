"""Cityscapes: one picture of instances per image, `gtFine/SPLIT/CITY/NAME_gtFine_instanceIds.png`.

A pixel value of at least 1000 is 1000 times the label and the number of the instance; a smaller
value is the label of a group, or of what has no instances. (Cordts et al., The Cityscapes Dataset
for Semantic Urban Scene Understanding, 2016; cityscapesScripts, labels.)
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import ParsedAnnotations, split_of_file
from pellucid.formats.instance_maps import masks_of_instances, parse_instance_map
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions

NAME = "cityscapes"
CONCEPT_BY_LABEL = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
"""The labels whose instances are evaluated."""
UNEVALUATED_LABELS = {29: "caravan", 30: "trailer"}
INSTANCE_FACTOR = 1000
FILE_NAME = re.compile(r"(.+)_(gtFine|gtCoarse)_instanceIds\.png$")
IMAGE_FOLDER = "leftImg8bit"


def matches(probe: Probe) -> bool:
    return probe.is_dir and any(FILE_NAME.search(name) for name in probe.file_names)


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    left_out = group_count = 0
    has_images = (probe.path / IMAGE_FOLDER).is_dir()
    for name in sorted(name for name in probe.file_names if FILE_NAME.search(name)):
        path = probe.path / name
        values = parse_instance_map(path)
        numbers, masks = masks_of_instances(values)
        split = split_of_file(path, probe.path)
        height, width = values.shape
        image = builder.add_image(image_path(name, has_images), width, height, split)
        for row, number in enumerate(numbers):
            is_group = number < INSTANCE_FACTOR
            label = number if is_group else number // INSTANCE_FACTOR
            left_out += label in UNEVALUATED_LABELS
            concept = CONCEPT_BY_LABEL.get(label)
            if concept is not None:
                group_count += is_group
                location = f"{name} value {number}"
                builder.add_encoded_mask(image, concept, masks, row, location, ignore=is_group)
    builder.add_note(
        "groups", group_count, f"{group_count:,} groups of objects are ignored regions"
    )
    names = " and ".join(UNEVALUATED_LABELS.values())
    builder.add_note(
        "left_out", left_out, f"{left_out:,} instances of {names} not read: not evaluated"
    )
    folder = str(probe.path) if has_images and options.image_folder is None else None
    return builder.build(options.kind, list(CONCEPT_BY_LABEL.values()), image_folder=folder)


def image_path(name: str, has_images: bool) -> str:
    """The picture of a file of instances: in the folder of pictures, where both lie in the source,
    else relative to it."""
    match = FILE_NAME.search(Path(name).as_posix())
    assert match is not None
    stem = match[1]
    folders, _, file_stem = stem.rpartition("/")
    parts = [part for part in folders.split("/") if part and part != match[2]]
    below = "/".join([*parts, f"{file_stem}_{IMAGE_FOLDER}.png"])
    return f"{IMAGE_FOLDER}/{below}" if has_images else below


FORMAT = AnnotationFormat(NAME, matches, read)
