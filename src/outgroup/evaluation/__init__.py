"""Figures of merit from labels and other-scores; nothing here picks a threshold.

The positive class is *other* throughout, and a higher score means more other.
"""

from outgroup.evaluation.figures import (
    ClassResult,
    Evaluation,
    OutputResult,
    UnknownResult,
    evaluate,
)
from outgroup.evaluation.ranking import auroc, auroc_interval, fpr_at_tpr
from outgroup.evaluation.rates import Figure, Rate, average_precision

__all__ = [
    "ClassResult",
    "Evaluation",
    "Figure",
    "OutputResult",
    "Rate",
    "UnknownResult",
    "auroc",
    "auroc_interval",
    "average_precision",
    "evaluate",
    "fpr_at_tpr",
]
