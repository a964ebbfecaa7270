"""`make bench`: measure here and now. `--quick`: a small set, to see that it runs."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import serving
from benchmarks.made import MILLION, SMALL

DOCUMENT = Path(__file__).parents[1] / "docs/benchmarks.md"


def main() -> None:
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory(prefix="pellucid-bench-") as folder:
        rows = serving.rows(SMALL if quick else MILLION, Path(folder), 2 if quick else 10)
    table = "\n".join(["| what | measured |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)])
    print(table)
    if not quick:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}"
        DOCUMENT.write_text(
            f"# Benchmarks\n\nMade by `make bench` on {machine}, with whatever else ran there. A made-up set of 1,000,000 predictions over 10,000 images "
            f"and 80 concepts (`benchmarks/made.py`).\n\n{table}\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
