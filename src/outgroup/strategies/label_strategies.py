"""Strategies for labels, of which an image may have any number."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup._features import Features
from outgroup.detectors import FeatureDetector
from outgroup.detectors.gaussian import Mahalanobis
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear import LinearSigmoid
from outgroup.heads.perceptron import PerceptronHead
from outgroup.strategies.base import LABEL_STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.cross_fit import FoldedRows
from outgroup.strategies.sigmoid import FixedSigmoid
from outgroup.strategies.standardise import centre_and_tail_scale

#: Weight of a label's logit against the distance, without and with images of none of the labels.
WEIGHTS = (1.0, 2.0)

#: Quantile of the distance of held-out labelled images at which the distance starts to count,
#: without and with images of none of the labels. At the median, as in `Blend`, it would count for
#: half of the labelled images, and logits would have to admit that much more.
STARTS = (0.75, 0.9)

#: Images that a combination of labels needs for a mean of its own.
COMMON = 10


@LABEL_STRATEGIES.register("sigmoid")
class LabelSigmoid(HeadStrategy):
    """Independent sigmoids; the other-score of a label is minus its logit.

    Images of none of the labels are rows of zeros. Without any, images far from all training data
    are given some label with certainty.

    References
    ----------
    M. R. Boutell et al., Learning Multi-Label Scene Classification, Pattern Recognition 37 (2004),
    1757-1771.
    """

    name = "sigmoid"
    summary = "one sigmoid a label; images of none are rows of zeros"
    reference = "Boutell et al. 2004"
    for_labels = True
    uses_others = True
    takes_head = SigmoidHead
    refuses_heads = (PerceptronHead,)
    default_head: ClassVar[type[Head]] = LinearSigmoid

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return 1, 0 or -1 (unknown) for each label."""
        return marks(y)

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), -logits)


@LABEL_STRATEGIES.register("sigmoid-0.95")
class FixedLabelSigmoid(LabelSigmoid):
    """Sigmoids by plain cross-entropy, without images of none, and 0.95 as every threshold.

    A popular recipe, for comparison. The thresholds are fixed, so the certificate only states what
    held-out images show for them.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017, with a
    threshold of 0.5 or one fitted to each class.
    """

    name = "sigmoid-0.95"
    summary = "one sigmoid a label without negatives, 0.95 as the threshold: a popular recipe"
    reference = "after Shu et al. 2017"
    uses_others = False
    fixed_threshold = FixedSigmoid.fixed_threshold

    def __init__(self, head: Head | None = None, layers: tuple[str, ...] | None = None) -> None:
        super().__init__(LinearSigmoid(class_weight=None) if head is None else head, layers)

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the marks of images with a label; others are not learned from."""
        return np.where((y >= 0).any(axis=1, keepdims=True), marks(y), UNSEEN)


@LABEL_STRATEGIES.register("blend")
class LabelBlend(LabelSigmoid):
    """A sigmoid for each label, and one Mahalanobis distance that counts against all labels.

    The other-score of label k is ``weight * softplus(z_k) + softplus(z_distance)``: z_k is minus
    the logit, standardised by median and spread (`centre_and_tail_scale`) over held-out images with
    label k; z_distance is the distance, standardised over held-out images with any label. So a
    label is given where its own logit says so *and* the image is near to something labelled.

    The distance is that to the nearest mean of a combination of labels ("cat and dog" does not lie
    between "cat" and "dog"); combinations of fewer than 10 images share one mean.

    Parameters
    ----------
    scaling : list of list of float or None
        First start and scale of the distance and the weight of the logits, then centre and scale
        of each label; None: found by `cross_fit`.
    """

    name = "blend"
    summary = "one sigmoid a label and the Mahalanobis distance, standardised and added"
    reference = "outgroup; members: Boutell et al. 2004, Lee et al. 2018"
    parameters = ("scaling", "layers")
    tuned = ("scaling",)
    parts = ("head", "distance")

    def __init__(
        self,
        head: Head | None = None,
        distance: FeatureDetector | None = None,
        scaling: list[list[float]] | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.distance = distance or Mahalanobis()
        self.scaling = scaling
        self.scaling_ = scaling

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        targets = rows.targets
        logits = rows.logits(self.head, self.layers, self.learned(targets))
        distance = rows.other_scores(self.distance, "last", combinations(targets))
        if self.scaling is None:
            known, taught = rows.known, int(rows.has_others)
            start = float(np.quantile(distance[known], STARTS[taught]))
            scale = centre_and_tail_scale(distance[known])[1]
            labels = (
                [*centre_and_tail_scale(-z[has])]
                for z, has in zip(logits.T, targets.T == 0, strict=True)
            )
            self.scaling_ = [[start, scale, WEIGHTS[taught]], *labels]
        return self._joined(logits, distance)

    def fit(self, features: Features, y: NDArray[np.int64]) -> LabelBlend:
        """See `Strategy.fit`; the distance learns from labelled images alone."""
        super().fit(features, y)
        combination = combinations(y)
        known = combination >= 0
        self.distance.fit(features["last"][known], combination[known])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._joined(self.logits(features), self.distance.other_score(features["last"]))

    def _joined(self, logits: NDArray[np.float64], distance: NDArray[np.float64]) -> Scores:
        assert self.scaling_ is not None
        (centre, scale, weight), *labels = self.scaling_
        centres, scales = np.array(labels).T
        other_score = weight * np.logaddexp(0.0, (-logits - centres) / scales)
        other_score += np.logaddexp(0.0, (distance - centre) / scale)[:, np.newaxis]
        return Scores(self.head.probabilities(logits), other_score)


def marks(targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 1 for a label that is there, 0 for one that is not, -1 for one that is not known.

    Rows without any known label are `UNSEEN`.
    """
    found = np.select([targets == 0, targets == OTHER], [1, 0], -1)
    unseen = (targets == UNSEEN).all(axis=1, keepdims=True)
    return np.where(unseen, UNSEEN, found).astype(np.int64)


def combinations(targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each image's combination of labels; rare combinations share one.

    Images without a label have `OTHER`, unseen ones `UNSEEN`.
    """
    has = targets == 0
    _, number, counts = np.unique(has, axis=0, return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    shared = np.where(counts[number] >= COMMON, number + 1, 0)
    found = np.where(has.any(axis=1), np.unique(shared, return_inverse=True)[1], OTHER)
    return np.where((targets == UNSEEN).all(axis=1), UNSEEN, found)
