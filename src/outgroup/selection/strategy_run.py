"""One strategy in all scenarios: what it rejects of the known, and accepts of the unknown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import HeldOut, expected_threshold
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import Rate
from outgroup.model import check_suits
from outgroup.selection.resamples import N_RESAMPLES, Resamples
from outgroup.selection.results import SHARES, StrategyResult, TradeOff, source_rates
from outgroup.selection.scenarios import Scenario
from outgroup.selection.unknowns import Unknowns
from outgroup.strategies import FoldedRows, Strategy, choose_strategy, take
from outgroup.training_set import TrainingSet

#: Images that are scored to measure the time, and images that the model for it learns from.
TIMED, LEARNED_FOR_TIMING = 256, 1_000


@dataclass(frozen=True)
class Answers:
    """What a strategy accepts in a scenario.

    `accepted` is (n_asked,); `resampled` has a column for each threshold from resampled known
    images, `by_share` one for each of `SHARES`.
    """

    accepted: NDArray[np.bool_]
    resampled: NDArray[np.bool_]
    by_share: NDArray[np.bool_]


class StrategyRun:
    """One strategy on its way through the scenarios, which rejects `share` of new known images."""

    def __init__(
        self, name: str, data: TrainingSet, share: float, n_folds: int, resamples: Resamples
    ) -> None:
        self.name = name
        self.data, self.share, self.n_folds = data, share, n_folds
        self.resamples = resamples
        self.strategy = choose_strategy(name, labels=data.schema.is_multi_label)
        self.answers: list[Answers] = []
        self.fit_seconds = 0.0
        self.known_rejected: Rate | None = None
        self.known_right: Rate | None = None
        self.shifted_rejected: Rate | None = None
        self.known: list[HeldOut] = []
        self.problem: str | None = None
        try:
            check_suits(self.strategy, data)
        except InvalidParameterError as error:
            self.problem = str(error)

    def run_first(self, scenario: Scenario) -> None:
        """Fit where all classes are known, and note what becomes of known and unknown images."""
        if self.problem is not None:
            return
        before = scenario.rows.seconds
        class_scores, other_scores = _scored(self.strategy, scenario.rows)
        self.fit_seconds = scenario.rows.seconds - before
        self._count_known(scenario, class_scores, other_scores)
        self.answers = [self._asked(scenario, other_scores)]

    def run(self, scenario: Scenario) -> list[Answers]:
        """Return what is accepted where a class is unknown, with parts tuned as at first."""
        if self.problem is not None:
            return []
        _, other_scores = _scored(self.strategy.with_frozen_parts(), scenario.rows)
        return [self._asked(scenario, other_scores)]

    def run_new_groups(self, mixed: FoldedRows) -> None:
        """Note how many known images of new groups lie above the threshold of known groups."""
        if not self.known:
            return
        _, other_scores = _scored(self.strategy.with_frozen_parts(), mixed)
        rejected = 0
        for o, held_out in enumerate(self.known):
            of_known = HeldOut(other_scores[mixed.targets[:, o] >= 0, o])
            rejected += held_out.rejected(self._threshold(of_known))
        self.shifted_rejected = Rate(rejected, sum(held_out.n for held_out in self.known))

    def accepted(self) -> NDArray[np.bool_]:
        """Return what was accepted in all scenarios, (n_unknown,)."""
        return np.concatenate([answers.accepted for answers in self.answers])

    def resampled(self) -> NDArray[np.bool_]:
        """Return what resampled thresholds would have accepted, (n_unknown, n_resamples)."""
        return np.concatenate([answers.resampled for answers in self.answers])

    def result(self, unknowns: Unknowns, timed: bool, n_given: int) -> StrategyResult:
        """Return all that was measured; `n_given` known images will calibrate the threshold."""
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
            standard_error=unknowns.standard_error(self.resampled()) if some else None,
            trade_off=self._trade_off(unknowns, n_given) if some else (),
            fit_seconds=self.fit_seconds,
            ms_per_image=_ms_per_image(self.strategy.frozen(), self.data) if timed else None,
        )

    def _asked(self, scenario: Scenario, other_scores: NDArray[np.float64]) -> Answers:
        n, n_asked = len(self.data.targets), len(scenario.asked)  # behind the n rows are probes
        accepted = np.zeros(n_asked, dtype=np.bool_)
        resampled = np.zeros((n_asked, N_RESAMPLES), dtype=np.bool_)
        by_share = np.zeros((n_asked, len(SHARES)), dtype=np.bool_)
        for o in range(other_scores.shape[1]):
            known = scenario.known(other_scores, o)
            threshold = self._threshold(known)
            thresholds = np.full(N_RESAMPLES, threshold)
            if self.strategy.fixed_threshold is None:
                rows = scenario.rows.targets[:n, o] >= 0
                thresholds = self.resamples.thresholds(other_scores[:n, o], rows, self.share)
            asked = other_scores[scenario.asked, o]
            shares = np.array([expected_threshold(known, share)[0] for share in SHARES])
            accepted |= asked <= threshold
            resampled |= asked[:, np.newaxis] <= thresholds
            by_share |= asked[:, np.newaxis] <= shares
        return Answers(accepted, resampled, by_share)

    def _count_known(
        self,
        scenario: Scenario,
        class_scores: NDArray[np.float64],
        other_scores: NDArray[np.float64],
    ) -> None:
        rows, schema = scenario.rows, self.data.schema
        rejected = n = n_right = n_known = 0
        for o, where in enumerate(schema.slices):
            y = rows.targets[:, o]
            known = y >= 0
            self.known.append(scenario.known(other_scores, o))
            given = np.zeros(len(y), dtype=np.bool_)
            for fold in np.unique(rows.folds[known]):
                inside = rows.folds == fold
                if not (known & ~inside).any():  # a rare label may be in one fold
                    continue
                threshold = self._threshold(scenario.known(other_scores, o, ~inside))
                held_out = scenario.known(other_scores, o, inside)
                rejected, n = rejected + held_out.rejected(threshold), n + held_out.n
                given |= known & inside & (other_scores[:, o] <= threshold)
            n_right += int((given & (class_scores[:, where].argmax(axis=1) == y)).sum())
            n_known += int(known.sum())
        self.known_rejected = Rate(rejected, n)
        self.known_right = Rate(n_right, n_known)

    def _threshold(self, known: HeldOut) -> float:
        if self.strategy.fixed_threshold is not None:
            return self.strategy.fixed_threshold
        return expected_threshold(known, self.share)[0]

    def _trade_off(self, unknowns: Unknowns, n_given: int) -> tuple[TradeOff, ...]:
        """Return the results at other thresholds; none for a strategy with a fixed threshold."""
        if not self.known or self.strategy.fixed_threshold is not None:
            return ()
        n = min(held_out.n for held_out in self.known)
        by_share = np.concatenate([answers.by_share for answers in self.answers])
        found = (
            TradeOff.made(share, n, unknowns.mean(accepted), n_given)
            for share, accepted in zip(SHARES, by_share.T, strict=True)
        )
        return tuple(row for row in found if row is not None)


def run_all(runs: Sequence[StrategyRun], scenario: Scenario) -> list[list[Answers]]:
    """Return what each strategy accepts in a scenario; nothing where it can't be fitted."""
    answers = [run.run(scenario) for run in runs]
    scenario.rows.forget()  # scores of all rows by all parts
    return answers


def _scored(
    strategy: Strategy, rows: FoldedRows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return held-out class scores, (n, K), and other-scores, (n, n_outputs)."""
    scores = strategy.cross_fit(rows)
    return scores.class_scores, scores.other_score.reshape(len(scores.other_score), -1)


def _ms_per_image(strategy: Strategy, data: TrainingSet) -> float:
    """Return the milliseconds to score an image by a model of at most `LEARNED_FOR_TIMING`."""
    rows = np.linspace(0, len(data.targets) - 1, LEARNED_FOR_TIMING).astype(np.int64)
    has = data.schema.indicator(data.targets)
    needed = [np.flatnonzero(column == value)[:2] for column in has.T for value in (0, 1)]
    rows = np.unique(np.concatenate([rows, *needed]))  # no class may be missing
    y = data.targets if strategy.for_labels else data.y
    strategy.fit(take(data.features, rows), y[rows])
    timed = take(data.features, rows[:TIMED])
    start = time.perf_counter()
    strategy.score(timed)
    return (time.perf_counter() - start) * 1e3 / len(timed["last"])
