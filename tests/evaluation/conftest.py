"""What is computed in the kernel and in NumPy alike is tested in both."""

import pytest

from pellucid import _native as kernel


@pytest.fixture(params=["kernel", "numpy"])
def implementation(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(kernel, "library", None)
    elif kernel.library is None:
        pytest.fail("the kernel was not built here: is there a C compiler?")
