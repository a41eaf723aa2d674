"""Linear heads: logits are a linear function of standardised embeddings, fitted by L-BFGS.

A fit minimises ``loss(X W + b) + strength / 2 * |W|^2``. The weights of the rows add up to 1 in
each output, so a strength means the same for ten rows and ten thousand. Products with the data are
computed in the dtype of the data, everything else in float64.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, require
from outgroup.errors import InvalidParameterError
from outgroup.heads import head_losses
from outgroup.heads._lbfgs import Preconditioner, minimise
from outgroup.heads.base import (
    HEADS,
    OTHER,
    UNSEEN,
    ExposedHead,
    Labels,
    SigmoidHead,
    SoftmaxHead,
    StandardisedHead,
    is_number,
    thread_pools,
)
from outgroup.heads.head_losses import BALANCED, UNLABELLED, one_against_rest, one_hot

#: Strengths of regularisation that are tried, from strong to weak.
STRENGTHS = (1.0, 0.1, 0.01, 0.001, 0.0001)

#: L-BFGS stops when a step lowers the objective by less than this share of it: in cross-fitting,
#: where other-scores are then within 1 % of their spread of the minimum, and in the final fit.
FOLD_TOLERANCE, FINAL_TOLERANCE = 1e-5, 1e-8

#: Rows processed together, so that their logits and gradients stay in the processor's cache.
BLOCK = 512

#: Largest share of a class among unlabelled rows; above it the risk is not convex in the logits.
LARGEST_PRIOR = 0.5


class LinearHead(StandardisedHead):
    """Base of linear heads; a subclass defines targets, weights and the loss.

    Parameters
    ----------
    strength : float or None, default=None
        Weight of the squared norm of the coefficients. None: that of least held-out loss.
    class_weight : "balanced" or None, default="balanced"
        "balanced": every class weighs the same; None: every row.
    """

    parameters: ClassVar[tuple[str, ...]] = ("strength", "class_weight")
    tuned: ClassVar[tuple[str, ...]] = ("strength",)
    arrays = ("mean", "scale", "coef")
    #: Whether the loss of all rows is the sum of the losses of blocks of rows.
    adds_up: ClassVar[bool] = True
    #: Whether each output is a separate problem: so for sigmoids, not for a softmax.
    separate: ClassVar[bool] = False

    def __init__(self, strength: float | None = None, class_weight: str | None = BALANCED) -> None:
        valid = strength is None or (is_number(strength) and strength > 0)
        require(valid, "strength", "above 0, or None", strength)
        require(
            class_weight in (BALANCED, None), "class_weight", "'balanced' or None", class_weight
        )
        self.strength = None if strength is None else float(strength)
        self.strength_ = self.strength
        self.class_weight = class_weight

    @abstractmethod
    def targets(self, y: Labels, n_classes: int) -> tuple[Array, Array]:
        """Return targets and weights, both (n, K), of class indices or of an (n, K) matrix."""

    @abstractmethod
    def loss(self, logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
        """Return loss and gradient as described in `outgroup.heads.head_losses`."""

    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """Choose the strength and return out-of-fold logits; see `Head.cross_fit`.

        All folds are fitted in one run, their coefficients side by side: a held-out row has weight
        zero in the columns of its fold. So one product with the data serves all folds.
        """
        n_classes = _n_outputs(y)
        seen = (y != UNSEEN).reshape(len(y), -1).any(axis=1)
        Z, y_seen = self.standardise(X if seen.all() else X[seen]), y[seen]
        Z, basis = _in_own_span(Z)
        fold_names = np.unique(folds)  # the fold of unseen rows holds out no seen row
        held_out = [folds[seen] == fold for fold in fold_names]
        targets = np.tile(self.targets(y_seen, n_classes)[0], len(fold_names))
        weights = np.hstack([self._weights(y_seen, n_classes, ~held) for held in held_out])
        held_weights = np.hstack([self._weights(y_seen, n_classes, held) for held in held_out])

        coef = np.zeros((Z.shape[1] + 1, targets.shape[1]))
        best, best_loss = coef, np.inf
        with thread_pools().limit(limits=1):
            solve = self._solver(Z, targets, weights, n_classes)
            for strength in STRENGTHS if self.strength is None else (self.strength,):
                coef = solve(strength, coef, FOLD_TOLERANCE)
                held_loss = self.loss(_product(Z, coef), targets, held_weights)[0].sum()
                if held_loss >= best_loss:
                    break  # weaker regularisation only overfits more
                best, best_loss, self.strength_ = coef, held_loss, strength
        model = np.searchsorted(fold_names, folds)
        logits = np.empty((len(y), n_classes))
        unseen = self.scaled(X[~seen])
        for rows, values in ((seen, Z), (~seen, unseen if basis is None else unseen @ basis)):
            outputs = _product(values, best).reshape(-1, len(fold_names), n_classes)
            logits[rows] = outputs[np.arange(len(outputs)), model[rows]]
        return logits

    def fit(self, X: NDArray[Any], y: Labels) -> LinearHead:
        """Learn from all rows; see `Head.fit`."""
        if self.strength_ is None:
            raise InvalidParameterError("`strength` is None: call cross_fit first, or set it.")
        (Z, basis), n_classes = _in_own_span(self.standardise(X)), _n_outputs(y)
        start = np.zeros((Z.shape[1] + 1, n_classes))
        targets, weights = self.targets(y, n_classes)
        with thread_pools().limit(limits=1):
            solve = self._solver(Z, targets, weights, n_classes)
            coef = solve(self.strength_, start, FINAL_TOLERANCE)
        self.coef = coef if basis is None else np.vstack([basis @ coef[:-1], coef[-1:]])
        return self

    def logits(self, X: NDArray[Any]) -> Array:
        """Return unbounded class scores of shape (n, K)."""
        return _product((X - self.mean) / self.scale, self.coef)

    def _weights(self, y: Labels, n_classes: int, rows: NDArray[np.bool_]) -> Array:
        weights = np.zeros((len(y), n_classes))
        if rows.any():
            weights[rows] = self.targets(y[rows], n_classes)[1]
        return weights

    def _solver(
        self, Z: NDArray[Any], targets: Array, weights: Array, n_classes: int
    ) -> Callable[[float, Array, float], Array]:
        """Return a function: strength, start and tolerance to coefficients (d + 1, m K)."""
        together = 1 if self.separate else n_classes  # columns of one problem
        n_columns, p = targets.shape[1], Z.shape[1] + 1
        block = BLOCK if self.adds_up else len(Z)
        scaling = Preconditioner(Z, weights)

        def solve(strength: float, start: Array, tolerance: float) -> Array:
            lengths, curvature = scaling.at(strength)

            def objective(points: Array, problems: Labels) -> tuple[Array, Array]:
                columns: Any = (problems[:, np.newaxis] * together + np.arange(together)).ravel()
                columns = slice(None) if len(columns) == n_columns else columns
                coef = scaling.rescale(points.reshape(-1, p), lengths)  # one row per column
                value = 0.5 * strength * (coef[:, :-1] ** 2).sum(axis=1)
                gradient = strength * coef
                gradient[:, -1] = 0.0
                for first in range(0, len(Z), block):
                    rows = slice(first, first + block)
                    logits = _product(Z[rows], coef.T)
                    loss, slope = self.loss(logits, targets[rows, columns], weights[rows, columns])
                    value += loss
                    gradient[:, :-1] += slope.T.astype(Z.dtype) @ Z[rows]
                    gradient[:, -1] += slope.sum(axis=0)
                gradient = scaling.rescale(gradient, lengths)
                return value.reshape(-1, together).sum(axis=1), gradient.reshape(points.shape)

            scaled = scaling.rescale(start.T, 1.0 / lengths).reshape(-1, together * p)
            found = minimise(objective, scaled, tolerance, curvature)
            return scaling.rescale(found.reshape(-1, p), lengths).T

        return solve


@HEADS.register("linear-softmax")
class LinearSoftmax(LinearHead, SoftmaxHead):
    """Multinomial logistic regression: softmax and cross-entropy.

    References
    ----------
    C. M. Bishop, Pattern Recognition and Machine Learning, Springer 2006, section 4.3.4.
    """

    summary = "one categorical output: softmax over linear scores, cross-entropy"
    reference = "Bishop 2006, section 4.3.4"

    def targets(self, y: Labels, n_classes: int) -> tuple[Array, Array]:
        """Return one-hot targets and weights; refuse negatives."""
        return one_hot(y, n_classes, self.class_weight)

    loss = staticmethod(head_losses.cross_entropy)


@HEADS.register("linear-sigmoid")
class LinearSigmoid(LinearHead, SigmoidHead):
    """One-against-rest logistic regression: a sigmoid per class; negatives are all-zero rows.

    Balanced, the positives of an output weigh as much as all other rows, negatives included. With
    several labels per image, ``y`` is a matrix (n, K) of 1, 0, and -1 for unknown cells, from which
    nothing is learned.

    References
    ----------
    R. Rifkin and A. Klautau, In Defense of One-Vs-All Classification, JMLR 5 (2004), 101-141.
    """

    summary = "a sigmoid for each class, binary cross-entropy; negatives are all-zero rows"
    reference = "Rifkin & Klautau 2004, JMLR 5"
    separate = True

    def targets(self, y: Labels, n_classes: int) -> tuple[Array, Array]:
        """Return 0/1 targets, all zero for negatives, and weights."""
        return one_against_rest(y, n_classes, self.class_weight)

    loss = staticmethod(head_losses.binary_cross_entropy)


class FocalHead(LinearHead):
    """Base of linear heads with a focal loss ``-(1 - p)^gamma log p``."""

    parameters = ("strength", "class_weight", "gamma")

    def __init__(
        self,
        strength: float | None = None,
        class_weight: str | None = BALANCED,
        gamma: float = 2.0,
    ) -> None:
        super().__init__(strength, class_weight)
        require(is_number(gamma) and gamma >= 0, "gamma", "a number from 0 up", gamma)
        self.gamma = float(gamma)


@HEADS.register("focal-softmax")
class FocalSoftmax(FocalHead, LinearSoftmax):
    """`LinearSoftmax` with a focal loss ``-(1 - p)^gamma log p`` of the true class.

    Rows that are classified right with certainty hardly count, which leaves the head less certain.
    A gamma of 0 is the cross-entropy.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    J. Mukhoti et al., Calibrating Deep Neural Networks using Focal Loss, NeurIPS 2020 (softmax).
    """

    summary = "softmax over linear scores, focal loss"
    reference = "Lin et al. 2017; Mukhoti et al. 2020"

    def loss(self, logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
        """Return the focal loss and its gradient."""
        return head_losses.focal_softmax(logits, targets, weights, self.gamma)


@HEADS.register("focal-sigmoid")
class FocalSigmoid(FocalHead, LinearSigmoid):
    """`LinearSigmoid` with a focal loss ``-(1 - p)^gamma log p`` of the true side.

    Made for few positives among many easy negatives. A gamma of 0 is the cross-entropy; alpha of
    the paper is the class weight here.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """

    summary = "a sigmoid for each class, focal loss; negatives are all-zero rows"
    reference = "Lin et al. 2017"

    def loss(self, logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
        """Return the focal loss and its gradient."""
        return head_losses.focal_sigmoid(logits, targets, weights, self.gamma)


@HEADS.register("exposed-softmax")
class ExposedSoftmax(LinearHead, ExposedHead):
    """Softmax with outlier exposure: negatives are pulled towards the uniform distribution.

    The loss is the mean cross-entropy of known rows plus `exposure` times the mean cross-entropy of
    negatives to the uniform distribution. Without negatives this is `LinearSoftmax`. Balanced, all
    known classes weigh the same; negatives always do.

    Parameters
    ----------
    exposure : float, default=0.5
        Weight of all negatives together, relative to all known rows; lambda in the paper.

    References
    ----------
    D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR
    2019.
    """

    summary = "softmax over linear scores, taught to be uniform on negatives"
    reference = "Hendrycks et al. 2019"
    parameters = ("strength", "class_weight", "exposure")

    def __init__(
        self,
        strength: float | None = None,
        class_weight: str | None = BALANCED,
        exposure: float = 0.5,
    ) -> None:
        super().__init__(strength, class_weight)
        require(is_number(exposure) and exposure > 0, "exposure", "a number above 0", exposure)
        self.exposure = float(exposure)

    def targets(self, y: Labels, n_classes: int) -> tuple[Array, Array]:
        """Return one-hot targets, uniform for negatives, and weights."""
        known = y >= 0
        targets = np.full((len(y), n_classes), 1.0 / n_classes)
        weights = np.full((len(y), n_classes), self.exposure / max(int((~known).sum()), 1))
        targets[known], weights[known] = one_hot(y[known], n_classes, self.class_weight)
        return targets, weights

    loss = staticmethod(head_losses.cross_entropy)


@HEADS.register("pu-sigmoid")
class PositiveUnlabelledSigmoid(LinearSigmoid):
    """`LinearSigmoid` for negatives that are unlabelled: a share of them belongs to each class.

    The loss on negatives is corrected for that share and never falls below zero; see
    `head_losses.positive_unlabelled`. Rows of other classes are true negatives. With a share of 0
    this is `LinearSigmoid`.

    Parameters
    ----------
    prior : float, sequence of float, or None, default=None
        Share of each class among the unlabelled rows, from 0 to 0.5. None: estimated in `cross_fit`
        by `best_bin` from held-out logits of a fit with a share of 0; 0 without `cross_fit`.

    References
    ----------
    R. Kiryo et al., Positive-Unlabeled Learning with Non-Negative Risk Estimator, NeurIPS 2017.
    Weights: G. Su, W. Chen and M. Xu, Positive-Unlabeled Learning from Imbalanced Data, IJCAI 2021.
    Share: S. Garg et al., Mixture Proportion Estimation and PU Learning, NeurIPS 2021.
    """

    summary = "a sigmoid for each class; negatives are unlabelled, a share of them of each class"
    reference = "Kiryo et al. 2017; Garg et al. 2021"
    parameters = ("strength", "class_weight", "prior")
    tuned = ("strength", "prior")
    adds_up = False

    def __init__(
        self,
        strength: float | None = None,
        class_weight: str | None = BALANCED,
        prior: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(strength, class_weight)
        shares: list[Any] = list(prior) if isinstance(prior, (list, tuple)) else [prior]
        valid = prior is None or (
            len(shares) > 0 and all(is_number(s) and 0.0 <= s <= LARGEST_PRIOR for s in shares)
        )
        require(valid, "prior", "from 0 to 0.5, a list of such numbers, or None", prior)
        self.prior = None if prior is None else [float(share) for share in shares]
        self.prior_ = self.prior

    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """Choose strength and shares, and return out-of-fold logits; see `Head.cross_fit`."""
        if self.prior is not None or y.ndim > 1 or not (y == OTHER).any():
            return super().cross_fit(X, y, folds)
        self.prior_ = None
        logits = super().cross_fit(X, y, folds)
        self.prior_ = [
            min(best_bin(logits[y == k, k], logits[y == OTHER, k]), LARGEST_PRIOR)
            for k in range(logits.shape[1])
        ]
        given, self.strength = self.strength, self.strength_
        try:
            return super().cross_fit(X, y, folds)
        finally:
            self.strength = given

    def targets(self, y: Labels, n_classes: int) -> tuple[Array, Array]:
        """Return 0/1 targets, ``UNLABELLED - prior`` for negatives, and weights."""
        targets, weights = super().targets(y, n_classes)
        if y.ndim == 1:
            prior = np.resize(0.0 if self.prior_ is None else self.prior_, n_classes)
            targets[y == OTHER] = UNLABELLED - prior
        return targets, weights

    loss = staticmethod(head_losses.positive_unlabelled)


def best_bin(positive: Array, unlabelled: Array) -> float:
    """Estimate the share, in [0, 1], of unlabelled scores that come from the positive class.

    Above any threshold, the share of unlabelled scores over the share of positive ones is an upper
    bound; it is taken at the threshold where its own confidence bound is least. Scores are held
    out, higher = more like the class (S. Garg et al., Mixture Proportion Estimation and PU
    Learning, NeurIPS 2021).
    """
    if not len(positive) or not len(unlabelled):
        return 0.0
    thresholds = np.sort(positive)
    p = 1.0 - np.arange(len(positive)) / len(positive)
    below = np.searchsorted(np.sort(unlabelled), thresholds, side="left")
    u = 1.0 - below / len(unlabelled)
    # error probability 0.1 and slack 0.01, as in the paper
    slack = sum(np.sqrt(np.log(4 / 0.1) / (2 * len(rows))) for rows in (positive, unlabelled))
    best = int(np.argmin((u + 1.01 * slack) / p))
    return float(min(u[best] / p[best], 1.0))


def _in_own_span(Z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return wide rows in coordinates of their span, where the solution lies, and its basis."""
    if 2 * len(Z) > Z.shape[1]:
        return Z, None
    basis, coordinates = np.linalg.qr(Z.T.astype(np.float64))
    return np.ascontiguousarray(coordinates.T, dtype=Z.dtype), basis.astype(Z.dtype)


def _n_outputs(y: Labels) -> int:
    return y.shape[1] if y.ndim == 2 else int(y.max()) + 1


def _product(Z: NDArray[Any], coef: Array) -> Array:
    product: Array = (Z @ coef[:-1].astype(Z.dtype)).astype(np.float64) + coef[-1]
    return product
