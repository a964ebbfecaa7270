"""Write DOTA: a text file per image with the four corners of each object."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import Annotations
from pellucid.formats.dataset import Note
from pellucid.formats.errors import ExportError
from pellucid.formats.readers.dota import NAME
from pellucid.formats.writers.export_data import SHORT_SPLIT_NAMES, ExportData
from pellucid.formats.writers.image_copies import copy_images
from pellucid.formats.writers.new_files import new_folder
from pellucid.formats.writers.object_outlines import find_shape


def write(export_data: ExportData, path: Path) -> None:
    """`labelTxt` and `images` of each split. Ignored regions have the difficulty 1. Outlines other
    than four corners are written as their boxes."""
    annotations = export_data.annotations
    if export_data.kind != "detection" or annotations is None or annotations.box is None:
        raise ExportError(NAME, "DOTA supports only boxes; write csv or parquet")
    export_data.note_dropped_keypoints("DOTA")
    dropped = int((~annotations.positive).sum())
    export_data.note_dropped_rows("DOTA", "absent-concept labels", dropped)
    annotations = annotations.take(annotations.positive)
    names = concept_words(export_data)
    reject_shared_stems(export_data)
    boxed = 0
    with new_folder(path) as folder:
        for image, rows in export_data.rows_by_image(annotations):
            split = SHORT_SPLIT_NAMES[export_data.split_name(image)]
            stem = PurePosixPath(str(export_data.images.path[image])).stem
            file = folder / split / "labelTxt" / f"{stem}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = []
            for row in rows:
                corners, is_exact = object_corners(annotations, row)
                boxed += not is_exact
                numbers = " ".join(f"{round(corner, 6):g}" for corner in corners)
                difficulty = int(annotations.ignore[row])
                lines.append(f"{numbers} {names[annotations.concept[row]]} {difficulty}\n")
            file.write_text("".join(lines), encoding="utf-8")
        split_folders = {split: f"{name}/images" for split, name in SHORT_SPLIT_NAMES.items()}
        copy_images(export_data, folder, split_folders, flat=True)
    if boxed:
        message = (
            f"{format_count(boxed, 'outline')} written as boxes: DOTA holds four corners (coco, "
            "yolo, cvat, label-studio and labelme hold outlines)"
        )
        export_data.notes.append(Note("outlines_left_out", message, boxed))


def object_corners(annotations: Annotations, row: int) -> tuple[list[float], bool]:
    """The four corners of an object, and whether they are all of its outline."""
    shape = find_shape(annotations, row)
    if isinstance(shape, list) and len(shape) == 1 and len(shape[0]) == 8:
        return shape[0], True
    assert annotations.box is not None
    x, y, width, height = annotations.box[row].tolist()
    return [x, y, x + width, y, x + width, y + height, x, y + height], shape is None


def concept_words(export_data: ExportData) -> list[str]:
    """The concepts without spaces, which separate the fields of a line; a note names those that
    changed."""
    words = ["-".join(concept.split()) for concept in export_data.concepts]
    repeated = [word for word, count in Counter(words).items() if count > 1]
    if repeated:
        raise ExportError(NAME, f"two concepts would be called '{repeated[0]}'")
    changed = [name for name, word in zip(export_data.concepts, words, strict=True) if name != word]
    if changed:
        message = f"spaces written as '-', as DOTA has none in names: {summarize_names(changed)}"
        export_data.notes.append(Note("concepts_renamed", message, len(changed)))
    return words


def reject_shared_stems(export_data: ExportData) -> None:
    """Raise ExportError if two images of a split would share a file of labels."""
    stems = Counter(
        (int(split), PurePosixPath(str(path)).stem)
        for path, split in zip(export_data.images.path, export_data.images.split, strict=True)
    )
    for (_, stem), count in stems.items():
        if count > 1:
            raise ExportError(NAME, f"two images would share {stem}.txt")
