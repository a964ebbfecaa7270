"""Apple CreateML JSON: a list of images with boxes given by center and size, in pixels."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from pellucid.formats.builder import DatasetBuilder
from pellucid.formats.dataset import BoxShapes, ParsedAnnotations, parse_split
from pellucid.formats.parsing import parse_json
from pellucid.formats.probe import AnnotationFormat, Probe, ReadOptions, list_files, load_head

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
    image: str = ""
    imagefilename: str = ""
    """As Apple's documentation calls it in one place."""
    annotations: list[CreateMLAnnotation] | None = None
    annotation: list[CreateMLAnnotation] | None = None
    """As older versions of Apple's documentation call it."""

    def stated_annotations(self) -> list[CreateMLAnnotation]:
        if self.annotations is None and self.annotation is None:
            raise ValueError("object missing required field `annotations`")
        return [*(self.annotations or ()), *(self.annotation or ())]

    def __post_init__(self) -> None:
        self.stated_annotations()
        self.image = self.image or self.imagefilename
        if not self.image:
            raise ValueError("object missing required field `image`")


def matches(probe: Probe) -> bool:
    heads = (
        [probe.head]
        if not probe.is_dir
        else [probe.load_head(file_name) for file_name in probe.sample_with_suffix(".json")]
    )
    return any(
        head.startswith("[")
        and '"coordinates"' in head
        and '"annotation' in head
        and ('"image"' in head or '"imagefilename"' in head)
        for head in heads
    )


def read(probe: Probe, options: ReadOptions) -> ParsedAnnotations:
    builder = DatasetBuilder(str(probe.path), NAME, options.image_folder)
    for file in list_files(probe, ".json"):
        if probe.is_dir and load_head(file).startswith("{"):
            builder.skip_file(file.relative_to(probe.path).as_posix())
            continue
        folder = file.parent.relative_to(probe.path).as_posix() if probe.is_dir else "."
        split = parse_split(file.parent.name) if probe.is_dir else None
        for image_index, image_record in enumerate(
            parse_json(file, list[CreateMLImage], "CreateML")
        ):
            image = builder.add_image(
                f"{folder}/{image_record.image}", split=-1 if split is None else split
            )
            for annotation_index, annotation in enumerate(image_record.stated_annotations()):
                box = annotation.coordinates
                builder.add_box(
                    image,
                    annotation.label,
                    (box.x, box.y, box.width, box.height),
                    f"{file.name} $[{image_index}].annotations[{annotation_index}]",
                )
    annotations = builder.build(options.kind)
    if annotations.annotations.box is None:
        return annotations
    # RectLabel can write corners instead of centers
    return replace(annotations, box_shapes=BoxShapes(("cxcywh", "xywh"), "cxcywh"))


FORMAT = AnnotationFormat(NAME, matches, read)
