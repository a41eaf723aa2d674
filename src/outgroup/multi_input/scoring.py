"""Other-scores of rows: of the fused embedding, of each input, and of all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import FeatureDetector
from outgroup.detectors.mahalanobis_raw import MahalanobisRaw
from outgroup.multi_input.columns import gaps, surprises
from outgroup.multi_input.contrast import Contrast, describe_contrast, fit_contrast
from outgroup.multi_input.encoding import Cells, Encoder, Rows
from outgroup.multi_input.graph import Answer
from outgroup.multi_input.plans import Plan
from outgroup.multi_input.statistics import describe_images
from outgroup.multi_input.tails import Parts, Tail, fit_tail
from outgroup.multi_input.targets import Target

#: Part of the spread of a column below which a gap is no gap.
GAP = 0.01


@dataclass(frozen=True, eq=False)
class Features:
    """What is scored of n rows, by name, beside what one network says."""

    statistics: dict[str, NDArray[np.float64]]
    contrasts: dict[str, NDArray[np.float64]]
    columns: tuple[Any, ...]
    present: dict[str, NDArray[np.bool_]]
    whole: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Features:
        """Return those of some of the rows."""
        columns = tuple(
            tuple(column[i] for i in rows) if isinstance(column, tuple) else column[rows]
            for column in self.columns
        )
        return Features(
            {name: values[rows] for name, values in self.statistics.items()},
            {name: values[rows] for name, values in self.contrasts.items()},
            columns,
            {name: there[rows] for name, there in self.present.items()},
            self.whole[rows],
        )


@dataclass(eq=False)
class Scorer:
    """What one network, and what it learned from, say of how other a row is.

    Each part is a distance to what the training rows of this network were like: Mahalanobis
    distances of the last hidden layer, of the pooled maps of each branch, and of statistics of each
    image; whether anything stands out in each image, and in any of them (`Contrast`); the gap
    between a number and those of training; the surprise of a name. Where networks
    have one output a class, the largest logit counts too, and where there were negatives, made or
    given, the output that says known or other. Each part becomes a surprise in nats among
    known rows (see `Tail`), and `together` joins them.

    Parameters
    ----------
    detectors : dict of str to FeatureDetector
        Fitted, by the name of their part.
    contrasts : dict of str to Contrast
        Of each image input.
    columns : tuple of (ndarray or dict)
        Of each table column the different numbers of training, sorted, or how often each name was.
    tails : dict of str to Tail
        How each part is spread over known rows; set by `learn_tails`.
    """

    detectors: dict[str, FeatureDetector]
    contrasts: dict[str, Contrast]
    columns: tuple[Any, ...]
    tails: dict[str, Tail]

    def parts(
        self, answer: Answer, features: Features, encoder: Encoder, plan: Plan, target: Target
    ) -> Parts:
        """Return the scores of each part, (n,), NaN where its input is missing."""
        found: Parts = {}
        embedded = embeddings(answer, features, plan)
        for name, detector in self.detectors.items():
            found[name] = detector.other_score(embedded[name])
            there = features.present.get(name)
            if there is not None:
                found[name][~there] = np.nan
        for name, contrast in self.contrasts.items():
            flat = contrast.other_score(features.contrasts[name])
            found[f"contrast:{name}"] = np.where(features.present[f"image:{name}"], flat, np.nan)
        if len(self.contrasts) > 1:  # nothing in any of them
            found["contrast"] = np.min([found[f"contrast:{name}"] for name in self.contrasts], 0)
        for code, known, values in zip(encoder.codes, self.columns, features.columns, strict=True):
            name = f"column:{code.name}"
            if isinstance(known, dict):
                found[name] = surprises(values, known)
            else:
                found[name] = np.log1p(gaps(values, known) / (GAP * getattr(code, "spread", 1.0)))
        logits = answer.logits.astype(np.float64)
        if target.kind == "multi-class":
            found["confidence"] = -logits[:, : target.n_scores].max(axis=1)
        if target.kind == "multi-label":
            for k, name in enumerate(target.classes):
                found[f"label:{name}"] = -logits[:, k]
        if target.gate:
            found["gate"] = -logits[:, -1]
        for name in ("fused", "gate"):  # of rows like those of training alone
            if name in found:
                found[name] = np.where(features.whole, found[name], np.nan)
        return found

    def learn_tails(self, known: Parts) -> None:
        """Learn how each part is spread over known rows."""
        for name, scores in known.items():
            self.tails[name] = fit_tail(scores[~np.isnan(scores)])

    def surprises(self, parts: Parts) -> Parts:
        """Return each part in nats, NaN where its input is missing."""
        return {name: self.tails[name].nats(scores) for name, scores in parts.items()}


def features_of(cells: Cells, rows: Rows, encoder: Encoder, plan: Plan) -> Features:
    """Describe rows as far as no network is needed for it."""
    names = [bands.name for bands in encoder.inputs.images]
    statistics = {
        f"image:{name}": describe_images(images)
        for name, images in zip(names, rows.images, strict=True)
    }
    contrasts = {
        name: describe_contrast(images) for name, images in zip(names, rows.images, strict=True)
    }
    present = {f"image:{name}": cells.present[:, i] for i, name in enumerate(names)}
    for branch in plan.branches:
        there = np.asarray(cells.present[:, list(branch.sources)].all(axis=1))
        present[f"branch:{branch.name}"] = there
    return Features(statistics, contrasts, cells.columns, present, encoder.whole(cells))


def embeddings(answer: Answer, features: Features, plan: Plan) -> dict[str, NDArray[Any]]:
    """Return what the detectors look at, by part."""
    found: dict[str, NDArray[Any]] = {"fused": answer.fused}
    for branch, pooled in zip(plan.branches, answer.branches, strict=True):
        found[f"branch:{branch.name}"] = pooled
    return {**found, **features.statistics}


def fit_scorer(
    answer: Answer,
    features: Features,
    images: Sequence[NDArray[np.float32]],
    encoder: Encoder,
    plan: Plan,
    y: NDArray[np.int64],
    make: Callable[[], FeatureDetector] = MahalanobisRaw,
) -> Scorer:
    """Learn what known rows are like, from those that the network learned from.

    Parameters
    ----------
    answer, features : Answer, Features
        Of these rows.
    images : sequence of ndarray of shape (n, C, H, W), float32
        Theirs, scaled.
    encoder, plan : Encoder, Plan
        Of the network.
    y : ndarray of shape (n,), int64
        Class indices.
    make : callable
        Returns a detector.
    """
    detectors = {}
    for name, X in embeddings(answer, features, plan).items():
        there = features.present.get(name, np.ones(len(y), dtype=bool))
        if there.sum() >= 2:
            detectors[name] = make().fit(X[there].astype(np.float64), y[there])
    columns = tuple(
        dict(sorted(Counter(name for name in values if name is not None).items()))
        if isinstance(values, tuple)
        else np.unique(values[~np.isnan(values)])
        for values in features.columns
    )
    contrasts = {}
    for bands, own in zip(encoder.inputs.images, images, strict=True):
        there = features.present[f"image:{bands.name}"]
        if there.any():
            contrasts[bands.name] = fit_contrast(own[there])
    return Scorer(detectors, contrasts, columns, {})
