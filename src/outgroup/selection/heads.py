"""A head from text: its name, and options behind commas."""

from __future__ import annotations

import ast
from typing import Any

from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS, Head


def choose_head(text: str) -> Head:
    """Return an unfitted head.

    Parameters
    ----------
    text : str
        A registered name, with parameters of that head behind it if they are not to be as usual:
        "focal-softmax,gamma=1".

    Raises
    ------
    InvalidParameterError
        If there is no such head, it has no such parameter, or the value is not allowed.

    Examples
    --------
    >>> choose_head("focal-softmax,gamma=1,class_weight=None").given()
    {'strength': None, 'class_weight': None, 'gamma': 1.0}
    >>> choose_head("mlp,gamma=1")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The head 'mlp' has the parameters hidden, strength,
    class_weight, seed, epochs. Got 'gamma=1' instead. Write name=value.
    """
    if not isinstance(text, str):
        HEADS.get(text)  # says what it must be
    name, *given = (part.strip() for part in text.split(","))
    cls = HEADS.get(name)
    options: dict[str, Any] = {}
    for option in given:
        key, equals, value = (part.strip() for part in option.partition("="))
        if not equals or key not in cls.parameters:
            raise InvalidParameterError(
                f"The head {name!r} has the parameters {', '.join(cls.parameters)}. "
                f"Got {option!r} instead. Write name=value."
            )
        if key in options:
            raise InvalidParameterError(f"The head {name!r} got {key!r} twice.")
        options[key] = _value(value)
    return cls(**options)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # a word; the head says if it is none of its own
