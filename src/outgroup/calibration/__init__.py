"""Held-out scores and a budget in, a threshold and a certificate out.

Nothing here sees an image or a model: other-scores (higher = more other) are all it takes.
"""

from outgroup.calibration.budget import Budget
from outgroup.calibration.certificate import Certificate, Promise
from outgroup.calibration.confidence_sequence import anytime_interval, anytime_upper_bound
from outgroup.calibration.folds import assign_folds
from outgroup.calibration.heldout import HeldOut
from outgroup.calibration.threshold import (
    Calibration,
    choose_threshold,
    describe_threshold,
    expected_share,
    expected_threshold,
    trade_off,
)

__all__ = [
    "Budget",
    "Calibration",
    "Certificate",
    "HeldOut",
    "Promise",
    "anytime_interval",
    "anytime_upper_bound",
    "assign_folds",
    "choose_threshold",
    "describe_threshold",
    "expected_share",
    "expected_threshold",
    "trade_off",
]
