"""One strategy in all scenarios: what it rejects of the known, and accepts of the unknown."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import HeldOut, expected_threshold
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import Rate
from outgroup.model import check_suits
from outgroup.selection.auto import choose_strategy
from outgroup.selection.comparison import StrategyResult, source_rates
from outgroup.selection.resamples import N_RESAMPLES, Resamples
from outgroup.selection.scenarios import Scenario
from outgroup.selection.trade_off import SHARES, TradeOff
from outgroup.selection.unknowns import Unknowns
from outgroup.strategies import FoldedRows, Scores, Strategy, take
from outgroup.training_set import TrainingSet

#: Images that the time to score one is taken from, and that the model for it learns from.
TIMED, LEARNED_FOR_TIMING = 256, 1_000


@dataclass(frozen=True)
class Answers:
    """What a strategy accepts in a scenario: (n_asked,), and by other thresholds as columns.

    Those that redrawn known images lay, and those above which there are other `SHARES` of them.
    """

    accepted: NDArray[np.bool_]
    redrawn: NDArray[np.bool_]
    by_share: NDArray[np.bool_]


class StrategyRun:
    """One strategy on its way through the scenarios.

    Parameters
    ----------
    name : str
        For `choose_strategy`.
    data : TrainingSet
        What is compared on.
    share : float
        Share of new known images that may be expected above its threshold.
    n_folds : int
        As for `fit_model`.
    resamples : Resamples
        The known images of `data`, drawn again.
    """

    def __init__(
        self, name: str, data: TrainingSet, share: float, n_folds: int, resamples: Resamples
    ) -> None:
        self.name = name
        self.data, self.share, self.n_folds = data, share, n_folds
        self.resamples = resamples
        self.strategy = choose_strategy(name)
        self.answers: list[Answers] = []
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
        self.answers = [self._asked(scenario, scores)]

    def meet(self, scenario: Scenario) -> list[Answers]:
        """Return what is accepted where a class is unknown, with parts tuned as at first."""
        if self.problem is not None:
            return []
        scores = self.strategy.with_frozen_parts().cross_fit(scenario.rows)
        return [self._asked(scenario, scores)]

    def accepted(self) -> NDArray[np.bool_]:
        """Return what was accepted in all scenarios, (n_unknown,)."""
        return np.concatenate([answers.accepted for answers in self.answers])

    def redrawn(self) -> NDArray[np.bool_]:
        """Return what redrawn thresholds would have accepted, (n_unknown, n_resamples)."""
        return np.concatenate([answers.redrawn for answers in self.answers])

    def _asked(self, scenario: Scenario, scores: Scores) -> Answers:
        asked = scores.other_score[scenario.asked]
        known = scenario.known(scores.other_score)
        threshold = self._threshold(known)
        by_share = np.array([expected_threshold(known, share)[0] for share in SHARES])
        thresholds = np.full(N_RESAMPLES, threshold)
        if self.strategy.fixed_threshold is None:
            n = len(self.data.y)  # behind these are probes
            thresholds = self.resamples.thresholds(
                scores.other_score[:n], scenario.rows.known[:n], self.share
            )
        column = asked[:, np.newaxis]
        return Answers(asked <= threshold, column <= thresholds, column <= by_share)

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

    def _trade_off(self, unknowns: Unknowns, n_given: int) -> tuple[TradeOff, ...]:
        """Return what other thresholds would do; a strategy with one of its own has no others."""
        if self.known is None or self.strategy.fixed_threshold is not None:
            return ()
        by_share = np.concatenate([answers.by_share for answers in self.answers])
        found = (
            TradeOff.made(share, self.known.n, unknowns.mean(accepted), n_given)
            for share, accepted in zip(SHARES, by_share.T, strict=True)
        )
        return tuple(row for row in found if row is not None)

    def result(self, unknowns: Unknowns, timed: bool, n_given: int) -> StrategyResult:
        """Return all that was measured; `n_given` known images will lay the threshold."""
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
            trade_off=self._trade_off(unknowns, n_given) if some else (),
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
