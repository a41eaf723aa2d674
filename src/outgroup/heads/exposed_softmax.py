"""A softmax that learns to be unsure of negatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._checks import is_number, require
from outgroup.heads._linear import LinearHead
from outgroup.heads._losses import cross_entropy
from outgroup.heads._targets import one_hot
from outgroup.heads.base import HEADS, ExposedHead


@HEADS.register("exposed-softmax")
class ExposedSoftmax(LinearHead, ExposedHead):
    """Linear logits, softmax, outlier exposure.

    The loss is the cross-entropy of known rows plus `exposure` times the cross-entropy of the
    softmax to the uniform distribution on negatives: each is a mean over its rows. Without
    negatives this is `LinearSoftmax`.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        "balanced": every known class weighs the same; None: every known row. All negatives weigh
        the same.
    exposure : float, default=0.5
        The weight of all negatives together where that of all known rows is 1; lambda in the paper.

    References
    ----------
    D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR
    2019.

    Examples
    --------
    >>> X = np.array([[-1.0, 0.0], [1.0, 0.0], [-1.0, 2.0], [1.0, 2.0], [1.0, 2.1]])
    >>> head = ExposedSoftmax(strength=0.1).fit(X, np.array([0, 1, -1, -1, -1]))
    >>> head.probabilities(head.logits(np.array([[1.0, 0.0], [1.0, 2.0]]))).round(2)
    array([[0.2, 0.8],
           [0.3, 0.7]])
    """

    name = "exposed-softmax"
    summary = "softmax over linear scores, taught to be uniform on negatives"
    reference = "Hendrycks et al. 2019"
    parameters = ("strength", "class_weight", "exposure")

    def __init__(
        self,
        strength: float | None = None,
        class_weight: str | None = "balanced",
        exposure: float = 0.5,
    ) -> None:
        super().__init__(strength, class_weight)
        require(is_number(exposure) and exposure > 0, "exposure", "a number above 0", exposure)
        self.exposure = float(exposure)

    def targets(
        self, y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LinearHead.targets`: one-hot rows, and uniform ones for negatives."""
        known = y >= 0
        targets = np.full((len(y), n_classes), 1.0 / n_classes)
        weights = np.full((len(y), n_classes), self.exposure / max(int((~known).sum()), 1))
        targets[known], weights[known] = one_hot(y[known], n_classes, self.class_weight)
        return targets, weights

    def loss(
        self,
        logits: NDArray[np.float64],
        targets: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LinearHead.loss`."""
        return cross_entropy(logits, targets, weights)
