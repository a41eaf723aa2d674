"""What a model gets right and wrong: by output and class, by kind of unknown, and in all.

Most cells of a multi-label table are zeros, so that a model that never answers is right in nearly
all cells. So no figure here counts a label that is not there and was not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidDataError
from outgroup.evaluation.ranking import auroc, auroc_interval, fpr_at_tpr
from outgroup.evaluation.rates import (
    Figure,
    Rate,
    average_precision,
    f1,
    f1_figure,
    with_logit_interval,
)
from outgroup.label_schema import LabelSchema, Output
from outgroup.predictions import Predictions


@dataclass(frozen=True)
class ClassResult:
    """What became of the images of one class.

    Parameters
    ----------
    name : str
        The class; "all" for all known images of an output.
    recall, rejected, wrong_label : Rate
        Images of the class given it, given nothing, and given another; the shares add up to 1.
    precision : Rate
        Images of the class among those given it; unknown images count.
    f1 : Figure or None
        ``2 TP / (2 TP + FP + FN)``; None for "all".
    average_precision : Figure or None
        Of a label: of the ranking by other-score, whatever the threshold.
    """

    name: str
    recall: Rate
    rejected: Rate
    wrong_label: Rate
    precision: Rate
    f1: Figure | None = None
    average_precision: Figure | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {name: _plain(value) for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class UnknownResult:
    """What became of one folder of unknown images.

    Parameters
    ----------
    name : str
        The folder.
    accepted : Rate
        Given a class at the model's own threshold.
    auroc : float
        Against all known images; other is the positive class.
    auroc_interval : tuple of float
        95 % interval of `auroc`.
    fpr95 : Rate
        Accepted at the threshold that keeps 95 % of the known images given here.
    """

    name: str
    accepted: Rate
    auroc: float
    auroc_interval: tuple[float, float]
    fpr95: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {name: _plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class OutputResult:
    """Results of one output: on known images by class, and on unknown ones by folder.

    `overall` is over all known images; `unknown_overall` over all unknown ones, None without any.
    """

    name: str
    classes: tuple[ClassResult, ...]
    overall: ClassResult
    unknown: tuple[UnknownResult, ...]
    unknown_overall: UnknownResult | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {name: _plain(value) for name, value in vars(self).items() if name != "name"}


@dataclass(frozen=True)
class Evaluation:
    """Results of each output, and of all together.

    Parameters
    ----------
    outputs : tuple of OutputResult
        Of each output that an image has a class in, or that was given to one.
    macro_f1 : Figure
        Mean F1 of all classes that an image has or was given; 0 for a model that never answers. The
        interval is made of the means of the ends, which is conservative.
    micro_f1 : Figure
        F1 over all classes of all images; its interval is made likewise.
    exact_match : Rate
        Images with a class in any output that were given exactly their classes.
    all_right : Rate
        Images with a class in every output that were given these.
    coverage : Rate
        Images with a class in any output that were given any.
    none_given : Rate
        Images of none of the classes that were given any.
    by_origin : dict of str to Rate
        `none_given` by folder.
    """

    outputs: tuple[OutputResult, ...]
    macro_f1: Figure
    micro_f1: Figure
    exact_match: Rate
    all_right: Rate
    coverage: Rate
    none_given: Rate
    by_origin: dict[str, Rate]
    schema: LabelSchema

    @property
    def classes(self) -> tuple[ClassResult, ...]:
        """Results of the classes of all outputs."""
        return tuple(result for output in self.outputs for result in output.classes)

    @property
    def overall(self) -> ClassResult:
        """Results over all known images of the first output."""
        return self.outputs[0].overall

    @property
    def unknown(self) -> tuple[UnknownResult, ...]:
        """Results on unknown images of the first output, by folder."""
        return self.outputs[0].unknown

    @property
    def unknown_overall(self) -> UnknownResult | None:
        """Results on all unknown images of the first output; None without any."""
        return self.outputs[0].unknown_overall

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values: "labels" or "columns" with several outputs."""
        together = {n: _plain(v) for n, v in vars(self).items() if n not in ("outputs", "schema")}
        if self.schema.is_single:
            return {**self.outputs[0].to_dict(), **together}
        if self.schema.is_multi_label:
            return {**together, "labels": [result.to_dict() for result in self.classes]}
        return {"columns": {one.name: one.to_dict() for one in self.outputs}, **together}


def evaluate(
    targets: NDArray[np.int64], answers: Predictions, origins: Sequence[str] | None = None
) -> Evaluation:
    """Count what happened to known and unknown images at the threshold of their answers.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, n_outputs), int64
        Class index of each image in each output, `OTHER` for none of its classes, `UNSEEN` where
        nobody has looked, which counts nowhere.
    answers : Predictions
        The answers for these images; those that could not be read count nowhere.
    origins : sequence of str or None, length n
        Folder of each image, by which unknown images are reported.

    Raises
    ------
    InvalidDataError
        If lengths differ, or there is no known image in a column, or in any of the labels.

    Examples
    --------
    >>> schema = LabelSchema.single(["cat", "dog"])
    >>> scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.5, 0.5]])
    >>> answers = Predictions(schema, scores, np.array([[0.1], [0.9], [0.2], [0.8]]), 0.5,
    ...                       (None,) * 4, (None,) * 4)
    >>> found = evaluate(np.array([0, 0, 1, -1]), answers, ["web", "web", "web", "lego"])
    >>> print(found.overall.rejected, found.macro_f1)
    33.3 [0.8, 90.6] 0.25 [0.01, 0.97]
    """
    schema = answers.schema
    marks = np.asarray(targets, dtype=np.int64)
    marks = marks[:, np.newaxis] if marks.ndim == 1 else marks
    folders = np.array(["all"] * len(marks) if origins is None else list(origins), dtype=str)
    if not marks.shape == (len(answers), len(schema.outputs)) or len(folders) != len(marks):
        raise InvalidDataError(
            f"There must be a row for each of {len(answers)} answers with a column for each of "
            f"{len(schema.outputs)} outputs, got shape {marks.shape} and {len(folders)} folders."
        )
    readable = np.array([error is None for error in answers.errors], dtype=bool)
    marks, folders = marks[readable], folders[readable]
    given, best, scores = (
        values[readable] for values in (answers.given, answers.best, answers.other_scores)
    )
    said = np.where(given, best, OTHER)
    has, lacks = (marks >= 0).any(axis=1), (marks == OTHER).all(axis=1)
    if not has.any():
        raise InvalidDataError("There must be at least one known image, got none.")
    thresholds = answers.threshold + (
        np.zeros(marks.shape[1]) if answers.offsets is None else answers.offsets
    )
    outputs = []
    for o, output in enumerate(schema.outputs):
        seen = marks[:, o] != UNSEEN
        true, found = marks[seen, o], said[seen, o]
        if not (true >= 0).any():
            if not output.is_label:
                what = f"No image has a class in the column {output.name!r}."
                raise InvalidDataError(what)
            if not (found >= 0).any():
                continue
        outputs.append(_output(output, true, found, scores[seen, o], folders[seen], thresholds[o]))
    whole = (marks != UNSEEN).all(axis=1)
    right, any_given = (said == marks).all(axis=1), given.any(axis=1)
    macro, micro = _joined([one for output in outputs for one in output.classes])
    return Evaluation(
        outputs=tuple(outputs),
        macro_f1=macro,
        micro_f1=micro,
        exact_match=_rate(right, whole & has),
        all_right=_rate(right, (marks >= 0).all(axis=1)),
        coverage=_rate(any_given, has),
        none_given=_rate(any_given, lacks),
        by_origin={
            str(name): _rate(any_given, lacks & (folders == name))
            for name in dict.fromkeys(folders[lacks].tolist())
        },
        schema=schema,
    )


def _output(
    output: Output,
    true: NDArray[np.int64],
    said: NDArray[np.int64],
    scores: NDArray[np.float64],
    folders: NDArray[np.str_],
    threshold: float,
) -> OutputResult:
    known = true >= 0
    classes = []
    for k, name in enumerate(output.classes):
        own = true == k
        if not own.any() and not (output.is_label and (said == k).any()):
            continue
        result = _class_result(name, own, said, k)
        if output.is_label:
            precision = average_precision(own, scores)
            figure = with_logit_interval(precision, int(own.sum()))
            result = ClassResult(**{**vars(result), "average_precision": figure})
        classes.append(result)
    unknown, both = [], None
    if known.any() and not known.all():
        for name in dict.fromkeys(folders[~known].tolist()):
            of_name = scores[~known & (folders == name)]
            unknown.append(_unknown_result(name, scores[known], of_name, threshold))
        both = _unknown_result("all", scores[known], scores[~known], threshold)
    right, rejected, n = int((said == true)[known].sum()), said[known] == OTHER, int(known.sum())
    overall = ClassResult(
        "all",
        Rate(right, n),
        Rate(int(rejected.sum()), n),
        Rate(n - right - int(rejected.sum()), n),
        Rate(right, int((said >= 0).sum())),
    )
    return OutputResult(output.name, tuple(classes), overall, tuple(unknown), both)


def _class_result(
    name: str, own: NDArray[np.bool_], said: NDArray[np.int64], k: int
) -> ClassResult:
    n, n_said = int(own.sum()), int((said == k).sum())
    right, rejected = int((said[own] == k).sum()), int((said[own] == OTHER).sum())
    return ClassResult(
        name=name,
        recall=Rate(right, n),
        rejected=Rate(rejected, n),
        wrong_label=Rate(n - right - rejected, n),
        precision=Rate(right, n_said),
        f1=f1_figure(right, n + n_said - right),
    )


def _unknown_result(
    name: str, known: NDArray[np.float64], scores: NDArray[np.float64], threshold: float
) -> UnknownResult:
    n = len(scores)
    area = auroc(known, scores)
    return UnknownResult(
        name=name,
        accepted=Rate(int((scores <= threshold).sum()), n),
        auroc=area,
        auroc_interval=auroc_interval(area, len(known), n),
        fpr95=Rate(round(fpr_at_tpr(known, scores) * n), n),
    )


def _joined(results: Sequence[ClassResult]) -> tuple[Figure, Figure]:
    """Return macro and micro F1 with conservative intervals."""
    figures = [one.f1 for one in results if one.f1 is not None]
    values, lows, highs = (
        np.array(column) for column in zip(*((f.value, *f.interval) for f in figures), strict=True)
    )
    macro = Figure(float(values.mean()), (float(lows.mean()), float(highs.mean())))
    unions = np.array(
        [one.recall.n + one.precision.n - one.precision.k for one in results], dtype=np.float64
    )
    agreement = sum(one.recall.k for one in results) / float(unions.sum())
    ends = [float(unions @ (side / (2 - side)) / unions.sum()) for side in (lows, highs)]  # Jaccard
    return macro, Figure(f1(agreement), (f1(ends[0]), f1(ends[1])))


def _plain(value: Any) -> Any:
    """Return JSON-ready values of results, and of tuples and dicts of them."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value.to_dict() if hasattr(value, "to_dict") else value


def _rate(event: NDArray[np.bool_], among: NDArray[np.bool_]) -> Rate:
    return Rate(int((event & among).sum()), int(among.sum()))
