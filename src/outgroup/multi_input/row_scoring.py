"""Score how odd each part of a row is among known rows, and all parts together.

The parts are "fused" (the last hidden layer), "branch:..." (pooled maps), "image:..." (statistics),
"contrast:..." and "contrast" of all images, "column:...", and those of `OutputLayer.other_scores`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from outgroup.detectors.gaussian import MahalanobisRaw
from outgroup.multi_input.encoding import CellEncoder, NumberCode, presence
from outgroup.multi_input.image_statistics import describe_contrast, describe_images, fit_contrast
from outgroup.multi_input.network_graph import Networks
from outgroup.multi_input.network_plan import OutputLayer
from outgroup.multi_input.row_table import Cells, missing

#: Arrays of n rows by name; see `row_layers`.
Layers = dict[str, NDArray[Any]]

#: Scores (n,) of n rows by the name of the part, NaN where it is missing.
Parts = dict[str, NDArray[np.float64]]

#: Shares of known scores below the quantiles of a `Tail`; its exponential begins at the last one.
SHARES = np.arange(0.0, 0.91, 0.05)

#: How many scores the mean excess that the quantiles predict counts as.
PRIOR = 5

#: Which of the nearest numbers of training a gap is measured from.
NEAREST = 3


@dataclass(frozen=True)
class Tail:
    """The distribution of a score over known rows: quantiles at `SHARES`, an exponential tail."""

    quantiles: tuple[float, ...]
    excess: float  #: mean excess over the last quantile, above it

    def nats(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the logarithm of the share of known rows with a larger score, (n,)."""
        below = np.interp(scores, self.quantiles, SHARES)
        beyond = np.maximum(scores - self.quantiles[-1], 0.0) / self.excess
        return np.asarray(beyond - np.log1p(-below))


def fit_tail(scores: NDArray[np.float64]) -> Tail:
    """Learn the distribution of known scores (n,), none of them NaN."""
    if not len(scores):
        return Tail((0.0,) * len(SHARES), 1.0)
    quantiles = np.quantile(scores, SHARES)
    last = float(quantiles[-1])
    beyond = scores[scores > last] - last
    # an exponential through the median and the last quantile has this mean
    usual = (last - float(np.interp(0.5, SHARES, quantiles))) / np.log(5.0)
    excess = float(beyond.sum() + PRIOR * usual) / (len(beyond) + PRIOR)
    return Tail(tuple(quantiles.tolist()), max(excess, 1e-6 * max(1.0, abs(last))))


def together(parts: Parts) -> NDArray[np.float64]:
    """Return one surprise of several: the logarithm of the mean of their exponentials.

    That is minus the logarithm of the harmonic mean of shares, which may depend on each other
    (Wilson 2019, PNAS 116, 1195-1200). NaN is left out; a row of NaN alone gets 0.
    """
    whole = np.stack(list(parts.values()))
    there = ~np.isnan(whole)
    count = there.sum(axis=0)
    total = logsumexp(np.where(there, whole, -np.inf), axis=0)
    return np.where(count > 0, total - np.log(np.maximum(count, 1)), 0.0)


class Novelty(Protocol):
    """What scores one part: a `FeatureDetector`, `Contrast`, `KnownNumbers` or `KnownNames`."""

    def other_score(self, X: NDArray[Any], /) -> NDArray[np.float64]:
        """Return the other-scores (n,) of the part in n rows."""


@dataclass(frozen=True, eq=False)
class KnownNumbers:
    """The different numbers (m,) of a column in training, sorted, and the spread of the column."""

    values: NDArray[np.float64]
    spread: float

    def other_score(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far numbers (n,) are from the third nearest known one, on a log scale."""
        if not len(self.values):
            return np.where(np.isnan(X), np.nan, 0.0)
        gaps = distances_to_nearest(X, self.values, min(NEAREST, len(self.values)))[:, -1]
        return np.log1p(gaps / (0.01 * self.spread))


def distances_to_nearest(
    values: NDArray[np.float64], known: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """Return the distances of numbers (n,) to the k nearest of sorted ones (m,), nearest first."""
    beside = np.searchsorted(known, values)[:, np.newaxis] + np.arange(-k, k)
    there = (beside >= 0) & (beside < len(known))
    near = known[np.clip(beside, 0, len(known) - 1)]
    distances = np.where(there, np.abs(near - values[:, np.newaxis]), np.inf)
    found = np.sort(distances, axis=1)[:, :k]
    return np.where(np.isnan(values)[:, np.newaxis], np.nan, found)


@dataclass(frozen=True)
class KnownNames:
    """How often each name of a column was there in training."""

    counts: dict[str, int]

    def other_score(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return minus the logarithm of the share of each name (n,), each counted once more."""
        total = sum(self.counts.values()) + len(self.counts) + 1
        seen = [np.nan if name is None else self.counts.get(name, 0) + 1 for name in X]
        return -np.log(np.array(seen) / total)


def row_layers(cells: Cells, encoder: CellEncoder, networks: Networks) -> list[Layers]:
    """Return, for each network, its outputs and what is scored of n rows, by part.

    Parts are arrays (n, d), or (n,) for columns, with NaN or None where the input is missing.
    "fused", the hidden layer, is NaN for rows that lack an input which every training row had.
    """
    rows, there = encoder.encode(cells), presence(encoder.inputs, cells)
    described: Layers = {}
    for kind, describe in (("image", describe_images), ("contrast", describe_contrast)):
        for bands, images in zip(encoder.inputs.images, rows.images, strict=True):
            described[f"{kind}:{bands.name}"] = _masked(describe(images), there[bands.name])
    for code, column in zip(encoder.codes, cells.columns, strict=True):
        described[f"column:{code.name}"] = column
    found, whole = [], encoder.whole(cells)
    for outputs in networks.run(rows):
        own: Layers = {**outputs, "fused": _masked(outputs["hidden"], whole)}
        for branch in networks.plan.branches:
            name, seen = f"branch:{branch.name}", cells.present[:, list(branch.sources)]
            own[name] = _masked(own.pop(name), np.asarray(seen.all(axis=1)))
        found.append({**own, **described})
    return found


def _masked(values: NDArray[Any], there: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(there[:, np.newaxis], values, np.nan)


@dataclass(frozen=True, eq=False)
class Scorer:
    """How odd each part of a row is to one network, among the known rows it learned from."""

    detectors: dict[str, Novelty]
    tails: dict[str, Tail] = field(default_factory=dict)

    def scores(self, layers: Layers, output_layer: OutputLayer) -> Parts:
        """Return the scores of each part, (n,)."""
        found = {name: one.other_score(layers[name]) for name, one in self.detectors.items()}
        contrasts = [scores for name, scores in found.items() if name.startswith("contrast:")]
        if len(contrasts) > 1:  # nothing stands out in any of them
            found["contrast"] = np.min(contrasts, axis=0)
        found |= output_layer.other_scores(layers["logits"])
        if "gate" in found:
            found["gate"] = np.where(np.isnan(layers["fused"][:, 0]), np.nan, found["gate"])
        return found

    def surprises(self, layers: Layers, output_layer: OutputLayer) -> Parts:
        """Return the scores of each part in nats, (n,)."""
        scores = self.scores(layers, output_layer)
        return {name: self.tails[name].nats(values) for name, values in scores.items()}


def fit_scorer(
    layers: Layers,
    images: Sequence[NDArray[np.float32]],
    encoder: CellEncoder,
    y: NDArray[np.int64],
) -> Scorer:
    """Fit a scorer to the known rows that a network learned from."""
    detectors: dict[str, Novelty] = {}
    for part in ("fused", *(name for name in layers if name.startswith(("branch:", "image:")))):
        there = ~np.isnan(layers[part]).any(axis=1)
        if there.sum() >= 2:
            X = layers[part][there].astype(np.float64)
            detectors[part] = MahalanobisRaw().fit(X, y[there])
    for bands, own in zip(encoder.inputs.images, images, strict=True):
        part = f"contrast:{bands.name}"
        there = ~np.isnan(layers[part]).any(axis=1)
        if there.any():
            detectors[part] = fit_contrast(own[there])
    for code in encoder.codes:
        part = f"column:{code.name}"
        values = layers[part][~missing(layers[part])]
        if isinstance(code, NumberCode):
            detectors[part] = KnownNumbers(np.unique(values), code.spread)
        else:
            detectors[part] = KnownNames(dict(sorted(Counter(values.tolist()).items())))
    return Scorer(detectors)
