"""How odd each input of a row is, and a sentence about those that are odder than nearly all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.columns import NameCode
from outgroup.multi_input.encoding import Cells, Encoder
from outgroup.multi_input.tails import Parts
from outgroup.reasons.reasons import reached_by

#: An input is odd if it is odder than this share of known rows that were held out.
ODDER_THAN = 0.99

#: The same in nats.
LEAST = -math.log(1.0 - ODDER_THAN)


def score_inputs(parts: Parts, encoder: Encoder) -> Parts:
    """Return how odd each input is: the largest surprise of the parts that look at it alone.

    Parameters
    ----------
    parts : dict of str to ndarray of shape (n,)
        Parts in nats, NaN where the input is missing.
    encoder : Encoder
        Names the inputs.
    """
    found: Parts = {}
    for name in encoder.inputs.names:
        own = [parts[f"{kind}:{name}"] for kind in KINDS if f"{kind}:{name}" in parts]
        if own:
            found[name] = np.max(np.stack(own), axis=0)
    return found


#: Parts that look at one input.
KINDS = ("image", "branch", "contrast", "column")


def limits(scores: Parts) -> dict[str, float]:
    """Return beyond what each input is odd, from known rows that were held out.

    Of few rows the oddest is not odder than 99 %: then it is what their distribution says.
    """
    return {
        name: max(reached_by(values[~np.isnan(values)], ODDER_THAN), LEAST)
        for name, values in scores.items()
    }


def empty_images(parts: Parts) -> dict[str, NDArray[np.bool_]]:
    """Return of each image input in which rows less stands out than in 99 % of known ones."""
    kind = "contrast:"
    return {
        name.removeprefix(kind): values > LEAST
        for name, values in parts.items()
        if name.startswith(kind)
    }


def explain_inputs(
    scores: Parts,
    beyond: dict[str, float],
    cells: Cells,
    encoder: Encoder,
    ranges: dict[str, tuple[float, float]],
    empty: dict[str, NDArray[np.bool_]],
) -> tuple[dict[str, str], ...]:
    """Say of each row which of its inputs are odd.

    Parameters
    ----------
    scores : dict of str to ndarray of shape (n,)
        What `score_inputs` returned.
    beyond : dict of str to float
        What `limits` returned.
    cells : Cells
        The rows.
    encoder : Encoder
        Names the inputs.
    ranges : dict of str to (float, float)
        Least and largest number of training in each column of numbers.
    empty : dict of str to ndarray of shape (n,), bool
        What `empty_images` returned.
    """
    found: list[dict[str, str]] = [{} for _ in range(len(cells))]
    for i, bands in enumerate(encoder.inputs.images):
        name = bands.name
        _missing(found, name, ~cells.present[:, i], encoder)
        for row in np.flatnonzero(_over(scores, name, beyond)).tolist():
            if name in empty and empty[name][row]:
                found[row][name] = f"nothing stands out in {name} as it does in 99 % of known ones"
            else:
                found[row][name] = (
                    f"{name} is unlike the images of training: odder than 99 % of known ones"
                )
    for code, values in zip(encoder.codes, cells.columns, strict=True):
        name = code.name
        if isinstance(code, NameCode):
            missing = np.array([value is None for value in values])
            for row, value in enumerate(values):
                if value is not None and value not in code.known:
                    found[row][name] = f"{name} {value!r} never occurred in training"
        else:
            missing = np.isnan(values)
            for at in np.flatnonzero(_over(scores, name, beyond)).tolist():
                found[at][name] = _number(name, values[at], ranges.get(name))
        _missing(found, name, missing, encoder)
    return tuple(found)


def _number(name: str, value: float, known: tuple[float, float] | None) -> str:
    if known is None:
        return f"{name} was never there in training"
    low, high = known
    if low <= value <= high:
        return f"{name} {value:g} never occurred in training, nor a number near it"
    return f"{name} {value:g} never occurred in training, which had {low:g} to {high:g}"


def _over(scores: Parts, name: str, beyond: dict[str, float]) -> NDArray[Any]:
    if name not in scores:
        return np.zeros(0, dtype=bool)
    return scores[name] > beyond[name]  # False for NaN


def _missing(
    found: list[dict[str, str]], name: str, missing: NDArray[Any], encoder: Encoder
) -> None:
    if name in encoder.complete:
        for row in np.flatnonzero(missing).tolist():
            found[row][name] = f"{name} is missing, which it never was in training"
