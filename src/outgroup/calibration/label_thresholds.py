"""A threshold for each label, and what all of them guarantee.

Nothing here sees an image or a model: held-out scores (higher = more surely without the label) and
labels are all it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array
from outgroup.calibration.bounds import smallest_n
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED, Budget
from outgroup.calibration.certificate import Certificate, Guarantee, percent
from outgroup.calibration.heldout import HeldOut
from outgroup.calibration.threshold import choose_threshold, guarantee_at
from outgroup.errors import InfeasibleTargetError, InvalidParameterError

NONE_OF_THEM = "images like your negatives"


def choose_thresholds(
    scores: Array,
    Y: NDArray[np.int64],
    classes: Sequence[str],
    budget: Budget | None = None,
    units: NDArray[np.str_] | None = None,
    fixed: float | None = None,
) -> tuple[Array, Certificate]:
    """Choose the threshold (K,) of each label that gives it to as few images as the budget allows.

    Each is chosen by `choose_threshold` from the images with the label: `max_known_rejected` is the
    share of them that may miss it. `max_other_accepted` limits the share of images of none of the
    labels that are given any; for its sake all thresholds are moved by the same amount, unless
    `max_known_rejected` is a number, which is kept. With `fixed` nothing is chosen.

    `scores` (n, K) are held out; a label is given iff its score is at most its threshold.
    `Y` (n, K) has 1 for a label that is there, 0 for one that is not, -1 where it is unknown.
    `units` (n,) are what a bound counts, by default images. The certificate has a guarantee for
    each label, and one about images of none of them if there are any.
    """
    budget = budget or Budget()
    confidence, asked, asked_other = (
        budget.confidence,
        budget.max_known_rejected,
        budget.max_other_accepted,
    )
    none = (Y == 0).all(axis=1)
    if asked_other is not None and not none.any():
        raise InvalidParameterError(
            "Invalid `max_other_accepted`: must be None if no image has none of the labels, got "
            f"{asked_other!r}. Give negatives, or leave it out."
        )

    def held_out(values: Array, rows: NDArray[np.bool_], *texts: str) -> HeldOut:
        return HeldOut(values[rows], None if units is None else units[rows], *texts)

    # without a budget a label starts where 5 % of its images are expected to miss it
    of_one = Budget("auto" if asked is None else asked, None, confidence)
    thresholds = np.empty(len(classes))
    of_labels: list[HeldOut] = []
    guarantees: list[Guarantee] = []
    for k, name in enumerate(classes):
        texts = (f"images like your {name!r} ones", f"not called {name!r}")
        of_labels.append(held_out(scores[:, k], Y[:, k] == 1, *texts))
        try:
            calibration = choose_threshold(of_labels[k], None, of_one, fixed=fixed)
        except InfeasibleTargetError as error:
            raise InfeasibleTargetError(f"Label {name!r}: {error}", error.n_needed) from error
        thresholds[k] = calibration.threshold
        guarantees += calibration.certificate.guarantees
    if not none.any():
        return thresholds, Certificate(tuple(guarantees))

    margins = (scores - thresholds).min(axis=1)  # the other-score of "no label", with threshold 0
    of_none = held_out(margins, none, NONE_OF_THEM, "given any label")
    if asked_other is None or fixed is not None or asked not in (None, "auto"):
        about_none = guarantee_at(0.0, of_none, False, confidence, asked_other)
        if not about_none.kept:
            raise _conflict(about_none, budget)
        return thresholds, Certificate((*guarantees, about_none))
    labelled, for_none = held_out(margins, ~none), Budget(None, asked_other, confidence)
    moved = choose_threshold(labelled, of_none, for_none)
    if asked == "auto" and moved.threshold > 0:  # the thresholds need not move
        moved = choose_threshold(labelled, of_none, for_none, fixed=0.0)
    thresholds += moved.threshold
    guarantees = [
        guarantee_at(threshold, held, True, confidence, old.asked, at_least=old.bound)
        for threshold, held, old in zip(thresholds, of_labels, guarantees, strict=True)
    ]
    return thresholds, Certificate((*guarantees, moved.certificate.guarantees[1]))


def remarks(certificate: Certificate) -> Iterator[str]:
    """Yield what a user should know of labels that few images have."""
    for guarantee in certificate.guarantees:
        if guarantee.n < 20 and guarantee.population != NONE_OF_THEM:
            needed = smallest_n(DEFAULT_KNOWN_REJECTED, guarantee.confidence)
            yield (
                f"Only {guarantee.n} {guarantee.unit} stand for {guarantee.population}: as many as "
                f"{percent(guarantee.bound, up=True)} may be {guarantee.event}. A guarantee of "
                f"{percent(DEFAULT_KNOWN_REJECTED)} takes at least {needed}."
            )


def _conflict(about_none: Guarantee, budget: Budget) -> InfeasibleTargetError:
    asked = about_none.asked or 0.0
    needed = smallest_n(asked, budget.confidence, rate=about_none.k / about_none.n)
    more = f" With this share, {needed} would be enough." if needed else ""
    return InfeasibleTargetError(
        f"Cannot guarantee both `max_known_rejected` {budget.max_known_rejected} and "
        f"`max_other_accepted` {asked}. {about_none.sentence}{more} Leave `max_known_rejected` "
        "out, and the thresholds are moved for the other.",
        n_needed=needed,
    )
