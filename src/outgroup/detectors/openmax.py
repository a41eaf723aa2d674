"""OpenMax: extreme-value statistics of the distance from a class's mean logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import bounded, log_sum_exp, whole_number
from outgroup.detectors.base import DETECTORS, FittedLogitDetector

#: Share of the rows of a class that are its tail.
TAIL = 0.02

#: Largest shape of a Weibull: distances that are all alike have no likeliest one.
STEEPEST = 100.0


@DETECTORS.register("openmax")
class OpenMax(FittedLogitDetector):
    """Log-odds of the unknown class that OpenMax makes of what the known ones lose.

    Each class has the mean logits m_k of its rows that are classified rightly (of all its rows, if
    none is), and a Weibull distribution F_k from 0 fitted to the largest distances of these rows
    from it. The class of rank i = 0, 1, ... keeps the share
    ``1 - (alpha - i) / alpha F_k(|v - m_k|)`` of its activation v_k, and the unknown gets what all
    have lost. The score is the logarithm of the odds of the paper's probability, of the same order
    and never saturated; which known class it is, the head says alone.

    Activations are taken above the smallest of the row, which no softmax sees: the paper's are
    positive, and of a negative one the unknown would get less the more is taken.

    Parameters
    ----------
    tail : int or None, default=None
        How many of the largest distances of a class are fitted; with fewer rows, all. None: 2 % of
        them, at least 3. The paper's 20 are of some 1,300 images a class: of thirty they would be
        most, and every known row that is not typical would lose half of its activation.
    alpha : int, default=10
        How many classes of highest rank are revised; with fewer classes, all.

    References
    ----------
    A. Bendale and T. E. Boult, Towards Open Set Deep Networks, CVPR 2016.

    Examples
    --------
    >>> logits = np.array([[8.0, 0.0], [9.0, 0.5], [7.0, 0.2], [0.0, 8.0], [0.5, 9.0], [0.2, 7.0]])
    >>> detector = OpenMax().fit(logits, np.array([0, 0, 0, 1, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.2], [3.0, 1.0]]))
    >>> bool(known < 0 < other)
    True
    """

    name = "openmax"
    summary = "log-odds of unknown, by a Weibull of the distance to a class's mean logits"
    reference = "Bendale & Boult 2016"
    parameters = ("tail", "alpha")
    arrays = ("means", "shapes", "scales")

    def __init__(self, tail: int | None = None, alpha: int = 10) -> None:
        self.tail = None if tail is None else whole_number("tail", tail)
        self.alpha = whole_number("alpha", alpha)

    def fit(self, logits: NDArray[np.float64], y: NDArray[np.int64]) -> OpenMax:
        """See `FittedLogitDetector.fit`."""
        V = bounded(logits)
        right = V.argmax(axis=1) == y
        n_classes = V.shape[1]
        self.means = np.zeros((n_classes, n_classes))
        self.shapes = np.ones(n_classes)
        self.scales = np.full(n_classes, np.finfo(float).max)  # a class without rows loses nothing
        for k in range(n_classes):
            rows = V[right & (y == k)] if (right & (y == k)).any() else V[y == k]
            if len(rows):
                self.means[k] = rows.mean(axis=0)
                distances = np.sqrt(((rows - self.means[k]) ** 2).sum(axis=1))
                tail = max(3, round(TAIL * len(rows))) if self.tail is None else self.tail
                self.shapes[k], self.scales[k] = _weibull(np.sort(distances)[-tail:])
        return self

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `FittedLogitDetector.other_score`."""
        V = bounded(logits)
        distances = np.stack([np.sqrt(((V - m) ** 2).sum(axis=1)) for m in self.means], axis=1)
        with np.errstate(divide="ignore"):  # a distance of 0 is never exceeded
            exponent = self.shapes * (np.log(distances) - np.log(self.scales))
        outside = -np.expm1(-np.exp(np.minimum(exponent, 10.0)))

        alpha = min(self.alpha, V.shape[1])
        rank = np.argsort(np.argsort(-V, axis=1, kind="stable"), axis=1, kind="stable")
        lost = np.maximum(alpha - rank, 0) / alpha * outside
        activations = V - V.min(axis=1, keepdims=True)
        unknown = (activations * lost).sum(axis=1)
        result: NDArray[np.float64] = unknown - log_sum_exp(activations * (1.0 - lost))
        return result


def _weibull(distances: NDArray[np.float64]) -> tuple[float, float]:
    """Return shape and scale of the likeliest Weibull from 0, of shape 100 at most."""
    from scipy.stats import weibull_min  # slow to import; prediction does without

    typical = float(distances.mean())
    if typical == 0.0:
        return 1.0, 1.0  # identical images: anything but them is as far as its distance
    scaled = np.maximum(distances / typical, 1e-6)  # a row on the mean has no logarithm
    if scaled.std() < 1.0 / STEEPEST:
        return STEEPEST, typical
    shape, _, scale = weibull_min.fit(scaled, floc=0.0)
    return float(min(shape, STEEPEST)), float(scale) * typical
