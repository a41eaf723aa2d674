"""Whether a tuned network is better where an image has several labels, or none of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import HeldOut, expected_threshold
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED
from outgroup.multilabel import LabelTrainingSet, choose_labeler
from outgroup.selection.networks import NetworkChoice, chosen_by
from outgroup.selection.resamples import N_RESAMPLES, Resamples
from outgroup.selection.scenarios import MIN_FOLDERS
from outgroup.selection.unknowns import NEGATIVES, Unknowns
from outgroup.training_set import deal, units_in


def choose_network_of_labels(
    before: LabelTrainingSet,
    after: LabelTrainingSet,
    labeler: str = "auto",
    *,
    share: float = DEFAULT_KNOWN_REJECTED,
    n_folds: int = 5,
    seed: int = 0,
) -> NetworkChoice:
    """Say whether a labeler gives fewer wrong labels on the tuned network, beyond doubt.

    As `choose_network` does for one class an image: it learns from all images by cross-fitting, and
    only what tuning has not seen counts. The threshold of each label is laid by the images that
    have it, and each image without some of the labels is asked which share of these it is given.

    Parameters
    ----------
    before, after : LabelTrainingSet
        The same images on both networks; those that tuning has not seen are `promised` in `after`.
    labeler : str, default="auto"
        As for `choose_labeler`.
    share : float, default=0.05
        Expected share of the images with a label that are not given it.
    n_folds, seed : int
        As for `fit_labels`.

    Returns
    -------
    NetworkChoice
        What is accepted there is, of the labels that an image is without, those that it is given.
        Labels that no unseen image has can show nothing.
    """
    promised = after.is_promised[:, np.newaxis]
    has = (after.Y == 1) & promised
    without = (after.Y == 0) & promised & has.any(axis=0)
    asked = np.flatnonzero(without.any(axis=1))
    n_known = int(has.any(axis=1).sum())
    if not len(asked):
        return NetworkChoice(False, 0.0, 0.0, n_known, 0)
    folds = deal(after, n_folds, seed, min_folders=2)
    unknowns = Unknowns(
        np.full(len(asked), NEGATIVES),
        np.full(len(asked), "without a label"),
        _clusters(after)[asked],
        np.array([f"fold {folds[i]}" for i in asked]),
    )
    shown = np.flatnonzero(has.any(axis=0))
    resamples = {k: Resamples(has[:, k], after.units, seed) for k in shown}
    at_once: list[NDArray[np.float64]] = []
    redrawn: list[NDArray[np.float64]] = []
    for data in (before, after):
        scores = choose_labeler(labeler).cross_fit(data.features, data.Y, folds).other_score
        at_once.append(np.zeros(len(asked)))
        redrawn.append(np.zeros((len(asked), N_RESAMPLES)))
        for k in shown:
            known, score = has[:, k], scores[asked, k]
            weight = without[asked, k] / without[asked].sum(axis=1)
            held_out = HeldOut(scores[known, k], units_in(after, known))
            at_once[-1] += weight * (score <= expected_threshold(held_out, share)[0])
            thresholds = resamples[k].thresholds(scores[:, k], known, share)
            redrawn[-1] += weight[:, np.newaxis] * (score[:, np.newaxis] <= thresholds)
    return chosen_by(at_once, redrawn, unknowns, n_known)


def _clusters(data: LabelTrainingSet) -> NDArray[np.str_]:
    """Return what counts as one draw: groups, and folders of images of none of the labels."""
    images = np.arange(len(data.Y)).astype(str)
    clusters = images if data.units is None else data.units
    if data.origins is None:
        return clusters
    origins = np.array(data.origins)
    if len(np.unique(origins[data.is_none])) < MIN_FOLDERS:
        return clusters
    return np.where(data.is_none, origins, clusters)
