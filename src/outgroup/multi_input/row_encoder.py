"""Networks with several inputs as an encoder: rows in, layers out, like a backbone.

One row in five, groups whole, calibrates: no network, no scaling and no scorer learns from it. All
networks together answer for these rows as they will for new ones, so that the threshold is the
split conformal one, and its certificate an exact binomial bound (Vovk 2012, Conditional validity of
inductive conformal predictors). Out-of-fold scores, each by one network, would leave more rows to
learn from, but prove only a bound of twice the share (Bian and Barber 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup._features import CLASS_SCORES, OTHER_SCORES, take
from outgroup._numeric import unit_rows
from outgroup.calibration.bounds import conformal_quantile
from outgroup.embeddings import ProgressBar
from outgroup.label_schema import LabelSchema
from outgroup.multi_input.encoding import CellEncoder, NameCode, fit_cell_encoder, presence
from outgroup.multi_input.inputs import Inputs, Numeric
from outgroup.multi_input.network_graph import Networks, write_graph
from outgroup.multi_input.network_plan import OutputLayer, Plan, Preset, make_plan
from outgroup.multi_input.row_learning import train_network
from outgroup.multi_input.row_scoring import (
    Layers,
    Parts,
    Scorer,
    fit_scorer,
    fit_tail,
    row_layers,
    together,
)
from outgroup.multi_input.row_table import Cells
from outgroup.multi_input.training_rows import TrainingRows, split_rows

#: Seeds that one seed has for its networks.
MEMBERS = 1000

#: An input is odd if it is odder than this share of known rows that were held out.
ODDER_THAN = 0.99

#: The same in nats.
ODD = -math.log(1.0 - ODDER_THAN)


class EncodedRows(NamedTuple):
    """Layers "last", "class_scores", "other_scores" of n rows; NaN for rows that can't be read."""

    layers: dict[str, NDArray[np.float64]]
    input_scores: dict[str, NDArray[np.float64]]  #: as in `Predictions`
    odd_inputs: tuple[dict[str, str], ...]  #: as in `Predictions`


@dataclass(frozen=True, eq=False)
class RowEncoder:
    """Trained networks with their scorers; class scores and other-scores are means over them."""

    output_layer: OutputLayer
    cell_encoder: CellEncoder
    networks: Networks
    scorers: tuple[Scorer, ...]  #: one for each network
    beyond: dict[str, float] = field(default_factory=dict)  #: score above which an input is odd
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)  #: of numbers in training

    @property
    def plan(self) -> Plan:
        """The shape of each network."""
        return self.networks.plan

    @property
    def schema(self) -> LabelSchema:
        """Outputs and classes."""
        return self.output_layer.schema

    @property
    def width(self) -> int:
        """Length of a row of the layer "last"."""
        return self.plan.preset.hidden[-1] * len(self.scorers)

    def encode(self, cells: Cells) -> EncodedRows:
        """Return the layers of n rows."""
        layers, parts = self.score(row_layers(cells, self.cell_encoder, self.networks))
        scores = self.input_scores(parts)
        odd = self._odd_inputs(scores, parts, cells)
        unreadable = np.array([error is not None for error in cells.errors])
        for values in (layers[CLASS_SCORES], layers[OTHER_SCORES], *scores.values()):
            values[unreadable] = np.nan
        told = zip(odd, cells.errors, strict=True)
        return EncodedRows(layers, scores, tuple({} if error else own for own, error in told))

    def score(self, of_each: Sequence[Layers]) -> tuple[dict[str, NDArray[np.float64]], Parts]:
        """Return the layers of n rows, and their parts in nats, from `row_layers`."""
        layer, schema = self.output_layer, self.schema
        pairs = zip(self.scorers, of_each, strict=True)
        each = [scorer.surprises(own, layer) for scorer, own in pairs]
        layers = {
            "last": np.concatenate([unit_rows(own["hidden"]) for own in of_each], axis=1),
            CLASS_SCORES: np.mean([layer.probabilities(own["logits"]) for own in of_each], axis=0),
            OTHER_SCORES: np.mean([_other_scores(parts, schema) for parts in each], axis=0),
        }
        return layers, {name: np.mean([one[name] for one in each], axis=0) for name in each[0]}

    def input_scores(self, parts: Parts) -> Parts:
        """Return how odd each input is: the largest surprise of the parts that look at it alone."""
        found: Parts = {}
        for name in self.cell_encoder.inputs.names:
            kinds = ("image", "branch", "contrast", "column")
            own = [parts[f"{kind}:{name}"] for kind in kinds if f"{kind}:{name}" in parts]
            if own:
                found[name] = np.max(own, axis=0)
        return found

    def _odd_inputs(self, scores: Parts, parts: Parts, cells: Cells) -> list[dict[str, str]]:
        """Return for each row a sentence about each of its odd inputs."""
        encoder = self.cell_encoder
        found: list[dict[str, str]] = [{} for _ in range(len(cells))]
        codes = {code.name: code for code in encoder.codes}
        columns = dict(zip(codes, cells.columns, strict=True))
        for name, there in presence(encoder.inputs, cells).items():
            code, odd = codes.get(name), np.zeros(len(there), dtype=bool)
            if isinstance(code, NameCode):
                odd = there & [value not in code.known for value in columns[name]]
            elif name in scores:
                odd = scores[name] > self.beyond[name]  # False for NaN
            for row in np.flatnonzero(odd).tolist():
                if isinstance(code, NameCode):
                    told = f"{name} {columns[name][row]!r} never occurred in training"
                elif code is not None:
                    told = self._odd_number(name, columns[name][row])
                elif f"contrast:{name}" in parts and parts[f"contrast:{name}"][row] > ODD:
                    told = f"nothing stands out in {name} as it does in 99 % of known ones"
                else:
                    told = f"{name} is unlike the images of training: odder than 99 % of known ones"
                found[row][name] = told
            for row in np.flatnonzero(~there).tolist() if name in encoder.complete else ():
                found[row][name] = f"{name} is missing, which it never was in training"
        return found

    def _odd_number(self, name: str, value: float) -> str:
        if name not in self.ranges:
            return f"{name} was never there in training"
        low, high = self.ranges[name]
        if low <= value <= high:
            return f"{name} {value:g} never occurred in training, nor a number near it"
        return f"{name} {value:g} never occurred in training, which had {low:g} to {high:g}"


def _other_scores(parts: Parts, schema: LabelSchema) -> NDArray[np.float64]:
    """Return the other-score of rows in each output, (n, n_outputs)."""
    total = together({name: one for name, one in parts.items() if not name.startswith("label:")})
    if not schema.is_multi_label:
        return total[:, np.newaxis]
    labels = [parts[f"label:{name}"] for name in schema.class_names]
    return np.column_stack([together({"row": total, "label": own}) for own in labels])


class HeldOutRows(NamedTuple):
    """Class probabilities (m, K) of rows, by networks that had not seen them."""

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    n_calibration: int  #: rows that calibrate come first; all networks answer for them

    def calibration(self) -> HeldOutRows:
        """Return the rows that calibrate."""
        n = self.n_calibration
        return HeldOutRows(self.rows[:n], self.probabilities[:n], n)


class FittedRows(NamedTuple):
    """A trained encoder, and what it gave for the n training rows."""

    encoder: RowEncoder
    held_out: HeldOutRows
    layers: dict[str, NDArray[np.float64]]
    probabilities: NDArray[np.float64]  #: (n, K), by networks that had not seen the row if possible


def fit_inputs(
    data: TrainingRows,
    inputs: Inputs,
    preset: Preset,
    target: str,
    seed: int = 0,
    progress: bool | None = None,
    what: str = "training",
) -> FittedRows:
    """Train the networks of a preset; `what` is the text beside the progress bar."""
    split, cells, known = split_rows(data, preset.members, seed), data.cells, data.known
    training, calibration = split.training, split.calibration
    sized = inputs.sized_as(cells.images)
    encoder = fit_cell_encoder(sized, cells.take(training), known[training])
    rows = encoder.encode(cells)
    gate = preset.made_others > 0 or not known.all()
    layer = OutputLayer(target, data.schema.class_names, gate)
    plan = make_plan(sized, preset, encoder.table_width, layer.width)
    wanted, missing = layer.encode(data.targets), encoder.missing_table()
    weights = []
    with ProgressBar(len(split.members) * preset.epochs, progress, what=f"{what}, epochs") as bar:
        for i, member in enumerate(split.members):
            own = split.learned(member)
            given = (rows.take(own), wanted[own], layer, missing)
            weights.append(train_network(plan, *given, seed * MEMBERS + i, bar.advance))
    networks = Networks(write_graph(plan, weights), plan, len(weights))
    of_each = row_layers(cells, encoder, networks)
    # Surprises are learned from all known training rows: the few of one fold, of few scenes, would
    # give tails so thin that one part outweighs all others.
    every = training[known[training]]
    y = data.targets[:, 0] if data.schema.is_single else np.zeros(len(data), dtype=np.int64)
    scorers, by_one = [], []
    for member, layers in zip(split.members, of_each, strict=True):
        own = split.learned(member)
        own = own[known[own]]
        scorer = fit_scorer(take(layers, own), rows.take(own).images, encoder, y[own])
        tails = {
            name: fit_tail(scores[_usual(data, name)[every] & ~np.isnan(scores)])
            for name, scores in scorer.scores(take(layers, every), layer).items()
        }
        scorers.append(replace(scorer, tails=tails))
        by_one.append(layer.probabilities(layers["logits"][split.held_out(member)]))
    ranges = {}
    for one_input, column in zip(inputs.table, cells.columns, strict=True):
        if isinstance(one_input, Numeric) and not np.isnan(column[known]).all():
            there = column[known]
            ranges[one_input.name] = (float(np.nanmin(there)), float(np.nanmax(there)))
    fitted = RowEncoder(layer, encoder, networks, tuple(scorers), ranges=ranges)
    layers, parts = fitted.score(of_each)
    odd = calibration[known[calibration]]
    known_parts = {name: scores[odd] for name, scores in parts.items()}
    fitted = replace(fitted, beyond=_limits(fitted.input_scores(known_parts)))
    at = np.concatenate([calibration, *map(split.held_out, split.members)])
    found = np.concatenate([layers[CLASS_SCORES][calibration], *by_one])
    probabilities = np.eye(1, len(layer.classes)).repeat(len(data), axis=0)
    probabilities[at] = found
    return FittedRows(fitted, HeldOutRows(at, found, len(calibration)), layers, probabilities)


def _usual(data: TrainingRows, part: str) -> NDArray[np.bool_]:
    """Return the rows that a part is usual for: those with the label, or all known ones."""
    if part.startswith("label:"):
        label = part.removeprefix("label:")
        return np.asarray(data.has[:, data.schema.class_names.index(label)])
    return data.known


def _limits(scores: Parts) -> dict[str, float]:
    """Return the score of each input beyond which it is odd, from known rows that were held out."""
    return {
        name: max(conformal_quantile(values[~np.isnan(values)], ODDER_THAN), ODD)
        for name, values in scores.items()
    }
