"""Find two errors that hide each other: images, boxes and concepts are inferred one after the
other, so that with two of them wrong no single change lets the boxes agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pellucid.core.tables import Annotations, Images
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_agreement import (
    MIN_BOXES,
    MUCH_BETTER_RATIO,
    BoxAgreement,
    most_confident_rows,
)
from pellucid.ingest.box_format_shares import box_format_shares, convert_boxes, default_box_format
from pellucid.ingest.box_formats import BoxFormat
from pellucid.ingest.compared_sizes import with_compared_sizes
from pellucid.ingest.errors import OtherReadingError
from pellucid.ingest.references import Interpretation

MIN_JOINT_SHARE = 0.5
"""Share of the confident boxes that must agree with another reading of all three."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a reading is compared with.

    Attributes:
        source: with its boxes as written
        annotations: positive ones
        folders: of the images, whose sizes are read where they are not known
    """

    source: ParsedPredictions
    images: Images
    annotations: Annotations
    concept_count: int
    folders: Sequence[str]


@dataclass(frozen=True, eq=False)
class JointReading:
    """One reading of images, boxes and concepts.

    Attributes:
        boxes: None if as the file states
        any_share: the share of the confident boxes that overlap an annotation of any concept
        share: of their own concept, if compared
    """

    image_refs: Interpretation
    boxes: BoxFormat | None
    concept_refs: Interpretation
    any_share: float
    share: float = 0.0


def reject_joint_reading(
    evidence: Evidence,
    as_read: JointReading,
    image_candidates: Iterable[Interpretation],
    concept_candidates: Sequence[Interpretation],
) -> None:
    """Raise OtherReadingError if few boxes overlap an annotation as read, and most do with another
    reading of images and boxes together."""
    score_count = len(evidence.source.score)
    if as_read.any_share * MUCH_BETTER_RATIO > 1 or score_count < MIN_BOXES:
        return
    readings = [
        reading
        for image_refs in image_candidates
        if image_refs.explained_count * 2 >= len(image_refs.positions)
        for reading in readings_with(image_refs, concept_candidates, evidence)
    ]
    if not readings:
        return
    best = max(readings, key=lambda reading: (reading.any_share, reading.share))
    if best.any_share >= as_read.any_share * MUCH_BETTER_RATIO:
        shares = (as_read.any_share, best.any_share)
        raise OtherReadingError(evidence.source.path, shares, options(best), options(as_read))


def readings_with(
    image_refs: Interpretation, concept_candidates: Sequence[Interpretation], evidence: Evidence
) -> list[JointReading]:
    """The readings of concepts with the best one of boxes, if most boxes then overlap an
    annotation."""
    source, annotations = evidence.source, evidence.annotations
    images = with_compared_sizes(source, image_refs, evidence.images, evidence.folders)
    shares = box_format_shares(source, image_refs, images, annotations)
    best_share = max(shares.values(), default=0.0)
    if best_share < MIN_JOINT_SHARE:
        return []
    boxes = max(shares, key=shares.__getitem__)
    agreement = BoxAgreement(
        convert_boxes(boxes, source, image_refs, images),
        most_confident_rows(source.score, len(annotations)),
        images,
        annotations,
        evidence.concept_count,
    )
    stated = None if boxes == default_box_format(source) else boxes
    return [
        JointReading(image_refs, stated, refs, best_share, agreement.share(image_refs, refs))
        for refs in concept_candidates
    ]


def options(reading: JointReading) -> str:
    """The options of the command line that state a reading."""
    names = [
        ("--image-ids", reading.image_refs.name),
        ("--category-ids", reading.concept_refs.name),
        *([("--boxes", reading.boxes.name)] if reading.boxes else []),
    ]
    return " ".join(f"{option} {name.replace(' ', '-')}" for option, name in names)
