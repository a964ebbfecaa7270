"""Growing a view: what arrives is joined to what is there, and nothing that is there is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import SPLITS, UNANNOTATED, Annotations, Images, Int32Array, Kind
from pellucid.core.urls import is_remote
from pellucid.formats.dataset import Note, ParsedAnnotations
from pellucid.formats.errors import (
    ContradictoryTagError,
    DuplicateImageError,
    MultipleConceptsError,
    SplitConflictError,
)
from pellucid.images.locations import (
    FOLLOW_LINKS_VARIABLE,
    is_external_link,
    join_location,
    location_exists,
    resolve_folder,
)
from pellucid.ingest.errors import ImageLocationConflictError
from pellucid.storage.manifests import Concept


@dataclass(frozen=True, eq=False)
class Merged:
    images: Images
    annotations: Annotations
    notes: list[Note]


def merge_concepts(ours: list[Concept], listed: bool, found: ParsedAnnotations) -> tuple[list[Concept], Int32Array, Int32Array]:
    """The concepts together, and where each side's stand in them.

    In the order of the formats that list them; by name where none does.
    """
    ids: dict[str, list[str]] = {concept.name: list(concept.ids) for concept in ours}
    for name, identity in zip(found.concepts, found.concept_ids, strict=True):
        known = ids.setdefault(name, [])
        if identity and identity not in known:
            known.append(identity)
    names = list(ids)
    if not listed and not found.concepts_listed:
        names.sort()
    elif not listed and ours:
        names = [*found.concepts, *(name for name in names if name not in set(found.concepts))]
    place = {name: row for row, name in enumerate(names)}
    concepts = [Concept(name, ids[name]) for name in names]
    left = np.array([place[concept.name] for concept in ours], np.int32).reshape(-1)
    right = np.array([place[name] for name in found.concepts], np.int32).reshape(-1)
    return concepts, left, right


def merge(
    path: str, kind: Kind, concepts: Sequence[str], images: Images, annotations: Annotations,
    arriving: Images, marked: Annotations,
) -> Merged:  # fmt: skip
    """Join by image path. An image already there keeps its split; annotations it has already are not doubled."""
    refuse_twice(path, arriving)
    here = {name: row for row, name in enumerate(images.path)}
    place = np.array([here.get(name, -1) for name in arriving.path], np.int64).reshape(-1)
    again = np.flatnonzero(place >= 0)
    for row in again:
        if arriving.split[row] not in (-1, images.split[place[row]]):
            before, now = SPLITS[images.split[place[row]]], SPLITS[arriving.split[row]]
            raise SplitConflictError(path, arriving.path[row], before, now)
    fresh = np.flatnonzero(place < 0)
    arriving.split[(place < 0) & (arriving.split < 0)] = SPLITS.index("validation")
    place[fresh] = len(images) + np.arange(len(fresh))
    joined = images.concat(arriving.take(fresh))
    joined = refreshed(joined, arriving, place, again)
    marked = marked.replace(image=place[marked.image].astype(np.int32))
    if kind == "tagging":
        marked = single_tags(path, joined, annotations, marked, concepts)
    doubles = repeated(annotations, marked, len(images))
    if kind == "classification":
        refuse_second_concept(path, joined, annotations, marked.take(~doubles), concepts)
    notes = [Note("images_again", f"{format_count(len(again), 'image')} already in the view", len(again), "info")] if len(again) else []
    if number := int(doubles.sum()):
        notes.append(Note("annotations_again", f"{format_count(number, 'annotation')} already in the view, not added again", number, "info"))
    if twins := twice_within(marked):
        notes.append(
            Note("duplicate_annotations", f"{format_count(twins, 'annotation')} exactly equal to another of the same file: kept", twins)
        )
    return Merged(joined, annotations.concat(marked.take(~doubles)), notes)


def refuse_twice(path: str, arriving: Images) -> None:
    """A file that lists a picture in two splits, or twice, is wrong about it."""
    first: dict[str, int] = {}
    for row, name in enumerate(arriving.path):
        if name in first:
            one, other = arriving.split[first[name]], arriving.split[row]
            raise DuplicateImageError(path, name) if one == other or -1 in (one, other) else SplitConflictError(path, name, SPLITS[one], SPLITS[other])
        first[name] = row


def both(one: str, other: str) -> str:
    """The ids that files give to one image, a line each."""
    return "\n".join(dict.fromkeys([*one.splitlines(), *other.splitlines()]))


def single_tags(path: str, images: Images, annotations: Annotations, marked: Annotations, concepts: Sequence[str]) -> Annotations:
    """Each image's concept said once; raises ContradictoryTagError where two say the opposite."""
    said = {
        (i, c): p for i, c, p in zip(annotations.image.tolist(), annotations.concept.tolist(), annotations.positive.tolist(), strict=True)
    }
    kept: dict[tuple[int, int], int] = {}
    for row, (image, concept, positive) in enumerate(
        zip(marked.image.tolist(), marked.concept.tolist(), marked.positive.tolist(), strict=True)
    ):
        if said.setdefault((image, concept), positive) != positive:
            raise ContradictoryTagError(path, images.path[image], concepts[concept])
        kept.setdefault((image, concept), row)
    return marked.take(np.array(list(kept.values()), np.int64))


def refreshed(joined: Images, arriving: Images, place: Any, again: Any) -> Images:
    """Images met again: known sizes, folders and states of annotation replace unknown ones."""
    columns = {name: column.copy() for name, column in joined.to_dict().items()}
    for row in again:
        target = place[row]
        if columns["width"][target] <= 0:
            columns["width"][target], columns["height"][target] = arriving.width[row], arriving.height[row]
        if arriving.root[row] >= 0:
            columns["root"][target] = arriving.root[row]
        if columns["stated"][target] == UNANNOTATED:
            columns["stated"][target] = arriving.stated[row]
        columns["source_id"][target] = both(columns["source_id"][target], arriving.source_id[row])
        columns["metadata"][target] = arriving.metadata[row] or columns["metadata"][target]
    return Images(**columns)


def keys(annotations: Annotations) -> list[tuple[Any, ...]]:
    facts = [annotations.image.tolist(), annotations.concept.tolist(), annotations.ignore.tolist(), annotations.positive.tolist()]
    if annotations.box is not None:
        facts += [annotations.box[:, side].tolist() for side in range(4)]
    return list(zip(*facts, strict=True))


def repeated(annotations: Annotations, marked: Annotations, images: int) -> Any:
    """Which arriving annotations the view has already."""
    if not (marked.image < images).any():
        return np.zeros(len(marked), bool)
    there = set(keys(annotations))
    return np.array([key in there for key in keys(marked)], bool).reshape(-1)


def twice_within(marked: Annotations) -> int:
    return len(marked) - len(set(keys(marked)))


def refuse_second_concept(path: str, images: Images, annotations: Annotations, marked: Annotations, concepts: Sequence[str]) -> None:
    has = dict(zip(annotations.image.tolist(), annotations.concept.tolist(), strict=True))
    for image, concept in zip(marked.image.tolist(), marked.concept.tolist(), strict=True):
        if image in has:
            raise MultipleConceptsError(path, images.path[image], concepts[has[image]], concepts[concept])


def as_tags(found: ParsedAnnotations) -> ParsedAnnotations:
    """Boxes, or one concept an image, as tags: each concept once an image; where only ignored regions show it, unknown."""
    marked = found.annotations
    key = marked.image.astype(np.int64) * len(found.concepts) + marked.concept
    plain_first = np.lexsort((np.arange(len(key)), marked.ignore, ~marked.positive))
    _, first = np.unique(key[plain_first], return_index=True)
    rows = np.sort(plain_first[first])
    tags = Annotations(marked.image[rows], marked.concept[rows], None, marked.ignore[rows], marked.positive[rows], None)
    return replace(found, kind="tagging", annotations=tags, unit="pixels")


def found_folder(found: ParsedAnnotations, source: Any) -> str | None:
    """Where the pictures lie when nobody said: the format's own folder, or near the file if some are there."""
    if found.image_folder is not None:
        return resolve_folder(found.image_folder)
    if not isinstance(source, str | Path) or is_remote(str(source)):
        return None
    beside = Path(source).resolve().parent
    for folder in (beside, beside / "images", beside.parent / "images", beside.parent):
        if any((folder / name).is_file() for name in found.images.path[:5]):
            return str(folder)
    return None


def refuse_elsewhere(path: str, images: Images, arriving: Images, folders: Sequence[str]) -> None:
    """Raise where a path that the view has already now names a picture in another folder, and both are there."""
    here = {name: row for row, name in enumerate(images.path)}
    for name, root in zip(arriving.path, arriving.root, strict=True):
        before = images.root[here[name]] if name in here else -1
        if -1 in (before, root) or before == root:
            continue
        old, new = join_location(folders[before], name), join_location(folders[root], name)
        if location_exists(old) and location_exists(new) and not same_file(old, new):
            raise ImageLocationConflictError(path, name, folders[before], folders[root])


def same_file(one: str, other: str) -> bool:
    return one == other if is_remote(one) or is_remote(other) else Path(one).samefile(other)


def absent_pictures(images: Images, folder: str | None, guessed: bool) -> list[Note]:
    """How many pictures are not where they should be."""
    if folder is None:
        return [Note("no_pictures", "no folder of pictures given: everything but the pictures works (--images DIR)", 1, "info")]
    absent = [name for name in images.path if not location_exists(join_location(folder, name))]
    linked = [] if is_remote(folder) else [name for name in images.path if is_external_link(join_location(folder, name))]
    notes = [Note("folder", f"pictures found in {folder}", 1, "info")] if guessed else []
    if linked:
        text = (
            f"{format_count(len(linked), 'picture is a link', 'pictures are links')} to files outside {folder}, not shown: {summarize_names(linked)}. "
            f"If they are meant, set {FOLLOW_LINKS_VARIABLE}=1 where it is served"
        )
        notes.append(Note("picture_link", text, len(linked)))
    if absent:
        text = f"{format_count(len(absent), 'picture')} of {len(images):,} not found in {folder}: {summarize_names(absent)}"
        notes.append(Note("picture_absent", text, len(absent)))
    return notes
