"""Inputs that the fuzzer kept because they reach new code of the kernel."""

import pytest

from fuzzing.corpus import kept_inputs
from fuzzing.kernel_calls import CALLS, call_kernel
from pellucid import _native


@pytest.mark.parametrize("position", range(len(CALLS)), ids=[call.__name__ for call in CALLS])
def test_kernel_and_numpy_agree(position):
    assert _native.library is not None, "the kernel was not built here: is there a C compiler?"
    inputs = [data for data in kept_inputs("kernel") if data and data[0] % len(CALLS) == position]
    assert len(inputs) >= 5
    for data in inputs:
        call_kernel(data)
