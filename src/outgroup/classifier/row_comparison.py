"""Compare presets, inputs and a plain baseline on rows that none of them has learned from."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.row_model import RowModel, fit_rows
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.evaluation import Rate
from outgroup.multi_input.encoding import fit_cell_encoder
from outgroup.multi_input.image_statistics import describe_images, make_backgrounds
from outgroup.multi_input.inputs import Inputs, require_one_of
from outgroup.multi_input.network_plan import PRESETS, Preset
from outgroup.multi_input.row_encoder import HeldOutRows, fit_inputs
from outgroup.multi_input.training_rows import TrainingRows, split_rows

#: A logistic regression on statistics of the images and on the columns.
LOGISTIC = "logistic"

#: Probabilities are clipped at this in a logarithm.
LEAST = 1e-7


@dataclass(frozen=True)
class MeanFigure:
    """A mean over rows, with its 95 % interval over resampled units."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class AblationRow:
    """Held-out figures of some of the inputs, over known rows (and labels)."""

    inputs: str  #: "both", "images" or "table"
    log_loss: MeanFigure
    accuracy: MeanFigure
    worse: MeanFigure  #: log loss less that of both, row by row


@dataclass(frozen=True)
class Ablation:
    """Figures of both, images alone and the table alone; printed, a table."""

    rows: tuple[AblationRow, ...]
    n: int
    n_units: int

    def __str__(self) -> str:
        lines = [f"{'inputs':8}{'log loss':24}{'accuracy':24}log loss more than both"]
        lines += [
            f"{row.inputs:8}{row.log_loss!s:24}{row.accuracy!s:24}"
            + ("" if row.inputs == "both" else str(row.worse))
            for row in self.rows
        ]
        groups = "" if self.n_units == self.n else f" in {self.n_units} groups"
        return "\n".join([*lines, f"{self.n} held-out rows{groups}"])


def ablate(
    data: TrainingRows,
    inputs: Inputs,
    preset: Preset,
    target: str,
    seed: int,
    both: HeldOutRows,
    progress: bool | None = None,
) -> Ablation:
    """Train on images alone and on the table alone, in the same folds, and compare with both."""
    if not inputs.images or not inputs.table:
        raise InvalidDataError(
            "There is nothing to compare: the inputs are images or a table alone."
        )
    found = {"both": both}
    for name, kept in (("images", inputs.images), ("table", inputs.table)):
        own = _narrowed(data, inputs, [one.name for one in kept])
        found[name] = fit_inputs(*own, preset, target, seed, progress, f"{name} alone").held_out
    rows, losses = [], {name: _losses(data, one) for name, one in found.items()}
    for name, (loss, right, unit) in losses.items():
        worse = loss - losses["both"][0]
        rows.append(AblationRow(name, *(figure(values, unit) for values in (loss, right, worse))))
    return Ablation(tuple(rows), len(unit), int(unit.max()) + 1)


@dataclass(frozen=True)
class VariantResult:
    """Figures of one variant on rows that it had not seen."""

    name: str  #: a preset, one without an input, or "logistic"
    log_loss: MeanFigure | None = None
    accuracy: MeanFigure | None = None
    worse: MeanFigure | None = None  #: log loss less that of the first, row by row
    backgrounds: Rate | None = None  #: share of the rows with emptied images that is given a class
    others: Rate | None = None  #: share of the negatives that is given a class
    seconds: float = 0.0  #: to learn and to answer
    problem: str | None = None  #: why there are no figures

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        own = asdict(replace(self, backgrounds=None, others=None))
        rates = {"backgrounds": self.backgrounds, "others": self.others}
        return {**own, **{key: rate and rate.to_dict() for key, rate in rates.items()}}


def variants_of(inputs: Inputs, preset: str) -> list[str]:
    """Return the names of the variants: presets, one input less each time, and a baseline."""
    others = [name for name in PRESETS if name != preset]
    less = [f"without {name}" for name in inputs.names] if len(inputs.names) > 1 else []
    return [preset, *others, *less, LOGISTIC]


def compare_variants(
    data: TrainingRows,
    inputs: Inputs,
    target: str,
    preset: str = "two-branch-plus",
    variants: Collection[str] | None = None,
    seed: int = 0,
) -> Iterator[VariantResult]:
    """Train some of `variants_of`, or all, on the same rows; measure them on the same others."""
    there = variants_of(inputs, preset)
    for variant in variants or ():
        require_one_of("strategy", variant, there)
    first: NDArray[np.float64] | None = None
    for variant in [one for one in there if variants is None or one in variants]:
        start = time.perf_counter()
        left = [name for name in inputs.names if variant != f"without {name}"]
        own, less = _narrowed(data, inputs, left)
        made: RowModel | None = None
        try:
            if variant == LOGISTIC:
                held_out = _logistic(own, less, seed)
            else:
                shape = PRESETS.get(variant, PRESETS[preset])
                made = fit_rows(own, less, shape, target, None, seed, what=variant)
                held_out = made.held_out.calibration()
        except (InvalidDataError, InvalidParameterError, InfeasibleTargetError) as error:
            yield VariantResult(variant, problem=str(error))
            continue
        loss, right, unit = _losses(own, held_out)
        yield VariantResult(
            variant,
            figure(loss, unit),
            figure(right, unit),
            None if first is None else figure(loss - first, unit),
            None if made is None else _emptied(made, own),
            None if made is None else _others(made),
            time.perf_counter() - start,
        )
        first = loss if first is None else first


def figure(values: NDArray[Any], unit: NDArray[np.int64]) -> MeanFigure:
    """Return the mean of values (m,), and its percentile interval over resampled units."""
    sums, counts = np.bincount(unit, weights=values), np.bincount(unit)
    draws = np.random.default_rng(0).integers(len(sums), size=(2000, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return MeanFigure(float(np.mean(values)), float(low), float(high))


def _narrowed(
    data: TrainingRows, inputs: Inputs, names: Collection[str]
) -> tuple[TrainingRows, Inputs]:
    """Return rows and inputs with some of the inputs alone; rows are split as before."""
    images = [i for i, bands in enumerate(inputs.images) if bands.name in names]
    columns = [i for i, column in enumerate(inputs.table) if column.name in names]
    cells = replace(
        data.cells,
        images=tuple(data.cells.images[i] for i in images),
        present=data.cells.present[:, images],
        columns=tuple(data.cells.columns[i] for i in columns),
    )
    return replace(data, cells=cells), inputs.only(names)


def _losses(
    data: TrainingRows, held_out: HeldOutRows
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return log loss, whether it is right, and the unit of each known row, (m,) each."""
    known = data.known[held_out.rows]
    rows, P = held_out.rows[known], np.clip(held_out.probabilities[known], LEAST, 1 - LEAST)
    unit = np.unique(data.units[rows], return_inverse=True)[1]
    if data.schema.is_single:
        y = data.targets[rows, 0]
        return -np.log(P[np.arange(len(y)), y]), (P.argmax(axis=1) == y).astype(np.float64), unit
    Y = data.schema.indicator(data.targets[rows])
    loss = np.where(Y >= 0, -np.log(np.where(Y == 1, P, 1 - P)), np.nan)
    right = np.where(Y >= 0, (P > 0.5) == (Y == 1), np.nan)
    return np.nanmean(loss, axis=1), np.nanmean(right, axis=1), unit


def _emptied(made: RowModel, data: TrainingRows) -> Rate | None:
    """Count rows that are given a class although nothing is left in their images."""
    rows = made.held_out.calibration().rows
    cells = data.cells.take(rows[data.known[rows]])
    if not cells.images:
        return None
    draws = np.random.default_rng(0)
    cells = replace(cells, images=tuple(make_backgrounds(list(cells.images), draws)))
    answers = made.model.predict(made.encoder.encode(cells).layers, nearest=0)
    return Rate(int(answers.given.any(axis=1).sum()), len(cells))


def _others(made: RowModel) -> Rate | None:
    """Return the share of negatives that is given a class."""
    for guarantee in made.model.certificate.guarantees:
        if guarantee.population.endswith("like your negatives"):
            return Rate(guarantee.k, guarantee.n)
    return None


def _logistic(data: TrainingRows, inputs: Inputs, seed: int) -> HeldOutRows:
    """Fit a logistic regression, and answer for the rows that calibrate networks."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    split = split_rows(data, 1, seed)
    training, calibration = split.training, split.calibration
    sized = inputs.sized_as(data.cells.images)
    encoder = fit_cell_encoder(sized, data.cells.take(training), data.known[training])
    rows = encoder.encode(data.cells)
    X = np.column_stack([*map(describe_images, rows.images), rows.present, rows.table])
    training = training[data.known[training]]
    several, found = data.schema.is_multi_label, []
    for y in data.schema.indicator(data.targets).T if several else data.targets.T:
        told = training[y[training] >= 0]
        if len(np.unique(y[told])) < 2:  # a label that all rows have
            found.append(np.full((len(calibration), 1), float(y[told[0]])))
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
        P = model.fit(X[told], y[told]).predict_proba(X[calibration])
        found.append(P[:, 1:] if several else P)
    return HeldOutRows(calibration, np.hstack(found), len(calibration))
