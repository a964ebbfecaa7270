"""Error classes. Each takes the facts of a failure and formats its message.

A message states the file, the record, what was found, what was expected and how to fix it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pellucid.core.suggestions import suggestion_text


class PellucidError(Exception):
    """An error that the user can act on. Its text is the complete message."""

    exit_status = 3
    """Exit status of the command line: 2 wrong command, 3 wrong input, 1 anything else."""
    http_status = 422
    """Status of the HTTP response."""

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
    """siblings: the names in its folder, for a suggestion."""

    def __init__(self, path: object, siblings: Sequence[str] = ()) -> None:
        super().__init__(
            f"{path}: no such file or directory. Paths are relative to the current directory."
            f"{suggestion_text(str(path).replace(chr(92), '/').rpartition('/')[2], siblings)}"
        )


class UnreadableFileError(PellucidError):
    remedy = "Check its permissions."

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: cannot be read ({reason}). {self.remedy}")


class SpecialFileError(UnreadableFileError):
    """A named pipe, a device or a socket, which may never end."""

    remedy = "Specify a regular file."

    def __init__(self, path: object) -> None:
        super().__init__(path, "it is a named pipe, a device or a socket")


class EmptyFileError(PellucidError):
    def __init__(self, path: object, expected: str) -> None:
        super().__init__(f"{path}: contains no data; expected {expected}. Export it again.")


class MalformedFileError(PellucidError):
    remedy = "Export the file again or correct it."

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path}: {problem}. {self.remedy}")


class FileTooLargeError(PellucidError):
    def __init__(self, path: object, size: str, limit: str, remedy: str) -> None:
        super().__init__(f"{path}: {size}; {limit}. {remedy}")


class WriteError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: cannot write ({reason}). Free disk space or choose another folder; existing "
            "data is unchanged."
        )


class InvalidChoiceError(PellucidError):
    exit_status = 2

    def __init__(self, option: str, choice: object, choices: Sequence[str]) -> None:
        super().__init__(
            f"invalid value '{choice}' for {option}. Expected one of: {', '.join(choices)}."
            f"{suggestion_text(str(choice), choices)}"
        )


class MissingDependencyError(PellucidError):
    """A feature needs a package that is not installed."""

    exit_status = 1

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs {package}. Install it: pip install 'pellucid[{extra}]'.")


class SecretInUrlError(PellucidError):
    """The message contains the URL without credentials and query string."""

    def __init__(self, redacted_url: str) -> None:
        super().__init__(
            f"{redacted_url}: store URLs are saved and displayed; they must not contain "
            "credentials or signatures. Put credentials into the store's "
            "settings (for S3, AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and "
            "use the URL without them."
        )


class UnsupportedStoreError(PellucidError):
    def __init__(self, location: str, reason: str) -> None:
        super().__init__(
            f"{location}: unsupported kind of store ({reason}). Install its fsspec driver, for "
            "example s3fs."
        )


class UnknownConceptError(PellucidError):
    def __init__(self, concept: str, concepts: Sequence[str]) -> None:
        super().__init__(
            f"unknown concept '{concept}'. Expected one of: {summarize_names(concepts, 8)}."
            f"{suggestion_text(concept, concepts)}"
        )


class StoreUnavailableError(PellucidError):
    exit_status = 1
    http_status = 503

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(
            f"{location}: cannot access the store ({reason}). Check the URL and your credentials; "
            "nothing was changed."
        )
