"""What came out of a comparison, and the choice that it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.evaluation import Rate
from outgroup.selection.lineup import DEFAULT
from outgroup.selection.trade_off import TradeOff
from outgroup.selection.unknowns import Unknowns, choose, choose_nested


@dataclass(frozen=True)
class SourceRate:
    """How many unknown images of one source were given a class.

    Parameters
    ----------
    kind, source : str
        See `Unknowns`.
    accepted : Rate
        Of the images of this source, as if each were drawn by itself.
    """

    kind: str
    source: str
    accepted: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"kind": self.kind, "source": self.source, "accepted": self.accepted.to_dict()}


@dataclass(frozen=True)
class StrategyResult:
    """What one strategy did with images that it had not seen.

    Parameters
    ----------
    name : str
        The strategy.
    known_rejected : Rate or None
        Held-out known images (or groups) called other, each by the threshold of the other folds.
        None if the strategy could not be fitted.
    known_right : Rate or None
        Held-out known images that were given their own class.
    shifted_rejected : Rate or None
        Known images called other when their whole group is new and the threshold comes from images
        of known groups: what another camera or site costs. None without groups.
    sources : tuple of SourceRate
        Unknown images accepted, by where they are from.
    accepted : float or None
        The mean share of them: kinds weigh the same, and sources of a kind.
    standard_error : float or None
        Of `accepted`.
    trade_off : tuple of TradeOff
        What other thresholds would do, with fewer known images called other and with more.
    fit_seconds : float
        Time to cross-fit it, the parts that it shares with other strategies included.
    ms_per_image : float or None
        Time to score an image, its embedding not included.
    problem : str or None
        Why it could not be fitted.
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
        """Return the mean share accepted of one kind, sources weighing the same."""
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
    name : str
        The strategy.
    reason : str
        A sentence for people.
    accepted, standard_error : float or None
        The share of unknown images that is accepted when the choice is made without looking at
        them: what to expect of the one chosen, without the luck of the winner. None if there was
        nothing to choose by.
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
    choice : Choice
        Which to take.
    share : float
        Share of new known images that each strategy may be expected to call other.
    n_compared, n_given : int
        Training images that were compared on, and that there were.
    n_unknown : int
        Times that an unknown image was met.
    """

    results: tuple[StrategyResult, ...]
    choice: Choice
    share: float
    n_compared: int
    n_given: int
    n_unknown: int

    @property
    def chosen(self) -> StrategyResult | None:
        """What was measured of the strategy to take; None if it was not in the comparison."""
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
    redrawn: Sequence[NDArray[np.bool_]] | None = None,
) -> Choice:
    """Choose by what was accepted of the unknown images.

    Parameters
    ----------
    names : sequence of str
        Strategies, from simple to complex.
    accepted : sequence of ndarray of shape (n,), bool
        What each accepted.
    unknowns : Unknowns
        The n images.
    redrawn : sequence of ndarray of shape (n, n_resamples), bool, or None
        What each would have accepted by thresholds that resampled known images lay. The choice
        rests on these, so that one odd known image does not make it; None: on `accepted`.
    """
    redrawn = accepted if redrawn is None else redrawn
    if not (len(unknowns) and names):
        reason = "there was nothing unknown to choose by (fewer than three classes, no negatives)"
        return Choice(DEFAULT, f"{DEFAULT}: {reason}.")
    default = names.index(DEFAULT) if DEFAULT in names else None
    shares = [unknowns.mean(a) for a in accepted]
    chosen, best, worst = (
        choose(redrawn, unknowns, default),
        int(np.argmin(shares)),
        int(np.argmax(shares)),
    )
    taken = choose_nested(redrawn, unknowns, default)
    nested = np.array(accepted)[taken, np.arange(len(unknowns))]
    reason = f"{names[chosen]}: {shares[chosen]:.1%} of unknown images accepted"
    if chosen != best:
        reason += f", no worse within the uncertainty than {names[best]} ({shares[best]:.1%})"
    if worst not in (chosen, best):
        reason += f"; {names[worst]} {shares[worst]:.1%}"
    reason = " ".join([f"{reason}.", *_by_kind(names[chosen], accepted[chosen], unknowns)])
    return Choice(names[chosen], reason, unknowns.mean(nested), unknowns.standard_error(nested))


def _by_kind(name: str, accepted: NDArray[np.bool_], unknowns: Unknowns) -> list[str]:
    """Say what a mean is the mean of: garbage at 0 % makes look-alikes at 40 % look like 20 %."""
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
