"""Detectors that scikit-learn fits; the fitted arrays are scored without it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import (
    Array,
    centre_and_scale,
    require,
    row_order,
    squared_distances,
    standardised,
    unit_rows,
    whole_number,
)
from outgroup.detectors.base import DETECTORS, FeatureDetector

#: Rows that are scored at once, which bounds the memory.
BLOCK = 1024

#: Rows that the support vector machine is fitted to, at most: its time grows with their square.
MOST = 2000


@DETECTORS.register("isolation-forest")
class IsolationForest(FeatureDetector):
    """``2^(-h / c)``, h the mean depth at which random splits isolate a row, c the usual depth.

    Scores are in (0, 1), about 1/2 for known rows.

    Parameters
    ----------
    trees : int, default=100
        The number of trees.
    seed : int, default=0
        Seed of the rows and splits of the trees.
    rows : int or None, default=None
        How many known rows a tree has, at most. None: 256, or half of all rows if that is less.
        With all rows, trees would be deeper in the final model than in the folds.

    References
    ----------
    F. T. Liu, K. M. Ting and Z.-H. Zhou, Isolation Forest, ICDM 2008.
    """

    summary = "how soon random splits leave an image alone"
    reference = "Liu et al. 2008"
    parameters = ("trees", "seed", "rows")
    tuned = ("rows",)
    arrays = ("roots", "column", "threshold", "left", "right", "depth", "usual")

    def __init__(self, trees: int = 100, seed: int = 0, rows: int | None = None) -> None:
        self.trees = whole_number("trees", trees)
        self.seed = int(seed)
        self.rows = self.rows_ = None if rows is None else whole_number("rows", rows)

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the number of rows of a tree."""
        if self.rows is None:
            self.rows_ = _rows_of_a_tree(len(X))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> IsolationForest:
        """See `FittedDetector.fit`; the classes are not used."""
        from sklearn import ensemble  # slow to import, not needed for prediction

        Z = _single(X).astype(np.float64)
        Z = Z[row_order(Z)]
        model = ensemble.IsolationForest(
            n_estimators=self.trees,
            max_samples=min(self.rows_ or _rows_of_a_tree(len(Z)), len(Z)),
            random_state=self.seed,
        ).fit(Z)
        # Each tree has all columns, in the order of the data.
        trees = [estimator.tree_ for estimator in model.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        self.roots = np.cumsum(sizes) - sizes
        self.column = np.concatenate([np.maximum(tree.feature, 0) for tree in trees])
        self.threshold = np.concatenate([tree.threshold for tree in trees])
        # A leaf is its own child: a row stays there.
        here = np.arange(sizes.sum())
        offsets = np.repeat(self.roots, sizes)
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        self.left = np.where(left < 0, here, left + offsets)
        self.right = np.where(right < 0, here, right + offsets)
        # The depth of each node, plus what splits of its rows would usually add.
        self.depth = np.concatenate(
            [tree.compute_node_depths() - 1 + _usual_depth(tree.n_node_samples) for tree in trees]
        )
        self.usual = _usual_depth(np.array([model.max_samples_]))
        return self

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        Z = _single(X)
        scores = np.empty(len(Z))
        for start in range(0, len(Z), BLOCK):
            rows = Z[start : start + BLOCK]
            index = np.arange(len(rows))[:, np.newaxis]
            node = np.repeat(self.roots[np.newaxis], len(rows), axis=0)
            moved = True
            while moved:
                goes_left = rows[index, self.column[node]] <= self.threshold[node]
                following = np.where(goes_left, self.left[node], self.right[node])
                moved = bool((following != node).any())
                node = following
            mean = self.depth[node].mean(axis=1)
            scores[start : start + BLOCK] = 2.0 ** (-mean / max(self.usual[0], 1.0))
        return scores


@DETECTORS.register("one-class-svm")
class OneClassSVM(FeatureDetector):
    """``r - sum_i a_i exp(-gamma |x - s_i|^2)`` over the support vectors s_i, rows of length 1.

    The a_i add up to 1. The score is given less its median for known rows left out, of which only
    their own share of the sum is removed, over their median absolute deviation. Of more than 2,000
    known rows only 2,000 are used, evenly spaced in an order of their own.

    Parameters
    ----------
    nu : float, default=0.1
        Largest share of known rows outside, and smallest share of support vectors, in (0, 1).
    gamma : float or None, default=None
        None: 1 over the variance of all known values times the number of columns.

    References
    ----------
    B. Schoelkopf et al., Estimating the Support of a High-Dimensional Distribution, Neural
    Computation 13 (2001), 1443-1471.
    """

    summary = "one-class support vector machine with a Gaussian kernel"
    reference = "Schoelkopf et al. 2001"
    parameters = ("nu", "gamma")
    tuned = ("gamma",)
    arrays = ("support", "weights", "offset", "width", "standard")

    def __init__(self, nu: float = 0.1, gamma: float | None = None) -> None:
        require(0.0 < nu < 1.0, "nu", "between 0 and 1", nu)
        fine = gamma is None or 0.0 < gamma < np.inf
        require(fine, "gamma", "a number above 0, or None", gamma)
        self.nu = nu
        self.gamma = self.gamma_ = gamma

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose gamma."""
        if self.gamma is None:
            self.gamma_ = _gamma(unit_rows(X))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> OneClassSVM:
        """See `FittedDetector.fit`; the classes are not used."""
        from sklearn import svm  # slow to import, not needed for prediction

        Z = unit_rows(X)
        Z = Z[row_order(Z)]
        if len(Z) > MOST:
            Z = Z[np.linspace(0, len(Z) - 1, MOST).round().astype(np.int64)]
        gamma = _gamma(Z) if self.gamma_ is None else self.gamma_
        model = svm.OneClassSVM(kernel="rbf", gamma=gamma, nu=self.nu, tol=1e-6).fit(Z)
        total = model.dual_coef_[0].sum()  # the weights of scikit-learn add up to nu n
        self.support = Z[model.support_]
        self.weights = model.dual_coef_[0] / total
        self.offset = -model.intercept_ / total
        self.width = np.array([gamma])
        # Without a row its own share of the sum is missing, and the others would add up to 1.
        share = np.zeros(len(Z))
        share[model.support_] = self.weights
        without = (self._sums(Z) - share) / np.maximum(1.0 - share, 1e-12)
        self.standard = centre_and_scale(self.offset[0] - without)
        return self

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        return standardised(self.offset[0] - self._sums(unit_rows(X)), self.standard)

    def _sums(self, Z: Array) -> Array:
        sums = np.empty(len(Z))
        for start in range(0, len(Z), BLOCK):
            squares = squared_distances(Z[start : start + BLOCK], self.support)
            kernel = np.exp(-self.width[0] * np.maximum(squares, 0.0))
            sums[start : start + BLOCK] = kernel @ self.weights
        return sums


def _single(X: NDArray[Any]) -> NDArray[np.float32]:
    """Return rows in single precision, in which the trees of scikit-learn compare."""
    return np.asarray(np.clip(X, -1e30, 1e30), dtype=np.float32)


def _rows_of_a_tree(n: int) -> int:
    return max(1, min(256, n // 2))


def _usual_depth(n: NDArray[Any]) -> Array:
    """Return the mean depth of a row in a random tree of n: 2 (H(n - 1) - (n - 1) / n)."""
    n = np.asarray(n, dtype=np.float64)
    many = np.maximum(n, 3.0)
    usual = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(n > 2, usual, np.where(n == 2, 1.0, 0.0))


def _gamma(Z: Array) -> float:
    variance = float(Z.var())
    return 1.0 / (Z.shape[1] * variance) if variance > 1e-24 else 1.0
