"""What a comparison of strategies found, and the choice that follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Budget
from outgroup.calibration.bounds import upper_bound
from outgroup.calibration.threshold import allowed_above
from outgroup.evaluation import Rate
from outgroup.selection.unknowns import Unknowns, choose, choose_nested
from outgroup.strategies import DEFAULT

#: Expected shares of new known images above the thresholds of a trade-off.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True)
class SourceRate:
    """How many unknown images of one source were accepted.

    Parameters
    ----------
    accepted : Rate
        Its interval treats the images of the source as independent draws.
    """

    kind: str
    source: str
    accepted: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"kind": self.kind, "source": self.source, "accepted": self.accepted.to_dict()}


@dataclass(frozen=True)
class TradeOff:
    """What one threshold rejects and accepts.

    Parameters
    ----------
    known_rejected : float
        Expected share of new known images rejected.
    at_most : float
        What can be guaranteed of it with 95 % confidence, rounded up to three digits: the
        ``max_known_rejected`` that gives about this threshold.
    accepted : float
        Share of unknown images accepted, as in `StrategyResult`.
    """

    known_rejected: float
    at_most: float
    accepted: float

    @classmethod
    def made(
        cls, share: float, n: int, accepted: float, n_given: int | None = None
    ) -> TradeOff | None:
        """Return it for a share of n held-out known images; None if they are too few for it.

        With `n_given`, the guarantee is that from so many images, of which n were compared.
        """
        if share * (n + 1.0) < 1.0 - 1e-9:
            return None
        n = n if n_given is None else n_given
        bound = upper_bound(int(allowed_above(n, share)), n, Budget().confidence)
        return cls(share, math.ceil(bound * 1000.0) / 1000.0, accepted)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class StrategyResult:
    """What one strategy did with images that it had not seen.

    Parameters
    ----------
    known_rejected : Rate or None
        Held-out known images (or groups) rejected, each by the threshold of the other folds; with
        labels, labels missed. None if the strategy could not be fitted.
    shifted_rejected : Rate or None
        Known images rejected when their whole group is new and the threshold comes from images of
        known groups: the cost of another camera or site. None without groups.
    accepted : float or None
        Their mean share: kinds have the same weight, and sources of a kind.
    fit_seconds : float
        Time to cross-fit it, including the parts that it shares with other strategies.
    ms_per_image : float or None
        Time to score an image, without its embedding.
    """

    name: str
    known_rejected: Rate | None = None
    known_right: Rate | None = None
    shifted_rejected: Rate | None = None
    sources: tuple[SourceRate, ...] = ()
    accepted: float | None = None
    standard_error: float | None = None
    trade_off: tuple[TradeOff, ...] = ()
    fit_seconds: float = 0.0
    ms_per_image: float | None = None
    problem: str | None = None

    def of_kind(self, kind: str) -> float | None:
        """Return the mean share accepted of one kind, sources having the same weight."""
        shares = [s.accepted.value for s in self.sources if s.kind == kind]
        return float(np.mean(np.array(shares, dtype=np.float64))) if shares else None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        rates = ("known_rejected", "known_right", "shifted_rejected")
        found = {name: getattr(self, name) for name in rates}
        return {
            "name": self.name,
            **{name: rate.to_dict() if rate else None for name, rate in found.items()},
            "accepted": self.accepted,
            "standard_error": self.standard_error,
            "sources": [source.to_dict() for source in self.sources],
            "trade_off": [row.to_dict() for row in self.trade_off],
            "fit_seconds": self.fit_seconds,
            "ms_per_image": self.ms_per_image,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Choice:
    """Which strategy to take, and why.

    Parameters
    ----------
    accepted, standard_error : float or None
        The share of unknown images to expect of the chosen strategy, measured on images that had no
        part in the choice. None if there was nothing to choose by.
    """

    name: str
    reason: str
    accepted: float | None = None
    standard_error: float | None = None


@dataclass(frozen=True)
class Comparison:
    """All strategies on one data set.

    Parameters
    ----------
    results : tuple of StrategyResult
        In the order of the lineup, from simple to complex.
    share : float
        Expected share of new known images that each strategy rejects.
    n_compared, n_given : int
        Training images that were compared on, and that there were.
    n_unknown : int
        Number of times that an unknown image was scored.
    """

    results: tuple[StrategyResult, ...]
    choice: Choice
    share: float
    n_compared: int
    n_given: int
    n_unknown: int

    @property
    def chosen(self) -> StrategyResult | None:
        """The result of the chosen strategy; None if it was not in the comparison."""
        return next((one for one in self.results if one.name == self.choice.name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "chosen": asdict(self.choice),
            "known_rejected_expected": self.share,
            "n_compared": self.n_compared,
            "n_given": self.n_given,
            "n_unknown": self.n_unknown,
            "strategies": [result.to_dict() for result in self.results],
        }


def make_choice(
    names: Sequence[str],
    accepted: Sequence[NDArray[np.bool_]],
    unknowns: Unknowns,
    resampled: Sequence[NDArray[np.bool_]] | None = None,
) -> Choice:
    """Choose by what each strategy, from simple to complex, accepted of the unknown images.

    With `resampled`, of shape (n, n_resamples) for each strategy, the choice rests on what each
    would have accepted by thresholds from resampled known images, not on a single known image.
    """
    resampled = accepted if resampled is None else resampled
    if not (len(unknowns) and names):
        reason = "there was nothing unknown to choose by (fewer than three classes, no negatives)"
        return Choice(DEFAULT, f"{DEFAULT}: {reason}.")
    default = names.index(DEFAULT) if DEFAULT in names else None
    shares = [unknowns.mean(a) for a in accepted]
    chosen = choose(resampled, unknowns, default)
    best, worst = int(np.argmin(shares)), int(np.argmax(shares))
    taken = choose_nested(resampled, unknowns, default)
    nested = np.array(accepted)[taken, np.arange(len(unknowns))]
    reason = f"{names[chosen]}: {shares[chosen]:.1%} of unknown images accepted"
    if chosen != best:
        reason += f", no worse within the uncertainty than {names[best]} ({shares[best]:.1%})"
    if worst not in (chosen, best):
        reason += f"; {names[worst]} {shares[worst]:.1%}"
    reason = " ".join([f"{reason}.", *_by_kind(names[chosen], accepted[chosen], unknowns)])
    return Choice(names[chosen], reason, unknowns.mean(nested), unknowns.standard_error(nested))


def _by_kind(name: str, accepted: NDArray[np.bool_], unknowns: Unknowns) -> list[str]:
    """Return the share of each kind, as a mean over kinds can hide a high one."""
    by_kind: dict[str, dict[str, float]] = {}
    for rate in source_rates(accepted, unknowns):
        by_kind.setdefault(rate.kind, {})[rate.source] = rate.accepted.value or 0.0
    if len(by_kind) < 2:
        return []
    parts = []
    for kind, shares in by_kind.items():
        most = max(shares, key=lambda source: shares[source])
        part = f"{kind} {np.mean([*shares.values()]):.1%}"
        tells = len(shares) > 1 and shares[most] > 0
        parts.append(f"{part} (most: {most} {shares[most]:.1%})" if tells else part)
    return [f"{name} by kind: {', '.join(parts)}."]


def source_rates(accepted: NDArray[np.bool_], unknowns: Unknowns) -> tuple[SourceRate, ...]:
    """Count what one strategy accepted, by kind and source."""
    rates = []
    for kind in dict.fromkeys(unknowns.kind.tolist()):
        of_kind = unknowns.kind == kind
        for source in dict.fromkeys(unknowns.source[of_kind].tolist()):
            rows = of_kind & (unknowns.source == source)
            rates.append(SourceRate(kind, source, Rate(int(accepted[rows].sum()), int(rows.sum()))))
    return tuple(rates)
