"""From rows to a model: deal, train, and choose the threshold from rows kept for it.

One row in five, groups whole, is kept from everything that is learned: networks, scalings, and how
odd is odd. All networks together answer for these rows as they will for new ones, so
that the threshold is the conformal one of just that answer, and its certificate an exact binomial
bound (Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World, section 2.2; Vovk
2012, Conditional validity of inductive conformal predictors). Out-of-fold scores of several
networks would leave more rows to learn from, but a new row gets the mean of networks, where such a
row has the score of one; what can be proven of that is a bound of twice the share, and of each fold
by itself (Bian and Barber 2023, Electronic Journal of Statistics 17, 2044-2066), which is more than
a smaller set that nothing has seen gives away (`benchmarks/inputs_promises.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Budget, Certificate, HeldOut, choose_threshold
from outgroup.embeddings import ProgressBar
from outgroup.multi_input.dealing import Deal, deal_rows
from outgroup.multi_input.declarations import Inputs
from outgroup.multi_input.encoding import Encoder, Rows, fit_encoder, with_sizes
from outgroup.multi_input.graph import Answer, Networks, write_graph
from outgroup.multi_input.learning import train_network
from outgroup.multi_input.model import InputsModel, answered, unit
from outgroup.multi_input.oddities import limits, score_inputs
from outgroup.multi_input.plans import Plan, Preset, make_plan
from outgroup.multi_input.rowset import RowSet
from outgroup.multi_input.scoring import Features, Scorer, features_of, fit_scorer
from outgroup.multi_input.targets import Target
from outgroup.multilabel.thresholds import choose_thresholds
from outgroup.reasons import learn_reasons

OTHERS = "rows like your negatives"
KNOWN = "rows like your known ones"

#: Seeds that one seed has for its networks.
MEMBERS = 1000


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """What was said of rows that had not been seen.

    First those that are kept from all networks, of which all speak together, then those of each
    fold, of which one does.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Which of the training rows, in the order of the row set.
    probabilities : ndarray of shape (m, K), float64
        Of each class.
    Y, units : ndarray
        As in `RowSet`, of these rows.
    n_kept : int
        How many of them are kept from all.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    Y: NDArray[np.int64]
    units: NDArray[np.str_]
    n_kept: int

    def kept(self) -> HeldOutRows:
        """Return the rows that all networks together answered for."""
        n = self.n_kept
        return HeldOutRows(self.rows[:n], self.probabilities[:n], self.Y[:n], self.units[:n], n)


def fit_inputs(
    data: RowSet,
    inputs: Inputs,
    preset: Preset,
    target: str,
    budget: Budget | None = None,
    seed: int = 0,
    progress: bool | None = None,
    what: str = "training",
) -> tuple[InputsModel, HeldOutRows]:
    """Train the networks of a preset, and choose the threshold from rows that none has seen.

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
        Of how rows are dealt, and of networks.
    progress : bool or None, default=None
        Whether to show a progress bar on standard error; None: if it is a terminal.
    what : str, default="training"
        What is said beside it.

    Raises
    ------
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    InvalidDataError
        If a class has too few rows.
    MissingExtraError
        If torch is not installed.
    """
    deal = deal_rows(data, preset.members, seed)
    used = data.cells.take(deal.used)
    encoder = fit_encoder(with_sizes(inputs, data.cells), used, data.known[deal.used])
    rows = encoder.encode(data.cells)
    goal = Target(target, data.classes, preset.made_others > 0 or not data.known.all())
    plan = make_plan(encoder.inputs, preset, encoder.table_width, goal.outputs)
    targets, missing = goal.encode(data.Y), encoder.missing_table()
    weights = []
    with ProgressBar(len(deal.members) * preset.epochs, progress, what=f"{what}, epochs") as bar:
        for i, member in enumerate(deal.members):
            learned = deal.learned(member)
            own = (rows.take(learned), targets[learned], goal, missing)
            weights.append(train_network(plan, *own, seed * MEMBERS + i, bar.advance))
    networks = Networks(write_graph(plan, weights), plan, len(weights))
    answers = networks.run(rows)
    features = features_of(data.cells, rows, encoder, plan)
    scorers, by_one = [], []
    for member, answer in zip(deal.members, answers, strict=True):
        scorers.append(_scorer(data, rows, deal, member, answer, features, encoder, plan, goal))
        by_one.append(goal.probabilities(answer.logits[deal.held_out(member)]))
    kept = deal.kept
    of_kept = [answer.take(kept) for answer in answers]
    said = answered(of_kept, features.take(kept), scorers, encoder, plan, goal)
    known = data.known[kept]
    thresholds, certificate = _thresholds(data, kept, said.other, budget)
    at = np.concatenate([kept, *map(deal.held_out, deal.members)])
    probabilities = np.concatenate([said.probabilities, *by_one])
    held = HeldOutRows(at, probabilities, data.Y[at], data.units[at], len(kept))
    reasons = None
    if target != "multi-label":
        embedded = np.concatenate([unit(answer.fused) for answer in answers], axis=1)
        sure = np.eye(1, len(data.classes)).repeat(len(data), axis=0)
        sure[at] = probabilities
        reasons = learn_reasons(data.classes, embedded, data.Y, sure, data.units, list(data.paths))
    model = InputsModel(
        target=goal,
        encoder=encoder,
        networks=networks,
        scorers=tuple(scorers),
        thresholds=thresholds,
        certificate=certificate,
        known_scores=said.other[known],
        other_scores=said.other[~known],
        beyond=limits(score_inputs({n: v[known] for n, v in said.parts.items()}, encoder)),
        ranges=_ranges(encoder, data),
        reasons=reasons,
    )
    return model, held


def _scorer(
    data: RowSet,
    rows: Rows,
    deal: Deal,
    member: int,
    answer: Answer,
    features: Features,
    encoder: Encoder,
    plan: Plan,
    goal: Target,
) -> Scorer:
    """Learn what known rows are like, and how surprising each part is among them.

    Surprises are learned from all known rows that are not kept: those of its own fold are scored as
    new ones are, but they are few, and from few scenes; a tail that is too thin lets a part rule
    over all others. They weigh parts and promise nothing.
    """
    y = data.Y if data.Y.ndim == 1 else np.zeros(len(data), dtype=np.int64)
    learned = deal.learned(member)
    learned = learned[data.known[learned]]
    images = rows.take(learned).images
    scorer = fit_scorer(
        answer.take(learned), features.take(learned), images, encoder, plan, y[learned]
    )
    every = deal.used[data.known[deal.used]]
    raw = scorer.parts(answer.take(every), features.take(every), encoder, plan, goal)
    scorer.learn_tails({name: values[_has(data, name)[every]] for name, values in raw.items()})
    return scorer


def _has(data: RowSet, part: str) -> NDArray[np.bool_]:
    """Return the rows that a part is usual for: those with the label, or all known ones."""
    if part.startswith("label:"):
        result: NDArray[np.bool_] = data.Y[:, data.classes.index(part.removeprefix("label:"))] == 1
        return result
    return data.known


def _thresholds(
    data: RowSet, kept: NDArray[np.int64], other: NDArray[np.float64], budget: Budget | None
) -> tuple[NDArray[np.float64], Certificate]:
    Y, units, known = data.Y[kept], data.units[kept], data.known[kept]
    if Y.ndim == 2:
        thresholds, certificate = choose_thresholds(other, Y, data.classes, budget, units)
        return thresholds, replace(certificate, method="held-out")
    of_known = HeldOut(other[known], units[known], KNOWN)
    of_others = None if known.all() else HeldOut(other[~known], units[~known], OTHERS)
    found = choose_threshold(of_known, of_others, budget, "held-out")
    return np.array([found.threshold]), found.certificate


def _ranges(encoder: Encoder, data: RowSet) -> dict[str, tuple[float, float]]:
    found = {}
    for code, values in zip(encoder.codes, data.cells.columns, strict=True):
        if not isinstance(values, tuple):
            there = values[data.known & ~np.isnan(values)]
            if len(there):
                found[code.name] = (float(there.min()), float(there.max()))
    return found
