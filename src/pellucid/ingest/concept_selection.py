"""Which concepts of a file are imported, and under which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.tables import UNANNOTATED, Annotations, BoolArray, Images, Int32Array
from pellucid.formats.dataset import Note, ParsedAnnotations
from pellucid.ingest.errors import ContradictorySelectionError, UnknownFileConceptError
from pellucid.storage.manifests import Concept

ALL_UNANNOTATED = "*"
"""As an ignored concept: every concept that the annotations lack."""


@dataclass(frozen=True)
class ConceptSelection:
    """Which concepts of a source are imported, and under which names.

    Attributes:
        renamed: the concept of the view by the name in the file
        kept: only these are imported; None: all
        ignored: these are not
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    kept: Sequence[str] | None = None
    ignored: Sequence[str] = ()

    def left_out(self, key: str, name: str) -> bool:
        """Whether a concept is not imported.

        Args:
            key: as in the file
            name: in the view
        """
        names = {key, name}
        is_kept = self.kept is None or not names.isdisjoint(self.kept)
        return not is_kept or not names.isdisjoint(self.ignored)


NO_SELECTION = ConceptSelection()


def create_selection(
    renamed: Mapping[str, str] | None, kept: Iterable[str] | None, ignored: Iterable[str] | None
) -> ConceptSelection:
    """Raises ContradictorySelectionError if a concept is both kept and ignored."""
    kept = (kept,) if isinstance(kept, str) else kept
    ignored = (ignored,) if isinstance(ignored, str) else tuple(ignored or ())
    if contradicted := set(ignored) & set(kept or ()):
        raise ContradictorySelectionError(sorted(contradicted))
    return ConceptSelection(dict(renamed or {}), None if kept is None else tuple(kept), ignored)


def check_names(
    path: str, selection: ConceptSelection, file_names: Sequence[str], names: Sequence[str]
) -> None:
    """file_names: the concepts of the file; names: those that may be kept or ignored as well.

    Raises UnknownFileConceptError for a name that is in neither.
    """
    for option, chosen, known in (
        ("--map", selection.renamed, file_names),
        ("--concepts", selection.kept or (), [*file_names, *names]),
        ("--ignore-concept", selection.ignored, [*file_names, *names, ALL_UNANNOTATED]),
    ):
        for name in chosen:
            if name not in known:
                raise UnknownFileConceptError(path, option, name, file_names)


def rename_concepts(parsed: ParsedAnnotations, selection: ConceptSelection) -> ParsedAnnotations:
    """The annotations with concepts named as in the view. Several may get the same name."""
    check_names(parsed.path, selection, parsed.concepts, tuple(selection.renamed.values()))
    names = [selection.renamed.get(concept, concept) for concept in parsed.concepts]
    return replace(parsed, concepts=names)


@dataclass(frozen=True, eq=False)
class SelectedAnnotations:
    """Annotations of the selected concepts.

    Attributes:
        parsed: with the concepts that are imported
        images, annotations: with what is imported
        left_out: the other concepts
    """

    parsed: ParsedAnnotations
    images: Images
    annotations: Annotations
    left_out: list[Concept]
    notes: list[Note]


def select_annotations(
    parsed: ParsedAnnotations,
    file_names: Sequence[str],
    images: Images,
    annotations: Annotations,
    selection: ConceptSelection,
) -> SelectedAnnotations:
    """Leave out the annotations of concepts that are not imported. A classified image that loses
    its concept counts as not annotated.

    Args:
        file_names: the concepts as the file names them
    """
    is_left_out = np.array(
        [
            selection.left_out(key, name)
            for key, name in zip(file_names, parsed.concepts, strict=True)
        ],
        bool,
    )
    if not is_left_out.any():
        return SelectedAnnotations(parsed, images, annotations, [], [])
    is_removed = is_left_out[annotations.concept]
    if parsed.kind == "classification":
        stated = images.stated.copy()
        stated[annotations.image[is_removed]] = UNANNOTATED
        images = images.replace(stated=stated)
    new_index = (np.cumsum(~is_left_out) - 1).astype(np.int32)
    kept = annotations.take(~is_removed)
    kept = kept.replace(concept=new_index[kept.concept])
    left_out = [
        Concept(name, [concept_id] if concept_id else [])
        for name, concept_id, removed in zip(
            parsed.concepts, parsed.concept_ids, is_left_out, strict=True
        )
        if removed
    ]
    removed_count = int(is_removed.sum())
    message = (
        f"{format_count(removed_count, 'annotation')} of "
        f"{format_count(len(left_out), 'concept')} left out as chosen: "
        f"{summarize_names(concept.name for concept in left_out)}"
    )
    return SelectedAnnotations(
        replace(
            parsed,
            concepts=take_names(parsed.concepts, ~is_left_out),
            concept_ids=take_names(parsed.concept_ids, ~is_left_out),
        ),
        images,
        kept,
        left_out,
        [Note("concepts_left_out", message, removed_count, "info")],
    )


def take_names(names: Sequence[str], is_taken: BoolArray) -> list[str]:
    return [name for name, taken in zip(names, is_taken, strict=True) if taken]


def rename_positions(
    path: str,
    keys: Sequence[str],
    positions: Int32Array,
    concepts: Sequence[str],
    selection: ConceptSelection,
) -> Int32Array:
    """The position of each key among the concepts, with the renamed keys at their new concept.

    Raises UnknownFileConceptError if a key is renamed to a concept that the version lacks.
    """
    positions = positions.copy()
    for index, key in enumerate(keys):
        name = selection.renamed.get(key)
        if name is None:
            continue
        if name not in concepts:
            raise UnknownFileConceptError(path, "--map", name, concepts, "the version")
        positions[index] = concepts.index(name)
    return positions
