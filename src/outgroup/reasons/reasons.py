"""Telling an image that two classes fight for from one that is far from all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.neighbours import NeighbourTable, neighbour_count
from outgroup.reasons.references import References, as_directions, choose_references

#: An image is called ambiguous if its two best classes are closer to each other than those of the
#: first share of held-out known images, and it is as near to both as the second share of each is.
#: The second alone keeps nearly all unknown images out: of 1,459 of kinds that were not trained on,
#: one or two were as near to two of the zoo's animals. So the first need not be as strict.
CLOSER_THAN, WITHIN_REACH = 0.95, 0.99


@dataclass(frozen=True, eq=False)
class Reasons:
    """What it takes to say why an answer is what it is.

    An image that is other is *ambiguous* if two known classes fight for it and it is near both:

    * they fight: the score of the second-best class, as a share of the best one's, is larger than
      it is for 95 % of the held-out known images;
    * it is near both: its distance to the nearest training image of each of the two is one that
      99 % of the images of that class have to the nearest other one of their class, outside their
      own group. (With fewer than 100 images of a class that is the largest such distance.)

    Otherwise it is *unknown*. Neither has a say in whether it is other.

    Parameters
    ----------
    references : References
        Training images.
    closeness : float
        The share above which two classes fight.
    reach : ndarray of shape (K,), float64
        The distance up to which an image is near a class.
    """

    references: References
    closeness: float
    reach: NDArray[np.float64]

    def explain(
        self,
        class_scores: NDArray[np.float64],
        embeddings: NDArray[Any],
        readable: NDArray[np.bool_],
        nearest: int,
    ) -> tuple[NDArray[np.bool_], NeighbourTable]:
        """Return which of n images are ambiguous, and the table of their neighbours.

        Parameters
        ----------
        class_scores : ndarray of shape (n, K), float64
            In [0, 1].
        embeddings : ndarray of shape (n, d)
            Of the layer that is compared.
        readable : ndarray of shape (n,), bool
            The other rows are not looked at; such images are not ambiguous.
        nearest : int
            How many training images are named for each.

        Raises
        ------
        InvalidParameterError
            If `nearest` is not a whole number from 0 up.
        """
        look_up = partial(self.references.nearest, k=neighbour_count(nearest))
        directions = np.zeros(embeddings.shape, dtype=np.int8)
        directions[readable] = as_directions(embeddings[readable])
        ambiguous = np.zeros(len(readable), dtype=bool)
        ambiguous[readable] = self.ambiguous(class_scores[readable], directions[readable])
        return ambiguous, NeighbourTable(look_up, directions, readable)

    def ambiguous(
        self, class_scores: NDArray[np.float64], directions: NDArray[np.int8]
    ) -> NDArray[np.bool_]:
        """Return for each of n images whether two classes fight for it and it is near both.

        Parameters
        ----------
        class_scores : ndarray of shape (n, K), float64
            In [0, 1].
        directions : ndarray of shape (n, d), int8
            See `outgroup.reasons.as_directions`.
        """
        found = closeness(class_scores) > self.closeness
        if found.any():  # the distances are only worth their time for these
            two = np.argpartition(class_scores[found], -2, axis=1)[:, -2:]
            distances = self.references.class_distances(directions[found])
            near = np.take_along_axis(distances, two, axis=1) <= self.reach[two]
            found[found] = near.all(axis=1)
        return found

    def reached(self, embeddings: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether n images (n, d) are near the class that is said of each, of index (n,)."""
        distances = self.references.class_distances(as_directions(embeddings))
        return distances[np.arange(len(labels)), labels] <= self.reach[labels]


def learn_reasons(
    classes: tuple[str, ...],
    embeddings: NDArray[Any],
    y: NDArray[np.int64],
    class_scores: NDArray[np.float64],
    groups: NDArray[Any] | None = None,
    paths: Sequence[str | None] | None = None,
    promised: NDArray[np.bool_] | None = None,
) -> Reasons:
    """Keep training images, and find from held-out known ones what is close and what is near.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes.
    embeddings : ndarray of shape (n, d)
        Of the layer that is compared.
    y : ndarray of shape (n,), int64
        Class indices, -1 for negatives.
    class_scores : ndarray of shape (n, K), float64
        By models that had not seen the row.
    groups : ndarray of shape (n,) or None
        Images of one group are too much alike to be each other's neighbours.
    paths : sequence of (str or None) or None
        Where the images came from; None: they are rows of an array.
    promised : ndarray of shape (n,), bool, or None
        Which rows are like images to come, and say what is close; None: all.

    Returns
    -------
    Reasons
    """
    references, kept = choose_references(classes, embeddings, y, paths)
    of_kept = None if groups is None else groups[kept]
    reach = [
        reached_by(references.distances_within(k, of_kept), WITHIN_REACH)
        for k in range(len(classes))
    ]
    like_new = y >= 0 if promised is None else (y >= 0) & promised
    limit = reached_by(closeness(class_scores[like_new]), CLOSER_THAN)
    return Reasons(references, limit, np.array(reach))


def closeness(class_scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score of the second-best class as a share of the best one's; 0 with one class.

    >>> closeness(np.array([[0.1, 0.8, 0.2], [0.0, 0.0, 0.0]]))
    array([0.25, 0.  ])
    """
    if class_scores.shape[1] < 2:
        return np.zeros(len(class_scores))
    second, best = np.partition(class_scores, -2, axis=1)[:, -2:].T
    share: NDArray[np.float64] = np.divide(second, best, out=np.zeros(len(best)), where=best > 0)
    return share


def reached_by(values: NDArray[Any], share: float) -> float:
    """Return what a new value is at most with a probability of `share`, or else the largest.

    >>> reached_by(np.arange(200.0), 0.99), reached_by(np.arange(50.0), 0.99)
    (198.0, 49.0)
    """
    if not len(values):
        return 0.0
    rank = min(math.ceil(share * (len(values) + 1)), len(values))
    return float(np.sort(values)[rank - 1])
