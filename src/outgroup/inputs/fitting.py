"""From rows to a model: fold, train, score what was held out, choose the threshold.

The networks that were trained on folds are the model itself: none is trained again on everything,
so that the threshold belongs to the networks that answer. With one network the rows of its fold are
held out from all that answers, and the threshold is the conformal one of these. With several, a
held-out row has the score of the one network that has not seen it, and a new row the mean of all;
nothing proves that the promise holds for that mean, which spreads less. Where it was measured
(`benchmarks/iceberg.py`), about as many known rows were rejected as the certificate expects, half
of what it promises at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Budget, Certificate, HeldOut, assign_folds, choose_threshold
from outgroup.inputs.declarations import Inputs
from outgroup.inputs.encoding import Encoder, Rows, fit_encoder, with_sizes
from outgroup.inputs.graph import Answer, Networks, write_graph
from outgroup.inputs.learning import train_network
from outgroup.inputs.model import InputsModel, combined, unit
from outgroup.inputs.oddities import limits, score_inputs
from outgroup.inputs.plans import Preset, make_plan
from outgroup.inputs.rowset import RowSet
from outgroup.inputs.scoring import Features, Scorer, features_of, fit_scorer
from outgroup.inputs.tails import Parts
from outgroup.inputs.targets import Target
from outgroup.multilabel.thresholds import choose_thresholds
from outgroup.reasons import learn_reasons

OTHERS = "rows like your negatives"
KNOWN = "rows like your known ones"

#: Folds that rows are dealt into; each network is trained without one of them.
FOLDS = 5


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """What networks said of rows that they had not seen.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Which of the training rows, in the order of the row set.
    probabilities : ndarray of shape (m, K), float64
        Of each class.
    Y, units : ndarray
        As in `RowSet`, of these rows.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    Y: NDArray[np.int64]
    units: NDArray[np.str_]


def fit_inputs(
    data: RowSet,
    inputs: Inputs,
    preset: Preset,
    target: str,
    budget: Budget | None = None,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
) -> tuple[InputsModel, HeldOutRows]:
    """Train the networks of a preset, and choose the threshold from rows that were held out.

    Parameters
    ----------
    data : RowSet
        Rows in the order of their content.
    inputs : Inputs
        What was declared.
    preset : Preset
        See `PRESETS`.
    target : {"binary", "multi-class", "multi-label"}
        What is learned.
    budget : Budget or None
        What the threshold has to keep; None is ``Budget()``.
    seed : int, default=0
        Of folds and networks.
    progress : callable or None
        Called after each epoch of each network.

    Raises
    ------
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    MissingExtraError
        If torch is not installed.
    """
    folds = assign_folds(data.strata, FOLDS, data.units, seed)
    members = [fold for fold in range(FOLDS) if (folds == fold).any()][: preset.members]
    used = np.ones(len(data), dtype=bool) if len(members) > 1 else folds != members[0]
    encoder = fit_encoder(with_sizes(inputs, data.cells), data.cells.take(np.flatnonzero(used)))
    rows = encoder.encode(data.cells)
    goal = Target(target, data.classes, preset.made_others > 0 or not data.known.all())
    plan = make_plan(encoder.inputs, preset, encoder.table_width, goal.outputs)
    targets, missing = goal.encode(data.Y), encoder.missing_table()
    weights = []
    for fold in members:
        learned = np.flatnonzero(folds != fold)
        weights.append(
            train_network(
                plan,
                rows.take(learned),
                targets[learned],
                goal,
                missing,
                seed * FOLDS + fold,
                progress,
            )
        )
    networks = Networks(write_graph(plan, weights), plan, len(weights))
    made = _score(data, rows, folds, members, networks, encoder, goal)
    known = made.known
    if target == "multi-label":
        held_Y = data.Y[made.at]
        thresholds, certificate = choose_thresholds(
            made.other, held_Y, data.classes, budget, data.units[made.at]
        )
    else:
        thresholds, certificate = _one_threshold(made, data, budget, len(members))
    reasons = None
    if target != "multi-label":
        seen = made.probabilities_of(len(data))
        reasons = learn_reasons(
            data.classes, made.embedded, data.Y, seen, data.units, list(data.paths)
        )
    model = InputsModel(
        target=goal,
        encoder=encoder,
        networks=networks,
        scorers=made.scorers,
        thresholds=thresholds,
        certificate=certificate,
        known_scores=made.other[known],
        other_scores=made.other[~known],
        beyond=limits(score_inputs({n: v[known] for n, v in made.parts.items()}, encoder)),
        ranges=_ranges(encoder, data),
        reasons=reasons,
    )
    held = HeldOutRows(made.at, made.probabilities, data.Y[made.at], data.units[made.at])
    return model, held


@dataclass(eq=False)
class _Scored:
    """Held-out scores: of rows `at`, in that order."""

    at: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    other: NDArray[np.float64]
    parts: Parts
    known: NDArray[np.bool_]
    scorers: tuple[Scorer, ...]
    embedded: NDArray[np.float64]

    def probabilities_of(self, n: int) -> NDArray[np.float64]:
        """Return (n, K), rows that no network was without having a sure answer."""
        found = np.zeros((n, self.probabilities.shape[1]))
        found[:, 0] = 1.0
        found[self.at] = self.probabilities
        return found


def _score(
    data: RowSet,
    rows: Rows,
    folds: NDArray[np.int64],
    members: list[int],
    networks: Networks,
    encoder: Encoder,
    goal: Target,
) -> _Scored:
    """Fit a scorer for each network, and score the rows that it has not seen."""
    plan, known = networks.plan, data.known
    y = data.Y if data.Y.ndim == 1 else np.zeros(len(data), dtype=np.int64)
    features = features_of(data.cells, rows, encoder, plan)
    scorers, embedded, held = [], [], []
    for fold, answer in zip(members, networks.run(rows), strict=True):
        learned = np.flatnonzero((folds != fold) & known)
        out = np.flatnonzero(folds == fold)
        scorer = fit_scorer(
            _answer(answer, learned), _features(features, learned), encoder, plan, y[learned]
        )
        raw = scorer.parts(_answer(answer, out), _features(features, out), encoder, plan, goal)
        scorer.learn_tails({name: values[_has(data, name)[out]] for name, values in raw.items()})
        parts = scorer.surprises(raw)
        logits = answer.logits[out]
        held.append((out, goal.probabilities(logits), combined(parts, goal), parts))
        scorers.append(scorer)
        embedded.append(unit(answer.fused))
    at = np.concatenate([one[0] for one in held])
    return _Scored(
        at=at,
        probabilities=np.concatenate([one[1] for one in held]),
        other=np.concatenate([one[2] for one in held]),
        parts={name: np.concatenate([one[3][name] for one in held]) for name in held[0][3]},
        known=known[at],
        scorers=tuple(scorers),
        embedded=np.concatenate(embedded, axis=1),
    )


def _has(data: RowSet, part: str) -> NDArray[np.bool_]:
    """Return the rows that a part is usual for: those with the label, or all known ones."""
    if part.startswith("label:"):
        result: NDArray[np.bool_] = data.Y[:, data.classes.index(part.removeprefix("label:"))] == 1
        return result
    return data.known


def _one_threshold(
    made: _Scored, data: RowSet, budget: Budget | None, members: int
) -> tuple[NDArray[np.float64], Certificate]:
    units, known = data.units[made.at], made.known
    of_known = HeldOut(made.other[known], units[known], KNOWN)
    of_others = None
    if not known.all():
        of_others = HeldOut(made.other[~known], units[~known], OTHERS)
    method = "out-of-fold" if members > 1 else "held-out"
    found = choose_threshold(of_known, of_others, budget, method)
    return np.array([found.threshold]), found.certificate


def _answer(answer: Answer, rows: NDArray[np.int64]) -> Answer:
    return Answer(
        answer.logits[rows], answer.fused[rows], tuple(one[rows] for one in answer.branches)
    )


def _features(features: Features, rows: NDArray[np.int64]) -> Features:
    return Features(
        {name: values[rows] for name, values in features.statistics.items()},
        tuple(
            tuple(column[i] for i in rows) if isinstance(column, tuple) else column[rows]
            for column in features.columns
        ),
        {name: there[rows] for name, there in features.present.items()},
        features.whole[rows],
    )


def _ranges(encoder: Encoder, data: RowSet) -> dict[str, tuple[float, float]]:
    found = {}
    for code, values in zip(encoder.codes, data.cells.columns, strict=True):
        if not isinstance(values, tuple):
            there = values[data.known & ~np.isnan(values)]
            if len(there):
                found[code.name] = (float(there.min()), float(there.max()))
    return found
