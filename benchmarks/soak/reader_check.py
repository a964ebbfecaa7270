"""Files of every format with changed bytes: each is read or refused, without another error."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import Sample

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from formats.test_fuzzed import SEEDS, WORDS, attempt

FILES = 50


def mutate(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, 8)):
        start = random.randrange(len(changed) + 1)
        replacement = random.choice([*WORDS, bytes(changed[: random.randrange(60)]), b""])
        changed[start : start + random.choice([0, 0, 1, 3, 20])] = replacement
    return bytes(changed) or b" "


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    for _ in range(FILES):
        name = random.choice(sorted(SEEDS))
        path = folder / name
        path.write_bytes(mutate(SEEDS[name].encode(), random))
        try:
            attempt(path)
        except Exception as error:
            outcomes.fail(f"{name}: {type(error).__name__}: {error}: {path.read_bytes()[:300]!r}")
        outcomes.count("files read or refused")
        path.unlink()
