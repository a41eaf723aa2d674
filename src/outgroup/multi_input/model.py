"""Trained networks with their scorers, threshold and certificate: rows in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Certificate
from outgroup.multi_input.encoding import Cells, Encoder
from outgroup.multi_input.graph import Answer, Networks
from outgroup.multi_input.oddities import empty_images, explain_inputs, score_inputs
from outgroup.multi_input.plans import Plan
from outgroup.multi_input.predictions import InputsPredictions
from outgroup.multi_input.scoring import Features, Scorer, features_of
from outgroup.multi_input.tails import Parts, together
from outgroup.multi_input.targets import Target
from outgroup.multilabel import LabelPredictions
from outgroup.neighbours import NEAREST
from outgroup.predictions import Predictions
from outgroup.reasons import Reasons


@dataclass(frozen=True, eq=False)
class InputsModel:
    """Networks and what it takes to decide.

    The networks answer together: probabilities, and other-scores, are means over them.

    Parameters
    ----------
    target : Target
        What their outputs mean.
    encoder : Encoder
        From cells to what they read.
    networks : Networks
        In ONNX Runtime.
    scorers : tuple of Scorer
        One for each network.
    thresholds : ndarray of shape (1,), or (K,) for several labels, float64
        A row is other iff its other-score is above it, and has each label whose score is not.
    certificate : Certificate
        What the thresholds promise.
    known_scores, other_scores : ndarray of shape (n,) or, for several labels, (n, K), float64
        The held-out scores that the thresholds were chosen from, of known rows and of negatives.
    beyond : dict of str to float
        Score of each input beyond which it is odd.
    ranges : dict of str to (float, float)
        Least and largest number of training in each column of numbers.
    reasons : Reasons or None
        What tells ambiguous rows from unknown ones, and names the nearest training rows.
    """

    target: Target
    encoder: Encoder
    networks: Networks
    scorers: tuple[Scorer, ...]
    thresholds: NDArray[np.float64]
    certificate: Certificate
    known_scores: NDArray[np.float64]
    other_scores: NDArray[np.float64]
    beyond: dict[str, float]
    ranges: dict[str, tuple[float, float]]
    reasons: Reasons | None = None

    @property
    def plan(self) -> Plan:
        """The shape of each network."""
        return self.networks.plan

    @property
    def threshold(self) -> float:
        """What other-scores are held against; 0 with several labels, which have their own."""
        return float(self.thresholds[0]) if self.target.kind != "multi-label" else 0.0

    def predict(
        self, cells: Cells, paths: Sequence[str | None] | None = None, nearest: int = NEAREST
    ) -> InputsPredictions:
        """Answer for n rows.

        Parameters
        ----------
        cells : Cells
            The rows; those with an error are not looked at.
        paths : sequence of (str or None) or None
            What the answers call the rows.
        nearest : int, default=5
            How many training rows to name for each; they are looked up when they are asked for.
        """
        readable = np.array([error is None for error in cells.errors], dtype=bool)
        names: tuple[str | None, ...] = (None,) * len(cells) if paths is None else tuple(paths)
        classes = self.target.classes
        probabilities = np.full((len(cells), len(classes)), np.nan)
        several = self.target.kind == "multi-label"
        other = np.full((len(cells), len(classes)) if several else len(cells), np.nan)
        embedded = np.zeros((len(cells), 0))
        inputs: Parts = {}
        odd: tuple[dict[str, str], ...] = ({},) * len(cells)
        if readable.any():
            at = np.flatnonzero(readable)
            there = cells.take(at)
            probabilities[at], other[at], embedded, parts = self.score(there)
            found = score_inputs(parts, self.encoder)
            inputs = {name: _spread(values, at, len(cells)) for name, values in found.items()}
            sentences = explain_inputs(
                found, self.beyond, there, self.encoder, self.ranges, empty_images(parts)
            )
            by_row = dict(zip(at.tolist(), sentences, strict=True))
            odd = tuple(by_row.get(row, {}) for row in range(len(cells)))
            embedded = _spread(embedded, at, len(cells))
        if several:
            labels = LabelPredictions(
                classes, probabilities, other, self.thresholds, 0.0, names, cells.errors
            )
            return InputsPredictions(labels, inputs, odd)
        ambiguous, table = None, None
        if self.reasons is not None and readable.any():
            ambiguous, table = self.reasons.explain(probabilities, embedded, readable, nearest)
        answers = Predictions(
            classes=classes,
            class_scores=probabilities,
            other_score=other,
            threshold=self.threshold,
            paths=names,
            errors=cells.errors,
            ambiguous=ambiguous,
            percentile=self._percentiles(other),
            nearest=table,
        )
        return InputsPredictions(answers, inputs, odd)

    def score(self, cells: Cells) -> Said:
        """Return probabilities, other-scores, embeddings and the parts in nats of readable rows.

        Each is the mean over the networks, but for the embeddings, which stand side by side.
        """
        rows = self.encoder.encode(cells)
        features = features_of(cells, rows, self.encoder, self.plan)
        answers = self.networks.run(rows)
        return answered(answers, features, self.scorers, self.encoder, self.plan, self.target)

    def _percentiles(self, other: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.searchsorted(np.sort(self.known_scores), other, side="left")
        return np.where(np.isnan(other), np.nan, 100.0 * below / max(len(self.known_scores), 1))


class Said(NamedTuple):
    """What networks say of n rows together.

    `probabilities` is (n, K), `other` (n,) or, for several labels, (n, K), `embedded` (n, d), and
    `parts` are in nats.
    """

    probabilities: NDArray[np.float64]
    other: NDArray[np.float64]
    embedded: NDArray[np.float64]
    parts: Parts


def answered(
    answers: Sequence[Answer],
    features: Features,
    scorers: Sequence[Scorer],
    encoder: Encoder,
    plan: Plan,
    target: Target,
) -> Said:
    """Return what networks say together, each with its scorer.

    It is the same for new rows as for those that are kept to choose the threshold from.
    """
    all_parts = [
        scorer.surprises(scorer.parts(answer, features, encoder, plan, target))
        for answer, scorer in zip(answers, scorers, strict=True)
    ]
    return Said(
        np.mean([target.probabilities(answer.logits) for answer in answers], axis=0),
        np.mean([combined(parts, target) for parts in all_parts], axis=0),
        np.concatenate([unit(answer.fused) for answer in answers], axis=1),
        {name: np.mean([parts[name] for parts in all_parts], axis=0) for name in all_parts[0]},
    )


def combined(parts: Parts, target: Target) -> NDArray[np.float64]:
    """Return the other-score of rows, (n,), or the score of each label, (n, K).

    Of a label it is the surprise at its logit, among rows that have it, and at everything else,
    joined as `together` does.
    """
    total = together({name: one for name, one in parts.items() if not name.startswith("label:")})
    if target.kind != "multi-label":
        return total
    own = [together({"row": total, "label": parts[f"label:{name}"]}) for name in target.classes]
    return np.column_stack(own)


def unit(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return rows of length 1, so that every network counts the same; a zero row stays zero."""
    X = X.astype(np.float64)
    length = np.linalg.norm(X, axis=1, keepdims=True)
    result: NDArray[np.float64] = X / np.where(length > 0, length, 1.0)
    return result


def _spread(values: NDArray[np.float64], at: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Put rows where they belong among n, NaN elsewhere."""
    found = np.full((n, *values.shape[1:]), np.nan)
    found[at] = values
    return found
