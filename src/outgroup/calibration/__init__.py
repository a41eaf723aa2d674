"""Calibration: held-out other-scores and a budget in, a threshold and a certificate out."""

from outgroup.calibration.budget import Budget
from outgroup.calibration.certificate import Certificate, Guarantee
from outgroup.calibration.folds import assign_folds
from outgroup.calibration.heldout import HeldOut
from outgroup.calibration.sequential import anytime_interval, anytime_upper_bound
from outgroup.calibration.threshold import (
    Calibration,
    choose_threshold,
    expected_share,
    expected_threshold,
    guarantee_at,
    trade_off,
)

__all__ = [
    "Budget",
    "Calibration",
    "Certificate",
    "Guarantee",
    "HeldOut",
    "anytime_interval",
    "anytime_upper_bound",
    "assign_folds",
    "choose_threshold",
    "expected_share",
    "expected_threshold",
    "guarantee_at",
    "trade_off",
]
