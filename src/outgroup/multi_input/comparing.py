"""Presets, single inputs and a plain baseline, compared on the same rows that none has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.evaluation import Rate
from outgroup.multi_input.ablation import Figure, figure, known_rows, narrowed, row_losses
from outgroup.multi_input.dealing import deal_rows
from outgroup.multi_input.declarations import Inputs
from outgroup.multi_input.encoding import fit_encoder, with_sizes
from outgroup.multi_input.fitting import OTHERS, HeldOutRows, fit_inputs
from outgroup.multi_input.made import make_backgrounds
from outgroup.multi_input.model import InputsModel
from outgroup.multi_input.plans import PRESETS, Preset
from outgroup.multi_input.rowset import RowSet
from outgroup.multi_input.statistics import describe_images

#: A linear model of statistics of the images and the columns, to see what networks are worth.
LOGISTIC = "logistic"


@dataclass(frozen=True)
class WayResult:
    """What one way to answer made of rows that it had not seen.

    Parameters
    ----------
    name : str
        A preset, one without an input, or "logistic".
    log_loss, accuracy : Figure or None
        Of known rows; over several labels, means over labels too.
    worse : Figure or None
        Its log loss less that of the first way, row by row; None of the first.
    backgrounds : Rate or None
        Of the same rows with their images emptied (`make_backgrounds`) the share that is still
        given a class; None without images, or without an other-score.
    others : Rate or None
        Of rows that were given as others, the share that is given a class.
    seconds : float
        To learn and to answer.
    problem : str or None
        Why there are no figures.
    """

    name: str
    log_loss: Figure | None = None
    accuracy: Figure | None = None
    worse: Figure | None = None
    backgrounds: Rate | None = None
    others: Rate | None = None
    seconds: float = 0.0
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        own = asdict(replace(self, backgrounds=None, others=None))
        rates = {"backgrounds": self.backgrounds, "others": self.others}
        return {**own, **{key: rate and rate.to_dict() for key, rate in rates.items()}}


def ways_of(inputs: Inputs, preset: str) -> list[str]:
    """Return the names of what is compared: presets, one input less each time, and a baseline.

    Examples
    --------
    >>> from outgroup.multi_input.declarations import Bands, Numeric
    >>> ways_of(Inputs([Bands("hh")], [Numeric("angle")]), "two-branch")
    ['two-branch', 'two-branch-plus', 'without hh', 'without angle', 'logistic']
    """
    others = [name for name in PRESETS if name != preset]
    less = [f"without {name}" for name in inputs.names] if len(inputs.names) > 1 else []
    return [preset, *others, *less, LOGISTIC]


def compare_ways(
    data: RowSet,
    inputs: Inputs,
    target: str,
    preset: str = "two-branch-plus",
    ways: Sequence[str] | None = None,
    seed: int = 0,
) -> Iterator[WayResult]:
    """Learn in each way from the same rows, and measure on the same others.

    Parameters
    ----------
    data, inputs, target, seed
        As for `fit_inputs`.
    preset : str
        The one whose inputs are taken away, one at a time; it comes first.
    ways : sequence of str or None
        Some of `ways_of`; None: all. The first is what the others are compared with.

    Yields
    ------
    WayResult
        As each is done.

    Raises
    ------
    InvalidParameterError
        If a way is none of these.
    """
    there = ways_of(inputs, preset)
    strange = [way for way in ways or () if way not in there]
    if strange:
        raise InvalidParameterError(
            f"The 'strategy' parameter must be one of {', '.join(map(repr, there))} for a network "
            f"with several inputs. Got {strange[0]!r} instead."
        )
    first: NDArray[np.float64] | None = None
    for way in [one for one in there if ways is None or one in ways]:
        start = time.perf_counter()
        try:
            model, own, held = _answer(data, inputs, target, preset, way, seed)
        except (InvalidDataError, InvalidParameterError, InfeasibleTargetError) as error:
            yield WayResult(way, problem=str(error))
            continue
        loss, right = row_losses(held)
        _, unit = np.unique(held.units[known_rows(held)], return_inverse=True)
        yield WayResult(
            way,
            figure(loss, unit),
            figure(right, unit),
            None if first is None else figure(loss - first, unit),
            None if model is None else _emptied(model, own, held.rows),
            None if model is None else _others(model),
            time.perf_counter() - start,
        )
        first = loss if first is None else first


def _answer(
    data: RowSet, inputs: Inputs, target: str, preset: str, way: str, seed: int
) -> tuple[InputsModel | None, RowSet, HeldOutRows]:
    if way == LOGISTIC:
        return None, data, _logistic(data, inputs, seed)
    shape: Preset = PRESETS[preset if way.startswith("without ") else way]
    left = [name for name in inputs.names if way != f"without {name}"]
    own, less = narrowed(data, inputs, left)
    model, held = fit_inputs(own, less, shape, target, None, seed, what=way)
    return model, own, held.kept()


def _emptied(model: InputsModel, data: RowSet, rows: NDArray[np.int64]) -> Rate | None:
    """Count rows that are given a class although nothing is left in their images."""
    cells = data.cells.take(rows[data.known[rows]])
    if not cells.images:
        return None
    draws = np.random.default_rng(0)
    cells = replace(cells, images=tuple(make_backgrounds(list(cells.images), draws)))
    other = model.score(cells).other
    n_given = int((other.reshape(len(cells), -1) <= model.thresholds).any(axis=1).sum())
    return Rate(n_given, len(cells))


def _others(model: InputsModel) -> Rate | None:
    for promise in model.certificate.promises:
        if promise.population == OTHERS:
            return Rate(promise.k, promise.n)
    return None


def _logistic(data: RowSet, inputs: Inputs, seed: int) -> HeldOutRows:
    """Learn a logistic regression, and answer for the rows that are kept from all ways."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    deal = deal_rows(data, 1, seed)
    own = data.cells.take(deal.used)
    encoder = fit_encoder(with_sizes(inputs, data.cells), own, data.known[deal.used])
    rows = encoder.encode(data.cells)
    X = np.column_stack([*map(describe_images, rows.images), rows.present, rows.table])
    used, kept = deal.used[data.known[deal.used]], deal.kept
    found = []
    for y in data.Y.T if data.Y.ndim == 2 else [data.Y]:
        told = used[y[used] >= 0]
        if len(np.unique(y[told])) < 2:  # a label that all rows have
            found.append(np.full(len(kept), float(y[told[0]])))
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
        said = model.fit(X[told], y[told]).predict_proba(X[kept])
        found.append(said[:, 1] if data.Y.ndim == 2 else said)
    P = np.column_stack(found) if data.Y.ndim == 2 else found[0]
    return HeldOutRows(kept, P, data.Y[kept], data.units[kept], len(kept))
