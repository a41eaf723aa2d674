"""What mixing needs of arrays, for NumPy and for PyTorch, which is never imported from here."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_tensor(values: Any) -> bool:
    """Return whether it is a PyTorch tensor; where PyTorch was not loaded nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def is_array(values: Any) -> bool:
    """Return whether it is a NumPy array or a PyTorch tensor."""
    return isinstance(values, np.ndarray) or is_tensor(values)


def kind(values: Any) -> str:
    """Return "float", "integer", "bool" or "other", what the numbers are.

    >>> kind(np.zeros(1, np.float16)), kind(np.zeros(1, np.uint8)), kind(np.array(["a"]))
    ('float', 'integer', 'other')
    """
    if is_tensor(values):
        torch = sys.modules["torch"]
        if values.dtype.is_floating_point:
            return "float"
        return "bool" if values.dtype == torch.bool else "integer"
    return {"f": "float", "i": "integer", "u": "integer", "b": "bool"}.get(
        values.dtype.kind, "other"
    )


def is_uint8(values: Any) -> bool:
    """Return whether the numbers are bytes."""
    return str(values.dtype).rpartition(".")[2] == "uint8"


def span(values: Any) -> tuple[float, float]:
    """Return the smallest and the largest number."""
    return float(values.min()), float(values.max())


def largest(values: Any) -> float:
    """Return the largest number that the type holds, for whole numbers."""
    if is_tensor(values):
        return int(sys.modules["torch"].iinfo(values.dtype).max)
    return int(np.iinfo(values.dtype).max)


def join(values: Any, rows: NDArray[Any]) -> Any:
    """Return an array with rows behind it, in the array's own type and on its device."""
    if is_tensor(values):
        torch = sys.modules["torch"]
        more = torch.from_numpy(np.ascontiguousarray(rows))
        return torch.cat([values, more.to(device=values.device, dtype=values.dtype)])
    return np.concatenate([values, rows.astype(values.dtype, copy=False)])
