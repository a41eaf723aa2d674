"""What every registered strategy has to do; a new one is tested by being registered."""

import json
from typing import Any

import numpy as np
import pytest

from outgroup._component import Component, State
from outgroup.detectors import DETECTORS
from outgroup.evaluation import auroc, auroc_interval
from outgroup.heads import HEADS
from outgroup.strategies import STRATEGIES, FoldedRows, HeadStrategy, Strategy, head_input

#: Those that learn from embeddings, or read the logits of a backbone.
NAMES = [name for name, cls in STRATEGIES if {*cls.needs_layers} <= {"last", "logits"}]
LEARNING = [name for name, cls in STRATEGIES if cls.uses_others]
HEADED = [name for name, cls in STRATEGIES if issubclass(cls, HeadStrategy)]
CLOSED = [name for name in NAMES if name not in LEARNING]


def layers_of(X: np.ndarray) -> dict[str, np.ndarray]:
    """Layers of a backbone whose logits are as good as its embeddings."""
    return {"last": X, "logits": X}


def world(
    n: int = 40, others: int = 60, seed: int = 0, dtype: Any = np.float32
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three classes, and negatives of two kinds, in twelve dimensions."""
    rng = np.random.default_rng(seed)
    centres = 5 * np.eye(5, 12)
    kind = np.r_[np.repeat([0, 1, 2], n), 3 + np.arange(others) % 2]
    X = (rng.normal(size=(len(kind), 12)) + centres[kind]).astype(dtype)
    return layers_of(X), np.where(kind < 3, kind, -1)


def folds_of(y: np.ndarray, n: int = 5) -> np.ndarray:
    return np.random.default_rng(7).permutation(np.arange(len(y)) % n)


def fitted(name: str, y_others: bool = True) -> Strategy:
    features, y = world(others=60 if y_others else 0)
    strategy = STRATEGIES.get(name)()
    strategy.cross_fit(FoldedRows(features, y, folds_of(y)))
    return strategy.fit(features, y)


@pytest.mark.parametrize("name", NAMES)
def test_cross_fit_then_fit_then_score(name: str) -> None:
    features, y = world()
    strategy = STRATEGIES.get(name)()
    held_out = strategy.cross_fit(FoldedRows(features, y, folds_of(y)))
    scored = strategy.fit(features, y).score(world(seed=1)[0])
    for class_scores, other_score in (held_out, scored):
        assert class_scores.shape == (len(y), 3)
        assert other_score.shape == (len(y),)
        assert class_scores.dtype == other_score.dtype == np.float64
        assert ((class_scores >= 0) & (class_scores <= 1)).all()
        assert np.isfinite(other_score).all()
        known = y >= 0
        assert (class_scores[known].argmax(axis=1) == y[known]).mean() > 0.95
        assert auroc(other_score[known], other_score[~known]) > 0.85  # higher = more other


@pytest.mark.parametrize("name", [n for n in NAMES if not STRATEGIES.get(n).needs_others])
def test_strategies_that_do_not_need_negatives_do_without(name: str) -> None:
    features, y = world(others=0)
    strategy = STRATEGIES.get(name)()
    held_out = strategy.cross_fit(FoldedRows(features, y, folds_of(y)))
    scored = strategy.fit(features, y).score(features)
    assert held_out.class_scores.shape == scored.class_scores.shape == (len(y), 3)


def test_strategies_that_need_negatives_use_them() -> None:
    assert all(cls.uses_others for _, cls in STRATEGIES if cls.needs_others)


@pytest.mark.parametrize("name", CLOSED)
def test_strategies_that_do_not_use_negatives_score_alike_with_and_without_them(name: str) -> None:
    having, without = fitted(name, y_others=True), fitted(name, y_others=False)
    rows = world(seed=1)[0]
    # the folds differ, and with them what is tuned, so the order is compared and not the values
    a, b = having.score(rows), without.score(rows)
    assert (a.class_scores.argmax(axis=1) == b.class_scores.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("name", LEARNING)
def test_negatives_that_are_learned_from_are_accepted_less(name: str) -> None:
    features, y = world()
    # negatives that look much like class 0
    near = np.random.default_rng(3).normal(size=(60, 12)) + 2.5 * np.eye(12)[0]
    features = layers_of(np.vstack([features["last"][y >= 0], near]).astype(np.float32))
    y = np.r_[y[y >= 0], np.full(60, -1)]
    strategy = STRATEGIES.get(name)()
    strategy.cross_fit(FoldedRows(features, y, folds_of(y)))
    rng = np.random.default_rng(4)
    fresh_near = layers_of(rng.normal(size=(300, 12)) + 2.5 * np.eye(12)[0])
    fresh_known = world(seed=5, others=0)[0]

    def accepted(strategy: Strategy) -> float:
        threshold = np.quantile(strategy.score(fresh_known).other_score, 0.95)
        return float((strategy.score(fresh_near).other_score <= threshold).mean())

    learned = accepted(strategy.fit(features, y))
    baseline = fitted("sigmoid", y_others=False)
    assert learned < accepted(baseline) - 0.1


@pytest.mark.parametrize("name", NAMES)
def test_frozen_keeps_what_was_tuned(name: str) -> None:
    features, y = world()
    strategy = fitted(name)
    again = strategy.frozen().fit(features, y)  # without cross_fit
    rows = world(seed=1)[0]
    np.testing.assert_array_equal(again.score(rows).other_score, strategy.score(rows).other_score)


def rebuilt(state: State) -> Component:
    """Build a component from its state as a loader of model files does: names only."""
    parts = {part: rebuilt(inner) for part, inner in state.parts.items()}
    for registry in (STRATEGIES, HEADS, DETECTORS):
        if state.name in registry:
            return registry.get(state.name).from_state(state, parts)  # type: ignore[attr-defined]
    raise AssertionError(f"{state.name!r} is in no registry")


@pytest.mark.parametrize("name", NAMES)
def test_from_its_state_it_gives_the_very_same_scores(name: str) -> None:
    strategy = fitted(name)
    again = rebuilt(strategy.state())
    assert isinstance(again, type(strategy))
    rows = world(seed=1)[0]
    for one, two in zip(again.score(rows), strategy.score(rows), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_is_plain_values_and_arrays_without_objects(name: str) -> None:
    def check(state: State) -> None:
        assert json.loads(json.dumps(state.parameters)) == state.parameters
        assert all(array.dtype.kind in "fiu" for array in state.arrays.values())
        for part in state.parts.values():
            check(part)

    check(fitted(name).state())


@pytest.mark.parametrize("name", HEADED)
def test_a_row_is_scored_by_models_that_have_not_seen_it(name: str) -> None:
    # Labels are noise: whoever has seen a row gets it right, whoever has not can't.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(180, 150)), rng.integers(0, 3, 180)
    y[150:] = -1
    strategy = STRATEGIES.get(name)()
    strategy.head.strength = strategy.head.strength_ = 0.001  # type: ignore[attr-defined]
    known = y >= 0
    held_out = strategy.cross_fit(FoldedRows({"last": X}, y, folds_of(y))).class_scores.argmax(
        axis=1
    )
    seen = strategy.fit({"last": X}, y).score({"last": X}).class_scores.argmax(axis=1)
    assert (seen[known] == y[known]).mean() > 0.95
    assert (held_out[known] == y[known]).mean() < 0.45


@pytest.mark.parametrize("name", HEADED)
def test_held_out_rows_look_as_other_as_fresh_ones_and_seen_rows_less(name: str) -> None:
    seen_gaps, held_out_gaps = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(120, 100)), np.arange(120) % 3
        y[90:] = -1
        strategy = STRATEGIES.get(name)()
        strategy.head.strength = strategy.head.strength_ = 0.1  # type: ignore[attr-defined]
        known = y >= 0
        held_out = strategy.cross_fit(FoldedRows({"last": X}, y, folds_of(y))).other_score[known]
        seen = strategy.fit({"last": X}, y).score({"last": X}).other_score[known]
        fresh = strategy.score({"last": rng.normal(size=(2000, 100))}).other_score
        seen_gaps.append(auroc(seen, fresh) - 0.5)
        held_out_gaps.append(auroc(held_out, fresh) - 0.5)
    seen_gap, held_out_gap = np.mean(seen_gaps), np.mean(held_out_gaps)
    assert auroc_interval(seen_gap + 0.5, 90, 2000)[0] > 0.5
    assert abs(held_out_gap) < seen_gap / 2


@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_the_batch_plays_no_part(name: str) -> None:
    strategy, rows = fitted(name), world(seed=1)[0]["last"]
    one_by_one = [strategy.score(layers_of(row[np.newaxis])).other_score[0] for row in rows[:40]]
    np.testing.assert_allclose(
        one_by_one, strategy.score(layers_of(rows)).other_score[:40], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", HEADED)
def test_heads_read_every_layer(name: str) -> None:
    # what tells the classes apart is in the second-last layer alone
    rng = np.random.default_rng(0)
    features, y = world()
    both = {"last": rng.normal(size=(len(y), 4)), "second_last": features["last"], "spare": None}
    strategy = STRATEGIES.get(name)()
    assert head_input(both).shape == (len(y), 16)  # type: ignore[arg-type]
    layers = {"last": both["last"], "second_last": both["second_last"]}
    held_out = strategy.cross_fit(FoldedRows(layers, y, folds_of(y))).class_scores  # type: ignore[arg-type]
    known = y >= 0
    assert (held_out[known].argmax(axis=1) == y[known]).mean() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_summary_and_a_reference(name: str) -> None:
    cls = STRATEGIES.get(name)
    assert cls.name == name
    assert cls.summary
    assert cls.reference
