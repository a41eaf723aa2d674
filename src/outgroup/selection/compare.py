"""Strategies on the user's own data, by what they do with unknowns that they have not seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import HeldOut, expected_threshold
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED
from outgroup.errors import InvalidParameterError
from outgroup.heads import one_thread
from outgroup.metrics import Rate
from outgroup.model import check_suits
from outgroup.selection.auto import choose_strategy
from outgroup.selection.comparison import Comparison, StrategyResult, make_choice, source_rates
from outgroup.selection.lineup import LINEUP
from outgroup.selection.resamples import N_RESAMPLES, Resamples
from outgroup.selection.scenarios import Scenario, scenarios
from outgroup.selection.thinning import MAX_ROWS, thinned
from outgroup.selection.unknowns import Unknowns
from outgroup.strategies import FoldedRows, Scores, Strategy, take
from outgroup.training_set import TrainingSet, deal

#: Images that the time to score one is taken from, and that the model for it learns from.
TIMED, LEARNED_FOR_TIMING = 256, 1_000

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
    runs = {name: _Run(name, some, share, n_folds, resamples) for name in lineup}
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
        results=tuple(run.result(unknowns, timed) for run in runs.values()),
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


@dataclass(frozen=True)
class _Answers:
    """What a strategy accepts in a scenario: (n_asked,), and by redrawn thresholds as columns."""

    accepted: NDArray[np.bool_]
    redrawn: NDArray[np.bool_]


def _meet_all(runs: list[_Run], scenario: Scenario) -> list[list[_Answers]]:
    """Return what each strategy accepts in a scenario, nothing where it can't be fitted."""
    answers = [run.meet(scenario) for run in runs]
    scenario.rows.forget()  # scores of all rows by all parts
    return answers


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Run:
    """One strategy on its way through the scenarios."""

    def __init__(
        self, name: str, data: TrainingSet, share: float, n_folds: int, resamples: Resamples
    ) -> None:
        self.name = name
        self.data, self.share, self.n_folds = data, share, n_folds
        self.resamples = resamples
        self.strategy = choose_strategy(name)
        self.answers: list[_Answers] = []
        self.fit_seconds = 0.0
        self.known_rejected: Rate | None = None
        self.known_right: Rate | None = None
        self.shifted_rejected: Rate | None = None
        self.known: HeldOut | None = None
        self.problem: str | None = None
        try:
            check_suits(self.strategy, data)
        except InvalidParameterError as error:
            self.problem = str(error)

    def meet_first(self, scenario: Scenario) -> None:
        """Fit where all classes are known, and note what becomes of known and unknown images."""
        if self.problem is not None:
            return
        before = scenario.rows.seconds
        scores = self.strategy.cross_fit(scenario.rows)
        self.fit_seconds = scenario.rows.seconds - before
        self._known(scenario, scores)
        self.answers = [self._answers(scenario, scores)]

    def meet(self, scenario: Scenario) -> list[_Answers]:
        """Return what is accepted where a class is unknown, with parts tuned as at first."""
        if self.problem is not None:
            return []
        scores = self.strategy.with_frozen_parts().cross_fit(scenario.rows)
        return [self._answers(scenario, scores)]

    def accepted(self) -> NDArray[np.bool_]:
        """Return what was accepted in all scenarios, (n_unknown,)."""
        return np.concatenate([answers.accepted for answers in self.answers])

    def redrawn(self) -> NDArray[np.bool_]:
        """Return what redrawn thresholds would have accepted, (n_unknown, n_resamples)."""
        return np.concatenate([answers.redrawn for answers in self.answers])

    def _answers(self, scenario: Scenario, scores: Scores) -> _Answers:
        asked = scores.other_score[scenario.asked]
        threshold = self._threshold(scenario.known(scores.other_score))
        thresholds = np.full(N_RESAMPLES, threshold)
        if self.strategy.fixed_threshold is None:
            n = len(self.data.y)  # behind these are probes
            thresholds = self.resamples.thresholds(
                scores.other_score[:n], scenario.rows.known[:n], self.share
            )
        return _Answers(asked <= threshold, asked[:, np.newaxis] <= thresholds)

    def _known(self, scenario: Scenario, scores: Scores) -> None:
        rows = scenario.rows
        self.known = scenario.known(scores.other_score)
        rejected, n, right = 0, 0, np.zeros(len(rows.y), dtype=np.bool_)
        for fold in np.unique(rows.folds[rows.known]):
            inside = rows.known & (rows.folds == fold)
            threshold = self._threshold(
                _held_out(scores, scenario, rows.known & (rows.folds != fold))
            )
            held_out = _held_out(scores, scenario, inside)
            rejected, n = rejected + held_out.rejected(threshold), n + held_out.n
            right |= inside & (scores.other_score <= threshold)
        right &= scores.class_scores.argmax(axis=1) == rows.y
        self.known_rejected = Rate(rejected, n)
        self.known_right = Rate(int(right.sum()), int(rows.known.sum()))

    def _threshold(self, known: HeldOut) -> float:
        if self.strategy.fixed_threshold is not None:
            return self.strategy.fixed_threshold
        return expected_threshold(known, self.share)[0]

    def meet_new_groups(self, mixed: FoldedRows) -> None:
        """Note how many known images of new groups lie above the threshold of known groups."""
        if self.known is None:
            return
        scores = self.strategy.with_frozen_parts().cross_fit(mixed)
        threshold = self._threshold(HeldOut(scores.other_score[mixed.known]))
        self.shifted_rejected = Rate(self.known.rejected(threshold), self.known.n)

    def result(self, unknowns: Unknowns, timed: bool) -> StrategyResult:
        """Return all that was measured."""
        if self.problem is not None:
            return StrategyResult(self.name, problem=self.problem)
        accepted = self.accepted()
        some = bool(len(unknowns))
        return StrategyResult(
            name=self.name,
            known_rejected=self.known_rejected,
            known_right=self.known_right,
            shifted_rejected=self.shifted_rejected,
            sources=source_rates(accepted, unknowns),
            accepted=unknowns.mean(accepted) if some else None,
            standard_error=unknowns.standard_error(self.redrawn()) if some else None,
            fit_seconds=self.fit_seconds,
            ms_per_image=_ms_per_image(self.strategy.frozen(), self.data) if timed else None,
        )


def _held_out(scores: Scores, scenario: Scenario, rows: NDArray[np.bool_]) -> HeldOut:
    units = None if scenario.units is None else scenario.units[rows]
    return HeldOut(scores.other_score[rows], units)


def _ms_per_image(strategy: Strategy, data: TrainingSet) -> float:
    """Return the milliseconds to score an image by a model of at most `LEARNED_FOR_TIMING`."""
    rows = np.linspace(0, len(data.y) - 1, LEARNED_FOR_TIMING).astype(np.int64)
    known = [np.flatnonzero(data.y == k)[:2] for k in range(len(data.classes))]
    rows = np.unique(np.concatenate([rows, *known]))  # no class may be missing
    strategy.fit(take(data.features, rows), data.y[rows])
    timed = take(data.features, rows[:TIMED])
    start = time.perf_counter()
    strategy.score(timed)
    return (time.perf_counter() - start) * 1e3 / len(timed["last"])


def _in_mixed_folds(data: TrainingSet, n_folds: int, seed: int) -> FoldedRows | None:
    """Return the rows in folds that split groups; None if hardly any image shares its group."""
    known = data.y >= 0
    if data.units is None or len(np.unique(data.units[known])) > MOSTLY_ALONE * known.sum():
        return None
    alone = replace(data, groups=None)
    return FoldedRows(data.features, data.y, deal(alone, n_folds, seed))
