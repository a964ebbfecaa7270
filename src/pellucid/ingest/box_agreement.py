"""How many confident boxes agree with an annotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.tables import (
    Annotations,
    Float64Array,
    Images,
    Int32Array,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_formats import BoxFormat, convert_to_pixels
from pellucid.ingest.references import UNKNOWN, Interpretation

BOX_SAMPLE_SIZE = 5_000
"""Number of the most confident boxes used to compare interpretations."""
MIN_SAMPLE_SIZE = 100
"""Boxes that are compared however few annotations there are."""
MUCH_BETTER_RATIO = 3.0
"""Factor by which more boxes must agree with another interpretation than with the default."""
PARTS, MIN_AGREEING, MAX_STRAY = 4, 8, 1
"""Parts of the images by number, and how many boxes agree in the best of them while no more than
a stray one does in another."""
MIN_BOXES = 20
"""Boxes needed to override a default interpretation that resolves as many keys."""


@dataclass(frozen=True, eq=False)
class BoxAgreement:
    """Compares the most confident boxes of a source with the annotations.

    Attributes:
        confident_rows: of the source, by descending score
    """

    source: ParsedPredictions
    confident_rows: Int64Array
    images: Images
    annotations: Annotations
    concept_count: int

    def share(self, image_refs: Interpretation, concept_refs: Interpretation) -> float:
        """The share of confident boxes with an annotation of their concept at IoU >= 0.5."""
        concepts = concept_refs.positions[self.source.concept[self.confident_rows]]
        rows, _ = self._agreeing_pairs(image_refs, concepts, self.annotations, self.concept_count)
        return len(np.unique(rows)) / max(1, len(self.confident_rows))

    def any_concept_share(self, image_refs: Interpretation, concept_refs: Interpretation) -> float:
        """The share of confident boxes with an annotation of any concept at IoU >= 0.5."""
        concepts = concept_refs.positions[self.source.concept[self.confident_rows]]
        rows, _ = self._agreeing_pairs(image_refs, np.minimum(concepts, 0), self._merged, 1)
        return len(np.unique(rows)) / max(1, len(self.confident_rows))

    def is_even(self, image_refs: Interpretation, concept_refs: Interpretation) -> bool:
        """Whether boxes agree in images of low and of high numbers. Where images were left out, the
        positions of those behind them are not their numbers."""
        concepts = concept_refs.positions[self.source.concept[self.confident_rows]]
        agreeing = np.zeros(len(self.confident_rows), bool)
        agreeing[
            self._agreeing_pairs(image_refs, concepts, self.annotations, self.concept_count)[0]
        ] = True
        images = image_refs.positions[self.source.image[self.confident_rows]]
        by_image = agreeing[np.argsort(images, kind="stable")]
        counts = [int(part.sum()) for part in np.array_split(by_image, PARTS)]
        return min(counts) > MAX_STRAY or max(counts) < MIN_AGREEING

    def overlapping_share(self, image_refs: Interpretation) -> float:
        """The share of confident boxes with an annotation at IoU >= 0.5, whatever their concept."""
        one_concept = np.zeros(len(self.confident_rows), np.int32)
        rows, _ = self._agreeing_pairs(image_refs, one_concept, self._merged, 1)
        return len(np.unique(rows)) / max(1, len(self.confident_rows))

    def best_numbering(self, image_refs: Interpretation) -> Interpretation:
        """The concept that each key's confident boxes overlap most often; each concept for one key,
        the clearest first."""
        counts = self.concept_counts(image_refs)
        positions = np.full(len(self.source.concept_keys), UNKNOWN, np.int32)
        taken: set[int] = set()
        for index in np.argsort(-counts, axis=None, kind="stable").tolist():
            key, concept = divmod(index, self.concept_count)
            if not counts[key, concept]:
                break
            if positions[key] < 0 and concept not in taken:
                positions[key] = concept
                taken.add(concept)
        return Interpretation("other numbers", positions)

    def concept_counts(self, image_refs: Interpretation) -> Int64Array:
        """How often confident boxes of each key overlap an annotation of each concept: int64
        (keys, concepts)."""
        one_concept = np.zeros(len(self.confident_rows), np.int32)
        rows, annotated = self._agreeing_pairs(image_refs, one_concept, self._merged, 1)
        shape = (len(self.source.concept_keys), self.concept_count)
        keys = self.source.concept[self.confident_rows[rows]].astype(np.int64)
        cells = keys * self.concept_count + self.annotations.concept[annotated]
        counts: Int64Array = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        return counts

    @property
    def _merged(self) -> Annotations:
        return self.annotations.replace(concept=self.annotations.concept * 0)

    def _agreeing_pairs(
        self,
        image_refs: Interpretation,
        concepts: Int32Array,
        annotations: Annotations,
        concept_count: int,
    ) -> tuple[Int64Array, Int64Array]:
        """Places among the confident boxes and rows of annotations of the same image and concept at
        IoU >= 0.5.

        Args:
            concepts: of each confident box, negative if unknown
        """
        source, images = self.source, self.images
        image_rows = image_refs.positions[source.image[self.confident_rows]]
        places = np.flatnonzero((image_rows >= 0) & (concepts >= 0))
        rows, image_rows = self.confident_rows[places], image_rows[places]
        assert source.box is not None
        box = source.box[rows]
        if source.unit == "fractions":
            width, height = images.width[image_rows], images.height[image_rows]
            box = convert_to_pixels(BoxFormat("xywh", "fractions"), box, width, height)
        predictions = Predictions(
            image_rows, concepts[places], source.score[rows], box, rows.astype(np.int32)
        )
        annotated_rows = np.flatnonzero(np.isin(annotations.image, image_rows))
        pairs = overlapping_pairs(annotations.take(annotated_rows), predictions, concept_count)
        agreeing = [
            (places[prediction[iou >= 0.5]], annotated_rows[annotation[iou >= 0.5]])
            for prediction, annotation, iou in pairs
        ]
        if not agreeing:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([p for p, _ in agreeing]), np.concatenate([a for _, a in agreeing])


def most_confident_rows(score: Float64Array, annotation_count: int) -> Int64Array:
    """Rows of the highest scores, in descending order; ties keep their input order. No more than
    twice the annotations, as a tail of low scores would hide that the confident boxes agree."""
    limit = min(BOX_SAMPLE_SIZE, max(MIN_SAMPLE_SIZE, 2 * annotation_count))
    if len(score) > limit:
        min_score = np.partition(score, len(score) - limit)[len(score) - limit]
        top_rows = np.flatnonzero(score >= min_score)
    else:
        top_rows = np.arange(len(score))
    return top_rows[np.argsort(-score[top_rows], kind="stable")][:limit]
