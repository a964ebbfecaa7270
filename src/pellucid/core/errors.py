"""Error classes. Each takes the facts of a failure and formats its message.

A message states the file, the record, what was found, what was expected and how to fix it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class PellucidError(Exception):
    """An error that the user can act on. Its text is the complete message."""

    exit_status = 3

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle only the class and the message, so that errors raised in workers keep both."""
        return rebuild_error, (type(self), str(self))


def rebuild_error(error_class: type[PellucidError], message: str) -> PellucidError:
    error = error_class.__new__(error_class)
    error.args = (message,)
    return error


def summarize_names(names: Iterable[object], limit: int = 3) -> str:
    """The first names in quotes, and how many more there are."""
    quoted_names = [f"'{item}'" for item in names]
    summary = ", ".join(quoted_names[:limit])
    return (
        summary if len(quoted_names) <= limit else f"{summary} and {len(quoted_names) - limit} more"
    )


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `1,200 images`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


class FileMissingError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: no such file or directory. Paths are relative to the current directory."
        )


class UnreadableFileError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: cannot be read ({reason}). Check its permissions.")


class EmptyFileError(PellucidError):
    def __init__(self, path: object, expected: str) -> None:
        super().__init__(f"{path}: contains no data; expected {expected}. Export it again.")


class MalformedFileError(PellucidError):
    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path}: {problem}. Export the file again or correct it.")


class UnrecognizedFormatError(PellucidError):
    def __init__(
        self, path: object, content_kind: str, description: str, format_names: Sequence[str]
    ) -> None:
        super().__init__(
            f"{path}: not recognised as {content_kind}: found {description}. Supported formats: {', '.join(format_names)}. Or use a CSV table (see docs/formats.md)."
        )


class UnsupportedFormatError(PellucidError):
    """A format that is recognised but not supported."""

    def __init__(self, path: object, format_name: str, remedy: str) -> None:
        super().__init__(f"{path}: unsupported format: {format_name}. {remedy}")


class MultipleModelsError(PellucidError):
    def __init__(self, path: object, models: str) -> None:
        super().__init__(
            f"{path}: contains predictions of several models ({models}); expected one. Export each model separately."
        )


class EmptyPredictionsError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: contains no predictions: {reason}. Specify the file with the model's predictions."
        )


class AmbiguousFieldError(PellucidError):
    def __init__(self, path: object, content_kind: str, fields: str) -> None:
        super().__init__(
            f"{path}: several fields could contain the {content_kind} ({fields}). Export only one of them."
        )


class MultipleAnnotationFilesError(PellucidError):
    def __init__(self, path: object, file_names: str) -> None:
        super().__init__(
            f"{path}: contains several annotation files ({file_names}); expected one. Add each file separately."
        )


class AmbiguousInterpretationError(PellucidError):
    def __init__(
        self,
        path: object,
        property_name: str,
        interpretations: Sequence[tuple[str, float]],
        option: str,
    ) -> None:
        alternatives = " and ".join(
            f"as {interpretation} ({agreement:.0%} of confident boxes agree)"
            for interpretation, agreement in interpretations
        )
        choices = " or ".join(f"{option} {interpretation}" for interpretation, _ in interpretations)
        super().__init__(
            f"{path}: ambiguous {property_name}: could be read {alternatives}. Specify {choices}."
        )


class AnnotationsMissingError(PellucidError):
    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(
            f"{summarize_names(sources)}: no annotations found. Specify the ground truth file as well."
        )


class ExportError(PellucidError):
    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"cannot export to {target}: {reason}.")


class InMemoryDataError(PellucidError):
    def __init__(self, description: str) -> None:
        super().__init__(
            f"unsupported in-memory data: {description}. Use a dict of columns (image, concept, score, x, y, width, height)."
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
            f"{path}: {record}: score is {score}; expected a finite number. Fix or remove this prediction."
        )


class InvalidBoxError(PellucidError):
    def __init__(self, path: object, record: object, box: object) -> None:
        super().__init__(
            f"{path}: {record}: box is {box}; expected finite numbers with non-negative width and height. Fix or remove it."
        )


class InvalidRecordError(PellucidError):
    def __init__(self, path: object, record: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {record}: {problem}. {remedy}")


class UnlistedImageError(PellucidError):
    def __init__(self, path: object, record: object, image_id: object) -> None:
        super().__init__(
            f"{path}: {record}: image {image_id!r} is not in the file's image list. Add it to the list or remove the annotation."
        )


class UnlistedConceptError(PellucidError):
    def __init__(
        self, path: object, record: object, concept_id: object, concept_ids: Sequence[object]
    ) -> None:
        super().__init__(
            f"{path}: {record}: unknown concept {concept_id!r}. Expected one of: {summarize_names(concept_ids)}. Add it to the list or correct the annotation."
        )


class DuplicateImageError(PellucidError):
    def __init__(self, path: object, image: str) -> None:
        super().__init__(
            f"{path}: duplicate image '{image}'. Image paths must be unique: rename or remove one."
        )


class MultipleConceptsError(PellucidError):
    def __init__(self, path: object, image: str, first_concept: str, second_concept: str) -> None:
        super().__init__(
            f"{path}: image '{image}' has two concepts ('{first_concept}' and '{second_concept}'); classification expects one concept per image.  "
            "Remove one, or create a tagging view (--kind tagging)."
        )


class PathTraversalError(PellucidError):
    def __init__(self, path: object, image_path: str) -> None:
        super().__init__(
            f"{path}: image path '{image_path}' is outside the image folder. Use paths relative to the folder given with --images."
        )


class UnknownSplitError(PellucidError):
    def __init__(self, path: object, record: object, split: object) -> None:
        super().__init__(
            f"{path}: {record}: invalid split '{split}'. Expected one of: training, validation, test."
        )


class ImageLocationConflictError(PellucidError):
    def __init__(self, path: object, image: str, existing_folder: str, new_folder: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is already in the view from a different folder: {existing_folder} (new: {new_folder}). "
            "Specify a common parent folder with --images and use paths relative to it."
        )


class ContradictoryTagError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(
            f"{path}: contradictory labels: image '{image}' is marked both with and without '{concept}'. Remove one."
        )


class InvalidChoiceError(PellucidError):
    exit_status = 2

    def __init__(self, option: str, choice: object, choices: Sequence[str]) -> None:
        super().__init__(
            f"invalid value '{choice}' for {option}. Expected one of: {', '.join(choices)}."
        )


class WorkspaceMissingError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: no workspace found. Create one with `pellucid add`.")


class SplitConflictError(PellucidError):
    def __init__(self, path: object, image: str, existing_split: str, new_split: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is already in {existing_split} and cannot also be in {new_split}. Correct the split or use another view."
        )


class KindConflictError(PellucidError):
    def __init__(self, path: object, view: str, kind: str, content: str) -> None:
        super().__init__(
            f"{path}: {content} cannot be used with view '{view}', which is a {kind} view. Use another view."
        )


class ImageSizeRequiredError(PellucidError):
    def __init__(self, path: object, image: str, reason: str) -> None:
        super().__init__(
            f"{path}: the size of image '{image}' is required ({reason}). "
            "Specify the image folder: run `pellucid add` for the annotations again with --images DIR."
        )


class NoMatchesError(PellucidError):
    def __init__(
        self, path: object, noun: str, file_keys: Iterable[object], version_keys: Iterable[object]
    ) -> None:
        super().__init__(
            f"{path}: none of its {noun} match the version. The file has {summarize_names(file_keys)}; the version has {summarize_names(version_keys)}. "
            f"Check that both refer to the same {noun}."
        )


class AmbiguousReferenceError(PellucidError):
    def __init__(
        self, path: object, noun: str, reference: str, candidates: Sequence[str], remedy: str
    ) -> None:
        super().__init__(
            f"{path}: ambiguous {noun} '{reference}': matches {summarize_names(candidates)}. {remedy}"
        )


class TooManyPredictionsError(PellucidError):
    def __init__(self, path: object, count: int, limit: int) -> None:
        super().__init__(
            f"{path}: {count:,} predictions; a version can contain at most {limit:,}. Split the images into several views."
        )


class DuplicateScoreError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(
            f"{path}: duplicate score: image '{image}' has two scores for '{concept}'. Remove one of them."
        )


class DuplicatePredictionsError(PellucidError):
    def __init__(self, path: object, version: str, images: Iterable[str], image_count: int) -> None:
        super().__init__(
            f"{path}: version '{version}' already has predictions for {image_count:,} of these images ({summarize_names(images)}). "
            "A version is a single run of one trained model: create a new version."
        )


class EmptyViewError(PellucidError):
    def __init__(self, view: str) -> None:
        super().__init__(
            f"view '{view}' has no images, so a version cannot be created. Add images first: pellucid add."
        )


class ViewNotFoundError(PellucidError):
    def __init__(self, workspace: object, view: str, views: Sequence[str]) -> None:
        super().__init__(
            f"{workspace}: view '{view}' not found. Existing views: {summarize_names(views, 8) or 'none'}."
        )


class VersionNotFoundError(PellucidError):
    def __init__(self, view: str, version: str, versions: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' not found in view '{view}'. Existing versions: {summarize_names(versions, 8) or 'none'}."
        )


class VersionExistsError(PellucidError):
    def __init__(self, view: str, version: str) -> None:
        super().__init__(
            f"version '{version}' already exists in view '{view}' and its images are frozen. Choose another name."
        )


class EmptySplitError(PellucidError):
    def __init__(self, version: str, split: str, splits: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' has no images in {split}; it has images in {', '.join(splits)}. Choose one of these with --split."
        )


class UnknownConceptError(PellucidError):
    def __init__(self, concept: str, concepts: Sequence[str]) -> None:
        super().__init__(
            f"unknown concept '{concept}'. Expected one of: {summarize_names(concepts, 8)}."
        )


class InvalidNameError(PellucidError):
    exit_status = 2

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(
            f"invalid {noun} name '{name}': it becomes a folder name. Use 1 to 100 characters, no leading dot, none of / \\ :."
        )


class NotAWorkspaceError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: not a Pellucid workspace ({reason}). Specify a folder created by `pellucid add` or a new one."
        )


class WorkspaceFormatError(PellucidError):
    def __init__(self, path: object, format_number: int, supported_format: int) -> None:
        super().__init__(
            f"{path}: unsupported workspace format {format_number}; the latest supported is {supported_format}. Upgrade Pellucid: pip install --upgrade pellucid."
        )


class WorkspaceLockedError(PellucidError):
    def __init__(self, path: object, seconds: float) -> None:
        super().__init__(
            f"{path}: locked by another process for {seconds:.0f} s. Retry when it has finished; nothing was changed."
        )


class WriteError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: cannot write ({reason}). Free disk space or choose another folder; existing data is unchanged."
        )


class ReviewStoreUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, store_name: str, reason: str) -> None:
        super().__init__(
            f"cannot read or write the decisions in {store_name} ({reason}). Nothing was lost; retry when it is available."
        )


class InvalidReviewUrlError(PellucidError):
    exit_status = 2

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the reviews URL has {problem}; expected postgresql://USER:PASSWORD@HOST/DATABASE."
        )


class PostgresDriverMissingError(PellucidError):
    exit_status = 1

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL requires pg8000. Install it: pip install 'pellucid[postgres]'."
        )


class InvalidDecisionError(PellucidError):
    def __init__(self, image: str, problem: str, remedy: str) -> None:
        super().__init__(f"image '{image}': {problem}. {remedy}")


class ItemNotFoundError(PellucidError):
    def __init__(self, image: str, concept: str) -> None:
        super().__init__(
            f"image '{image}': no such item of '{concept}' in this version. Reload the list and repeat the decision."
        )


class InvalidTextError(PellucidError):
    def __init__(self, text: str) -> None:
        super().__init__(
            f"the text {text[:40]!a} contains an unpaired surrogate or NUL and cannot be saved. Type it again."
        )


class HistoryRowNotFoundError(PellucidError):
    def __init__(self, row: int) -> None:
        super().__init__(f"no row {row} in the history. See `pellucid history`.")


class ReviewerMissingError(PellucidError):
    exit_status = 2

    def __init__(self) -> None:
        super().__init__("missing reviewer name. Specify who decides (1 to 100 characters).")


class PortUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({reason}). Choose another port with --port, or 0 for any free one."
        )


class PyArrowMissingError(PellucidError):
    exit_status = 1

    def __init__(self) -> None:
        super().__init__("Arrow tables require pyarrow. Install it: pip install 'pellucid[arrow]'.")


class InvalidEmbeddingsError(PellucidError):
    def __init__(self, path: object, problem: str, expected: str) -> None:
        super().__init__(f"{path}: {problem}; expected: {expected}.")


class FilterError(PellucidError):
    """A gallery filter cannot be parsed."""

    exit_status = 2

    def __init__(self, expression: str, expected: str) -> None:
        super().__init__(f"invalid filter '{expression}': expected {expected}.")


class AnyWidgetMissingError(PellucidError):
    def __init__(self) -> None:
        super().__init__("notebook galleries require anywidget: pip install 'pellucid[notebook]'.")


class InvalidObjectiveError(PellucidError):
    exit_status = 2

    def __init__(self, expression: str) -> None:
        super().__init__(
            f"unknown objective '{expression}'. Expected one of: errors, f1, cost:FALSE_ALARM,MISS (cost:1,5), precision:LEAST "
            "(precision:0.95), recall:LEAST (recall:0.9)."
        )


class InvalidTokensError(PellucidError):
    exit_status = 2

    def __init__(self, variables: Sequence[str], min_length: int) -> None:
        super().__init__(
            f"{' and '.join(variables)}: expected two different tokens of at least {min_length} characters. Omit them to generate new ones."
        )


class PredictionsMissingError(PellucidError):
    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' has no predictions to evaluate. Import predictions first: pellucid predictions WORKSPACE VIEW {version} SOURCE."
        )


class VersionModifiedError(PellucidError):
    exit_status = 1

    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' was modified during evaluation; the evaluation was discarded. Evaluate it again."
        )


class WorkerFailureError(PellucidError):
    exit_status = 1

    def __init__(self, task_name: str, failure_count: int) -> None:
        super().__init__(
            f"task '{task_name}': its worker died {failure_count} times, probably out of memory. Completed work is kept: run again with fewer "
            "rows per worker (--rows)."
        )


class RayMissingError(PellucidError):
    def __init__(self) -> None:
        super().__init__("the engine 'ray' requires Ray: pip install 'pellucid[ray]'.")


class ClusterUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"{address}: cannot connect to a Ray cluster ({reason}). Check the address, or omit it to start a local cluster."
        )


class SecretInUrlError(PellucidError):
    """The message contains the URL without credentials and query string."""

    def __init__(self, redacted_url: str) -> None:
        super().__init__(
            f"{redacted_url}: store URLs are saved and displayed; they must not contain credentials or signatures. Put credentials into the store's "
            "settings (for S3, AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and use the URL without them."
        )


class UnsupportedStoreError(PellucidError):
    def __init__(self, location: str, reason: str) -> None:
        super().__init__(
            f"{location}: unsupported kind of store ({reason}). Install its fsspec driver, for example s3fs."
        )


class StoreUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(
            f"{location}: cannot access the store ({reason}). Check the URL and your credentials; nothing was changed."
        )


class ConcurrentModificationError(PellucidError):
    exit_status = 1

    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: modified by another process; your change was not saved. Retry."
        )


class ReviewDatabaseRequiredError(PellucidError):
    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: reviews of a workspace in an object store require PostgreSQL. Set PELLUCID_REVIEWS to its URL "
            "(postgresql://...), see docs/reviewing.md."
        )


class FileTooLargeError(PellucidError):
    def __init__(self, path: object, size: str, limit: str, remedy: str) -> None:
        super().__init__(f"{path}: {size}; {limit}. {remedy}")
