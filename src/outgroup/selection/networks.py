"""Whether a tuned network is better than the one it was tuned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.calibration import HeldOut, expected_threshold
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED
from outgroup.model import check_suits
from outgroup.selection.comparison import settle
from outgroup.selection.resamples import N_RESAMPLES, Resamples
from outgroup.selection.scenarios import MIN_FOLDERS, negatives_of
from outgroup.selection.unknowns import NEGATIVES, Unknowns, choose
from outgroup.strategies import FoldedRows, choose_strategy
from outgroup.training_set import TrainingSet


@dataclass(frozen=True)
class NetworkChoice:
    """What a strategy does on two networks to images that neither has learned from.

    Parameters
    ----------
    accepted_before, accepted_after : float
        Share of negatives accepted on the original and the tuned network, with the same share of
        known images kept; collections have the same weight. With labels, of the labels that an
        image is known to be without, those given to it.
    """

    tuned: bool
    accepted_before: float
    accepted_after: float
    n_known: int
    n_others: int


def choose_network(
    before: TrainingSet,
    after: TrainingSet,
    strategy: str = "auto",
    *,
    head: str | None = None,
    layers: Sequence[str] | None = None,
    share: float = DEFAULT_KNOWN_REJECTED,
    n_folds: int = 5,
    seed: int = 0,
) -> NetworkChoice:
    """Decide whether a strategy accepts fewer negatives on the tuned network.

    On both networks it learns from all images by cross-fitting, with folders of negatives held out
    whole. Only images that tuning has not seen count, those that calibrate in `after`: known ones
    give both thresholds, and negatives are scored. The tuned network is chosen if it accepts less
    with the confidence of `choose`. Here "auto" is the default strategy.
    """
    labels = after.schema.is_multi_label
    counted = after.calibrating
    known = (after.targets >= 0) & counted[:, np.newaxis]
    lacks = (after.targets == OTHER) & counted[:, np.newaxis]
    lacks &= known.any(axis=0)  # a label that no unseen image has can show nothing
    asked = np.flatnonzero(lacks.any(axis=1))
    n_known = int(known.any(axis=1).sum())
    if not len(asked):
        return NetworkChoice(False, 0.0, 0.0, n_known, 0)
    folds = after.folds(n_folds, seed, min_folders=2)
    unknowns = _without_labels(after, asked, folds) if labels else negatives_of(after, asked, folds)
    name = settle(strategy, after.schema)
    outputs = np.flatnonzero(known.any(axis=0))
    resamples = {o: Resamples(known[:, o], after.units, seed) for o in outputs}
    weights = lacks[asked] / lacks[asked].sum(axis=1, keepdims=True)
    at_once: list[NDArray[np.float64]] = []
    resampled: list[NDArray[np.float64]] = []
    for data in (before, after):
        rows = FoldedRows(data.features, data.targets, folds, data.ungrouped)
        reader = choose_strategy(name, head, layers, labels=labels)
        check_suits(reader, data)
        scores = reader.cross_fit(rows).other_score.reshape(len(folds), -1)
        at_once.append(np.zeros(len(asked)))
        resampled.append(np.zeros((len(asked), N_RESAMPLES)))
        for o in outputs:
            own, score = scores[:, o], scores[asked, o]
            held_out = HeldOut(own[known[:, o]], after.units_of(known[:, o]))
            threshold = expected_threshold(held_out, share)[0]
            thresholds = resamples[o].thresholds(own, known[:, o], share)
            at_once[-1] += weights[:, o] * (score <= threshold)
            resampled[-1] += weights[:, [o]] * (score[:, np.newaxis] <= thresholds)
    is_better = choose(resampled, unknowns, default=0) == 1
    accepted = [unknowns.mean(one) for one in at_once]
    return NetworkChoice(is_better, accepted[0], accepted[1], n_known, len(unknowns))


def _without_labels(
    data: TrainingSet, asked: NDArray[np.int64], folds: NDArray[np.int64]
) -> Unknowns:
    """Describe images without some label; groups, and folders of negatives, count as one draw."""
    clusters = np.arange(len(data.targets)).astype(str) if data.units is None else data.units
    if data.origins is not None:
        origins = np.array(data.origins)
        if len(np.unique(origins[data.negative])) >= MIN_FOLDERS:
            clusters = np.where(data.negative, origins, clusters)
    return Unknowns(
        np.full(len(asked), NEGATIVES),
        np.full(len(asked), "without a label"),
        clusters[asked],
        np.array([f"fold {folds[i]}" for i in asked]),
    )
