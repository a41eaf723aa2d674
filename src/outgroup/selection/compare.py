"""Every strategy on the user's own data, by the same folds and the same budget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from outgroup.calibration import Budget
from outgroup.errors import InfeasibleTargetError, InvalidParameterError
from outgroup.metrics import Rate
from outgroup.model import OpenSetModel, TrainingSet, fit_model
from outgroup.strategies import STRATEGIES


@dataclass(frozen=True)
class StrategyResult:
    """What one strategy did to images that it had not seen.

    Parameters
    ----------
    name : str
        The strategy.
    known_rejected : Rate or None
        Held-out known images called other; None if the strategy could not be fitted.
    other_accepted : Rate or None
        Held-out negatives given a class; None without negatives. Negatives of one folder are held
        out together where there are enough folders, so these are of kinds it had not seen.
    seconds : float
        Time to cross-fit and fit.
    problem : str or None
        Why it could not be fitted.
    """

    name: str
    known_rejected: Rate | None
    other_accepted: Rate | None
    seconds: float
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        known, other = self.known_rejected, self.other_accepted
        return {
            "name": self.name,
            "known_rejected": known.to_dict() if known else None,
            "other_accepted": other.to_dict() if other else None,
            "seconds": self.seconds,
            "problem": self.problem,
        }


def compare_strategies(
    data: TrainingSet, budget: Budget | None = None, seed: int = 0
) -> Iterator[StrategyResult]:
    """Fit every strategy there is, and yield what held-out images say of it.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    budget : Budget or None
        One budget for all; None is ``Budget()``.
    seed : int, default=0
        Seed of the folds, the same for all.

    Yields
    ------
    StrategyResult
        In the order of their names; a strategy that these data don't allow has a `problem`.
    """
    for name, strategy in STRATEGIES:
        start = time.perf_counter()
        try:
            model = fit_model(data, strategy(), budget, seed=seed)
        except (InvalidParameterError, InfeasibleTargetError) as error:
            yield StrategyResult(name, None, None, time.perf_counter() - start, str(error))
        else:
            yield _result(name, model, time.perf_counter() - start)


def _result(name: str, model: OpenSetModel, seconds: float) -> StrategyResult:
    known, others = model.known_scores, model.other_scores
    rejected = Rate(int(np.sum(known > model.threshold)), len(known))
    accepted = Rate(int(np.sum(others <= model.threshold)), len(others)) if len(others) else None
    return StrategyResult(name, rejected, accepted, seconds)
