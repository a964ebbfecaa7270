"""From a loaded version to the documents of the page."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import numpy as np

from pellucid.browse.items import Item, Outcome, described
from pellucid.browse.list_views import Shown
from pellucid.browse.selection import TABS, Selection
from pellucid.core.tables import NOT_RUN, SPLITS, Float64Array
from pellucid.evaluation.counts import count_outcomes, histogram
from pellucid.evaluation.error_causes import image_pair_ious, is_active_prediction
from pellucid.evaluation.evaluation import STATE_NAMES
from pellucid.evaluation.match_result import MATCHED
from pellucid.evaluation.thresholds import ThresholdSource
from pellucid.images.crop_cache import stamp
from pellucid.images.crop_region import Region, frame
from pellucid.images.locations import join
from pellucid.images.sizes import displayed_size
from pellucid.project import Version
from pellucid.results.results import Results
from pellucid.review.coverage import NEW
from pellucid.review.events import DecisionLog
from pellucid.server.overlay import OtherVersion
from pellucid.server.schemas.gallery_schema import (
    AnnotatedBox,
    Box,
    ConceptDocument,
    FiguresDocument,
    FourTabs,
    HistogramDocument,
    ImageDocument,
    NoteDocument,
    PageDocument,
    PageItem,
    Partner,
    PredictedBox,
    ReviewDocument,
    SplitDocument,
    VersionDocument,
)  # fmt: skip
from pellucid.storage.mapped_columns import let_go
from pellucid.storage.remote_columns import bring


def version_document(version: Version, loaded: Results) -> VersionDocument:
    evaluation, manifest = loaded.evaluation, loaded.manifest
    splits = []
    for place, name in enumerate(SPLITS):
        inside = evaluation.images.split == place
        if inside.any():
            covered = int((evaluation.coverage[inside] != NOT_RUN).sum())
            splits.append(SplitDocument(name, int(inside.sum()), covered))
    notes = [
        NoteDocument(said.kind, said.message, said.count, said.severity, source.path.rsplit("/", maxsplit=1)[-1])
        for source in [*manifest.annotation_sources, *manifest.prediction_sources]
        for said in source.notes
    ] + [
        NoteDocument("reading", f"{read.question}: {read.answer} ({read.evidence})", 1, "info", source.path.rsplit("/", maxsplit=1)[-1])
        for source in [*manifest.annotation_sources, *manifest.prediction_sources]
        for read in source.readings
    ]
    return VersionDocument(
        version.view.name, version.name, manifest.kind, manifest.started, manifest.iou, list(evaluation.concepts), splits, notes
    )


def figures_document(loaded: Results, split: int, thresholds: Float64Array, ledger: DecisionLog) -> FiguresDocument:
    evaluation = loaded.evaluation
    counts = count_outcomes(evaluation, split, thresholds)
    loaded.reviewed_items.update(ledger)
    tabs = [loaded.reviewed_items.count_reviewed(Selection(evaluation, tab, split, None, thresholds)) for tab in TABS]
    reviewed, unsure = (np.stack([one[state] for one in tabs]) for state in (0, 1))
    of_all = reviewed[0].copy(), unsure[0].copy()
    if evaluation.kind == "classification":  # of one concept, All holds scores that are not their image's highest
        each = [loaded.reviewed_items.count_reviewed(Selection(evaluation, "all", split, place, thresholds)) for place in range(len(evaluation.concepts))]
        reviewed[0], unsure[0] = (sum(one[state] for one in each) for state in (0, 1))
    concepts = []
    for place, optimal in enumerate(evaluation.thresholds):
        source: ThresholdSource = optimal.source if thresholds[place] == optimal.value else "user"
        concepts.append(ConceptDocument(
            float(thresholds[place]), optimal.value, source, optimal.equally_good, optimal.annotations,
            int(counts.total[place]), int(counts.above_threshold[place]), int(counts.tp[place]), int(counts.fp[place]), int(counts.fn[place]),
            FourTabs(*reviewed[:, place].tolist()), FourTabs(*unsure[:, place].tolist()),
        ))  # fmt: skip
    everything = Selection(evaluation, "all", split, None, thresholds)
    return FiguresDocument(concepts, everything.total, int(of_all[0].sum()), int(of_all[1].sum()), ledger.head)


def histogram_document(loaded: Results, split: int, concept: int | None, bins: int) -> HistogramDocument:
    found = histogram(loaded.evaluation, split, concept, bins)
    return HistogramDocument(found.edges.tolist(), found.right.tolist(), found.wrong.tolist(), found.other.tolist())


class Pictures:
    """Where a version's pictures are: on disk for the server, and under which address for the page."""

    def __init__(self, version: Version, loaded: Results) -> None:
        self.images = loaded.evaluation.images
        self.folders = loaded.folders
        self.address = f"pictures/{quote(version.view.name, safe='')}/{quote(version.name, safe='')}"

    def location(self, image: int) -> str | None:
        root = int(self.images.root[image])
        return join(self.folders[root], str(self.images.path[image])) if root >= 0 else None

    def stamp(self, image: int) -> str:
        location = self.location(image)
        return "0" if location is None else stamp(location)

    def size(self, image: int, mark: str) -> tuple[int, int]:
        """Width and height as displayed: the picture's own, else as declared."""
        location = self.location(image)
        found = size_of(location, mark) if location is not None and mark != "0" else None
        return found or (int(self.images.width[image]), int(self.images.height[image]))

    def picture(self, image: int, mark: str) -> str:
        """The address of the picture; changes when the picture does, so that it can be kept for ever."""
        return f"{self.address}/{image}/{mark}"


@lru_cache(maxsize=200_000)
def size_of(location: str, mark: str) -> tuple[int, int] | None:
    return displayed_size(location)


BETWEEN = 16
"""Items described before memory that reading has brought in is given back."""


def page_document(
    version: Version, loaded: Results, selection: Shown, single: bool, offset: int, limit: int, ledger: DecisionLog,
    other: OtherVersion | None = None,
) -> PageDocument:  # fmt: skip
    """single: one threshold holds for all items, so that All has a position to jump to. other: what is shown beside each."""
    pictures = Pictures(version, loaded)
    rows = selection.page(offset, limit)
    shown: list[PageItem] = []
    at_once = max(len(rows), 1) if bring(loaded.evaluation, rows, selection.shows_annotations) else BETWEEN
    for begin in range(0, len(rows), at_once):
        let_go()
        part = rows[begin : begin + at_once]
        items = described(selection, part, offset + begin)
        shown += [page_item(loaded, selection, pictures, row, item, ledger, other) for row, item in zip(part.tolist(), items, strict=True)]
    position = selection.threshold_position if single and selection.tab == "all" else None
    return PageDocument(selection.tab, selection.total, position, offset, shown)


def page_item(
    loaded: Results, selection: Shown, pictures: Pictures, row: int, item: Item, ledger: DecisionLog, other: OtherVersion | None = None
) -> PageItem:
    evaluation = loaded.evaluation
    table = evaluation.annotations if selection.shows_annotations else evaluation.predictions
    image, concept = int(table.image[row]), int(table.concept[row])
    partner = annotation_partner(loaded, selection, row, item) if selection.shows_annotations else prediction_partner(loaded, row, item)
    over: Outcome = "extra" if selection.shows_annotations else STATE_NAMES[int(evaluation.state[row])]
    mark = pictures.stamp(image)
    framed = None if item.box is None else frame_of(pictures, image, mark, item.box)
    return PageItem(
        item.position, row, image, item.image, concept, item.score, item.box, item.outcome, over, item.cause, partner, framed,
        pictures.picture(image, mark), review_of(loaded, ledger, image, row, selection.shows_annotations),
        None if other is None else other.beside(item.image, item.concept, item.box),
    )  # fmt: skip


def frame_of(pictures: Pictures, image: int, mark: str, box: Box) -> Region | None:
    """The part of the picture in which a box is shown; None where its size is not known."""
    width, height = pictures.size(image, mark)
    return frame(box, width, height) if width > 0 and height > 0 else None


def review_of(loaded: Results, ledger: DecisionLog, image: int, row: int, annotation: bool) -> ReviewDocument | None:
    """What was decided on a row, if anything was."""
    state, decision = loaded.reviewed_items.state(image, row, annotation)
    told = ledger.decisions.get(decision)
    return None if state == NEW or told is None else ReviewDocument(told.id, told.action, told.who, told.when, told.reason)


def prediction_partner(loaded: Results, row: int, item: Item) -> Partner | None:
    """The annotation a box matched or lies in; in classification, what a wrong image is annotated with."""
    evaluation = loaded.evaluation
    partner = int(evaluation.partner[row])
    if evaluation.kind == "detection":
        if partner < 0:
            return None
        return Partner(
            "annotation", int(evaluation.annotations.concept[partner]), box(evaluation.annotations.box, partner), None,
            float(evaluation.iou[row]),
        )  # fmt: skip
    if evaluation.kind == "classification" and evaluation.state[row] != MATCHED:
        own = loaded.neighbours.annotations(int(evaluation.predictions.image[row]))
        if len(own):
            return Partner("annotation", int(evaluation.annotations.concept[own[0]]), None, None, None)
    return None


def annotation_partner(loaded: Results, selection: Shown, row: int, item: Item) -> Partner | None:
    """The prediction that came nearest to an extra box; in classification, what was predicted instead."""
    evaluation = loaded.evaluation
    places, table = loaded.neighbours.prediction_positions(int(evaluation.annotations.image[row])), evaluation.predictions_by_image
    if evaluation.kind == "detection":
        if item.best_match is None or item.best_match.score is None:
            return None
        same = places[table.concept[places] == evaluation.annotations.concept[row]]
        same = same[table.score[same] == item.best_match.score]
        nearest = int(same[np.argmax(image_pair_ious(evaluation, same, np.full(len(same), row)))])
        return Partner("prediction", int(table.concept[nearest]), box(table.box, nearest), item.best_match.score, item.best_match.iou)
    if evaluation.kind == "classification":
        chosen = places[is_active_prediction(evaluation, places, selection.thresholds)]
        if len(chosen):
            instead = int(chosen[0])
            return Partner("prediction", int(table.concept[instead]), None, float(table.score[instead]), None)
    return None


def box(boxes: Any, row: int) -> Box | None:
    if boxes is None:
        return None
    left, top, width, height = boxes[row].tolist()
    return left, top, width, height


def image_document(version: Version, loaded: Results, image: int, thresholds: Float64Array, other: OtherVersion | None = None) -> ImageDocument:
    """One picture with everything on it."""
    evaluation = loaded.evaluation
    pictures = Pictures(version, loaded)
    mark = pictures.stamp(image)
    width, height = pictures.size(image, mark)
    places, table, rows = loaded.neighbours.prediction_positions(image), evaluation.predictions_by_image, loaded.neighbours.predictions(image)
    score, concept, state = table.score[places], table.concept[places], table.state[places]
    predicted = [
        PredictedBox(
            int(rows[place]), int(concept[place]), float(score[place]), box(table.box, int(places[place])),
            "below" if score[place] < thresholds[concept[place]] else STATE_NAMES[int(state[place])],
        )
        for place in np.argsort(-score, kind="stable").tolist()
    ]  # fmt: skip
    own = sorted(loaded.neighbours.annotations(image).tolist())
    annotated = [annotated_box(loaded, row, thresholds, outline) for row, outline in zip(own, version.outlines(loaded, own), strict=True)]
    covered = bool(evaluation.coverage[image] != NOT_RUN)
    metadata = json.loads(evaluation.images.metadata[image] or "{}")
    return ImageDocument(
        image, str(evaluation.images.path[image]), SPLITS[evaluation.images.split[image]], width, height, covered,
        pictures.picture(image, mark), metadata, predicted, annotated,
        [] if other is None else other.on(str(evaluation.images.path[image])),
    )  # fmt: skip


def annotated_box(loaded: Results, row: int, thresholds: Float64Array, outline: list[list[float]]) -> AnnotatedBox:
    evaluation = loaded.evaluation
    concept = int(evaluation.annotations.concept[row])
    where = box(evaluation.annotations.box, row)
    if evaluation.annotations.ignore[row] or evaluation.coverage[evaluation.annotations.image[row]] == NOT_RUN:
        return AnnotatedBox(row, concept, where, "ignored", outline)
    if not evaluation.annotations.positive[row]:
        return AnnotatedBox(row, concept, where, "negative", outline)
    found = evaluation.answer_score[row] >= thresholds[concept]
    return AnnotatedBox(row, concept, where, "matched" if found else "extra", outline)
