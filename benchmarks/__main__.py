"""`make bench`: measure here and now, beside the peers. `--quick`: small sets, to see that it
runs. `--huge`: fifty million as well. `--soak`: ten minutes of scrolling."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import crops, figures, mistakes, reviewing, serving, understanding, versions
from benchmarks.made import COCO, HUGE, MILLION, SMALL, TEN_TIMES, Size

DOCUMENT = Path(__file__).parents[1] / "docs/benchmarks.md"


def main() -> None:
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory(prefix="pellucid-bench-") as folder:
        parts = [*measured(Path(folder), quick, "--huge" in sys.argv)]
    machine = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"{platform.system()}"
    )
    text = (
        f"# Benchmarks\n\nMade by `make bench` on {machine}, with whatever else ran there: "
        "compare within a table, not between machines. "
        "The sets are made up (`benchmarks/made.py`, seeded) in the shape of COCO val2017.\n\n"
        + "\n\n".join(parts)
        + "\n"
    )
    print(text)
    if not quick:
        DOCUMENT.write_text(text, encoding="utf-8")


def measured(folder: Path, quick: bool, huge: bool) -> list[str]:
    said = []
    for size, repeats in [(SMALL, 1)] if quick else [(COCO, 5), (TEN_TIMES, 3)]:
        title = f"## The twelve COCO figures of {size.predictions:,} predictions"
        note = f"Two JSON files to figures, one process each, in turn, {repeats} times; medians."
        said.append(
            f"{title}\n\n{note}\n\n{table(figures.HEADINGS, figures.rows(size, folder / f'figures-{size.predictions}', repeats))}"
        )
    said.append(
        f"## From predictions on disk to a gallery\n\n{versions_table(folder, quick, huge)}"
    )
    said.append(
        f"## Serving {(SMALL if quick else MILLION).predictions:,} "
        f"predictions\n\n{serving_table(folder, quick)}"
    )
    review = SMALL if quick else COCO
    took = table(
        ["what", "measured"], reviewing.rows(review, folder / "reviewing", 3 if quick else 40)
    )
    said.append(f"## Reviewing {review.predictions:,} predictions\n\n{took}")
    said.append(understood(folder / "understanding", quick))
    if not quick:
        said += mistakes.sections(folder / "mistakes")
    said.append(f"## Pictures\n\n{table(crops.HEADINGS, crops.rows(folder / 'crops'))}")
    if huge:
        workspace = folder / f"ready-{HUGE.predictions}" / "versions.pellucid"
        found = serving.served(HUGE, workspace, seconds=10)
        said.append(
            f"## Serving {HUGE.predictions:,} predictions\n\n{table(['what', 'measured'], found)}"
        )
    return said


def understood(folder: Path, quick: bool) -> str:
    size = SMALL if quick else COCO
    gains = understanding.gains(
        SMALL if quick else Size(500, 80, 3_700, 50_000), folder / "tide", Path(sys.executable)
    )
    took = table(["what", "measured"], [*understanding.rows(size, folder / "pages"), *gains])
    return f"## Understanding {size.predictions:,} predictions\n\n{took}"


def versions_table(folder: Path, quick: bool, huge: bool) -> str:
    sizes: list[tuple[Size, bool]] = (
        [(SMALL, False), (SMALL, True)]
        if quick
        else [(COCO, False), (TEN_TIMES, False), *[(HUGE, True)] * huge]
    )
    rows, changes = [], []
    for size, parquet in sizes:
        workspace, predictions = versions.prepare(
            size,
            folder / f"ready-{size.predictions}{'-parquet' if parquet and quick else ''}",
            parquet,
        )
        rows.append(versions.row(size, workspace, predictions))
        if size in (SMALL, COCO):
            changes = versions.changes(workspace)
    return f"{table(versions.HEADINGS, rows)}\n\n{table(['a change of mind', 'costs'], changes)}"


def serving_table(folder: Path, quick: bool) -> str:
    return table(
        ["what", "measured"],
        serving.rows(SMALL if quick else MILLION, folder / "serving", 2 if quick else 10),
    )


def table(headings: list[str], rows: list) -> str:  # type: ignore[type-arg]
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    main()
