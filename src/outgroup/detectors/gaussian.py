"""Detectors that measure distances or angles from class means, with one covariance for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import (
    Array,
    bounded,
    centre_and_scale,
    median_or_one,
    standardised,
    whole_number,
)
from outgroup.detectors.base import DETECTORS
from outgroup.detectors.covariance import ClassModel, Metric, ShrunkDetector, within_class


@DETECTORS.register("mahalanobis")
class Mahalanobis(ShrunkDetector):
    """Distance to the nearest class mean of L2-normalised embeddings, one covariance for all.

    ``min_k sqrt((x - m_k)' S^-1 (x - m_k)) / s`` with S the covariance within classes, shrunk
    towards a multiple of the identity: with thirty images a class and 1280 dimensions, the plain
    one can't be inverted. s is the median for known rows left out, so a known image typically
    gets 1.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance, in (0, 1]. None: by the formula of Ledoit and Wolf,
        from all known rows.

    References
    ----------
    K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018; L2-normalised: M. Mueller and M. Hein, Mahalanobis++, ICML
    2025. O. Ledoit and M. Wolf, J. Multivariate Analysis 88 (2004), 365-411.
    """

    summary = "Mahalanobis distance to the nearest class mean, L2-normalised, Ledoit-Wolf"
    reference = "Lee et al. 2018; Mueller & Hein 2025; Ledoit & Wolf 2004"
    arrays = ("means", "whitening", "isotropic", "scale")
    leaves_out = True

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        """See `FittedDetector.fit_left_out`."""
        Z = self._prepared(X)
        model = ClassModel.of(Z, y, self.shrinkage_)
        self.means, self.whitening = model.means, model.metric.whitening
        self.isotropic = np.array([model.metric.isotropic])
        distances: Array = np.sqrt(model.left_out_squares(Z)[0].min(axis=1))
        self.scale = np.array([median_or_one(distances)])
        return distances / float(self.scale[0])

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        metric = Metric(self.whitening, float(self.isotropic[0]))
        squares = metric.squared(self._prepared(X), self.means).min(axis=1)
        result: Array = np.sqrt(squares) / self.scale[0]
        return result


@DETECTORS.register("mahalanobis-raw")
class MahalanobisRaw(Mahalanobis):
    """The distance of `mahalanobis` for embeddings that are not normalised, so that lengths count.

    References
    ----------
    K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018.
    """

    summary = "Mahalanobis distance to the nearest class mean, lengths kept, Ledoit-Wolf"
    reference = "Lee et al. 2018; Ledoit & Wolf 2004"

    @staticmethod
    def _prepared(X: NDArray[Any]) -> Array:
        return bounded(X)


@DETECTORS.register("relative-mahalanobis")
class RelativeMahalanobis(ShrunkDetector):
    """Squared Mahalanobis distance to the nearest class, less that to the background.

    ``min_k (x - m_k)' S^-1 (x - m_k) - (x - m)' B^-1 (x - m)`` with S the covariance within
    classes, and m and B the mean and covariance of the background: the known rows and the
    negatives, or all known rows as one class. What is unusual about every image cancels out. The
    difference is given less its median for known rows left out, over their median absolute
    deviation.

    Embeddings are L2-normalised, in the paper they are not. S and B are shrunk as for
    `mahalanobis`, by the same share towards the same multiple of the identity: only then does what
    is equal cancel out.

    Parameters
    ----------
    n_background : int or None, default=None
        How many negatives are used at most, evenly spaced; they increase the size of the model.
        None: all.

    References
    ----------
    J. Ren et al., A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection, ICML 2021
    workshop on Uncertainty and Robustness in Deep Learning, arXiv:2106.09022.
    """

    summary = "Mahalanobis distance to the nearest class less that to the background"
    reference = "Ren et al. 2021"
    learns_from_others = True
    leaves_out = True
    parameters = ("shrinkage", "n_background")
    arrays = (
        "means",
        "whitening",
        "isotropic",
        "background_mean",
        "background_whitening",
        "background_isotropic",
        "standard",
    )

    def __init__(self, shrinkage: float | None = None, n_background: int | None = None) -> None:
        super().__init__(shrinkage)
        given = n_background is not None
        self.n_background = whole_number("n_background", n_background) if given else None

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        """See `FittedDetector.fit_left_out`."""
        X, y = self._thinned(X, y)
        Z, known = self._prepared(X), y >= 0
        near = ClassModel.of(Z[known], y[known], self.shrinkage_)
        far = ClassModel.of(Z, np.zeros_like(y), near.shrinkage, near.spread)
        self.means, self.whitening = near.means, near.metric.whitening
        self.background_mean, self.background_whitening = far.means, far.metric.whitening
        self.isotropic = np.array([near.metric.isotropic])
        self.background_isotropic = np.array([far.metric.isotropic])
        far = replace(far, index=far.index[known])
        without = near.left_out_squares(Z[known])[0].min(axis=1)
        without -= far.left_out_squares(Z[known])[0][:, 0]
        self.standard = centre_and_scale(without)
        return standardised(without, self.standard)

    def _thinned(
        self, X: NDArray[Any], y: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        others = np.flatnonzero(y < 0)
        if self.n_background is None or len(others) <= self.n_background:
            return X, y
        some = np.linspace(0, len(others) - 1, self.n_background).astype(np.int64)
        rows = np.sort(np.concatenate([np.flatnonzero(y >= 0), others[some]]))
        return X[rows], y[rows]

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        Z = self._prepared(X)
        near = Metric(self.whitening, float(self.isotropic[0]))
        far = Metric(self.background_whitening, float(self.background_isotropic[0]))
        squares: Array = near.squared(Z, self.means).min(axis=1)
        background = far.squared(Z, self.background_mean)[:, 0]
        return standardised(squares - background, self.standard)


@DETECTORS.register("whitened-cosine")
class WhitenedCosine(ShrunkDetector):
    """Cosine distance to the nearest class mean, with the background whitened.

    ``1 - max_k cos(W'(x - m), W'(m_k - m))`` over its median for known rows left out. W whitens the
    background of mean m: the known rows and the negatives, or all known rows as one class.
    Embeddings are L2-normalised, and the covariance of all rows is shrunk as for `mahalanobis`. A
    single class without negatives is its own background, so its angles are measured from zero.

    References
    ----------
    B. Hariharan, J. Malik and D. Ramanan, Discriminative Decorrelation for Clustering and
    Classification, ECCV 2012.
    """

    summary = "cosine distance to the nearest class mean, background whitened"
    reference = "Hariharan et al. 2012"
    learns_from_others = True
    leaves_out = True
    arrays = ("centre", "whitening", "isotropic", "directions", "scale")

    def _residuals(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        Z = self._prepared(X)
        mean: Array = Z.mean(axis=0)
        return Z - mean

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        """See `FittedDetector.fit_left_out`."""
        Z, known = self._prepared(X), y >= 0
        means = within_class(Z[known], y[known])[0]
        world = ClassModel.of(Z, np.zeros_like(y), self.shrinkage_)
        self.whitening = world.metric.whitening
        self.isotropic = np.array([world.metric.isotropic])
        alone = len(means) == 1 and bool(known.all())
        self.centre = np.zeros(Z.shape[1]) if alone else world.means[0]
        directions = world.metric.dual(means - self.centre)
        length = np.sqrt(world.metric.lengths(means - self.centre))[:, np.newaxis]
        self.directions = directions / np.where(length > 0, length, 1.0)
        if alone:
            cosines = _left_out_of_one_class(world, Z)
        else:
            cosines = _left_out_cosines(world, Z[known], y[known], means)
        self.scale = np.array([median_or_one(1.0 - cosines, 1e-12)])
        return (1.0 - np.clip(cosines, -1.0, 1.0)) / float(self.scale[0])

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        Z = self._prepared(X) - self.centre
        length: Array = np.sqrt(Metric(self.whitening, float(self.isotropic[0])).lengths(Z))
        cosines: Array = (Z @ self.directions.T).max(axis=1) / np.where(length > 0, length, np.inf)
        return (1.0 - np.clip(cosines, -1.0, 1.0)) / float(self.scale[0])


def _left_out_cosines(world: ClassModel, X: Array, y: NDArray[np.int64], means: Array) -> Array:
    """Return the largest cosine (n,) of each known row, by a model without the row.

    The class mean, the centre and the covariance change; the centre keeps the share of each class.
    """
    index = np.unique(y, return_inverse=True)[1]
    at, n = np.arange(len(X)), max(float(world.counts[0]), 2.0)
    own = np.bincount(index)[index].astype(np.float64)
    squares = world.metric.squared(X, np.vstack([world.means, means]))
    apart = world.metric.squared(means, np.vstack([world.means, means]))
    # Inner products of u = x - m and v_k = m_k - m; o is the class of x.
    uu, vv = squares[:, :1], apart[:, 0]
    uv = 0.5 * (uu + vv - squares[:, 1:])
    vo = 0.5 * (vv[index, np.newaxis] + vv - apart[index, 1:])
    uo, oo = uv[at, index][:, np.newaxis], vv[index][:, np.newaxis]
    # With r = u - v_o, the mean of the class moves by -r / (n_o - 1), and the centre by the share
    # of the class of that: u becomes u + c r, and each v becomes v + b r.
    back = 1.0 / np.maximum(own - 1.0, 1.0)
    c = (own * back / n)[:, np.newaxis]
    b = np.tile(c, len(means))
    b[at, index] -= back
    ur, vr, rr = uu - uo, uv - vo, uu - 2.0 * uo + oo
    moved_u, moved_v = uu + c * ur, uv + b * ur  # inner products with u
    weight = world.weight * n / (n - 1.0)
    factor = weight / np.maximum(1.0 - weight * uu, 1e-12)
    along = uv + b * ur + c * vr + b * c * rr + factor * moved_u * moved_v
    size = uu + 2.0 * c * ur + c**2 * rr + factor * moved_u**2
    size = size * (vv + 2.0 * b * vr + b**2 * rr + factor * moved_v**2)
    cosines = along / np.sqrt(np.where(size > 0, size, np.inf))
    cosines[at, index] = np.where(own > 1, cosines[at, index], -np.inf)
    result: Array = cosines.max(axis=1)
    return result


def _left_out_of_one_class(world: ClassModel, X: Array) -> Array:
    """Return the cosine, from zero, of each row with the mean of the others."""
    n = max(float(len(X)), 2.0)
    zero = np.zeros_like(world.means)
    from_mean, xx = world.metric.squared(X, np.vstack([world.means, zero])).T
    mm = world.metric.lengths(world.means)[0]
    xm = 0.5 * (xx + mm - from_mean)
    xu, mu = xx - xm, xm - mm  # u = x - m
    weight = world.weight * n / (n - 1.0)
    factor = weight / np.maximum(1.0 - weight * from_mean, 1e-12)
    moved = mu - from_mean / (n - 1.0)
    along: Array = xm - xu / (n - 1.0) + factor * xu * moved
    size = mm - 2.0 * mu / (n - 1.0) + from_mean / (n - 1.0) ** 2 + factor * moved**2
    size = size * (xx + factor * xu**2)
    return along / np.sqrt(np.where(size > 0, size, np.inf))
