"""Errors of reading and writing files of other tools."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.core.errors import PellucidError, summarize_names


class UnrecognizedFormatError(PellucidError):
    def __init__(
        self, path: object, content_kind: str, description: str, format_names: Sequence[str]
    ) -> None:
        super().__init__(
            f"{path}: not recognised as {content_kind}: found {description}. Supported formats: "
            f"{', '.join(format_names)}. Or use a CSV table (see docs/formats.md)."
        )


class UnsupportedFormatError(PellucidError):
    """A format that is recognised but not supported."""

    def __init__(self, path: object, format_name: str, remedy: str) -> None:
        super().__init__(f"{path}: unsupported format: {format_name}. {remedy}")


class MultipleModelsError(PellucidError):
    def __init__(self, path: object, models: str) -> None:
        super().__init__(
            f"{path}: contains predictions of several models ({models}); expected one. Export "
            "each model separately."
        )


class EmptyPredictionsError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: contains no predictions: {reason}. Specify the file with the model's "
            "predictions."
        )


class AmbiguousFieldError(PellucidError):
    def __init__(self, path: object, content_kind: str, fields: str) -> None:
        super().__init__(
            f"{path}: several fields could contain the {content_kind} ({fields}). Export only one "
            "of them."
        )


class MultipleAnnotationFilesError(PellucidError):
    def __init__(self, path: object, file_names: str) -> None:
        super().__init__(
            f"{path}: contains several annotation files ({file_names}); expected one. Add each "
            "file separately."
        )


class ExportError(PellucidError):
    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"cannot export to {target}: {reason}.")


class InMemoryDataError(PellucidError):
    def __init__(self, description: str) -> None:
        super().__init__(
            f"unsupported in-memory data: {description}. Use a dict of columns (image, concept, "
            "score, x, y, width, height)."
        )


class UnknownFormatNameError(PellucidError):
    exit_status = 2

    def __init__(self, format_name: str, format_names: Sequence[str]) -> None:
        super().__init__(
            f"unknown format '{format_name}'. Expected one of: {', '.join(format_names)}."
        )


class InvalidScoreError(PellucidError):
    def __init__(self, path: object, record: object, score: object) -> None:
        super().__init__(
            f"{path}: {record}: score is {score}; expected a finite number. Fix or remove this "
            "prediction."
        )


class InvalidBoxError(PellucidError):
    def __init__(self, path: object, record: object, box: object) -> None:
        super().__init__(
            f"{path}: {record}: box is {box}; expected finite numbers with non-negative width and "
            "height. Fix or remove it."
        )


class InvalidRecordError(PellucidError):
    def __init__(self, path: object, record: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {record}: {problem}. {remedy}")


class UnlistedImageError(PellucidError):
    def __init__(self, path: object, record: object, image_id: object) -> None:
        super().__init__(
            f"{path}: {record}: image {image_id!r} is not in the file's image list. Add it to the "
            "list or remove the annotation."
        )


class UnlistedConceptError(PellucidError):
    def __init__(
        self, path: object, record: object, concept_id: object, concept_ids: Sequence[object]
    ) -> None:
        super().__init__(
            f"{path}: {record}: unknown concept {concept_id!r}. Expected one of: "
            f"{summarize_names(concept_ids)}. Add it to the list or correct the annotation."
        )


class DuplicateImageError(PellucidError):
    def __init__(self, path: object, image: str) -> None:
        super().__init__(
            f"{path}: duplicate image '{image}'. Image paths must be unique: rename or remove one."
        )


class MultipleConceptsError(PellucidError):
    def __init__(self, path: object, image: str, first_concept: str, second_concept: str) -> None:
        super().__init__(
            f"{path}: image '{image}' has two concepts ('{first_concept}' and "
            f"'{second_concept}'); classification expects one concept per image.  "
            "Remove one, or create a tagging view (--kind tagging)."
        )


class PathTraversalError(PellucidError):
    def __init__(self, path: object, image_path: str) -> None:
        super().__init__(
            f"{path}: image path '{image_path}' is outside the image folder. Use paths relative "
            "to the folder given with --images."
        )


class UnknownSplitError(PellucidError):
    def __init__(self, path: object, record: object, split: object) -> None:
        super().__init__(
            f"{path}: {record}: invalid split '{split}'. Expected one of: training, validation, "
            "test."
        )


class ContradictoryTagError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(
            f"{path}: contradictory labels: image '{image}' is marked both with and without "
            f"'{concept}'. Remove one."
        )


class KindConflictError(PellucidError):
    def __init__(self, path: object, view: str, kind: str, content: str) -> None:
        super().__init__(
            f"{path}: {content} cannot be used with view '{view}', which is a {kind} view. Use "
            "another view."
        )


class DuplicateScoreError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(
            f"{path}: duplicate score: image '{image}' has two scores for '{concept}'. Remove one "
            "of them."
        )


class SplitConflictError(PellucidError):
    def __init__(self, path: object, image: str, existing_split: str, new_split: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is already in {existing_split} and cannot also be in "
            f"{new_split}. Correct the split or use another view."
        )


class InvalidPluginError(PellucidError):
    """An entry point of the group `pellucid.formats` is not a format."""

    exit_status = 1

    def __init__(self, entry_point: str, problem: str) -> None:
        super().__init__(
            f"format plug-in {entry_point}: {problem}. Expected an AnnotationFormat or a "
            "PredictionFormat. Fix or uninstall the package."
        )
