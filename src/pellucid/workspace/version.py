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
from pellucid.workspace.appearance import Appearance, SimilarityGroup, find_similarity_groups
from pellucid.workspace.comparison import VersionComparison, compare_versions
from pellucid.workspace.embeddings import EMBEDDINGS_FILE as EMBEDDINGS
from pellucid.workspace.embeddings import load_embeddings
from pellucid.workspace.figures import (
    ErrorCauses,
    SplitFigures,
    ThresholdFigures,
    cause_figures,
    confusion_figures,
    objective_thresholds,
    figure_remarks,
    split_figures,
)
from pellucid.workspace.findings import repeated_boxes
from pellucid.workspace.gallery import Gallery
from pellucid.workspace.imports import Covered, Frozen, link, split_position
from pellucid.workspace.judging import Forced
from pellucid.workspace.loaded import ORDERS, Results, Order
from pellucid.workspace.looked import DEFAULT_PICTURE_LIMIT, ProgressCallback
from pellucid.workspace.manifests import Concept, Source, VersionManifest, source_record
from pellucid.workspace.mapped import write_mapped
from pellucid.workspace.mended import Originals
from pellucid.workspace.narrowed import apply_filters, other_version_names
from pellucid.workspace.notebook import version_html
from pellucid.workspace.reviewed import WHICH, Which
from pellucid.workspace.sliced import ErrorSlice
from pellucid.workspace.spread.engines import EngineName
from pellucid.workspace.spread.engines import engine as open_engine
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
        self._results_cache: tuple[object, Results] | None = None
        self._load_lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<version {self.name} of {self.view.name}>"

    def _repr_html_(self) -> str:
        return version_html(self)

    def widget(self, tab: Tab = "missing", concept: str | None = None, split: Split = "validation") -> Any:
        """The gallery as a widget for notebooks (Jupyter, VS Code). Raises NotebookMissing without anywidget."""
        self.split_index(split)
        return gallery_widget(self, split, tab, concept)

    @property
    def results(self) -> Results:
        """The version as it is on disk now; read again only when it has changed."""
        stamp = self._disk_stamp()
        with self._load_lock:
            if self._results_cache is None or self._results_cache[0] != stamp:
                self._results_cache = stamp, self._read_results()
            return self._results_cache[1]

    def _disk_stamp(self) -> object:
        """Changes when the version on disk does, or where its view has pictures."""
        follow(self.folder)
        embeddings = self.view.folder / EMBEDDINGS
        return file_stamp(self.folder / MANIFEST), file_stamp(self.view.manifest_path), embeddings.exists() and file_stamp(embeddings)

    @property
    def evaluation(self) -> Evaluation:
        return self.results.evaluation

    @property
    def manifest(self) -> VersionManifest:
        return self.results.manifest

    @property
    def latest_manifest(self) -> VersionManifest:
        """The manifest alone, without loading the columns."""
        return read_manifest(self.folder / MANIFEST, VersionManifest)

    def _read_results(self) -> Results:
        while True:  # a writer may replace the files between the manifest and its tables
            manifest = self.latest_manifest
            concept_names = tuple(concept.name for concept in manifest.concepts)
            try:
                if manifest.predictions is None:
                    return self._build_results(manifest, self._read_unevaluated(manifest, concept_names))
                files = (manifest.images, manifest.annotations, manifest.predictions, manifest.staircase)
                evaluation = read_evaluation(self.folder, manifest.kind, concept_names, manifest.iou, *files, manifest.generation)
                return self._build_results(manifest, evaluation)
            except Exception:
                if self.latest_manifest.generation == manifest.generation:
                    raise

    def _read_unevaluated(self, manifest: VersionManifest, concept_names: tuple[str, ...]) -> Evaluation:
        images, coverage = read_images(self.folder / manifest.images)
        annotations, _ = read_annotations(self.folder / manifest.annotations)
        return evaluate_unpredicted(manifest, concept_names, images, coverage, annotations)

    def _build_results(self, manifest: VersionManifest, evaluation: Evaluation) -> Results:
        """With the pictures that were found only after the freezing: where they lie is no part of what is frozen."""
        has_no_folder, originals = evaluation.images.root < 0, self._read_originals(manifest)
        options: dict[str, Any] = {"originals": originals, "folder": self.folder, "embeddings": load_embeddings(self.view.folder)}
        if not has_no_folder.any():
            return Results(manifest, evaluation, **options)
        folder_indexes, view_folders = self.view.image_folder_indexes()
        if not folder_indexes:
            return Results(manifest, evaluation, **options)
        folders = [*manifest.folders, *view_folders]
        root = evaluation.images.root.copy()
        for image_row in np.flatnonzero(has_no_folder):
            folder_index = folder_indexes.get(evaluation.images.path[image_row], -1)
            root[image_row] = -1 if folder_index < 0 else len(manifest.folders) + folder_index
        return Results(manifest, replace(evaluation, images=evaluation.images.replaced(root=root)), folders, **options)

    def _read_originals(self, manifest: VersionManifest) -> Originals | None:
        if manifest.mended is None:
            return None
        return build_originals(manifest, read_annotations(self.folder / manifest.mended.originals)[0])

    def _freeze(self) -> Results:
        """Freeze the view as it is now, in memory; it is kept together with the predictions."""
        manifest, images, annotations, originals = self.view.build_snapshot(self._iou)
        concept_names = tuple(concept.name for concept in manifest.concepts)
        evaluation = evaluate_unpredicted(manifest, concept_names, images, np.zeros(len(images), np.int8), annotations)
        return Results(manifest, evaluation, originals=build_originals(manifest, originals))

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
        split_index = split_position(split)
        parsed = read_predictions(source, format, self.view.kind, [concept.name for concept in self._concepts])
        with writing(self.view.workspace.folder):
            current_results = self.results if (self.folder / MANIFEST).is_file() else self._freeze()
            old_evaluation, manifest = current_results.evaluation, current_results.manifest
            if manifest.predictions is not None:  # mapped columns have no texts
                outline = read_outlines(self.folder / manifest.annotations)
                old_evaluation = replace(old_evaluation, annotations=old_evaluation.annotations.replaced(outline=outline))
            if split_index is not None:
                require_images(self.name, old_evaluation.images, split_index)
            has_rotated = any(note.kind == TURNED for annotation_source in manifest.annotation_sources for note in annotation_source.notes)
            frozen_data = Frozen(self.name, manifest.kind, manifest.concepts, current_results.folders, old_evaluation.images, old_evaluation.coverage, old_evaluation.annotations, has_rotated)
            next_order = int(old_evaluation.predictions.order.max(initial=-1)) + 1
            imported = link(parsed, frozen_data, split_index, covered, next_order, Forced(boxes, image_ids, category_ids, scores))
            prediction_count = len(imported.predictions)
            concept_names = tuple(concept.name for concept in imported.concepts)
            pending = [old_evaluation.predictions.followed_by(imported.predictions)]
            path, format_name, imported = parsed.path, parsed.format, replace(imported, predictions=no_predictions(False))
            del parsed  # at tens of millions of rows there is no room for them twice
            imported.notes.extend(repeated_boxes(pending[0], len(concept_names)))
            new_evaluation = evaluate(
                manifest.kind, concept_names, imported.images, imported.coverage, old_evaluation.annotations, pending.pop(), manifest.iou, consume=True
            )
            prediction_source = source_record(source, path, format_name, prediction_count, imported.notes, imported.judgements)
            self.folder.mkdir(parents=True, exist_ok=True)
            if manifest.generation == 0 and current_results.originals is not None:
                self.view.save_originals(self.folder, manifest, current_results.originals.annotations)
            self._save(manifest, new_evaluation, imported.concepts, current_results.folders, [prediction_source])
        return imported.notes

    def save_evaluation(self, manifest: VersionManifest, new_evaluation: Evaluation) -> None:
        """Keep what the predictions that are here already were found to be; manifest: what was evaluated. Raises VersionChanged."""
        with writing(self.view.workspace.folder):
            if self.latest_manifest.generation != manifest.generation:
                raise VersionModifiedError(self.name)
            self._save(manifest, new_evaluation, manifest.concepts, manifest.folders, [])

    def _save(
        self, manifest: VersionManifest, new_evaluation: Evaluation, concepts: list[Concept], folders: list[str], new_sources: list[Source]
    ) -> None:  # fmt: skip
        generation = manifest.generation + 1
        file_names = write_evaluation(self.folder, generation, new_evaluation)
        with suppress(WriteError):  # it can be made again
            write_mapped(self.folder / mapped_name(generation), mapped_columns(with_all_kept(new_evaluation)))
        new_manifest = VersionManifest(
            kind=manifest.kind, started=manifest.started, made_by=__version__, iou=manifest.iou, concepts=concepts,
            folders=folders, images=str(file_names["images"]), annotations=str(file_names["annotations"]),
            annotation_sources=manifest.annotation_sources, generation=generation, predictions=file_names["predictions"],
            staircase=file_names["staircase"], prediction_sources=[*manifest.prediction_sources, *new_sources], counts=table_counts(new_evaluation),
            corrected_to=manifest.corrected_to, mended=manifest.mended,
        )  # fmt: skip
        write_manifest(self.folder / MANIFEST, new_manifest)
        originals_file = manifest.mended and manifest.mended.originals
        remove_leftovers(self.folder, {mapped_name(generation), *(file_name for file_name in (*file_names.values(), originals_file) if file_name)})

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
        with open_engine(engine, address, workers) as compute_engine:
            evaluate_in_pieces(self, compute_engine, rows, progress)

    def outlines(self, results: Results, annotation_rows: list[int]) -> list[list[list[float]]]:
        """The outlines of these annotations (rising), as polygons in pixels; empty where there is none."""
        path = self.folder / results.manifest.annotations
        frozen_rows = annotation_rows if results.frozen_rows is None else results.frozen_rows[annotation_rows].tolist()
        sorted_rows = sorted(row for row in frozen_rows if row >= 0)
        outline_texts = read_outlines(path, sorted_rows) if sorted_rows else None
        if outline_texts is None or len(outline_texts) != len(sorted_rows):
            return [[] for _ in annotation_rows]
        outline_by_row = dict(zip(sorted_rows, outline_texts.tolist(), strict=True))
        return [json.loads(outline_by_row[row]) if outline_by_row.get(row) else [] for row in frozen_rows]

    @property
    def splits(self) -> list[Split]:
        """The splits in which this version froze images."""
        return splits_with_images(self.evaluation.images)

    @property
    def _concepts(self) -> list[Concept]:
        is_saved = (self.folder / MANIFEST).is_file()
        return self.latest_manifest.concepts if is_saved else self.view.manifest.concepts

    def split_index(self, split: str) -> int:
        """The split's position; raises NotOneOf, and SplitEmpty where the version froze nothing in it."""
        index = split_position(split)
        assert index is not None
        require_images(self.name, self.evaluation.images, index)
        return index

    @property
    def thresholds(self) -> Mapping[str, Threshold]:
        """Each concept's threshold, chosen exactly to make the fewest errors on validation, in the view's order."""
        return self.get_thresholds(corrected=False)

    def get_thresholds(self, corrected: bool) -> Mapping[str, Threshold]:
        """The same, with people's corrections of the annotations or as trained."""
        evaluation = self._get_results(corrected).evaluation
        return dict(zip(evaluation.concepts, evaluation.thresholds, strict=True))

    def threshold_intervals(self, corrected: bool = False) -> Mapping[str, Interval | None]:
        """For each concept, how sure its threshold is: a 90 % interval, by bootstrap over the validation images."""
        results = self._get_results(corrected)
        return dict(zip(results.evaluation.concepts, results.intervals, strict=True))

    def _get_results(self, corrected: bool) -> Results:
        return self.results.apply_corrections(self.view.reviews.ledger) if corrected else self.results

    def user_threshold(self, concept: str, value: float) -> Threshold:
        """The concept's threshold if a person set it to `value`."""
        concept_index = self.concept_index(concept)
        return chosen_by_user(self.evaluation.thresholds[concept_index], self.evaluation.counted(VALIDATION, concept_index), value)

    def concept_index(self, concept: str) -> int:
        if concept not in self.evaluation.concepts:
            raise UnknownConceptError(concept, self.evaluation.concepts)
        return self.evaluation.concepts.index(concept)

    def metrics(self, split: Split = "validation", corrected: bool = False) -> Metrics:
        """Figures at the thresholds, per concept and overall, on one split. corrected: with people's corrections, else as trained."""
        self.split_index(split)
        evaluation = self._get_results(corrected).evaluation
        return metrics(evaluation, split, evaluation.optimal)

    def figures(self, concept: str | None = None, corrected: bool = False) -> list[SplitFigures]:
        """Of each split with images, training first: the counts at the thresholds, the curves of precision, recall, F1 and errors against
        the threshold, the scores of right and wrong predictions, and calibration. concept None: of all together."""
        results, concept_index = self._get_results(corrected), None if concept is None else self.concept_index(concept)
        return [split_figures(results, SPLITS.index(split), concept_index, results.evaluation.optimal) for split in self.splits]

    def remarks(self, concept: str | None = None) -> list[str]:
        """What to know before believing the figures: few annotations, a gap between training and validation."""
        return figure_remarks(self.results, None if concept is None else self.concept_index(concept), self.figures(concept))

    def threshold_for(self, objective: str, concept: str | None = None, corrected: bool = False) -> ThresholdFigures:
        """A threshold for another end than fewest errors: `f1`, `cost:FALSE_ALARM,MISS`, `precision:LEAST`, `recall:LEAST`, with its 90 %
        interval. concept None: one for all together. Raises ObjectiveBad."""
        concept_index = None if concept is None else self.concept_index(concept)
        return objective_thresholds(self._get_results(corrected), concept_index, [objective])[0]

    def causes(self, split: Split = "validation", concept: str | None = None, corrected: bool = False) -> ErrorCauses:
        """How many errors have which cause, and in detection what fixing each kind of mistake would gain in AP, as TIDE counts it."""
        results, concept_index = self._get_results(corrected), None if concept is None else self.concept_index(concept)
        return cause_figures(results, self.split_index(split), concept_index, results.evaluation.optimal)

    def confusion(self, split: Split = "validation", corrected: bool = False) -> Longs:
        """int64 (concepts + 1, concepts + 1): annotated by predicted, the last of each being none."""
        results, size = self._get_results(corrected), len(self.evaluation.concepts) + 1
        cells = confusion_figures(results, self.split_index(split), results.evaluation.optimal)
        matrix = np.zeros((size, size), np.int64)
        matrix[cells.annotated, cells.predicted] = cells.number
        return matrix

    def slices(
        self, split: Split = "validation", pictures: int = DEFAULT_PICTURE_LIMIT, corrected: bool = False, progress: ProgressCallback | None = None
    ) -> list[ErrorSlice]:
        """Kinds of items on which errors are more (or fewer) frequent than elsewhere by more than chance, most errors explained first.

        pictures: how many of the split's are looked at, at most; 0: none, so that only boxes and columns are.
        """
        results, split_index = self._get_results(corrected), self.split_index(split)
        if pictures == 0:
            return results.slices(split_index, None)
        if pictures != DEFAULT_PICTURE_LIMIT or progress is not None:
            image_stats = results.image_stats_cache.read(split_index, pictures, progress)
            return results.slices(split_index, Appearance(results.evaluation, image_stats, results.embeddings), pictures)
        return results.slices(split_index, results.appearance(split_index))

    def groups(self, split: Split = "validation") -> list[SimilarityGroup]:
        """What looks alike: groups of the split's items, most errors first."""
        split_index = self.split_index(split)
        return find_similarity_groups(self.results.evaluation, split_index, self.results.appearance(split_index))

    def compare(self, other: Version, split: Split = "validation") -> VersionComparison:
        """This version and a later one on the images both were run on, each at its own thresholds. Raises KindConflict, SplitEmpty."""
        self.split_index(split)
        other.split_index(split)
        return compare_versions(self.name, self.results, other.name, other.results, split)

    def voc(
        self, split: Split = "validation", iou: float = 0.5, eleven_points: bool = False, inclusive_pixels: bool = False
    ) -> dict[str, float | None]:  # fmt: skip
        """AP of each concept of a detection version as PASCAL VOC counts it (see understand.voc); None without annotations."""
        if self.evaluation.kind != "detection":
            raise KindConflictError("VOC's AP", self.view.name, self.evaluation.kind, "a figure of boxes")
        precisions = voc_average_precision(self.evaluation, self.split_index(split), iou, eleven_points, inclusive_pixels)
        return {concept: defined(precision) for concept, precision in zip(self.evaluation.concepts, precisions, strict=True)}

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
        for option, choice, choices in (("tab", tab, TABS), ("order", order, ORDERS), ("review", review, WHICH)):
            if choice not in choices:
                raise InvalidChoiceError(option, choice, choices)
        if threshold is not None and not np.isfinite(threshold):
            raise ValueError(f"threshold is {threshold}, where a finite number was expected")
        split_index = self.split_index(split)
        decision_log = self.view.reviews.ledger if corrected or review != "all" else None
        results = self.results if decision_log is None or not corrected else self.results.apply_corrections(decision_log)
        thresholds = results.evaluation.optimal.copy()
        concept_index = None if concept is None else self.concept_index(concept)
        if threshold is not None:
            thresholds[slice(None) if concept_index is None else concept_index] = threshold
        elif concept_index is not None:
            threshold = float(thresholds[concept_index])
        selection = results.selection(tab, split_index, concept_index, thresholds, reverse)
        list_view = results.list_view(selection, order, review, decision_log, self.filter_rows(results, selection, only))
        return Gallery(list_view, results.image_locator, threshold, has_threshold_position=tab == "all" and threshold is not None and order == "score")

    def filter_rows(self, results: Results, selection: Selection, only: Sequence[str]) -> Longs | None:
        """Rows of what the clauses leave of a tab; None without a clause. Raises NarrowingBad."""
        if not only:
            return None
        decision_head = self.view.reviews.ledger.head if results.corrected else 0
        dependencies = tuple((version_name, self.view.version(version_name)._disk_stamp(), decision_head) for version_name in other_version_names(only))
        return results.filter_rows(selection, tuple(only), dependencies, lambda: apply_filters(self, results, selection, only))

    def other_results(self, name: str, reference: Results) -> Results:
        """Another version of the view: with corrections where this one is looked at with them."""
        return self.view.version(name)._get_results(reference.corrected)


def build_originals(manifest: VersionManifest, annotations: Annotations) -> Originals | None:
    """annotations: of all images, as they were before people mended them."""
    if manifest.mended is None:
        return None
    return Originals(annotations, np.array(manifest.mended.images, np.int64), np.array(manifest.mended.stated, np.int8))


def file_stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino


def evaluate_unpredicted(
    manifest: VersionManifest, concept_names: tuple[str, ...], images: Images, coverage: Bytes, annotations: Annotations
) -> Evaluation:
    predictions = no_predictions(manifest.kind == "detection")
    return evaluate(manifest.kind, concept_names, images, coverage, annotations, predictions, manifest.iou)


def splits_with_images(images: Images) -> list[Split]:
    return [split for split_index, split in enumerate(SPLITS) if (images.split == split_index).any()]


def require_images(version: str, images: Images, split_index: int) -> None:
    if not (images.split == split_index).any():
        raise EmptySplitError(version, SPLITS[split_index], splits_with_images(images))


def table_counts(evaluation: Evaluation) -> dict[str, int]:
    return {
        "images": len(evaluation.images),
        "covered": int((evaluation.coverage != NOT_RUN).sum()),
        "annotations": len(evaluation.annotations),
        "predictions": len(evaluation.predictions),
    }
