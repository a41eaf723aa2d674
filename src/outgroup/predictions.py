"""What a model answers: one `Prediction` for an image, and `Predictions` for many.

An image is given a class in an output iff the other-score of that output is at most its threshold
(a tie is known). An image that is given nothing is *other*: its label is ``None``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.label_schema import LabelSchema

#: Fields of a JSON line that only some models have.
OPTIONAL_FIELDS = ("other_scores", "thresholds", "outputs", "input_scores", "odd_inputs")


@dataclass(frozen=True)
class Neighbour:
    """A training image that is near to the image in question.

    Parameters
    ----------
    path : str or None
        Its path as given for training; None if it had none.
    label : str or None
        Its class, or its labels joined by bars; None for a negative.
    distance : float
        One minus the cosine of the two embeddings (layer "last"), accurate to some thousandths.
    row : int or None
        For a model of arrays its row: those of ``X``, then those of ``other``.
    """

    path: str | None
    label: str | None
    distance: float
    row: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"path": self.path, "label": self.label, "distance": self.distance}


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Parameters
    ----------
    path : str or None
        The path as given; None for an image that had none.
    label : str or None
        The class; with several outputs the most certain of those given; None if the image is other
        or could not be read.
    reason : {"known", "unknown", "ambiguous", "unreadable"}
        "known": it was given a class. "unknown": other, far from the classes. "ambiguous": other,
        between two classes that it is near to. "unreadable": see `error`.
    other_score : float or None
        Higher = more other; with several outputs, the least difference between the other-score of
        an output and its threshold. None if unreadable.
    threshold : float or None
        The image is other iff `other_score` is above it.
    probabilities : dict of str to float
        Score of each class; empty if unreadable.
    error : str or None
        Why the image could not be read.
    percentile : float or None
        Percentage of held-out known images with a lower other-score; None if unreadable.
    nearest : sequence of Neighbour
        The nearest training images, nearest first; looked up on first use.
    given : tuple of str or None
        All classes given, with several outputs; None: `label` alone.
    other_scores, thresholds : dict of str to float, or None
        Other-score of each output and its threshold, with several outputs.
    outputs : dict of str to (str or None), or None
        The class of each column, with columns.
    input_scores : dict of str to (float or None), or None
        For a model with several inputs, how unusual each input is, in nats: minus the logarithm of
        the share of known rows with a more unusual one. None for an input that is missing.
    odd_inputs : dict of str to str, or None
        A sentence about each input that is more unusual than those of 99 % of known rows.
    """

    path: str | None
    label: str | None
    reason: str
    other_score: float | None
    threshold: float | None
    probabilities: dict[str, float]
    error: str | None = None
    percentile: float | None = None
    nearest: Sequence[Neighbour] = ()
    given: tuple[str, ...] | None = None
    other_scores: dict[str, float] | None = None
    thresholds: dict[str, float] | None = None
    outputs: dict[str, str | None] | None = None
    input_scores: dict[str, float | None] | None = None
    odd_inputs: dict[str, str] | None = None

    @property
    def other(self) -> bool:
        """True if the image was read and given no class."""
        return self.label is None and self.reason != "unreadable"

    @property
    def labels(self) -> list[str]:
        """All classes given; empty if there is none."""
        if self.given is not None:
            return list(self.given)
        return [] if self.label is None else [self.label]

    def text(self, other: str = "other") -> str:
        """Return the answer for people: labels joined by bars, or "column=value" for each column.

        Parameters
        ----------
        other : str, default="other"
            What stands for none of the classes.
        """
        if self.outputs is not None and not self.error:
            return "|".join(f"{name}={value or other}" for name, value in self.outputs.items())
        return "|".join(self.labels) or other

    def to_dict(self, explain: bool = False) -> dict[str, Any]:
        """Return the fields of one JSON line, in the order of the contract.

        Parameters
        ----------
        explain : bool, default=False
            Whether to add "percentile" and "nearest".
        """
        fields: dict[str, Any] = {
            "path": self.path,
            "label": self.label,
            "labels": self.labels,
            "other": self.other,
            "reason": self.reason,
            "other_score": self.other_score,
            "threshold": self.threshold,
            "probabilities": self.probabilities,
            "error": self.error,
        }
        if explain:
            fields["percentile"] = self.percentile
            fields["nearest"] = [neighbour.to_dict() for neighbour in self.nearest]
        for name in OPTIONAL_FIELDS:
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        return fields

    def to_json(self, explain: bool = False) -> str:
        """Return one line of JSON; a path that is not UTF-8 keeps its bytes as escapes."""
        return json.dumps(self.to_dict(explain), allow_nan=False)


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """The answers for many images, with the scores they rest on.

    Parameters
    ----------
    schema : LabelSchema
        Outputs and classes.
    class_scores : ndarray of shape (n, n_classes), float64
        Score of each class; rows of unreadable images are NaN.
    other_scores : ndarray of shape (n, n_outputs), float64
        Of each output, higher = more other; NaN if unreadable.
    threshold : float
        The threshold of a single output; with several, what is added to the threshold of each.
    paths, errors : tuple of (str or None)
        Where each image came from, and why it could not be read.
    offsets : ndarray of shape (n_outputs,), float64, or None
        Threshold of each output less `threshold`; None: zeros.
    ambiguous : ndarray of shape (n,), bool, or None
        Whether an image is between two classes, which matters if it is other.
    percentile : ndarray of shape (n,), float64, or None
        Percentage of held-out known images with a lower other-score; NaN if unreadable.
    nearest : sequence of n sequences of Neighbour, or None
        The training images nearest to each.
    input_scores : dict of str to ndarray of shape (n,), float64, or None
        As in `Prediction`; NaN where an input is missing.
    odd_inputs : tuple of n dict, or None
        As in `Prediction`.

    Examples
    --------
    >>> p = Predictions(LabelSchema.single(["cat", "dog"]), np.array([[0.9, 0.1], [0.4, 0.6]]),
    ...                 np.array([[0.2], [0.7]]), 0.5, (None, None), (None, None))
    >>> p.labels, p.at(0.8).labels
    (['cat', None], ['cat', 'dog'])
    """

    schema: LabelSchema
    class_scores: NDArray[np.float64]
    other_scores: NDArray[np.float64]
    threshold: float
    paths: tuple[str | None, ...]
    errors: tuple[str | None, ...]
    offsets: NDArray[np.float64] | None = None
    ambiguous: NDArray[np.bool_] | None = None
    percentile: NDArray[np.float64] | None = None
    nearest: Sequence[Sequence[Neighbour]] | None = None
    input_scores: dict[str, NDArray[np.float64]] | None = None
    odd_inputs: tuple[dict[str, str], ...] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Predictions:
        """Return the scores of several predictions of one model as one, without explanations."""
        first = parts[0]
        return cls(
            first.schema,
            np.concatenate([part.class_scores for part in parts]),
            np.concatenate([part.other_scores for part in parts]),
            first.threshold,
            tuple(path for part in parts for path in part.paths),
            tuple(error for part in parts for error in part.errors),
            first.offsets,
        )

    def at(self, threshold: float) -> Predictions:
        """Return the answers at another `threshold`; no score is computed again."""
        return replace(self, threshold=float(threshold))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes."""
        return self.schema.class_names

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """Other-score of each output less its offset, (n, n_outputs): given iff <= `threshold`."""
        offsets = 0.0 if self.offsets is None else self.offsets
        result: NDArray[np.float64] = self.other_scores - offsets
        return result

    @property
    def other_score(self) -> NDArray[np.float64]:
        """The least margin of each image, (n,); NaN if unreadable. Other iff above `threshold`."""
        result: NDArray[np.float64] = self.margins.min(axis=1)
        return result

    @property
    def given(self) -> NDArray[np.bool_]:
        """Whether each image is given a class in each output, (n, n_outputs)."""
        result: NDArray[np.bool_] = self.margins <= self.threshold  # False for NaN
        return result

    @cached_property
    def best(self) -> NDArray[np.int64]:
        """Index of the best class in each output, (n, n_outputs), given or not."""
        scores = np.nan_to_num(self.class_scores, nan=-np.inf)
        parts = [scores[:, where].argmax(axis=1) for where in self.schema.slices]
        return np.stack(parts, axis=1)

    @property
    def labels(self) -> list[str | None] | list[list[str]]:
        """`top_labels` with a single output, `label_lists` with several."""
        return self.top_labels if self.schema.is_single else self.label_lists

    @property
    def top_labels(self) -> list[str | None]:
        """`Prediction.label` of each image: None if other or unreadable."""
        margins = np.nan_to_num(self.margins, nan=np.inf)
        first = margins.argmin(axis=1)
        rows = zip(first.tolist(), self.best.tolist(), margins.min(axis=1).tolist(), strict=True)
        return [self._text(o, best[o]) if low <= self.threshold else None for o, best, low in rows]

    @property
    def label_lists(self) -> list[list[str]]:
        """`Prediction.labels` of each image: all classes given."""
        return [
            [self._text(o, k) for o, (k, yes) in enumerate(zip(best, given, strict=True)) if yes]
            for best, given in zip(self.best.tolist(), self.given.tolist(), strict=True)
        ]

    def _text(self, output: int, k: int) -> str:
        one = self.schema.outputs[output]
        return one.text(one.classes[k])

    def __len__(self) -> int:
        return len(self.class_scores)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            rows = ("class_scores", "other_scores", "paths", "errors")
            optional = ("ambiguous", "percentile", "nearest", "odd_inputs")
            there = [name for name in optional if getattr(self, name) is not None]
            some = {name: getattr(self, name)[index] for name in [*rows, *there]}
            if self.input_scores is not None:
                some["input_scores"] = {k: v[index] for k, v in self.input_scores.items()}
            return replace(self, **some)
        return self._unreadable(index) if self.errors[index] is not None else self._answer(index)

    def _unreadable(self, index: int) -> Prediction:
        more: dict[str, Any] = {}
        if not self.schema.is_single:
            more = {"given": (), "other_scores": {}, "thresholds": {}}
        if self._columns:
            more["outputs"] = {self.schema.outputs[o].name: None for o in self._columns}
        if self.input_scores is not None:
            more |= {"input_scores": {}, "odd_inputs": {}}
        path, error = self.paths[index], self.errors[index]
        return Prediction(path, None, "unreadable", None, None, {}, error, **more)

    def _answer(self, index: int) -> Prediction:
        outputs, margins, best = self.schema.outputs, self.margins[index], self.best[index]
        given = margins <= self.threshold
        first = int(margins.argmin())
        label = self._text(first, best[first]) if given[first] else None
        ambiguous = self.ambiguous is not None and self.ambiguous[index]
        more: dict[str, Any] = {}
        if not self.schema.is_single:
            offsets = np.zeros(len(outputs)) if self.offsets is None else self.offsets
            thresholds = (offsets + self.threshold).tolist()
            names = [output.name for output in outputs]
            more = {
                "given": tuple(self._text(o, best[o]) for o in np.flatnonzero(given).tolist()),
                "other_scores": dict(zip(names, self.other_scores[index].tolist(), strict=True)),
                "thresholds": dict(zip(names, thresholds, strict=True)),
            }
        if self._columns:
            more["outputs"] = {
                outputs[o].name: outputs[o].classes[best[o]] if given[o] else None
                for o in self._columns
            }
        if self.input_scores is not None:
            found = {name: float(values[index]) for name, values in self.input_scores.items()}
            more["input_scores"] = {k: None if v != v else v for k, v in found.items()}
        if self.odd_inputs is not None:
            more["odd_inputs"] = self.odd_inputs[index]
        return Prediction(
            path=self.paths[index],
            label=label,
            reason="known" if label is not None else "ambiguous" if ambiguous else "unknown",
            other_score=float(margins[first]),
            threshold=self.threshold,
            probabilities=dict(zip(self.classes, self.class_scores[index].tolist(), strict=True)),
            percentile=None if self.percentile is None else float(self.percentile[index]),
            nearest=() if self.nearest is None else self.nearest[index],
            **more,
        )

    @cached_property
    def _columns(self) -> list[int]:
        """Indices of the outputs that are columns."""
        outputs = self.schema.outputs
        return [o for o, one in enumerate(outputs) if one.name and not one.is_label]

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))
