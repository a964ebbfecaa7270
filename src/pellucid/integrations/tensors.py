"""Tensors of any library with torch's methods, as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np


def from_tensor(values: Any) -> Any:
    """A tensor on any device, of any precision, with or without a gradient, as an array; a list of
    tensors as a list of arrays; anything else unchanged."""
    if isinstance(values, list | tuple):
        return [from_tensor(value) for value in values]
    if not hasattr(values, "detach"):
        return values
    values = values.detach().cpu()
    if str(values.dtype) == "torch.bfloat16":  # NumPy has no such type
        values = values.float()
    return values.numpy()


def to_numpy(values: Any, dtype: Any) -> Any:
    """An array of a list, an array or a tensor."""
    return np.asarray(from_tensor(values), dtype)
