"""A view: images and annotations of one kind of task, to which more can be added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import MalformedFileError
from pellucid.core.tables import (
    SPLITS,
    Annotations,
    Images,
    Int64Array,
    Kind,
    Split,
    empty_annotation_table,
    empty_image_table,
)
from pellucid.formats.annotation_sources import parse_annotations as read_source
from pellucid.formats.dataset import Note, ParsedAnnotations
from pellucid.formats.probe import create_read_options
from pellucid.images.duplicates import DuplicatePair
from pellucid.images.embedding_model import EmbeddingModel
from pellucid.ingest.annotations import (
    MergeResult,
    merge_annotations,
    merge_concepts,
    reject_moved_images,
    without_image_file_notes,
)
from pellucid.ingest.checks import duplicate_image_notes
from pellucid.ingest.concept_selection import NO_SELECTION, ConceptSelection, create_selection
from pellucid.ingest.prepared_annotations import (
    AddOptions,
    PreparedAnnotations,
    prepare_annotations,
)
from pellucid.project.duplicate_images import ImagePair, Progress, describe_pairs, find_pairs
from pellucid.project.embedding import embed_images
from pellucid.project.errors import EmptyViewError, VersionExistsError, VersionNotFoundError
from pellucid.project.image_choices import exclude, move, with_moved_splits, without_excluded
from pellucid.project.interfaces import ParentWorkspace
from pellucid.project.reviews import Reviews
from pellucid.project.version import Version
from pellucid.results.embeddings import import_embeddings, save_embeddings
from pellucid.results.results import Results
from pellucid.results.text_search import TextModelFiles, save_text_model
from pellucid.review.corrected import CorrectedView, correct_view
from pellucid.review.events import DecisionLog
from pellucid.storage.file_names import VERSION_MANIFEST, VIEW_MANIFEST
from pellucid.storage.files import (
    delete_folder,
    load_manifest,
    mark_unfinished,
    refresh_mirror,
    remove_unreferenced_files,
    rename_folder,
    write_lock,
    write_manifest,
)
from pellucid.storage.manifests import (
    Concept,
    CorrectionBaseline,
    VersionManifest,
    ViewManifest,
    build_source_record,
    utc_timestamp,
)
from pellucid.storage.names import list_names, validate_name
from pellucid.storage.parquet import load_annotations, load_images, save_annotations, save_images
from pellucid.storage.table_checksums import hash_tables, verify_tables

ORIGINALS_FILE = "originals.parquet"


class View:
    """Created or opened by `workspace.view(name, kind)`. A draft is written to disk by the first
    `add`."""

    def __init__(
        self, workspace: ParentWorkspace, name: str, draft_kind: Kind | None = None
    ) -> None:
        self.workspace = workspace
        self.name = name
        self.folder: Path = workspace.folder / "views" / name
        self._draft_kind = draft_kind
        self._versions: dict[str, Version] = {}

    def __repr__(self) -> str:
        return f"<{self.kind} view {self.name} of {self.workspace.location}>"

    @property
    def manifest_path(self) -> Path:
        return self.folder / VIEW_MANIFEST

    def image_folder_indexes(self) -> tuple[dict[str, int], list[str]]:
        """For each image path with a folder, the index of its folder; and the list of folders."""
        manifest = self.manifest
        if not manifest.folders:
            return {}, []
        manifest, images, _ = self._load_consistent()
        has_folder = images.root >= 0
        return dict(
            zip(images.path[has_folder], images.root[has_folder].tolist(), strict=True)
        ), manifest.folders

    @property
    def manifest(self) -> ViewManifest:
        if self._draft_kind is not None and not (self.folder / VIEW_MANIFEST).is_file():
            key = self.workspace.free_review_key(self.name)
            return ViewManifest(self._draft_kind, review_key="" if key == self.name else key)
        return load_manifest(self.folder / VIEW_MANIFEST, ViewManifest)

    @cached_property
    def review_key(self) -> str:
        """The name under which the review decisions are stored."""
        return self.manifest.review_key or self.name

    @property
    def kind(self) -> Kind:
        return self.manifest.kind

    def add(
        self,
        source: Any,
        images: str | Path | None = None,
        split: Split | None = None,
        format: str | None = None,
        first_pixel: int | None = None,
        boxes: str | None = None,
        columns: Mapping[str, str | Sequence[str]] | None = None,
        separator: str | None = None,
        rename: Mapping[str, str] | None = None,
        concepts: Sequence[str] | None = None,
        ignore_concepts: Sequence[str] | None = None,
    ) -> list[Note]:
        """Add images and annotations from a file, a folder or columns in memory.

        Returns notes about the import. Raises PellucidError; the view is then unchanged.

        Args:
            images: the folder or URL that image paths are relative to
            split: of images whose source states none (default: validation)
            first_pixel: 0 or 1, the origin of pixel coordinates where the format does not define it
            boxes: the box format (`xyxy-pixels`, `cxcywh-fractions`, ...) where the source does not
                state it
            columns: of a table, by role (`{"concept": "breed"}`)
            separator: of several concepts in one cell, `none` for one concept per cell
            rename: the name of a concept in the view by its name in the source (`{"tv": "TV"}`);
                several may get the same name
            concepts: only the annotations of these are imported
            ignore_concepts: those of these are not. Existing images gain annotations that they
                lack.
        """
        image_folder = None if images is None else str(images)
        options = create_read_options(
            self.kind, image_folder, first_pixel, columns=columns, separator=separator
        )
        parsed = read_source(source, format, options)
        selection = create_selection(rename, concepts, ignore_concepts)
        return self.add_parsed(parsed, source, image_folder, split, boxes, selection)

    def add_parsed(
        self,
        parsed: ParsedAnnotations,
        source: Any,
        image_folder: str | None,
        split: Split | None,
        boxes: str | None = None,
        selection: ConceptSelection = NO_SELECTION,
    ) -> list[Note]:
        """Add parsed annotations; the other parameters are as given by the user."""
        with write_lock(self.workspace.folder):
            manifest = self.manifest
            prepared = prepare_annotations(
                parsed,
                source,
                manifest.kind,
                self.name,
                manifest.folders,
                AddOptions(image_folder, split, boxes, selection),
            )
            known = {concept.name for concept in manifest.left_out}
            manifest.left_out += [c for c in prepared.left_out if c.name not in known]
            manifest.concepts, merged = self._merge(manifest, prepared)
            manifest.folders = prepared.folders
            notes = [
                *prepared.notes,
                *merged.notes,
                *duplicate_image_notes(merged.images, prepared.folders, include_near=False),
            ]
            if prepared.image_folder is not None:
                manifest.sources = without_image_file_notes(manifest.sources, merged.images)
            manifest.concepts_listed = manifest.concepts_listed or prepared.parsed.concepts_listed
            manifest.sources.append(
                build_source_record(
                    source,
                    parsed.path,
                    parsed.format,
                    len(prepared.images),
                    notes,
                    prepared.inferences,
                )
            )
            self._save(manifest, merged.images, merged.annotations)
        return notes

    def _merge(
        self, manifest: ViewManifest, prepared: PreparedAnnotations
    ) -> tuple[list[Concept], MergeResult]:
        """The concepts, images and annotations of the view together with new ones."""
        parsed = prepared.parsed
        concepts, existing_index, new_index = merge_concepts(
            manifest.concepts, manifest.concepts_listed, parsed
        )
        images, annotations = self._load_tables(manifest)
        reject_moved_images(parsed.path, images, prepared.images, prepared.folders)
        merged = merge_annotations(
            parsed.path,
            manifest.kind,
            [concept.name for concept in concepts],
            images,
            annotations.replace(concept=existing_index[annotations.concept]),
            with_moved_splits(manifest, prepared.images),
            prepared.annotations.replace(concept=new_index[prepared.annotations.concept]),
        )
        return concepts, merged

    def _load_consistent(self) -> tuple[ViewManifest, Images, Annotations]:
        """Read the manifest and its tables, without the images that were left out; retry if a
        writer replaces the tables in between."""
        while True:
            manifest = self.manifest
            try:
                return manifest, *without_excluded(manifest, *self._load_tables(manifest))
            except MalformedFileError:
                if self.manifest.generation == manifest.generation:
                    raise

    def _load_tables(self, manifest: ViewManifest) -> tuple[Images, Annotations]:
        if manifest.images is None or manifest.annotations is None:
            return empty_image_table(), empty_annotation_table(manifest.kind == "detection")
        verify_tables(self.folder, manifest.checksums, manifest.table_names)
        return load_images(self.folder / manifest.images)[0], load_annotations(
            self.folder / manifest.annotations
        )[0]

    def _save(self, manifest: ViewManifest, images: Images, annotations: Annotations) -> None:
        self.workspace.ensure_manifest()
        manifest.generation += 1
        manifest.images = f"images.{manifest.generation}.parquet"
        manifest.annotations = f"annotations.{manifest.generation}.parquet"
        with mark_unfinished(self.folder / VIEW_MANIFEST):
            save_images(self.folder / manifest.images, images)
            save_annotations(self.folder / manifest.annotations, annotations)
            manifest.checksums = hash_tables(self.folder, manifest.table_names)
            write_manifest(self.folder / VIEW_MANIFEST, manifest)
        remove_unreferenced_files(self.folder, set(manifest.table_names))

    def duplicates(self, progress: Progress | None = None) -> list[ImagePair]:
        """Pairs of images that are copies of each other or nearly so (difference hashes at most
        four of 64 bits apart), also those that were left out. Reads all images."""
        manifest = self.manifest
        images, _ = self._load_tables(manifest)
        found = find_pairs(images, manifest.folders, progress or (lambda done, total: None))
        return [each for _, each in describe_pairs(found.pairs, images, manifest, images)]

    def exclude(self, images: Sequence[str], excluded: bool = True) -> None:
        """Leave images out of the versions that are started from now on, and of exports of
        annotations; excluded=False takes them in again. Nothing is deleted.

        Raises UnknownImagesError.

        Args:
            images: their paths
        """
        with write_lock(self.workspace.folder):
            manifest = self.manifest
            known, _ = self._load_tables(manifest)
            exclude(manifest, self.name, known, images, excluded)
            write_manifest(self.folder / VIEW_MANIFEST, manifest)

    def move(self, images: Sequence[str], split: Split) -> None:
        """Move images to another split in the versions that are started from now on. They stay
        there when their source is added again.

        Raises UnknownImagesError, InvalidChoiceError.

        Args:
            images: their paths
        """
        with write_lock(self.workspace.folder):
            manifest = self.manifest
            known, annotations = self._load_tables(manifest)
            moved_images = move(manifest, self.name, known, images, split)
            self._save(manifest, moved_images, annotations)

    def describe_duplicates(
        self, pairs: Sequence[DuplicatePair], images: Images
    ) -> list[tuple[DuplicatePair, ImagePair]]:
        """What the view says now of pairs of images of one of its versions."""
        manifest = self.manifest
        return describe_pairs(pairs, images, manifest, self._load_tables(manifest)[0])

    @property
    def left_out_concepts(self) -> list[Concept]:
        """Concepts whose annotations were not imported, as chosen by the user."""
        return self.manifest.left_out

    @cached_property
    def reviews(self) -> Reviews:
        """The review decisions of this view."""
        return Reviews(self, self.workspace.decision_store)

    @property
    def decision_log(self) -> DecisionLog:
        """All decisions, up to the latest."""
        return self.reviews.log

    def version_results(self, name: str, corrected: bool) -> Results:
        """Results of a version of this view. Raises VersionNotFoundError."""
        return self.version(name).results(corrected)

    def version_stamp(self, name: str) -> object:
        """Changes when the version does."""
        return self.version(name).disk_stamp()

    def corrected_state(self) -> tuple[CorrectedView, list[str]]:
        """The images and annotations with corrections applied, and the image folders."""
        manifest, images, annotations = self._load_consistent()
        concept_names = [concept.name for concept in manifest.concepts]
        return correct_view(
            manifest.kind, concept_names, images, annotations, manifest.folders, self.reviews.log
        ), manifest.folders

    @property
    def images_and_folders(self) -> tuple[Images, list[str]]:
        """The images, and the folders that their `root` indexes."""
        manifest, images, _ = self._load_consistent()
        return images, manifest.folders

    def add_embeddings(self, source: str | Path, names: str | Path | None = None) -> int:
        """Store embeddings of the view's images or boxes, used for similarity; they replace those
        stored before.

        Returns the number of the view's images with an embedding. Raises FileMissingError,
        InvalidEmbeddingsError.

        Args:
            source: a CSV or Parquet table with `image`, `embedding` (a list of numbers) and, for
                boxes, `x, y, width, height`; or a .npy of shape (images, dimensions), with the
                image of each row in the text file `names` (default: the view's images by path)
        """
        paths = sorted(self.annotation_tables[0].path.tolist())
        embeddings = import_embeddings(source, names, paths)
        save_embeddings(self.folder, self.workspace.folder, embeddings)
        return len(set(embeddings.image.tolist()) & set(paths))

    def embed(
        self,
        model: str | Path,
        size: int | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        versions: Sequence[str] = (),
        cache: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
        text_model: str | Path | None = None,
        tokenizer: str | Path | None = None,
    ) -> int:
        """Store the embeddings that an ONNX model gives the view's images and annotated boxes, used
        for similarity; they replace those stored before. What was embedded before is not embedded
        again. Returns the number of images and boxes.

        Raises EmbeddingModelError, InvalidEmbeddingsError, FileMissingError.

        Args:
            size, mean, std: of the model's input, where its file does not state them (see
                EmbeddingModel)
            versions: whose counted predictions are embedded too
            cache: a file that keeps the vectors; default: one in the user's cache folder
            progress: is told how many of how many are done
            text_model, tokenizer: the ONNX model of texts that was trained with this one, and its
                tokenizer.json: images and boxes are then found by a text (filter `text:WORDS`);
                both files stay where they are
        """
        if (text_model is None) != (tokenizer is None):
            raise ValueError("text_model and tokenizer belong together")
        images, annotations, folders = self.annotation_tables
        embeddings = embed_images(
            EmbeddingModel(model, size, mean, std),
            images,
            folders,
            annotations,
            [self.version(name).results() for name in versions],
            None if cache is None else Path(cache),
            progress or (lambda done, total: None),
        )
        save_embeddings(self.folder, self.workspace.folder, embeddings)
        if text_model is not None and tokenizer is not None:
            files = TextModelFiles(str(Path(text_model).resolve()), str(Path(tokenizer).resolve()))
            save_text_model(self.folder, self.workspace.folder, embeddings, files)
        return len(embeddings.image)

    @property
    def annotation_tables(self) -> tuple[Images, Annotations, list[str]]:
        """The current images and annotations, and the image folders."""
        manifest, images, annotations = self._load_consistent()
        return images, annotations, manifest.folders

    @property
    def images_by_split(self) -> dict[Split, int]:
        """Number of images in each non-empty split."""
        image_splits = self._load_consistent()[1].split
        return {
            split_name: int((image_splits == split_index).sum())
            for split_index, split_name in enumerate(SPLITS)
            if (image_splits == split_index).any()
        }

    @property
    def versions(self) -> list[str]:
        """Names of the versions, oldest first."""
        return [name for _, _, name in self._version_order()]

    def _version_order(self) -> list[tuple[int, str, str]]:
        """Number, start and name of each version, oldest first: a clock that is set back does not
        change the order."""
        refresh_mirror(self.folder)
        folder = self.folder / "versions"
        manifests = {
            name: load_manifest(folder / name / VERSION_MANIFEST, VersionManifest)
            for name in list_names(folder, VERSION_MANIFEST)
        }
        return sorted((one.number, one.started, name) for name, one in manifests.items())

    def version(self, name: str) -> Version:
        """Return an existing version. Raises VersionNotFoundError."""
        if not (
            self.folder / "versions" / validate_name("version", name) / VERSION_MANIFEST
        ).is_file():
            raise VersionNotFoundError(self.name, name, self.versions)
        return self._versions.setdefault(name, Version(self, name))

    def rename_version(self, name: str, new_name: str) -> Version:
        """Rename a version. Raises VersionNotFoundError, VersionExistsError."""
        folder = self.version(name).folder
        new_folder = self.folder / "versions" / validate_name("version", new_name)
        with write_lock(self.workspace.folder):
            if new_folder.exists():
                raise VersionExistsError(self.name, new_name)
            rename_folder(folder, new_folder)
        self._versions.pop(name, None)
        return self.version(new_name)

    def remove_version(self, name: str) -> None:
        """Remove a version with its predictions; review decisions stay in the history. Raises
        VersionNotFoundError."""
        folder = self.version(name).folder
        with write_lock(self.workspace.folder):
            delete_folder(folder, self.workspace.folder)
        self._versions.pop(name, None)

    def version_or_draft(self, name: str, iou: float = 0.5) -> Version:
        """Return the version; if it does not exist, a draft that `add_predictions` freezes."""
        is_saved = (
            self.folder / "versions" / validate_name("version", name) / VERSION_MANIFEST
        ).is_file()
        return self.version(name) if is_saved else Version(self, name, iou)

    def start(self, name: str, iou: float = 0.5) -> Version:
        """Freeze the view's images, splits and annotations as a new version; call it when training
        starts.

        Args:
            iou: the minimum IoU of a match, in detection; above 0 and at most 1
        """
        if not 0 < iou <= 1:
            raise ValueError(f"Invalid iou {iou}: expected a number above 0 and at most 1")
        folder = self.folder / "versions" / validate_name("version", name)
        with write_lock(self.workspace.folder):
            if (folder / VERSION_MANIFEST).is_file():
                raise VersionExistsError(self.name, name)
            manifest, images, annotations, originals = self.build_snapshot(iou)
            with mark_unfinished(folder / VERSION_MANIFEST):
                remove_unreferenced_files(folder, set())
                self.save_originals(folder, manifest, originals)
                save_images(folder / manifest.images, images, np.zeros(len(images), np.int8))
                save_annotations(folder / manifest.annotations, annotations)
                manifest.checksums = hash_tables(folder, manifest.table_names)
                write_manifest(folder / VERSION_MANIFEST, manifest)
        return self.version(name)

    def build_snapshot(
        self, iou: float
    ) -> tuple[VersionManifest, Images, Annotations, Annotations]:
        """Snapshot for a new version: the annotations with corrections applied, and the original
        annotations."""
        manifest = self.manifest
        images, annotations = without_excluded(manifest, *self._load_tables(manifest))
        if not len(images):
            raise EmptyViewError(self.name)
        decision_log = self.reviews.log
        concept_names = [concept.name for concept in manifest.concepts]
        corrected_data = correct_view(
            manifest.kind, concept_names, images, annotations, manifest.folders, decision_log
        )
        concepts = [
            *manifest.concepts,
            *(
                Concept(concept_name)
                for concept_name in corrected_data.concepts[len(concept_names) :]
            ),
        ]
        ranks = path_ranks(images)
        originals = annotations.replace(image=ranks[annotations.image].astype(np.int32))
        corrected_ranks = ranks[corrected_data.changed_images]
        original_state = (
            CorrectionBaseline(
                ORIGINALS_FILE,
                corrected_ranks.tolist(),
                images.stated[corrected_data.changed_images].tolist(),
            )
            if len(corrected_ranks)
            else None
        )
        images, annotations = sort_by_path(corrected_data.images, corrected_data.annotations)
        version_manifest = VersionManifest(
            kind=manifest.kind,
            started=utc_timestamp(),
            made_by=__version__,
            iou=iou,
            concepts=concepts,
            corrected_to=decision_log.head,
            correction_baseline=original_state,
            folders=manifest.folders,
            images="images.0.parquet",
            annotations="annotations.0.parquet",
            annotation_sources=manifest.sources,
            counts={"images": len(images), "annotations": len(annotations)},
            number=max((number for number, *_ in self._version_order()), default=0) + 1,
        )
        return version_manifest, images, annotations, originals

    def save_originals(
        self, folder: Path, manifest: VersionManifest, originals: Annotations
    ) -> None:
        """Save the original annotations if corrections were applied, so that reverted corrections
        can be undone in the version."""
        if manifest.correction_baseline is not None:
            save_annotations(folder / manifest.correction_baseline.originals, originals)


def path_ranks(images: Images) -> Int64Array:
    """The rank of each image, sorted by path."""
    ranks: Int64Array = np.empty(len(images), np.int64)
    ranks[sorted(range(len(images)), key=images.path.__getitem__)] = np.arange(len(images))
    return ranks


def sort_by_path(images: Images, annotations: Annotations) -> tuple[Images, Annotations]:
    """Sort images by path and renumber the annotations' images; annotations keep their order."""
    ranks = path_ranks(images)
    return images.take(np.argsort(ranks)), annotations.replace(
        image=ranks[annotations.image].astype(np.int32)
    )
