"""A version: one trained model, its frozen images, splits and annotations, and its predictions."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.browse.query import ListQuery, Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.display import render_html
from pellucid.core.tables import SPLITS, Annotations, Images, Split, empty_prediction_table
from pellucid.distributed.engines import EngineName, create_engine
from pellucid.distributed.errors import VersionModifiedError
from pellucid.distributed.run import (
    PREDICTIONS_PER_WORKER,
    StepCallback,
    evaluate_distributed,
    no_progress,
)
from pellucid.evaluation.evaluation import Evaluation, build_evaluation
from pellucid.evaluation.metrics import Metrics
from pellucid.evaluation.thresholds import Threshold
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import create_read_options
from pellucid.ingest.checks import duplicate_box_notes
from pellucid.ingest.concept_map import map_concepts
from pellucid.ingest.concept_selection import ConceptSelection, create_selection
from pellucid.ingest.errors import MixedScoresError, NoIgnoredConceptsError
from pellucid.ingest.exif import EXIF_ROTATION_NOTE
from pellucid.ingest.frozen_version import FrozenVersion
from pellucid.ingest.geometry_choice import annotated_shapes
from pellucid.ingest.inference import Overrides
from pellucid.ingest.predictions import (
    CoverageMode,
    ImportedPredictions,
    import_predictions,
    join_predictions,
    reject_duplicate_scores,
    split_name_to_index,
)
from pellucid.project.duplicate_search import DuplicateSearch
from pellucid.project.interfaces import ParentView
from pellucid.project.version_files import (
    annotation_outlines,
    build_originals,
    evaluate_unpredicted,
    file_stamp,
    load_originals,
    load_version_evaluation,
    locate_images,
    save_version_evaluation,
)
from pellucid.results.embeddings import load_embeddings
from pellucid.results.errors import EmptySplitError
from pellucid.results.gallery import Gallery
from pellucid.results.results import Results, splits_with_images
from pellucid.results.text_search import load_text_search
from pellucid.results.version_comparison import VersionComparison
from pellucid.review.events import DecisionLog
from pellucid.storage.column_checksums import count_damaged
from pellucid.storage.file_names import EMBEDDINGS_FILE, TEXT_MODEL_FILE, VERSION_MANIFEST
from pellucid.storage.files import find_mirror, load_manifest, refresh_mirror, write_lock
from pellucid.storage.manifests import Concept, VersionManifest, build_source_record
from pellucid.storage.parquet import load_outlines


class Version:
    """Created by `view.start(name)`; opened by `view.version(name)`."""

    def __init__(self, view: ParentView, name: str, iou: float = 0.5) -> None:
        self.view = view
        self.name = name
        self._iou = iou
        self.folder: Path = view.folder / "versions" / name
        self._loaded: tuple[object, Results] | None = None
        self._duplicate_search: DuplicateSearch | None = None
        self._load_lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<version {self.name} of {self.view.name}>"

    def _repr_html_(self) -> str | None:
        return render_html(self)

    # Results

    def results(
        self,
        corrected: bool = False,
        thresholds: float | Mapping[str, float] | None = None,
        iou: float | None = None,
    ) -> Results:
        """The version in one state; all questions about it are methods of the result.

        Args:
            corrected: with the reviewers' corrections, else as trained
            thresholds: one for all concepts or by concept, in place of the optimal ones
            iou: matched at another IoU threshold
        """
        results = self._load_latest()
        if corrected:
            results = results.with_corrections(self.decision_log)
        if iou is not None:
            results = results.at_iou(iou)
        return results if thresholds is None else results.with_thresholds(thresholds)

    @property
    def duplicate_search(self) -> DuplicateSearch:
        """The search for duplicates of its images; a new one when their files are elsewhere."""
        results = self.results()
        images, folders = results.evaluation.images, results.folders
        with self._load_lock:
            if self._duplicate_search is None or not self._duplicate_search.searches_same_files(
                images, folders
            ):
                self._duplicate_search = DuplicateSearch(images, folders)
            return self._duplicate_search

    def _load_latest(self) -> Results:
        """The results as on disk; read again only if they have changed."""
        stamp = self.disk_stamp()
        with self._load_lock:
            if self._loaded is None or self._loaded[0] != stamp:
                self._loaded = stamp, self._load_results()
            return self._loaded[1]

    def _load_results(self) -> Results:
        while True:  # a writer may replace the files between the manifest and its tables
            manifest = self.latest_manifest
            try:
                evaluation = load_version_evaluation(self.folder, manifest)
                originals = load_originals(self.folder, manifest)
                break
            except Exception:
                if self.latest_manifest.generation == manifest.generation:
                    raise
        has_lost_images = bool((evaluation.images.root < 0).any())
        view_folders = self.view.image_folder_indexes() if has_lost_images else ({}, [])
        evaluation, folders = locate_images(evaluation, manifest.folders, view_folders)
        embeddings = load_embeddings(self.view.folder)
        text_search = None if embeddings is None else load_text_search(self.view.folder)
        return Results(
            self,
            manifest,
            evaluation,
            folders,
            originals,
            folder=self.folder,
            embeddings=embeddings,
            text_search=text_search,
        )

    def disk_stamp(self) -> object:
        """Changes if the version, its view's manifest or the embeddings change on disk, or its
        mapped columns are found to be damaged."""
        refresh_mirror(self.folder)
        files = [self.view.folder / name for name in (EMBEDDINGS_FILE, TEXT_MODEL_FILE)]
        return (
            file_stamp(self.folder / VERSION_MANIFEST),
            file_stamp(self.view.manifest_path),
            *(file.exists() and file_stamp(file) for file in files),
            count_damaged(self.folder),
        )

    @property
    def decision_log(self) -> DecisionLog:
        return self.view.decision_log

    def other_results(self, name: str, corrected: bool) -> Results:
        """Results of another version of the view. Raises VersionNotFoundError."""
        return self.view.version_results(name, corrected)

    def other_stamp(self, name: str) -> object:
        return name, self.view.version_stamp(name)

    @property
    def evaluation(self) -> Evaluation:
        return self.results().evaluation

    @property
    def manifest(self) -> VersionManifest:
        return self.results().manifest

    @property
    def latest_manifest(self) -> VersionManifest:
        """The manifest as on disk, without reading the tables."""
        return load_manifest(self.folder / VERSION_MANIFEST, VersionManifest)

    # The questions asked most

    @property
    def thresholds(self) -> Mapping[str, Threshold]:
        """Each concept's threshold, with the fewest errors on validation (exact), in the view's
        order. Asking for another concept raises UnknownConceptError."""
        return self.results().threshold_table()

    def metrics(self, split: Split = "validation") -> Metrics:
        """Metrics at the optimal thresholds, per concept and overall, on one split."""
        return self.results().metrics(split)

    def gallery(
        self,
        tab: Tab,
        concept: str | None = None,
        split: Split = "validation",
        threshold: float | None = None,
        reverse: bool = False,
        order: Order = "score",
        review: ReviewFilter = "all",
        only: str | Sequence[str] = (),
    ) -> Gallery:
        """The items of a tab: `all`, `matched`, `missing` or `extra`; of one concept, or of all
        (None).

        Args:
            threshold: replaces the threshold of the concept (or of all concepts)
            order, review, reverse: see ListQuery
            only: filters, such as `cause:background` (see docs/understanding.md)
        """
        clauses = (only,) if isinstance(only, str) else tuple(only)
        query = ListQuery(tab, split, concept, order, review, clauses, reverse)
        if threshold is None:
            return self.results().gallery(query)
        thresholds = threshold if concept is None else {concept: threshold}
        return self.results(thresholds=thresholds).gallery(query)

    def compare(
        self, other: Version | str, split: Split = "validation", corrected: bool = False
    ) -> VersionComparison:
        """Compare with a later version, the candidate, on the images evaluated by both, each at its
        own thresholds.

        Args:
            other: the version, or its name
            corrected: both with corrections
        """
        candidate = (
            self.view.version_results(other, corrected)
            if isinstance(other, str)
            else other.results(corrected)
        )
        return self.results(corrected).compare(candidate, split)

    def outlines(self, results: Results, annotation_rows: list[int]) -> list[list[list[float]]]:
        """The outlines of these annotations (ascending rows), as polygons in pixels."""
        return annotation_outlines(self.folder, results, annotation_rows)

    # Importing and evaluating

    def add_predictions(
        self,
        source: Any,
        split: Split | None = None,
        covered: CoverageMode = "split",
        format: str | None = None,
        boxes: str | None = None,
        image_ids: str | None = None,
        category_ids: str | None = None,
        scores: str | None = None,
        geometry: str | None = None,
        columns: Mapping[str, str | Sequence[str]] | None = None,
        rename: Mapping[str, str] | None = None,
        concepts: Sequence[str] | None = None,
        ignore_concepts: Sequence[str] | None = None,
        replace: bool = False,
        no_scores: bool = False,
    ) -> list[Note]:
        """Import predictions, match them with the annotations and save the result.

        source: a path, or columns in memory (a dict of arrays, pandas, polars, Arrow). split: of
        the predictions; default: the splits of the listed images. covered: `split`, the model ran
        on every frozen image of these splits; `listed`, only on the images in the file. boxes
        (`xyxy-pixels`, ...), image_ids, category_ids (`positions-from-1`, ...), scores (`percent`,
        `logits`): interpretations that are otherwise inferred from the data. geometry: `mask` or
        `box`, what is compared; default: masks where both sides have them. columns: of a table,
        by role (`{"concept": "pred_label"}`). rename: the view's concept by the file's
        (`{"tv": "TV"}`). concepts: only these are imported. ignore_concepts: concepts that the
        annotations lack and whose predictions are to be ignored (`["*"]`: all of them). replace:
        they take the place of earlier predictions on the images they cover: those of their splits,
        or the listed ones. no_scores: the source, which may be of any annotation format, states no
        scores; every prediction then counts, without a threshold. Returns notes about the import.

        Raises:
            PellucidError: the input cannot be read or interpreted; the version is unchanged.
        """
        known_concepts = [concept.name for concept in self._concepts]
        options = create_read_options(
            self.view.kind,
            concepts=known_concepts,
            columns=columns,
            has_scores=not no_scores,
            annotated_shapes=lambda: annotated_shapes(self.view.annotation_tables[1]),
            score_form=scores,
        )
        parsed = read_predictions(source, format, options)
        overrides = Overrides(boxes, image_ids, category_ids, scores, geometry)
        selection = create_selection(rename, concepts, ignore_concepts)
        with write_lock(self.view.workspace.folder):
            is_saved = (self.folder / VERSION_MANIFEST).is_file()
            current = self.results() if is_saved else self._freeze()
            path, form = parsed.path, parsed.format
            require_same_scores(self.name, current.evaluation, parsed)
            imported = self._link(
                current, parsed, split_name_to_index(split), covered, overrides, selection, replace
            )
            del parsed  # there is no room for tens of millions of rows twice
            count = len(imported.predictions)
            evaluation = self._evaluate_import(current, imported)
            record = build_source_record(
                source, path, form, count, imported.notes, imported.inferences
            )
            self.folder.mkdir(parents=True, exist_ok=True)
            manifest = current.manifest
            if manifest.generation == 0 and current.originals is not None:
                originals = current.originals.annotations
                self.view.save_originals(self.folder, manifest, originals)
            save_version_evaluation(
                self.folder, manifest, evaluation, imported.concepts, current.folders, [record]
            )
        return imported.notes

    def map_concepts(self, renamed: Mapping[str, str]) -> int:
        """Count the predictions of concepts that the annotations lack as annotated concepts, and
        match again. renamed: the annotated concept by the other's name. Returns the number of
        predictions.

        Raises:
            NoIgnoredConceptsError: the version has no such predictions.
            UnknownConceptError: a concept is not among those that the annotations lack, or is
                renamed to none of the annotated ones.
            DuplicateScoreError: an image would have two scores for a concept.
        """
        with write_lock(self.view.workspace.folder):
            current = self.results()
            if not current.evaluation.unannotated_concepts:
                raise NoIgnoredConceptsError(self.name)
            mapped = map_concepts(current.evaluation, renamed)
            if mapped.predictions.box is None:
                reject_duplicate_scores(
                    self.name, mapped.predictions, mapped.images, mapped.concepts
                )
            evaluation = build_evaluation(
                mapped.kind,
                mapped.concepts,
                mapped.images,
                mapped.coverage,
                self._full_annotations(current),
                mapped.predictions,
                mapped.iou_threshold,
                mapped.unannotated_concepts,
            )
            by_name = {concept.name: concept for concept in current.manifest.concepts}
            concepts = [by_name[name] for name in mapped.concepts]
            names = ", ".join(f"{old} → {new}" for old, new in renamed.items())
            count = mapped.mapped_count
            record = build_source_record(None, names, "concept map", count, [], [])
            save_version_evaluation(
                self.folder, current.manifest, evaluation, concepts, current.folders, [record]
            )
        return count

    def _freeze(self) -> Results:
        """Freeze the current view in memory; it is saved together with the predictions."""
        manifest, images, annotations, originals = self.view.build_snapshot(self._iou)
        no_coverage = np.zeros(len(images), np.int8)
        evaluation = evaluate_unpredicted(manifest, images, no_coverage, annotations)
        return Results(self, manifest, evaluation, originals=build_originals(manifest, originals))

    def _link(
        self,
        current: Results,
        parsed: ParsedPredictions,
        split: int | None,
        covered: CoverageMode,
        overrides: Overrides,
        selection: ConceptSelection,
        replaces: bool,
    ) -> ImportedPredictions:
        """Resolve the file's references to images and concepts against what is frozen."""
        evaluation, manifest = current.evaluation, current.manifest
        if split is not None:
            require_images(self.name, evaluation.images, split)
        has_rotated = any(
            note.kind == EXIF_ROTATION_NOTE
            for source in manifest.annotation_sources
            for note in source.notes
        )
        frozen = FrozenVersion(
            self.name,
            manifest.kind,
            manifest.concepts,
            current.folders,
            evaluation.images,
            evaluation.coverage,
            self._full_annotations(current),
            has_rotated,
            manifest.unannotated,
            self.view.left_out_concepts,
        )
        next_order = int(evaluation.predictions.order.max(initial=-1)) + 1
        return import_predictions(
            parsed, frozen, split, covered, next_order, overrides, selection, replaces
        )

    def _full_annotations(self, current: Results) -> Annotations:
        """With their outlines, which memory-mapped columns do not have."""
        annotations, manifest = current.evaluation.annotations, current.manifest
        if manifest.predictions is None:
            return annotations
        return annotations.replace(outline=load_outlines(self.folder / manifest.annotations))

    def _evaluate_import(self, current: Results, imported: ImportedPredictions) -> Evaluation:
        """Match the predictions of before and those imported; the imported ones are released on
        the way."""
        manifest = current.manifest
        concepts = tuple(concept.name for concept in imported.concepts)
        earlier = current.evaluation.predictions
        if len(imported.replaced_images):
            earlier = earlier.take(~np.isin(earlier.image, imported.replaced_images))
        pending = [join_predictions(earlier, imported.predictions)]
        del earlier
        imported.notes.extend(duplicate_box_notes(pending[0], len(concepts)))
        imported = dataclasses.replace(imported, predictions=empty_prediction_table(False))
        return build_evaluation(
            manifest.kind,
            concepts,
            imported.images,
            imported.coverage,
            imported.annotations,
            pending.pop(),
            manifest.iou,
            tuple(i for i, concept in enumerate(concepts) if concept in imported.unannotated),
            reuse_boxes=True,
        )

    def save_evaluation(self, manifest: VersionManifest, evaluation: Evaluation) -> None:
        """Save a new evaluation of the existing predictions. manifest: of the evaluated generation.

        Raises:
            VersionModifiedError: the version has changed since.
        """
        with write_lock(self.view.workspace.folder):
            if self.latest_manifest.generation != manifest.generation:
                raise VersionModifiedError(self.name)
            save_version_evaluation(
                self.folder, manifest, evaluation, manifest.concepts, manifest.folders, []
            )

    def evaluate(
        self,
        engine: EngineName = "local",
        address: str | None = None,
        workers: int | None = None,
        rows: int = PREDICTIONS_PER_WORKER,
        progress: StepCallback = no_progress,
    ) -> None:
        """Evaluate the predictions again, in partitions; the result is bit-identical with every
        engine.

        engine: `local` (this process), `processes` (on this machine), `ray` (a cluster; address:
        of a running one). rows: the most predictions that a worker holds at a time. An interrupted
        evaluation is resumed.

        Raises:
            PredictionsMissingError: the version has no predictions.
            VersionModifiedError: somebody imported predictions meanwhile.
            MissingDependencyError: the engine's package is not installed.
            ClusterUnavailableError: the cluster cannot be reached.
            WorkerFailureError: a partition failed on every attempt.
        """
        with create_engine(engine, address, workers) as compute_engine:
            evaluate_distributed(self, compute_engine, rows, progress)

    @property
    def location(self) -> str:
        """The folder for workers: an absolute path, or a URL of an object store."""
        mirror = find_mirror(self.folder)
        return mirror.store_url(self.folder) if mirror else str(self.folder.resolve())

    @property
    def _concepts(self) -> list[Concept]:
        is_saved = (self.folder / VERSION_MANIFEST).is_file()
        return self.latest_manifest.concepts if is_saved else self.view.manifest.concepts


def require_images(version: str, images: Images, split: int) -> None:
    """Raises EmptySplitError."""
    if not (images.split == split).any():
        raise EmptySplitError(version, SPLITS[split], splits_with_images(images))


def require_same_scores(version: str, evaluation: Evaluation, parsed: ParsedPredictions) -> None:
    """Raises MixedScoresError if only one of earlier and new predictions have scores."""
    if not len(evaluation.predictions) or not len(parsed.score):
        return
    has_scores = bool(np.isfinite(parsed.score[0]))
    if has_scores != evaluation.has_scores:
        raise MixedScoresError(parsed.path, version, has_scores)
