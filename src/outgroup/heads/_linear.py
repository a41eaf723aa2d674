"""Linear logits on standardised features, fitted by L-BFGS.

Minimises ``loss(X W + b) + strength / 2 * |W|^2`` where the weights of the rows add up to one in
each output, so that a strength means the same for ten images and ten thousand. Products with the
data are made in the precision of the data, everything else in float64.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError
from outgroup.heads._checks import is_number, require
from outgroup.heads._directions import Directions
from outgroup.heads._lbfgs import minimise
from outgroup.heads._standard import Standardised
from outgroup.heads._targets import BALANCED, valid_class_weight
from outgroup.heads.base import UNSEEN, Head

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Strengths of regularisation that are tried, from strong to weak.
STRENGTHS = (1.0, 0.1, 0.01, 0.001, 0.0001)

#: Part of its objective by which a step of L-BFGS must lower it to go on: for held-out scores, by
#: which strengths are compared too, and for the final model. At that of the folds an other-score is
#: within a hundredth of the scores' spread of where it would end, and strengths that are nearly as
#: good come in the right order.
FOLDS, FINAL = 1e-5, 1e-8

#: Rows whose logits and slopes are worked out together, while they are in the processor's cache.
BLOCK = 512

#: Columns for each row from which on rows are taken in coordinates of the space that they span.
FEW = 2


class LinearHead(Standardised, Head):
    """Base of linear heads; a subclass gives the loss and what its targets and weights are.

    Parameters
    ----------
    strength : float or None, default=None
        Weight of the squared norm of the coefficients of standardised features; None: the one with
        the least held-out loss in cross-validation.
    class_weight : "balanced" or None, default="balanced"
        How rows are weighed; the subclass says what is balanced. Weights are what whole copies of
        rows are to a loss that is a sum, so there is no option to oversample.
    """

    parameters: ClassVar[tuple[str, ...]] = ("strength", "class_weight")
    tuned: ClassVar[tuple[str, ...]] = ("strength",)
    arrays = ("mean", "scale", "coef")
    #: Whether the loss of all rows is the sum of those of parts of them.
    adds_up: ClassVar[bool] = True
    #: Whether each output is a problem of its own, as sigmoids are and a softmax is not.
    separate: ClassVar[bool] = False

    def __init__(self, strength: float | None = None, class_weight: str | None = BALANCED) -> None:
        fine = strength is None or (is_number(strength) and strength > 0)
        require(fine, "strength", "above 0, or None", strength)
        self.strength = None if strength is None else float(strength)
        self.strength_ = self.strength
        self.class_weight = valid_class_weight(class_weight)

    @abstractmethod
    def targets(self, y: Labels, n_classes: int) -> tuple[Array, Array]:
        """Return targets and weights, both (n, K); the weights of known rows add up to 1.

        `y` holds class indices, or it is the (n, K) matrix of a head that takes one.
        """

    @abstractmethod
    def loss(self, logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
        """Return the weighted loss of each column, summed over the rows, and its slope.

        Several models may stand side by side: all three are (n, m K) then.
        """

    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """See `Head.cross_fit`.

        All folds are fitted in one run: their coefficients stand side by side, and a row that a
        fold holds out has weight zero in that fold's columns. One product with the data serves
        them all, which is what costs the time.
        """
        n_classes = _n_outputs(y)
        seen = (y != UNSEEN).reshape(len(y), -1).any(axis=1)
        Z, y_seen = self.standardise(X if seen.all() else X[seen]), y[seen]
        Z, basis = _along_rows(Z)
        numbers = np.unique(folds)  # with that of the unseen rows, whose model holds out no other
        held_out = [folds[seen] == fold for fold in numbers]
        targets = np.tile(self.targets(y_seen, n_classes)[0], len(numbers))
        weights = np.hstack([self._weights(y_seen, n_classes, ~held) for held in held_out])
        held_weights = np.hstack([self._weights(y_seen, n_classes, held) for held in held_out])

        together = 1 if self.separate else n_classes
        coef = np.zeros((Z.shape[1] + 1, targets.shape[1]))
        best, best_loss = coef, np.inf
        with _pools().limit(limits=1):
            found = Directions(Z, weights)
            for strength in STRENGTHS if self.strength is None else (self.strength,):
                coef = self._minimise(Z, targets, weights, strength, coef, FOLDS, found, together)
                held_loss = self.loss(_product(Z, coef), targets, held_weights)[0].sum()
                if held_loss >= best_loss:
                    break  # weaker still only fits the noise better
                best, best_loss, self.strength_ = coef, held_loss, strength
        model = np.searchsorted(numbers, folds)
        logits = np.empty((len(y), n_classes))
        unseen = self.scaled(X[~seen])
        for rows, values in ((seen, Z), (~seen, unseen if basis is None else unseen @ basis)):
            outputs = _product(values, best).reshape(-1, len(numbers), n_classes)
            logits[rows] = outputs[np.arange(len(outputs)), model[rows]]
        return logits

    def fit(self, X: NDArray[Any], y: Labels) -> LinearHead:
        """See `Head.fit`."""
        if self.strength_ is None:
            raise InvalidParameterError("'strength' is None: call cross_fit first, or set it.")
        (Z, basis), n_classes = _along_rows(self.standardise(X)), _n_outputs(y)
        start = np.zeros((Z.shape[1] + 1, n_classes))
        targets, weights = self.targets(y, n_classes)
        with _pools().limit(limits=1):
            found = Directions(Z, weights)
            together = 1 if self.separate else n_classes
            coef = self._minimise(
                Z, targets, weights, self.strength_, start, FINAL, found, together
            )
        self.coef = coef if basis is None else np.vstack([basis @ coef[:-1], coef[-1:]])
        return self

    def logits(self, X: NDArray[Any]) -> Array:
        """See `Head.logits`."""
        return _product((X - self.mean) / self.scale, self.coef)

    def _weights(self, y: Labels, n_classes: int, rows: NDArray[np.bool_]) -> Array:
        weights = np.zeros((len(y), n_classes))
        if rows.any():
            weights[rows] = self.targets(y[rows], n_classes)[1]
        return weights

    def _minimise(
        self,
        Z: NDArray[Any],
        targets: Array,
        weights: Array,
        strength: float,
        start: Array,
        tolerance: float,
        directions: Directions,
        together: int,
    ) -> Array:
        """Return the coefficients (d + 1, m K) of least loss; inside, a row is a column's."""
        lengths = directions.lengths(strength)
        n_columns, p = targets.shape[1], len(start)
        block = BLOCK if self.adds_up else len(Z)

        def objective(points: Array, which: Labels) -> tuple[Array, Array]:
            columns: Any = (which[:, np.newaxis] * together + np.arange(together)).ravel()
            columns = slice(None) if len(columns) == n_columns else columns
            coef = directions.stretched(points.reshape(-1, p), lengths)
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
            gradient = directions.stretched(gradient, lengths)
            return value.reshape(-1, together).sum(axis=1), gradient.reshape(points.shape)

        found = minimise(
            objective,
            directions.stretched(start.T, 1.0 / lengths).reshape(-1, together * p),
            tolerance,
            directions.curvature(strength),
        )
        return directions.stretched(found.reshape(-1, p), lengths).T


def one_thread() -> Any:
    """Return a context in which matrix products use one thread.

    They wait for memory more than for arithmetic, and NumPy and SciPy bring a thread pool each:
    with two threads in both they fight over the cores, up to ten times slower.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


@functools.cache
def _pools() -> Any:
    """Return what sets how many threads NumPy and SciPy take, which are both loaded here.

    Finding their libraries anew takes as long as a head of few rows does.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _along_rows(Z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return few rows in coordinates of the space that they span, and its basis (d, n).

    The coefficients of least norm lie in that space, so nothing is lost. None: as they are, because
    there are too many rows to gain by it.
    """
    if FEW * len(Z) > Z.shape[1]:
        return Z, None
    basis, coordinates = np.linalg.qr(Z.T.astype(np.float64))
    return np.ascontiguousarray(coordinates.T, dtype=Z.dtype), basis.astype(Z.dtype)


def _n_outputs(y: Labels) -> int:
    return y.shape[1] if y.ndim == 2 else int(y.max()) + 1


def _product(Z: NDArray[Any], coef: Array) -> Array:
    product: Array = (Z @ coef[:-1].astype(Z.dtype)).astype(np.float64) + coef[-1]
    return product
