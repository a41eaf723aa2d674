"""Scores made comparable: in units of how the held-out known images of a class spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import median_and_mad
from outgroup.errors import InvalidParameterError

#: Images that a class needs for its own centre to weigh as much as that of all known images, and
#: the same for the scale, which takes more images to know. See ``benchmarks/choices.py``.
CENTRE_PRIOR, SCALE_PRIOR = 60, 200

#: The 90 % quantile of a normal distribution in units of its median absolute deviation.
UPPER_DECILE = 1.9


def centre_and_tail_scale(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median, and the larger of the median absolute deviation and a tail scale.

    The tail scale is the deviation of a normal distribution with the same 90 % quantile: without it
    a score with a heavy upper tail would dominate a sum. A scale of 0 becomes 1.
    """
    centre, deviation = map(float, median_and_mad(scores))
    tail = float(np.quantile(scores, 0.9)) - centre
    return centre, max(deviation, tail / UPPER_DECILE) or 1.0


def class_scales(
    scores: NDArray[np.float64],
    y: NDArray[np.int64],
    n_classes: int,
    priors: tuple[float, float] = (CENTRE_PRIOR, SCALE_PRIOR),
) -> tuple[list[float], list[float]]:
    """Return the centre and the scale of each class, shrunk towards those of all known images.

    The n images of a class weigh ``n / (n + prior)``, all known images the rest.

    Parameters
    ----------
    priors : tuple of float
        That of the centre and that of the scale.
    """
    centre, scale = centre_and_tail_scale(scores)
    centres, scales = [], []
    for k in range(n_classes):
        own = scores[y == k]
        own_centre, own_scale = centre_and_tail_scale(own) if len(own) > 1 else (centre, scale)
        centres.append(_between(own_centre, centre, len(own), priors[0]))
        scales.append(_between(own_scale, scale, len(own), priors[1]))
    return centres, scales


def standardised(
    scores: NDArray[np.float64], logits: NDArray[Any], centres: Any, scales: Any
) -> NDArray[np.float64]:
    """Return scores minus the centre, over the scale, of the class that a head gives each image."""
    classes = logits.argmax(axis=1)
    centre, scale = (np.broadcast_to(v, logits.shape[1])[classes] for v in (centres, scales))
    result: NDArray[np.float64] = (scores - centre) / scale
    return result


def check_scaling(scaling: Any) -> None:
    """Check that scaling holds finite centres, positive scales and, optionally, weights."""
    try:
        fine = all(2 <= len(given) <= 3 for given in scaling.values())
        for centres, scales, *weights in scaling.values():
            values = [np.asarray(v, dtype=float) for v in (centres, scales, *weights)]
            fine &= all(np.isfinite(v).all() for v in values) and bool((values[1] > 0).all())
    except (AttributeError, TypeError, ValueError):
        fine = False
    if not fine:
        raise InvalidParameterError(
            "Invalid `scaling`: must be a dict of score names to centres, scales above 0 and, "
            f"where it is not 1, a weight, got {scaling!r}."
        )


def _between(own: float, of_all: float, n: int, prior: float) -> float:
    share = n / (n + prior)
    return share * own + (1.0 - share) * of_all
