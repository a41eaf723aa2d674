"""What a strategy would accept by other thresholds than the one that was asked for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from outgroup.calibration import Budget
from outgroup.calibration.bounds import upper_bound
from outgroup.calibration.threshold import allowed_above

#: Shares of new known images above the thresholds that are looked at.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class TradeOff:
    """What one threshold costs, and what it is good for.

    Parameters
    ----------
    known_rejected : float
        Share of new known images that is expected to be called other.
    at_most : float
        What can be promised of it with 95 % confidence, rounded up to three digits: the
        ``max_known_rejected`` that lays about this threshold.
    accepted : float
        Share of unknown images that is given a class, as `StrategyResult.accepted` counts it.
    """

    known_rejected: float
    at_most: float
    accepted: float

    @classmethod
    def made(
        cls, share: float, n: int, accepted: float, n_given: int | None = None
    ) -> TradeOff | None:
        """Return it for a share of n held-out known images; None if they are too few for that.

        With `n_given`, what can be promised is that from so many: those that lay the threshold of
        a model, of which n were compared.

        Examples
        --------
        >>> TradeOff.made(0.1, 99, accepted=0.25)
        TradeOff(known_rejected=0.1, at_most=0.154, accepted=0.25)
        >>> TradeOff.made(0.01, 50, accepted=0.25) is None
        True
        """
        if share * (n + 1.0) < 1.0 - 1e-9:
            return None
        n = n if n_given is None else n_given
        bound = upper_bound(int(allowed_above(n, share)), n, Budget().confidence)
        return cls(share, math.ceil(bound * 1000.0) / 1000.0, accepted)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)
