"""Unknown images of a comparison, weighted means over them, and the choice of a strategy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

#: Kinds of unknown images; each has the same weight, whatever its number of images.
LEFT_OUT, NEGATIVES, SYNTHETIC = "left-out classes", "held-out negatives", "synthetic garbage"

#: One-sided confidence with which another strategy must be better than the default to be chosen,
#: and a simpler one as good as a better one.
SHOWN = 0.9

#: A simpler strategy is preferred where it is shown to accept at most this share in addition, and
#: at most this fraction of what the better one accepts.
NEGLIGIBLE, NEGLIGIBLE_PART = 0.005, 0.1


@dataclass(frozen=True)
class Unknowns:
    """Unknown images, one entry for each time that all strategies score one unseen.

    Parameters
    ----------
    kind, source : ndarray of shape (n,), str
        What kind of unknown an image is, and which of that kind: the class that was left out, the
        collection of negatives.
    cluster : ndarray of shape (n,), str
        Images of one cluster are alike, and count as one draw in a standard error: a left-out
        class, a folder of negatives.
    block : ndarray of shape (n,), str
        What was held out together, and so can be left out of a choice together.

    Examples
    --------
    >>> names = np.array(["cat", "cat", "squares"])
    >>> kinds = np.array([LEFT_OUT, LEFT_OUT, SYNTHETIC])
    >>> unknowns = Unknowns(kinds, names, np.array(["1", "2", "3"]), names)
    >>> unknowns.weights()
    array([0.25, 0.25, 0.5 ])
    """

    kind: NDArray[np.str_]
    source: NDArray[np.str_]
    cluster: NDArray[np.str_]
    block: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def concatenate(cls, parts: Iterable[Unknowns]) -> Unknowns:
        """Return all parts as one, in order."""
        parts = list(parts)
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("kind", "source", "cluster", "block")
            )
        )

    def weights(self, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Return weights that add up to 1 over the given rows, and are 0 elsewhere.

        Kinds have the same weight, sources of a kind too, and images of a source too.
        """
        rows = np.ones(len(self), dtype=np.bool_) if rows is None else rows
        weights = np.zeros(len(self))
        kinds = np.unique(self.kind[rows])
        for kind in kinds:
            of_kind = rows & (self.kind == kind)
            sources = np.unique(self.source[of_kind])
            for source in sources:
                of_source = of_kind & (self.source == source)
                weights[of_source] = 1.0 / (len(kinds) * len(sources) * of_source.sum())
        return weights

    def mean(self, accepted: NDArray[Any], rows: NDArray[np.bool_] | None = None) -> float:
        """Return the weighted share that was accepted; `accepted` is as in `standard_error`."""
        return float((self.weights(rows) @ accepted).mean())

    def standard_error(self, values: NDArray[Any]) -> float:
        """Return the standard error of the weighted mean of `values`, by clusters.

        It is that of the share for *new* clusters: three left-out classes are three draws, however
        many images there are of each. Strata are a collection of negatives, a kind of garbage, and
        all left-out classes. Few clusters may agree by chance, so it is at least the standard error
        of images drawn one by one.

        Values of shape (n, n_resamples) are of each image at several resampled thresholds: their
        mean over these counts, and their spread is part of the error.
        """
        return float(np.sqrt(sum(variance for variance, _ in self._variances(values, None))))

    def uncertainty(
        self, values: NDArray[Any], confidence: float, rows: NDArray[np.bool_] | None = None
    ) -> float:
        """Return how far below the weighted mean of `values` the true one may be, one-sided.

        The standard error times a quantile of Student's t with the degrees of freedom of Welch and
        Satterthwaite. `values` are as for `standard_error`.

        References
        ----------
        F. E. Satterthwaite, An Approximate Distribution of Estimates of Variance Components,
        Biometrics Bulletin 2(6), 1946.
        """
        parts = [(variance, n - 1) for variance, n in self._variances(values, rows) if variance > 0]
        total = sum(variance for variance, _ in parts)
        if not total:
            return 0.0
        freedom = total**2 / sum(variance**2 / df for variance, df in parts)
        return float(stdtrit(freedom, confidence) * np.sqrt(total))

    def upper_bound(
        self, values: NDArray[Any], confidence: float, rows: NDArray[np.bool_] | None = None
    ) -> float:
        """Return what the weighted mean of `values`, in [-1, 1], is at most, one-sided.

        Where all n values of a stratum are the same, as with two strategies that answer alike, less
        than 1 - (1 - confidence)^(1 / n) of new ones differ, with probability `confidence`.
        `values` are as for `standard_error`.
        """
        weights = self.weights(rows)
        unseen = 0.0
        for inside in self._strata(weights > 0):
            if (values[inside] == values[inside].flat[0]).all():
                share = 1.0 - (1.0 - confidence) ** (1.0 / int(inside.sum()))
                unseen += (weights[inside].sum() * share) ** 2
        known = self.uncertainty(values, confidence, rows)
        return float((weights @ values).mean() + np.sqrt(known**2 + unseen))

    def _variances(
        self, values: NDArray[Any], rows: NDArray[np.bool_] | None
    ) -> Iterator[tuple[float, int]]:
        """Yield the variance from the thresholds, then from each stratum, each with its n."""
        weights = self.weights(rows)
        if values.ndim > 1:
            yield float((weights @ values).var(ddof=1)), values.shape[1]
            values = values.mean(axis=1)
        for inside in self._strata(weights > 0):
            w, v = weights[inside], values[inside].astype(np.float64)
            deviations = w * (v - (w @ v) / w.sum())
            _, cluster = np.unique(self._clusters[inside], return_inverse=True)
            sums = np.bincount(cluster, deviations).astype(np.float64)
            n = len(sums) if len(sums) > 1 else len(deviations)
            yield max(_of_sum(sums), _of_sum(deviations)), n

    def _strata(self, used: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
        """Yield the rows of all left-out classes, of each collection and each kind of garbage."""
        for number in np.unique(self._stratum[used]):
            yield used & (self._stratum == number)

    # Numbers in place of names, because uncertainties are computed a thousand times.

    @cached_property
    def _stratum(self) -> NDArray[np.int64]:
        one = np.where(self.kind == LEFT_OUT, self.kind, _joined(self.kind, self.source))
        return np.unique(one, return_inverse=True)[1]

    @cached_property
    def _clusters(self) -> NDArray[np.int64]:
        return np.unique(self.cluster, return_inverse=True)[1]


def choose(
    accepted: Sequence[NDArray[Any]],
    unknowns: Unknowns,
    default: int | None = None,
    rows: NDArray[np.bool_] | None = None,
) -> int:
    """Return the index of the strategy to take.

    The default (None: the strategy that accepts least) is kept unless another accepts less with
    confidence `SHOWN`. Then the simplest is chosen that is shown, with the same confidence, to
    accept at most a negligible share more.

    `accepted` has, for each strategy, the simplest first, what it accepted of the n unknown images;
    with a column for each of several resampled thresholds the choice does not rest on a single one.
    """
    numbers = [a.astype(np.float64) for a in accepted]
    shares = [unknowns.mean(a, rows) for a in numbers]
    taken = int(np.argmin(shares))
    if default is not None:
        uncertainty = unknowns.uncertainty(numbers[default] - numbers[taken], SHOWN, rows)
        taken = default if shares[default] - shares[taken] <= uncertainty else taken
    margin = min(NEGLIGIBLE, NEGLIGIBLE_PART * shares[taken])
    for i, simpler in enumerate(numbers[:taken]):
        if unknowns.upper_bound(simpler - numbers[taken], SHOWN, rows) <= margin:
            return i
    return taken


def choose_nested(
    accepted: Sequence[NDArray[Any]], unknowns: Unknowns, default: int | None = None
) -> NDArray[np.int64]:
    """Return which strategy answers for each image, chosen without the block of the image.

    The share accepted by the chosen strategy is biased low, because it was chosen for it; the share
    accepted by these strategies is not.
    """
    blocks = np.unique(unknowns.block)
    taken = np.full(len(unknowns), choose(accepted, unknowns, default))
    for block in blocks if len(blocks) > 1 else ():  # with one nothing is left to choose by
        rows = unknowns.block == block
        taken[rows] = choose(accepted, unknowns, default, ~rows)
    return taken


def _of_sum(parts: NDArray[np.float64]) -> float:
    """Return the variance of a sum of independent parts, estimated from them; 0 for one part."""
    return float((parts**2).sum()) * len(parts) / max(len(parts) - 1, 1) if len(parts) > 1 else 0.0


def _joined(*columns: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array(["\0".join(row) for row in zip(*columns, strict=True)], dtype=str)
