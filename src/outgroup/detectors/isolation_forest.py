"""Isolation forest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import whole_number
from outgroup.detectors._rows import in_order
from outgroup.detectors.base import DETECTORS, FeatureDetector

#: scikit-learn's trees compare in single precision; values are cut where that ends.
LARGEST = 1e30

#: Rows that walk down all trees at once.
BLOCK = 4096


@DETECTORS.register("isolation-forest")
class IsolationForest(FeatureDetector):
    """``2^(-h / c)``: h the mean depth at which random splits leave a row alone, c the usual one.

    Fitted by scikit-learn and kept as arrays. In (0, 1); about 1/2 on known rows.

    Parameters
    ----------
    trees : int, default=100
        How many trees.
    seed : int, default=0
        Seed of rows and splits.
    rows : int or None, default=None
        Known rows a tree, all of them if there are fewer. None: 256, or half of all if that is
        less: the mean depth of a tree of as many rows as there are would be another in each fold.

    References
    ----------
    F. T. Liu, K. M. Ting and Z.-H. Zhou, Isolation Forest, ICDM 2008.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> detector = IsolationForest().fit(X, np.zeros(50, dtype=np.int64))
    >>> known, other = detector.other_score(np.array([[0.1, 0.1], [6.0, -6.0]]))
    >>> bool(known < 0.5 < other)
    True
    """

    name = "isolation-forest"
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
        """Choose how many rows a tree has."""
        if self.rows is None:
            self.rows_ = _rows(len(X))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> IsolationForest:
        """See `FeatureDetector.fit`; the classes play no part."""
        from sklearn import ensemble  # slow to import; prediction does without

        Z = in_order(_single(X).astype(np.float64))
        model = ensemble.IsolationForest(
            n_estimators=self.trees,
            max_samples=min(self.rows_ or _rows(len(Z)), len(Z)),
            random_state=self.seed,
        ).fit(Z)
        # With all columns in every tree, a tree's columns are in the order of the data.
        trees = [estimator.tree_ for estimator in model.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        self.roots = np.cumsum(sizes) - sizes
        self.column = np.concatenate([np.maximum(tree.feature, 0) for tree in trees])
        self.threshold = np.concatenate([tree.threshold for tree in trees])
        # A leaf is its own child, so that a row which has arrived stays.
        here = np.arange(sizes.sum())
        offsets = np.repeat(self.roots, sizes)
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        self.left = np.where(left < 0, here, left + offsets)
        self.right = np.where(right < 0, here, right + offsets)
        self.depth = np.concatenate([_depths(tree) for tree in trees])
        self.usual = _usual_depth(np.array([model.max_samples_]))
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
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


def _single(X: NDArray[Any]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.clip(X, -LARGEST, LARGEST).astype(np.float32)
    return result


def _depths(tree: Any) -> NDArray[np.float64]:
    """Return the depth of each node, and what further splits of its rows would usually add."""
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # children come after their parents
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                depth[child] = depth[node] + 1
    added: NDArray[np.float64] = depth + _usual_depth(tree.n_node_samples)
    return added


def _usual_depth(n: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean depth of a row in a random tree of n: 2 (H(n - 1) - (n - 1) / n)."""
    n = np.asarray(n, dtype=np.float64)
    many = np.maximum(n, 3.0)
    usual = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    result: NDArray[np.float64] = np.where(n > 2, usual, np.where(n == 2, 1.0, 0.0))
    return result


def _rows(n: int) -> int:
    return max(1, min(256, n // 2))
