"""Virtual-logit matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import log_sum_exp
from outgroup.detectors._readout import ReadoutDetector
from outgroup.detectors._subspace import (
    folds_within,
    left_out_lengths,
    off_subspace,
    principal,
    valid_dimension,
)
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("vim")
class VirtualLogit(ReadoutDetector):
    """Log-odds of a virtual class whose logit is the distance from the principal subspace.

    ``alpha |(I - P P') (x - o)| - log(sum_k exp(z_k))``, the logarithm of the odds of the paper's
    probability, which is of the same order. z are the logits of a linear layer fitted in closed
    form (see `outgroup.detectors._readout`), o the point nearest to 0 where all of them are 0, P
    the principal directions of ``x - o``, and alpha makes the virtual logit as large as the largest
    real one on average over known rows left out, of the subspace by five folds (1 if either is
    zero, as for a single class).

    Parameters
    ----------
    dimension : int or None, default=None
        How many directions; None: as few as hold 90 % of the squared lengths of all known rows.
        The paper's 512 or 1000 are for a million images.
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    H. Wang et al., ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022.

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = VirtualLogit(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "vim"
    summary = "distance from the principal subspace against the energy of a linear layer"
    reference = "Wang et al. 2022"
    parameters = ("dimension", "shrinkage")
    tuned = ("dimension", "shrinkage")
    arrays = ("weights", "bias", "standard", "origin", "directions", "alpha")

    def __init__(self, dimension: int | None = None, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        self.dimension = valid_dimension(dimension)
        self.dimension_ = dimension

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage and how many directions."""
        super().tune(X, y)
        if self.dimension is None:
            again = self.frozen()
            again.fit(X, y)
            self.dimension_ = again.directions.shape[1]

    def learn(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> None:
        """Find the origin, the directions and the scale of the virtual logit."""
        self.origin = -np.linalg.pinv(self.weights.T) @ self.bias
        R = Z - self.origin
        self.directions = principal(R, self.dimension_)
        folds = folds_within(Z)
        self._without = left_out_lengths(R, self.directions.shape[1], folds, centred=False)
        seen = self._without[np.isfinite(self._without)]
        virtual = seen.mean() if len(seen) else 0.0
        real = logits.max(axis=1).mean()
        alpha = real / virtual if real > 0 and virtual > 1e-12 * np.abs(Z).max() else 1.0
        self.alpha = np.array([alpha])

    def raw(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ReadoutDetector.raw`."""
        virtual = self.alpha[0] * off_subspace(Z - self.origin, self.directions)
        result: NDArray[np.float64] = virtual - log_sum_exp(logits)
        return result

    def left_out(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ReadoutDetector.left_out`."""
        result: NDArray[np.float64] = self.alpha[0] * self._without - log_sum_exp(logits)
        return result
