"""Formats that are recognised but not supported: each is rejected with its name and an
alternative."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.formats.errors import UnsupportedFormatError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.probe import Probe

COCO_REMEDY = "Convert it to COCO, or to a CSV table of image, concept and box (docs/formats.md)."
SCORES_REMEDY = "Convert it to a CSV table of image, concept, score and box (docs/formats.md)."
FRACTIONS_REMEDY = (
    "Its boxes are fractions of the image size. Convert it to a CSV table of image, concept, "
    "xmin, ymin, xmax and ymax, of predictions with score (docs/formats.md)."
)
TABLE_REMEDY = "Convert it to a CSV table of image, concept and box (docs/formats.md)."


@dataclass(frozen=True)
class UnsupportedFormat:
    """A format that is recognised to name what helps.

    Attributes:
        name: its common name
        remedy: what to do
        before_readers: whether a reader would mistake it for another format
    """

    name: str
    matches: Callable[[Probe], bool]
    remedy: str
    before_readers: bool = False


def file_matcher(*path_patterns: str) -> Callable[[Probe], bool]:
    """Match a file, or a folder with a file, whose path matches one of the patterns."""
    patterns = [re.compile(path_pattern, re.I) for path_pattern in path_patterns]
    return lambda probe: any(
        pattern.search(file_name)
        for pattern in patterns
        for file_name in [*probe.file_names, *([] if probe.is_dir else [probe.path.name])]
    )


def source_matcher(pattern: str) -> Callable[[Probe], bool]:
    """Match a source that is itself such a file: beside others in a folder it may be anything."""
    ending = re.compile(pattern, re.I)
    return lambda probe: not probe.is_dir and bool(ending.search(probe.path.name))


def is_listed_coco(probe: Probe) -> bool:
    """Whether a list begins with an object that has COCO's lists of images or categories."""
    return bool(
        re.match(r'\[\s*\{\s*"(images|annotations|categories|info|licenses)"\s*:', probe.head)
    ) and bool(re.search(r'"(images|categories)"\s*:\s*\[', probe.head))


def head_matcher(*markers: str) -> Callable[[Probe], bool]:
    return lambda probe: any(
        all(marker in head for marker in markers) for head in load_file_heads(probe)
    )


def head_pattern(pattern: str) -> Callable[[Probe], bool]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda probe: any(compiled.search(head) for head in load_file_heads(probe))


def load_file_heads(probe: Probe) -> list[str]:
    return (
        [
            probe.load_head(file_name)
            for file_name in probe.sample_with_suffix(".json", ".txt", ".csv")
        ]
        if probe.is_dir
        else [probe.head]
    )


def is_pixel_table(probe: Probe) -> bool:
    return any(re.match(r"\d{1,3}(,\d{1,3}){40,}", head) for head in load_file_heads(probe))


def is_icdar(probe: Probe) -> bool:
    icdar_line = re.compile(r'(\d+[, ]){4,}.*"|\S+\.(png|jpg), "')
    return any(icdar_line.match(head) for head in load_file_heads(probe) if head[:1] not in "{[<")


def is_yolo_without_names(probe: Probe) -> bool:
    label_files = probe.sample_with_suffix(".txt")
    return bool(label_files) and all(
        re.match(r"\d+( -?[\d.]+){4,}\s", probe.load_head(label_file) + "\n")
        for label_file in label_files
    )


def numbers_matcher(line_pattern: str) -> Callable[[Probe], bool]:
    """Match text files without a header all of whose first lines are such numbers."""
    pattern = re.compile(rf"({line_pattern})(\n({line_pattern}))*", re.A)

    def matches(probe: Probe) -> bool:
        heads = load_file_heads(probe)
        # the last line of a head may be cut off
        return bool(heads) and all(
            pattern.fullmatch("\n".join(head.splitlines()[:3])) for head in heads
        )

    return matches


VISDRONE_LINE = r"-?\d+,-?\d+,\d+,\d+,[01],\d{1,2},-?\d,\d,?"
"""left, top, width, height, score, category, truncation, occlusion"""
MOT_LINE = r"\d+,-?\d+(,-?[\d.]+){5,8}"
"""frame, track, left, top, width, height, confidence and, by challenge, two or three more"""

KITTI_TRACKING_LINE = r"\d+ -?\d+ [A-Za-z_]+( -?[\d.]+){14,15}"
"""frame, track, then the columns of KITTI's objects"""


def is_voc_image_set(probe: Probe) -> bool:
    """Whether each file states for each image whether one concept is in it."""
    image_sets = [name for name in probe.file_names if IMAGE_SET_NAME.search(name)]
    return bool(image_sets) and all(
        re.match(r"\S+ +-?[01]\s", probe.load_head(name)) for name in image_sets
    )


IMAGE_SET_NAME = re.compile(r"_(train|val|trainval|test)\.txt$")


def contains_only_images(probe: Probe) -> bool:
    return (
        probe.is_dir
        and bool(probe.file_names)
        and all(is_image_file(file_name) for file_name in probe.file_names)
    )


UNSUPPORTED_FORMATS = (
    UnsupportedFormat(
        "TFRecord (TensorFlow Object Detection API)",
        file_matcher(r"\.tfrecords?(-\d+-of-\d+)?$"),
        "Export the data set as CSV (filename, width, height, class, xmin, ymin, xmax, ymax), "
        "COCO or Pascal VOC.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "a COCO document inside a list",
        is_listed_coco,
        "Remove the brackets around it, or write each document of the list into a file of its own.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "an Excel or OpenDocument workbook",
        source_matcher(r"\.(xlsx?|xlsm|xlsb|ods)$"),
        "Save its sheet as CSV (UTF-8).",
        before_readers=True,
    ),
    UnsupportedFormat(
        "a compressed file that is not gzip",
        source_matcher(r"\.(bz2|xz|zst|lz4|7z|rar)$"),
        "Unpack it, or compress it with gzip.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "Feather or Arrow IPC",
        source_matcher(r"\.(feather|ipc)$"),
        "Write it as Parquet or CSV: frame.to_parquet('table.parquet').",
        before_readers=True,
    ),
    UnsupportedFormat(
        "Hugging Face's save_to_disk (Arrow)",
        file_matcher(r"\.arrow$"),
        "Add the data set itself in Python, view.add(name, load_from_disk(folder)), or write it "
        "with its pictures: dataset.to_parquet('train.parquet').",
        before_readers=True,
    ),
    UnsupportedFormat(
        "CIFAR pickle files",
        file_matcher(r"^(.*/)?data_batch_\d$", r"^(.*/)?batches\.meta$", r"^(.*/)?meta$"),
        "Pickle files can run arbitrary code. Write the images into one folder per concept.",
    ),
    UnsupportedFormat(
        "MNIST IDX files",
        file_matcher(r"idx[13]-ubyte(\.gz)?$"),
        "Write the images into one folder per concept, or into a Parquet table.",
    ),
    UnsupportedFormat(
        "pixel table (MNIST as CSV)",
        is_pixel_table,
        "Write the images into one folder per concept, or into a Parquet table.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "MOT sequences",
        file_matcher(r"(^|/)gt/gt\.txt$"),
        f"Its boxes belong to video frames. {TABLE_REMEDY}",
    ),
    UnsupportedFormat(
        "VisDrone or MOT",
        numbers_matcher(f"{VISDRONE_LINE}|{MOT_LINE}"),
        f"Its lines do not name their concepts. {TABLE_REMEDY}",
        before_readers=True,
    ),
    UnsupportedFormat(
        "KITTI tracking",
        numbers_matcher(KITTI_TRACKING_LINE),
        "Its lines are of video frames. Write one KITTI file per image, without the first two "
        "columns.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "image sets of Pascal VOC",
        is_voc_image_set,
        "Specify the folder that has their Annotations, or write a CSV table of image and tags.",
    ),
    UnsupportedFormat(
        "masks as run lengths in a table (Kaggle)",
        head_matcher("EncodedPixels"),
        "Convert it to COCO with the run lengths as segmentation, or to boxes in a CSV table.",
        before_readers=True,
    ),
    *(
        UnsupportedFormat(name, head_matcher(*markers), remedy, before_readers=True)
        for name, markers, remedy in (
            ("a manifest of SageMaker Ground Truth", ['"source-ref"'], TABLE_REMEDY),
            ("odgt (CrowdHuman)", ['"gtboxes"'], COCO_REMEDY),
            ("BDD100K", ['"labels"', '"box2d"'], "Convert it to COCO with bdd100k.label.to_coco."),
            ("an export of Labelbox", ['"data_row"'], COCO_REMEDY),
            ("an export of V7 Darwin", ['"item"', '"slots"'], "Export it from V7 as COCO."),
            ("an export of Scale", ['"task_id"', '"params"', '"response"'], TABLE_REMEDY),
            ("an export of Encord", ['"data_units"', '"label_hash"'], "Export it as COCO."),
            ("an export of SuperAnnotate", ['"instances"', '"className"'], COCO_REMEDY),
            ("spans of Prodigy", ['"spans"', '"points"'], TABLE_REMEDY),
            ("an export of Azure Custom Vision", ['"regions"', '"tagName"'], FRACTIONS_REMEDY),
            ("MMDetection's own format", ['"ann"', '"bboxes"'], COCO_REMEDY),
            ("results of Amazon Rekognition", ['"CustomLabels"'], FRACTIONS_REMEDY),
            ("predictions of Vertex AI", ['"displayNames"', '"bboxes"'], FRACTIONS_REMEDY),
            ("results of Google Vision", ['"localizedObjectAnnotations"'], FRACTIONS_REMEDY),
            ("predictions of V7", ['"inference"', '"bounding_box"'], SCORES_REMEDY),
            ("Supervisely", ['"classTitle"'], "Export it from Supervisely as COCO or YOLO."),
            ("a data set of Vertex AI", ['"imageGcsUri"'], TABLE_REMEDY),
            ("conversations of a chat model", ['"messages"', '"role"'], TABLE_REMEDY),
            ("answers of a chat model", ['"custom_id"', '"choices"'], TABLE_REMEDY),
        )
    ),
    UnsupportedFormat(
        "FiftyOne's image detection data set",
        head_pattern(r'"labels"\s*:\s*\{.*"bounding_box"'),
        "Export it from FiftyOne as fiftyone.types.COCODetectionDataset or FiftyOneDataset.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "results of Pascal VOC's development kit",
        file_matcher(r"(^|/)comp\d_det_\w+\.txt$"),
        "Each file is of one concept and does not name it in its lines. Write a CSV table of "
        "image, concept, score, xmin, ymin, xmax and ymax.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "text files of a name, a score and corners in each line",
        numbers_matcher(r"[^\W\d]\S* [01]?\.\d+( -?[\d.]+){4}"),
        "Write a CSV table of image, concept, score, xmin, ymin, xmax and ymax.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "ICDAR text files", is_icdar, f"They contain text, not concepts. {TABLE_REMEDY}"
    ),
    UnsupportedFormat(
        "LFW pairs",
        file_matcher(r"(^|/)annotations/(pairs|people)\.txt$"),
        "They contain identities, not concepts. Write the images into one folder per concept.",
    ),
    UnsupportedFormat(
        "Segment Anything masks",
        head_matcher('"predicted_iou"', '"stability_score"'),
        "They have no concepts. Write a CSV table of image, concept and box.",
        before_readers=True,
    ),
    UnsupportedFormat(
        "COCO captions",
        head_matcher('"caption"'),
        "They have no boxes. Use the instances_*.json of the same data set.",
    ),
    UnsupportedFormat(
        "COCO panoptic",
        head_matcher('"segments_info"'),
        "Panoptic segments are not supported. Use the instances_*.json of the same data set.",
    ),
    UnsupportedFormat(
        "color masks",
        file_matcher(r"labelmap\.csv$", r"(^|/)SegmentationClass/"),
        "Masks are not supported. Use boxes: COCO, Pascal VOC, YOLO or a table.",
    ),
    UnsupportedFormat(
        "CelebA without attributes",
        file_matcher(r"list_bbox_celeba\.txt$", r"identity_CelebA\.txt$"),
        "It only has boxes or identities. Add list_attr_celeba.txt next to it, or write a table "
        "of image and label.",
    ),
    UnsupportedFormat(
        "YOLO labels without names",
        is_yolo_without_names,
        "Add a classes.txt with one name per line, or a data.yaml with names.",
    ),
    UnsupportedFormat(
        "images without annotations",
        contains_only_images,
        "Put them into one folder per concept, or write a table of image and label.",
    ),
    UnsupportedFormat(
        "NumPy or pickle file",
        file_matcher(r"\.(npy|npz|pkl|pickle|pt|pth)$"),
        "Pickle files can run arbitrary code. Load it in Python and pass the columns: "
        "view.add({'image': ..., 'concept': ...}).",
    ),
    UnsupportedFormat(
        "archive",
        file_matcher(r"\.(zip|tar|tgz|tar\.gz|7z|rar)$"),
        "Extract it and use the folder or file.",
    ),
)


def reject_unsupported_format(probe: Probe, before_readers: bool = False) -> None:
    """Raise UnsupportedFormatError for these formats; called before the readers, and again if none
    matches."""
    for unsupported in UNSUPPORTED_FORMATS:
        if (unsupported.before_readers or not before_readers) and unsupported.matches(probe):
            raise UnsupportedFormatError(probe.path, unsupported.name, unsupported.remedy)
