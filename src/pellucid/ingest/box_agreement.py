"""How many confident boxes agree with an annotation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.tables import Annotations, Float64Array, Images, Int64Array, Predictions
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_formats import BoxFormat, convert_to_pixels, select_image_annotations
from pellucid.ingest.references import Interpretation

BOX_SAMPLE_SIZE = 5_000
"""Number of the most confident boxes used to compare interpretations."""
MUCH_BETTER_RATIO = 3.0
"""Factor by which more boxes must agree with another interpretation than with the default."""
MIN_BOXES = 20
"""Boxes needed to override a default interpretation that resolves as many keys."""


@dataclass(frozen=True, eq=False)
class BoxAgreement:
    """Compares the most confident boxes of a source with the annotations.

    confident_rows: of the source, by descending score.
    """

    source: ParsedPredictions
    confident_rows: Int64Array
    images: Images
    annotations: Annotations
    concept_count: int

    def share(self, image_refs: Interpretation, concept_refs: Interpretation) -> float:
        """The share of confident boxes with an annotation of their concept at IoU >= 0.5."""
        source, confident_rows, images = self.source, self.confident_rows, self.images
        annotations, concept_count = self.annotations, self.concept_count
        image_rows, concept_indexes = (
            image_refs.positions[source.image[confident_rows]],
            concept_refs.positions[source.concept[confident_rows]],
        )
        is_resolved = (image_rows >= 0) & (concept_indexes >= 0)
        assert source.box is not None
        box = source.box[confident_rows][is_resolved]
        if source.unit == "fractions":
            box = convert_to_pixels(
                BoxFormat("xywh", "fractions"),
                box,
                images.width[image_rows[is_resolved]],
                images.height[image_rows[is_resolved]],
            )
        confident_predictions = Predictions(
            image_rows[is_resolved],
            concept_indexes[is_resolved],
            source.score[confident_rows][is_resolved],
            box,
            confident_rows[is_resolved].astype(np.int32),
        )
        image_annotations = select_image_annotations(annotations, confident_predictions.image)
        agreeing_rows: set[int] = set()
        for prediction_rows, _, iou in overlapping_pairs(
            image_annotations, confident_predictions, concept_count
        ):
            agreeing_rows.update(prediction_rows[iou >= 0.5].tolist())
        return len(agreeing_rows) / max(1, len(confident_rows))

    def any_concept_share(self, image_refs: Interpretation, concept_refs: Interpretation) -> float:
        """The share of confident boxes with an annotation of any concept at IoU >= 0.5."""
        one_concept = np.where(concept_refs.positions >= 0, 0, concept_refs.positions)
        merged = replace(
            self,
            annotations=self.annotations.replace(concept=self.annotations.concept * 0),
            concept_count=1,
        )
        return merged.share(image_refs, Interpretation("any", one_concept.astype(np.int32)))


def most_confident_rows(score: Float64Array) -> Int64Array:
    """Rows of the highest scores, in descending order; ties keep their input order."""
    if len(score) > BOX_SAMPLE_SIZE:
        min_score = np.partition(score, len(score) - BOX_SAMPLE_SIZE)[len(score) - BOX_SAMPLE_SIZE]
        top_rows = np.flatnonzero(score >= min_score)
    else:
        top_rows = np.arange(len(score))
    return top_rows[np.argsort(-score[top_rows], kind="stable")][:BOX_SAMPLE_SIZE]
