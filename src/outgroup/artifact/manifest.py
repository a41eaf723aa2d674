"""What a manifest says, checked before anybody relies on it.

A manifest may be written by anybody. What is wrong in it must be found when the file is opened, not
by a traceback in the midst of predicting.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.contents import TrainingInfo
from outgroup.calibration import Budget, Certificate


def class_names(value: Any) -> tuple[str, ...]:
    """Return the names of the classes.

    Raises
    ------
    ValueError
        If it is no list of different texts, sorted.
    """
    _check(isinstance(value, list) and all(isinstance(name, str) for name in value), "classes")
    _check(bool(value) and value == sorted(set(value)), "classes")
    return tuple(value)


def texts(value: Any, what: str) -> tuple[str, ...]:
    """Return different texts, in their order.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    _check(isinstance(value, list) and all(isinstance(text, str) for text in value), what)
    _check(bool(value) and len(set(value)) == len(value), what)
    return tuple(value)


def finite_number(value: Any, what: str) -> float:
    """Return a number that is neither NaN nor infinite.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    _check(type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value), what)
    return float(value)


def scores(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    """Return a vector of finite scores.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    _check(values.ndim == 1 and values.dtype == np.float64 and np.isfinite(values).all(), what)
    return values


def label_arrays(
    scores: NDArray[Any], labels: NDArray[Any], n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return finite scores and marks of the same images, a column for each class.

    Raises
    ------
    ValueError
        If they are anything else.
    """
    _check(scores.ndim == 2 and scores.shape == labels.shape, "calibration")
    _check(scores.shape[1] == n_classes and scores.dtype == np.float64, "calibration.scores")
    _check(np.isfinite(scores).all(), "calibration.scores")
    _check(labels.dtype == np.int8 and np.isin(labels, (-1, 0, 1)).all(), "calibration.labels")
    return scores, labels.astype(np.int64)


def certificate(value: Any) -> Certificate:
    """Return the certificate, whose sentence can then be written.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a promise is none.
    """
    found = Certificate.from_dict(value)
    _check(isinstance(found.method, str), "certificate")
    for promise in found.promises:
        texts = (promise.event, promise.population, promise.unit)
        shares = [promise.bound, promise.confidence]
        shares += [] if promise.asked is None else [promise.asked]
        _check(all(isinstance(text, str) for text in texts), "promise")
        _check(all(type(share) is float and 0.0 <= share <= 1.0 for share in shares), "promise")
        _check(_is_count(promise.k) and _is_count(promise.n), "promise")
        _check(promise.k <= promise.n and promise.n > 0, "promise")
    return found


def training(value: Any) -> TrainingInfo:
    """Return what the model was trained on.

    Raises
    ------
    TypeError, ValueError
        If it is not what `TrainingInfo` describes.
    """
    found = TrainingInfo(**value)
    _check(isinstance(found.fingerprint, str), "fingerprint")
    _check(isinstance(found.class_counts, dict), "class_counts")
    _check(all(map(_is_count, found.class_counts.values())), "class_counts")
    _check(_is_count(found.n_others) and _is_count(found.n_unreadable), "training")
    _check(isinstance(found.options, dict), "options")
    options = found.options
    if options.get("label_columns") is not None:
        texts(options["label_columns"], "label_columns")
    Budget(
        options.get("max_known_rejected", "auto"),
        options.get("max_other_accepted"),
        options.get("confidence", 0.95),
    )
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _check(right: bool | np.bool_, what: str) -> None:
    if not right:
        raise ValueError(f"{what!r} is not what it must be")
