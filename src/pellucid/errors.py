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
        return restored, (type(self), str(self))


def restored(kind: type[PellucidError], message: str) -> PellucidError:
    error = kind.__new__(kind)
    error.args = (message,)
    return error


def few(names: Iterable[object], most: int = 3) -> str:
    """Some names in quotes, and how many more there are."""
    everything = [f"'{name}'" for name in names]
    shown = ", ".join(everything[:most])
    return shown if len(everything) <= most else f"{shown} and {len(everything) - most} more"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `1,200 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class FileMissing(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: there is no such file or folder. Check the path; it is taken from the current folder.")


class FileUnreadable(PellucidError):
    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path}: cannot be read ({why}). Check its permissions.")


class FileEmpty(PellucidError):
    def __init__(self, path: object, expected: str) -> None:
        super().__init__(f"{path}: holds nothing, where {expected} was expected. Export it again.")


class FileMalformed(PellucidError):
    def __init__(self, path: object, what: str) -> None:
        super().__init__(f"{path}: {what}. Export it again, or mend that place.")


class FormatUnknown(PellucidError):
    def __init__(self, path: object, what: str, found: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{path}: not recognised as {what}: {found}. Known are {', '.join(known)}; a CSV table always works (see docs/formats.md)."
        )


class FormatRefused(PellucidError):
    """A format that is known by name and not read."""

    def __init__(self, path: object, name: str, mend: str) -> None:
        super().__init__(f"{path}: this is {name}, which Pellucid does not read. {mend}")


class SeveralModels(PellucidError):
    def __init__(self, path: object, models: str) -> None:
        super().__init__(
            f"{path}: it holds predictions of several models ({models}), where those of one were expected. Export one at a time."
        )


class NothingPredicted(PellucidError):
    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path}: no predictions in it: {why}. Give the file that the model's predictions were written to.")


class FieldUnclear(PellucidError):
    def __init__(self, path: object, what: str, fields: str) -> None:
        super().__init__(f"{path}: several fields could hold the {what} ({fields}). Export it with one of them.")


class SeveralFiles(PellucidError):
    def __init__(self, path: object, files: str) -> None:
        super().__init__(f"{path}: several files in it hold annotations ({files}), where one was expected. Give each alone.")


class ReadingUnclear(PellucidError):
    def __init__(self, path: object, question: str, readings: Sequence[tuple[str, float]], option: str) -> None:
        shown = " and ".join(f"as {name} ({share:.0%} of confident boxes agree)" for name, share in readings)
        picks = " or ".join(f"{option} {name}" for name, _ in readings)
        super().__init__(f"{path}: its {question} could be read {shown}. Say which with {picks}.")


class NothingToExamine(PellucidError):
    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(f"{few(sources)}: no annotations among them. Give the file that predictions are held against too.")


class ExportImpossible(PellucidError):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"cannot export to {what}: {why}.")


class MemoryUnclear(PellucidError):
    def __init__(self, what: str) -> None:
        super().__init__(f"in memory: found {what}. A dict of columns (image, concept, score, x, y, width, height) always works.")


class FormatNameUnknown(PellucidError):
    exit_status = 2

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"format '{name}' is not known here. Known are {', '.join(known)}.")


class ScoreBad(PellucidError):
    def __init__(self, path: object, record: object, found: object) -> None:
        super().__init__(f"{path}: {record}: score is {found}, where a finite number was expected. Mend or remove that prediction.")


class BoxBad(PellucidError):
    def __init__(self, path: object, record: object, found: object) -> None:
        super().__init__(
            f"{path}: {record}: box is {found}, where finite numbers with no negative width or height were expected. Mend or remove it."
        )


class RecordBad(PellucidError):
    def __init__(self, path: object, record: object, what: str, mend: str) -> None:
        super().__init__(f"{path}: {record}: {what}. {mend}")


class ImageUnknown(PellucidError):
    def __init__(self, path: object, record: object, found: object) -> None:
        super().__init__(
            f"{path}: {record}: image {found!r} is not among the file's images. Add the image there, or remove the annotation."
        )


class ConceptUnknown(PellucidError):
    def __init__(self, path: object, record: object, found: object, known: Sequence[object]) -> None:
        super().__init__(
            f"{path}: {record}: concept {found!r} is not among the listed ones ({few(known)}). Add it to the list, or mend the annotation."
        )


class ImageTwice(PellucidError):
    def __init__(self, path: object, name: str) -> None:
        super().__init__(f"{path}: image '{name}' is listed twice. Image paths must be unique: rename or remove one.")


class TwoConcepts(PellucidError):
    def __init__(self, path: object, image: str, first: str, second: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is annotated twice ('{first}' and '{second}'), where classification has one concept an image. "
            "Remove one, or make the view a tagging view (--kind tagging)."
        )


class PathClimbs(PellucidError):
    def __init__(self, path: object, name: str) -> None:
        super().__init__(
            f"{path}: image path '{name}' leads out of the image folder. Use paths relative to the folder given with --images."
        )


class SplitUnknown(PellucidError):
    def __init__(self, path: object, record: object, found: object) -> None:
        super().__init__(f"{path}: {record}: split '{found}' is not known. Use training, validation or test.")


class ImageElsewhere(PellucidError):
    def __init__(self, path: object, image: str, before: str, now: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is in the view already, as another picture: in {before}, and now in {now}. "
            "Name a folder that holds both with --images, and paths from there."
        )


class TagContradicted(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(f"{path}: image '{image}' is said to have and not to have '{concept}'. Remove one of the two.")


class NotOneOf(PellucidError):
    exit_status = 2

    def __init__(self, what: str, found: object, known: Sequence[str]) -> None:
        super().__init__(f"'{found}' is no {what}. Known are {', '.join(known)}.")


class NoWorkspace(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: there is no workspace there. `pellucid add` makes one.")


class SplitConflict(PellucidError):
    def __init__(self, path: object, image: str, before: str, now: str) -> None:
        super().__init__(
            f"{path}: image '{image}' is in {before} already and cannot also be in {now}. Correct the split, or add it to another view."
        )


class KindConflict(PellucidError):
    def __init__(self, path: object, view: str, kind: str, found: str) -> None:
        super().__init__(f"{path}: holds {found}, but view '{view}' is a {kind} view. Add it to another view.")


class ImagesNeeded(PellucidError):
    def __init__(self, path: object, image: str, why: str) -> None:
        super().__init__(
            f"{path}: the size of picture '{image}' is needed ({why}). "
            "Say where the pictures are: `pellucid add` of the annotations with --images DIR, once more if need be."
        )


class NothingMatches(PellucidError):
    def __init__(self, path: object, what: str, theirs: Iterable[object], ours: Iterable[object]) -> None:
        super().__init__(
            f"{path}: none of its {what} is in the version. The file has {few(theirs)}; the version has {few(ours)}. "
            f"Check that both speak of the same {what}."
        )


class ReferenceAmbiguous(PellucidError):
    def __init__(self, path: object, what: str, reference: str, candidates: Sequence[str], mend: str) -> None:
        super().__init__(f"{path}: {what} '{reference}' may be {few(candidates)}. {mend}")


class TooManyPredictions(PellucidError):
    def __init__(self, path: object, number: int, most: int) -> None:
        super().__init__(f"{path}: {number:,} predictions, where a version holds at most {most:,}. Split the images over several views.")


class ScoredTwice(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(f"{path}: image '{image}' has two scores for '{concept}', where one was expected. Remove one of them.")


class PredictedAlready(PellucidError):
    def __init__(self, path: object, version: str, images: Iterable[str], number: int) -> None:
        super().__init__(
            f"{path}: version '{version}' already has predictions for {number:,} of these images ({few(images)}). "
            "A version is one trained model, run once: start another version."
        )


class NothingToFreeze(PellucidError):
    def __init__(self, view: str) -> None:
        super().__init__(f"view '{view}' has no images yet, so there is nothing to freeze. Add some first: pellucid add.")


class ViewUnknown(PellucidError):
    def __init__(self, workspace: object, name: str, known: Sequence[str]) -> None:
        super().__init__(f"{workspace}: there is no view '{name}'. It has {few(known, 8) or 'none yet'}.")


class VersionUnknown(PellucidError):
    def __init__(self, view: str, name: str, known: Sequence[str]) -> None:
        super().__init__(f"view '{view}' has no version '{name}'. It has {few(known, 8) or 'none yet'}.")


class VersionExists(PellucidError):
    def __init__(self, view: str, name: str) -> None:
        super().__init__(f"view '{view}' already has a version '{name}', frozen when it was started. Choose another name.")


class SplitEmpty(PellucidError):
    def __init__(self, version: str, split: str, known: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' has no images in {split}; it has some in {', '.join(known)}. Choose one of these with --split."
        )


class ConceptNotInView(PellucidError):
    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no concept '{name}'. Known are {few(known, 8)}.")


class NameBad(PellucidError):
    exit_status = 2

    def __init__(self, what: str, name: str) -> None:
        super().__init__(
            f"'{name}' cannot name a {what}, as it becomes a folder. Use 1 to 100 characters, no dot first, none of / \\ : in it."
        )


class NotAWorkspace(PellucidError):
    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path}: is no Pellucid workspace ({why}). Name a folder made by `pellucid add`, or a new one.")


class WorkspaceTooNew(PellucidError):
    def __init__(self, path: object, found: int, known: int) -> None:
        super().__init__(
            f"{path}: has folder format {found}; this Pellucid reads up to {known}. Upgrade it: pip install --upgrade pellucid."
        )


class WorkspaceBusy(PellucidError):
    def __init__(self, path: object, seconds: float) -> None:
        super().__init__(
            f"{path}: another process has been writing to it for {seconds:.0f} s. Try again when it is done; nothing was changed."
        )


class CannotWrite(PellucidError):
    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path}: cannot be written ({why}). Make room or choose another folder; what was there is unchanged.")


class ReviewsUnreachable(PellucidError):
    exit_status = 1

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the decisions in {name} cannot be read or written ({why}). Nothing was lost: try again when it answers.")


class ReviewsUrlBad(PellucidError):
    exit_status = 2

    def __init__(self, found: str) -> None:
        super().__init__(f"the address of the reviews has {found}, where postgresql://USER:PASSWORD@HOST/DATABASE was expected.")


class DriverMissing(PellucidError):
    exit_status = 1

    def __init__(self) -> None:
        super().__init__("pg8000 is needed for PostgreSQL. Install it: pip install 'pellucid[postgres]'.")


class DecisionImpossible(PellucidError):
    def __init__(self, image: str, what: str, mend: str) -> None:
        super().__init__(f"image '{image}': {what}. {mend}")


class ItemGone(PellucidError):
    def __init__(self, image: str, concept: str) -> None:
        super().__init__(f"image '{image}': there is no such item of '{concept}' in this version. Reload the list and decide again.")


class TextBroken(PellucidError):
    def __init__(self, found: str) -> None:
        super().__init__(f"the text {found[:40]!a} holds half of a character, or none, and cannot be kept. Type it again.")


class RowUnknown(PellucidError):
    def __init__(self, row: int) -> None:
        super().__init__(f"the history has no row {row}. See `pellucid history`.")


class NobodyNamed(PellucidError):
    exit_status = 2

    def __init__(self) -> None:
        super().__init__("a decision needs a name: say who decides (1 to 100 characters).")


class PortTaken(PellucidError):
    exit_status = 1

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"cannot listen on {host}:{port} ({why}). Choose another port with --port, or 0 for any free one.")


class ArrowMissing(PellucidError):
    exit_status = 1

    def __init__(self) -> None:
        super().__init__("pyarrow is needed for Arrow tables. Install it: pip install 'pellucid[arrow]'.")


class EmbeddingsBad(PellucidError):
    def __init__(self, path: object, found: str, expected: str) -> None:
        super().__init__(f"{path}: {found}; expected: {expected}.")


class NarrowingBad(PellucidError):
    """What a gallery was to be narrowed down to is not understood."""

    exit_status = 2

    def __init__(self, words: str, expected: str) -> None:
        super().__init__(f"'{words}' narrows nothing down: expected {expected}.")


class NotebookMissing(PellucidError):
    def __init__(self) -> None:
        super().__init__("a gallery in a notebook needs anywidget: pip install 'pellucid[notebook]'.")


class ObjectiveBad(PellucidError):
    exit_status = 2

    def __init__(self, words: str) -> None:
        super().__init__(
            f"'{words}' is no objective of a threshold. Known are errors, f1, cost:FALSE_ALARM,MISS (cost:1,5), precision:LEAST "
            "(precision:0.95) and recall:LEAST (recall:0.9)."
        )


class TokensBad(PellucidError):
    exit_status = 2

    def __init__(self, names: Sequence[str], least: int) -> None:
        super().__init__(
            f"{' and '.join(names)}: two different tokens of at least {least} characters were expected. Leave them out for new ones."
        )


class VersionNotRun(PellucidError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"version '{name}' has no predictions to evaluate. Bring them in first: pellucid predictions WORKSPACE VIEW {name} SOURCE."
        )


class VersionChanged(PellucidError):
    exit_status = 1

    def __init__(self, name: str) -> None:
        super().__init__(f"version '{name}' was changed by someone else while it was evaluated; their change stands. Evaluate it again.")


class WorkersLost(PellucidError):
    exit_status = 1

    def __init__(self, task: str, times: int) -> None:
        super().__init__(
            f"the step '{task}' lost its worker {times} times, most likely for want of memory. What is done is kept: run again with fewer "
            "rows a worker (--rows)."
        )


class RayMissing(PellucidError):
    def __init__(self) -> None:
        super().__init__("the engine 'ray' needs Ray: pip install 'pellucid[ray]'.")


class ClusterMissing(PellucidError):
    exit_status = 1

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address}: no Ray cluster answers there ({why}). Check the address, or leave --address out to begin one here.")


class AddressHasSecret(PellucidError):
    """What follows a key in an address is kept out of the message too."""

    def __init__(self, without: str) -> None:
        super().__init__(
            f"{without}: addresses of stores are kept and shown, so they may hold no name, key or signature. Give keys to the store's own "
            "settings (for S3, AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and the address without them."
        )


class StoreUnknown(PellucidError):
    def __init__(self, location: str, why: str) -> None:
        super().__init__(f"{location}: this kind of store is not known here ({why}). Install what reads it, for instance s3fs.")


class StoreUnreachable(PellucidError):
    exit_status = 1

    def __init__(self, location: str, why: str) -> None:
        super().__init__(f"{location}: the store does not answer ({why}). Check the address and your keys to it; nothing was changed.")


class ChangedElsewhere(PellucidError):
    exit_status = 1

    def __init__(self, location: str) -> None:
        super().__init__(f"{location}: somebody else wrote there meanwhile; their change stands and yours was not made. Do it again.")


class ReviewsNeedDatabase(PellucidError):
    def __init__(self, location: str) -> None:
        super().__init__(
            f"{location}: decisions on a workspace in a store are kept in PostgreSQL. Name the database in PELLUCID_REVIEWS "
            "(postgresql://...), see docs/reviewing.md."
        )


class TooLarge(PellucidError):
    def __init__(self, path: object, found: str, most: str, mend: str) -> None:
        super().__init__(f"{path}: {found}, where {most}. {mend}")
