"""What every strategy for labels has to do; a new one is tested by being registered."""

from __future__ import annotations

import json

import numpy as np
import pytest

from outgroup._component import OTHER, UNSEEN
from outgroup.artifact.codec import flatten, restore
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import auroc
from outgroup.heads import HEADS, SigmoidHead
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.model import fit_model
from outgroup.strategies import LABEL_STRATEGIES, FoldedRows, Strategy, choose_strategy
from outgroup.strategies.label_strategies import LabelBlend
from outgroup.training_set import TrainingSet

NAMES = [name for name, cls in LABEL_STRATEGIES if {*cls.needs_layers} <= {"last"}]
SCHEMA = LabelSchema.multi_label(["a", "b", "c"])
World = tuple[dict[str, np.ndarray], np.ndarray]


def world(n: int = 200, none: int = 60, seed: int = 0, d: int = 12) -> World:
    """Three labels that add up, as targets, and images of none of them, elsewhere."""
    rng = np.random.default_rng(seed)
    Y = np.zeros((n + none, 3), dtype=np.int64)
    Y[:n] = rng.random((n, 3)) < 0.35
    bare = np.flatnonzero(Y[:n].sum(axis=1) == 0)
    Y[bare, rng.integers(0, 3, len(bare))] = 1
    X = rng.normal(size=(n + none, d)) + 6 * Y @ np.eye(3, d)
    X[n:] += 5 * np.eye(d)[3 + np.arange(none) % 2]
    return {"last": X.astype(np.float32)}, label_targets(Y)


def rows_of(features: dict[str, np.ndarray], targets: np.ndarray) -> FoldedRows:
    folds = np.random.default_rng(7).permutation(np.arange(len(targets)) % 5)
    return FoldedRows(features, targets, folds)


def fitted(name: str, features: dict[str, np.ndarray], targets: np.ndarray) -> Strategy:
    strategy = LABEL_STRATEGIES.get(name)()
    strategy.cross_fit(rows_of(features, targets))
    return strategy.fit(features, targets)


@pytest.mark.parametrize("name", NAMES)
def test_scores_tell_rows_with_a_label_from_rows_without(name: str) -> None:
    features, targets = world()
    strategy = LABEL_STRATEGIES.get(name)()
    held_out = strategy.cross_fit(rows_of(features, targets))
    fresh, of_fresh = world(seed=1)
    scored = strategy.fit(features, targets).score(fresh)
    for (class_scores, other_score), true in ((held_out, targets), (scored, of_fresh)):
        assert class_scores.shape == other_score.shape == true.shape
        assert class_scores.dtype == other_score.dtype == np.float64
        assert ((class_scores >= 0) & (class_scores <= 1)).all()
        assert np.isfinite(other_score).all()
        for k in range(3):  # higher = more surely without it
            has = true[:, k] == 0
            assert auroc(other_score[has, k], other_score[~has, k]) > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_frozen_and_restored_strategies_give_the_very_same_scores(name: str) -> None:
    features, targets = world()
    strategy = fitted(name, features, targets)
    described, arrays = flatten(strategy, "strategy")
    restored = restore(json.loads(json.dumps(described)), arrays, "strategy", Strategy)
    assert type(restored) is type(strategy)
    frozen = strategy.frozen().fit(features, targets)  # without cross_fit
    for again in (restored, frozen):
        for one, two in zip(again.score(features), strategy.score(features), strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", NAMES)
def test_a_label_that_is_not_known_is_not_taken_for_absent(name: str) -> None:
    features, targets = world()
    hidden = targets.copy()
    hidden[(targets[:, 0] == 0) & (np.arange(len(targets)) % 2 == 0), 0] = UNSEEN
    fresh, of_fresh = world(seed=1)
    has = of_fresh[:, 0] == 0
    unknown = fitted(name, features, hidden).score(fresh).class_scores[has, 0]
    absent = np.where(hidden == UNSEEN, OTHER, hidden)
    misled = fitted(name, features, absent).score(fresh).class_scores[has, 0]
    assert unknown.mean() > misled.mean() + 0.1


@pytest.mark.parametrize("name", NAMES)
def test_unseen_rows_are_scored_and_change_nothing_for_the_others(name: str) -> None:
    features, targets = world()
    without = LABEL_STRATEGIES.get(name)().cross_fit(rows_of(features, targets)).other_score
    fresh = world(n=40, none=10, seed=1)[0]["last"]
    folds = np.r_[rows_of(features, targets).folds, np.zeros(50, dtype=np.int64)]
    both = np.vstack([features["last"], fresh])
    padded = np.vstack([targets, np.full((50, 3), UNSEEN)])
    held_out = LABEL_STRATEGIES.get(name)().cross_fit(
        FoldedRows({"last": both}, padded, folds)
    ).other_score  # fmt: skip
    assert np.abs(held_out[: len(targets)] - without).max() < 0.05 * without.std()
    final = fitted(name, features, targets).score({"last": fresh}).other_score
    assert np.abs(held_out[len(targets) :] - final).max() < 0.2 * final.std()


def test_blend_gives_hardly_a_label_to_images_far_from_everything() -> None:
    features, targets = world(none=0, d=48)  # no negatives at all
    directions = np.random.default_rng(9).normal(size=(300, 48))
    far = {"last": 40 * directions / np.linalg.norm(directions, axis=1, keepdims=True)}
    given = {}
    for name in NAMES:
        data = TrainingSet(features, targets, SCHEMA)
        model = fit_model(data, LABEL_STRATEGIES.get(name)())
        given[name] = model.predict(far).given.any(axis=1).mean()
    assert given["blend"] < 0.05
    assert given["sigmoid"] > 0.4  # linear sigmoids name garbage with certainty
    assert given["sigmoid-0.95"] > 0.4


def test_the_recipe_gives_what_has_095_and_learns_from_no_negatives() -> None:
    features, targets = world()
    data = TrainingSet(features, targets, SCHEMA)
    model = fit_model(data, choose_strategy("sigmoid-0.95", labels=True))
    answers = model.predict(world(seed=1)[0])
    np.testing.assert_array_equal(answers.given, answers.class_scores >= 0.95)
    labelled = (targets == 0).any(axis=1)
    without = fitted("sigmoid-0.95", {"last": features["last"][labelled]}, targets[labelled])
    found = without.score(world(seed=1)[0]).class_scores
    np.testing.assert_allclose(found, answers.class_scores, atol=1e-9)


def test_strategies_share_the_cross_fit_of_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, calls = rows_of(*world()), []
    head = LABEL_STRATEGIES.get("sigmoid").default_head  # type: ignore[attr-defined]
    cross_fit = head.cross_fit

    def counted(self: SigmoidHead, *args: np.ndarray) -> np.ndarray:
        calls.append(self)
        return cross_fit(self, *args)

    monkeypatch.setattr(head, "cross_fit", counted)
    for name in ("sigmoid", "blend", "sigmoid"):
        choose_strategy(name, labels=True).cross_fit(rows)
    assert len(calls) == 1


def test_blend_given_its_scaling_keeps_it() -> None:
    features, targets = world()
    scaling = [[0.0, 1.0, 2.0], [0.0, 1.0], [1.0, 2.0], [0.0, 3.0]]
    strategy = LabelBlend(scaling=scaling)
    held_out = strategy.cross_fit(rows_of(features, targets))
    assert strategy.scaling_ == scaling
    scores = strategy.fit(features, targets).score(features)
    distance = strategy.distance.other_score(features["last"])
    centres, scales = np.array(scaling[1:]).T
    logits = strategy.logits(features)
    expected = 2.0 * np.logaddexp(0, (-logits - centres) / scales)
    expected += np.logaddexp(0, distance)[:, np.newaxis]
    np.testing.assert_allclose(scores.other_score, expected)
    assert held_out.other_score.shape == expected.shape


@pytest.mark.parametrize("head", ["focal-sigmoid", "linear-sigmoid", "pu-sigmoid"])
def test_a_head_chosen_by_name_learns_labels(head: str) -> None:
    features, targets = world()
    targets[::5, 1] = UNSEEN
    strategy = choose_strategy("blend", head=f"{head},class_weight=None", labels=True)
    assert strategy.head.name == head  # type: ignore[attr-defined]
    assert strategy.head.class_weight is None  # type: ignore[attr-defined]
    strategy.cross_fit(rows_of(features, targets))
    fresh, true = world(seed=1)
    scores = strategy.fit(features, targets).score(fresh).other_score
    for k in range(3):
        has = true[:, k] == 0
        assert auroc(scores[has, k], scores[~has, k]) > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_heads_that_can_not_learn_labels_are_refused(name: str) -> None:
    fitting = "takes one of focal-sigmoid, linear-sigmoid, pu-sigmoid, got"
    for head in {*HEADS.names()} - {"focal-sigmoid", "linear-sigmoid", "pu-sigmoid"}:
        with pytest.raises(InvalidParameterError, match=f"{fitting} '{head}'"):
            choose_strategy(name, head=head, labels=True)


def test_auto_uses_negatives_and_unknown_names_are_refused() -> None:
    auto = choose_strategy("auto", labels=True)
    assert (auto.name, auto.for_labels, auto.uses_others) == ("blend", True, True)
    with pytest.raises(InvalidParameterError, match="Did you mean 'sigmoid'"):
        choose_strategy("sigmiod", labels=True)
    with pytest.raises(InvalidParameterError, match="'softmax'"):
        choose_strategy("softmax", labels=True)
    with pytest.raises(InvalidParameterError, match="takes none as its detector"):
        choose_strategy("blend:knn", labels=True)


@pytest.mark.parametrize("name", LABEL_STRATEGIES.names())
def test_each_is_for_labels_and_has_a_summary(name: str) -> None:
    cls = LABEL_STRATEGIES.get(name)
    assert cls.name == name
    assert cls.for_labels
    assert cls.summary
