"""Whether a tuned network is chosen: only where images new to it show it to be better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidParameterError
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.selection import choose_network
from outgroup.selection.unknowns import SHOWN
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


def unseen(*, folders: int = FOLDERS // 2) -> np.ndarray:
    known = np.arange(2 * N) % 2 == 0
    return np.concatenate([known, np.arange(2 * N) % FOLDERS < folders])


def test_a_network_that_tells_negatives_apart_is_chosen() -> None:
    before, after = training_set(2.0), training_set(8.0, tuned=True, calibrates=unseen())
    choice = choose_network(before, after, "detector")
    assert choice.tuned
    assert choice.accepted_after < choice.accepted_before
    assert (choice.n_known, choice.n_others) == (N, N)


@pytest.mark.parametrize("distance", [2.0, 1.0])
def test_one_that_is_as_good_or_worse_is_not(distance: float) -> None:
    before, after = training_set(2.0), training_set(distance, tuned=True, calibrates=unseen())
    choice = choose_network(before, after, "detector")
    assert not choice.tuned
    assert choice.accepted_after >= choice.accepted_before


def test_images_that_tuning_has_seen_show_nothing() -> None:
    """Better, but only on the images that it was tuned on."""
    before, better = training_set(2.0), training_set(8.0)
    there = unseen()
    X = np.where(there[:, None], before.features["last"], better.features["last"])
    after = replace(before, features={"last": X}, tuned=True, calibrates=there)
    choice = choose_network(before, after, "detector")
    assert not choice.tuned
    np.testing.assert_allclose(choice.accepted_after, choice.accepted_before, atol=0.05)


def test_the_same_seed_makes_the_same_choice() -> None:
    before, after = training_set(2.0), training_set(3.0, tuned=True, calibrates=unseen())
    choices = [choose_network(before, after, "sigmoid", seed=3) for _ in range(2)]
    assert choices[0] == choices[1]


def test_a_strategy_that_the_network_does_not_allow_is_named() -> None:
    before, after = training_set(2.0), training_set(3.0, tuned=True, calibrates=unseen())
    with pytest.raises(InvalidParameterError, match="the layer 'logits'"):
        choose_network(before, after, "detector:answer-odds")


# Several labels.

N_LABELLED, AB = 240, LabelSchema.multi_label("ab")


def labelled(
    distance: float, calibrates: np.ndarray | None = None, n: int = N_LABELLED, seed: int = 0
) -> TrainingSet:
    """Images with the first label, the second, both or none; each label moves its own axis."""
    rng = np.random.default_rng(seed)
    Y = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1)
    X = np.hstack([distance * Y, np.zeros((n, 4))]) + rng.normal(0, 1, (n, 6))
    folders = [f"folder {i % 8}" if not row.any() else "photos" for i, row in enumerate(Y)]
    return TrainingSet({"last": X}, label_targets(Y), AB, origins=folders, calibrates=calibrates)


def unseen_labels(n: int = N_LABELLED) -> np.ndarray:
    return np.arange(n) % 3 > 0


def test_a_network_that_tells_labels_apart_is_chosen() -> None:
    choice = choose_network(labelled(1.0), labelled(6.0, unseen_labels()))
    assert choice.tuned
    assert choice.accepted_after < 0.1 < choice.accepted_before
    asked = unseen_labels() & (labelled(1.0).targets == OTHER).any(axis=1)
    assert choice.n_others == asked.sum()


def test_one_that_tells_labels_apart_as_well_or_worse_is_not() -> None:
    for after in (3.0, 1.0):
        choice = choose_network(labelled(3.0), labelled(after, unseen_labels()))
        assert not choice.tuned
        assert choice.accepted_after >= choice.accepted_before


def test_labels_of_images_that_tuning_has_seen_show_nothing() -> None:
    """Better, but only on the images that it was tuned on."""
    before, better = labelled(1.0), labelled(6.0)
    X = np.where(unseen_labels()[:, None], before.features["last"], better.features["last"])
    after = replace(before, features={"last": X}, calibrates=unseen_labels())
    choice = choose_network(before, after)
    assert not choice.tuned


def test_a_network_as_good_is_chosen_no_more_often_than_the_confidence_allows() -> None:
    n, runs = 96, 60
    taken = sum(
        choose_network(
            labelled(2.0, n=n, seed=2 * run), labelled(2.0, unseen_labels(n), n=n, seed=2 * run + 1)
        ).tuned
        for run in range(runs)
    )
    assert binom.sf(taken - 1, runs, 1 - SHOWN) > 0.01  # 13 of 60 would be too many


def test_without_an_image_that_tuning_has_not_seen_nothing_is_shown() -> None:
    choice = choose_network(labelled(1.0), labelled(6.0, np.zeros(N_LABELLED, dtype=bool)))
    assert not choice.tuned
    assert choice.n_others == 0


def test_a_label_that_no_unseen_image_has_is_left_out() -> None:
    before, after = labelled(1.0), labelled(6.0, unseen_labels())
    rare = np.full((N_LABELLED, 1), OTHER)
    rare[:12:3] = 0  # tuned on, all of them
    schema = LabelSchema.multi_label(["a", "b", "rare"])
    more = [
        replace(one, targets=np.hstack([one.targets, rare]), schema=schema)
        for one in (before, after)
    ]
    assert choose_network(*more).tuned
    assert choose_network(*more).n_others == choose_network(before, after).n_others


def test_labels_that_are_not_known_do_not_count() -> None:
    before, after = labelled(1.0), labelled(6.0, unseen_labels())
    targets = before.targets.copy()
    targets[N_LABELLED // 2 :, 0] = UNSEEN
    targets[N_LABELLED // 2 :, 1] = 0
    some = [replace(one, targets=targets) for one in (before, after)]
    asked = unseen_labels() & (targets == OTHER).any(axis=1)
    assert choose_network(*some).n_others == asked.sum()
