"""Formats that are known and not read: each is refused with its name and what to do instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.errors import FormatRefused
from pellucid.formats.look import Look
from pellucid.formats.pictures import is_picture

TABLE = "Write a CSV table of image, concept and box instead (docs/formats.md)."


@dataclass(frozen=True)
class Refused:
    """name: as people call the format · mend: what to do · early: whether a reader would take it for something else."""

    name: str
    is_it: Callable[[Look], bool]
    mend: str
    early: bool = False


def has(*names: str) -> Callable[[Look], bool]:
    """A folder with a file whose path matches one of the patterns, or such a file itself."""
    patterns = [re.compile(name, re.I) for name in names]
    return lambda look: any(
        pattern.search(name) for pattern in patterns for name in [*look.names, *([] if look.is_dir else [look.path.name])]
    )


def head_has(*words: str) -> Callable[[Look], bool]:
    return lambda look: any(all(word in head for word in words) for head in heads(look))


def heads(look: Look) -> list[str]:
    return [look.head_of(name) for name in look.ending(".json", ".txt", ".csv")[:10]] if look.is_dir else [look.head]


def is_pixels(look: Look) -> bool:
    return any(re.match(r"\d{1,3}(,\d{1,3}){40,}", head) for head in heads(look))


def is_icdar(look: Look) -> bool:
    line = re.compile(r'(\d+[, ]){4,}.*"|\S+\.(png|jpg), "')
    return any(line.match(head) for head in heads(look) if head[:1] not in "{[<")


def is_nameless(look: Look) -> bool:
    labels = look.ending(".txt")
    return bool(labels) and all(re.match(r"\d+( -?[\d.]+){4,}\s", look.head_of(name) + "\n") for name in labels[:5])


def only_pictures(look: Look) -> bool:
    return look.is_dir and bool(look.names) and all(is_picture(name) for name in look.names)


REFUSED = (
    Refused("TFRecord (TensorFlow Object Detection API)", has(r"\.tfrecords?(-\d+-of-\d+)?$"),
            "Export the same set as CSV (filename, width, height, class, xmin, ymin, xmax, ymax), COCO or Pascal VOC."),
    Refused("CIFAR's pickles", has(r"^(.*/)?data_batch_\d$", r"^(.*/)?batches\.meta$", r"^(.*/)?meta$"),
            "A pickle can run any program when it is opened. Write the pictures into folders, concept/image."),
    Refused("MNIST's IDX files", has(r"idx[13]-ubyte(\.gz)?$"), "Write the pictures into folders, concept/image, or a table with the pictures in Parquet."),
    Refused("a table of pixels (MNIST in CSV)", is_pixels, "Write the pictures into folders, concept/image, or a table with the pictures in Parquet.", early=True),
    Refused("MOT sequences", has(r"(^|/)gt/gt\.txt$"), f"Its boxes are of video frames. {TABLE}"),
    Refused("ICDAR text files", is_icdar, f"They hold words, not concepts. {TABLE}"),
    Refused("LFW pairs", has(r"(^|/)annotations/(pairs|people)\.txt$"), "They say who is who, not what is where. Write the pictures into folders, concept/image."),
    Refused("Segment Anything masks", head_has('"predicted_iou"', '"stability_score"'), "They have no concepts. Name them in a CSV table of image, concept and box.", early=True),
    Refused("COCO captions", head_has('"caption"'), "They have no boxes. Give the instances_*.json of the same set."),
    Refused("COCO panoptic", head_has('"segments_info"'), "Its segments have no boxes of their own concept here. Give the instances_*.json of the same set."),
    Refused("masks of colours", has(r"labelmap\.csv$", r"(^|/)SegmentationClass/"), "Masks are not read. Give boxes: COCO, Pascal VOC, YOLO or a table."),
    Refused("CelebA without attributes", has(r"list_bbox_celeba\.txt$", r"identity_CelebA\.txt$"),
            "It says who is who. Add list_attr_celeba.txt beside it, or write a table of image and label."),
    Refused("YOLO labels without names", is_nameless, "Add a classes.txt with a name a line, or a data.yaml with names."),
    Refused("pictures alone", only_pictures, "Nothing says what they show. Put them into a folder a concept, or give a table of image and label."),
    Refused("a NumPy or pickle file", has(r"\.(npy|npz|pkl|pickle|pt|pth)$"),
            "A pickle can run any program when it is opened. Load it in Python and give the columns: view.add({'image': ..., 'concept': ...})."),
    Refused("an archive", has(r"\.(zip|tar|tgz|tar\.gz|7z|rar)$"), "Unpack it and give the folder or the file in it."),
)  # fmt: skip


def refuse(look: Look, early: bool = False) -> None:
    """Raise FormatRefused where it is one of these; called early, and again where no reader knows it."""
    for refused in REFUSED:
        if (refused.early or not early) and refused.is_it(look):
            raise FormatRefused(look.path, refused.name, refused.mend)
