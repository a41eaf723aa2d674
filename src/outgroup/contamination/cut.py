"""How far out an image may lie, and still be supposed to show the class it is taken for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

#: From here inwards what looks like a class is supposed to be of it: half of its images are there.
INNER = 0.5

#: Where zones end, from the inside out. Beyond the last known images look like nothing themselves.
ZONES = (0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)

#: A zone is left out when it is shown at this level that most in it are something else.
RISK = 0.05


def cut_level(levels: NDArray[np.float64]) -> float:
    """Return the level above which images that are taken for a class are supposed to be of it.

    Images of the class have levels spread evenly from 0 to 1; of anything else there is the less
    the farther in one looks. So the inner half tells how many images of the class to expect in each
    zone farther out (as in Storey 2002), and the first zone that is shown to hold more than twice
    as many is where most are something else. It is shown by the binomial test of two counts.

    Parameters
    ----------
    levels : ndarray of shape (n,), float64
        Of the images that are taken for the class.

    Returns
    -------
    float
        One of `ZONES`, or `INNER`.

    References
    ----------
    J. D. Storey, A Direct Approach to False Discovery Rates, J. R. Stat. Soc. B 64 (2002), 479-498.
    J. Przyborowski and H. Wilenski, Homogeneity of Results in Testing Samples from Poisson Series,
    Biometrika 31 (1940), 313-323.

    Examples
    --------
    >>> of_class, others = np.linspace(0, 1, 101), np.linspace(0, 0.2, 101)
    >>> cut_level(of_class), cut_level(np.r_[of_class, others])
    (0.03, 0.2)
    """
    inside, inner = int((levels > INNER).sum()), INNER
    for outer in ZONES:
        found = int(((levels > outer) & (levels <= inner)).sum())
        twice = 2.0 * (inner - outer)
        share = twice / (twice + 1.0 - INNER)
        # P(at least `found` of all) if the zone is just twice as dense as the inner half
        if found and betainc(found, inside + 1, share) < RISK:
            return inner
        inner = outer
    return inner
