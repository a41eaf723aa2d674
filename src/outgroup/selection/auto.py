"""The strategy that is taken when none is named."""

from __future__ import annotations

from outgroup.detectors import DETECTORS
from outgroup.errors import InvalidParameterError
from outgroup.strategies import STRATEGIES, Strategy

AUTO = "auto"


def choose_strategy(name: str) -> Strategy:
    """Return an unfitted strategy by name.

    Parameters
    ----------
    name : str
        A registered name; or one with a detector behind a colon, such as "softmax:energy" or
        "detector:knn"; or "auto" for "blend": it needs no negatives and uses those there are, and
        no kind of other is out of reach of both of its members.

    Raises
    ------
    InvalidParameterError
        If there is no such strategy or detector, or they don't go together.

    Examples
    --------
    >>> choose_strategy("auto").name
    'blend'
    >>> choose_strategy("softmax:energy").detector.name
    'energy'
    """
    if not isinstance(name, str) or ":" not in name:
        return STRATEGIES.get("blend" if name == AUTO else name)()
    name, _, detector_name = name.partition(":")
    strategy = STRATEGIES.get(name)
    detector = DETECTORS.get(detector_name)
    if strategy.takes is None or not issubclass(detector, strategy.takes):
        fitting = [d for d, cls in DETECTORS if strategy.takes and issubclass(cls, strategy.takes)]
        raise InvalidParameterError(
            f"The strategy {name!r} takes {'one of ' + ', '.join(fitting) if fitting else 'none'} "
            f"as its detector. Got {detector_name!r} instead."
        )
    return strategy(detector=detector())  # type: ignore[call-arg]
