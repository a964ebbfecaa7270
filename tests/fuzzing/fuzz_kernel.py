"""Fuzz the kernel, compiled with the sanitizers for addresses and undefined behaviour.

Run by `make fuzz`, which names the library in PELLUCID_KERNEL. libFuzzer sees which blocks of the
kernel an input reaches, see coverage.c.
"""

import os
import sys

import atheris

from fuzzing.kernel_calls import call_kernel
from pellucid import _native


def main() -> None:
    _native.library = _native.load_library(os.environ["PELLUCID_KERNEL"])
    assert _native.library is not None, "the kernel with sanitizers cannot be loaded"
    atheris.Setup(sys.argv[1:], call_kernel)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
