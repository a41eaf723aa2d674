"""What can be built on the package without changing it: other tasks, and other strategies."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from outgroup import OpenSetClassifier
from outgroup._component import UNSEEN
from outgroup._registry import Registry
from outgroup.artifact.codec import flatten_model, restore_model
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.evaluation import evaluate
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.model import Model, fit_model
from outgroup.selection import compare_strategies
from outgroup.strategies import (
    LABEL_STRATEGIES,
    STRATEGIES,
    Features,
    FoldedRows,
    Scores,
    Strategy,
    choose_strategy,
)
from outgroup.training_set import TrainingSet

# A task that the package does not know: sizes in an order, as labels "at least this large".

SIZES = ("small", "medium", "large")
AT_LEAST = LabelSchema.multi_label([f"at least {size}" for size in SIZES])


def sizes(n: int = 300, seed: int = 0) -> tuple[Features, np.ndarray]:
    """Rows further out the larger they are, and the index of the size; -1 for none."""
    rng = np.random.default_rng(seed)
    size = np.arange(n) % 4 - 1
    X = rng.normal(size=(n, 6))
    X[:, 0] += 6 * size
    X[size < 0, 1] += 12  # something that has no size
    return {"last": X}, size


def ordinal(size: np.ndarray) -> np.ndarray:
    """Return targets: a size is at least each of those up to it."""
    return label_targets((size[:, np.newaxis] >= np.arange(3)).astype(np.int64))


def fitted(strategy: str = "blend") -> Model:
    features, size = sizes()
    data = TrainingSet(features, ordinal(size), AT_LEAST)
    return fit_model(data, choose_strategy(strategy, labels=True))


def test_a_task_from_outside_is_a_schema_with_targets() -> None:
    model = fitted()
    features, size = sizes(seed=1)
    answers = model.predict(features)
    found = answers.given.sum(axis=1) - 1
    assert (found == size).mean() > 0.9
    large = answers[3]
    assert large.labels == ["at least small", "at least medium", "at least large"]
    assert answers[0].other
    assert list(model.thresholds) == list(AT_LEAST.class_names)


def test_a_task_from_outside_is_evaluated_compared_and_written_like_any() -> None:
    model = fitted()
    features, size = sizes(seed=1)
    found = evaluate(ordinal(size), model.predict(features))
    assert found.macro_f1.value > 0.9
    assert [label.name for label in found.classes] == list(AT_LEAST.class_names)
    features, size = sizes()
    compared = compare_strategies(TrainingSet(features, ordinal(size), AT_LEAST))
    assert compared.choice.name in {"sigmoid", "blend"}
    manifest, arrays = flatten_model(model)
    again = restore_model(json.loads(json.dumps(manifest)), arrays, 6)
    np.testing.assert_array_equal(
        again.predict(features).other_scores, model.predict(features).other_scores
    )


# Strategies that the package does not have.


class NearestMean(Strategy):
    """The nearest class mean names, and the distance to it is the other-score."""

    summary = "distance to the nearest class mean"
    reference = "made up"
    takes_one_class = True
    arrays = ("means",)

    def cross_fit(self, rows: FoldedRows) -> Scores:
        targets = rows.targets
        n_outputs = targets.shape[1] if self.for_labels else int(targets.max()) + 1
        class_scores = np.empty((len(targets), n_outputs))
        other = np.empty((len(targets), n_outputs) if self.for_labels else len(targets))
        for fold in np.unique(rows.folds):
            inside = rows.folds == fold
            learned = np.where(inside[:, np.newaxis], UNSEEN, targets)
            self._learn(rows.features["last"], learned)
            class_scores[inside], other[inside] = self.score(
                {"last": rows.features["last"][inside]}
            )
        return Scores(class_scores, other)

    def fit(self, features: Features, y: np.ndarray) -> NearestMean:
        self._learn(features["last"], y.reshape(len(y), -1))
        return self

    def _learn(self, X: np.ndarray, targets: np.ndarray) -> None:
        self.means = np.stack(
            [X[targets[:, 0] == k].mean(axis=0) for k in range(targets.max() + 1)]
        )

    def _distances(self, features: Features) -> np.ndarray:
        return np.linalg.norm(features["last"][:, np.newaxis] - self.means, axis=2)

    def score(self, features: Features) -> Scores:
        distances = self._distances(features)
        return Scores(1 / (1 + distances), distances.min(axis=1))


class NearestLabelMean(NearestMean):
    """The distance to the mean of a label is its other-score."""

    for_labels = True

    def _learn(self, X: np.ndarray, targets: np.ndarray) -> None:
        self.means = np.stack([X[column == 0].mean(axis=0) for column in targets.T])

    def score(self, features: Features) -> Scores:
        distances = self._distances(features)
        return Scores(1 / (1 + distances), distances)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register both under one name, and forget them again."""
    of_registry: list[tuple[Registry[Any], type[Strategy]]] = [
        (STRATEGIES, NearestMean), (LABEL_STRATEGIES, NearestLabelMean)
    ]  # fmt: skip
    for registry, cls in of_registry:
        registry.names()
        monkeypatch.setattr(registry, "_entries", {**registry._entries})
        registry.register("nearest-mean")(cls)


def classes(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 4
    names = np.array(["cat", "dog", "cow", None], dtype=object)
    return rng.normal(size=(n, 8)) + 8 * np.eye(8)[kind], names[kind]


@pytest.mark.usefixtures("registered")
def test_a_strategy_from_outside_is_chosen_by_name_for_classes_and_columns() -> None:
    X, y = classes(480)
    clf = OpenSetClassifier("nearest-mean").fit(X, y)
    fresh, true = classes(seed=1)
    assert clf.score(fresh, true) > 0.9
    assert clf.model_.strategy.name == "nearest-mean"
    answers = clf.predict_open(fresh)
    means = np.stack([X[y == name].mean(axis=0) for name in ("cat", "cow", "dog")])
    expected = np.linalg.norm(fresh[:, np.newaxis] - means, axis=2)
    np.testing.assert_allclose(answers.other_score, expected.min(axis=1))
    columns = OpenSetClassifier("nearest-mean").fit(X, np.stack([y, y], axis=1))
    assert columns.predict(fresh).tolist() == [[a, a] for a in clf.predict(fresh)]


@pytest.mark.usefixtures("registered")
def test_a_strategy_from_outside_is_chosen_by_name_for_labels() -> None:
    X, y = classes(480)
    clf = OpenSetClassifier("nearest-mean").fit(X, [[] if name is None else [name] for name in y])
    fresh, true = classes(seed=1)
    assert clf.score(fresh, [[] if name is None else [name] for name in true]) > 0.9
    within = clf.model_.thresholds["cat"] * np.eye(8)[4]
    mean = X[y == "cat"].mean(axis=0)
    assert clf.predict_labels([mean + 0.99 * within, mean + 1.01 * within]) == [["cat"], []]
    assert clf.certificate_.guarantees[0].n == 120


@pytest.mark.usefixtures("registered")
def test_a_strategy_from_outside_is_compared_and_written_like_any() -> None:
    X, y = classes(480)
    data = TrainingSet.from_labels({"last": X}, y.tolist())
    compared = compare_strategies(data, ["softmax", "nearest-mean"])
    own = compared.results[1]
    assert own.problem is None
    assert own.accepted is not None
    model = fit_model(data, choose_strategy("nearest-mean"))
    manifest, arrays = flatten_model(model)
    again = restore_model(json.loads(json.dumps(manifest)), arrays, 8)
    np.testing.assert_array_equal(
        again.predict({"last": X}).other_scores, model.predict({"last": X}).other_scores
    )


def test_names_that_nobody_registered_are_refused() -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `strategy`: must be one of"):
        OpenSetClassifier("nearest-mean").fit(*classes())


@pytest.mark.usefixtures("registered")
def test_scores_of_another_shape_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = OpenSetClassifier("nearest-mean").fit(*classes()).model_
    wrong = Scores(np.zeros((1, 2)), np.zeros(1))
    monkeypatch.setattr(NearestMean, "score", lambda self, features: wrong)
    with pytest.raises(
        InvalidDataError, match="must give 3 class scores and 1 other-scores, got 2 and 1"
    ):
        model.predict({"last": np.zeros((1, 8))})
