"""Detectors that their papers define on a network's linear last layer.

In the papers that layer was trained on the known classes. Here the network is frozen, so the
detector fits the layer to the embeddings in closed form: linear discriminant analysis, whose logits
are the log-posteriors of Gaussian classes with one covariance, shrunk as for `mahalanobis`. Weights
and biases add up to zero over the classes, so that the energy is log K where nothing speaks for any
class; with a single class they are all zero.

Both the size of the logits and the score depend on how many rows there are for how many columns.
So the logits are scaled to what rows left out say they should be, and a score is that of the paper
less its median for known rows left out, over their median absolute deviation. Without this a
threshold from out-of-fold models does not hold for the final model.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import (
    Array,
    bounded,
    centre_and_scale,
    log_sum_exp,
    require,
    standardised,
    unit_rows,
    whole_number,
)
from outgroup.detectors.base import DETECTORS
from outgroup.detectors.covariance import ClassModel, ShrunkDetector
from outgroup.detectors.neighbours import largest_products


class ReadoutDetector(ShrunkDetector):
    """Base of detectors with a linear layer of their own; `shrinkage` is that of its covariance.

    A subclass implements `_raw` and, if that needs more than the layer, `_learn`. A subclass whose
    layer reads something else than the prepared rows implements `_shaped` and `_learn_shape`.
    """

    arrays: ClassVar[tuple[str, ...]] = ("weights", "bias", "standard")

    @abstractmethod
    def _raw(self, Z: Array, logits: Array) -> Array:
        """Return the paper's scores (n,) of prepared rows, given their logits (n, K)."""

    def _learn(self, Z: Array, logits: Array) -> Array:
        """Learn what else `_raw` needs, and return the paper's scores of known rows left out."""
        return self._raw(Z, logits)

    def _learn_shape(self, Z: Array) -> None:
        """Learn what `_shaped` needs, by default nothing."""

    def _shaped(self, Z: Array) -> Array:
        """Return what the layer reads of the prepared rows, by default these."""
        return Z

    @staticmethod
    def _prepared(X: NDArray[Any]) -> Array:
        return bounded(X)

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> ReadoutDetector:
        """See `FittedDetector.fit`; without `tune` before, the shrinkage is that of these rows."""
        Z = self._prepared(X)
        model = ClassModel.of(Z, y, self.shrinkage_)
        centre = model.means.mean(axis=0)
        means = model.means - centre
        self._learn_shape(Z)
        shaped = self._shaped(Z)
        measured = model.left_out_squares(Z, *(() if shaped is Z else (shaped,)))
        size = size_of_logits(measured[0], model.index)
        self.weights: Array = size * model.metric.dual(means).T
        bias = -0.5 * size * model.metric.lengths(means)
        self.bias: Array = bias - bias.mean() - centre @ self.weights
        logits = self.logits(shaped)  # kept for a row that is its class's only one
        left = np.isfinite(measured[-1]).all(axis=1)
        squares = measured[-1][left]
        logits[left] = -0.5 * size * (squares - squares.mean(axis=1, keepdims=True))
        self.standard = centre_and_scale(self._learn(Z, logits)[left])
        return self

    def logits(self, shaped: Array) -> Array:
        """Return the outputs (n, K) of the layer."""
        return shaped @ self.weights + self.bias

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        Z = self._prepared(X)
        return standardised(self._raw(Z, self.logits(self._shaped(Z))), self.standard)


@DETECTORS.register("fdbd")
class FastDecisionBoundary(ReadoutDetector):
    """Minus the mean distance to the decision boundaries, over the distance from the mean.

    ``-mean_(c != a) (z_a - z_c) / (|w_a - w_c| |x - m|)`` with a the best class of the linear layer
    and m the mean of the known rows, standardised. With a single class all scores are equal.

    References
    ----------
    L. Liu and Y. Qin, Fast Decision Boundary based Out-of-Distribution Detector, ICML 2024.
    """

    summary = "minus the mean distance to the decision boundaries of a linear layer"
    reference = "Liu & Qin 2024"
    arrays = ("weights", "bias", "standard", "mean", "gaps")

    def _learn(self, Z: Array, logits: Array) -> Array:
        self.mean = Z.mean(axis=0)
        gaps = np.linalg.norm(self.weights.T[:, np.newaxis] - self.weights.T, axis=2)
        self.gaps = np.where(gaps > 0, gaps, 1.0)
        return self._raw(Z, logits)

    def _raw(self, Z: Array, logits: Array) -> Array:
        ahead = logits.max(axis=1, keepdims=True) - logits
        boundary: Array = (ahead / self.gaps[logits.argmax(axis=1)]).sum(axis=1)
        length = np.linalg.norm(Z - self.mean, axis=1)
        length = np.where(length > 0, length, 1.0) * max(logits.shape[1] - 1, 1)
        result: Array = -boundary / length
        return result


@DETECTORS.register("nci")
class NeuralCollapse(ReadoutDetector):
    """Minus the projection on the weights of the best class, and minus the length.

    ``-(w_a . (x - m) / |x - m| + alpha |x|_1)`` with a the best class of the linear layer and m the
    mean of the known rows, standardised. Known rows lie along the weights, and farther out.

    Parameters
    ----------
    alpha : float, default=0.001
        Weight of the length; the paper chooses it on a validation set with unknowns.

    References
    ----------
    L. Liu and Y. Qin, Detecting Out-of-Distribution Through the Lens of Neural Collapse, CVPR 2025
    (arXiv:2311.01479, 2023).
    """

    summary = "minus the projection on the weights of the best class, and the length"
    reference = "Liu & Qin 2025"
    parameters = ("alpha", "shrinkage")
    arrays = ("weights", "bias", "standard", "mean")

    def __init__(self, alpha: float = 0.001, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        require(0.0 <= alpha < np.inf, "alpha", "a number from 0 up", alpha)
        self.alpha = float(alpha)

    def _learn(self, Z: Array, logits: Array) -> Array:
        self.mean = Z.mean(axis=0)
        return self._raw(Z, logits)

    def _raw(self, Z: Array, logits: Array) -> Array:
        best, at = logits.argmax(axis=1), np.arange(len(Z))
        # w . (x - m) is the logit of x less that of m
        along: Array = logits[at, best] - self.logits(self.mean[np.newaxis])[0, best]
        length = np.linalg.norm(Z - self.mean, axis=1)
        sizes: Array = np.abs(Z).sum(axis=1)
        return -along / np.where(length > 0, length, 1.0) - self.alpha * sizes


@DETECTORS.register("nnguide")
class NearestNeighbourGuide(ReadoutDetector):
    """Energy of the linear layer, times the similarity to known rows of large energy.

    ``-E(x) mean_i (E(x_i) cos(x, x_i))`` over the k known rows with the largest product,
    standardised. E is the log-sum-exp of the logits, of a known row by a layer fitted without it;
    with a single class it is 1.

    References
    ----------
    J. Park, Y. G. Jung and A. B. J. Teoh, Nearest Neighbor Guidance for Out-of-Distribution
    Detection, ICCV 2023.
    """

    summary = "energy of a linear layer times similarity to known images"
    reference = "Park et al. 2023"
    parameters = ("k", "shrinkage")
    arrays = ("weights", "bias", "standard", "bank")

    def __init__(self, k: int = 10, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        self.k = whole_number("k", k)

    def _learn(self, Z: Array, logits: Array) -> Array:
        self.bank = unit_rows(Z) * _energy(logits)[:, np.newaxis]
        return self._guided(Z, logits, own=True)

    def _raw(self, Z: Array, logits: Array) -> Array:
        return self._guided(Z, logits)

    def _guided(self, Z: Array, logits: Array, own: bool = False) -> Array:
        guidance: Array = largest_products(unit_rows(Z), self.bank, self.k, own).mean(axis=1)
        return -guidance * _energy(logits)


def size_of_logits(squares: Array, index: NDArray[np.int64]) -> float:
    """Return the factor that makes log-posteriors as large as they are certain; 1 if unknown.

    For Gaussian classes, the difference between the logits of a row's own class and another one has
    a variance of twice its mean; for rows left out it is larger, the fewer rows there are.
    `squares` (n, K) are of rows left out, infinite if unknown; `index` (n,) has the classes of the
    rows.
    """
    mean = variance = 0.0
    for k in range(squares.shape[1]):
        rows = squares[(index == k) & np.isfinite(squares[:, k])]
        ahead = 0.5 * np.delete(rows - rows[:, [k]], k, axis=1)
        if len(rows) > 1:
            mean += ahead.mean(axis=0).sum() * len(rows)
            variance += ahead.var(axis=0).sum() * len(rows)
    return 2.0 * mean / variance if mean > 0 and variance > 0 else 1.0


def _energy(logits: Array) -> Array:
    return log_sum_exp(logits) if logits.shape[1] > 1 else np.ones(len(logits))
