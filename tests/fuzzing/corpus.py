"""The inputs that are kept: one a line, in base 64, so that they are one file for git."""

import base64
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def kept_inputs(target: str) -> list[bytes]:
    """target: "readers" or "kernel"."""
    path = FOLDER / f"{target}.txt"
    return [base64.b64decode(line) for line in path.read_text().split()] if path.exists() else []


def keep_inputs(target: str, inputs: list[bytes]) -> None:
    lines = sorted(base64.b64encode(data).decode() for data in inputs)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.txt").write_text("\n".join([*lines, ""]))
