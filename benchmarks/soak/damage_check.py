"""One changed bit anywhere in a workspace: the answers stay right, or an error names the file."""

from __future__ import annotations

from pathlib import Path
from random import Random

from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import Sample, answers, run_pellucid
from pellucid.core.errors import PellucidError

FLIPS = 5


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    workspace = sample.copy_to(folder)
    files = [
        path for path in sorted(workspace.rglob("*")) if path.is_file() and path.stat().st_size
    ]
    for _ in range(FLIPS):
        path = random.choice([path for path in files if path.suffix != ".sqlite"])
        intact = path.read_bytes()
        place = random.randrange(len(intact))
        changed = bytearray(intact)
        changed[place] ^= 1 << random.randrange(8)
        path.write_bytes(changed)
        where = f"byte {place} of {path.relative_to(workspace)}"
        try:
            same = answers(workspace) == sample.expected
            outcomes.expect(same, f"{where}: other answers without a word")
            outcomes.count("answered as before")
        except PellucidError as error:
            outcomes.expect(
                path.name in str(error), f"{where}: the error does not name it: {error}"
            )
            outcomes.count("refused")
        except Exception as error:
            outcomes.fail(f"{where}: {type(error).__name__}: {error}")
        path.write_bytes(intact)
    verified = run_pellucid("verify", workspace)
    outcomes.expect(verified.returncode == 0, f"intact again: {verified.stdout}")
