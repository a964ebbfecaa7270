"""Errors of imports: references and values that cannot be resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pellucid.core.errors import PellucidError, summarize_names
from pellucid.core.suggestions import suggestion_text


class AmbiguousInterpretationError(PellucidError):
    """interpretations: name and evidence of each."""

    def __init__(
        self,
        path: object,
        property_name: str,
        interpretations: Sequence[tuple[str, str]],
        option: str,
    ) -> None:
        alternatives = " and ".join(
            f"as {interpretation} ({evidence})" for interpretation, evidence in interpretations
        )
        choices = " or ".join(
            f"{option} {interpretation.replace(' ', '-')}" for interpretation, _ in interpretations
        )
        super().__init__(
            f"{path}: ambiguous {property_name}: could be read {alternatives}. Specify {choices}."
        )


class ConceptNumberingError(PellucidError):
    """The numbers of concepts contradict the annotations."""

    def __init__(
        self, path: object, reading: str, names: Mapping[str, str], evidence: tuple[str, str]
    ) -> None:
        meaning = ", ".join(f"{key} is '{name}'" for key, name in [*names.items()][:6])
        more = ", ..." if len(names) > 6 else ""
        options = " ".join(f"--map '{key}={name}'" for key, name in [*names.items()][:6])
        if more:
            options = "the names of the numbers with --map-file"
        super().__init__(
            f"{path}: the numbers of the concepts contradict the annotations: read as {reading}, "
            f"{evidence[0]}; if {meaning}{more}, {evidence[1]}. Specify {options}, or "
            f"--category-ids {reading.replace(' ', '-')} to read them as they are."
        )


class OtherReadingError(PellucidError):
    """Few boxes overlap an annotation as read, most with other options.

    Args:
        shares: of the confident boxes, as read and otherwise
    """

    def __init__(self, path: object, shares: tuple[float, float], other: str, as_read: str) -> None:
        super().__init__(
            f"{path}: only {shares[0]:.0%} of confident boxes overlap an annotation; with {other}, "
            f"{shares[1]:.0%} do. Specify these options if that is what the file means, or "
            f"{as_read} to read it as it says."
        )


class AnnotationsMissingError(PellucidError):
    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(
            f"{summarize_names(sources)}: no annotations found. Specify the ground truth file as "
            "well."
        )


class ValuesPerSourceError(PellucidError):
    exit_status = 2

    def __init__(self, option: str, values: int, sources: int) -> None:
        super().__init__(
            f"--{option} is given {values} times for {sources} annotation files. Give it once for "
            "all, or once for each, in their order."
        )


class UnknownFileConceptError(PellucidError):
    """A concept named by an option is not in the file."""

    def __init__(
        self, path: object, option: str, name: str, names: Sequence[str], place: str = "the file"
    ) -> None:
        super().__init__(
            f"{path}: {option}: no concept '{name}' in {place}, which has "
            f"{summarize_names(names, 8) or 'none'}.{suggestion_text(name, names)}"
        )


class ContradictorySelectionError(PellucidError):
    exit_status = 2

    def __init__(self, concepts: Sequence[str]) -> None:
        super().__init__(
            f"{summarize_names(concepts)}: in both --concepts and --ignore-concept. Leave it out "
            "of one."
        )


class NoIgnoredConceptsError(PellucidError):
    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' has no predictions of concepts that the annotations lack, so "
            "there is nothing to map. Specify --map when importing predictions, or use --replace."
        )


class MixedScoresError(PellucidError):
    def __init__(self, path: object, version: str, has_scores: bool) -> None:
        words = ("have scores", "have none") if has_scores else ("have no scores", "have some")
        super().__init__(
            f"{path}: these predictions {words[0]}, those of version '{version}' {words[1]}. "
            "Import them into a version of their own."
        )


class AnnotatedConceptError(PellucidError):
    def __init__(self, path: object, concept: str) -> None:
        super().__init__(
            f"{path}: --ignore-concept: the version has annotations of '{concept}', which would "
            "all become errors if its predictions were ignored. Leave it out of the annotations "
            f"(pellucid add --ignore-concept '{concept}', in a new view), or specify --concepts "
            "with the concepts to import."
        )


class MissingWordConceptError(PellucidError):
    def __init__(self, path: object, words: Sequence[str]) -> None:
        super().__init__(
            f"{path}: predictions of {summarize_names(words)}, which a table of annotations has "
            "where there is no concept. If it is one, rename it in both files; if not, leave the "
            "cells empty."
        )


class TooManyIgnoredError(PellucidError):
    """concepts: those that the annotations lack · suggestions: those probably meant, by concept."""

    def __init__(
        self,
        path: object,
        ignored_count: int,
        count: int,
        concepts: Sequence[str],
        suggestions: Sequence[tuple[str, str]],
    ) -> None:
        likely = probable_maps(suggestions)
        super().__init__(
            f"{path}: {ignored_count:,} of {count:,} predictions are of concepts that the "
            f"annotations lack: {summarize_names(concepts, 8)}.{likely} Specify --map FROM=TO for "
            "concepts with another name in the annotations, and --ignore-concept C for those to "
            "be ignored (--ignore-concept '*': all that the annotations lack)."
        )


class ImageLocationConflictError(PellucidError):
    def __init__(self, path: object, image: str, existing_folder: str, new_folder: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is already in the view from a different folder: "
            f"{existing_folder} (new: {new_folder}). "
            "Specify a common parent folder with --images and use paths relative to it."
        )


class SwappedSourcesError(PellucidError):
    def __init__(self, source: object, predictions: object) -> None:
        super().__init__(
            f"{source} looks like predictions and {predictions} like annotations. Specify the "
            "annotations first."
        )


class ImageFolderError(PellucidError):
    """remedy: a sentence where it is known; else the general one."""

    def __init__(self, folder: str, problem: str, looked_for: str, remedy: str = "") -> None:
        remedy = remedy or "Specify the folder that the image paths are relative to."
        super().__init__(f"--images {folder}: {problem} (looked for {looked_for}). {remedy}")


class ImageSizeRequiredError(PellucidError):
    def __init__(self, path: object, image: str, reason: str) -> None:
        super().__init__(
            f"{path}: the size of image '{image}' is required ({reason}). "
            "Specify the image folder: run `pellucid add` for the annotations again with --images "
            "DIR."
        )


MAX_SUGGESTIONS = 12


def probable_maps(suggestions: Sequence[tuple[str, str]]) -> str:
    """The options that map concepts to those probably meant. suggestions: by concept."""
    maps = " ".join(f"--map '{key}={name}'" for key, name in suggestions[:MAX_SUGGESTIONS])
    return f" Probably meant: {maps}." if maps else ""


def advise_numbering(keys: Sequence[object], concept_count: int) -> str:
    """The option for keys that could be positions among the concepts."""
    texts = [re.sub(r".*\D", "", str(key)) for key in keys]
    if len({str(key).rstrip("0123456789") for key in keys}) > 1:
        return ""
    numbers = [int(text) for text in texts if text]
    if not numbers or len(numbers) < len(keys) or max(numbers) > concept_count:
        return ""
    starts = [0] if 0 in numbers else [1] if max(numbers) == concept_count else [0, 1]
    if 0 in numbers and max(numbers) == concept_count:
        return ""
    options = " or ".join(f"--category-ids positions-from-{start}" for start in starts)
    return f"; if its numbers are positions in the list of concepts, specify {options}"


class NoMatchesError(PellucidError):
    def __init__(
        self,
        path: object,
        noun: str,
        file_keys: Iterable[object],
        version_keys: Iterable[object],
        suggestions: Sequence[tuple[str, str]] = (),
        remedy: str = "",
    ) -> None:
        file_keys = list(file_keys)
        version_keys = list(version_keys)
        advice = advise_numbering(file_keys, len(version_keys)) if noun == "concepts" else ""
        if noun == "concepts" and len(file_keys) == 1 and len(version_keys) == 2:
            advice += "; rename a column with the probability of one class to that class"
        if noun == "concepts":
            advice += ", or specify --map NAME=CONCEPT for each name of the file"
        super().__init__(
            f"{path}: none of its {noun} match the version. The file has "
            f"{summarize_names(file_keys)}; the version has {summarize_names(version_keys)}. "
            f"Check that both refer to the same {noun}{advice}.{probable_maps(suggestions)}{remedy}"
        )


class UnconvertedShapesError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: its shapes agree with the annotations in another form only (such as y before "
            "x, or in the pixels of a resized image); expected x before y, in pixels or fractions "
            "of the original image. Convert them, or specify --geometry box to compare boxes alone."
        )


class AmbiguousReferenceError(PellucidError):
    def __init__(
        self, path: object, noun: str, reference: str, candidates: Sequence[str], remedy: str
    ) -> None:
        super().__init__(
            f"{path}: ambiguous {noun} '{reference}': matches {summarize_names(candidates)}. "
            f"{remedy}"
        )


class OtherSplitError(PellucidError):
    def __init__(self, path: object, split: str) -> None:
        super().__init__(
            f"{path}: none of its predictions is of an image of {split}, the split given by "
            "--split. Specify the split of the file, or leave --split out."
        )


class ClassSelectionError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: --ignore-concept does not apply to classification: every class of the model "
            "takes part in the choice of the highest score. Specify --concepts with the classes to "
            "import."
        )


class TooManyPredictionsError(PellucidError):
    def __init__(self, path: object, count: int, limit: int) -> None:
        super().__init__(
            f"{path}: {count:,} predictions; a version can contain at most {limit:,}. Split the "
            "images into several views."
        )


class DuplicatePredictionsError(PellucidError):
    def __init__(self, path: object, version: str, images: Iterable[str], image_count: int) -> None:
        super().__init__(
            f"{path}: version '{version}' already has predictions for {image_count:,} of these "
            f"images ({summarize_names(images)}). "
            "A version is a single run of one trained model: create a new version, or specify "
            "--replace (replace=True in Python) to put these predictions in the place of the "
            "earlier ones."
        )


class KeypointCountError(PellucidError):
    """Predicted objects have other numbers of keypoints than the annotated ones."""

    def __init__(self, path: str, found: int, expected: int) -> None:
        super().__init__(
            f"{path}: predicted objects have {found} keypoints, the annotated ones {expected}. "
            "Write the same keypoints in the same order, or specify --geometry box to compare "
            "boxes."
        )


class GeometryUnavailableError(PellucidError):
    def __init__(self, path: object, geometry: str, reason: str) -> None:
        super().__init__(f"{path}: --geometry {geometry}: {reason}, or leave --geometry out.")


class StoredMasksError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: boxes on images with EXIF rotation are of the image as stored; masks and "
            "oriented boxes are not rotated. Write them for the image as displayed, or specify "
            "--geometry box."
        )


class MaskSizeError(PellucidError):
    """size, image_size: width and height in pixels."""

    def __init__(
        self, path: object, image: str, size: tuple[int, int], image_size: tuple[int, int]
    ) -> None:
        is_rotated = size == image_size[::-1] and size[0] != size[1]
        rotated = (
            " (width and height are exchanged, as by an EXIF orientation)" if is_rotated else ""
        )
        super().__init__(
            f"{path}: a mask of '{image}' is {size[0]}x{size[1]} pixels; the image is "
            f"{image_size[0]}x{image_size[1]}{rotated}. Write masks in the size of the image, or "
            "specify --geometry box to compare the boxes."
        )
