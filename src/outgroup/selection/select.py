"""The strategy that is taken: the one that was named, or the best by measurement."""

from __future__ import annotations

from collections.abc import Sequence

from outgroup.calibration import Budget, expected_share
from outgroup.selection.auto import AUTO, choose_strategy, settle
from outgroup.selection.compare import Progress, compare_and_keep
from outgroup.selection.comparison import Comparison
from outgroup.selection.lineup import AUTO_LINEUP, DEFAULT
from outgroup.strategies import FoldedRows, Strategy
from outgroup.training_set import TrainingSet


def select_strategy(
    name: str,
    data: TrainingSet,
    budget: Budget | None = None,
    *,
    head: str | None = None,
    layers: Sequence[str] | None = None,
    n_folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Strategy, Comparison | None, FoldedRows | None]:
    """Return the strategy of a name, or for "auto" the one that a comparison chooses.

    Parameters
    ----------
    name : str
        A name for `choose_strategy`, or "auto". Of a network that was tuned on the classes that is
        the default: there is no unknown left to measure by, for leaving a class out makes none, and
        held-out negatives are like those that it was tuned to tell apart.
    data : TrainingSet
        Embeddings and labels.
    budget : Budget or None
        All strategies are held to its share of known images.
    head, layers : str or None, sequence of str or None
        As for `choose_strategy`; with "auto" there can be none.
    n_folds, seed : int
        As for `fit_model`.
    progress : callable or None
        Called with the share of the work that is done.

    Returns
    -------
    strategy : Strategy
        Unfitted.
    comparison : Comparison or None
        What the choice rests on; None if the strategy was named, or there is a single class.
    rows : FoldedRows or None
        What `fit_model` need not do again.
    """
    name = settle(name, len(data.classes))
    if name == AUTO and data.tuned:
        name = DEFAULT
    if name != AUTO or head is not None or layers is not None:
        return choose_strategy(name, head, layers), None, None
    comparison, rows = compare_and_keep(
        data,
        AUTO_LINEUP,
        share=share_of(budget, data),
        n_folds=n_folds,
        seed=seed,
        timed=False,
        progress=progress,
    )
    return choose_strategy(comparison.choice.name), comparison, rows


def share_of(budget: Budget | None, data: TrainingSet) -> float:
    """Return the share of known images that strategies are compared at: what a budget leaves.

    Raises
    ------
    InfeasibleTargetError
        If there are too few known images for the budget: before anything is compared.
    """
    n, unit = data.n_known
    return expected_share(budget or Budget(), n, unit)
