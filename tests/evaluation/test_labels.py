from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.metrics import average_precision_score, f1_score

from outgroup.errors import InvalidDataError
from outgroup.evaluation import average_precision, evaluate_labels, evaluate_outputs

NAMES = ["a", "b", "c", "d"]


def drawn(n: int = 300, none: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.zeros((n + none, 4), dtype=np.int64)
    true[:n] = rng.random((n, 4)) < 0.3
    scores = rng.normal(size=true.shape) - 2 * true
    return true, scores


def test_f1_is_that_of_scikit_learn() -> None:
    true, scores = drawn()
    given = scores <= -1.0
    found = evaluate_labels(true, given, scores, NAMES)
    assert found.macro_f1.value == pytest.approx(f1_score(true, given, average="macro"))
    assert found.micro_f1.value == pytest.approx(f1_score(true, given, average="micro"))
    for k, label in enumerate(found.labels):
        assert label.f1.value == pytest.approx(f1_score(true[:, k], given[:, k]))
        assert label.recall.n == true[:, k].sum()
        assert label.precision.n == given[:, k].sum()


@pytest.mark.parametrize("digits", [1, 8])
def test_average_precision_is_that_of_scikit_learn_ties_included(digits: int) -> None:
    true, scores = drawn()
    rounded = scores.round(digits)
    for k in range(4):
        expected = average_precision_score(true[:, k], -rounded[:, k])
        assert average_precision(true[:, k] == 1, rounded[:, k]) == pytest.approx(expected)


def test_answering_nothing_scores_zero_where_cells_would_say_97_percent() -> None:
    true = np.zeros((1000, 20), dtype=np.int64)
    true[np.arange(600), np.arange(600) % 20] = 1
    nothing = np.zeros(true.shape, dtype=bool)
    assert (nothing == true).mean() == 0.97
    found = evaluate_labels(true, nothing, np.ones(true.shape), [f"l{k}" for k in range(20)])
    assert found.macro_f1.value == 0.0
    assert found.micro_f1.value == 0.0
    assert found.macro_f1.interval[0] == 0.0
    assert found.exact_match.k == found.coverage.k == 0
    assert all(label.f1.value == 0.0 for label in found.labels)
    assert found.none_given.k == 0


def test_answering_everything_is_no_way_to_win_either() -> None:
    true, scores = drawn()
    right = evaluate_labels(true, true == 1, scores, NAMES)
    everything = evaluate_labels(true, np.ones(true.shape, dtype=bool), scores, NAMES)
    assert right.macro_f1.value == right.micro_f1.value == 1.0
    assert right.macro_f1.interval[0] < 1.0  # so many images are no certainty
    assert everything.macro_f1.value < 0.35
    assert everything.none_given.value == 1.0


def test_zeros_that_were_left_zero_move_nothing() -> None:
    true, scores = drawn(none=0)
    given = scores <= -1.0
    padded = [
        np.vstack([values, np.zeros((5000, 4), dtype=values.dtype)]) for values in (true, given)
    ]
    one = evaluate_labels(true, given, scores, NAMES)
    two = evaluate_labels(*padded, np.vstack([scores, np.full((5000, 4), 99.0)]), NAMES)
    assert one.macro_f1 == two.macro_f1
    assert one.micro_f1 == two.micro_f1
    assert one.exact_match.n <= two.exact_match.n


def test_a_label_that_no_image_has_counts_once_it_is_given() -> None:
    true, scores = np.array([[1, 0], [1, 0], [0, 0]]), np.zeros((3, 2))
    right = np.array([[1, 0], [1, 0], [0, 0]])
    assert evaluate_labels(true, right, scores, ["a", "b"]).macro_f1.value == 1.0
    wrong = np.array([[1, 0], [1, 1], [0, 0]])
    found = evaluate_labels(true, wrong, scores, ["a", "b"])
    assert [label.name for label in found.labels] == ["a", "b"]
    assert found.macro_f1.value == 0.5


def test_cells_that_nobody_knows_count_nowhere() -> None:
    true, scores = drawn()
    given = scores <= -1.0
    hidden = true.copy()
    hidden[::3, 1] = -1
    found = evaluate_labels(hidden, given, scores, NAMES)
    seen = hidden[:, 1] >= 0
    assert found.labels[1].f1.value == pytest.approx(f1_score(true[seen, 1], given[seen, 1]))
    assert found.labels[0] == evaluate_labels(true, given, scores, NAMES).labels[0]
    assert found.exact_match.n == (seen & (hidden == 1).any(axis=1)).sum()


def test_the_interval_of_f1_covers_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside, n, recall, false = 0, 60, 0.8, 0.1
    expected = 2 * recall / (2 * recall + (1 - recall) + false * 2)  # 2 images without for one with
    for _ in range(400):
        true = (np.arange(3 * n) < n).astype(np.int64)[:, np.newaxis]
        share = np.where(true[:, 0] == 1, recall, false)
        given = (rng.random(3 * n) < share)[:, np.newaxis]
        low, high = evaluate_labels(true, given, 1.0 - given, ["a"]).labels[0].f1.interval
        inside += low <= expected <= high
    assert inside / 400 > beta.ppf(0.001, 381, 20)  # 95 %, less what 400 repeats may be off


def test_images_of_none_are_reported_by_folder() -> None:
    true, scores = drawn(n=2, none=4)
    true[:2] = 1
    given = np.zeros(true.shape, dtype=bool)
    given[3, 0] = True
    origins = ["web", "web", "lego", "lego", "web", "web"]
    found = evaluate_labels(true, given, scores, NAMES, origins)
    assert {name: (r.k, r.n) for name, r in found.by_origin.items()} == {
        "lego": (1, 2),
        "web": (0, 2),
    }
    assert (found.none_given.k, found.none_given.n) == (1, 4)
    assert set(found.to_dict()) == {
        "macro_f1",
        "micro_f1",
        "labels",
        "exact_match",
        "coverage",
        "none_given",
        "by_origin",
    }


def test_data_that_can_not_be_counted_are_refused() -> None:
    with pytest.raises(InvalidDataError, match="at least one image with a label"):
        evaluate_labels([[0]], [[0]], [[0.0]], ["a"])
    with pytest.raises(InvalidDataError, match="a row an image"):
        evaluate_labels([[1, 0]], [[1]], [[0.0]], ["a"])


def test_of_several_columns_all_have_to_be_right() -> None:
    everything = np.ones(4, dtype=bool)
    true = {
        "animal": (["cat", "cat", None, "dog"], everything),
        "colour": (["red", None, None, "red"], np.array([True, True, True, False])),
    }
    scores = {name: np.array([0.1, 0.2, 0.8, 0.3]) for name in true}
    thresholds = dict.fromkeys(true, 0.5)
    right = {"animal": ["cat", "cat", None, "dog"], "colour": ["red", None, None, "red"]}
    found = evaluate_outputs(true, right, scores, thresholds, ["w"] * 4)
    assert (found.all_right.k, found.all_right.n) == (1, 1)
    assert (found.none_given.k, found.none_given.n) == (0, 1)
    assert found.columns["animal"].overall.recall.k == 3
    assert found.columns["colour"].overall.recall.n == 1
    nothing = {name: [None] * 4 for name in true}
    assert evaluate_outputs(true, nothing, scores, thresholds, ["w"] * 4).all_right.k == 0
    gone = {**true, "colour": ([None] * 4, everything)}
    with pytest.raises(InvalidDataError, match="'colour'"):
        evaluate_outputs(gone, right, scores, thresholds, ["w"] * 4)
