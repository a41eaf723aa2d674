"""Detectors that measure the distance from the principal subspace of the known rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, bounded, log_sum_exp, median_or_one, row_order, whole_number
from outgroup.detectors.base import DETECTORS, FeatureDetector
from outgroup.detectors.linear_readout import ReadoutDetector


@DETECTORS.register("residual")
class Residual(FeatureDetector):
    """``|(I - P P') (x - m)| / s``, P the principal directions of the known rows, m their mean.

    s is the median for known rows by the subspaces of other folds, so a known image typically
    gets 1. The paper measures from a point given by a network's last layer instead of the mean.

    Parameters
    ----------
    dimension : int or None, default=None
        The number of directions. None: the fewest with 90 % of the variance of all known rows. The
        paper takes 512 or 1000 for a million images.

    References
    ----------
    H. Wang et al., ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022 (section 3).
    """

    summary = "distance from the principal subspace of the known images"
    reference = "Wang et al. 2022"
    parameters = ("dimension",)
    tuned = ("dimension",)
    arrays = ("mean", "directions", "scale")

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = self.dimension_ = _valid_dimension(dimension)

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the number of directions."""
        if self.dimension is None:
            Z = bounded(X)
            self.dimension_ = principal(Z - Z.mean(axis=0), None).shape[1]

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> Residual:
        """See `FittedDetector.fit`; the classes are not used."""
        Z = bounded(X)
        self.mean = Z.mean(axis=0)
        R = Z - self.mean
        self.directions = principal(R, self.dimension_)
        without = left_out_lengths(R, self.directions.shape[1], _folds_within(Z), centred=True)
        self.scale = np.array([median_or_one(without, 1e-6 * float(np.abs(R).max(initial=0.0)))])
        return self

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        return off_subspace(bounded(X) - self.mean, self.directions) / float(self.scale[0])


@DETECTORS.register("vim")
class VirtualLogit(ReadoutDetector):
    """Log-odds of a virtual class whose logit is the distance from the principal subspace.

    ``alpha |(I - P P') (x - o)| - log(sum_k exp(z_k))``, standardised: the log-odds of the
    probability in the paper, which has the same order. z are the logits of the linear layer, o is
    the point nearest to 0 where they are all 0, and P are the principal directions of ``x - o``.
    alpha makes the virtual logit as large as the largest real one, on average over known rows left
    out; it is 1 if either is zero, as for a single class.

    Parameters
    ----------
    dimension : int or None, default=None
        The number of directions. None: the fewest with 90 % of the squared lengths of all known
        rows. The paper takes 512 or 1000 for a million images.

    References
    ----------
    H. Wang et al., ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022.
    """

    summary = "distance from the principal subspace against the energy of a linear layer"
    reference = "Wang et al. 2022"
    parameters = ("dimension", "shrinkage")
    tuned = ("dimension", "shrinkage")
    arrays = ("weights", "bias", "standard", "origin", "directions", "alpha")

    def __init__(self, dimension: int | None = None, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        self.dimension = self.dimension_ = _valid_dimension(dimension)

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage, then the number of directions, which needs the fitted layer."""
        super().tune(X, y)
        if self.dimension is None:
            again = self.frozen()
            again.fit(X, y)
            self.dimension_ = again.directions.shape[1]

    def _learn(self, Z: Array, logits: Array) -> Array:
        self.origin = -np.linalg.pinv(self.weights.T) @ self.bias
        R = Z - self.origin
        self.directions = principal(R, self.dimension_)
        without = left_out_lengths(R, self.directions.shape[1], _folds_within(Z), centred=False)
        seen = without[np.isfinite(without)]
        virtual = seen.mean() if len(seen) else 0.0
        real = logits.max(axis=1).mean()
        fine = real > 0 and virtual > 1e-12 * np.abs(Z).max()
        self.alpha = np.array([real / virtual if fine else 1.0])
        return float(self.alpha[0]) * without - log_sum_exp(logits)

    def _raw(self, Z: Array, logits: Array) -> Array:
        virtual = off_subspace(Z - self.origin, self.directions)
        return float(self.alpha[0]) * virtual - log_sum_exp(logits)


def principal(R: Array, dimension: int | None) -> Array:
    """Return orthonormal directions (d, q) along which the rows (n, d) are longest.

    At most as many as the rows span; for None, the fewest with 90 % of the squared lengths.
    """
    size = float(np.abs(R).max(initial=0.0))
    R = R / size if size > 0 else R
    n, d = R.shape
    values, vectors = np.linalg.eigh(R @ R.T if n < d else R.T @ R)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > 1e-12 * max(float(values[0]), 1e-300)).sum())
    if dimension is None:
        held = np.cumsum(values[:rank])
        dimension = int(np.searchsorted(held, 0.9 * held[-1])) + 1 if rank else 0
    vectors = vectors[:, : min(dimension, rank)]
    if n >= d:
        return np.ascontiguousarray(vectors)
    # R' u is orthogonal for different u; QR makes the directions orthonormal to the last digit
    return np.linalg.qr(R.T @ vectors)[0]


def off_subspace(R: Array, directions: Array) -> Array:
    """Return the length of each row (n, d) less its projection on the directions (d, q)."""
    lengths: Array = np.linalg.norm(R - (R @ directions) @ directions.T, axis=1)
    return lengths


def left_out_lengths(R: Array, dimension: int, folds: NDArray[np.int64], centred: bool) -> Array:
    """Return `off_subspace` (n,) of each row of `R` by the subspace of the other folds.

    `R` are rows (n, d) less their origin; if `centred`, that is the mean of the rows, which is then
    computed anew for each fold. Rows of fold -1 are never left out, and get NaN.
    """
    n, d = R.shape
    result = np.full(n, np.nan)
    size = float(np.abs(R).max(initial=0.0))
    R = R / size if size > 0 else R
    few = n < 2 * d
    total = R @ R.T if few else R.T @ R
    for fold in range(folds.max(initial=-1) + 1):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not few:
            origin = R[rest].mean(axis=0) if centred else np.zeros(d)
            rows = R[held] - origin
            scatter = total - R[held].T @ R[held] - len(rest) * np.outer(origin, origin)
            directions = np.linalg.eigh(scatter)[1][:, d - min(dimension, d) :]
            result[held] = off_subspace(rows, directions)
            continue
        # the same, from the inner products of the rows alone
        inner, across = total[np.ix_(rest, rest)], total[np.ix_(held, rest)]
        own = np.diag(total)[held]
        if centred:
            mean = inner.mean(axis=0)
            to_mean, mean_mean = across.mean(axis=1), mean.mean()
            inner = inner - mean - mean[:, np.newaxis] + mean_mean
            across = across - mean - to_mean[:, np.newaxis] + mean_mean
            own = own - 2.0 * to_mean + mean_mean
        values, vectors = np.linalg.eigh(inner)
        kept = np.arange(len(values)) >= len(values) - dimension
        kept &= values > 1e-12 * max(float(values[-1]), 1e-300)
        along = (across @ vectors[:, kept]) ** 2 / values[kept]
        result[held] = np.sqrt(np.maximum(own - along.sum(axis=1), 0.0))
    return result * size


def _folds_within(X: Array) -> NDArray[np.int64]:
    """Return five folds that do not depend on the order of the rows, numbered from 0.

    Only as many as leave out a thousand rows; the other rows are in fold -1.
    """
    folds = np.empty(len(X), dtype=np.int64)
    folds[row_order(X)] = np.arange(len(X)) % 5
    return np.where(folds < max(1, np.ceil(5000 / len(X))), folds, -1)


def _valid_dimension(value: int | None) -> int | None:
    """Return the argument `dimension`; 0 is what tuning chooses for rows that are all equal."""
    return None if value is None else whole_number("dimension", value, 0)
