"""Whether a tuned network is better than the one it was tuned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.calibration import HeldOut, expected_threshold
from outgroup.model import check_suits
from outgroup.selection.auto import choose_strategy, settle
from outgroup.selection.resamples import Resamples
from outgroup.selection.scenarios import negatives_of
from outgroup.selection.unknowns import Unknowns, choose
from outgroup.strategies import FoldedRows
from outgroup.training_set import TrainingSet, deal, units_in


@dataclass(frozen=True)
class NetworkChoice:
    """What two networks do to the same images, which neither they nor what reads them have seen.

    Parameters
    ----------
    tuned : bool
        Whether the tuned one is shown to be better.
    accepted_before, accepted_after : float
        Share of the negatives that is accepted on the network as it came, and as it was tuned,
        where as many of the known images are kept; collections weigh the same.
    n_known, n_others : int
        Images that were looked at.
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
    share: float = 0.05,
    n_folds: int = 5,
    seed: int = 0,
) -> NetworkChoice:
    """Say whether a strategy accepts fewer negatives on the tuned network, beyond doubt.

    On both networks it learns from all images by cross-fitting, folders of negatives held out
    whole. Only what tuning has not seen counts: known images of that kind lay both thresholds, and
    negatives are asked about. The network stays as it came unless the tuned one accepts less with
    the confidence with which `choose` takes another strategy than the default.

    Parameters
    ----------
    before, after : TrainingSet
        The same images on both networks; those that tuning has not seen are `promised` in `after`,
        negatives among them.
    strategy, head, layers
        As for `select_strategy`; "auto" is the default strategy, which a tuned network gets.
    share : float, default=0.05
        Expected share of new known images called other.
    n_folds, seed : int
        As for `fit_model`.

    Returns
    -------
    NetworkChoice

    Raises
    ------
    InvalidParameterError
        If the strategy can't be had on one of the networks.
    """
    asked = np.flatnonzero((after.y == OTHER) & after.is_promised)
    known = (after.y >= 0) & after.is_promised
    folds = deal(after, n_folds, seed, min_folders=2)
    resamples = Resamples(known, after.units, seed)
    unknowns = negatives_of(after, asked, folds)
    name = settle(strategy, len(after.classes))
    at_once: list[NDArray[np.bool_]] = []
    redrawn: list[NDArray[Any]] = []
    for data in (before, after):
        rows = FoldedRows(data.features, data.y, folds, data.ungrouped)
        reader = choose_strategy(name, head, layers)
        check_suits(reader, data)
        scores = reader.cross_fit(rows).other_score
        held_out = HeldOut(scores[known], units_in(after, known))
        at_once.append(scores[asked] <= expected_threshold(held_out, share)[0])
        thresholds = resamples.thresholds(scores, known, share)
        redrawn.append(scores[asked, np.newaxis] <= thresholds)
    return chosen_by(at_once, redrawn, unknowns, int(known.sum()))


def chosen_by(
    accepted: Sequence[NDArray[Any]],
    redrawn: Sequence[NDArray[Any]],
    unknowns: Unknowns,
    n_known: int,
) -> NetworkChoice:
    """Choose by what is accepted on the network as it came and on the tuned one, in this order.

    Parameters
    ----------
    accepted, redrawn : sequence of two ndarray of shape (n,) and of shape (n, n_resamples)
        By the thresholds of the known images, and by those that resamples of them lay.
    unknowns : Unknowns
        The n images.
    n_known : int
        Images that laid the thresholds.
    """
    before, after = map(unknowns.mean, accepted)
    is_better = choose(redrawn, unknowns, default=0) == 1
    return NetworkChoice(is_better, before, after, n_known, len(unknowns))
