"""Figures of merit from labels and other-scores; nothing here picks a threshold.

The positive class is *other* throughout, and a higher score means more other.
"""

from outgroup.evaluation.evaluation import ClassResult, Evaluation, UnknownResult, evaluate
from outgroup.evaluation.labels import (
    Figure,
    LabelResult,
    LabelsEvaluation,
    average_precision,
    evaluate_labels,
)
from outgroup.evaluation.outputs import OutputsEvaluation, evaluate_outputs
from outgroup.evaluation.ranking import auroc, auroc_interval, fpr_at_tpr
from outgroup.evaluation.rate import Rate

__all__ = [
    "ClassResult",
    "Evaluation",
    "Figure",
    "LabelResult",
    "LabelsEvaluation",
    "OutputsEvaluation",
    "Rate",
    "UnknownResult",
    "auroc",
    "auroc_interval",
    "average_precision",
    "evaluate",
    "evaluate_labels",
    "evaluate_outputs",
    "fpr_at_tpr",
]
