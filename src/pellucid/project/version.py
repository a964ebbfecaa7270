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

from pellucid._version import __version__
from pellucid.browse.selection import TABS, Selection, Tab
from pellucid.core.errors import InvalidChoiceError, UnknownConceptError, WriteError
from pellucid.core.tables import (
    NOT_RUN,
    SPLITS,
    Annotations,
    Images,
    Int8Array,
    Int64Array,
    Split,
    empty_prediction_table,
)
from pellucid.distributed.engines import EngineName
from pellucid.distributed.engines import create_engine as open_engine
from pellucid.distributed.errors import VersionModifiedError
from pellucid.distributed.run import (
    PREDICTIONS_PER_WORKER,
    StepCallback,
    evaluate_distributed,
    no_progress,
)
from pellucid.evaluation.bootstrap import Interval
from pellucid.evaluation.counts import precompute
from pellucid.evaluation.evaluation import VALIDATION, Evaluation, build_evaluation
from pellucid.evaluation.metrics import Metrics, compute_metrics, optional_float
from pellucid.evaluation.thresholds import Threshold, apply_user_threshold
from pellucid.evaluation.voc_metrics import voc_average_precision
from pellucid.formats.dataset import Note
from pellucid.formats.errors import KindConflictError
from pellucid.formats.registry import read_predictions
from pellucid.ingest.checks import repeated_boxes
from pellucid.ingest.exif import TURNED
from pellucid.ingest.inference import Forced
from pellucid.ingest.predictions import Covered, Frozen, link, split_position
from pellucid.notebook.html_repr import version_html
from pellucid.notebook.widget import gallery_widget
from pellucid.project.errors import EmptySplitError
from pellucid.results.embeddings import EMBEDDINGS_FILE as EMBEDDINGS
from pellucid.results.embeddings import load_embeddings
from pellucid.results.figures import (
    ErrorCauses,
    SplitFigures,
    ThresholdFigures,
    cause_figures,
    confusion_figures,
    figure_remarks,
    objective_thresholds,
    split_figures,
)
from pellucid.results.filters import apply_filters, other_version_names
from pellucid.results.gallery import Gallery
from pellucid.results.image_stats import DEFAULT_PICTURE_LIMIT, ProgressCallback
from pellucid.results.results import ORDERS, Order, Results
from pellucid.results.similarity import Appearance, SimilarityGroup, find_similarity_groups
from pellucid.results.slices import ErrorSlice
from pellucid.results.version_comparison import VersionComparison, compare_versions
from pellucid.review.corrected import OriginalAnnotations
from pellucid.review.index import REVIEW_FILTERS, ReviewFilter
from pellucid.storage.files import (
    follow,
    mirror_of,
    read_manifest,
    remove_leftovers,
    write_manifest,
    writing,
)
from pellucid.storage.manifests import Concept, Source, VersionManifest, source_record
from pellucid.storage.mapped_columns import write_mapped
from pellucid.storage.parquet import (
    mapped_columns,
    mapped_name,
    read_annotations,
    read_evaluation,
    read_images,
    read_outlines,
    write_evaluation,
)

if TYPE_CHECKING:
    from pellucid.project.view import View

MANIFEST = "version.json"


class Version:
    """Created by `view.start(name)`; opened by `view.version(name)`."""

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
        """The gallery as a widget for notebooks (Jupyter, VS Code). Raises MissingDependencyError if anywidget is not installed."""
        self.split_index(split)
        return gallery_widget(self, split, tab, concept)

    @property
    def results(self) -> Results:
        """The results as on disk; reloaded only if they have changed."""
        stamp = self._disk_stamp()
        with self._load_lock:
            if self._results_cache is None or self._results_cache[0] != stamp:
                self._results_cache = stamp, self._read_results()
            return self._results_cache[1]

    def _disk_stamp(self) -> object:
        """Changes if the version, its view's manifest or the embeddings change on disk."""
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
        """The manifest as on disk, without loading the tables."""
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
        """Also use image folders that were added to the view later: image locations are not frozen."""
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
        return Results(manifest, replace(evaluation, images=evaluation.images.replace(root=root)), folders, **options)

    def _read_originals(self, manifest: VersionManifest) -> OriginalAnnotations | None:
        if manifest.mended is None:
            return None
        return build_originals(manifest, read_annotations(self.folder / manifest.mended.originals)[0])

    def _freeze(self) -> Results:
        """Freeze the current view in memory; it is saved together with the predictions."""
        manifest, images, annotations, originals = self.view.build_snapshot(self._iou)
        concept_names = tuple(concept.name for concept in manifest.concepts)
        evaluation = evaluate_unpredicted(manifest, concept_names, images, np.zeros(len(images), np.int8), annotations)
        return Results(manifest, evaluation, originals=build_originals(manifest, originals))

    def add_predictions(
        self, source: Any, split: Split | None = None, covered: Covered = "split", format: str | None = None, boxes: str | None = None,
        image_ids: str | None = None, category_ids: str | None = None, scores: str | None = None,
    ) -> list[Note]:  # fmt: skip
        """Import predictions, match them with the annotations and save the result.

        source: a path, or columns in memory (a dict of arrays, pandas, polars, Arrow). split: of the
        predictions; default: the splits of the listed images. covered: `split`, the model ran on every frozen image
        of these splits; `listed`, only on the images in the file. boxes (`xyxy-pixels`, ...), image_ids, category_ids
        (`positions-from-1`, ...), scores (`percent`, `logits`): interpretations that are otherwise inferred
        from the data. Returns notes about the import.
        Raises PellucidError; the version is then unchanged.
        """
        split_index = split_position(split)
        parsed = read_predictions(source, format, self.view.kind, [concept.name for concept in self._concepts])
        with writing(self.view.workspace.folder):
            current_results = self.results if (self.folder / MANIFEST).is_file() else self._freeze()
            old_evaluation, manifest = current_results.evaluation, current_results.manifest
            if manifest.predictions is not None:  # memory-mapped columns have no outlines
                outline = read_outlines(self.folder / manifest.annotations)
                old_evaluation = replace(old_evaluation, annotations=old_evaluation.annotations.replace(outline=outline))
            if split_index is not None:
                require_images(self.name, old_evaluation.images, split_index)
            has_rotated = any(note.kind == TURNED for annotation_source in manifest.annotation_sources for note in annotation_source.notes)
            frozen_data = Frozen(self.name, manifest.kind, manifest.concepts, current_results.folders, old_evaluation.images, old_evaluation.coverage, old_evaluation.annotations, has_rotated)
            next_order = int(old_evaluation.predictions.order.max(initial=-1)) + 1
            imported = link(parsed, frozen_data, split_index, covered, next_order, Forced(boxes, image_ids, category_ids, scores))
            prediction_count = len(imported.predictions)
            concept_names = tuple(concept.name for concept in imported.concepts)
            pending = [old_evaluation.predictions.concat(imported.predictions)]
            path, format_name, imported = parsed.path, parsed.format, replace(imported, predictions=empty_prediction_table(False))
            del parsed  # free memory: two copies of tens of millions of rows do not fit
            imported.notes.extend(repeated_boxes(pending[0], len(concept_names)))
            new_evaluation = build_evaluation(
                manifest.kind, concept_names, imported.images, imported.coverage, old_evaluation.annotations, pending.pop(), manifest.iou, reuse_boxes=True
            )
            prediction_source = source_record(source, path, format_name, prediction_count, imported.notes, imported.judgements)
            self.folder.mkdir(parents=True, exist_ok=True)
            if manifest.generation == 0 and current_results.originals is not None:
                self.view.save_originals(self.folder, manifest, current_results.originals.annotations)
            self._save(manifest, new_evaluation, imported.concepts, current_results.folders, [prediction_source])
        return imported.notes

    def save_evaluation(self, manifest: VersionManifest, new_evaluation: Evaluation) -> None:
        """Save a new evaluation of the existing predictions. manifest: of the evaluated generation. Raises VersionModifiedError."""
        with writing(self.view.workspace.folder):
            if self.latest_manifest.generation != manifest.generation:
                raise VersionModifiedError(self.name)
            self._save(manifest, new_evaluation, manifest.concepts, manifest.folders, [])

    def _save(
        self, manifest: VersionManifest, new_evaluation: Evaluation, concepts: list[Concept], folders: list[str], new_sources: list[Source]
    ) -> None:  # fmt: skip
        generation = manifest.generation + 1
        file_names = write_evaluation(self.folder, generation, new_evaluation)
        with suppress(WriteError):  # the mapped file is only a cache
            write_mapped(self.folder / mapped_name(generation), mapped_columns(precompute(new_evaluation)))
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
        """The folder for workers: an absolute path, or a URL of an object store."""
        mirror = mirror_of(self.folder)
        return mirror.location(self.folder) if mirror else str(self.folder.resolve())

    def evaluate(
        self, engine: EngineName = "local", address: str | None = None, workers: int | None = None, rows: int = PREDICTIONS_PER_WORKER,
        progress: StepCallback = no_progress,
    ) -> None:  # fmt: skip
        """Evaluate the predictions again, in partitions; the result is bit-identical with every engine.

        engine: `local` (this process), `processes` (on this machine), `ray` (a cluster; address: of a running one). rows: the
        most predictions that a worker holds at a time. An interrupted evaluation is resumed.
        Raises PredictionsMissingError, VersionModifiedError, MissingDependencyError, ClusterUnavailableError, WorkerFailureError.
        """
        with open_engine(engine, address, workers) as compute_engine:
            evaluate_distributed(self, compute_engine, rows, progress)

    def outlines(self, results: Results, annotation_rows: list[int]) -> list[list[list[float]]]:
        """The outlines of these annotations (sorted rows), as polygons in pixels; empty if there is none."""
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
        """The splits in which this version has images."""
        return splits_with_images(self.evaluation.images)

    @property
    def _concepts(self) -> list[Concept]:
        is_saved = (self.folder / MANIFEST).is_file()
        return self.latest_manifest.concepts if is_saved else self.view.manifest.concepts

    def split_index(self, split: str) -> int:
        """The index of the split. Raises InvalidChoiceError, or EmptySplitError if the version has no images in it."""
        index = split_position(split)
        assert index is not None
        require_images(self.name, self.evaluation.images, index)
        return index

    @property
    def thresholds(self) -> Mapping[str, Threshold]:
        """Each concept's threshold, with the fewest errors on validation (exact), in the view's order."""
        return self.get_thresholds(corrected=False)

    def get_thresholds(self, corrected: bool) -> Mapping[str, Threshold]:
        """The thresholds, with the corrected or the original annotations."""
        evaluation = self._get_results(corrected).evaluation
        return dict(zip(evaluation.concepts, evaluation.thresholds, strict=True))

    def threshold_intervals(self, corrected: bool = False) -> Mapping[str, Interval | None]:
        """A 90 % bootstrap interval of each concept's threshold, over the validation images."""
        results = self._get_results(corrected)
        return dict(zip(results.evaluation.concepts, results.intervals, strict=True))

    def _get_results(self, corrected: bool) -> Results:
        return self.results.apply_corrections(self.view.reviews.log) if corrected else self.results

    def user_threshold(self, concept: str, value: float) -> Threshold:
        """The concept's counts at a threshold of `value`, set by a user."""
        concept_index = self.concept_index(concept)
        return apply_user_threshold(self.evaluation.thresholds[concept_index], self.evaluation.concept_predictions(VALIDATION, concept_index), value)

    def concept_index(self, concept: str) -> int:
        if concept not in self.evaluation.concepts:
            raise UnknownConceptError(concept, self.evaluation.concepts)
        return self.evaluation.concepts.index(concept)

    def metrics(self, split: Split = "validation", corrected: bool = False) -> Metrics:
        """Metrics at the thresholds, per concept and overall, on one split. corrected: with corrected annotations, else the originals."""
        self.split_index(split)
        evaluation = self._get_results(corrected).evaluation
        return compute_metrics(evaluation, split, evaluation.optimal_thresholds)

    def figures(self, concept: str | None = None, corrected: bool = False) -> list[SplitFigures]:
        """For each non-empty split, training first: the counts at the thresholds, the curves of precision, recall, F1 and errors against
        the threshold, score histograms of true and false positives, and calibration. concept None: all concepts pooled."""
        results, concept_index = self._get_results(corrected), None if concept is None else self.concept_index(concept)
        return [split_figures(results, SPLITS.index(split), concept_index, results.evaluation.optimal_thresholds) for split in self.splits]

    def remarks(self, concept: str | None = None) -> list[str]:
        """Warnings about the metrics: few annotations, or a gap between training and validation."""
        return figure_remarks(self.results, None if concept is None else self.concept_index(concept), self.figures(concept))

    def threshold_for(self, objective: str, concept: str | None = None, corrected: bool = False) -> ThresholdFigures:
        """The best threshold for an objective: `f1`, `cost:FALSE_ALARM,MISS`, `precision:LEAST` or `recall:LEAST`, with its 90 %
        interval. concept None: one for all concepts pooled. Raises InvalidObjectiveError."""
        concept_index = None if concept is None else self.concept_index(concept)
        return objective_thresholds(self._get_results(corrected), concept_index, [objective])[0]

    def causes(self, split: Split = "validation", concept: str | None = None, corrected: bool = False) -> ErrorCauses:
        """Number of errors by cause and, in detection, the AP gained by fixing each type of error (TIDE)."""
        results, concept_index = self._get_results(corrected), None if concept is None else self.concept_index(concept)
        return cause_figures(results, self.split_index(split), concept_index, results.evaluation.optimal_thresholds)

    def confusion(self, split: Split = "validation", corrected: bool = False) -> Int64Array:
        """int64 (concepts + 1, concepts + 1): rows: annotated, columns: predicted; the last of each is none."""
        results, size = self._get_results(corrected), len(self.evaluation.concepts) + 1
        cells = confusion_figures(results, self.split_index(split), results.evaluation.optimal_thresholds)
        matrix = np.zeros((size, size), np.int64)
        matrix[cells.annotated, cells.predicted] = cells.number
        return matrix

    def slices(
        self, split: Split = "validation", pictures: int = DEFAULT_PICTURE_LIMIT, corrected: bool = False, progress: ProgressCallback | None = None
    ) -> list[ErrorSlice]:
        """Slices with a significantly higher (or lower) error rate than the other items, most errors explained first.

        pictures: the most images of the split that are read; 0: none, so that only boxes and metadata are used.
        """
        results, split_index = self._get_results(corrected), self.split_index(split)
        if pictures == 0:
            return results.slices(split_index, None)
        if pictures != DEFAULT_PICTURE_LIMIT or progress is not None:
            image_stats = results.image_stats_cache.read(split_index, pictures, progress)
            return results.slices(split_index, Appearance(results.evaluation, image_stats, results.embeddings), pictures)
        return results.slices(split_index, results.appearance(split_index))

    def groups(self, split: Split = "validation") -> list[SimilarityGroup]:
        """Clusters of visually similar items of the split, highest error rate first."""
        split_index = self.split_index(split)
        return find_similarity_groups(self.results.evaluation, split_index, self.results.appearance(split_index))

    def compare(self, other: Version, split: Split = "validation") -> VersionComparison:
        """Compare with a later version, on the images evaluated by both, each at its own thresholds. Raises KindConflictError, EmptySplitError."""
        self.split_index(split)
        other.split_index(split)
        return compare_versions(self.name, self.results, other.name, other.results, split)

    def voc(
        self, split: Split = "validation", iou: float = 0.5, eleven_points: bool = False, inclusive_pixels: bool = False
    ) -> dict[str, float | None]:  # fmt: skip
        """AP of each concept of a detection version as defined by PASCAL VOC (see understand.voc); None without annotations."""
        if self.evaluation.kind != "detection":
            raise KindConflictError("VOC's AP", self.view.name, self.evaluation.kind, "which needs boxes")
        precisions = voc_average_precision(self.evaluation, self.split_index(split), iou, eleven_points, inclusive_pixels)
        return {concept: optional_float(precision) for concept, precision in zip(self.evaluation.concepts, precisions, strict=True)}

    def gallery(
        self, tab: Tab, concept: str | None = None, split: Split = "validation",
        threshold: float | None = None, reverse: bool = False, order: Order = "score", review: ReviewFilter = "all", corrected: bool = False,
        only: Sequence[str] = (),
    ) -> Gallery:  # fmt: skip
        """The items of a tab: `all`, `matched`, `missing` or `extra`; of one concept, or of all (None).

        threshold: replaces the threshold of the concept (or of all concepts). order: `score`, the
        default; `mistakes`, likely label errors first; `similar`, similar items together. review: `new` leaves out
        reviewed items. corrected: use corrected annotations. only: filters, such as `cause:background`
        (see docs/understanding.md).
        """
        for option, choice, choices in (("tab", tab, TABS), ("order", order, ORDERS), ("review", review, REVIEW_FILTERS)):
            if choice not in choices:
                raise InvalidChoiceError(option, choice, choices)
        if threshold is not None and not np.isfinite(threshold):
            raise ValueError(f"Invalid threshold {threshold}: expected a finite number")
        split_index = self.split_index(split)
        decision_log = self.view.reviews.log if corrected or review != "all" else None
        results = self.results if decision_log is None or not corrected else self.results.apply_corrections(decision_log)
        thresholds = results.evaluation.optimal_thresholds.copy()
        concept_index = None if concept is None else self.concept_index(concept)
        if threshold is not None:
            thresholds[slice(None) if concept_index is None else concept_index] = threshold
        elif concept_index is not None:
            threshold = float(thresholds[concept_index])
        selection = results.selection(tab, split_index, concept_index, thresholds, reverse)
        list_view = results.list_view(selection, order, review, decision_log, self.filter_rows(results, selection, only))
        return Gallery(list_view, results.image_locator, threshold, has_threshold_position=tab == "all" and threshold is not None and order == "score")

    def filter_rows(self, results: Results, selection: Selection, only: Sequence[str]) -> Int64Array | None:
        """Rows of a tab that satisfy the filters; None without filters. Raises FilterError."""
        if not only:
            return None
        decision_head = self.view.reviews.log.head if results.corrected else 0
        dependencies = tuple((version_name, self.view.version(version_name)._disk_stamp(), decision_head) for version_name in other_version_names(only))
        return results.filter_rows(selection, tuple(only), dependencies, lambda: apply_filters(self, results, selection, only))

    def other_results(self, name: str, reference: Results) -> Results:
        """Results of another version of the view, with corrections if `reference` has them."""
        return self.view.version(name)._get_results(reference.corrected)


def build_originals(manifest: VersionManifest, annotations: Annotations) -> OriginalAnnotations | None:
    """annotations: of all images, before corrections."""
    if manifest.mended is None:
        return None
    return OriginalAnnotations(annotations, np.array(manifest.mended.images, np.int64), np.array(manifest.mended.stated, np.int8))


def file_stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino


def evaluate_unpredicted(
    manifest: VersionManifest, concept_names: tuple[str, ...], images: Images, coverage: Int8Array, annotations: Annotations
) -> Evaluation:
    predictions = empty_prediction_table(manifest.kind == "detection")
    return build_evaluation(manifest.kind, concept_names, images, coverage, annotations, predictions, manifest.iou)


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
