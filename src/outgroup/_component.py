"""What heads, detectors and strategies have in common: name, parameters, arrays, a state.

A fitted component is parameters (plain JSON values), arrays, and other components. Its `State`
holds just these, so that a model can be saved and loaded without pickle, and `frozen` gives the
unfitted component with all that fitting had chosen, which is what out-of-fold models are made of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

ComponentT = TypeVar("ComponentT", bound="Component")

#: Class index of a negative in an index vector ``y``; classes count from 0.
OTHER = -1

#: Class index of a row that nothing may learn from, and that is scored all the same.
UNSEEN = -2


@dataclass(frozen=True)
class State:
    """A fitted component as data.

    Parameters
    ----------
    name : str
        The name it is registered under.
    parameters : dict
        Constructor arguments, JSON values only.
    arrays : dict of str to ndarray
        What fitting learned.
    parts : dict of str to State
        Components inside it.
    """

    name: str
    parameters: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    parts: dict[str, State] = field(default_factory=dict)


class Component:
    """Base of heads, detectors and strategies.

    A subclass names its constructor arguments in `parameters`, those that fitting chooses when they
    are None in `tuned` (the choice is the attribute of the same name with an underscore behind it),
    the arrays that fitting sets in `arrays`, and attributes that are components in `parts`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str] = ""
    parameters: ClassVar[tuple[str, ...]] = ()
    tuned: ClassVar[tuple[str, ...]] = ()
    arrays: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[tuple[str, ...]] = ()
    #: Those of `parts` that not every fitted component has.
    optional_parts: ClassVar[tuple[str, ...]] = ()

    def frozen(self: ComponentT) -> ComponentT:
        """Return an unfitted copy with all that fitting chose as given parameters."""
        parts = {name: getattr(self, name).frozen() for name in self.parts}
        return type(self)(**{**self.given(), **self.chosen(), **parts})

    def with_frozen_parts(self: ComponentT) -> ComponentT:
        """Return an unfitted copy of which only the parts keep what fitting chose for them."""
        parts = {name: getattr(self, name).frozen() for name in self.parts}
        return type(self)(**{**self.given(), **parts})

    def given(self) -> dict[str, Any]:
        """Return the constructor arguments that are no parts."""
        return {name: getattr(self, name) for name in self.parameters}

    def chosen(self) -> dict[str, Any]:
        """Return what fitting chose, by the name of the parameter it stands for."""
        return {name: getattr(self, f"{name}_", getattr(self, name)) for name in self.tuned}

    def choose(self, values: dict[str, Any]) -> None:
        """Set what fitting would choose."""
        for name in self.tuned:
            setattr(self, f"{name}_", values[name])

    def fitted_parts(self) -> tuple[str, ...]:
        """Return the names of the parts that were fitted: all, but for `optional_parts`."""
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
    def from_state(cls: type[ComponentT], state: State, parts: dict[str, Component]) -> ComponentT:
        """Build the fitted component from its state and its parts, already built."""
        component = cls(**state.parameters, **parts)
        component.choose(state.parameters)
        for name in cls.arrays:
            setattr(component, name, state.arrays[name])
        return component
