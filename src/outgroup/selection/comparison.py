"""Strategies compared on the user's own data, by unknown images that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np

from outgroup.calibration import Budget, expected_share
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED
from outgroup.embeddings import usable_cores
from outgroup.heads import one_thread
from outgroup.label_schema import LabelSchema
from outgroup.selection.resamples import Resamples
from outgroup.selection.results import Comparison, make_choice
from outgroup.selection.scenarios import MAX_ROWS, scenarios, thinned
from outgroup.selection.strategy_run import StrategyRun, run_all
from outgroup.selection.unknowns import Unknowns
from outgroup.strategies import AUTO, DEFAULT, FoldedRows, Strategy, choose_strategy
from outgroup.training_set import TrainingSet

#: All strategies that `compare` measures, from simple to complex. Among equals the first is chosen.
LINEUP = (
    "softmax",
    "softmax:max-logit",
    "softmax:energy",
    "detector",
    "detector:knn",
    "detector:relative-mahalanobis",
    "detector:whitened-cosine",
    "sigmoid-0.95",
    "sigmoid",
    "positive-unlabelled",
    "outlier-exposure",
    "other-class",
    "blend",
    "two-votes",
    "one-class",
    "imagenet",
)
LABEL_LINEUP = ("sigmoid-0.95", "sigmoid", "blend")

#: What "auto" chooses from: few, with parts in common, so that training stays quick.
AUTO_LINEUP = ("softmax:energy", "detector", "detector:knn", "sigmoid", "blend", "two-votes")

#: Share of groups among images above which groups are too small to say what a new one does.
MOSTLY_ALONE = 0.8

#: Scenarios computed at a time, at most: each needs memory of its own.
MAX_THREADS = 4

#: Called with the share of the work that is done, from 0 to 1.
Progress = Callable[[float], None]


def lineup_for(schema: LabelSchema) -> tuple[str, ...]:
    """Return the names of all strategies for such labels."""
    return LABEL_LINEUP if schema.is_multi_label else LINEUP


def compare_strategies(
    data: TrainingSet,
    lineup: Sequence[str] | None = None,
    *,
    share: float = DEFAULT_KNOWN_REJECTED,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    progress: Progress | None = None,
) -> Comparison:
    """Measure strategies under one budget by unknown images that none of them has seen.

    Each is cross-fitted in every scenario that the data allow (see `scenarios`), with the threshold
    above which the same share of new known images is expected, and scores the unknown images. What
    fitting tunes in the parts of a strategy (regularisation, shrinkage) is tuned once, with all
    classes known.

    Parameters
    ----------
    lineup : sequence of str or None
        Names for `choose_strategy`, from simple to complex; None: all there are.
    share : float, default=0.05
        Expected share of new known images rejected.
    max_rows : int
        With more rows, about so many are drawn.
    """
    return compare_and_keep(
        data, lineup, share=share, seed=seed, max_rows=max_rows, progress=progress
    )[0]


def compare_and_keep(
    data: TrainingSet,
    lineup: Sequence[str] | None = None,
    *,
    share: float = DEFAULT_KNOWN_REJECTED,
    n_folds: int = 5,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    timed: bool = True,
    progress: Progress | None = None,
) -> tuple[Comparison, FoldedRows | None]:
    """Compare as `compare_strategies`, and keep the cross-fits made on the training rows.

    The cross-fits are for `fit_model`; None if that would split the rows into other folds.
    """
    lineup = lineup_for(data.schema) if lineup is None else lineup
    some = thinned(data, max_rows, seed)
    resamples = Resamples(some.known, some.units, seed)
    runs = {name: StrategyRun(name, some, share, n_folds, resamples) for name in lineup}
    first, *others = scenarios(some, n_folds, seed)
    steps = len(others) + 1
    for j, run in enumerate(runs.values()):
        run.run_first(first)
        _tell(progress, (j + 1) / len(runs) / steps)
    # One thread in each product, as without the pool: the order of a sum must not depend on how
    # busy the machine is.
    with ThreadPoolExecutor(min(MAX_THREADS, usable_cores())) as pool, one_thread():
        for i, accepted in enumerate(pool.map(partial(run_all, list(runs.values())), others)):
            for run, answers in zip(runs.values(), accepted, strict=True):
                run.answers += answers
            _tell(progress, (i + 2) / steps)
    mixed = _in_mixed_folds(some, n_folds, seed)
    if mixed is not None:
        for run in runs.values():
            run.run_new_groups(mixed)
    unknowns = Unknowns.concatenate(scenario.unknowns for scenario in (first, *others))
    able = [run for run in runs.values() if run.problem is None]
    # a strategy with a fixed threshold does not keep the share, so it is no candidate
    able = [run for run in able if run.strategy.fixed_threshold is None] or able
    comparison = Comparison(
        results=tuple(run.result(unknowns, timed, data.n_known[0]) for run in runs.values()),
        choice=make_choice(
            [run.name for run in able],
            [run.accepted() for run in able],
            unknowns,
            [run.resampled() for run in able],
        ),
        share=share,
        n_compared=len(some.targets),
        n_given=len(data.targets),
        n_unknown=len(unknowns),
    )
    own_folds = first.rows.folds[: len(data.targets)]
    same = some is data and np.array_equal(own_folds, data.folds(n_folds, seed))
    return comparison, first.rows if same else None


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

    "auto" is "one-class" for a single class, and "blend" for labels, columns, and a network that
    was tuned on the classes: leaving a class out makes it no unknown for such a network. All
    strategies are held to the budget's share of known images.

    Returned are the unfitted strategy, the comparison (None if nothing was compared), and
    cross-fits for `fit_model` or None.
    """
    schema = data.schema
    if name == AUTO and head is None and layers is None and (data.tuned or not schema.is_single):
        name = DEFAULT
    name = settle(name, schema)
    if name != AUTO or head is not None or layers is not None:
        return choose_strategy(name, head, layers, labels=schema.is_multi_label), None, None
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


def settle(name: str, schema: LabelSchema) -> str:
    """Return "one-class" for "auto" with a single class, and other names unchanged."""
    one = schema.is_single and len(schema.class_names) == 1
    return "one-class" if name == AUTO and one else name


def share_of(budget: Budget | None, data: TrainingSet) -> float:
    """Return the share of known images that strategies are compared at: what a budget leaves."""
    n, unit = data.n_known
    return expected_share(budget or Budget(), n, unit)


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


def _in_mixed_folds(data: TrainingSet, n_folds: int, seed: int) -> FoldedRows | None:
    """Return the rows in folds that split groups; None if hardly any image shares its group."""
    units = data.units_of(data.known)
    if units is None or len(np.unique(units)) > MOSTLY_ALONE * len(units):
        return None
    alone = replace(data, groups=None)
    return FoldedRows(data.features, data.targets, alone.folds(n_folds, seed))
