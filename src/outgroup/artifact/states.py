"""Component states to and from JSON values and named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from outgroup._component import Component, State
from outgroup._registry import Registry
from outgroup.detectors import DETECTORS, FeatureDetector
from outgroup.heads import HEADS
from outgroup.multilabel import LABELERS, Labeler
from outgroup.strategies import STRATEGIES, Strategy

#: Where a component is found by the kind that is written beside its name.
REGISTRIES: dict[str, Registry[Any]] = {
    "strategy": STRATEGIES,
    "head": HEADS,
    "detector": DETECTORS,
    "labeler": LABELERS,
}


def flatten(
    state: State, prefix: str, kind: str | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the JSON part of a state, and its arrays with dotted names below `prefix`.

    The kind is the first that has such a name unless it is given: a labeler may have that of a
    strategy.
    """
    arrays = {f"{prefix}.{name}": values for name, values in state.arrays.items()}
    parts = {}
    for name, part in state.parts.items():
        parts[name], part_arrays = flatten(part, f"{prefix}.{name}")
        arrays.update(part_arrays)
    kind = kind or next(kind for kind, registry in REGISTRIES.items() if state.name in registry)
    described = {"kind": kind, "name": state.name, "parameters": state.parameters, "parts": parts}
    return described, arrays


def restore(
    described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str = "strategy"
) -> Strategy:
    """Build the fitted strategy from what `flatten` returned for a prefix.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is not what `flatten` returned; the caller says which file that is in.
    """
    strategy = _restore(described, arrays, prefix)
    if not isinstance(strategy, Strategy):
        raise TypeError(f"{described['name']!r} is no strategy")
    return strategy


def restore_labeler(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Labeler:
    """Build the fitted labeler, as `restore` does a strategy."""
    labeler = _restore(described, arrays, "strategy")
    if not isinstance(labeler, Labeler):
        raise TypeError(f"{described['name']!r} is no labeler")
    return labeler


def restore_detector(
    described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str
) -> FeatureDetector:
    """Build the fitted detector, as `restore` does a strategy."""
    detector = _restore(described, arrays, prefix)
    if not isinstance(detector, FeatureDetector):
        raise TypeError(f"{described['name']!r} is no detector of features")
    return detector


def _restore(
    described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], prefix: str
) -> Component:
    cls: type[Component] = REGISTRIES[described["kind"]].get(described["name"])
    parts = {
        name: _restore(described["parts"][name], arrays, f"{prefix}.{name}")
        for name in cls.parts
        if name in described["parts"] or name not in cls.optional_parts
    }
    own = {name: arrays[f"{prefix}.{name}"] for name in cls.arrays}
    return cls.from_state(State(described["name"], described["parameters"], own), parts)
