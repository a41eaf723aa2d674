"""Strategies on the user's own data, by what they do with unknowns that they have not seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np

from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED
from outgroup.heads import one_thread
from outgroup.selection.comparison import Comparison, make_choice
from outgroup.selection.lineup import LINEUP
from outgroup.selection.resamples import Resamples
from outgroup.selection.run import Answers, StrategyRun
from outgroup.selection.scenarios import Scenario, scenarios
from outgroup.selection.thinning import MAX_ROWS, thinned
from outgroup.selection.unknowns import Unknowns
from outgroup.strategies import FoldedRows
from outgroup.training_set import TrainingSet, deal

#: Share of groups among images above which groups are too small to say what a new one does.
MOSTLY_ALONE = 0.8

#: Scenarios in work at a time, at most: each needs memory of its own.
MAX_THREADS = 4

#: Called with a share of the work, from 0 to 1, when that is done.
Progress = Callable[[float], None]


def compare_strategies(
    data: TrainingSet,
    lineup: Sequence[str] = LINEUP,
    *,
    share: float = DEFAULT_KNOWN_REJECTED,
    n_folds: int = 5,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    progress: Progress | None = None,
) -> Comparison:
    """Measure strategies under one budget by unknowns that none of them has seen.

    Each is cross-fitted in every scenario that the data allow (see `scenarios`), its threshold laid
    so that the same share of new known images is expected above it, and asked about the unknown
    images. What fitting tunes in the parts of a strategy (regularisation, shrinkage) is tuned once,
    with all classes known.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    lineup : sequence of str
        Names for `choose_strategy`, from simple to complex: of equals the first is chosen.
    share : float, default=0.05
        Expected share of new known images called other.
    n_folds, seed : int
        As for `fit_model`.
    max_rows : int
        With more rows, about so many are drawn.
    progress : callable or None
        Called with the share of the work that is done.

    Returns
    -------
    Comparison
    """
    return compare_and_keep(
        data,
        lineup,
        share=share,
        n_folds=n_folds,
        seed=seed,
        max_rows=max_rows,
        progress=progress,
    )[0]


def compare_and_keep(
    data: TrainingSet,
    lineup: Sequence[str] = LINEUP,
    *,
    share: float = DEFAULT_KNOWN_REJECTED,
    n_folds: int = 5,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    timed: bool = True,
    progress: Progress | None = None,
) -> tuple[Comparison, FoldedRows | None]:
    """Do as `compare_strategies`, and keep the cross-fits of all parts on the training rows.

    Parameters
    ----------
    data, lineup, share, n_folds, seed, max_rows, progress
        As for `compare_strategies`.
    timed : bool, default=True
        Whether to measure the time to score an image.

    Returns
    -------
    comparison : Comparison
    rows : FoldedRows or None
        For `fit_model`, which need not cross-fit the same parts again; None if it would deal the
        rows into other folds.
    """
    some = thinned(data, max_rows, seed)
    resamples = Resamples(some.y >= 0, some.units, seed)
    runs = {name: StrategyRun(name, some, share, n_folds, resamples) for name in lineup}
    first, *others = scenarios(some, n_folds, seed)
    steps = len(others) + 1
    for j, run in enumerate(runs.values()):
        run.meet_first(first)
        _tell(progress, (j + 1) / len(runs) / steps)
    # Scenarios do not depend on each other. One thread in each product, as alone: the order of a
    # sum must not depend on how busy the machine is.
    with ThreadPoolExecutor(min(MAX_THREADS, _cores())) as pool, one_thread():
        for i, accepted in enumerate(pool.map(partial(_meet_all, list(runs.values())), others)):
            for run, answers in zip(runs.values(), accepted, strict=True):
                run.answers += answers
            _tell(progress, (i + 2) / steps)
    mixed = _in_mixed_folds(some, n_folds, seed)
    if mixed is not None:
        for run in runs.values():
            run.meet_new_groups(mixed)
    unknowns = Unknowns.concatenate(scenario.unknowns for scenario in (first, *others))
    able = [run for run in runs.values() if run.problem is None]
    # one with a threshold of its own is not held to the share: what it accepts is paid otherwise
    able = [run for run in able if run.strategy.fixed_threshold is None] or able
    comparison = Comparison(
        results=tuple(run.result(unknowns, timed, data.n_known[0]) for run in runs.values()),
        choice=make_choice(
            [run.name for run in able],
            [run.accepted() for run in able],
            unknowns,
            [run.redrawn() for run in able],
        ),
        share=share,
        n_compared=len(some.y),
        n_given=len(data.y),
        n_unknown=len(unknowns),
    )
    same = some is data and np.array_equal(
        first.rows.folds[: len(data.y)], deal(data, n_folds, seed)
    )
    return comparison, first.rows if same else None


def _meet_all(runs: list[StrategyRun], scenario: Scenario) -> list[list[Answers]]:
    """Return what each strategy accepts in a scenario, nothing where it can't be fitted."""
    answers = [run.meet(scenario) for run in runs]
    scenario.rows.forget()  # scores of all rows by all parts
    return answers


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_mixed_folds(data: TrainingSet, n_folds: int, seed: int) -> FoldedRows | None:
    """Return the rows in folds that split groups; None if hardly any image shares its group."""
    known = data.y >= 0
    if data.units is None or len(np.unique(data.units[known])) > MOSTLY_ALONE * known.sum():
        return None
    alone = replace(data, groups=None)
    return FoldedRows(data.features, data.y, deal(alone, n_folds, seed))
