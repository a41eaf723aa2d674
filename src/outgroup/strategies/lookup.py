"""A strategy by name, with its detector, head and layers."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from outgroup.detectors import DETECTORS
from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS, Head
from outgroup.strategies.base import LABEL_STRATEGIES, STRATEGIES, Strategy

#: The name that lets a comparison choose, and the strategy where there is nothing to choose by.
AUTO, DEFAULT = "auto", "blend"


def choose_strategy(
    name: str,
    head: str | None = None,
    layers: Sequence[str] | None = None,
    *,
    labels: bool = False,
) -> Strategy:
    """Return an unfitted strategy by name.

    Parameters
    ----------
    name : str
        A registered name; or one with a detector behind a colon, such as "softmax:energy" or
        "detector:knn"; or "auto" for "blend".
    head : str or None
        Name of the head, with options behind it as for `choose_head`; None: the strategy's own.
        Not possible with "auto".
    """
    if name == AUTO and not (head is None and layers is None):
        raise InvalidParameterError(
            "Invalid `strategy`: must be named where `head` or `layers` is given, such as 'blend', "
            "got 'auto', which compares strategies with different heads."
        )
    strategy, given = _named(DEFAULT if name == AUTO else name, labels)
    if strategy.takes_head is None and not (head is None and layers is None):
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} has no head, so there is none to choose and no layers "
            "for it to read. Leave out `head` and `layers`, or take a strategy with a head."
        )
    if head is not None:
        given["head"] = choose_head(head)
    if layers is not None:
        given["layers"] = layers
    return strategy(**given)


def choose_head(text: str) -> Head:
    """Return an unfitted head by name, optionally with parameters: "focal-softmax,gamma=1"."""
    if not isinstance(text, str):
        HEADS.get(text)  # raises
    name, *given = (part.strip() for part in text.split(","))
    cls = HEADS.get(name)
    options: dict[str, Any] = {}
    for option in given:
        key, equals, value = (part.strip() for part in option.partition("="))
        if not equals or key not in cls.parameters:
            raise InvalidParameterError(
                f"The head {name!r} has the parameters {', '.join(cls.parameters)}, "
                f"got {option!r}. Write name=value."
            )
        if key in options:
            raise InvalidParameterError(f"The head {name!r} got {key!r} twice.")
        options[key] = _value(value)
    return cls(**options)


def _named(name: str, labels: bool) -> tuple[type[Strategy], dict[str, Any]]:
    registry = LABEL_STRATEGIES if labels else STRATEGIES
    if not isinstance(name, str) or ":" not in name:
        return registry.get(name), {}
    name, _, detector_name = name.partition(":")
    strategy, detector = registry.get(name), DETECTORS.get(detector_name)
    if strategy.takes is None or not issubclass(detector, strategy.takes):
        fitting = [d for d, cls in DETECTORS if strategy.takes and issubclass(cls, strategy.takes)]
        raise InvalidParameterError(
            f"The strategy {name!r} takes {'one of ' + ', '.join(fitting) if fitting else 'none'} "
            f"as its detector, got {detector_name!r}."
        )
    return strategy, {"detector": detector()}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # a word; the head rejects it if it is not allowed
