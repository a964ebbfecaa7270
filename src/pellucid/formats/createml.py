"""Apple CreateML JSON: a list of pictures whose boxes are given by their middle, in pixels."""

from __future__ import annotations

import msgspec

from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, files_of
from pellucid.formats.parsed import parsed_json
from pellucid.formats.source import AnnotationSource, split_named

NAME = "createml"


class CreateMLCoordinates(msgspec.Struct):
    x: float
    y: float
    width: float
    height: float


class CreateMLAnnotation(msgspec.Struct):
    label: str
    coordinates: CreateMLCoordinates


class CreateMLImage(msgspec.Struct):
    image: str
    annotations: list[CreateMLAnnotation] = []


def matches(probe: Look) -> bool:
    heads = [probe.head] if not probe.is_dir else [probe.head_of(file_name) for file_name in probe.ending(".json")[:3]]
    return any(head.startswith("[") and '"coordinates"' in head and '"image"' in head for head in heads)


def read(probe: Look, options: Asked) -> AnnotationSource:
    builder = Gathering(str(probe.path), NAME, options.pictures)
    for file in files_of(probe, ".json"):
        folder = file.parent.relative_to(probe.path).as_posix() if probe.is_dir else "."
        split = split_named(file.parent.name) if probe.is_dir else None
        for image_index, image_record in enumerate(parsed_json(file, list[CreateMLImage], "CreateML")):
            image = builder.image(f"{folder}/{image_record.image}", split=-1 if split is None else split)
            for annotation_index, annotation in enumerate(image_record.annotations):
                center_box = annotation.coordinates
                box = (center_box.x - center_box.width / 2, center_box.y - center_box.height / 2, center_box.width, center_box.height)
                builder.box(image, annotation.label, box, f"{file.name} $[{image_index}].annotations[{annotation_index}]")
    return builder.source(options.kind)


FORMAT = AnnotationFormat(NAME, matches, read)
