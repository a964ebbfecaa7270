"""Fuzz every reader with atheris: a file of any bytes is read or refused. Run by `make fuzz`."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pellucid.formats", "pellucid.core"]):
    from fuzzing.seeds import read_input


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pellucid-fuzz-") as folder:
        atheris.Setup(sys.argv[1:], lambda data: read_input(data, Path(folder)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
