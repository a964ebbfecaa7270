"""A version: one trained model, its frozen images, splits and annotations, and its predictions."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.columns import NOT_RUN, SPLITS, Annotations, Bytes, Images, Longs, Split, no_predictions
from pellucid.errors import WriteError, UnknownConceptError, KindConflictError, InvalidChoiceError, EmptySplitError, VersionModifiedError
from pellucid.formats import read_predictions
from pellucid.formats.source import Note
from pellucid.release import __version__
from pellucid.understand.counts import with_all_kept
from pellucid.understand.evaluation import VALIDATION, Evaluation, evaluate
from pellucid.understand.gallery import TABS, Selection, Tab
from pellucid.understand.intervals import Interval
from pellucid.understand.metrics import Metrics, defined, metrics
from pellucid.understand.thresholds import Threshold, chosen_by_user
from pellucid.understand.voc import voc_average_precision
from pellucid.workspace.appearance import Appearance, Group, groups
from pellucid.workspace.comparison import Compared, compared
from pellucid.workspace.embeddings import FILE as EMBEDDINGS
from pellucid.workspace.embeddings import kept_embeddings
from pellucid.workspace.figures import (
    Causes,
    SplitFigures,
    ThresholdFigures,
    cause_figures,
    confusion_figures,
    objectives,
    remarks,
    split_figures,
)
from pellucid.workspace.findings import repeated_boxes
from pellucid.workspace.gallery import Gallery
from pellucid.workspace.imports import Covered, Frozen, link, split_position
from pellucid.workspace.judging import Forced
from pellucid.workspace.loaded import ORDERS, Loaded, Order
from pellucid.workspace.looked import READ, Progress
from pellucid.workspace.manifests import Concept, Source, VersionManifest, source_record
from pellucid.workspace.mapped import write_mapped
from pellucid.workspace.mended import Originals
from pellucid.workspace.narrowed import narrowed, versions_in
from pellucid.workspace.notebook import version_html
from pellucid.workspace.reviewed import WHICH, Which
from pellucid.workspace.sliced import FoundSlice
from pellucid.workspace.spread.engines import EngineName
from pellucid.workspace.spread.engines import engine as engine_of
from pellucid.workspace.spread.evaluating import ROWS, Steps, evaluate_in_pieces, quietly
from pellucid.workspace.storage import follow, mirror_of, read_manifest, remove_leftovers, write_manifest, writing
from pellucid.workspace.tables import (
    mapped_columns,
    mapped_name,
    read_annotations,
    read_evaluation,
    read_images,
    read_outlines,
    write_evaluation,
)
from pellucid.workspace.turning import TURNED
from pellucid.workspace.widget import gallery_widget

if TYPE_CHECKING:
    from pellucid.workspace.view import View

MANIFEST = "version.json"


class Version:
    """Made by `view.start(name)`; read by `view.version(name)`."""

    def __init__(self, view: View, name: str, iou: float = 0.5) -> None:
        self.view = view
        self.name = name
        self._iou = iou
        self.folder: Path = view.folder / "versions" / name
        self._loaded: tuple[object, Loaded] | None = None
        self._loading = threading.Lock()

    def __repr__(self) -> str:
        return f"<version {self.name} of {self.view.name}>"

    def _repr_html_(self) -> str:
        return version_html(self)

    def widget(self, tab: Tab = "missing", concept: str | None = None, split: Split = "validation") -> Any:
        """The gallery as a widget for notebooks (Jupyter, VS Code). Raises NotebookMissing without anywidget."""
        self.in_split(split)
        return gallery_widget(self, split, tab, concept)

    @property
    def loaded(self) -> Loaded:
        """The version as it is on disk now; read again only when it has changed."""
        stamp = self._stamp()
        with self._loading:
            if self._loaded is None or self._loaded[0] != stamp:
                self._loaded = stamp, self._read()
            return self._loaded[1]

    def _stamp(self) -> object:
        """Changes when the version on disk does, or where its view has pictures."""
        follow(self.folder)
        embeddings = self.view.folder / EMBEDDINGS
        return modified(self.folder / MANIFEST), modified(self.view.manifest_path), embeddings.exists() and modified(embeddings)

    @property
    def evaluation(self) -> Evaluation:
        return self.loaded.evaluation

    @property
    def manifest(self) -> VersionManifest:
        return self.loaded.manifest

    @property
    def quick_manifest(self) -> VersionManifest:
        """The manifest alone, without loading the columns."""
        return read_manifest(self.folder / MANIFEST, VersionManifest)

    def _read(self) -> Loaded:
        while True:  # a writer may replace the files between the manifest and its tables
            manifest = self.quick_manifest
            names = tuple(concept.name for concept in manifest.concepts)
            try:
                if manifest.predictions is None:
                    return self._located(manifest, self._not_run(manifest, names))
                files = (manifest.images, manifest.annotations, manifest.predictions, manifest.staircase)
                evaluation = read_evaluation(self.folder, manifest.kind, names, manifest.iou, *files, manifest.generation)
                return self._located(manifest, evaluation)
            except Exception:
                if self.quick_manifest.generation == manifest.generation:
                    raise

    def _not_run(self, manifest: VersionManifest, names: tuple[str, ...]) -> Evaluation:
        images, coverage = read_images(self.folder / manifest.images)
        annotations, _ = read_annotations(self.folder / manifest.annotations)
        return without_predictions(manifest, names, images, coverage, annotations)

    def _located(self, manifest: VersionManifest, evaluation: Evaluation) -> Loaded:
        """With the pictures that were found only after the freezing: where they lie is no part of what is frozen."""
        lost, originals = evaluation.images.root < 0, self._originals(manifest)
        more: dict[str, Any] = {"originals": originals, "folder": self.folder, "embeddings": kept_embeddings(self.view.folder)}
        if not lost.any():
            return Loaded(manifest, evaluation, **more)
        known, theirs = self.view.picture_places()
        if not known:
            return Loaded(manifest, evaluation, **more)
        folders = [*manifest.folders, *theirs]
        root = evaluation.images.root.copy()
        for row in np.flatnonzero(lost):
            place = known.get(evaluation.images.path[row], -1)
            root[row] = -1 if place < 0 else len(manifest.folders) + place
        return Loaded(manifest, replace(evaluation, images=evaluation.images.replaced(root=root)), folders, **more)

    def _originals(self, manifest: VersionManifest) -> Originals | None:
        if manifest.mended is None:
            return None
        return before_mending(manifest, read_annotations(self.folder / manifest.mended.originals)[0])

    def _freeze(self) -> Loaded:
        """Freeze the view as it is now, in memory; it is kept together with the predictions."""
        manifest, images, annotations, originals = self.view.frozen_now(self._iou)
        names = tuple(concept.name for concept in manifest.concepts)
        nothing = without_predictions(manifest, names, images, np.zeros(len(images), np.int8), annotations)
        return Loaded(manifest, nothing, originals=before_mending(manifest, originals))

    def add_predictions(
        self, source: Any, split: Split | None = None, covered: Covered = "split", format: str | None = None, boxes: str | None = None,
        image_ids: str | None = None, category_ids: str | None = None, scores: str | None = None,
    ) -> list[Note]:  # fmt: skip
        """Read what the model said, match it, and keep it.

        source: a path, or columns in memory (a dict of arrays, pandas, polars, Arrow). split: the one the file
        is of; by default those of the images it names. covered: `split`, the model was run on every frozen image
        of these; `listed`, on those that the file names alone. boxes (`xyxy-pixels`, ...), image_ids, category_ids
        (`positions-from-1`, ...), scores (`percent`, `logits`): readings that would else be found by looking
        at the data. Returns what is worth knowing about the import.
        Raises PellucidError with nothing changed.
        """
        position = split_position(split)
        found = read_predictions(source, format, self.view.kind, [concept.name for concept in self._concepts])
        with writing(self.view.workspace.folder):
            before = self.loaded if (self.folder / MANIFEST).is_file() else self._freeze()
            old, manifest = before.evaluation, before.manifest
            if manifest.predictions is not None:  # mapped columns have no texts
                outline = read_outlines(self.folder / manifest.annotations)
                old = replace(old, annotations=old.annotations.replaced(outline=outline))
            if position is not None:
                refuse_empty_split(self.name, old.images, position)
            turned = any(note.kind == TURNED for one in manifest.annotation_sources for note in one.notes)
            frozen = Frozen(self.name, manifest.kind, manifest.concepts, before.folders, old.images, old.coverage, old.annotations, turned)
            next_order = int(old.predictions.order.max(initial=-1)) + 1
            linked = link(found, frozen, position, covered, next_order, Forced(boxes, image_ids, category_ids, scores))
            rows = len(linked.predictions)
            names = tuple(concept.name for concept in linked.concepts)
            together = [old.predictions.followed_by(linked.predictions)]
            path, form, linked = found.path, found.format, replace(linked, predictions=no_predictions(False))
            del found  # at tens of millions of rows there is no room for them twice
            linked.notes.extend(repeated_boxes(together[0], len(names)))
            new = evaluate(
                manifest.kind, names, linked.images, linked.coverage, old.annotations, together.pop(), manifest.iou, consume=True
            )
            record = source_record(source, path, form, rows, linked.notes, linked.judgements)
            self.folder.mkdir(parents=True, exist_ok=True)
            if manifest.generation == 0 and before.originals is not None:
                self.view.keep_originals(self.folder, manifest, before.originals.annotations)
            self._keep(manifest, new, linked.concepts, before.folders, [record])
        return linked.notes

    def keep_again(self, manifest: VersionManifest, new: Evaluation) -> None:
        """Keep what the predictions that are here already were found to be; manifest: what was evaluated. Raises VersionChanged."""
        with writing(self.view.workspace.folder):
            if self.quick_manifest.generation != manifest.generation:
                raise VersionModifiedError(self.name)
            self._keep(manifest, new, manifest.concepts, manifest.folders, [])

    def _keep(
        self, manifest: VersionManifest, new: Evaluation, concepts: list[Concept], folders: list[str], records: list[Source]
    ) -> None:  # fmt: skip
        generation = manifest.generation + 1
        names = write_evaluation(self.folder, generation, new)
        with suppress(WriteError):  # it can be made again
            write_mapped(self.folder / mapped_name(generation), mapped_columns(with_all_kept(new)))
        changed = VersionManifest(
            kind=manifest.kind, started=manifest.started, made_by=__version__, iou=manifest.iou, concepts=concepts,
            folders=folders, images=str(names["images"]), annotations=str(names["annotations"]),
            annotation_sources=manifest.annotation_sources, generation=generation, predictions=names["predictions"],
            staircase=names["staircase"], prediction_sources=[*manifest.prediction_sources, *records], counts=sizes(new),
            corrected_to=manifest.corrected_to, mended=manifest.mended,
        )  # fmt: skip
        write_manifest(self.folder / MANIFEST, changed)
        originals = manifest.mended and manifest.mended.originals
        remove_leftovers(self.folder, {mapped_name(generation), *(name for name in (*names.values(), originals) if name)})

    @property
    def location(self) -> str:
        """The folder as workers find it: a path, or the URL of a store."""
        mirror = mirror_of(self.folder)
        return mirror.location(self.folder) if mirror else str(self.folder.resolve())

    def evaluate(
        self, engine: EngineName = "local", address: str | None = None, workers: int | None = None, rows: int = ROWS,
        progress: Steps = quietly,
    ) -> None:  # fmt: skip
        """Match the predictions again, in pieces; the result is the same to the last bit, wherever it is done.

        engine: `local` (this process), `processes` (of this machine), `ray` (a cluster; address: of one that runs already). rows: the
        most predictions that a worker holds at a time. What was done before a call was interrupted is not done again.
        Raises VersionNotRun, VersionChanged, RayMissing, ClusterMissing, WorkersLost.
        """
        with engine_of(engine, address, workers) as made:
            evaluate_in_pieces(self, made, rows, progress)

    def outlines(self, loaded: Loaded, rows: list[int]) -> list[list[list[float]]]:
        """The outlines of these annotations (rising), as polygons in pixels; empty where there is none."""
        path = self.folder / loaded.manifest.annotations
        frozen = rows if loaded.frozen_rows is None else loaded.frozen_rows[rows].tolist()
        asked = sorted(row for row in frozen if row >= 0)
        found = read_outlines(path, asked) if asked else None
        if found is None or len(found) != len(asked):
            return [[] for _ in rows]
        outline = dict(zip(asked, found.tolist(), strict=True))
        return [json.loads(outline[row]) if outline.get(row) else [] for row in frozen]

    @property
    def splits(self) -> list[Split]:
        """The splits in which this version froze images."""
        return splits_of(self.evaluation.images)

    @property
    def _concepts(self) -> list[Concept]:
        there = (self.folder / MANIFEST).is_file()
        return self.quick_manifest.concepts if there else self.view.manifest.concepts

    def in_split(self, split: str) -> int:
        """The split's position; raises NotOneOf, and SplitEmpty where the version froze nothing in it."""
        place = split_position(split)
        assert place is not None
        refuse_empty_split(self.name, self.evaluation.images, place)
        return place

    @property
    def thresholds(self) -> Mapping[str, Threshold]:
        """Each concept's threshold, chosen exactly to make the fewest errors on validation, in the view's order."""
        return self.thresholds_held(corrected=False)

    def thresholds_held(self, corrected: bool) -> Mapping[str, Threshold]:
        """The same, with people's corrections of the annotations or as trained."""
        evaluation = self._state(corrected).evaluation
        return dict(zip(evaluation.concepts, evaluation.thresholds, strict=True))

    def threshold_intervals(self, corrected: bool = False) -> Mapping[str, Interval | None]:
        """For each concept, how sure its threshold is: a 90 % interval, by bootstrap over the validation images."""
        loaded = self._state(corrected)
        return dict(zip(loaded.evaluation.concepts, loaded.intervals, strict=True))

    def _state(self, corrected: bool) -> Loaded:
        return self.loaded.with_corrections(self.view.reviews.ledger) if corrected else self.loaded

    def threshold_at(self, concept: str, value: float) -> Threshold:
        """The concept's threshold if a person set it to `value`."""
        place = self.concept_position(concept)
        return chosen_by_user(self.evaluation.thresholds[place], self.evaluation.counted(VALIDATION, place), value)

    def concept_position(self, concept: str) -> int:
        if concept not in self.evaluation.concepts:
            raise UnknownConceptError(concept, self.evaluation.concepts)
        return self.evaluation.concepts.index(concept)

    def metrics(self, split: Split = "validation", corrected: bool = False) -> Metrics:
        """Figures at the thresholds, per concept and overall, on one split. corrected: with people's corrections, else as trained."""
        self.in_split(split)
        evaluation = self._state(corrected).evaluation
        return metrics(evaluation, split, evaluation.optimal)

    def figures(self, concept: str | None = None, corrected: bool = False) -> list[SplitFigures]:
        """Of each split with images, training first: the counts at the thresholds, the curves of precision, recall, F1 and errors against
        the threshold, the scores of right and wrong predictions, and calibration. concept None: of all together."""
        loaded, place = self._state(corrected), None if concept is None else self.concept_position(concept)
        return [split_figures(loaded, SPLITS.index(split), place, loaded.evaluation.optimal) for split in self.splits]

    def remarks(self, concept: str | None = None) -> list[str]:
        """What to know before believing the figures: few annotations, a gap between training and validation."""
        return remarks(self.loaded, None if concept is None else self.concept_position(concept), self.figures(concept))

    def threshold_for(self, objective: str, concept: str | None = None, corrected: bool = False) -> ThresholdFigures:
        """A threshold for another end than fewest errors: `f1`, `cost:FALSE_ALARM,MISS`, `precision:LEAST`, `recall:LEAST`, with its 90 %
        interval. concept None: one for all together. Raises ObjectiveBad."""
        place = None if concept is None else self.concept_position(concept)
        return objectives(self._state(corrected), place, [objective])[0]

    def causes(self, split: Split = "validation", concept: str | None = None, corrected: bool = False) -> Causes:
        """How many errors have which cause, and in detection what fixing each kind of mistake would gain in AP, as TIDE counts it."""
        loaded, place = self._state(corrected), None if concept is None else self.concept_position(concept)
        return cause_figures(loaded, self.in_split(split), place, loaded.evaluation.optimal)

    def confusion(self, split: Split = "validation", corrected: bool = False) -> Longs:
        """int64 (concepts + 1, concepts + 1): annotated by predicted, the last of each being none."""
        loaded, side = self._state(corrected), len(self.evaluation.concepts) + 1
        found = confusion_figures(loaded, self.in_split(split), loaded.evaluation.optimal)
        matrix = np.zeros((side, side), np.int64)
        matrix[found.annotated, found.predicted] = found.number
        return matrix

    def slices(
        self, split: Split = "validation", pictures: int = READ, corrected: bool = False, progress: Progress | None = None
    ) -> list[FoundSlice]:
        """Kinds of items on which errors are more (or fewer) frequent than elsewhere by more than chance, most errors explained first.

        pictures: how many of the split's are looked at, at most; 0: none, so that only boxes and columns are.
        """
        loaded, place = self._state(corrected), self.in_split(split)
        if pictures == 0:
            return loaded.slices(place, None)
        if pictures != READ or progress is not None:
            looked = loaded.looks.read(place, pictures, progress)
            return loaded.slices(place, Appearance(loaded.evaluation, looked, loaded.embeddings), pictures)
        return loaded.slices(place, loaded.appearance(place))

    def groups(self, split: Split = "validation") -> list[Group]:
        """What looks alike: groups of the split's items, most errors first."""
        place = self.in_split(split)
        return groups(self.loaded.evaluation, place, self.loaded.appearance(place))

    def compare(self, other: Version, split: Split = "validation") -> Compared:
        """This version and a later one on the images both were run on, each at its own thresholds. Raises KindConflict, SplitEmpty."""
        self.in_split(split)
        other.in_split(split)
        return compared(self.name, self.loaded, other.name, other.loaded, split)

    def voc(
        self, split: Split = "validation", iou: float = 0.5, eleven_points: bool = False, inclusive_pixels: bool = False
    ) -> dict[str, float | None]:  # fmt: skip
        """AP of each concept of a detection version as PASCAL VOC counts it (see understand.voc); None without annotations."""
        if self.evaluation.kind != "detection":
            raise KindConflictError("VOC's AP", self.view.name, self.evaluation.kind, "a figure of boxes")
        values = voc_average_precision(self.evaluation, self.in_split(split), iou, eleven_points, inclusive_pixels)
        return {name: defined(value) for name, value in zip(self.evaluation.concepts, values, strict=True)}

    def gallery(
        self, tab: Tab, concept: str | None = None, split: Split = "validation",
        threshold: float | None = None, reverse: bool = False, order: Order = "score", review: Which = "all", corrected: bool = False,
        only: Sequence[str] = (),
    ) -> Gallery:  # fmt: skip
        """One tab: `all`, `matched`, `missing` or `extra`; of one concept, or of all (None).

        threshold: a value to use instead of the concept's own (with all concepts, instead of everyone's). order: `score`, the tab's
        own; `mistakes`, likely annotation mistakes first; `similar`, what looks alike together. review: `new` leaves out what was
        reviewed. corrected: with people's corrections, else as trained. only: clauses that narrow it down, such as `cause:background`
        (see docs/understanding.md).
        """
        for what, found, known in (("tab", tab, TABS), ("order", order, ORDERS), ("review", review, WHICH)):
            if found not in known:
                raise InvalidChoiceError(what, found, known)
        if threshold is not None and not np.isfinite(threshold):
            raise ValueError(f"threshold is {threshold}, where a finite number was expected")
        place = self.in_split(split)
        ledger = self.view.reviews.ledger if corrected or review != "all" else None
        loaded = self.loaded if ledger is None or not corrected else self.loaded.with_corrections(ledger)
        thresholds = loaded.evaluation.optimal.copy()
        chosen = None if concept is None else self.concept_position(concept)
        if threshold is not None:
            thresholds[slice(None) if chosen is None else chosen] = threshold
        elif chosen is not None:
            threshold = float(thresholds[chosen])
        selection = loaded.selection(tab, place, chosen, thresholds, reverse)
        shown = loaded.shown(selection, order, review, ledger, self.narrowed(loaded, selection, only))
        return Gallery(shown, loaded.whereabouts, threshold, jumps=tab == "all" and threshold is not None and order == "score")

    def narrowed(self, loaded: Loaded, selection: Selection, only: Sequence[str]) -> Longs | None:
        """Rows of what the clauses leave of a tab; None without a clause. Raises NarrowingBad."""
        if not only:
            return None
        head = self.view.reviews.ledger.head if loaded.corrected else 0
        others = tuple((name, self.view.version(name)._stamp(), head) for name in versions_in(only))
        return loaded.narrowed(selection, tuple(only), others, lambda: narrowed(self, loaded, selection, only))

    def other(self, name: str, beside: Loaded) -> Loaded:
        """Another version of the view: with corrections where this one is looked at with them."""
        return self.view.version(name)._state(beside.corrected)


def before_mending(manifest: VersionManifest, annotations: Annotations) -> Originals | None:
    """annotations: of all images, as they were before people mended them."""
    if manifest.mended is None:
        return None
    return Originals(annotations, np.array(manifest.mended.images, np.int64), np.array(manifest.mended.stated, np.int8))


def modified(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino


def without_predictions(
    manifest: VersionManifest, names: tuple[str, ...], images: Images, coverage: Bytes, annotations: Annotations
) -> Evaluation:
    nothing = no_predictions(manifest.kind == "detection")
    return evaluate(manifest.kind, names, images, coverage, annotations, nothing, manifest.iou)


def splits_of(images: Images) -> list[Split]:
    return [split for place, split in enumerate(SPLITS) if (images.split == place).any()]


def refuse_empty_split(version: str, images: Images, place: int) -> None:
    if not (images.split == place).any():
        raise EmptySplitError(version, SPLITS[place], splits_of(images))


def sizes(evaluation: Evaluation) -> dict[str, int]:
    return {
        "images": len(evaluation.images),
        "covered": int((evaluation.coverage != NOT_RUN).sum()),
        "annotations": len(evaluation.annotations),
        "predictions": len(evaluation.predictions),
    }
