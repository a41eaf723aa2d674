"""Whether a tuned network is taken: only where what it has not seen shows it to be better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.selection import choose_network
from outgroup.training_set import TrainingSet

N, FOLDERS = 60, 8


def training_set(distance: float, seed: int = 0, **options: object) -> TrainingSet:
    """Two classes, and negatives in folders, each to a side of its own at a distance."""
    rng = np.random.default_rng(seed)
    classes = np.repeat([[0.0, 8], [0, -8]], N, axis=0)
    sides = np.linspace(0, 2 * np.pi, FOLDERS, endpoint=False)
    folder = np.arange(2 * N) % FOLDERS
    places = distance * np.stack([np.cos(sides), np.sin(sides)], axis=1)[folder]
    near = np.repeat([[0.0, 8], [0, -8]], N, axis=0) + places
    X = np.concatenate([classes, near]) + rng.normal(0, 1, (4 * N, 2))
    X = np.hstack([X, rng.normal(0, 1, (4 * N, 4))])
    y = np.concatenate([np.repeat([0, 1], N), np.full(2 * N, -1)])
    origins = ["photos"] * (2 * N) + [f"kind {i}" for i in folder]
    return TrainingSet({"last": X}, y, ("a", "b"), origins=origins, **options)  # type: ignore[arg-type]


def promised(*, folders: int = FOLDERS // 2) -> np.ndarray:
    known = np.arange(2 * N) % 2 == 0
    return np.concatenate([known, np.arange(2 * N) % FOLDERS < folders])


def test_a_network_that_tells_negatives_apart_is_taken() -> None:
    before, after = training_set(2.0), training_set(8.0, tuned=True, promised=promised())
    choice = choose_network(before, after, "detector")
    assert choice.tuned
    assert choice.accepted_after < choice.accepted_before
    assert (choice.n_known, choice.n_others) == (N, N)


@pytest.mark.parametrize("distance", [2.0, 1.0])
def test_one_that_is_as_good_or_worse_is_not(distance: float) -> None:
    before, after = training_set(2.0), training_set(distance, tuned=True, promised=promised())
    choice = choose_network(before, after, "detector")
    assert not choice.tuned
    assert choice.accepted_after >= choice.accepted_before


def test_what_tuning_has_seen_shows_nothing() -> None:
    """Better, but only on the images that it was tuned on."""
    before, better = training_set(2.0), training_set(8.0)
    unseen = promised()
    X = np.where(unseen[:, None], before.features["last"], better.features["last"])
    after = replace(before, features={"last": X}, tuned=True, promised=unseen)
    choice = choose_network(before, after, "detector")
    assert not choice.tuned
    np.testing.assert_allclose(choice.accepted_after, choice.accepted_before, atol=0.05)


def test_the_same_seed_makes_the_same_choice() -> None:
    before, after = training_set(2.0), training_set(3.0, tuned=True, promised=promised())
    choices = [choose_network(before, after, "sigmoid", seed=3) for _ in range(2)]
    assert choices[0] == choices[1]


def test_a_strategy_that_cannot_be_had_is_named() -> None:
    before, after = training_set(2.0), training_set(3.0, tuned=True, promised=promised())
    with pytest.raises(InvalidParameterError, match="the layer 'logits'"):
        choose_network(before, after, "detector:answer-odds")
