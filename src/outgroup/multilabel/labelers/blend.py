"""The sigmoid of each label joined with the distance from all labelled images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.heads import Head
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.multilabel.labelers.base import LABELERS, Labeler, LabelScores
from outgroup.strategies import Features, head_input
from outgroup.strategies.standardising import centre_and_scale

#: Weight of a label's logit against the distance, without and with images of none of the labels.
WEIGHTS = (1.0, 2.0)

#: Where the distance starts to count, as a quantile of that of held-out labelled images, without
#: and with images of none of the labels to learn from. In the strategy "blend" it is the median;
#: but here the distance says nothing of which label it is: where it counts for half of the labelled
#: images, logits have to let in that much more, and fewer images get their labels and no other.
STARTS = (0.75, 0.9)

#: Images that a combination of labels needs for a mean of its own.
COMMON = 10


@LABELERS.register("blend")
class BlendLabeler(Labeler):
    """A sigmoid for each label, and one Mahalanobis distance that takes all labels away.

    The score of label k is ``weight * softplus(z_k) + softplus(z_distance)``, as in the strategy
    of this name: z_k is minus the logit, standardised by median and spread (`centre_and_scale`)
    over held-out images with label k, z_distance the distance, standardised over held-out images
    with any label. So a label is given where its own logit says so *and* the image is near to
    something that was labelled; an image far from everything gets none.

    The distance is that to the nearest mean of a combination of labels ("cat and dog" is no place
    between "cat" and "dog"); combinations of fewer than 10 images share one mean.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`; images of none of the labels are rows of zeros.
    distance : FeatureDetector or None
        None is the Mahalanobis distance.
    scaling : list of list of float or None
        First start and scale of the distance and the weight of the logits, then centre and scale
        of each label; None: found by `cross_fit`.
    """

    name = "blend"
    summary = "one sigmoid a label and the Mahalanobis distance, standardised and added"
    reference = "outgroup; members: Boutell et al. 2004, Lee et al. 2018"
    parameters = ("scaling",)
    tuned = ("scaling",)
    parts = ("head", "distance")

    def __init__(
        self,
        head: Head | None = None,
        distance: FeatureDetector | None = None,
        scaling: list[list[float]] | None = None,
    ) -> None:
        self.head = head or LinearSigmoid()
        self.distance = distance or Mahalanobis()
        self.scaling = scaling
        self.scaling_ = scaling

    def cross_fit(
        self, features: Features, Y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> LabelScores:
        """See `Labeler.cross_fit`."""
        logits = self.head.cross_fit(head_input(features), Y, folds)
        combination = combinations(Y)
        distance = self.distance.cross_fit(features["last"], combination, folds)
        if self.scaling is None:
            labelled = combination >= 0
            has_none = int(bool((Y == 0).all(axis=1).any()))
            start = float(np.quantile(distance[labelled], STARTS[has_none]))
            scale = centre_and_scale(distance[labelled])[1]
            self.scaling_ = [
                [start, scale, WEIGHTS[has_none]],
                *([*centre_and_scale(-logits[Y[:, k] == 1, k])] for k in range(Y.shape[1])),
            ]
        return self._scores(logits, distance)

    def fit(self, features: Features, Y: NDArray[np.int64]) -> BlendLabeler:
        """See `Labeler.fit`; the distance learns from labelled images alone."""
        self.head.fit(head_input(features), Y)
        combination = combinations(Y)
        labelled = combination >= 0
        self.distance.fit(features["last"][labelled], combination[labelled])
        return self

    def score(self, features: Features) -> LabelScores:
        """See `Labeler.score`."""
        logits = self.head.logits(head_input(features))
        return self._scores(logits, self.distance.other_score(features["last"]))

    def _scores(self, logits: NDArray[np.float64], distance: NDArray[np.float64]) -> LabelScores:
        assert self.scaling_ is not None
        (centre_d, scale_d, weight), *labels = self.scaling_
        centres, scales = np.array(labels).T
        other_score = weight * np.logaddexp(0.0, (-logits - centres) / scales)
        other_score += np.logaddexp(0.0, (distance - centre_d) / scale_d)[:, np.newaxis]
        return LabelScores(self.head.probabilities(logits), other_score)


def combinations(Y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each combination of labels; rare ones share one, and no label is -1.

    Examples
    --------
    >>> combinations(np.array([[1, 0]] * 10 + [[0, 1]] * 11 + [[1, 1], [0, 0]]))[[0, 10, 21, 22]]
    array([ 2,  1,  0, -1])
    """
    yes = Y == 1
    _, number, counts = np.unique(yes, axis=0, return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    shared = np.where(counts[number] >= COMMON, number + 1, 0)
    return np.where(yes.any(axis=1), np.unique(shared, return_inverse=True)[1], -1)
