"""Images, boxes and tags gathered one by one, as most formats tell of them, and made into columns at the end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.columns import CLOSED, OPEN, UNANNOTATED, Annotations, Images, Kind, texts
from pellucid.errors import ImageTwice, RecordBad, TagContradicted, TwoConcepts, counted
from pellucid.formats.source import AnnotationSource, BoxUnit, Note, check_boxes, image_path, listed_images

Numbers = tuple[float, float, float, float]


@dataclass
class Gathering:
    """path: of the source, for messages · home: the folder of the pictures, if the user named one."""

    path: str
    format: str
    home: str | None = None
    notes: list[Note] = field(default_factory=list)
    _images: dict[str, int] = field(default_factory=dict)
    _facts: list[list[Any]] = field(default_factory=list)
    _boxes: list[tuple[Any, ...]] = field(default_factory=list)
    _tags: dict[tuple[int, str], bool] = field(default_factory=dict)
    _outlines: dict[int, str] = field(default_factory=dict)
    _absent: dict[tuple[int, str], None] = field(default_factory=dict)

    def image(
        self, name: str, width: float = 0, height: float = 0, split: int = -1, identity: str = "", metadata: str = "",
        annotated: bool = True,
    ) -> int:  # fmt: skip
        """The image's row; what an earlier record did not say is added. annotated: whether anything is known of it."""
        key = image_path(self.path, name, self.home)
        row = self._images.setdefault(key, len(self._images))
        if row == len(self._facts):
            self._facts.append([0, 0, -1, identity, "", False])
        facts = self._facts[row]
        if not facts[0] and 0 < width < 1 << 31 and 0 < height < 1 << 31:
            facts[0], facts[1] = round(width), round(height)
        if split >= 0:
            facts[2] = split
        facts[4] = facts[4] or metadata
        facts[5] = facts[5] or annotated
        return row

    def record(self, name: str, *facts: Any, **more: Any) -> int:
        """An image that has one record of its own; raises ImageTwice where two records are of one picture."""
        if image_path(self.path, name, self.home) in self._images:
            raise ImageTwice(self.path, name)
        return self.image(name, *facts, **more)

    def box(self, image: int, concept: str, box: Numbers, place: str, ignore: bool = False, area: float | None = None) -> None:
        """box: [left, top, width, height]; place: where it stands, for messages."""
        if not concept.strip():
            raise RecordBad(self.path, place, "it has no concept", "Name what the box shows.")
        left, top, width, height = box
        self._boxes.append((image, concept.strip(), left, top, width, height, ignore, width * height if area is None else area, place))

    def corners(self, image: int, concept: str, corners: Numbers, place: str, ignore: bool = False) -> None:
        """corners: left, top, right, bottom, in any order of the two points."""
        left, top, right, bottom = corners
        left, right = min(left, right), max(left, right)
        top, bottom = min(top, bottom), max(top, bottom)
        self.box(image, concept, (left, top, right - left, bottom - top), place, ignore)

    def around(
        self, image: int, concept: str, points: list[tuple[float, float]], place: str, ignore: bool = False, drawn: bool = False
    ) -> None:  # fmt: skip
        """The bounding box of an outline. drawn: the outline itself is kept, to be drawn."""
        if not points:
            raise RecordBad(self.path, place, "it has no points", "Write at least two.")
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.corners(image, concept, (min(xs), min(ys), max(xs), max(ys)), place, ignore)
        if drawn and len(points) > 2:
            self._outlines[len(self._boxes) - 1] = json.dumps([[number for point in points for number in point]])

    def tag(self, image: int, concept: str, positive: bool = True) -> None:
        key = (image, concept.strip())
        if self._tags.setdefault(key, positive) != positive:
            raise TagContradicted(self.path, list(self._images)[image], concept)

    def columns(self, part: AnnotationSource, names: list[str], place: str) -> None:
        """Add the annotations of another source; names: of its images, as they are called here."""
        table = part.annotations
        rows = zip(table.image.tolist(), table.concept.tolist(), table.ignore.tolist(), table.positive.tolist(), strict=True)
        for row, (owner, concept, ignore, positive) in enumerate(rows):
            image, name = self.image(names[owner]), part.concepts[concept]
            if table.box is None:
                self.tag(image, name, positive)
            elif positive:
                left, top, width, height = table.box[row].tolist()
                area = None if table.area is None else float(table.area[row])
                self.box(image, name, (left, top, width, height), f"{place} {row}", ignore, area)
                if table.outline is not None and table.outline[row]:
                    self._outlines[len(self._boxes) - 1] = str(table.outline[row])
            else:
                self.absent(image, name)

    def absent(self, image: int, concept: str) -> None:
        """Somebody looked for the concept in a picture of boxes and found none."""
        self._absent.setdefault((image, concept.strip()))

    def source(
        self, kind: Kind | None, concepts: list[str] | None = None, ids: list[str] | None = None, folder: str | None = None,
        unit: BoxUnit = "pixels",
    ) -> AnnotationSource:  # fmt: skip
        """Everything gathered. kind: the one asked for, or None for what there is · concepts, ids: as the format lists them, if it does."""
        chosen = kind or self._kind()
        named = {row[1] for row in self._boxes} if self._is_boxes(chosen) else {concept for _, concept in self._tags}
        named |= {concept for _, concept in self._absent}
        listed = list(dict.fromkeys(concepts or ()))
        names = [*listed, *sorted(named - set(listed))]
        known = dict(zip(concepts or (), ids or (), strict=False))
        images, annotations = self._columns(chosen, names)
        return AnnotationSource(
            self.path, self.format, "detection" if self._is_boxes(chosen) else chosen, names, [known.get(name, "") for name in names],
            bool(listed), images, annotations, folder, self._all_notes(chosen), unit,
        )  # fmt: skip

    def _kind(self) -> Kind:
        if self._boxes or not self._tags:
            return "detection"
        each = Counter(image for (image, _), positive in self._tags.items() if positive)
        alone = all(self._tags.values()) and set(each.values()) <= {1}
        return "classification" if alone else "tagging"

    def _is_boxes(self, kind: Kind) -> bool:
        return kind == "detection" or not self._tags

    def _columns(self, kind: Kind, names: list[str]) -> tuple[Images, Annotations]:
        number = {name: row for row, name in enumerate(names)}
        facts = self._facts
        if self._is_boxes(kind):
            rows = [*self._boxes, *((image, concept, 0, 0, 0, 0, False, 0) for image, concept in self._absent)]
            box = np.array([row[2:6] for row in rows], float).reshape(-1, 4)
            annotations = Annotations(
                np.array([row[0] for row in rows], np.int32), np.array([number[row[1]] for row in rows], np.int32), box,
                np.array([row[6] for row in rows], bool), np.arange(len(rows)) < len(self._boxes),
                np.array([row[7] for row in rows], float),
                texts([self._outlines.get(place, "") for place in range(len(rows))]) if self._outlines else None,
            )  # fmt: skip
            stated = [(OPEN if self._absent else CLOSED) if fact[5] else UNANNOTATED for fact in facts]
        else:
            if kind == "classification":
                self._refuse_two()
            positive = np.array(list(self._tags.values()), bool)
            keys = list(self._tags)
            annotations = Annotations(
                np.array([image for image, _ in keys], np.int32), np.array([number[concept] for _, concept in keys], np.int32), None,
                np.zeros(len(keys), bool), positive, None,
            )  # fmt: skip
            tagged = {image for image, _ in keys}
            known = CLOSED if positive.all() else OPEN
            stated = [known if row in tagged or (fact[5] and kind == "tagging") else UNANNOTATED for row, fact in enumerate(facts)]
        images = listed_images(
            list(self._images), [fact[2] for fact in facts], stated, [fact[0] for fact in facts], [fact[1] for fact in facts],
            [fact[3] for fact in facts], texts([fact[4] for fact in facts]),
        )  # fmt: skip
        return images, annotations

    def _refuse_two(self) -> None:
        first: dict[int, str] = {}
        for (image, concept), positive in self._tags.items():
            if positive and first.setdefault(image, concept) != concept:
                raise TwoConcepts(self.path, list(self._images)[image], first[image], concept)

    def _all_notes(self, kind: Kind) -> list[Note]:
        notes = list(self.notes)
        if not self._is_boxes(kind) or not self._boxes:
            return notes
        notes += check_boxes(self.path, np.array([row[2:6] for row in self._boxes], float), lambda row: self._boxes[row][8])
        if self._tags:
            text = f"{counted(len(self._tags), 'tag')} beside the boxes left out: --kind tagging takes them"
            notes.append(Note("tags_left_out", text, len(self._tags), "info"))
        return notes

    def note(self, kind: str, number: int, text: str, severity: Any = "info") -> None:
        """Tell of something, if there is any."""
        if number:
            self.notes.append(Note(kind, text, number, severity))
