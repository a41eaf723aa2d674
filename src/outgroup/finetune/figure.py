"""The figure that training is stopped by: what it does to the unknown, not to the known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.evaluation import auroc, fpr_at_tpr

#: Share of the watched known images that is kept.
KEPT = 0.95


@dataclass(frozen=True, order=True)
class OpenSetFigure:
    """How often watched negatives are taken for known; lower is better.

    Parameters
    ----------
    accepted : float
        Share of negatives accepted where 95 % of the known images are kept, the mean over their
        collections: many images of a pool don't outvote few look-alikes.
    confused : float
        1 minus the area under the ROC curve, the mean likewise: it still tells two networks apart
        of which neither accepts any.
    loss : float
        The objective on the same images: it still does where all are told apart.
    """

    accepted: float
    confused: float
    loss: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


def open_set_figure(
    known: NDArray[Any], others: NDArray[Any], collections: Sequence[str], loss: float
) -> OpenSetFigure:
    """Return the figure for other-scores, higher = more other.

    Parameters
    ----------
    known, others : ndarray of shape (n,) and (m,)
        Scores of watched known images and negatives.
    collections : sequence of str, length m
        Collection of each negative.
    loss : float
        Mean loss of the watched images.

    Examples
    --------
    >>> others, names = np.array([5.0, 25, 25, 30]), ["a", "a", "b", "b"]
    >>> found = open_set_figure(np.arange(20.0), others, names, loss=0.1)
    >>> found.accepted, found.confused
    (0.25, 0.18125)
    """
    names = np.array(collections)
    parts = [others[names == name] for name in np.unique(names)]
    return OpenSetFigure(
        round(float(np.mean([fpr_at_tpr(known, part, KEPT) for part in parts])), 12),
        round(float(np.mean([1.0 - auroc(known, part) for part in parts])), 12),
        loss,
    )


def several_labels_figure(
    scores: NDArray[Any], labels: NDArray[Any], collections: NDArray[np.str_], loss: float
) -> OpenSetFigure:
    """Return the mean of the figures of all labels.

    For each label the images that have it are the known ones, and those without it are the others:
    images of other labels are one collection, next to those of the negatives.

    Parameters
    ----------
    scores : ndarray of shape (n, K)
        The higher, the more surely without the label.
    labels : ndarray of shape (n, K)
        1 for labels that are there, 0 for those that are not.
    collections : ndarray of shape (n,), str
        Collection of each image; only those of negatives are looked at.
    loss : float
        Mean loss of the watched images.

    Examples
    --------
    >>> scores = np.array([[0.0, 9], [1, 1], [9, 0], [8, 8]])
    >>> labels = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    >>> several_labels_figure(scores, labels, np.array(["photos"] * 3 + ["pool"]), 0.1).accepted
    0.0
    """
    where = np.where(labels.any(axis=1), "other labels", np.char.add("negatives ", collections))
    figures = [
        open_set_figure(scores[has, k], scores[~has, k], where[~has].tolist(), loss)
        for k, has in enumerate(labels.T > 0)
        if 0 < has.sum() < len(has)
    ]
    accepted, confused = np.mean([[f.accepted, f.confused] for f in figures], axis=0).tolist()
    return OpenSetFigure(accepted, confused, loss)
