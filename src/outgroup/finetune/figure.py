"""The figure that training is stopped by: what it does to the unknown, not to the known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.metrics import auroc, fpr_at_tpr

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
