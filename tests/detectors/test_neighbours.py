"""Cosine distances to the nearest rows, against those of scikit-learn."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.neighbors import NearestNeighbors

from outgroup.detectors.answers import AnswerProfile
from outgroup.detectors.neighbours import KNearestNeighbours, NeighbourRatio
from outgroup.errors import InvalidParameterError
from outgroup.heads.linear import LinearSoftmax
from outgroup.strategies.distance import DetectorStrategy

RNG = np.random.default_rng(0)
Y = np.r_[np.arange(60) % 3, np.full(25, -1)]
X = RNG.normal(size=(85, 7)) * np.arange(1, 8) + 4 * np.eye(4, 7)[Y] + 1
KNOWN = Y >= 0
ROWS = RNG.normal(size=(40, 7)) * 6


@pytest.mark.parametrize("k", [1, 5, 40])
def test_knn_is_the_cosine_distance_of_scikit_learn(k: int) -> None:
    rng = np.random.default_rng(1)
    known, rows = rng.normal(size=(40, 9)), rng.normal(size=(1500, 9))
    reference = NearestNeighbors(n_neighbors=k, metric="cosine").fit(known)
    found = KNearestNeighbours(k).fit(known, np.zeros(40, dtype=np.int64)).other_score(rows)
    np.testing.assert_allclose(found, reference.kneighbors(rows)[0][:, -1], atol=1e-12)


def test_the_answer_profile_is_the_angle_between_centred_log_probabilities() -> None:
    rng = np.random.default_rng(1)
    known, rows = 3 * rng.normal(size=(40, 9)), 3 * rng.normal(size=(50, 9))

    def log_ratios(logits: np.ndarray) -> np.ndarray:
        log_p = log_softmax(logits, axis=1)
        return np.asarray(log_p - log_p.mean(axis=1, keepdims=True))

    reference = NearestNeighbors(n_neighbors=5, metric="cosine").fit(log_ratios(known))
    expected = reference.kneighbors(log_ratios(rows))[0][:, -1]
    detector = AnswerProfile().fit(known, np.zeros(40, dtype=np.int64))
    np.testing.assert_allclose(detector.other_score(rows), expected, atol=1e-12)
    np.testing.assert_allclose(detector.other_score(2 * rows - 7), expected, atol=1e-12)


def test_in_a_fold_with_fewer_rows_the_same_share_of_them_is_nearer() -> None:
    rng = np.random.default_rng(1)
    known, rows = rng.normal(size=(99, 9)), rng.normal(size=(50, 9))
    detector = KNearestNeighbours(5)
    detector.tune(known, np.zeros(99, dtype=np.int64))
    assert detector.frozen().k == 0.05
    fewer = detector.frozen().fit(known[:79], np.zeros(79, dtype=np.int64))
    fourth = KNearestNeighbours(4).fit(known[:79], np.zeros(79, dtype=np.int64))
    np.testing.assert_allclose(fewer.other_score(rows), fourth.other_score(rows), rtol=1e-9)
    third = KNearestNeighbours(3).fit(known[:79], np.zeros(79, dtype=np.int64))
    between = KNearestNeighbours(3.25 / 80).fit(known[:79], np.zeros(79, dtype=np.int64))
    expected = 0.75 * third.other_score(rows) + 0.25 * fourth.other_score(rows)
    np.testing.assert_allclose(between.other_score(rows), expected, rtol=1e-9)


def test_with_fewer_known_rows_than_k_it_is_the_distance_to_the_farthest() -> None:
    known = np.array([[1.0, 0.0], [0.0, 1.0]])
    detector = KNearestNeighbours(5).fit(known, np.array([0, 1]))
    np.testing.assert_allclose(detector.other_score(np.array([[2.0, 0.0]])), [1.0])


def test_the_length_of_a_row_plays_no_part_however_extreme() -> None:
    detector = KNearestNeighbours().fit(X[KNOWN], Y[KNOWN])
    for length in (1e-250, 1e-3, 1e3, 1e250):
        np.testing.assert_allclose(
            detector.other_score(ROWS * length), detector.other_score(ROWS), rtol=1e-9
        )


@pytest.mark.parametrize("bad", [0, -1, 2.5, "5", True, None])
def test_k_must_be_a_whole_number_or_a_share(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `k`: must be a whole number"):
        KNearestNeighbours(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("k", [1, 5, 100])
def test_knn_ratio_is_made_of_the_cosine_distances_of_scikit_learn(k: int) -> None:
    def kth(bank: np.ndarray) -> np.ndarray:
        search = NearestNeighbors(n_neighbors=min(k, len(bank)), metric="cosine").fit(bank)
        return np.asarray(search.kneighbors(ROWS)[0][:, -1])

    a, b = kth(X[KNOWN]), kth(X[~KNOWN])
    found = NeighbourRatio(k).fit(X, Y).other_score(ROWS)
    np.testing.assert_allclose(found, a / (a + b), rtol=1e-9)
    alone = NeighbourRatio(k).fit(X[KNOWN], Y[KNOWN]).other_score(ROWS)
    np.testing.assert_array_equal(
        alone, KNearestNeighbours(k).fit(X[KNOWN], Y[KNOWN]).other_score(ROWS)
    )


def test_the_detector_strategy_passes_negatives_only_to_detectors_that_learn_from_them() -> None:
    strategy = DetectorStrategy(LinearSoftmax(0.1), NeighbourRatio()).fit({"last": X}, Y)
    expected = NeighbourRatio().fit(X, Y).other_score(ROWS)
    np.testing.assert_array_equal(strategy.score({"last": ROWS}).other_score, expected)
    strategy = DetectorStrategy(LinearSoftmax(0.1), KNearestNeighbours()).fit({"last": X}, Y)
    expected = KNearestNeighbours().fit(X[KNOWN], Y[KNOWN]).other_score(ROWS)
    np.testing.assert_array_equal(strategy.score({"last": ROWS}).other_score, expected)


def test_knn_ratio_on_a_negative_that_equals_a_known_row_is_a_half() -> None:
    row = np.array([[3.0, 4.0]])
    detector = NeighbourRatio(1).fit(np.vstack([row, row]), np.array([0, -1]))
    np.testing.assert_array_equal(detector.other_score(row), [0.5])
