"""A view: one kind of task over a set of images, growing as images and annotations are added."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.columns import SPLITS, Annotations, Images, Kind, Longs, Split, no_annotations, no_images
from pellucid.errors import MalformedFileError, KindConflictError, EmptyViewError, VersionExistsError, VersionNotFoundError
from pellucid.formats import read_annotations as read_source
from pellucid.formats.source import ParsedAnnotations, Note
from pellucid.images.store import absolute
from pellucid.release import __version__
from pellucid.workspace.embeddings import keep_embeddings, read_embeddings
from pellucid.workspace.findings import twin_findings
from pellucid.workspace.imports import annotations_in_pixels, outside, split_position
from pellucid.workspace.manifests import BeforeMending, Concept, VersionManifest, ViewManifest, now, source_record
from pellucid.workspace.mended import Current, current
from pellucid.workspace.merging import absent_pictures, as_tags, found_folder, merge, merge_concepts, refuse_elsewhere
from pellucid.workspace.names import checked_name, listed_names
from pellucid.workspace.reviewing import Reviews
from pellucid.workspace.storage import follow, read_manifest, remove_leftovers, write_manifest, writing
from pellucid.workspace.tables import read_annotations, read_images, write_annotations, write_images
from pellucid.workspace.turning import annotated_as_stored
from pellucid.workspace.version import MANIFEST as VERSION_MANIFEST
from pellucid.workspace.version import Version

if TYPE_CHECKING:
    from pellucid.workspace.workspace import Workspace

MANIFEST = "view.json"
ORIGINALS = "originals.parquet"


class View:
    """Made or read by `workspace.view(name, kind)`. A draft is on disk only once something was added to it."""

    def __init__(self, workspace: Workspace, name: str, draft: Kind | None = None) -> None:
        self.workspace = workspace
        self.name = name
        self.folder: Path = workspace.folder / "views" / name
        self._draft = draft
        self._versions: dict[str, Version] = {}

    def __repr__(self) -> str:
        return f"<{self.kind} view {self.name} of {self.workspace.location}>"

    @property
    def manifest_path(self) -> Path:
        return self.folder / MANIFEST

    def picture_places(self) -> tuple[dict[str, int], list[str]]:
        """The folder of each image that has one, by path, as a position in the list of folders; and that list."""
        manifest = self.manifest
        if not manifest.folders:
            return {}, []
        manifest, images, _ = self._stable()
        known = images.root >= 0
        return dict(zip(images.path[known], images.root[known].tolist(), strict=True)), manifest.folders

    @property
    def manifest(self) -> ViewManifest:
        if self._draft is not None and not (self.folder / MANIFEST).is_file():
            return ViewManifest(self._draft)
        return read_manifest(self.folder / MANIFEST, ViewManifest)

    @property
    def kind(self) -> Kind:
        return self.manifest.kind

    def add(
        self, source: Any, images: str | Path | None = None, split: Split | None = None, format: str | None = None,
        first_pixel: int | None = None,
    ) -> list[Note]:  # fmt: skip
        """Add images and annotations from a file, a folder or columns in memory.

        images: the folder or URL that image paths are relative to. split: of images whose source does not say
        (default: validation). first_pixel: 0 or 1, where a format leaves open from which pixels are numbered. Images already there
        gain the annotations they lack. Returns what is worth knowing.
        Raises PellucidError with nothing changed.
        """
        pictures = None if images is None else str(images)
        return self.take(read_source(source, format, self.kind, pictures, first_pixel), source, pictures, split)

    def take(self, found: ParsedAnnotations, source: Any, pictures: str | None, split: Split | None) -> list[Note]:
        """Add what a reader found; `source` and `pictures` are what the user named."""
        with writing(self.workspace.folder):
            manifest = self.manifest
            found = suited(found, manifest.kind, self.name)
            folder = absolute(pictures) if pictures else found_folder(found, source)
            folders = list(manifest.folders)
            if folder is not None and folder not in folders:
                folders.append(folder)
            arriving = placed(found.images, split, -1 if folder is None else folders.index(folder))
            notes = [*found.notes, *absent_pictures(arriving, folder, guessed=pictures is None and found.image_folder is None)]
            arriving, annotations = annotations_in_pixels(found, arriving, folders)
            arriving, annotations, turned, judgements = annotated_as_stored(arriving, annotations, folders)
            notes += turned
            if annotations.box is not None:
                notes += outside(annotations.box, arriving, annotations.image)
            concepts, ours, theirs = merge_concepts(manifest.concepts, manifest.concepts_listed, found)
            before, marked = self._tables(manifest)
            refuse_elsewhere(found.path, before, arriving, folders)
            marked = marked.replaced(concept=ours[marked.concept])
            annotations = annotations.replaced(concept=theirs[annotations.concept])
            merged = merge(found.path, manifest.kind, [one.name for one in concepts], before, marked, arriving, annotations)
            notes += merged.notes
            notes += twin_findings(merged.images, folders, near=False)
            manifest.concepts, manifest.folders = concepts, folders
            manifest.concepts_listed = manifest.concepts_listed or found.concepts_listed
            manifest.sources.append(source_record(source, found.path, found.format, len(arriving), notes, [*found.inferences, *judgements]))
            self._keep(manifest, merged.images, merged.annotations)
        return notes

    def _stable(self) -> tuple[ViewManifest, Images, Annotations]:
        """The manifest and its tables; a writer may replace the tables in between, and then all is read again."""
        while True:
            manifest = self.manifest
            try:
                return manifest, *self._tables(manifest)
            except MalformedFileError:
                if self.manifest.generation == manifest.generation:
                    raise

    def _tables(self, manifest: ViewManifest) -> tuple[Images, Annotations]:
        if manifest.images is None or manifest.annotations is None:
            return no_images(), no_annotations(manifest.kind == "detection")
        return read_images(self.folder / manifest.images)[0], read_annotations(self.folder / manifest.annotations)[0]

    def _keep(self, manifest: ViewManifest, images: Images, annotations: Annotations) -> None:
        self.workspace.write_manifest()
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest.generation += 1
        manifest.images = f"images.{manifest.generation}.parquet"
        manifest.annotations = f"annotations.{manifest.generation}.parquet"
        write_images(self.folder / manifest.images, images)
        write_annotations(self.folder / manifest.annotations, annotations)
        write_manifest(self.folder / MANIFEST, manifest)
        remove_leftovers(self.folder, {manifest.images, manifest.annotations})

    @cached_property
    def reviews(self) -> Reviews:
        """What people decided on the items of this view, and the way to decide."""
        return Reviews(self, self.workspace.decisions)

    def current(self) -> tuple[Current, list[str]]:
        """The images and annotations as people have mended them, and the folders of the pictures."""
        manifest, images, annotations = self._stable()
        names = [concept.name for concept in manifest.concepts]
        return current(manifest.kind, names, images, annotations, manifest.folders, self.reviews.ledger), manifest.folders

    @property
    def images_and_folders(self) -> tuple[Images, list[str]]:
        """The images, and the folders that their `root` points into."""
        manifest, images, _ = self._stable()
        return images, manifest.folders

    def add_embeddings(self, source: str | Path, names: str | Path | None = None) -> int:
        """Keep embeddings of the view's pictures or boxes, by which likeness goes from now on; they replace those kept before.

        source: a CSV or Parquet table with `image` and `embedding` (a list of numbers), for boxes also `x, y, width, height`; or a .npy of
        shape (images, dimensions), with the image of each row in the text file `names` (default: the view's images by path).
        Returns how many of the view's images have one. Raises FileMissing, EmbeddingsBad.
        """
        paths = sorted(self.annotated[0].path.tolist())
        found = read_embeddings(source, names, paths)
        keep_embeddings(self.folder, self.workspace.folder, found)
        return len(set(found.image.tolist()) & set(paths))

    @property
    def annotated(self) -> tuple[Images, Annotations, list[str]]:
        """The images and annotations as they are now, and the folders of the pictures."""
        manifest, images, annotations = self._stable()
        return images, annotations, manifest.folders

    @property
    def images_by_split(self) -> dict[Split, int]:
        """How many images the view has in each split that has some."""
        split = self._stable()[1].split
        return {name: int((split == place).sum()) for place, name in enumerate(SPLITS) if (split == place).any()}

    @property
    def versions(self) -> list[str]:
        """Names of the versions, oldest first."""
        follow(self.folder)
        names = listed_names(self.folder / "versions", VERSION_MANIFEST)
        return sorted(
            names, key=lambda name: (read_manifest(self.folder / "versions" / name / VERSION_MANIFEST, VersionManifest).started, name)
        )

    def version(self, name: str) -> Version:
        """An existing version; raises VersionUnknown."""
        if not (self.folder / "versions" / checked_name("version", name) / VERSION_MANIFEST).is_file():
            raise VersionNotFoundError(self.name, name, self.versions)
        return self._versions.setdefault(name, Version(self, name))

    def version_to_be(self, name: str, iou: float = 0.5) -> Version:
        """The version of that name; if there is none, one that `add_predictions` freezes as it begins."""
        there = (self.folder / "versions" / checked_name("version", name) / VERSION_MANIFEST).is_file()
        return self.version(name) if there else Version(self, name, iou)

    def start(self, name: str, iou: float = 0.5) -> Version:
        """Freeze the view's images, splits and annotations as a new version, when its training is launched.

        iou: the least IoU of a match, in detection, over 0 and at most 1.
        """
        if not 0 < iou <= 1:
            raise ValueError(f"iou is {iou}, where a number over 0 and at most 1 was expected")
        folder = self.folder / "versions" / checked_name("version", name)
        with writing(self.workspace.folder):
            if (folder / VERSION_MANIFEST).is_file():
                raise VersionExistsError(self.name, name)
            manifest, images, annotations, originals = self.frozen_now(iou)
            folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(folder, set())
            self.keep_originals(folder, manifest, originals)
            write_images(folder / manifest.images, images, np.zeros(len(images), np.int8))
            write_annotations(folder / manifest.annotations, annotations)
            write_manifest(folder / VERSION_MANIFEST, manifest)
        return self.version(name)

    def frozen_now(self, iou: float) -> tuple[VersionManifest, Images, Annotations, Annotations]:
        """What a version started at this moment holds: the annotations as they are mended by now, and as they were before."""
        manifest = self.manifest
        images, annotations = self._tables(manifest)
        if not len(images):
            raise EmptyViewError(self.name)
        ledger = self.reviews.ledger
        names = [concept.name for concept in manifest.concepts]
        mended = current(manifest.kind, names, images, annotations, manifest.folders, ledger)
        concepts = [*manifest.concepts, *(Concept(name) for name in mended.concepts[len(names) :])]
        place = path_rank(images)
        originals = annotations.replaced(image=place[annotations.image].astype(np.int32))
        touched = place[mended.touched]
        before = BeforeMending(ORIGINALS, touched.tolist(), images.stated[mended.touched].tolist()) if len(touched) else None
        images, annotations = by_path(mended.images, mended.annotations)
        frozen = VersionManifest(
            kind=manifest.kind, started=now(), made_by=__version__, iou=iou, concepts=concepts, corrected_to=ledger.head, mended=before,
            folders=manifest.folders, images="images.0.parquet", annotations="annotations.0.parquet",
            annotation_sources=manifest.sources, counts={"images": len(images), "annotations": len(annotations)},
        )  # fmt: skip
        return frozen, images, annotations, originals

    def keep_originals(self, folder: Path, manifest: VersionManifest, originals: Annotations) -> None:
        """Where people had mended annotations before a version was frozen: so that it can be seen without what they take back later."""
        if manifest.mended is not None:
            write_annotations(folder / manifest.mended.originals, originals)


def path_rank(images: Images) -> Longs:
    """Where each image stands among all, by path."""
    place: Longs = np.empty(len(images), np.int64)
    place[sorted(range(len(images)), key=images.path.__getitem__)] = np.arange(len(images))
    return place


def by_path(images: Images, annotations: Annotations) -> tuple[Images, Annotations]:
    """Images sorted by path, so that position is rank; annotations keep their order."""
    place = path_rank(images)
    return images.take(np.argsort(place)), annotations.replaced(image=place[annotations.image].astype(np.int32))


def suited(found: ParsedAnnotations, kind: Kind, view: str) -> ParsedAnnotations:
    """The source as the view's kind: boxes and single concepts make tags, nothing else is changed into another kind."""
    if found.kind == kind:
        return found
    if kind == "tagging":
        return as_tags(found)
    raise KindConflictError(
        found.path,
        view,
        kind,
        {"detection": "boxes", "tagging": "tags", "classification": "one concept an image, without boxes"}[found.kind],
    )


def placed(images: Images, split: Split | None, root: int) -> Images:
    """The images in the folder; those whose source states no split in the one the user names, if any."""
    position = split_position(split)
    named = -1 if position is None else position
    return images.replaced(split=np.where(images.split < 0, named, images.split).astype(np.int8), root=np.full(len(images), root, np.int32))
