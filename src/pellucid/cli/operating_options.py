"""Options for the thresholds, IoU and images at which a version is evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.console import CORRECTED_OPTION, combine_options, reject_nan

if TYPE_CHECKING:
    from pellucid.project import Version
    from pellucid.results.results import Results


class ThresholdType(click.ParamType):  # type: ignore[type-arg]
    """`X`, or `CONCEPT=X`, as a pair of the concept (None for all) and the threshold."""

    name = "[CONCEPT=]X"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[str | None, float]:
        concept, separator, number = value.rpartition("=")
        try:
            threshold = float(number)
        except ValueError:
            threshold = math.nan
        if not math.isfinite(threshold) or (separator and not concept):
            self.fail(f"'{value}'; expected a finite number, or CONCEPT=X", parameter, context)
        return concept or None, threshold


@dataclass(frozen=True)
class PointOptions:
    """What the options choose.

    Attributes:
        thresholds: by concept, None for all concepts
        objective: in place of the fewest errors
        iou: None for the version's
    """

    thresholds: tuple[tuple[str | None, float], ...]
    thresholds_file: str | None
    objective: str | None
    iou: float | None
    corrected: bool

    @property
    def is_own(self) -> bool:
        """Whether everything is the version's own."""
        chosen = (self.thresholds_file, self.objective, self.iou)
        return not self.thresholds and all(value is None for value in chosen)

    @property
    def arguments(self) -> list[str]:
        """The options as they are written on the command line."""
        words: list[str] = []
        for concept, value in self.thresholds:
            words += ["--threshold", f"{value!r}" if concept is None else f"{concept}={value!r}"]
        for option, chosen in (
            ("--thresholds", self.thresholds_file),
            ("--objective", self.objective),
            ("--iou", self.iou),
        ):
            words += [] if chosen is None else [option, str(chosen)]
        return [*words, "--corrected"] if self.corrected else words

    def results(self, version: Version, concept: str | None = None) -> Results:
        """The version's results at this point.

        Args:
            concept: the one that a threshold without a concept is for; None for all
        """
        from pellucid.ingest.threshold_file import load_threshold_file

        results = version.results(self.corrected, iou=self.iou)
        chosen = load_threshold_file(self.thresholds_file) if self.thresholds_file else {}
        chosen |= {name: value for name, value in self.thresholds if name is not None}
        common = [value for name, value in self.thresholds if name is None]
        if self.objective is not None and set(chosen) >= set(results.threshold_table()):
            raise click.UsageError("--objective and thresholds of all concepts exclude each other.")
        if common and self.objective is not None:
            raise click.UsageError("--objective and --threshold X exclude each other.")
        if common and concept is not None:
            chosen[concept] = common[-1]
        elif common:
            results = results.with_thresholds(common[-1])
        if self.objective is not None and self.objective != "errors":
            results = results.at_objective(self.objective, chosen)
        return results.with_thresholds(chosen) if chosen else results


def gather_point(command: Callable[..., None]) -> Callable[..., None]:
    """Pass the values of OPERATING_OPTIONS as one parameter `point`."""

    @wraps(command)
    def run(
        threshold: tuple[tuple[str | None, float], ...],
        thresholds: str | None,
        objective: str | None,
        iou: float | None,
        corrected: bool,
        **parameters: Any,
    ) -> None:
        point = PointOptions(threshold, thresholds, objective, iou, corrected)
        command(point=point, **parameters)

    return run


OPERATING_OPTIONS = combine_options(
    click.option(
        "--threshold",
        type=ThresholdType(),
        multiple=True,
        help="Confidence threshold of all concepts, or of one (CONCEPT=X), in place of the one "
        "with the fewest errors. Repeatable.",
    ),
    click.option(
        "--thresholds",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help='File with a threshold per concept: JSON as exported, {"CONCEPT": X}, or CSV or '
        "Parquet with the columns concept, threshold.",
    ),
    click.option(
        "--objective",
        metavar="O",
        help="Thresholds for another objective than errors: f1, cost:FALSE_POSITIVE,"
        "FALSE_NEGATIVE, precision:MINIMUM or recall:MINIMUM.",
    ),
    click.option(
        "--iou",
        type=click.FloatRange(0, 1, min_open=True),
        callback=reject_nan,
        metavar="X",
        help="Minimum IoU of a match [default: the version's].",
    ),
    CORRECTED_OPTION,
    gather_point,
)
