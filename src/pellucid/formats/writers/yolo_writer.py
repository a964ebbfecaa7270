"""YOLO writer: `data.yaml`, image lists and label files; predictions as label files with a
confidence score."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pellucid.core.tables import SPLITS, Annotations, Predictions
from pellucid.evaluation.object_keypoints import default_sigmas
from pellucid.formats.errors import ExportError
from pellucid.formats.writers.export_data import (
    SHORT_SPLIT_NAMES,
    ExportData,
    require_image_sizes,
    score_of,
)
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder
from pellucid.formats.writers.object_outlines import (
    concept_keypoints,
    find_points,
    has_outlines,
    polygon_or_box,
)

NAME = "yolo"


def write(export_data: ExportData, path: Path) -> None:
    """Write labels to `labels/` and local images to `images/`, where ultralytics expects them. The
    lists of images are relative to their own folder, so that training may start anywhere."""
    if export_data.kind != "detection":
        raise ExportError(NAME, "label files require boxes; write csv or parquet")
    annotations = export_data.exportable_annotations("YOLO")
    label_paths = [label_path(f"images/{path}") for path in export_data.images.path]
    with new_folder(path) as folder:
        write_label_files(export_data, annotations, folder, label_paths)
        copy_images(export_data, folder / "images")
        write_image_lists(export_data, folder, pose_settings(annotations))


def pose_settings(annotations: Annotations) -> list[str]:
    """The lines of `data.yaml` about keypoints. ultralytics mirrors pictures unless it knows which
    points change sides, so `flip_idx` is left to the user."""
    count = point_count(annotations)
    if not count:
        return []
    concepts = concept_keypoints(annotations, int(annotations.concept.max()) + 1)
    sigmas = next((points.sigmas for points in concepts if points and points.sigmas), None)
    lines = [f"kpt_shape: [{count}, 3]"]
    if sigmas is not None and len(sigmas) == count and tuple(sigmas) != default_sigmas(count):
        lines.append(f"kpt_oks_sigmas: {sigmas}")
    return lines


def point_count(entries: Annotations | Predictions) -> int:
    """The keypoints of the object that has most."""
    stated = (find_points(entries, row) for row in range(len(entries)))
    return max((len(points.keypoints) // 3 for points in stated if points), default=0)


def write_image_lists(export_data: ExportData, folder: Path, pose_lines: list[str]) -> None:
    """One list of images a split, and `data.yaml`."""
    lines = [
        *pose_lines,
        "names:",
        *(
            f"  {concept_index}: {quote_yaml(concept_name)}"
            for concept_index, concept_name in enumerate(export_data.concepts)
        ),
    ]
    for split_index, split in enumerate(SPLITS):
        image_paths = export_data.images.path[export_data.images.split == split_index]
        if len(image_paths):
            lines.append(f"{SHORT_SPLIT_NAMES[split]}: {SHORT_SPLIT_NAMES[split]}.txt")
            (folder / f"{SHORT_SPLIT_NAMES[split]}.txt").write_text(
                "".join(f"./images/{image_path}\n" for image_path in image_paths), encoding="utf-8"
            )
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def quote_yaml(string: str) -> str:
    return "'" + string.replace("'", "''") + "'"


def write_predictions(export_data: ExportData, path: Path) -> None:
    if export_data.predictions is None or export_data.predictions.box is None:
        raise ExportError(NAME, "label files require boxes; write csv or parquet")
    label_paths = [Path(str(path)).with_suffix(".txt") for path in export_data.images.path]
    with new_folder(path) as folder:
        write_label_files(export_data, export_data.predictions, folder, label_paths)


def label_path(image_path: str) -> Path:
    """Where ultralytics looks for the labels of an image: its last folder `images` is `labels`."""
    before, _, after = f"/{image_path}".rpartition("/images/")
    return Path(f"{before}/labels/{after}".removeprefix("/")).with_suffix(".txt")


def write_label_files(
    export_data: ExportData,
    annotations: Annotations | Predictions,
    folder: Path,
    label_paths: list[Path],
) -> None:
    """Write one file per image, at its path below the folder; an empty file marks an image without
    boxes."""
    image_sizes = require_image_sizes(export_data, NAME)
    points = point_count(annotations)
    is_segmented = not points and has_outlines(annotations)
    duplicate_paths = [
        label_path
        for label_path, occurrence_count in Counter(label_paths).items()
        if occurrence_count > 1
    ]
    if duplicate_paths or any(
        not str(image_path).isprintable() for image_path in export_data.images.path
    ):
        problem = (
            f"two images would share {duplicate_paths[0]}"
            if duplicate_paths
            else "an image path has an unprintable character"
        )
        raise ExportError(NAME, problem)
    for image_index, annotation_indexes in export_data.rows_by_image(annotations):
        label_file = folder / label_paths[image_index]
        label_file.parent.mkdir(parents=True, exist_ok=True)
        label_file.write_text(
            "".join(
                format_label_line(
                    annotations, annotation_index, image_sizes[image_index], is_segmented, points
                )
                for annotation_index in annotation_indexes
            ),
            encoding="utf-8",
        )


def format_label_line(
    annotations: Annotations | Predictions,
    annotation_index: int,
    image_size: tuple[int, int],
    is_segmented: bool,
    points: int,
) -> str:
    """A box, or a polygon if any object of the set has an outline: trainers take no mixture.

    Args:
        points: the number of keypoints behind each box
    """
    if is_segmented:
        polygon = polygon_or_box(annotations, annotation_index, image_size)
        label_values = [
            coordinate / image_size[position % 2] for position, coordinate in enumerate(polygon)
        ]
    else:
        assert annotations.box is not None
        x, y, width, height = annotations.box[annotation_index].tolist()
        label_values = [
            (x + width / 2) / image_size[0],
            (y + height / 2) / image_size[1],
            width / image_size[0],
            height / image_size[1],
        ]
    label_values += keypoint_values(annotations, annotation_index, image_size, points)
    if isinstance(annotations, Predictions):
        score = score_of(annotations, annotation_index)
        label_values += [] if score is None else [score]
    return (
        f"{int(annotations.concept[annotation_index])} "
        f"{' '.join(repr(label_value) for label_value in label_values)}\n"
    )


def keypoint_values(
    entries: Annotations | Predictions, row: int, image_size: tuple[int, int], count: int
) -> list[float]:
    """`x y visibility` of each keypoint, in fractions; zeros for those an object lacks."""
    stated = find_points(entries, row)
    numbers = [] if stated is None else stated.keypoints
    scale = (*image_size, 1)
    values = [number / scale[position % 3] for position, number in enumerate(numbers)]
    return values + [0.0] * (count * 3 - len(values))
