"""Recorded behaviour: what is written to ``expected/*.json``, and how it is compared.

Words and whole numbers must be equal, other numbers close. Keys that were not recorded are ignored,
so that the library may say more than it did.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).with_name("expected")


class Closeness(NamedTuple):
    """By how much of its size, or by how much at all, a number may be off."""

    relative: float
    absolute: float


CLOSE = Closeness(1e-5, 1e-7)

#: For embeddings in float32, as those of images are: a head learns from them until a step gains
#: little, so that another order of the same sums moves its scores by about this much.
CLOSE_IN_FLOAT32 = Closeness(5e-3, 1e-2)

#: The distance to a near image is rounded to four digits by the library itself.
DISTANCE = Closeness(0.0, 2e-4)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers with eight digits, no arrays and no tuples."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.8g}") + 0.0 if math.isfinite(value) else str(value)
    return value


def differences(found: Any, recorded: Any, close: Closeness = CLOSE, where: str = "") -> list[str]:
    """Return where a plain value is not what was recorded, one line for each place."""
    said = [f"{where or 'it'}: {recorded!r} was recorded, {found!r} was found"]
    if isinstance(recorded, dict):
        if not isinstance(found, dict):
            return said
        lost = [f"{where}.{key}: it is gone" for key in recorded if key not in found]
        return lost + [
            line
            for key in recorded
            if key in found
            for line in differences(
                found[key],
                recorded[key],
                DISTANCE if key == "distance" else close,
                f"{where}.{key}",
            )
        ]
    if isinstance(recorded, list):
        if not isinstance(found, list) or len(found) != len(recorded):
            return said
        return [
            line
            for i, (one, of_one) in enumerate(zip(found, recorded, strict=True))
            for line in differences(one, of_one, close, f"{where}[{i}]")
        ]
    if _is_number(found) and _is_number(recorded) and float in (type(found), type(recorded)):
        same = math.isclose(found, recorded, rel_tol=close.relative, abs_tol=close.absolute)
        return [] if same else said
    return [] if type(found) is type(recorded) and found == recorded else said


def check(name: str, case: str, value: Any, close: Closeness = CLOSE) -> None:
    """Compare a value with what was recorded of a case.

    Parameters
    ----------
    name : str
        The file of expectations.
    case : str
        What was recorded under this name.
    value : Any
        What is.
    close : Closeness
        How close its numbers must be.
    """
    recorded = read(name)
    assert case in recorded, f"{case!r} was not recorded: run record.py {name}"
    found = differences(plain(value), recorded[case], close)
    assert not found, f"{len(found)} differences\n" + "\n".join(found[:40])


@cache
def read(name: str) -> dict[str, Any]:
    """Return all that was recorded in a file."""
    cases: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return cases


def write(name: str, cases: Mapping[str, Any]) -> None:
    """Record cases in a file, a line for each."""
    lines = [
        f"{json.dumps(case)}: "
        + json.dumps(plain(cases[case]), sort_keys=True, separators=(",", ":"), allow_nan=False)
        for case in sorted(cases)
    ]
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
