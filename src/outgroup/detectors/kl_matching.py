"""Kullback-Leibler divergence from what the softmax of known images looks like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import bounded, log_sum_exp
from outgroup.detectors.base import DETECTORS, FittedLogitDetector


@DETECTORS.register("kl-matching")
class KLMatching(FittedLogitDetector):
    """``min_k sum_j p_j log(p_j / d_kj)``, p the softmax, d_k its mean over rows called class k.

    As in the paper the rows of a template are those that the head calls that class, right or
    wrong, so that it needs no labels; a class that is never called has no template.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.

    Examples
    --------
    >>> logits = np.array([[4.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    >>> detector = KLMatching().fit(logits, np.array([0, 0, 1]))
    >>> detector.other_score(np.array([[3.5, 0.0], [0.0, 5.0], [1.0, 1.0]])).round(3)
    array([0.   , 0.   , 1.034])
    """

    name = "kl-matching"
    summary = "divergence of the softmax from the mean one of the nearest class"
    reference = "Hendrycks et al. 2022"
    arrays = ("log_templates",)

    def fit(self, logits: NDArray[np.float64], y: NDArray[np.int64]) -> KLMatching:
        """See `FittedLogitDetector.fit`; the labels play no part."""
        log_p, called = _log_softmax(logits), logits.argmax(axis=1)
        # means of probabilities that may be too small to be written as such
        templates = [
            log_sum_exp(log_p[called == k].T) - np.log((called == k).sum())
            for k in np.unique(called)
        ]
        self.log_templates = np.stack(templates)
        return self

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `FittedLogitDetector.other_score`."""
        log_p = _log_softmax(logits)
        p = np.exp(log_p)
        divergences = (p * log_p).sum(axis=1)[:, np.newaxis] - p @ self.log_templates.T
        result: NDArray[np.float64] = np.maximum(divergences.min(axis=1), 0.0)
        return result


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    logits = bounded(logits)
    return logits - log_sum_exp(logits)[:, np.newaxis]
