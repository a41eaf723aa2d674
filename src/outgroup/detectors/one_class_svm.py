"""One-class support vector machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import share, unit_rows
from outgroup.detectors._left_out import centre_and_scale
from outgroup.detectors._neighbours import BLOCK
from outgroup.detectors._rows import in_order
from outgroup.detectors.base import DETECTORS, FeatureDetector
from outgroup.errors import InvalidParameterError

#: Known rows that are learned from; a solver's time grows with the square of their number.
MOST = 2000


@DETECTORS.register("one-class-svm")
class OneClassSVM(FeatureDetector):
    """``r - sum_i a_i exp(-g |x - s_i|^2)`` over the support vectors s_i, rows of length 1.

    Fitted by scikit-learn and kept as arrays. g is 1 over the variance of all known values and the
    number of columns (scikit-learn's "scale"), 1 if they do not vary; the a_i add up to 1, and
    scores are given less their median for known rows without their own share, over their median
    absolute deviation. Of more than 2,000 known rows as many are learned from, evenly spaced in an
    order of their own: the time grows with the square of their number, and a density needs no more.

    Parameters
    ----------
    nu : float, default=0.1
        Largest share of known rows outside, and smallest of support vectors, in (0, 1).
    gamma : float or None, default=None
        g; None: as above, from all known rows.

    References
    ----------
    B. Schoelkopf et al., Estimating the Support of a High-Dimensional Distribution, Neural
    Computation 13 (2001), 1443-1471.

    Examples
    --------
    >>> X = np.array([[3.0, 0.1], [2.0, 0.0], [0.0, 1.0], [0.1, 3.0]])
    >>> detector = OneClassSVM(nu=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[5.0, 0.1], [-1.0, -1.0]]))
    >>> bool(known < other)
    True
    """

    name = "one-class-svm"
    summary = "one-class support vector machine with a Gaussian kernel"
    reference = "Schoelkopf et al. 2001"
    parameters = ("nu", "gamma")
    tuned = ("gamma",)
    arrays = ("support", "weights", "offset", "width", "standard")

    def __init__(self, nu: float = 0.1, gamma: float | None = None) -> None:
        self.nu = share("nu", nu)
        if gamma is not None and not 0.0 < gamma < np.inf:
            raise InvalidParameterError(
                f"The 'gamma' parameter must be a number above 0, or None. Got {gamma!r} instead."
            )
        self.gamma = self.gamma_ = gamma

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose how wide the kernel is."""
        if self.gamma is None:
            self.gamma_ = _gamma(unit_rows(X))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> OneClassSVM:
        """See `FeatureDetector.fit`; the classes play no part."""
        from sklearn import svm  # slow to import; prediction does without

        Z = in_order(unit_rows(X))
        if len(Z) > MOST:
            Z = Z[np.linspace(0, len(Z) - 1, MOST).round().astype(np.int64)]
        gamma = _gamma(Z) if self.gamma_ is None else self.gamma_
        model = svm.OneClassSVM(kernel="rbf", gamma=gamma, nu=self.nu, tol=1e-6).fit(Z)
        total = model.dual_coef_[0].sum()  # scikit-learn's weights add up to nu times the rows
        self.support = Z[model.support_]
        self.weights = model.dual_coef_[0] / total
        self.offset = -model.intercept_ / total
        self.width = np.array([gamma])
        # Without a row its own share of the sum is missing; the others' would add up to 1.
        share = np.zeros(len(Z))
        share[model.support_] = self.weights
        without = (self._sums(Z) - share) / np.maximum(1.0 - share, 1e-12)
        self.standard = centre_and_scale(self.offset[0] - without)
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        centre, scale = self.standard
        raw = self.offset[0] - self._sums(unit_rows(X))
        result: NDArray[np.float64] = (raw - centre) / scale
        return result

    def _sums(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        own = (self.support**2).sum(axis=1)
        sums = np.empty(len(Z))
        for start in range(0, len(Z), BLOCK):
            rows = Z[start : start + BLOCK]
            squares = (rows**2).sum(axis=1)[:, np.newaxis] + own - 2.0 * rows @ self.support.T
            kernel = np.exp(-self.width[0] * np.maximum(squares, 0.0))
            sums[start : start + BLOCK] = kernel @ self.weights
        return sums


def _gamma(Z: NDArray[np.float64]) -> float:
    variance = float(Z.var())
    return 1.0 / (Z.shape[1] * variance) if variance > 1e-24 else 1.0
