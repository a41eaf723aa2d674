"""A head that is somebody else's: its logits are what it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from outgroup.heads._losses import softmax
from outgroup.heads.base import ExposedHead, SigmoidHead, SoftmaxHead


class GivenSoftmax(SoftmaxHead, SigmoidHead, ExposedHead):
    """Passes logits through; whatever strategy takes a head takes this one.

    It has learned from other images than those that it is shown here, so none of its logits need be
    cross-fitted.
    """

    name = "given"
    summary = "logits of a network of one's own"

    def cross_fit(
        self, X: NDArray[Any], y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """See `Head.cross_fit`."""
        return self.logits(X)

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> GivenSoftmax:
        """See `Head.fit`: there is nothing to learn."""
        return self

    def logits(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `Head.logits`."""
        return np.asarray(X, dtype=np.float64)

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the softmax."""
        return softmax(logits)


class GivenSigmoid(GivenSoftmax):
    """The same of a network with a sigmoid for each class."""

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sigmoid of each logit."""
        result: NDArray[np.float64] = expit(logits)
        return result
