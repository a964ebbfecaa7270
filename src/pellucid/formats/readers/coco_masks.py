"""COCO results with masks: `segmentation` as compressed or uncompressed run lengths or polygons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from pellucid.core.masks import Masks, create_masks, encode_counts
from pellucid.core.tables import (
    BoolArray,
    Float64Array,
    Int32Array,
    Int64Array,
    StringArray,
    string_column,
)
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.dataset import (
    ImageKeyKind,
    Note,
    ParsedPredictions,
    encode_ids,
    validate_predictions,
)
from pellucid.formats.errors import InvalidRecordError
from pellucid.formats.parsing import parse_json
from pellucid.formats.readers.coco_categories import (
    CocoId,
    category_keys,
    interpretation_of,
    require_category,
)
from pellucid.formats.readers.coco_scores import scores_of
from pellucid.formats.readers.coco_shapes import box_of_polygons
from pellucid.formats.shape_agreement import MAX_SHAPES, shape_notes

Side = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]
"""Of a mask, in pixels, as the columns hold it."""


class EncodedMask(msgspec.Struct):
    size: tuple[Side, Side]
    counts: str | list[int]


class MaskedResult(msgspec.Struct):
    image_id: CocoId
    score: float | None = None
    category_id: CocoId | None = None
    category_name: str | None = None
    segmentation: EncodedMask | list[list[float]] | None = None
    bbox: list[float] | None = None
    file_name: str | None = None
    poly: list[float] | None = None
    """The corners of an oriented box, as ultralytics writes them."""

    def __post_init__(self) -> None:
        if self.segmentation is None and self.poly is not None:
            self.segmentation = [self.poly]
        require_category(self)


@dataclass(frozen=True, eq=False)
class MaskedColumns:
    """Columns of annotations with masks.

    Attributes:
        image, concept: distinct keys and each row's index among them
        box: float64 (n, 4), NaN where a record has none
        mask: of every row, nothing where it has none
        outline: polygons of rows without a mask, if any
    """

    image: tuple[list[str], Int32Array]
    concept: tuple[list[str], Int32Array]
    image_key_kind: ImageKeyKind
    score: Float64Array
    box: Float64Array
    mask: Masks
    outline: StringArray | None = None


def parse_masked_results(path: Path, format_name: str) -> ParsedPredictions:
    """Parse any valid JSON file of results with masks, polygons or boxes.

    Raises:
        MalformedFileError: the file is not a list of such records.
        InvalidRecordError: a record has neither mask nor bbox, or one that cannot be read.
    """
    results = parse_json(path, list[MaskedResult], "COCO results")
    has_file_names = any(result.file_name is not None for result in results)
    image_keys = [
        result.image_id if result.file_name is None else result.file_name for result in results
    ]
    columns = MaskedColumns(
        encode_ids(image_keys),
        encode_ids(category_keys(results)),
        "path" if has_file_names else "id",
        scores_of(path, results),
        collect_boxes(path, results),
        encode_masks(path, results),
        polygon_texts(results),
    )
    return build_masked(path, format_name, columns)


def build_masked(path: Path, format_name: str, columns: MaskedColumns) -> ParsedPredictions:
    """Masks with scores. A record without a bbox has the box around its mask, and the mask's area;
    one with a bbox counts with the area of the bbox, as in pycocotools."""
    measures = measure_masks(columns.mask)
    check_run_lengths(path, columns.mask, measures.pixels)
    box, has_box = columns.box, ~np.isnan(columns.box[:, 0])
    has_mask = np.diff(columns.mask.start) > 0
    is_masked = ~has_box & has_mask
    box[is_masked] = measures.box[is_masked]
    area = measures.area
    area[has_box] = box[has_box, 2] * box[has_box, 3]
    drawn = np.flatnonzero(~has_box & ~has_mask)
    if columns.outline is not None:
        for row in drawn.tolist():
            box[row] = box_of_polygons(msgspec.json.decode(columns.outline[row]))
    area[drawn] = np.nan
    notes = disagreement_notes(columns, measures.box, has_box, has_mask)
    image_keys, image = columns.image
    concept_keys, concept = columns.concept
    return validate_predictions(
        ParsedPredictions(
            str(path),
            format_name,
            image_keys,
            image,
            concept_keys,
            concept,
            interpretation_of(concept_keys),
            columns.score,
            box,
            "pixels",
            range(len(columns.score)),
            notes=notes,
            image_key_kind=columns.image_key_kind,
            mask=columns.mask if len(columns.mask.text) else None,
            outline=columns.outline,
            area=None if has_box.all() else area,
        )
    )


def disagreement_notes(
    columns: MaskedColumns, mask_box: Float64Array, has_box: BoolArray, has_mask: BoolArray
) -> list[Note]:
    """A warning if masks or polygons are not in the boxes that the records state."""
    rows = np.flatnonzero(has_box & has_mask)
    if len(rows):
        return shape_notes(columns.box[rows], mask_box[rows])
    if columns.outline is None:
        return []
    rows = np.flatnonzero(has_box & (columns.outline != ""))
    rows = rows[:: max(1, len(rows) // MAX_SHAPES)]
    extents = [box_of_polygons(msgspec.json.decode(columns.outline[row])) for row in rows.tolist()]
    known = [place for place, extent in enumerate(extents) if extent]
    stated = np.array([extents[place] for place in known], float).reshape(-1, 4)
    return shape_notes(columns.box[rows[known]], stated)


def collect_boxes(path: Path, results: list[MaskedResult]) -> Float64Array:
    """The boxes, NaN where a record has none. A record without a box has a mask or polygons."""
    boxes = np.full((len(results), 4), np.nan)
    for row, result in enumerate(results):
        if result.bbox:
            if len(result.bbox) != 4:
                raise InvalidRecordError(
                    path,
                    f"$[{row}].bbox",
                    f"found {len(result.bbox)} numbers",
                    "Write [left, top, width, height] in pixels.",
                )
            boxes[row] = result.bbox
        elif result.segmentation is None:
            raise InvalidRecordError(
                path,
                f"$[{row}]",
                "has neither segmentation nor bbox",
                "Write segmentation, or bbox ([left, top, width, height] in pixels).",
            )
        elif isinstance(result.segmentation, list) and box_of_polygons(result.segmentation) is None:
            raise InvalidRecordError(
                path,
                f"$[{row}].segmentation",
                "polygons without points",
                "Write each polygon as [x, y, x, y, ...] in pixels.",
            )
    return boxes


def encode_masks(path: Path, results: list[MaskedResult]) -> Masks:
    """The run lengths of every record; nothing where it has none."""
    texts, sizes = [], np.zeros((len(results), 2), np.int32)
    for row, result in enumerate(results):
        shape = result.segmentation
        if not isinstance(shape, EncodedMask):
            texts.append("")
            continue
        location = f"$[{row}].segmentation"
        if not (0 < shape.size[0] < 1 << 31 and 0 < shape.size[1] < 1 << 31):
            raise InvalidRecordError(
                path, location, f"size {list(shape.size)}", "Write [height, width] in pixels."
            )
        text = shape.counts if isinstance(shape.counts, str) else encode_counts(shape.counts)
        if not text or not text.isascii():
            raise InvalidRecordError(
                path, location, "counts without run lengths", "Write the mask's run lengths."
            )
        texts.append(text)
        sizes[row] = shape.size
    return create_masks(texts, sizes[:, 0].copy(), sizes[:, 1].copy())


def check_run_lengths(path: Path, masks: Masks, pixels: Int64Array) -> None:
    """Raise InvalidRecordError for the first mask whose runs do not add up to its size."""
    expected = masks.height.astype(np.int64) * masks.width
    wrong = np.flatnonzero(pixels != expected)
    if len(wrong):
        row = int(wrong[0])
        found = "cannot be read" if pixels[row] < 0 else f"cover {pixels[row]:,} pixels"
        raise InvalidRecordError(
            path,
            f"$[{row}].segmentation",
            f"the run lengths {found}; the size [{masks.height[row]}, {masks.width[row]}] has "
            f"{expected[row]:,}",
            "Write the counts of pycocotools.mask.encode, and its size.",
        )


def polygon_texts(results: list[MaskedResult]) -> StringArray | None:
    """Polygons as JSON, else ''; None if no record has any."""
    texts = [
        msgspec.json.encode(result.segmentation).decode()
        if isinstance(result.segmentation, list) and result.segmentation
        else ""
        for result in results
    ]
    return string_column(texts) if any(texts) else None
