"""Every labeler on the user's own data, by the same folds and the same budget."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from outgroup.calibration import Budget
from outgroup.errors import InfeasibleTargetError, InvalidParameterError
from outgroup.evaluation import LabelsEvaluation, evaluate_labels
from outgroup.multilabel.labelers import LABELERS, choose_labeler
from outgroup.multilabel.model import LabelsModel, fit_labels
from outgroup.multilabel.training_set import LabelTrainingSet


@dataclass(frozen=True)
class LabelerResult:
    """What one labeler did to images that it had not seen.

    Parameters
    ----------
    name : str
        The labeler.
    found : LabelsEvaluation or None
        Figures on held-out images, which are also those that thresholds were chosen from; None if
        the labeler could not be fitted.
    seconds : float
        Time to cross-fit and fit.
    problem : str or None
        Why it could not be fitted.
    """

    name: str
    found: LabelsEvaluation | None
    seconds: float
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "name": self.name,
            "held_out": self.found.to_dict() if self.found else None,
            "seconds": self.seconds,
            "problem": self.problem,
        }


def compare_labelers(
    data: LabelTrainingSet,
    budget: Budget | None = None,
    seed: int = 0,
    lineup: Sequence[str] | None = None,
) -> Iterator[LabelerResult]:
    """Fit every labeler there is, and yield what held-out images say of it.

    Parameters
    ----------
    data : LabelTrainingSet
        Embeddings and labels.
    budget : Budget or None
        One budget for all; None is ``Budget()``.
    seed : int, default=0
        Seed of the folds, the same for all.
    lineup : sequence of str or None
        Names of labelers; None: all there are.

    Yields
    ------
    LabelerResult
        In the order of the lineup; a labeler that these data don't allow has a `problem`.
    """
    for name in LABELERS.names() if lineup is None else lineup:
        start = time.perf_counter()
        try:
            model = fit_labels(data, choose_labeler(name), budget, seed=seed)
        except (InvalidParameterError, InfeasibleTargetError) as error:
            yield LabelerResult(name, None, time.perf_counter() - start, str(error))
        else:
            yield LabelerResult(name, held_out(model), time.perf_counter() - start)


def held_out(model: LabelsModel) -> LabelsEvaluation:
    """Return the figures on the held-out images of a model."""
    given = model.held_scores <= model.thresholds
    return evaluate_labels(model.held_labels, given, model.held_scores, model.classes)
