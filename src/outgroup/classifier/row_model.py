"""Fit a model on networks with several inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from outgroup.calibration import Budget
from outgroup.explain import learn_reasons
from outgroup.model import ROWS, Model, calibrated_model
from outgroup.multi_input.inputs import Inputs
from outgroup.multi_input.network_plan import Preset
from outgroup.multi_input.row_encoder import HeldOutRows, RowEncoder, fit_inputs
from outgroup.multi_input.training_rows import TrainingRows
from outgroup.strategies.network import LabelNetworkScores, NetworkScores
from outgroup.training_set import TrainingSet


class RowModel(NamedTuple):
    """A trained encoder, the model behind it, and what was held out while training."""

    encoder: RowEncoder
    model: Model
    held_out: HeldOutRows


def fit_rows(
    data: TrainingRows,
    inputs: Inputs,
    preset: Preset,
    target: str,
    budget: Budget | None = None,
    seed: int = 0,
    progress: bool | None = None,
    what: str = "training",
) -> RowModel:
    """Train networks, and calibrate a model on the rows that none of them has learned from."""
    fitted = fit_inputs(data, inputs, preset, target, seed, progress, what)
    schema, units = data.schema, data.units.tolist()
    rows = TrainingSet(fitted.layers, data.targets, schema, groups=units, learned_from=False)
    strategy = LabelNetworkScores() if schema.is_multi_label else NetworkScores()
    calibrating = rows.subset(fitted.held_out.calibration().rows)
    model = calibrated_model(calibrating, strategy, budget, ROWS)
    reasons = learn_reasons(
        schema,
        fitted.layers["last"],
        data.targets,
        rows.strata,
        fitted.probabilities,
        data.units,
        list(data.paths),
    )
    return RowModel(fitted.encoder, replace(model, reasons=reasons), fitted.held_out)
