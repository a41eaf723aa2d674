"""What the reasons of answers rest on, to and from JSON values and named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.manifest import finite_number
from outgroup.reasons import LIMIT, Reasons, References

#: Before the names of the arrays.
PREFIX = "references"

#: Above any path that a system can open.
MAX_PATH = 32_767


def flatten_reasons(reasons: Reasons) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON part and the arrays by name.

    Paths are one array of bytes, with a zero between one and the next, which is in no path; an
    image without a path has an empty one.
    """
    kept = reasons.references
    text = "\0".join(path or "" for path in kept.paths)
    paths = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    described = {"closeness": reasons.closeness, "reach": reasons.reach.tolist()}
    return described, {
        f"{PREFIX}.directions": kept.directions,
        f"{PREFIX}.y": kept.y,
        f"{PREFIX}.paths": paths,
    }


def restore_reasons(
    described: Any, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...], size: int
) -> Reasons:
    """Build what `flatten_reasons` took apart.

    Parameters
    ----------
    described : JSON value
        The JSON part.
    arrays : mapping of str to ndarray
        All arrays of the file.
    classes : tuple of str
        Names of the K classes.
    size : int
        Length of an embedding.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is not what `flatten_reasons` returned; the caller says which file that is in.
    """
    closeness = finite_number(described["closeness"], "closeness")
    reach = np.array([finite_number(value, "reach") for value in described["reach"]])
    _check(len(reach) == len(classes), "reach")
    directions, y = arrays[f"{PREFIX}.directions"], arrays[f"{PREFIX}.y"]
    _check(directions.dtype == np.int8 and directions.shape == (len(y), size), "directions")
    _check(len(y) <= max(LIMIT, len(classes) + 1), "directions")
    _check(y.dtype == np.int32 and y.ndim == 1 and bool((np.diff(y) >= 0).all()), "y")
    _check(bool(((y >= -1) & (y < len(classes))).all()), "y")
    paths = _paths(arrays[f"{PREFIX}.paths"])
    _check(len(paths) == max(len(y), 1), "paths")
    references = References(classes, directions, y, paths[: len(y)])
    return Reasons(references, closeness, reach)


def _paths(values: NDArray[Any]) -> tuple[str | None, ...]:
    _check(values.dtype == np.uint8 and values.ndim == 1, "paths")
    paths = values.tobytes().decode("utf-8", "surrogatepass").split("\0")
    _check(max(map(len, paths)) <= MAX_PATH, "paths")
    return tuple(path or None for path in paths)


def _check(right: bool, what: str) -> None:
    if not right:
        raise ValueError(f"'{PREFIX}.{what}' is not what it must be")
