"""Fitted models to and from JSON values and named arrays, checked when they are read.

A file may be written by anybody. What is wrong in it must be found when it is opened, and not while
predicting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN, Component, State
from outgroup._registry import Registry
from outgroup.calibration import Budget, Certificate
from outgroup.detectors import DETECTORS
from outgroup.explain import LIMIT, Reasons, References
from outgroup.heads import HEADS
from outgroup.label_schema import LabelSchema, Output
from outgroup.model import Model
from outgroup.strategies import LABEL_STRATEGIES, STRATEGIES, Strategy
from outgroup.strategies.network import NETWORK_SCORES

Arrays = Mapping[str, NDArray[Any]]

#: Where a component is found, by the kind that is written beside its name.
REGISTRIES: dict[str, Registry[Any]] = {
    "strategy": STRATEGIES,
    "label-strategy": LABEL_STRATEGIES,
    "network-score": NETWORK_SCORES,
    "head": HEADS,
    "detector": DETECTORS,
}


@dataclass(frozen=True)
class TrainingInfo:
    """What a model was trained on."""

    fingerprint: str  #: hash of content and label of every image, in any order
    class_counts: dict[str, int]  #: readable images by class
    n_others: int  #: readable negatives
    n_unreadable: int
    options: dict[str, Any] = field(default_factory=dict)  #: those that training was called with

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Any) -> TrainingInfo:
        """Build it from what `to_dict` returned; anything else is a `TypeError` or `ValueError`."""
        found = cls(**value)
        _check(isinstance(found.fingerprint, str), "fingerprint")
        _check(isinstance(found.class_counts, dict), "class_counts")
        _check(all(map(_is_count, found.class_counts.values())), "class_counts")
        _check(_is_count(found.n_others) and _is_count(found.n_unreadable), "training")
        _check(isinstance(found.options, dict), "options")
        options = found.options
        if options.get("label_columns") is not None:
            names(options["label_columns"], "label_columns")
        Budget(
            options.get("max_known_rejected", "auto"),
            options.get("max_other_accepted"),
            options.get("confidence", 0.95),
        )
        return found


def flatten_model(model: Model) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON part of a model, and its arrays by dotted name."""
    strategies, arrays = [], {}
    for i, strategy in enumerate(model.strategies):
        described, own = flatten(strategy, f"strategies.{i}")
        strategies.append(described)
        arrays.update(own)
    arrays["calibration.known_scores"] = model.known_scores
    arrays["calibration.other_scores"] = model.other_scores
    reasons = None
    if model.reasons is not None:
        kept = model.reasons.references
        text = "\0".join(path or "" for path in kept.paths)  # no path has a zero byte
        paths = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        reasons = {
            "closeness": model.reasons.closeness.tolist(),
            "reach": model.reasons.reach.tolist(),
        }
        arrays["references.directions"] = kept.directions
        arrays["references.targets"] = kept.targets
        arrays["references.paths"] = paths
    return {
        "outputs": [{"name": o.name, "classes": list(o.classes)} for o in model.schema.outputs],
        "threshold": model.threshold,
        "offsets": model.offsets.tolist(),
        "certificate": model.certificate.to_dict(),
        "strategies": strategies,
        "reasons": reasons,
    }, arrays


def restore_model(manifest: Mapping[str, Any], arrays: Arrays, size: int) -> Model:
    """Build what `flatten_model` took apart, for embeddings of length `size`, or raise anything."""
    schema = LabelSchema(
        tuple(
            Output(one["name"], names(one["classes"], "classes"))
            for one in _list(manifest["outputs"], "outputs")
        )
    )
    _check(all(isinstance(output.name, str) for output in schema.outputs), "outputs")
    offsets = _numbers(manifest["offsets"], "offsets")
    _check(len(offsets) == len(schema.outputs), "offsets")
    described = _list(manifest["strategies"], "strategies")
    _check(len(described) == len(schema.parts), "strategies")
    strategies = []
    for i, (outputs, one) in enumerate(zip(schema.parts, described, strict=True)):
        strategy = restore(one, arrays, f"strategies.{i}", Strategy)
        _check(strategy.for_labels == schema.outputs[outputs[0]].is_label, "strategies")
        strategies.append(strategy)
    return Model(
        schema=schema,
        strategies=tuple(strategies),
        threshold=finite_number(manifest["threshold"], "threshold"),
        offsets=offsets,
        certificate=_certificate(manifest["certificate"]),
        known_scores=_scores(arrays["calibration.known_scores"], "known_scores"),
        other_scores=_scores(arrays["calibration.other_scores"], "other_scores"),
        reasons=_reasons(manifest["reasons"], arrays, schema, size),
    )


def flatten(component: Component, prefix: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON part of a component, and its arrays with dotted names below `prefix`."""
    cls = type(component)
    kind = next(k for k, registry in REGISTRIES.items() if any(c is cls for _, c in registry))
    state = component.state()
    arrays = {f"{prefix}.{name}": values for name, values in state.arrays.items()}
    parts = {}
    for name in component.fitted_parts():
        parts[name], own = flatten(getattr(component, name), f"{prefix}.{name}")
        arrays.update(own)
    described = {"kind": kind, "name": state.name, "parameters": state.parameters, "parts": parts}
    return described, arrays


def restore(described: Mapping[str, Any], arrays: Arrays, prefix: str, kind: type[Any]) -> Any:
    """Build a fitted component of a kind from what `flatten` returned for a prefix."""
    cls: type[Component] = REGISTRIES[described["kind"]].get(described["name"])
    if not issubclass(cls, kind):
        raise TypeError(f"{described['name']!r} is no {kind.__name__}")
    parts = {
        name: restore(described["parts"][name], arrays, f"{prefix}.{name}", Component)
        for name in cls.parts
        if name in described["parts"] or name not in cls.optional_parts
    }
    own = {name: arrays[f"{prefix}.{name}"] for name in cls.arrays}
    return cls.from_state(State(described["name"], described["parameters"], own), parts)


def names(value: Any, what: str) -> tuple[str, ...]:
    """Return a list of different texts as a tuple, or raise `ValueError`."""
    _check(all(isinstance(text, str) for text in _list(value, what)), what)
    _check(bool(value) and len(set(value)) == len(value), what)
    return tuple(value)


def finite_number(value: Any, what: str) -> float:
    """Return a number that is neither NaN nor infinite, or raise `ValueError`."""
    _check(type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value), what)
    return float(value)


def _reasons(described: Any, arrays: Arrays, schema: LabelSchema, size: int) -> Reasons | None:
    if described is None:
        return None
    closeness = _numbers(described["closeness"], "closeness")
    reach = _numbers(described["reach"], "reach")
    _check(len(closeness) == len(schema.outputs) and (closeness >= 0).all(), "closeness")
    _check(len(reach) == len(schema.class_names), "reach")
    directions, targets = arrays["references.directions"], arrays["references.targets"]
    m = len(targets)
    _check(directions.dtype == np.int8 and directions.shape == (m, size), "directions")
    _check(m <= max(LIMIT, len(schema.class_names) + 1), "directions")
    _check(targets.dtype == np.int32 and targets.shape == (m, len(schema.outputs)), "targets")
    sizes, least = [len(output.classes) for output in schema.outputs], UNSEEN
    if schema.is_single:  # then they are in the order of their classes, and all are known
        least = OTHER
        _check((np.diff(targets[:, 0]) >= 0).all(), "targets")
    _check(((targets >= least) & (targets < np.array(sizes))).all(), "targets")
    paths = _paths(arrays["references.paths"])
    _check(len(paths) == max(m, 1), "paths")
    return Reasons(References(schema, directions, targets, paths[:m]), closeness, reach)


def _paths(values: NDArray[Any]) -> tuple[str | None, ...]:
    _check(values.dtype == np.uint8 and values.ndim == 1, "paths")
    paths = values.tobytes().decode("utf-8", "surrogatepass").split("\0")
    _check(max(map(len, paths)) <= 32_767, "paths")  # no system opens a longer path
    return tuple(path or None for path in paths)


def _certificate(value: Any) -> Certificate:
    found = Certificate.from_dict(value)
    _check(isinstance(found.method, str), "certificate")
    for guarantee in found.guarantees:
        texts = (guarantee.event, guarantee.population, guarantee.unit)
        shares = [guarantee.bound, guarantee.confidence]
        shares += [] if guarantee.asked is None else [guarantee.asked]
        _check(all(isinstance(text, str) for text in texts), "certificate")
        _check(all(type(share) is float and 0.0 <= share <= 1.0 for share in shares), "certificate")
        _check(_is_count(guarantee.k) and _is_count(guarantee.n), "certificate")
        _check(guarantee.k <= guarantee.n and guarantee.n > 0, "certificate")
    return found


def _scores(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    _check(values.ndim == 1 and values.dtype == np.float64 and np.isfinite(values).all(), what)
    return values


def _numbers(value: Any, what: str) -> NDArray[np.float64]:
    return np.array([finite_number(one, what) for one in _list(value, what)], dtype=np.float64)


def _list(value: Any, what: str) -> list[Any]:
    _check(isinstance(value, list), what)
    found: list[Any] = value
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _check(right: bool | np.bool_, what: str) -> None:
    if not right:
        raise ValueError(f"{what!r} is not what it must be")
