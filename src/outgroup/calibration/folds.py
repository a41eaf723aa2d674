"""Dealing samples into folds, classes spread evenly and groups kept whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.errors import InvalidParameterError


def assign_folds(
    labels: ArrayLike, n_folds: int, groups: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Give each sample the number of the fold that holds it out.

    Unlike scikit-learn's splitters this takes classes with fewer members than folds, which are
    normal here, without a warning: their members go to as many folds as there are members.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Class of each sample; each class is spread over the folds as evenly as its groups allow.
    n_folds : int
        Number of folds, at least 2.
    groups : array-like of shape (n,) or None
        Samples of one group get the same fold. None: each sample is its own group.
    seed : int, default=0
        Seed of the shuffle.

    Returns
    -------
    ndarray of shape (n,), int64
        Fold numbers from 0 to ``n_folds - 1``.

    Raises
    ------
    InvalidParameterError
        If `n_folds` is not a whole number from 2 up.

    Examples
    --------
    >>> assign_folds(["a", "a", "b", "b"], 2, groups=["x", "x", "y", "z"])
    array([0, 0, 0, 1])
    """
    if isinstance(n_folds, bool) or not isinstance(n_folds, (int, np.integer)) or n_folds < 2:
        raise InvalidParameterError(
            f"The 'n_folds' parameter must be a whole number from 2 up. Got {n_folds!r} instead."
        )
    _, classes = np.unique(np.asarray(labels), return_inverse=True)
    n = len(classes)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    _, first, group, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    # Big groups first, while there is still room to balance them; the shuffle decides among equals.
    dealt = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    per_class = np.zeros((classes.max(initial=0) + 1, n_folds), dtype=np.int64)
    in_all = np.zeros(n_folds, dtype=np.int64)
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    for g in dealt:
        counts = per_class[classes[first[g]]]  # a group's first sample stands for its class
        fold = np.argmin(counts * (n + 1) + in_all)  # fewest of this class, then fewest in all
        fold_of_group[g] = fold
        counts[fold] += sizes[g]
        in_all[fold] += sizes[g]
    return fold_of_group[group]
