"""A builder that collects images, boxes and tags one by one and converts them to columns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.keypoints import StatedKeypoints
from pellucid.core.masks import Masks
from pellucid.core.outlines import encode_keypoints, encode_mask, polygon_area
from pellucid.core.tables import (
    EXHAUSTIVE,
    PARTIAL,
    UNANNOTATED,
    Annotations,
    BoolArray,
    Images,
    Kind,
    string_column,
)
from pellucid.evaluation.mask_runs import measure_masks
from pellucid.formats.dataset import (
    BoxUnit,
    Note,
    ParsedAnnotations,
    check_boxes,
    create_images,
    normalize_image_path,
)
from pellucid.formats.errors import (
    ContradictoryTagError,
    DuplicateImageError,
    InvalidRecordError,
    MultipleConceptsError,
    NothingReadError,
)
from pellucid.formats.mask_arrays import encode_mask_arrays

BoxCoordinates = tuple[float, float, float, float]


def note_skipped(
    shapes: Mapping[str, int], image_count: int, dropped_count: int, keys: Mapping[str, int]
) -> list[Note]:
    """Notes on annotations and keys that were not read.

    Args:
        dropped_count: other annotations of the same images
    """
    notes = []
    if shapes:
        counts = ", ".join(f"{count:,} {shape}" for shape, count in shapes.items())
        message = f"annotations not read: {counts}"
        if image_count:
            verb = "counts" if image_count == 1 else "count"
            message += f". Their {format_count(image_count, 'image')} {verb} as not annotated"
        if dropped_count:
            others = format_count(dropped_count, "annotation")
            message += f"; {others} read of these images: not used"
        notes.append(Note("skipped_shapes", message, sum(shapes.values())))
    if keys:
        counts = ", ".join(f"{key} ({count:,})" for key, count in list(keys.items())[:12])
        notes.append(Note("unread_keys", f"keys not read: {counts}", len(keys), "info"))
    return notes


@dataclass
class DatasetBuilder:
    """Collects images and annotations record by record.

    Attributes:
        path: of the source, for messages
        image_folder: given by the user, if any
    """

    path: str
    format: str
    image_folder: str | None = None
    notes: list[Note] = field(default_factory=list)
    _image_index_by_path: dict[str, int] = field(default_factory=dict)
    _image_records: list[list[Any]] = field(default_factory=list)
    _boxes: list[tuple[Any, ...]] = field(default_factory=list)
    _tags: dict[tuple[int, str], bool] = field(default_factory=dict)
    _outlines: dict[int, str] = field(default_factory=dict)
    _absent_concepts: dict[tuple[int, str], None] = field(default_factory=dict)
    _skipped_shapes: Counter[str] = field(default_factory=Counter)
    _skipped_images: set[int] = field(default_factory=set)
    _unread_keys: Counter[str] = field(default_factory=Counter)
    _skipped_files: list[str] = field(default_factory=list)

    def add_image(
        self,
        file_name: str,
        width: float = 0,
        height: float = 0,
        split: int = -1,
        image_id: str = "",
        metadata: str = "",
        annotated: bool = True,
    ) -> int:
        """Add an image or its missing properties; return its index.

        Args:
            annotated: whether it was annotated
        """
        normalized_path = normalize_image_path(self.path, file_name, self.image_folder)
        image_index = self._image_index_by_path.setdefault(
            normalized_path, len(self._image_index_by_path)
        )
        if image_index == len(self._image_records):
            self._image_records.append([0, 0, -1, image_id, "", False])
        image_record = self._image_records[image_index]
        self._reject_other_image(image_record, file_name, (width, height), image_id)
        if not image_record[0] and 0 < width < 1 << 31 and 0 < height < 1 << 31:
            image_record[0], image_record[1] = round(width), round(height)
        if split >= 0:
            image_record[2] = split
        image_record[4] = image_record[4] or metadata
        image_record[5] = image_record[5] or annotated
        return image_index

    def _reject_other_image(
        self, image_record: list[Any], file_name: str, size: tuple[float, float], image_id: str
    ) -> None:
        """Raise DuplicateImageError if an image of this name has another id or size: not the same
        one rotated or rounded."""
        has_other_id = image_id and image_record[3] and image_id != image_record[3]
        known = sorted(image_record[:2])
        has_other_size = (
            known[0] > 0
            and min(size) > 0
            and max(abs(a - b) for a, b in zip(known, sorted(size), strict=True)) > 1
        )
        if has_other_id or has_other_size:
            raise DuplicateImageError(self.path, file_name)

    def add_unique_image(self, file_name: str, *image_values: Any, **image_options: Any) -> int:
        """Add an image that must have a single record; raises DuplicateImageError."""
        if (
            normalize_image_path(self.path, file_name, self.image_folder)
            in self._image_index_by_path
        ):
            raise DuplicateImageError(self.path, file_name)
        return self.add_image(file_name, *image_values, **image_options)

    def add_box(
        self,
        image_index: int,
        concept: str,
        box: BoxCoordinates,
        location: str,
        ignore: bool = False,
        area: float | None = None,
    ) -> None:
        """box: [left, top, width, height]; location: in the source, for messages."""
        if not concept.strip():
            raise InvalidRecordError(
                self.path, location, "missing concept", "Specify the concept of the box."
            )
        x, y, width, height = box
        self._boxes.append(
            (
                image_index,
                concept.strip(),
                x,
                y,
                width,
                height,
                ignore,
                width * height if area is None else area,
                location,
            )
        )

    def add_corners(
        self,
        image_index: int,
        concept: str,
        corners: BoxCoordinates,
        location: str,
        ignore: bool = False,
        area: float | None = None,
    ) -> None:
        """corners: left, top, right, bottom; the two points may be in any order · area: of the
        object, if it is not that of the box."""
        x_min, y_min, x_max, y_max = corners
        x_min, x_max = min(x_min, x_max), max(x_min, x_max)
        y_min, y_max = min(y_min, y_max), max(y_min, y_max)
        self.add_box(
            image_index,
            concept,
            (x_min, y_min, x_max - x_min, y_max - y_min),
            location,
            ignore,
            area,
        )

    def add_outline(
        self,
        image_index: int,
        concept: str,
        points: list[tuple[float, float]],
        location: str,
        ignore: bool = False,
        keep_outline: bool = False,
    ) -> None:
        """Add the bounding box of an outline. keep_outline: also keep the outline for display."""
        if not points:
            raise InvalidRecordError(
                self.path, location, "missing points", "At least two points are required."
            )
        xs, ys = [x for x, _ in points], [y for _, y in points]
        polygon = [coordinate for point in points for coordinate in point]
        is_kept = keep_outline and len(points) > 2
        area = polygon_area(polygon) if is_kept else None
        self.add_corners(
            image_index, concept, (min(xs), min(ys), max(xs), max(ys)), location, ignore, area
        )
        if is_kept:
            self._outlines[len(self._boxes) - 1] = json.dumps([polygon])

    def add_parts(
        self,
        image_index: int,
        concept: str,
        parts: Sequence[Sequence[tuple[float, float]]],
        location: str,
        ignore: bool = False,
    ) -> None:
        """Add an object of several polygons, each of three points or more."""
        xs, ys = zip(*(point for part in parts for point in part), strict=True)
        polygons = [[coordinate for point in part for coordinate in point] for part in parts]
        area = sum(map(polygon_area, polygons))
        self.add_corners(
            image_index, concept, (min(xs), min(ys), max(xs), max(ys)), location, ignore, area
        )
        self._outlines[len(self._boxes) - 1] = json.dumps(polygons)

    def add_mask(
        self,
        image_index: int,
        concept: str,
        pixels: BoolArray,
        location: str,
        ignore: bool = False,
    ) -> None:
        """Add a mask with the box around it.

        Args:
            pixels: bool (height, width) in the size of the image, of which at least one is set
        """
        masks = encode_mask_arrays(pixels[None])
        self.add_encoded_mask(image_index, concept, masks, 0, location, ignore=ignore)

    def add_encoded_mask(
        self,
        image_index: int,
        concept: str,
        masks: Masks,
        row: int,
        location: str,
        box: BoxCoordinates | None = None,
        ignore: bool = False,
    ) -> None:
        """Add one of several masks in the size of the image.

        Args:
            box: of the object; that around its pixels if it has none
        """
        measures = measure_masks(masks[row : row + 1])
        x, y, width, height = measures.box[0].tolist() if box is None else box
        area = float(measures.area[0])
        self.add_box(image_index, concept, (x, y, width, height), location, ignore, area)
        self._outlines[len(self._boxes) - 1] = encode_mask(masks, row)

    def add_keypoints(
        self,
        image_index: int,
        concept: str,
        stated: StatedKeypoints,
        location: str,
        box: BoxCoordinates | None = None,
    ) -> None:
        """Add the keypoints of an object, of which at least one is labelled.

        Args:
            box: around it; that around its labelled points if it has none
        """
        if box is None:
            numbers = stated.keypoints
            labelled = [index for index in range(0, len(numbers), 3) if numbers[index + 2] > 0]
            xs = [numbers[index] for index in labelled]
            ys = [numbers[index + 1] for index in labelled]
            box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
        self.add_box(image_index, concept, box, location)
        self._outlines[len(self._boxes) - 1] = encode_keypoints(stated)

    def add_tag(self, image_index: int, concept: str, positive: bool = True) -> None:
        key = (image_index, concept.strip())
        if self._tags.setdefault(key, positive) != positive:
            raise ContradictoryTagError(
                self.path, list(self._image_index_by_path)[image_index], concept
            )

    def add_annotations(
        self, parsed: ParsedAnnotations, image_paths: list[str], location: str
    ) -> None:
        """Add the annotations of another source.

        Args:
            image_paths: the paths of its images in this data set
        """
        annotations = parsed.annotations
        annotation_values = zip(
            annotations.image.tolist(),
            annotations.concept.tolist(),
            annotations.ignore.tolist(),
            annotations.positive.tolist(),
            strict=True,
        )
        for annotation_index, (parsed_image_index, concept_index, ignore, positive) in enumerate(
            annotation_values
        ):
            image_index, concept_name = (
                self.add_image(image_paths[parsed_image_index]),
                parsed.concepts[concept_index],
            )
            if annotations.box is None:
                self.add_tag(image_index, concept_name, positive)
            elif positive:
                x, y, width, height = annotations.box[annotation_index].tolist()
                area = (
                    None if annotations.area is None else float(annotations.area[annotation_index])
                )
                self.add_box(
                    image_index,
                    concept_name,
                    (x, y, width, height),
                    f"{location} {annotation_index}",
                    ignore,
                    area,
                )
                if annotations.outline is not None and annotations.outline[annotation_index]:
                    self._outlines[len(self._boxes) - 1] = str(
                        annotations.outline[annotation_index]
                    )
            else:
                self.add_absent_concept(image_index, concept_name)

    def skip_shape(self, image_index: int, shape: str, has_concept: bool = True) -> None:
        """Count an annotation that cannot be read. Its image counts as not annotated, as
        predictions of the object would otherwise be errors; not if it has no concept.

        Args:
            shape: its kind, for the note
        """
        self._skipped_shapes[shape] += 1
        if has_concept:
            self._skipped_images.add(image_index)

    def skip_key(self, key: str) -> None:
        """Count a key that is not read and does not locate an object."""
        self._unread_keys[key] += 1

    def skip_file(self, file_name: str) -> None:
        """Name a file of the folder that is not of this format."""
        self._skipped_files.append(file_name)

    def add_absent_concept(self, image_index: int, concept: str) -> None:
        """Record that a concept was verified to be absent from a detection image."""
        self._absent_concepts.setdefault((image_index, concept.strip()))

    def build(
        self,
        kind: Kind | None,
        concepts: list[str] | None = None,
        concept_ids: list[str] | None = None,
        image_folder: str | None = None,
        unit: BoxUnit = "pixels",
    ) -> ParsedAnnotations:
        """Build the result.

        Args:
            kind: as requested, or None to infer it
            concepts, concept_ids: as listed by the format, if any
        """
        has_content = bool(self._boxes or self._tags)
        self._drop_skipped_images()
        if not self._boxes and not self._tags and (self._skipped_shapes or self._unread_keys):
            unread = self._skipped_shapes or self._unread_keys
            raise NothingReadError(self.path, unread, has_content)
        resolved_kind = kind or self._infer_kind()
        used_concepts = (
            {box_record[1] for box_record in self._boxes}
            if self._is_boxes(resolved_kind)
            else {concept for _, concept in self._tags}
        )
        used_concepts |= {concept for _, concept in self._absent_concepts}
        listed_concepts = list(dict.fromkeys(concepts or ()))
        concept_names = [*listed_concepts, *sorted(used_concepts - set(listed_concepts))]
        id_by_concept = dict(zip(concepts or (), concept_ids or (), strict=False))
        images, annotations = self._columns(resolved_kind, concept_names)
        return ParsedAnnotations(
            self.path,
            self.format,
            "detection" if self._is_boxes(resolved_kind) else resolved_kind,
            concept_names,
            [id_by_concept.get(concept_name, "") for concept_name in concept_names],
            bool(listed_concepts),
            images,
            annotations,
            image_folder,
            self._all_notes(resolved_kind),
            unit,
        )

    def _drop_skipped_images(self) -> None:
        """Remove what was read of images with annotations that cannot be read."""
        for image_index in self._skipped_images:
            self._image_records[image_index][5] = False
        kept_boxes = [
            box_index
            for box_index, box_record in enumerate(self._boxes)
            if box_record[0] not in self._skipped_images
        ]
        dropped_count = len(self._boxes) - len(kept_boxes)
        self._outlines = {
            new_index: self._outlines[box_index]
            for new_index, box_index in enumerate(kept_boxes)
            if box_index in self._outlines
        }
        self._boxes = [self._boxes[box_index] for box_index in kept_boxes]
        tag_count = len(self._tags)
        self._tags = {
            key: positive
            for key, positive in self._tags.items()
            if key[0] not in self._skipped_images
        }
        dropped_count += tag_count - len(self._tags)
        self.notes += note_skipped(
            self._skipped_shapes, len(self._skipped_images), dropped_count, self._unread_keys
        )

    def _infer_kind(self) -> Kind:
        if self._boxes or not self._tags:
            return "detection"
        positives_by_image = Counter(
            image_index for (image_index, _), positive in self._tags.items() if positive
        )
        is_single_label = all(self._tags.values()) and set(positives_by_image.values()) <= {1}
        return "classification" if is_single_label else "tagging"

    def _is_boxes(self, kind: Kind) -> bool:
        return kind == "detection" or not self._tags

    def _columns(self, kind: Kind, concept_names: list[str]) -> tuple[Images, Annotations]:
        index_by_concept = {name: index for index, name in enumerate(concept_names)}
        if self._is_boxes(kind):
            return self._images(self._box_completeness()), self._box_annotations(index_by_concept)
        if kind == "classification":
            self._require_single_concepts()
        annotations = self._tag_annotations(index_by_concept)
        return self._images(self._tag_completeness(kind)), annotations

    def _box_annotations(self, index_by_concept: Mapping[str, int]) -> Annotations:
        """The boxes, followed by a negative row for each concept verified to be absent."""
        absent = [
            (image_index, concept, 0, 0, 0, 0, False, 0)
            for image_index, concept in self._absent_concepts
        ]
        rows = [*self._boxes, *absent]
        outlines = [self._outlines.get(row_index, "") for row_index in range(len(rows))]
        return Annotations(
            np.array([row[0] for row in rows], np.int32),
            np.array([index_by_concept[row[1]] for row in rows], np.int32),
            np.array([row[2:6] for row in rows], float).reshape(-1, 4),
            np.array([row[6] for row in rows], bool),
            np.arange(len(rows)) < len(self._boxes),
            np.array([row[7] for row in rows], float),
            string_column(outlines) if self._outlines else None,
        )

    def _box_completeness(self) -> list[int]:
        """What is known of each image's objects."""
        annotated = PARTIAL if self._absent_concepts else EXHAUSTIVE
        return [annotated if record[5] else UNANNOTATED for record in self._image_records]

    def _tag_annotations(self, index_by_concept: Mapping[str, int]) -> Annotations:
        return Annotations(
            np.array([image_index for image_index, _ in self._tags], np.int32),
            np.array([index_by_concept[concept] for _, concept in self._tags], np.int32),
            None,
            np.zeros(len(self._tags), bool),
            np.array(list(self._tags.values()), bool),
            None,
        )

    def _tag_completeness(self, kind: Kind) -> list[int]:
        """What is known of each image's tags: all, if no tag is negative."""
        tagged_images = {image_index for image_index, _ in self._tags}
        tagged_state = EXHAUSTIVE if all(self._tags.values()) else PARTIAL
        return [
            tagged_state
            if image_index in tagged_images or (record[5] and kind == "tagging")
            else UNANNOTATED
            for image_index, record in enumerate(self._image_records)
        ]

    def _images(self, completeness: list[int]) -> Images:
        records = self._image_records
        return create_images(
            list(self._image_index_by_path),
            [record[2] for record in records],
            completeness,
            [record[0] for record in records],
            [record[1] for record in records],
            [record[3] for record in records],
            string_column([record[4] for record in records]),
        )

    def _require_single_concepts(self) -> None:
        first_concept: dict[int, str] = {}
        for (image_index, concept), positive in self._tags.items():
            if positive and first_concept.setdefault(image_index, concept) != concept:
                raise MultipleConceptsError(
                    self.path,
                    list(self._image_index_by_path)[image_index],
                    first_concept[image_index],
                    concept,
                )

    def _all_notes(self, kind: Kind) -> list[Note]:
        notes = list(self.notes)
        if self._skipped_files:
            message = f"files of another format, not read: {summarize_names(self._skipped_files)}"
            notes.append(Note("skipped_files", message, len(self._skipped_files), "info"))
        if not self._is_boxes(kind) or not self._boxes:
            return notes
        notes += check_boxes(
            self.path,
            np.array([box_record[2:6] for box_record in self._boxes], float),
            lambda box_index: self._boxes[box_index][8],
        )
        if self._tags:
            message = (
                f"{format_count(len(self._tags), 'tag')} ignored because the source has boxes: "
                "use --kind tagging to import them"
            )
            notes.append(Note("tags_left_out", message, len(self._tags), "info"))
        return notes

    def add_note(self, kind: str, count: int, message: str, severity: Any = "info") -> None:
        """Add a note if the count is not zero."""
        if count:
            self.notes.append(Note(kind, message, count, severity))
