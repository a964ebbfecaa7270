"""Errors of questions about a version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pellucid.core.errors import PellucidError, summarize_names
from pellucid.core.suggestions import suggestion_text


class InvalidEmbeddingsError(PellucidError):
    def __init__(self, path: object, problem: str, expected: str) -> None:
        super().__init__(f"{path}: {problem}; expected: {expected}.")


class FilterError(PellucidError):
    """A gallery filter cannot be parsed.

    Args:
        name, choices: the part that is wrong and what it may be, to suggest one that is close
    """

    exit_status = 2

    def __init__(
        self, expression: str, expected: str, name: str = "", choices: Iterable[str] = ()
    ) -> None:
        suggestion = suggestion_text(name, choices)
        super().__init__(f"invalid filter '{expression}': expected {expected}.{suggestion}")


class NoScoresError(PellucidError):
    exit_status = 2

    def __init__(self, version: str) -> None:
        super().__init__(
            f"version '{version}' has no scores, so there is no threshold to choose: every "
            "prediction counts."
        )


class UnknownColumnError(PellucidError):
    exit_status = 2

    def __init__(self, column: str, columns: Sequence[str]) -> None:
        super().__init__(
            f"no column '{column}' about the images. The columns kept at import are: "
            f"{', '.join(columns) or 'none'}.{suggestion_text(column, columns)}"
        )


class ObjectiveNotReachedError(PellucidError):
    """No threshold of some concepts reaches the objective."""

    def __init__(self, objective: str, concepts: Sequence[str]) -> None:
        super().__init__(
            f"no threshold reaches {' of at least '.join(objective.split(':'))} for "
            f"{summarize_names(concepts, 8)}. Lower it, choose another objective, or give these "
            "concepts thresholds of their own (on the command line with --threshold CONCEPT=X)."
        )


class NothingComparedError(PellucidError):
    def __init__(self, a: str, b: str, split: str) -> None:
        super().__init__(
            f"versions '{a}' and '{b}' have no image of {split} that both were run on. Import "
            "predictions of both for the same images, or choose another split or filter."
        )


class EmptySplitError(PellucidError):
    def __init__(self, version: str, split: str, splits: Sequence[str]) -> None:
        super().__init__(
            f"version '{version}' has no images in {split}; it has images in {', '.join(splits)}. "
            "Choose one of these with --split."
        )


class TextModelMissingError(PellucidError):
    """Says the name alone: readers of a server do not learn where its files are."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the file '{name}' of the view's text model is not where it was. Bring it back, or "
            "run pellucid embeddings with --text-model again."
        )


class UndefinedFigureError(PellucidError):
    """A gate on a figure that the baseline does not have could never fail."""

    def __init__(self, criterion: str, version: str) -> None:
        super().__init__(
            f"{criterion} of the baseline '{version}' is undefined: a gate on it measures nothing. "
            "Choose another criterion (--fail-on errors), or a baseline with scores, annotations "
            "and predictions."
        )
