"""The common base of heads, detectors and strategies: a fitted component as plain data.

A fitted component consists of parameters (JSON values), arrays and other components. `State` holds
exactly these, so that a model is saved and loaded without pickle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

#: Class index of a negative in an index vector ``y``; classes count from 0.
OTHER = -1

#: Class index of a row that is scored, but that no model may learn from.
UNSEEN = -2


@dataclass(frozen=True)
class State:
    """A fitted component as data: its registered name, constructor arguments, arrays and parts."""

    name: str
    parameters: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    parts: dict[str, State] = field(default_factory=dict)


class Component:
    """Base of heads, detectors and strategies.

    A subclass declares names of its attributes, from which saving, loading and copying follow:
    `parameters` are constructor arguments with JSON values; `tuned` those of them that fitting may
    choose (the chosen value of ``shrinkage`` is ``shrinkage_``); `arrays` are set by fitting;
    `parts` are components, of which `optional_parts` may be left unfitted. A registry sets `name`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str] = ""
    parameters: ClassVar[tuple[str, ...]] = ()
    tuned: ClassVar[tuple[str, ...]] = ()
    arrays: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[tuple[str, ...]] = ()
    optional_parts: ClassVar[tuple[str, ...]] = ()

    def frozen(self) -> Self:
        """Return an unfitted copy whose tuned parameters are given their chosen values."""
        parts = {name: getattr(self, name).frozen() for name in self.parts}
        return type(self)(**{**self.given(), **self.chosen(), **parts})

    def with_frozen_parts(self) -> Self:
        """Return an unfitted copy of which only the parts are `frozen`."""
        parts = {name: getattr(self, name).frozen() for name in self.parts}
        return type(self)(**self.given(), **parts)

    def given(self) -> dict[str, Any]:
        """Return the constructor arguments, without the parts."""
        return {name: getattr(self, name) for name in self.parameters}

    def chosen(self) -> dict[str, Any]:
        """Return the chosen value of each tuned parameter."""
        return {name: getattr(self, f"{name}_", getattr(self, name)) for name in self.tuned}

    def choose(self, values: dict[str, Any]) -> None:
        """Set the chosen value of each tuned parameter."""
        for name in self.tuned:
            setattr(self, f"{name}_", values[name])

    def fitted_parts(self) -> tuple[str, ...]:
        """Return the names of the parts that are fitted, by default all."""
        return self.parts

    def state(self) -> State:
        """Return the fitted component as data."""
        return State(
            name=self.name,
            parameters={**self.given(), **self.chosen()},
            arrays={name: np.asarray(getattr(self, name)) for name in self.arrays},
            parts={name: getattr(self, name).state() for name in self.fitted_parts()},
        )

    @classmethod
    def from_state(cls, state: State, parts: dict[str, Component]) -> Self:
        """Return the fitted component of a state, given its fitted parts."""
        component = cls(**state.parameters, **parts)
        component.choose(state.parameters)
        for name in cls.arrays:
            setattr(component, name, state.arrays[name])
        return component
