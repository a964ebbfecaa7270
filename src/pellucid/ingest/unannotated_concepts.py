"""Concepts that predictions name and the annotations lack.

In detection and tagging their predictions are kept as ignored; a classifier's own concepts take
part in the choice of the highest score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import format_count, summarize_names
from pellucid.core.suggestions import closest_name
from pellucid.core.tables import BoolArray, Int32Array, Int64Array
from pellucid.formats.dataset import Note, ParsedPredictions
from pellucid.formats.tabular.concept_cells import is_missing_concept
from pellucid.ingest.concept_selection import (
    ALL_UNANNOTATED,
    ConceptSelection,
    rename_positions,
    take_names,
)
from pellucid.ingest.errors import (
    MAX_SUGGESTIONS,
    AnnotatedConceptError,
    ClassSelectionError,
    MissingWordConceptError,
    NoMatchesError,
    TooManyIgnoredError,
    UnknownFileConceptError,
)
from pellucid.ingest.frozen_version import FrozenVersion
from pellucid.ingest.references import Interpretation
from pellucid.storage.manifests import Concept

MAX_IGNORED_SHARE = 1 / 3
"""Largest share of predictions that an import ignores without being told to."""


@dataclass(frozen=True, eq=False)
class SettledConcepts:
    """The concepts of a version, those that only predictions name included.

    Attributes:
        concepts: of the version, with those that only predictions name at the end
        positions: of each concept key among them, -1 if it is not imported
        unannotated: names of the concepts whose predictions are ignored
    """

    concepts: list[Concept]
    positions: Int32Array
    unannotated: list[str]
    notes: list[Note]


def settle_concepts(
    source: ParsedPredictions,
    image_refs: Interpretation,
    concept_refs: Interpretation,
    version: FrozenVersion,
    selection: ConceptSelection,
) -> SettledConcepts:
    """The concept of each key of the file, with the concepts that only predictions name.

    Raises:
        ClassSelectionError: a class of a classifier is to be ignored.
        AnnotatedConceptError: an annotated concept is to be ignored.
        NoMatchesError: no key is resolved.
        TooManyIgnoredError: more than a third of the predictions would be ignored.
        MissingWordConceptError: a new concept is called like a missing one.
        UnknownFileConceptError: a key is renamed to a concept that the version lacks.
    """
    keys, path = source.concept_keys, source.path
    names = [concept.name for concept in version.annotated_concepts]
    positions = rename_positions(path, keys, concept_refs.positions, names, selection)
    if version.kind == "classification" and selection.ignored:
        raise ClassSelectionError(path)
    ignores_all = ALL_UNANNOTATED in selection.ignored
    if keys and not (positions >= 0).any() and not ignores_all:
        suggestions = suggest_names(keys, names)
        raise NoMatchesError(path, "concepts", keys, names, suggestions, source.remedy_for_names)
    key_counts = count_predictions(source, image_refs)
    reject_empty_selection(path, keys, positions, names, selection)
    is_left_out = find_left_out(path, keys, positions, names, selection)
    positions[is_left_out] = -1
    left_out_names = {alias: c.name for c in version.left_out for alias in (c.name, *c.ids)}
    new_concepts = [
        (index, left_out_names.get(name, name))
        for index, name in find_new_concepts(source, positions, concept_refs)
        if not is_left_out[index]
    ]
    reject_missing_words(path, [name for _, name in new_concepts])
    added_names = place_new_concepts(positions, new_concepts, names, version.unannotated)
    concepts = [*version.annotated_concepts, *map(Concept, added_names)]
    notes = note_left_out(keys, key_counts * is_left_out)
    notes += note_merged(keys, positions, names, selection)
    if version.kind == "classification":
        is_ignored = (positions < 0) & ~is_left_out
        notes += [
            *note_added(added_names, names),
            *note_ignored(keys, key_counts, is_ignored, names),
        ]
        return SettledConcepts(concepts, positions, [], notes)
    is_ignored = ~is_left_out & ((positions < 0) | (positions >= len(names)))
    reject_many_ignored(
        path, keys, key_counts, is_ignored, names, {*selection.ignored, *left_out_names}
    )
    labels = [left_out_names.get(key, key) for key in keys]
    notes += note_ignored(labels, key_counts, is_ignored, names)
    return SettledConcepts(concepts, positions, added_names, notes)


def reject_missing_words(path: str, names: Sequence[str]) -> None:
    """Raise MissingWordConceptError if predictions name a concept by a word that tables of
    annotations have where there is none: `NA` may be North America."""
    words = [name for name in names if is_missing_concept(name)]
    if words:
        raise MissingWordConceptError(path, words)


def place_new_concepts(
    positions: Int32Array,
    new_concepts: Sequence[tuple[int, str]],
    names: Sequence[str],
    earlier: Sequence[str],
) -> list[str]:
    """Set the positions of keys that are new concepts, behind those of the version. Returns the
    names of all concepts that only predictions have.

    Args:
        new_concepts: index and name of each key
        earlier: those that the version has already
    """
    added = list(earlier)
    for index, name in new_concepts:
        if name in names:
            continue
        if name not in added:
            added.append(name)
        positions[index] = len(names) + added.index(name)
    return added


def count_predictions(source: ParsedPredictions, image_refs: Interpretation) -> Int64Array:
    """For each concept key, its predictions on images of the version."""
    is_known = (image_refs.positions >= 0)[source.image]
    return np.bincount(source.concept[is_known], minlength=len(source.concept_keys))


def find_left_out(
    path: str,
    keys: Sequence[str],
    positions: Int32Array,
    names: Sequence[str],
    selection: ConceptSelection,
) -> BoolArray:
    """Whether each key is left out by the selection. Raises AnnotatedConceptError."""
    is_left_out = np.zeros(len(keys), bool)
    for index, (key, position) in enumerate(zip(keys, positions.tolist(), strict=True)):
        name = names[position] if position >= 0 else key
        if position >= 0 and not {key, name}.isdisjoint(selection.ignored):
            raise AnnotatedConceptError(path, name)
        is_left_out[index] = selection.kept is not None and {key, name}.isdisjoint(selection.kept)
    return is_left_out


def reject_empty_selection(
    path: str,
    keys: Sequence[str],
    positions: Int32Array,
    names: Sequence[str],
    selection: ConceptSelection,
) -> None:
    """Raise UnknownFileConceptError if none of the concepts to import is in the file."""
    in_file = {*keys, *(names[position] for position in positions.tolist() if position >= 0)}
    if keys and selection.kept and in_file.isdisjoint(selection.kept):
        raise UnknownFileConceptError(path, "--concepts", selection.kept[0], keys)


def find_new_concepts(
    source: ParsedPredictions, positions: Int32Array, concept_refs: Interpretation
) -> list[tuple[int, str]]:
    """The index and name of each key that is a concept which the annotations lack."""
    affix = concept_refs.name.partition("'")[2].removesuffix("'")
    prefix = affix if concept_refs.name.startswith("names after") else ""
    suffix = affix if concept_refs.name.startswith("names before") else ""
    is_set_off = (prefix and not prefix[-1].isalnum()) or (suffix and not suffix[0].isalnum())
    if source.concept_interpretation == "column" and not is_set_off and not sum_to_one(source):
        return []  # `p_fox` is a concept; `pred` next to `p0` and `p1` is not
    return [
        (index, key.removeprefix(prefix).removesuffix(suffix))
        for index, key in enumerate(source.concept_keys)
        if positions[index] < 0 and key.startswith(prefix) and key.endswith(suffix)
    ]


MIN_SUM_SHARE, MAX_SUM_ERROR = 0.95, 0.02
"""Share of images whose scores must sum to one, and by how much they may differ from it."""


def sum_to_one(source: ParsedPredictions) -> bool:
    """Whether the scores of each image are probabilities of classes that exclude each other, so
    that all of their columns are classes."""
    if not len(source.score) or source.score.min() < 0:
        return False
    sums = np.bincount(source.image, source.score, len(source.image_keys))
    return bool((np.abs(sums - 1) <= MAX_SUM_ERROR).mean() >= MIN_SUM_SHARE)


def reject_many_ignored(
    path: str,
    keys: Sequence[str],
    key_counts: Int64Array,
    is_ignored: BoolArray,
    names: Sequence[str],
    expected: set[str],
) -> None:
    """Raise TooManyIgnoredError if over a third of the predictions are ignored unexpectedly.

    Args:
        expected: concepts that the user chose to ignore
    """
    if ALL_UNANNOTATED in expected:
        return
    is_unexpected = is_ignored & np.array([key not in expected for key in keys], bool)
    ignored_count, count = int(key_counts[is_unexpected].sum()), int(key_counts.sum())
    if ignored_count > MAX_IGNORED_SHARE * count:
        unexpected = take_names(keys, is_unexpected & (key_counts > 0))
        raise TooManyIgnoredError(
            path, ignored_count, count, unexpected, suggest_names(unexpected, names)
        )


def suggest_names(keys: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    """The keys that are probably another spelling of a name, with that name."""
    return [(key, name) for key in keys if (name := closest_name(key, names))]


def note_ignored(
    keys: Sequence[str], key_counts: Int64Array, is_ignored: BoolArray, names: Sequence[str]
) -> list[Note]:
    """Note on the predictions of concepts that the annotations lack."""
    ignored = take_names(keys, is_ignored & (key_counts > 0))
    if not ignored:
        return []
    prediction_count = int(key_counts[is_ignored].sum())
    message = (
        f"{format_count(prediction_count, 'prediction')} of "
        f"{format_count(len(ignored), 'concept')} not in the annotations, ignored: "
        f"{summarize_names(ignored)}{likely_maps(ignored, names)}"
    )
    return [Note("concept_unknown", message, prediction_count)]


def note_merged(
    keys: Sequence[str], positions: Int32Array, names: Sequence[str], selection: ConceptSelection
) -> list[Note]:
    """Note on several concepts of the file that are read as one without having been renamed."""
    keys_by_name: dict[str, list[str]] = {}
    for key, position in zip(keys, positions.tolist(), strict=True):
        if 0 <= position < len(names) and key not in selection.renamed:
            keys_by_name.setdefault(names[position], []).append(key)
    return [
        Note(
            "concepts_merged",
            f"{summarize_names(merged)} are read as the same concept, '{name}'",
            len(merged),
        )
        for name, merged in keys_by_name.items()
        if len(merged) > 1
    ]


def note_added(added: Sequence[str], names: Sequence[str]) -> list[Note]:
    """Note on classes that only predictions have. names: the annotated ones."""
    if not added:
        return []
    message = (
        f"{format_count(len(added), 'concept')} without annotations added: "
        f"{', '.join(added)}{likely_maps(added, names)}"
    )
    return [Note("concept_added", message, len(added))]


def likely_maps(keys: Sequence[str], names: Sequence[str]) -> str:
    """The options for keys that are probably another spelling of a name."""
    return "".join(
        f"; '{key}' is probably '{name}': --map '{key}={name}'"
        for key, name in suggest_names(keys, names)[:MAX_SUGGESTIONS]
    )


def note_left_out(keys: Sequence[str], counts: Int64Array) -> list[Note]:
    """Note on predictions that were left out as chosen. counts: of each key, 0 if imported."""
    left_out = take_names(keys, counts > 0)
    if not left_out:
        return []
    message = (
        f"{format_count(int(counts.sum()), 'prediction')} of "
        f"{format_count(len(left_out), 'concept')} left out as chosen: {summarize_names(left_out)}"
    )
    return [Note("concepts_left_out", message, int(counts.sum()), "info")]
