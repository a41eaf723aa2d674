"""The strategy that is taken when none is named."""

from __future__ import annotations

from outgroup.strategies import STRATEGIES, Strategy

AUTO = "auto"


def choose_strategy(name: str) -> Strategy:
    """Return an unfitted strategy by name.

    Parameters
    ----------
    name : str
        A registered name, or "auto" for "blend": it needs no negatives and uses those there are,
        and no kind of other is out of reach of both of its members.

    Raises
    ------
    InvalidParameterError
        If there is no such strategy.

    Examples
    --------
    >>> choose_strategy("auto").name
    'blend'
    """
    return STRATEGIES.get("blend" if name == AUTO else name)()
