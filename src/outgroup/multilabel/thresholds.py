"""A threshold for each label, and what all of them promise.

Nothing here sees an image or a model: held-out scores (higher = more surely without the label) and
labels are all it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Budget, Certificate, HeldOut, Promise, choose_threshold
from outgroup.calibration.bounds import smallest_n, upper_bound
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED
from outgroup.calibration.certificate import percent
from outgroup.errors import InfeasibleTargetError, InvalidParameterError

Array = NDArray[np.float64]

#: Fewer images than this with a label, and more of them are missed than anybody asked for.
FEW = 20

NONE_OF_THEM = "images like your negatives"


def choose_thresholds(
    scores: Array,
    Y: NDArray[np.int64],
    classes: Sequence[str],
    budget: Budget | None = None,
    units: NDArray[np.str_] | None = None,
    fixed: float | None = None,
) -> tuple[Array, Certificate]:
    """Choose the threshold of each label that gives it to as few images as the budget allows.

    Each threshold is chosen from the images with its label alone, as `choose_threshold` does for
    known images: `max_known_rejected` is the share of them that may miss the label. Images of none
    of the labels tell what share of them is given any. `max_other_accepted` is a limit to that
    share; for its sake all thresholds are moved by the same amount, unless `max_known_rejected` is
    a number, which is kept.

    Parameters
    ----------
    scores : ndarray of shape (n, K), float64
        Held-out scores; a label is given iff its score is at most its threshold.
    Y : ndarray of shape (n, K), int64
        1 for a label that is there, 0 for one that is not, -1 for one of which nobody knows.
    classes : sequence of str
        Names of the K labels.
    budget : Budget or None
        What to keep; None is ``Budget()``.
    units : ndarray of shape (n,) or None
        What a bound counts; None: each image.
    fixed : float or None
        The threshold of every label where nothing is to be chosen; the certificate then says what
        held-out images make of it, and a budget that it does not keep is refused.

    Returns
    -------
    thresholds : ndarray of shape (K,), float64
    certificate : Certificate
        A promise for each label, and one about images of none of them if there are any.

    Raises
    ------
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    InvalidParameterError
        If a budget for images of none of the labels is given, and there are none.

    Examples
    --------
    >>> scores = np.arange(200.0).reshape(100, 2) % 100
    >>> Y = np.repeat([[1, 0], [0, 1]], 50, axis=0)
    >>> thresholds, certificate = choose_thresholds(scores, Y, ("cat", "dog"))
    >>> thresholds
    array([96., 97.])
    >>> print(certificate.promises[0].sentence)
    At most 9.2 % of images like your 'cat' ones are not called 'cat' (95 % confidence, n = 50;
    2 % expected).
    """
    budget = budget or Budget()
    none = (Y == 0).all(axis=1)
    if budget.max_other_accepted is not None and not none.any():
        raise InvalidParameterError(
            "The 'max_other_accepted' parameter must be None when no image has none of the labels. "
            f"Got {budget.max_other_accepted!r} instead. Give negatives, or leave it out."
        )
    of_label = []
    for k, name in enumerate(classes):
        has = Y[:, k] == 1
        of_label.append(
            HeldOut(scores[has, k], _rows(units, has), f"images like your {name!r} ones")
        )
    chosen = [
        _one_label(held, name, budget, fixed) for held, name in zip(of_label, classes, strict=True)
    ]
    thresholds = np.array([threshold for threshold, _ in chosen])
    promises = [promise for _, promise in chosen]
    if none.any():
        margins = (scores - thresholds).min(axis=1)
        of_none = HeldOut(margins[none], _rows(units, none), NONE_OF_THEM)
        moves = fixed is None and budget.max_known_rejected in (None, "auto")
        if budget.max_other_accepted is not None and moves:
            labelled = HeldOut(margins[~none], _rows(units, ~none))
            shift, about_none = _for_none(labelled, of_none, budget)
            thresholds = thresholds + shift
            promises = [
                _moved(held, promise, threshold)
                for held, promise, threshold in zip(of_label, promises, thresholds, strict=True)
            ]
        else:
            about_none = _counted(of_none, budget)
        promises.append(about_none)
    return thresholds, Certificate(tuple(promises))


def remarks(certificate: Certificate) -> Iterator[str]:
    """Yield what a user should know of labels that few images have."""
    for promise in certificate.promises:
        if promise.n < FEW and promise.population != NONE_OF_THEM:
            needed = smallest_n(DEFAULT_KNOWN_REJECTED, promise.confidence)
            yield (
                f"Only {promise.n} {promise.unit} stand for {promise.population}: as many as "
                f"{percent(promise.bound, up=True)} may be {promise.event}. A promise of "
                f"{percent(DEFAULT_KNOWN_REJECTED)} takes at least {needed}."
            )


def _one_label(
    held: HeldOut, name: str, budget: Budget, fixed: float | None
) -> tuple[float, Promise]:
    # without a budget of its own a label starts where 5 % are expected to miss it
    share = "auto" if budget.max_known_rejected is None else budget.max_known_rejected
    try:
        calibration = choose_threshold(held, None, Budget(share, None, budget.confidence))
    except InfeasibleTargetError as error:
        raise InfeasibleTargetError(f"Label {name!r}: {error}", error.n_needed) from error
    promise = replace(calibration.certificate.promises[0], event=f"not called {name!r}")
    if fixed is None:
        return calibration.threshold, promise
    k = held.rejected(fixed)
    promise = replace(promise, k=k, bound=upper_bound(k, held.n, budget.confidence))
    if not promise.kept:
        raise InfeasibleTargetError(
            f"'max_known_rejected' {promise.asked} can't be promised with a threshold that is part "
            f"of the strategy. {promise.sentence} Take another strategy, or leave the budget out."
        )
    return fixed, promise


def _for_none(labelled: HeldOut, of_none: HeldOut, budget: Budget) -> tuple[float, Promise]:
    """Return by how much to move all thresholds; the margin is an other-score like any."""
    asked = Budget(None, budget.max_other_accepted, budget.confidence)
    calibration = choose_threshold(labelled, of_none, asked)
    shift, promise = calibration.threshold, calibration.certificate.promises[1]
    if budget.max_known_rejected == "auto" and shift > 0:  # they need not give way
        shift = 0.0
        k = of_none.accepted(shift)
        promise = replace(promise, k=k, bound=upper_bound(k, of_none.n, budget.confidence))
    return shift, replace(promise, event="given any label")


def _moved(held: HeldOut, promise: Promise, threshold: float) -> Promise:
    k = held.rejected(threshold)
    bound = max(promise.bound, upper_bound(k, held.n, promise.confidence))
    return replace(promise, k=k, bound=bound)


def _counted(of_none: HeldOut, budget: Budget) -> Promise:
    k, asked = of_none.accepted(0.0), budget.max_other_accepted
    promise = Promise(
        "given any label",
        of_none.population,
        upper_bound(k, of_none.n, budget.confidence),
        k,
        of_none.n,
        of_none.unit,
        budget.confidence,
        asked,
    )
    if not promise.kept:
        needed = smallest_n(asked or 0.0, budget.confidence, rate=k / of_none.n)
        more = f" With this share, {needed} would be enough." if needed else ""
        raise InfeasibleTargetError(
            f"'max_known_rejected' {budget.max_known_rejected} and 'max_other_accepted' {asked} "
            f"can't both be promised. {promise.sentence}{more} Leave 'max_known_rejected' out, and "
            "the thresholds give way to the other.",
            n_needed=needed,
        )
    return promise


def _rows(units: NDArray[np.str_] | None, mask: NDArray[np.bool_]) -> NDArray[np.str_] | None:
    return None if units is None else units[mask]
