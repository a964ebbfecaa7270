"""Columns of predictions that are not read, and without which the others mean something else."""

from __future__ import annotations

import numpy as np

from pellucid.core.tables import BoolArray
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.probe import AnnotatedShapes, ReadOptions
from pellucid.formats.tabular.column_names import VALUE_NAMES, parse_column_name
from pellucid.formats.tabular.column_roles import ColumnRoles
from pellucid.formats.tabular.flag_column import says_yes_and_no
from pellucid.formats.tabular.flags import NEGATIVE_WORDS
from pellucid.formats.tabular.reader import TableReader

ANSWER_NAMES = (
    *(*VALUE_NAMES, "decision", "result", "verdict", "detected", "found", "response", "answer"),
    *("state", "status", "label", "class", "output", "outcome", "exists"),
)
"""Compact names of columns that may say whether the concept of a row is there."""
MODEL_NAMES = (
    *("model", "modelname", "modelid", "epoch", "fold", "run", "runid", "checkpoint", "ckpt"),
    *("experiment", "seed", "tta", "ensemble", "step", "iteration", "imgsz", "inputsize"),
    *("modelversion", "weights", "backbone", "arch", "architecture", "variant", "config", "nms"),
    *("stage", "head", "pass", "prompt", "scale", "augmentation", "source", "detector", "version"),
    *("threshold", "confthreshold", "scorethreshold", "iouthreshold", "nmsthreshold"),
)
"""Compact names of columns that say which of several models a row is of."""
MIN_CROSSED = 0.8
"""Share of the pairs of an image and a value that must occur for the values to be models; of what
describes an object, an image has few."""


def reject_answers(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if a column says yes or no: the score is then the confidence of that
    answer, not the score of the concept. Where each yes has a higher score than each no, the answer
    follows from the score."""
    assert roles.score is not None
    for column in roles.unassigned_columns(reader):
        name = parse_column_name(column)
        is_answer = name.rest in ANSWER_NAMES or (name.marker and not name.rest)
        if not is_answer or name.marker == "true" or not says_yes_and_no(reader, column):
            continue
        scores, is_no = reader.number_column(roles.score), negative_rows(reader, column)
        if np.nanmin(scores[~is_no]) > np.nanmax(scores[is_no]):
            continue
        raise InvalidRecordError(
            reader.path,
            f"column {column}",
            f"it says yes or no, so '{roles.score}' may be the confidence of that answer",
            f"Write the score of the concept, 1 - {roles.score} where the answer is no; if it is "
            f"that already, specify --columns score={roles.score}.",
        )


SHAPE_TOKENS = {
    *("segmentation", "segmentations", "segment", "segments", "mask", "masks", "rle"),
    *("polygon", "polygons", "contour", "outline", "points", "keypoints", "obb"),
}


def reject_unread_shapes(reader: TableReader, roles: ColumnRoles, options: ReadOptions) -> None:
    """Raise InvalidRecordError if a column has shapes and the annotations do too: they would be
    compared by their boxes."""
    columns = [
        column
        for column in roles.unassigned_columns(reader)
        if SHAPE_TOKENS & {*parse_column_name(column).tokens} and not reader.is_empty(column)
    ]
    shapes = options.annotated_shapes() if columns else AnnotatedShapes()
    if shapes.has_masks or shapes.keypoint_count:
        raise InvalidRecordError(
            reader.path,
            f"column {columns[0]}",
            "shapes of tables are not read, and the annotations have shapes",
            "Write COCO results with segmentation or keypoints; or remove the column to compare "
            "boxes.",
        )


def negative_rows(reader: TableReader, column: str) -> BoolArray:
    return np.array([str(cell).lower() in NEGATIVE_WORDS for cell in reader.text_column(column)])


def reject_several_models(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if the rows of most images are of several models. Each image may be
    of another fold."""
    assert roles.image is not None
    for column in roles.unassigned_columns(reader):
        if parse_column_name(column).rest not in MODEL_NAMES:
            continue
        if roles.concept is not None and reader.determines(roles.concept, column):
            continue  # of each concept, such as its threshold
        values, value_of_row = reader.encode_column(column)
        images, image_of_row = reader.encode_column(roles.image)
        pairs = set(zip(image_of_row.tolist(), value_of_row.tolist(), strict=True))
        if len(values) > 1 and len(pairs) >= MIN_CROSSED * len(values) * len(images):
            raise InvalidRecordError(
                reader.path,
                f"column {column}",
                f"images have predictions of several ('{values[0]}', '{values[-1]}', ...)",
                "Write one file for each, and import each as a version of its own; if they are one "
                f"model, specify --columns score={roles.score}.",
            )


FAILURE_WORDS = (
    "failed",
    "failure",
    "error",
    "timeout",
    "timed out",
    "oom",
    "crashed",
    "exception",
)
FAILURE_NAMES = ("status", "state", "error", "failure", "exception")
NO_FAILURE_WORDS = ("", "0", "0.0", "false", "no", "none", "null", "nan", "ok", "success", "done")


def reject_failures(reader: TableReader, roles: ColumnRoles) -> None:
    """Raise InvalidRecordError if rows without a concept say that the model failed on the image: an
    image on which it found nothing has such a row too."""
    if roles.concept is None:
        return
    is_empty = np.array([not cell for cell in reader.text_column(roles.concept)], bool)
    for column in roles.unassigned_columns(reader) if is_empty.any() else ():
        name = parse_column_name(column).rest
        if name not in FAILURE_NAMES:
            continue
        texts = [str(cell).strip().lower() for cell in reader.text_column(column)]
        is_error_text = name not in ("status", "state")
        usual = {*NO_FAILURE_WORDS, *(texts[row] for row in np.flatnonzero(~is_empty).tolist())}
        failed = [
            row
            for row in np.flatnonzero(is_empty).tolist()
            if texts[row] not in usual and (is_error_text or texts[row] in FAILURE_WORDS)
        ]
        if failed:
            raise InvalidRecordError(
                reader.path,
                reader.row_location(failed[0]),
                f"{column} is '{texts[failed[0]]}': the model may not have been run on the image",
                "Remove these rows and specify --covered listed. If the model found nothing there, "
                f"remove the column '{column}'.",
            )
