"""A builder that collects predictions one by one and converts them to columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.core.masks import Masks, concat_masks, no_masks
from pellucid.core.tables import BoolArray, Float64Array, Kind, string_column
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.builder import BoxCoordinates
from pellucid.formats.dataset import (
    BoxUnit,
    ConceptInterpretation,
    ImageKeyKind,
    ParsedPredictions,
    encode_texts,
    validate_predictions,
)
from pellucid.formats.mask_arrays import encode_mask_arrays

NO_BOX: BoxCoordinates = (0.0, 0.0, 0.0, 0.0)


@dataclass
class PredictionBuilder:
    """Collects predictions record by record.

    Attributes:
        path: of the source, for messages
        format: name of the format
        record_noun: what a record number counts, for messages
    """

    path: str
    format: str
    record_noun: str = "record"
    _image_index_by_key: dict[str, int] = field(default_factory=dict)
    _image: list[int] = field(default_factory=list)
    _concepts: list[str] = field(default_factory=list)
    _scores: list[float] = field(default_factory=list)
    _boxes: list[BoxCoordinates] = field(default_factory=list)
    _outlines: list[str] = field(default_factory=list)
    _record_numbers: list[int] = field(default_factory=list)
    _unboxed_rows: list[int] = field(default_factory=list)
    _mask_by_row: dict[int, Masks] = field(default_factory=dict)
    _failed: set[int] = field(default_factory=set)

    def add_failed_image(self, image_key: str) -> None:
        """Add an image on which the model failed."""
        self._failed.add(self.add_image(image_key))

    def add_image(self, image_key: str) -> int:
        """Add an image on which the model was run; return its index."""
        return self._image_index_by_key.setdefault(image_key, len(self._image_index_by_key))

    def add(
        self,
        image_index: int,
        concept: str,
        score: float,
        box: BoxCoordinates | None,
        record_number: int,
        outline: Sequence[tuple[float, float]] = (),
    ) -> None:
        """box: [left, top, width, height], None for a prediction of the whole image · outline: the
        points of a polygon, in the unit of the box."""
        self._image.append(image_index)
        self._concepts.append(concept)
        self._scores.append(score)
        self._boxes.append(NO_BOX if box is None else box)
        polygon = [coordinate for point in outline for coordinate in point]
        self._outlines.append(json.dumps([polygon]) if len(outline) > 2 else "")
        if len(outline) > 2 and box is not None and is_box_around(box, outline):
            self._unboxed_rows.append(len(self._scores) - 1)
        self._record_numbers.append(record_number)

    def add_mask(
        self, image_index: int, concept: str, score: float, pixels: BoolArray, record_number: int
    ) -> None:
        """pixels: of the object, bool (height, width) in the size of the image, of which at least
        one is set."""
        masks = encode_mask_arrays(pixels[None])
        left, top, width, height = measure_masks(masks).box[0].tolist()
        self.add(image_index, concept, score, (left, top, width, height), record_number)
        self.attach_mask(masks)
        self._unboxed_rows.append(len(self._scores) - 1)

    def attach_mask(self, mask: Masks) -> None:
        """Give the newest prediction a mask in the size of its image."""
        self._mask_by_row[len(self._scores) - 1] = mask

    def build(
        self,
        kind: Kind | None,
        unit: BoxUnit = "pixels",
        concepts: ConceptInterpretation = "name",
        image_key_kind: ImageKeyKind = "path",
    ) -> ParsedPredictions:
        """Build and check the columns; boxes are kept in detection only.

        Raises:
            InvalidScoreError, InvalidBoxError: a number is not finite or a box has a negative size.
        """
        is_detection = kind == "detection"
        concept_keys, concept_codes = encode_texts(self._concepts)
        return validate_predictions(
            ParsedPredictions(
                self.path,
                self.format,
                list(self._image_index_by_key),
                np.array(self._image, np.int32),
                concept_keys,
                concept_codes,
                concepts,
                np.array(self._scores, float),
                np.array(self._boxes, float).reshape(-1, 4) if is_detection else None,
                unit if is_detection else "pixels",
                np.array(self._record_numbers, np.int64),
                self.record_noun,
                image_key_kind=image_key_kind,
                outline=string_column(self._outlines)
                if is_detection and any(self._outlines)
                else None,
                outline_unit=unit,
                area=self._shape_areas(unit) if is_detection and self._unboxed_rows else None,
                mask=self._concat_masks() if is_detection and self._mask_by_row else None,
                not_run=np.isin(np.arange(len(self._image_index_by_key)), [*self._failed])
                if self._failed
                else None,
            )
        )

    def _shape_areas(self, unit: BoxUnit) -> Float64Array:
        """NaN where the box is that of the shape, whose own area then counts, as in pycocotools."""
        boxes = np.array(self._boxes, float).reshape(-1, 4)
        area = boxes[:, 2] * boxes[:, 3] if unit == "pixels" else np.full(len(boxes), np.nan)
        area[self._unboxed_rows] = np.nan
        return area

    def _concat_masks(self) -> Masks:
        """The masks of all rows, nothing for those without."""
        return concat_masks(
            [self._mask_by_row.get(row, no_masks(1)) for row in range(len(self._scores))]
        )


def is_box_around(box: BoxCoordinates, outline: Sequence[tuple[float, float]]) -> bool:
    """Whether a box is the one around an outline, so that the source states none."""
    points = np.array(outline, float)
    low, high = points.min(axis=0), points.max(axis=0)
    return bool(np.allclose(box, [*low, *(high - low)], rtol=1e-6, atol=1e-6))
