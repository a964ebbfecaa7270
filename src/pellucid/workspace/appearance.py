"""How the items of a split look: their features (the user's embeddings, else a plain descriptor), groups and a map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.columns import Flags, Floats, Longs
from pellucid.understand.appearance import grouped, laid_out, nearest
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.gallery import Selection, Tab
from pellucid.understand.properties import Property
from pellucid.workspace.embeddings import Embeddings
from pellucid.workspace.looked import Looked, at_lines


class Appearance:
    """Lines are those of Looked: pictures, then boxes of annotations, then of predictions."""

    def __init__(self, evaluation: Evaluation, looked: Looked, embeddings: Embeddings | None) -> None:
        self.looked = looked
        self._evaluation = evaluation
        self._embeddings = embeddings

    @property
    def source(self) -> str:
        """Where the features come from."""
        return "embeddings" if self._embeddings is not None else "colours and edges"

    @cached_property
    def features(self) -> Floats:
        if self._embeddings is None:
            return np.asarray(self.looked.likeness, np.float32)
        items, evaluation = self.looked.items, self._evaluation
        paths = evaluation.images.path
        parts = [self._embeddings.of_pictures(paths[items.images])]
        for rows, table in ((items.annotations, evaluation.annotations), (items.predictions, evaluation.predictions)):
            if len(rows):
                assert table.box is not None
                parts.append(self._embeddings.of_boxes(paths[table.image[rows]], table.box[rows]))
        return np.concatenate(parts)

    @cached_property
    def _shown(self) -> slice:
        """What is grouped and mapped: boxes where there are any."""
        items = self.looked.items
        return slice(len(items.images), None) if len(items.annotations) + len(items.predictions) else slice(0, None)

    @cached_property
    def groups(self) -> Longs:
        """A group for each line, -1 for none."""
        label = np.full(len(self.features), -1, np.int64)
        label[self._shown] = grouped(self.features[self._shown])
        return label

    @cached_property
    def places(self) -> Floats:
        """On the map, float64 (lines, 2), NaN for none."""
        place = np.full((len(self.features), 2), np.nan)
        place[self._shown] = laid_out(self.features[self._shown])
        return place

    def group_of(self, rows: Longs, images: Longs, annotations: bool, boxes: bool) -> Property:
        line, _ = self.looked.places(rows, images, annotations, boxes)
        number = int(self.groups.max(initial=-1)) + 1
        return Property("group", at_lines(self.groups, line, -1).astype(np.int64), tuple(str(place + 1) for place in range(number)))

    def like(self, line: int, lines: Longs, number: int) -> Longs:
        """Of these lines (-1: none), the places of those most like `line`, most alike first."""
        able = np.flatnonzero(lines >= 0)
        features = np.concatenate([self.features[[line]], self.features[lines[able]]])
        return np.asarray(able[nearest(features, 0, number + 1)[1:] - 1])


@dataclass(frozen=True, eq=False)
class OnMap:
    """Annotations that can be found, and predictions that match none: what is drawn as points. line: of Looked · row: of the annotations
    where `annotation`, else of the predictions (a matched one's is that of its prediction) · outcome: `matched`, `extra` or `missing`."""

    line: Longs
    row: Longs
    annotation: Flags
    concept: Longs
    image: Longs
    outcome: list[Tab]


def on_map(evaluation: Evaluation, split: int, looked: Looked) -> OnMap:
    """At the optimal thresholds; what was not looked at is left out."""
    boxes = evaluation.kind == "detection"
    start = evaluation.annotation_start[split]
    annotated = np.asarray(evaluation.counted_annotations[start[0] : start[-1]], np.int64)
    found = evaluation.answer_score[annotated] >= evaluation.optimal[evaluation.annotations.concept[annotated]]
    missing = Selection(evaluation, "missing", split, None, evaluation.optimal).every()
    images = [np.asarray(evaluation.annotations.image[annotated], np.int64), np.asarray(evaluation.predictions.image[missing], np.int64)]
    shown = np.where(found, evaluation.answer[annotated], annotated)
    own = looked.places(annotated, images[0], True, boxes)[0]
    own[found] = looked.places(shown[found].astype(np.int64), images[0][found], False, boxes)[0]
    line = np.concatenate([own, looked.places(missing, images[1], False, boxes)[0]])
    kept = line >= 0
    row = np.concatenate([shown, missing])
    concept = np.concatenate([evaluation.annotations.concept[annotated], evaluation.predictions.concept[missing]])
    words: list[Tab] = ["matched" if one else "extra" for one in found.tolist()]
    words += ["missing"] * len(missing)
    return OnMap(
        line[kept], np.asarray(row[kept], np.int64), np.concatenate([~found, np.zeros(len(missing), bool)])[kept],
        np.asarray(concept[kept], np.int64), np.concatenate(images)[kept], [words[place] for place in np.flatnonzero(kept).tolist()],
    )  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Items that look alike. number: from 1 · matched, extra, missing: how many of each outcome · concepts: the commonest, with how many ·
    only: what narrows a tab down to it."""

    number: int
    matched: int
    extra: int
    missing: int
    concepts: list[tuple[str, int]]

    @property
    def only(self) -> str:
        return f"where:group={self.number}"

    @property
    def share(self) -> float:
        """Of its items, those that are errors."""
        return (self.extra + self.missing) / max(1, self.matched + self.extra + self.missing)


COMMONEST = 3


def groups(evaluation: Evaluation, split: int, seen: Appearance) -> list[Group]:
    """Most errors first."""
    lines = on_map(evaluation, split, seen.looked)
    outcome, found = np.array(lines.outcome, object), []
    for number in range(int(seen.groups.max(initial=-1)) + 1):
        inside = seen.groups[lines.line] == number
        concepts = np.bincount(lines.concept[inside], minlength=len(evaluation.concepts))
        order = np.argsort(-concepts, kind="stable")[:COMMONEST].tolist()
        common = [(evaluation.concepts[one], int(concepts[one])) for one in order if concepts[one]]
        matched, extra, missing = (int((outcome[inside] == name).sum()) for name in ("matched", "extra", "missing"))
        found.append(Group(number + 1, matched, extra, missing, common))
    return sorted(found, key=lambda one: -one.share)
