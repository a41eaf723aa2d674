"""Encoders with several inputs to and from JSON values and named arrays, checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.codec import Arrays, finite_number, flatten, names, restore
from outgroup.detectors import FeatureDetector
from outgroup.errors import ModelFileError
from outgroup.multi_input.cells import MAX_NUMBERS
from outgroup.multi_input.encoding import CellEncoder, Code, NameCode, NumberCode, Scaling
from outgroup.multi_input.image_statistics import Contrast
from outgroup.multi_input.inputs import Inputs, Numeric
from outgroup.multi_input.network_graph import Networks
from outgroup.multi_input.network_plan import Block, OutputLayer, Preset, make_plan
from outgroup.multi_input.row_encoder import RowEncoder
from outgroup.multi_input.row_scoring import SHARES, KnownNames, KnownNumbers, Novelty, Scorer, Tail
from outgroup.multi_input.row_table import Cells
from outgroup.multi_input.training_rows import TARGETS


def flatten_encoder(encoder: RowEncoder) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON part of an encoder, and its arrays by dotted name."""
    arrays: dict[str, NDArray[Any]] = {}
    codes = encoder.cell_encoder.codes
    scorers = []
    for i, scorer in enumerate(encoder.scorers):
        detectors: dict[str, Any] = {}
        contrasts: list[str] = []
        for part, detector in scorer.detectors.items():
            if isinstance(detector, FeatureDetector):
                detectors[part], own = flatten(detector, f"scorers.{i}.{part}")
                arrays.update(own)
            elif isinstance(detector, Contrast):
                contrasts.append(part.removeprefix("contrast:"))
                both = np.stack([detector.centre, detector.spread])
                arrays[f"scorers.{i}.contrast.{contrasts[-1]}"] = both
        counts: list[dict[str, int] | None] = []
        for j, code in enumerate(codes):
            known = scorer.detectors[f"column:{code.name}"]
            counts.append(known.counts if isinstance(known, KnownNames) else None)
            if isinstance(known, KnownNumbers):
                arrays[f"scorers.{i}.column.{j}"] = known.values
        tails = {name: asdict(tail) for name, tail in scorer.tails.items()}
        parts = {"detectors": detectors, "contrasts": contrasts, "counts": counts, "tails": tails}
        scorers.append(parts)
    return {
        "target": asdict(encoder.output_layer),
        "cells": flatten_cell_encoder(encoder.cell_encoder),
        "preset": asdict(encoder.plan.preset),
        "scorers": scorers,
        "beyond": encoder.beyond,
        "ranges": encoder.ranges,
    }, arrays


def restore_encoder(described: Mapping[str, Any], arrays: Arrays, network: bytes) -> RowEncoder:
    """Build what `flatten_encoder` took apart, with the networks as ONNX, or raise anything."""
    encoder = restore_cell_encoder(described["cells"])
    kind, gate = described["target"]["kind"], described["target"]["gate"]
    _check(kind in TARGETS and type(gate) is bool, "target")
    layer = OutputLayer(kind, names(described["target"]["classes"], "classes"), gate)
    _check(kind != "binary" or len(layer.classes) == 2, "classes")
    blocks = tuple(Block(**block) for block in described["preset"]["blocks"])
    hidden = tuple(int(units) for units in described["preset"]["hidden"])
    preset = Preset(**{**described["preset"], "blocks": blocks, "hidden": hidden})
    plan = make_plan(encoder.inputs, preset, encoder.table_width, layer.width)
    scorers = [
        _restore_scorer(one, arrays, f"scorers.{i}", encoder.codes)
        for i, one in enumerate(described["scorers"])
    ]
    _check(len(scorers) > 0, "scorers")
    return RowEncoder(
        layer,
        encoder,
        Networks(network, plan, len(scorers)),
        tuple(scorers),
        {name: finite_number(value, "beyond") for name, value in described["beyond"].items()},
        {name: _numbers(pair, 2, "ranges") for name, pair in described["ranges"].items()},
    )


def flatten_cell_encoder(encoder: CellEncoder) -> dict[str, Any]:
    """Return JSON values; `restore_cell_encoder` reads them back."""
    return {
        "inputs": encoder.inputs.to_dict(),
        "scalings": [asdict(scaling) for scaling in encoder.scalings],
        "codes": [{"kind": code.kind, **asdict(code)} for code in encoder.codes],
        "complete": list(encoder.complete),
    }


def restore_cell_encoder(described: Mapping[str, Any]) -> CellEncoder:
    """Build what `flatten_cell_encoder` took apart, or raise anything."""
    inputs = Inputs.from_dict(described["inputs"])
    scalings = []
    for one, bands in zip(described["scalings"], inputs.images, strict=True):
        centre, spread = (
            _numbers(one[key], bands.channels, "scalings") for key in ("centre", "spread")
        )
        _check(one["kind"] == bands.scaling and min(spread, default=1.0) > 0, "scalings")
        _check(bands.size is not None, "size")
        height, width = bands.size or (0, 0)
        if bands.channels * height * width > MAX_NUMBERS:
            raise ModelFileError(f"is damaged: images of {bands.name!r} are too large.")
        floor = finite_number(one["floor"], "scalings")
        scalings.append(Scaling(bands.scaling, centre, spread, floor))
    codes: list[Code] = []
    for one, column in zip(described["codes"], inputs.table, strict=True):
        _check(one["kind"] == column.kind and one["name"] == column.name, "codes")
        if isinstance(column, Numeric):
            middle, width = _numbers([one["centre"], one["spread"]], 2, "codes")
            codes.append(NumberCode(column.name, middle, width, one["indicator"] is True))
        else:
            _check(all(isinstance(name, str) for name in one["known"]), "codes")
            codes.append(NameCode(column.name, tuple(one["known"])))
    complete = tuple(name for name in inputs.names if name in described["complete"])
    return CellEncoder(inputs, tuple(scalings), tuple(codes), complete)


def golden_cells(encoder: CellEncoder) -> Cells:
    """Return a row that any model with these inputs can read: ripples, medians, first names."""
    images = []
    for bands, scaling in zip(encoder.inputs.images, encoder.scalings, strict=True):
        assert bands.size is not None
        y, x = np.mgrid[0 : bands.size[0], 0 : bands.size[1]]
        ripple = np.sin(x / 3.0) + np.cos(y / 5.0)
        channels = [c + s * ripple for c, s in zip(scaling.centre, scaling.spread, strict=True)]
        image = np.stack(channels)[np.newaxis]
        image = 10.0 ** (image / 10.0) if scaling.kind == "dB" else image
        images.append(image.astype(np.float32))
    columns = [
        np.array([code.known[0] if code.known else "none"], dtype=object)
        if isinstance(code, NameCode)
        else np.array([code.centre])
        for code in encoder.codes
    ]
    present = np.ones((1, len(images)), dtype=bool)
    return Cells(tuple(images), present, tuple(columns), (None,))


def _restore_scorer(
    described: Mapping[str, Any], arrays: Arrays, prefix: str, codes: tuple[Code, ...]
) -> Scorer:
    detectors: dict[str, Novelty] = {
        part: restore(one, arrays, f"{prefix}.{part}", FeatureDetector)
        for part, one in described["detectors"].items()
    }
    for name in described["contrasts"]:
        both = arrays[f"{prefix}.contrast.{name}"]
        _check(both.ndim == 2 and len(both) == 2 and np.isfinite(both).all(), "contrasts")
        _check((both[1] > 0).all(), "contrasts")
        detectors[f"contrast:{name}"] = Contrast(both[0], both[1])
    for j, (code, counts) in enumerate(zip(codes, described["counts"], strict=True)):
        if isinstance(code, NumberCode):
            detectors[f"column:{code.name}"] = KnownNumbers(
                arrays[f"{prefix}.column.{j}"], code.spread
            )
        else:
            _check(all(type(n) is int and n > 0 for n in counts.values()), "counts")
            detectors[f"column:{code.name}"] = KnownNames(dict(counts))
    tails = {}
    for name, one in described["tails"].items():
        quantiles = _numbers(one["quantiles"], len(SHARES), "tails")
        excess = finite_number(one["excess"], "tails")
        _check(list(quantiles) == sorted(quantiles) and excess > 0, "tails")
        tails[name] = Tail(quantiles, excess)
    return Scorer(detectors, tails)


def _numbers(values: Any, n: int, what: str) -> Any:
    """Return a list of n numbers as a tuple."""
    _check(isinstance(values, list) and len(values) == n, what)
    return tuple(finite_number(value, what) for value in values)


def _check(right: bool | np.bool_, what: str) -> None:
    if not right:
        raise ValueError(f"{what!r} is not what it must be")
