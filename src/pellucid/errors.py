"""Every failure is a class that takes the facts and writes the message.

A message says what file, which record, what was found, what was expected and how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class PellucidError(Exception):
    """Something a person can act on. The text is the whole message."""

    exit_status = 3

    def __reduce__(self) -> tuple[Any, ...]:
        """The facts are in the message by now: what a worker raises arrives elsewhere as it is."""
        return rebuild_error, (type(self), str(self))


def rebuild_error(error_class: type[PellucidError], message: str) -> PellucidError:
    error = error_class.__new__(error_class)
    error.args = (message,)
    return error


def summarize_names(names: Iterable[object], limit: int = 3) -> str:
    """Some names in quotes, and how many more there are."""
    quoted_names = [f"'{item}'" for item in names]
    summary = ", ".join(quoted_names[:limit])
    return summary if len(quoted_names) <= limit else f"{summary} and {len(quoted_names) - limit} more"


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `1,200 images`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


class FileMissingError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: there is no such file or folder. Check the path; it is taken from the current folder.")


class UnreadableFileError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: cannot be read ({reason}). Check its permissions.")


class EmptyFileError(PellucidError):
    def __init__(self, path: object, expected: str) -> None:
        super().__init__(f"{path}: holds nothing, where {expected} was expected. Export it again.")


class MalformedFileError(PellucidError):
    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path}: {problem}. Export it again, or mend that place.")


class UnrecognizedFormatError(PellucidError):
    def __init__(self, path: object, content_kind: str, description: str, format_names: Sequence[str]) -> None:
        super().__init__(
            f"{path}: not recognised as {content_kind}: {description}. Known are {', '.join(format_names)}; a CSV table always works (see docs/formats.md)."
        )


class UnsupportedFormatError(PellucidError):
    """A format that is known by name and not read."""

    def __init__(self, path: object, format_name: str, remedy: str) -> None:
        super().__init__(f"{path}: this is {format_name}, which Pellucid does not read. {remedy}")


class MultipleModelsError(PellucidError):
    def __init__(self, path: object, models: str) -> None:
        super().__init__(
            f"{path}: it holds predictions of several models ({models}), where those of one were expected. Export one at a time."
        )


class EmptyPredictionsError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: no predictions in it: {reason}. Give the file that the model's predictions were written to.")


class AmbiguousFieldError(PellucidError):
    def __init__(self, path: object, content_kind: str, fields: str) -> None:
        super().__init__(f"{path}: several fields could hold the {content_kind} ({fields}). Export it with one of them.")


class MultipleAnnotationFilesError(PellucidError):
    def __init__(self, path: object, file_names: str) -> None:
        super().__init__(f"{path}: several files in it hold annotations ({file_names}), where one was expected. Give each alone.")


class AmbiguousInterpretationError(PellucidError):
    def __init__(self, path: object, property_name: str, interpretations: Sequence[tuple[str, float]], option: str) -> None:
        alternatives = " and ".join(f"as {interpretation} ({agreement:.0%} of confident boxes agree)" for interpretation, agreement in interpretations)
        choices = " or ".join(f"{option} {interpretation}" for interpretation, _ in interpretations)
        super().__init__(f"{path}: its {property_name} could be read {alternatives}. Say which with {choices}.")


class AnnotationsMissingError(PellucidError):
    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(f"{summarize_names(sources)}: no annotations among them. Give the file that predictions are held against too.")


class ExportError(PellucidError):
    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"cannot export to {target}: {reason}.")


class InMemoryDataError(PellucidError):
    def __init__(self, description: str) -> None:
        super().__init__(f"in memory: found {description}. A dict of columns (image, concept, score, x, y, width, height) always works.")


class UnknownFormatNameError(PellucidError):
    exit_status = 2

    def __init__(self, format_name: str, format_names: Sequence[str]) -> None:
        super().__init__(f"format '{format_name}' is not known here. Known are {', '.join(format_names)}.")


class InvalidScoreError(PellucidError):
    def __init__(self, path: object, record: object, score: object) -> None:
        super().__init__(f"{path}: {record}: score is {score}, where a finite number was expected. Mend or remove that prediction.")


class InvalidBoxError(PellucidError):
    def __init__(self, path: object, record: object, box: object) -> None:
        super().__init__(
            f"{path}: {record}: box is {box}, where finite numbers with no negative width or height were expected. Mend or remove it."
        )


class InvalidRecordError(PellucidError):
    def __init__(self, path: object, record: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {record}: {problem}. {remedy}")


class UnlistedImageError(PellucidError):
    def __init__(self, path: object, record: object, image_id: object) -> None:
        super().__init__(
            f"{path}: {record}: image {image_id!r} is not among the file's images. Add the image there, or remove the annotation."
        )


class UnlistedConceptError(PellucidError):
    def __init__(self, path: object, record: object, concept_id: object, concept_ids: Sequence[object]) -> None:
        super().__init__(
            f"{path}: {record}: concept {concept_id!r} is not among the listed ones ({summarize_names(concept_ids)}). Add it to the list, or mend the annotation."
        )


class DuplicateImageError(PellucidError):
    def __init__(self, path: object, image: str) -> None:
        super().__init__(f"{path}: image '{image}' is listed twice. Image paths must be unique: rename or remove one.")


class MultipleConceptsError(PellucidError):
    def __init__(self, path: object, image: str, first_concept: str, second_concept: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is annotated twice ('{first_concept}' and '{second_concept}'), where classification has one concept an image. "
            "Remove one, or make the view a tagging view (--kind tagging)."
        )


class PathTraversalError(PellucidError):
    def __init__(self, path: object, image_path: str) -> None:
        super().__init__(
            f"{path}: image path '{image_path}' leads out of the image folder. Use paths relative to the folder given with --images."
        )


class UnknownSplitError(PellucidError):
    def __init__(self, path: object, record: object, split: object) -> None:
        super().__init__(f"{path}: {record}: split '{split}' is not known. Use training, validation or test.")


class ImageLocationConflictError(PellucidError):
    def __init__(self, path: object, image: str, existing_folder: str, new_folder: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is in the view already, as another picture: in {existing_folder}, and now in {new_folder}. "
            "Name a folder that holds both with --images, and paths from there."
        )


class ContradictoryTagError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(f"{path}: image '{image}' is said to have and not to have '{concept}'. Remove one of the two.")


class InvalidChoiceError(PellucidError):
    exit_status = 2

    def __init__(self, option: str, choice: object, choices: Sequence[str]) -> None:
        super().__init__(f"'{choice}' is no {option}. Known are {', '.join(choices)}.")


class WorkspaceMissingError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: there is no workspace there. `pellucid add` makes one.")


class SplitConflictError(PellucidError):
    def __init__(self, path: object, image: str, existing_split: str, new_split: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is in {existing_split} already and cannot also be in {new_split}. Correct the split, or add it to another view."
        )


class KindConflictError(PellucidError):
    def __init__(self, path: object, view: str, kind: str, content: str) -> None:
        super().__init__(f"{path}: holds {content}, but view '{view}' is a {kind} view. Add it to another view.")


class ImageSizeRequiredError(PellucidError):
    def __init__(self, path: object, image: str, reason: str) -> None:
        super().__init__(
            f"{path}: the size of picture '{image}' is needed ({reason}). "
            "Say where the pictures are: `pellucid add` of the annotations with --images DIR, once more if need be."
        )


class NoMatchesError(PellucidError):
    def __init__(self, path: object, noun: str, file_keys: Iterable[object], version_keys: Iterable[object]) -> None:
        super().__init__(
            f"{path}: none of its {noun} is in the version. The file has {summarize_names(file_keys)}; the version has {summarize_names(version_keys)}. "
            f"Check that both speak of the same {noun}."
        )


class AmbiguousReferenceError(PellucidError):
    def __init__(self, path: object, noun: str, reference: str, candidates: Sequence[str], remedy: str) -> None:
        super().__init__(f"{path}: {noun} '{reference}' may be {summarize_names(candidates)}. {remedy}")


class TooManyPredictionsError(PellucidError):
    def __init__(self, path: object, count: int, limit: int) -> None:
        super().__init__(f"{path}: {count:,} predictions, where a version holds at most {limit:,}. Split the images over several views.")


class DuplicateScoreError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(f"{path}: image '{image}' has two scores for '{concept}', where one was expected. Remove one of them.")


class DuplicatePredictionsError(PellucidError):
    def __init__(self, path: object, version: str, images: Iterable[str], image_count: int) -> None:
        super().__init__(
            f"{path}: version '{version}' already has predictions for {image_count:,} of these images ({summarize_names(images)}). "
            "A version is one trained model, run once: start another version."
        )


class EmptyViewError(PellucidError):
    def __init__(self, view: str) -> None:
        super().__init__(f"view '{view}' has no images yet, so there is nothing to freeze. Add some first: pellucid add.")


class ViewNotFoundError(PellucidError):
    def __init__(self, workspace: object, view: str, views: Sequence[str]) -> None:
        super().__init__(f"{workspace}: there is no view '{view}'. It has {summarize_names(views, 8) or 'none yet'}.")


class VersionNotFoundError(PellucidError):
    def __init__(self, view: str, version: str, versions: Sequence[str]) -> None:
        super().__init__(f"view '{view}' has no version '{version}'. It has {summarize_names(versions, 8) or 'none yet'}.")


class VersionExistsError(PellucidError):
    def __init__(self, view: str, version: str) -> None:
        super().__init__(f"view '{view}' already has a version '{version}', frozen when it was started. Choose another name.")


class EmptySplitError(PellucidError):
    def __init__(self, version: str, split: str, splits: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' has no images in {split}; it has some in {', '.join(splits)}. Choose one of these with --split."
        )


class UnknownConceptError(PellucidError):
    def __init__(self, concept: str, concepts: Sequence[str]) -> None:
        super().__init__(f"there is no concept '{concept}'. Known are {summarize_names(concepts, 8)}.")


class InvalidNameError(PellucidError):
    exit_status = 2

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(
            f"'{name}' cannot name a {noun}, as it becomes a folder. Use 1 to 100 characters, no dot first, none of / \\ : in it."
        )


class NotAWorkspaceError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: is no Pellucid workspace ({reason}). Name a folder made by `pellucid add`, or a new one.")


class WorkspaceFormatError(PellucidError):
    def __init__(self, path: object, format_number: int, supported_format: int) -> None:
        super().__init__(
            f"{path}: has folder format {format_number}; this Pellucid reads up to {supported_format}. Upgrade it: pip install --upgrade pellucid."
        )


class WorkspaceLockedError(PellucidError):
    def __init__(self, path: object, seconds: float) -> None:
        super().__init__(
            f"{path}: another process has been writing to it for {seconds:.0f} s. Try again when it is done; nothing was changed."
        )


class WriteError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: cannot be written ({reason}). Make room or choose another folder; what was there is unchanged.")


class ReviewStoreUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, store_name: str, reason: str) -> None:
        super().__init__(f"the decisions in {store_name} cannot be read or written ({reason}). Nothing was lost: try again when it answers.")


class InvalidReviewUrlError(PellucidError):
    exit_status = 2

    def __init__(self, problem: str) -> None:
        super().__init__(f"the address of the reviews has {problem}, where postgresql://USER:PASSWORD@HOST/DATABASE was expected.")


class PostgresDriverMissingError(PellucidError):
    exit_status = 1

    def __init__(self) -> None:
        super().__init__("pg8000 is needed for PostgreSQL. Install it: pip install 'pellucid[postgres]'.")


class InvalidDecisionError(PellucidError):
    def __init__(self, image: str, problem: str, remedy: str) -> None:
        super().__init__(f"image '{image}': {problem}. {remedy}")


class ItemNotFoundError(PellucidError):
    def __init__(self, image: str, concept: str) -> None:
        super().__init__(f"image '{image}': there is no such item of '{concept}' in this version. Reload the list and decide again.")


class InvalidTextError(PellucidError):
    def __init__(self, text: str) -> None:
        super().__init__(f"the text {text[:40]!a} holds half of a character, or none, and cannot be kept. Type it again.")


class HistoryRowNotFoundError(PellucidError):
    def __init__(self, row: int) -> None:
        super().__init__(f"the history has no row {row}. See `pellucid history`.")


class ReviewerMissingError(PellucidError):
    exit_status = 2

    def __init__(self) -> None:
        super().__init__("a decision needs a name: say who decides (1 to 100 characters).")


class PortUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port} ({reason}). Choose another port with --port, or 0 for any free one.")


class PyArrowMissingError(PellucidError):
    exit_status = 1

    def __init__(self) -> None:
        super().__init__("pyarrow is needed for Arrow tables. Install it: pip install 'pellucid[arrow]'.")


class InvalidEmbeddingsError(PellucidError):
    def __init__(self, path: object, problem: str, expected: str) -> None:
        super().__init__(f"{path}: {problem}; expected: {expected}.")


class FilterError(PellucidError):
    """What a gallery was to be narrowed down to is not understood."""

    exit_status = 2

    def __init__(self, expression: str, expected: str) -> None:
        super().__init__(f"'{expression}' narrows nothing down: expected {expected}.")


class AnyWidgetMissingError(PellucidError):
    def __init__(self) -> None:
        super().__init__("a gallery in a notebook needs anywidget: pip install 'pellucid[notebook]'.")


class InvalidObjectiveError(PellucidError):
    exit_status = 2

    def __init__(self, expression: str) -> None:
        super().__init__(
            f"'{expression}' is no objective of a threshold. Known are errors, f1, cost:FALSE_ALARM,MISS (cost:1,5), precision:LEAST "
            "(precision:0.95) and recall:LEAST (recall:0.9)."
        )


class InvalidTokensError(PellucidError):
    exit_status = 2

    def __init__(self, variables: Sequence[str], min_length: int) -> None:
        super().__init__(
            f"{' and '.join(variables)}: two different tokens of at least {min_length} characters were expected. Leave them out for new ones."
        )


class PredictionsMissingError(PellucidError):
    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' has no predictions to evaluate. Bring them in first: pellucid predictions WORKSPACE VIEW {version} SOURCE."
        )


class VersionModifiedError(PellucidError):
    exit_status = 1

    def __init__(self, version: str) -> None:
        super().__init__(f"version '{version}' was changed by someone else while it was evaluated; their change stands. Evaluate it again.")


class WorkerFailureError(PellucidError):
    exit_status = 1

    def __init__(self, task_name: str, failure_count: int) -> None:
        super().__init__(
            f"the step '{task_name}' lost its worker {failure_count} times, most likely for want of memory. What is done is kept: run again with fewer "
            "rows a worker (--rows)."
        )


class RayMissingError(PellucidError):
    def __init__(self) -> None:
        super().__init__("the engine 'ray' needs Ray: pip install 'pellucid[ray]'.")


class ClusterUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: no Ray cluster answers there ({reason}). Check the address, or leave --address out to begin one here.")


class SecretInUrlError(PellucidError):
    """What follows a key in an address is kept out of the message too."""

    def __init__(self, redacted_url: str) -> None:
        super().__init__(
            f"{redacted_url}: addresses of stores are kept and shown, so they may hold no name, key or signature. Give keys to the store's own "
            "settings (for S3, AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and the address without them."
        )


class UnsupportedStoreError(PellucidError):
    def __init__(self, location: str, reason: str) -> None:
        super().__init__(f"{location}: this kind of store is not known here ({reason}). Install what reads it, for instance s3fs.")


class StoreUnavailableError(PellucidError):
    exit_status = 1

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(f"{location}: the store does not answer ({reason}). Check the address and your keys to it; nothing was changed.")


class ConcurrentModificationError(PellucidError):
    exit_status = 1

    def __init__(self, location: str) -> None:
        super().__init__(f"{location}: somebody else wrote there meanwhile; their change stands and yours was not made. Do it again.")


class ReviewDatabaseRequiredError(PellucidError):
    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: decisions on a workspace in a store are kept in PostgreSQL. Name the database in PELLUCID_REVIEWS "
            "(postgresql://...), see docs/reviewing.md."
        )


class FileTooLargeError(PellucidError):
    def __init__(self, path: object, size: str, limit: str, remedy: str) -> None:
        super().__init__(f"{path}: {size}, where {limit}. {remedy}")
