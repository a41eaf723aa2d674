"""Cosine to the class means in the space where the background is round."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import unit_rows
from outgroup.detectors._gaussian import (
    ClassModel,
    Metric,
    ledoit_wolf,
    valid_shrinkage,
    within_class,
)
from outgroup.detectors._left_out import typical
from outgroup.detectors.base import DETECTORS, FeatureDetector


@DETECTORS.register("whitened-cosine")
class WhitenedCosine(FeatureDetector):
    """``1 - max_k cos(W'(x - m), W'(m_k - m))``, over its median for known rows left out.

    W whitens the background of mean m. The background is the known rows and the negatives, if there
    are any, otherwise all known rows as one; x is scaled to length 1, the covariance shrunk as that
    of `mahalanobis` is. Directions in which all images vary count little, and what is left of x has
    to point to a class: this is linear discriminant analysis against the world (Hariharan et al.
    2012), by angle. A single class without negatives is its own background, so that angles are
    taken from zero instead.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance, in (0, 1]; None: Ledoit and Wolf's, from all rows.

    References
    ----------
    B. Hariharan, J. Malik and D. Ramanan, Discriminative Decorrelation for Clustering and
    Classification, ECCV 2012.

    Examples
    --------
    >>> X = np.array([[3.0, 0.1], [2.0, 0.0], [0.0, 1.0], [0.1, 3.0], [-1.0, -1.0]])
    >>> detector = WhitenedCosine(shrinkage=1.0).fit(X, np.array([0, 0, 1, 1, -1]))
    >>> scores = detector.other_score(np.array([[5.0, 0.1], [-1.0, -2.0]]))
    >>> bool(scores[0] < 0.1 < 1.0 < scores[1])
    True
    """

    name = "whitened-cosine"
    summary = "cosine distance to the nearest class mean, background whitened"
    reference = "Hariharan et al. 2012"
    learns_from_others = True
    leaves_out = True
    parameters = ("shrinkage",)
    tuned = ("shrinkage",)
    arrays = ("centre", "whitening", "isotropic", "directions", "scale")

    def __init__(self, shrinkage: float | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            Z = unit_rows(X)
            self.shrinkage_ = ledoit_wolf(Z - Z.mean(axis=0))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> WhitenedCosine:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        self.fit_left_out(X, y)
        return self

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `FeatureDetector.fit_left_out`."""
        Z, known = unit_rows(X), y >= 0
        means = within_class(Z[known], y[known])[0]
        world = ClassModel.of(Z, np.zeros(len(Z), dtype=np.int64), self.shrinkage_)
        self.whitening = world.metric.whitening
        self.isotropic = np.array([world.metric.isotropic])
        alone = len(means) == 1 and bool(known.all())
        self.centre = np.zeros(Z.shape[1]) if alone else world.means[0]
        directions = world.metric.dual(means - self.centre)
        length = np.sqrt(world.metric.lengths(means - self.centre))[:, np.newaxis]
        self.directions = directions / np.where(length > 0, length, 1.0)
        cosines = _alone(world, Z) if alone else _left_out(world, Z[known], y[known], means)
        self.scale = np.array([typical(1.0 - cosines, 1e-12)])
        result: NDArray[np.float64] = (1.0 - np.clip(cosines, -1.0, 1.0)) / self.scale[0]
        return result

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        Z = unit_rows(X) - self.centre
        length = np.sqrt(Metric(self.whitening, float(self.isotropic[0])).lengths(Z))
        cosines = (Z @ self.directions.T).max(axis=1) / np.where(length > 0, length, np.inf)
        result: NDArray[np.float64] = (1.0 - np.clip(cosines, -1.0, 1.0)) / self.scale[0]
        return result


def _left_out(
    world: ClassModel,
    X: NDArray[np.float64],
    y: NDArray[np.int64],
    means: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the largest cosine of each known row by a model without it.

    As in `outgroup.detectors._left_out`; here the centre moves too. A new row meets a model in
    which all classes have their shares, so that these stay as they are: a centre without the row
    itself would lie farther from its class than it will from that of a new row.
    """
    index = np.unique(y, return_inverse=True)[1]
    at, n = np.arange(len(X)), max(float(world.counts[0]), 2.0)
    own = np.bincount(index)[index].astype(np.float64)
    squares = world.metric.squared(X, np.vstack([world.means, means]))
    apart = world.metric.squared(means, np.vstack([world.means, means]))
    uu, vv = squares[:, :1], apart[:, 0]  # u = x - m, v = m_k - m
    uv = 0.5 * (uu + vv - squares[:, 1:])
    vk = 0.5 * (vv[index, np.newaxis] + vv - apart[index, 1:])  # of all v with that of its class
    uk, kk = uv[at, index][:, np.newaxis], vv[index][:, np.newaxis]
    # With r = x - m_k = u - v_k the mean of its class moves by -r / (n_k - 1), the centre by its
    # class's share of that. So u becomes u + c r, and each v becomes v + b r.
    back = 1.0 / np.maximum(own - 1.0, 1.0)
    c = (own * back / n)[:, np.newaxis]
    b = np.tile(c, len(means))
    b[at, index] -= back
    ur, vr, rr = uu - uk, uv - vk, uu - 2.0 * uk + kk
    moved_u, moved_v = uu + c * ur, uv + b * ur  # inner products with u
    weight = world.weight * n / (n - 1.0)
    factor = weight / np.maximum(1.0 - weight * uu, 1e-12)
    along = uv + b * ur + c * vr + b * c * rr + factor * moved_u * moved_v
    size = uu + 2.0 * c * ur + c**2 * rr + factor * moved_u**2
    size = size * (vv + 2.0 * b * vr + b**2 * rr + factor * moved_v**2)
    cosines = along / np.sqrt(np.where(size > 0, size, np.inf))
    cosines[at, index] = np.where(own > 1, cosines[at, index], -np.inf)
    result: NDArray[np.float64] = cosines.max(axis=1)
    return result


def _alone(world: ClassModel, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of each row of a single class to its mean from zero, without the row."""
    n = max(float(len(X)), 2.0)
    zero = np.zeros_like(world.means)
    from_mean, xx = world.metric.squared(X, np.vstack([world.means, zero])).T
    mm = world.metric.lengths(world.means)[0]
    xm = 0.5 * (xx + mm - from_mean)
    xu, mu = xx - xm, xm - mm  # u = x - m
    weight = world.weight * n / (n - 1.0)
    factor = weight / np.maximum(1.0 - weight * from_mean, 1e-12)
    moved = mu - from_mean / (n - 1.0)
    along = xm - xu / (n - 1.0) + factor * xu * moved
    size = mm - 2.0 * mu / (n - 1.0) + from_mean / (n - 1.0) ** 2 + factor * moved**2
    size = size * (xx + factor * xu**2)
    result: NDArray[np.float64] = along / np.sqrt(np.where(size > 0, size, np.inf))
    return result
