"""The strategy that is taken when none is named."""

from __future__ import annotations

from outgroup.strategies import STRATEGIES, Strategy

AUTO = "auto"


def choose_strategy(name: str, has_others: bool) -> Strategy:
    """Return an unfitted strategy by name, or by a fixed rule for "auto".

    Parameters
    ----------
    name : str
        A registered name, or "auto": "sigmoid" where there are negatives to learn from, and "blend"
        where there are none.
    has_others : bool
        Whether there are negatives.

    Raises
    ------
    InvalidParameterError
        If there is no such strategy.

    Examples
    --------
    >>> choose_strategy("auto", has_others=True).name, choose_strategy("auto", False).name
    ('sigmoid', 'blend')
    """
    if name == AUTO:
        name = "sigmoid" if has_others else "blend"
    return STRATEGIES.get(name)()
