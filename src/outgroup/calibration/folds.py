"""Assignment of samples to folds: classes spread evenly, groups kept together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup._numeric import whole_number


def assign_folds(
    labels: ArrayLike, n_folds: int, groups: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Return for each sample the fold (0 to ``n_folds - 1``) that holds it out.

    Each class is spread over the folds as evenly as its groups allow; samples of one group get the
    same fold. Unlike the splitters of scikit-learn, it accepts classes with fewer members than
    folds.

    >>> assign_folds(["a", "a", "b", "b"], 2, groups=["x", "x", "y", "z"])
    array([0, 0, 0, 1])
    """
    n_folds = whole_number("n_folds", n_folds, 2)
    _, classes = np.unique(np.asarray(labels), return_inverse=True)
    n = len(classes)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    _, first, group, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    # Large groups first, while they can still be balanced; the shuffle orders groups of one size.
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    per_class = np.zeros((classes.max(initial=0) + 1, n_folds), dtype=np.int64)
    in_all = np.zeros(n_folds, dtype=np.int64)
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    for g in order:
        counts = per_class[classes[first[g]]]  # the first sample stands for the class of its group
        fold = np.argmin(counts * (n + 1) + in_all)  # fewest of this class, then fewest in all
        fold_of_group[g] = fold
        counts[fold] += sizes[g]
        in_all[fold] += sizes[g]
    return fold_of_group[group]
