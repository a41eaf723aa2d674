"""Whether a tuned network is taken where an image has several labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import binom

from outgroup.multilabel import LabelTrainingSet
from outgroup.selection import choose_network_of_labels
from outgroup.selection.unknowns import SHOWN

N = 240


def labelled(
    distance: float, promised: np.ndarray | None = None, n: int = N, seed: int = 0
) -> LabelTrainingSet:
    """Images with the first label, the second, both or none; each label moves its own axis."""
    rng = np.random.default_rng(seed)
    Y = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1)
    X = np.hstack([distance * Y, np.zeros((n, 4))]) + rng.normal(0, 1, (n, 6))
    folders = [f"folder {i % 8}" if not row.any() else "photos" for i, row in enumerate(Y)]
    return LabelTrainingSet({"last": X}, Y, ("a", "b"), origins=folders, promised=promised)


def unseen(n: int = N) -> np.ndarray:
    return np.arange(n) % 3 > 0


def test_a_network_that_tells_labels_apart_is_taken() -> None:
    choice = choose_network_of_labels(labelled(1.0), labelled(6.0, unseen()))
    assert choice.tuned
    assert choice.accepted_after < 0.1 < choice.accepted_before
    asked = unseen() & (labelled(1.0).Y == 0).any(axis=1)
    assert choice.n_others == asked.sum()


def test_one_that_is_as_good_or_worse_is_not() -> None:
    for after in (3.0, 1.0):
        choice = choose_network_of_labels(labelled(3.0), labelled(after, unseen()))
        assert not choice.tuned
        assert choice.accepted_after >= choice.accepted_before


def test_what_tuning_has_seen_shows_nothing() -> None:
    """Better, but only on the images that it was tuned on."""
    before, better = labelled(1.0), labelled(6.0)
    X = np.where(unseen()[:, None], before.features["last"], better.features["last"])
    after = replace(before, features={"last": X}, promised=unseen())
    choice = choose_network_of_labels(before, after)
    assert not choice.tuned


def test_a_network_as_good_is_taken_no_more_often_than_the_confidence_allows() -> None:
    n, runs = 96, 60
    taken = sum(
        choose_network_of_labels(
            labelled(2.0, n=n, seed=2 * run), labelled(2.0, unseen(n), n=n, seed=2 * run + 1)
        ).tuned
        for run in range(runs)
    )
    assert binom.sf(taken - 1, runs, 1 - SHOWN) > 0.01  # 13 of 60 would be too many


def test_without_an_image_that_tuning_has_not_seen_nothing_is_shown() -> None:
    choice = choose_network_of_labels(labelled(1.0), labelled(6.0, np.zeros(N, dtype=bool)))
    assert not choice.tuned
    assert choice.n_others == 0


def test_a_label_that_no_unseen_image_has_is_left_out() -> None:
    before, after = labelled(1.0), labelled(6.0, unseen())
    rare = np.zeros((N, 1), dtype=np.int64)
    rare[:12:3] = 1  # tuned on, all of them
    more = [
        replace(one, Y=np.hstack([one.Y, rare]), classes=("a", "b", "rare"))
        for one in (before, after)
    ]
    assert choose_network_of_labels(*more).tuned
    assert (
        choose_network_of_labels(*more).n_others == choose_network_of_labels(before, after).n_others
    )


def test_labels_that_nobody_knows_are_not_asked_about() -> None:
    before, after = labelled(1.0), labelled(6.0, unseen())
    Y = before.Y.copy()
    Y[:, 0] = np.where(np.arange(N) < N // 2, Y[:, 0], -1)
    Y[N // 2 :, 1] = 1
    some = [replace(one, Y=Y) for one in (before, after)]
    asked = unseen() & (Y == 0).any(axis=1)
    assert choose_network_of_labels(*some).n_others == asked.sum()
