"""The curves of precision, recall, F1 and errors as a standalone SVG drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class CurveFigures(Protocol):
    """Columns of one length, by ascending threshold; None where a figure is undefined."""

    @property
    def threshold(self) -> list[float]: ...
    @property
    def errors(self) -> list[int]: ...
    @property
    def precision(self) -> list[float | None]: ...
    @property
    def recall(self) -> list[float | None]: ...
    @property
    def f1(self) -> list[float | None]: ...


@dataclass(frozen=True)
class PlotLine:
    """A line of a plot.

    Attributes:
        ratios: 0 to 1, None where undefined
        dash: an SVG stroke-dasharray
    """

    ratios: Sequence[float | None]
    colour: str
    dash: str
    label: str


LEGEND_STEP = 118
WIDTH, HEIGHT, LEFT_MARGIN, BOTTOM_MARGIN = 520, 220, 34, 26


def curves_svg(curve: CurveFigures) -> str:
    """Precision, recall, F1 and errors (relative to their maximum) against the threshold, as a
    standalone SVG."""
    low, high = (curve.threshold[0], curve.threshold[-1]) if curve.threshold else (0.0, 1.0)
    max_errors = max(1, *curve.errors) if curve.errors else 1
    errors: list[float | None] = [error_count / max_errors for error_count in curve.errors]
    lines = (
        PlotLine(curve.precision, "#1f55c8", "", "precision"),
        PlotLine(curve.recall, "#6f3bd1", "7 3", "recall"),
        PlotLine(curve.f1, "#444", "2 3", "F1"),
        PlotLine(errors, "#b04d05", "", f"errors, up to {max_errors:,}"),
    )
    paths, legend = "", ""
    for line_index, line in enumerate(lines):
        path_data = svg_path(curve.threshold, line.ratios, low, high)
        stroke = f'stroke="{line.colour}" stroke-width="1.6" stroke-dasharray="{line.dash}"'
        paths += f'<path d="{path_data}" fill="none" {stroke}/>'
        label_x = LEFT_MARGIN + line_index * LEGEND_STEP
        legend += f'<text x="{label_x}" y="11" fill="{line.colour}">{line.label}</text>'
    ticks = "".join(
        f'<text x="{LEFT_MARGIN - 5}" y="{y_position(ratio) + 4:.0f}" '
        f'text-anchor="end">{ratio:g}</text>'
        f'<line x1="{LEFT_MARGIN}" x2="{WIDTH}" y1="{y_position(ratio):.1f}" '
        f'y2="{y_position(ratio):.1f}" stroke="#8884"/>'
        for ratio in (0, 0.5, 1)
    )
    axis_labels = (
        f'<text x="{LEFT_MARGIN}" y="{HEIGHT - 8}">{low:.3g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 8}" text-anchor="end">threshold {high:.3g}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 6} {HEIGHT}" '
        f'width="{WIDTH + 6}" height="{HEIGHT}" font-size="11" '
        f'font-family="system-ui,sans-serif" fill="#777">{ticks}{paths}{legend}{axis_labels}</svg>'
    )


def y_position(ratio: float) -> float:
    return HEIGHT - BOTTOM_MARGIN - ratio * (HEIGHT - BOTTOM_MARGIN - 20)


def svg_path(xs: Sequence[float], ys: Sequence[float | None], low: float, high: float) -> str:
    commands, is_drawing = [], False
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            ratio = (x - low) / ((high - low) or 1)
            x_position = LEFT_MARGIN + ratio * (WIDTH - LEFT_MARGIN)
            commands.append(f"{'L' if is_drawing else 'M'}{x_position:.1f},{y_position(y):.1f}")
        is_drawing = y is not None
    return "".join(commands)
