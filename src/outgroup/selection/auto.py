"""A strategy by name, with the head and the layers that it is to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgroup.detectors import DETECTORS
from outgroup.errors import InvalidParameterError
from outgroup.selection.heads import choose_head
from outgroup.strategies import STRATEGIES, Strategy

AUTO = "auto"


def settle(name: str, n_classes: int) -> str:
    """Return what "auto" stands for when the number of classes is known; other names as they are.

    Of a single class nothing can be told apart but from negatives: "one-class" is made for that,
    and takes negatives or none.

    Examples
    --------
    >>> settle("auto", 1), settle("auto", 3), settle("softmax", 1)
    ('one-class', 'auto', 'softmax')
    """
    return "one-class" if name == AUTO and n_classes == 1 else name


def choose_strategy(
    name: str, head: str | None = None, layers: Sequence[str] | None = None
) -> Strategy:
    """Return an unfitted strategy by name.

    Parameters
    ----------
    name : str
        A registered name; or one with a detector behind a colon, such as "softmax:energy" or
        "detector:knn"; or "auto" for "blend": it needs no negatives and uses those there are, and
        no kind of other is out of reach of both of its members.
    head : str or None
        Name of the head, with options behind it as `choose_head` takes them; None: the strategy's
        own. To choose one, or layers, name a strategy and not "auto".
    layers : sequence of str or None
        Layers that the head reads, of "last", "second_last" and "logits"; None: all that the
        backbone has.

    Raises
    ------
    InvalidParameterError
        If there is no such strategy, detector or head, or they don't go together.

    Examples
    --------
    >>> choose_strategy("auto").name
    'blend'
    >>> choose_strategy("softmax:energy", head="focal-softmax,gamma=1").detector.name
    'energy'
    >>> choose_strategy("sigmoid", head="focal-softmax")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The strategy 'sigmoid' takes one of focal-sigmoid,
    linear-sigmoid, mlp-sigmoid, pu-sigmoid as its head. Got 'focal-softmax' instead.
    """
    if name == AUTO and not (head is None and layers is None):
        raise InvalidParameterError(
            "The strategy 'auto' compares strategies, each with a head of its own kind that reads "
            "all layers. Name one, such as 'blend', to choose its head or layers."
        )
    strategy, given = _named(name)
    if strategy.takes_head is None and not (head is None and layers is None):
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} has no head, so there is none to choose and no layers "
            "for it to read. Leave out 'head' and 'layers', or take a strategy with a head."
        )
    if head is not None:
        given["head"] = choose_head(head)
    if layers is not None:
        given["layers"] = layers
    return strategy(**given)


def _named(name: str) -> tuple[type[Strategy], dict[str, Any]]:
    if not isinstance(name, str) or ":" not in name:
        return STRATEGIES.get("blend" if name == AUTO else name), {}
    name, _, detector_name = name.partition(":")
    strategy = STRATEGIES.get(name)
    detector = DETECTORS.get(detector_name)
    if strategy.takes is None or not issubclass(detector, strategy.takes):
        fitting = [d for d, cls in DETECTORS if strategy.takes and issubclass(cls, strategy.takes)]
        raise InvalidParameterError(
            f"The strategy {name!r} takes {'one of ' + ', '.join(fitting) if fitting else 'none'} "
            f"as its detector. Got {detector_name!r} instead."
        )
    return strategy, {"detector": detector()}
