"""Scores made comparable: in units of how the held-out known images of a class spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError

#: Images that a class needs for its own centre to weigh as much as that of all known images, and
#: the same for the scale, which takes more images to know. Compared on training images by
#: ``benchmarks/choices.py``.
CENTRE_PRIOR, SCALE_PRIOR = 60, 200

#: The 90 % quantile of a normal distribution in units of its median absolute deviation.
UPPER_DECILE = 1.9


def centre_and_scale(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median, and the median absolute deviation or what the upper tail makes of it.

    A tenth of known images may lie further above the median than the deviation says, as cosine
    distances of few coordinates do; in units of the deviation alone such a score would rule the
    sum. So the scale is that of a normal distribution with the same 90 % quantile, if that is more;
    and 1 in place of 0.

    Examples
    --------
    >>> centre_and_scale(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]))
    (5.0, 2.0)
    >>> centre_and_scale(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 24.0, 90.0]))
    (5.0, 16.94...)
    """
    centre = float(np.median(scores))
    deviation = float(np.median(np.abs(scores - centre)))
    tail = float(np.quantile(scores, 0.9)) - centre
    return centre, max(deviation, tail / UPPER_DECILE) or 1.0


def class_scales(
    scores: NDArray[np.float64],
    y: NDArray[np.int64],
    n_classes: int,
    priors: tuple[float, float] = (CENTRE_PRIOR, SCALE_PRIOR),
) -> tuple[list[float], list[float]]:
    """Return the centre and the scale of each class, drawn towards those of all classes.

    Some classes are more varied than others, or less well known to the network: what is far for one
    is near for another. Few images say little of that, so that what n of them say counts
    ``n / (n + prior)``, and all known images the rest.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
        Held-out scores of known images.
    y : ndarray of shape (n,), int64
        Their classes.
    n_classes : int
        Number of classes, K.
    priors : tuple of float
        That of the centre and that of the scale.

    Returns
    -------
    centres, scales : list of float, length K

    Examples
    --------
    >>> scores, y = np.r_[np.arange(60.0), np.arange(60.0) + 40], np.repeat([0, 1], 60)
    >>> class_scales(scores, y, 2)[0]
    [39.5, 59.5]
    """
    centre, scale = centre_and_scale(scores)
    centres, scales = [], []
    for k in range(n_classes):
        own = scores[y == k]
        own_centre, own_scale = centre_and_scale(own) if len(own) > 1 else (centre, scale)
        centres.append(_between(own_centre, centre, len(own), priors[0]))
        scales.append(_between(own_scale, scale, len(own), priors[1]))
    return centres, scales


def standardised(
    scores: NDArray[np.float64], logits: NDArray[Any], centres: Any, scales: Any
) -> NDArray[np.float64]:
    """Return scores less the centre, over the scale, of the class that a head gives each image.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
    logits : ndarray of shape (n, K)
        Of the head.
    centres, scales : sequence of float, length K, or float
        As of `class_scales`; a number is that of every class.

    Returns
    -------
    ndarray of shape (n,), float64
    """
    classes = logits.argmax(axis=1)
    centre, scale = (np.broadcast_to(v, logits.shape[1])[classes] for v in (centres, scales))
    result: NDArray[np.float64] = (scores - centre) / scale
    return result


def check_scaling(scaling: Any) -> None:
    """Look whether there are finite centres and positive scales, and what a score counts or not.

    Raises
    ------
    InvalidParameterError
        If not.
    """
    try:
        fine = all(2 <= len(given) <= 3 for given in scaling.values())
        for centres, scales, *votes in scaling.values():
            values = [np.asarray(v, dtype=float) for v in (centres, scales, *votes)]
            fine &= all(np.isfinite(v).all() for v in values) and bool((values[1] > 0).all())
    except (AttributeError, TypeError, ValueError):
        fine = False
    if not fine:
        raise InvalidParameterError(
            "The 'scaling' parameter must be a dict with centres, scales above 0 and, if it is not "
            f"1, what the score counts, by the name of the score. Got {scaling!r} instead."
        )


def _between(own: float, of_all: float, n: int, prior: float) -> float:
    share = n / (n + prior)
    return share * own + (1.0 - share) * of_all
