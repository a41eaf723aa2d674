import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import entropy
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage
from sklearn.neighbors import NearestNeighbors

from outgroup.detectors import LogitDetector
from outgroup.detectors.answer_profile import AnswerProfile
from outgroup.detectors.energy import Energy
from outgroup.detectors.entropy import Entropy
from outgroup.detectors.gen import GeneralisedEntropy
from outgroup.detectors.knn import KNearestNeighbours
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.detectors.margin import Margin
from outgroup.detectors.max_logit import MaxLogit
from outgroup.detectors.msp import MaximumSoftmaxProbability
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import auroc

LOGITS = np.random.default_rng(0).normal(size=(200, 7)) * 10


def test_scores_of_logits_are_those_of_scipy() -> None:
    p = log_softmax(LOGITS, axis=1)
    two = np.sort(LOGITS, axis=1)[:, -2:]
    np.testing.assert_allclose(Energy().other_score(LOGITS), -logsumexp(LOGITS, axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        Entropy().other_score(LOGITS), entropy(np.exp(p), axis=1), rtol=1e-9, atol=1e-14
    )
    np.testing.assert_allclose(
        MaximumSoftmaxProbability().other_score(LOGITS), -p.max(axis=1), rtol=1e-9, atol=1e-14
    )
    np.testing.assert_array_equal(MaxLogit().other_score(LOGITS), -LOGITS.max(axis=1))
    np.testing.assert_array_equal(Margin().other_score(LOGITS), two[:, 0] - two[:, 1])


def test_a_softmax_does_not_see_a_shift_of_all_logits_and_the_energy_does() -> None:
    for detector in (Entropy(), MaximumSoftmaxProbability(), Margin()):
        np.testing.assert_allclose(
            detector.other_score(LOGITS - 3), detector.other_score(LOGITS), atol=1e-12
        )
    for detector in (Energy(), MaxLogit()):
        np.testing.assert_allclose(
            detector.other_score(LOGITS - 3), detector.other_score(LOGITS) + 3, atol=1e-12
        )


@pytest.mark.parametrize("detector", [MaximumSoftmaxProbability(), Entropy()])
def test_confident_softmaxes_that_double_precision_calls_one_are_kept_apart(
    detector: LogitDetector,
) -> None:
    gaps = np.array([30.0, 34.0, 60.0, 100.0, 600.0])
    found = detector.other_score(np.c_[gaps, np.zeros(5), np.zeros(5)])
    assert (np.diff(found) < 0).all()
    assert found[-1] > 0
    # p of the other two is exp(-gap) each: -log(1 - 2 p) = 2 p, and the entropy is 2 p (1 + gap)
    factor = 1 + gaps if isinstance(detector, Entropy) else 1.0
    np.testing.assert_allclose(found, 2 * np.exp(-gaps) * factor, rtol=1e-12)


@pytest.mark.parametrize("top", [1, 3, 7, 100])
def test_the_generalised_entropy_is_the_sum_over_the_most_probable(top: int) -> None:
    p = np.sort(np.exp(log_softmax(LOGITS / 10, axis=1)), axis=1)[:, ::-1]
    expected = [sum(q**0.1 * (1 - q) ** 0.1 for q in row[:top]) for row in p]
    found = GeneralisedEntropy(top=top).other_score(LOGITS / 10)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_generalised_entropy_keeps_confident_rows_apart() -> None:
    gaps = np.array([40.0, 60.0, 100.0, 600.0])
    found = GeneralisedEntropy().other_score(np.c_[gaps, np.zeros(4)])
    np.testing.assert_allclose(found, 2 * np.exp(-0.1 * gaps), rtol=1e-9)


@pytest.mark.parametrize("bad", [0.0, 1.0, -1.0, float("nan")])
def test_gamma_must_be_a_share(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="'gamma' parameter must be between 0 and 1"):
        GeneralisedEntropy(gamma=bad)


def test_with_one_class_there_is_no_margin() -> None:
    np.testing.assert_array_equal(Margin().other_score(np.array([[3.0], [-1.0]])), [0.0, 0.0])


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


def test_of_fewer_rows_the_same_share_are_nearer() -> None:
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


def test_knn_with_fewer_known_rows_than_k_takes_the_farthest() -> None:
    known = np.array([[1.0, 0.0], [0.0, 1.0]])
    detector = KNearestNeighbours(5).fit(known, np.array([0, 1]))
    np.testing.assert_allclose(detector.other_score(np.array([[2.0, 0.0]])), [1.0])


@pytest.mark.parametrize("bad", [0, -1, 2.5, "5", True, None])
def test_k_must_be_a_whole_number(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="'k' parameter must be a whole number"):
        KNearestNeighbours(bad)  # type: ignore[arg-type]


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def few_rows_many_dimensions(
    d: int = 1280,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Thirty images of each of two classes, as a backbone sees them: correlated, in many columns.

    Every image varies along a few common directions, and only a little elsewhere. Others differ
    where the known ones do not vary.
    """
    rng = np.random.default_rng(2)
    common = rng.normal(size=(20, d))

    def draw(n: int, shift: np.ndarray) -> np.ndarray:
        rows = 5.0 + shift + rng.normal(size=(n, 20)) @ common + 0.3 * rng.normal(size=(n, d))
        return rows.astype(np.float32)

    centres = 2 * rng.normal(size=(2, 20)) @ common
    y = np.repeat([0, 1], 30)
    X = np.vstack([draw(30, c) for c in centres])
    known = np.vstack([draw(100, c) for c in centres])
    return X, y, known, draw(200, centres.mean(axis=0) + 0.3 * rng.normal(size=d))


def test_mahalanobis_is_the_direct_formula_in_double_precision() -> None:
    X, y, known, other = few_rows_many_dimensions(d=300)
    Z = unit(X.astype(np.float64))
    means = np.stack([Z[y == k].mean(axis=0) for k in (0, 1)])
    residuals = Z - means[y]
    # scikit-learn divides by n, here it is n - K; the shrunk covariance is linear in that
    fit = LedoitWolf(assume_centered=True).fit(residuals)
    covariance = fit.covariance_ * len(X) / (len(X) - 2)
    rows = unit(np.vstack([known, other]).astype(np.float64))
    differences = rows[:, np.newaxis] - means
    squares = np.einsum("nkd,nkd->nk", differences @ np.linalg.inv(covariance), differences)
    detector = Mahalanobis().fit(X, y)
    found = detector.other_score(np.vstack([known, other])) * detector.scale
    np.testing.assert_allclose(found, np.sqrt(squares.min(axis=1)), rtol=1e-8)


def test_thirty_images_in_1280_dimensions_are_enough() -> None:
    X, y, known, other = few_rows_many_dimensions()
    detector = Mahalanobis().fit(X, y)
    assert auroc(detector.other_score(known), detector.other_score(other)) > 0.99

    # the plain way, in the precision the embeddings come in, is lost
    residuals = X - np.stack([X[y == k].mean(axis=0) for k in (0, 1)])[y]
    precision = np.linalg.pinv(np.cov(residuals, rowvar=False).astype(np.float32))
    means = [X[y == k].mean(axis=0) for k in (0, 1)]

    def plain(rows: np.ndarray) -> np.ndarray:
        return np.min([np.einsum("nd,nd->n", (rows - m) @ precision, rows - m) for m in means], 0)

    assert auroc(plain(known), plain(other)) < 0.9


def test_the_shrinkage_is_tuned_on_all_known_rows_and_kept_in_each_fold() -> None:
    X, y, _, _ = few_rows_many_dimensions(d=300)
    detector = Mahalanobis()
    detector.cross_fit(X, y, np.arange(len(y)) % 5)
    Z = unit(X.astype(np.float64))
    residuals = Z - np.stack([Z[y == k].mean(axis=0) for k in (0, 1)])[y]
    expected = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    assert detector.shrinkage_ == pytest.approx(expected, rel=1e-9)
    assert detector.frozen().shrinkage == detector.shrinkage_


def test_fully_shrunk_it_is_the_distance_to_the_nearest_mean() -> None:
    rng = np.random.default_rng(3)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 5)) + 4 * np.eye(2, 5)[y]
    rows = rng.normal(size=(30, 5))
    means = np.stack([unit(X)[y == k].mean(axis=0) for k in (0, 1)])
    euclidean = np.linalg.norm(unit(rows)[:, np.newaxis] - means, axis=2).min(axis=1)
    found = Mahalanobis(shrinkage=1.0).fit(X, y).other_score(rows)
    np.testing.assert_allclose(found / found[0], euclidean / euclidean[0], rtol=1e-9)


def test_lengths_play_no_part_and_extreme_ones_none_either() -> None:
    rng = np.random.default_rng(3)
    X, y, rows = rng.normal(size=(40, 5)) + 1, np.arange(40) % 2, rng.normal(size=(9, 5))
    for detector in (Mahalanobis().fit(X, y), KNearestNeighbours().fit(X, y)):
        expected = detector.other_score(rows)
        for length in (1e-250, 1e-3, 1e3, 1e250):
            np.testing.assert_allclose(detector.other_score(rows * length), expected, rtol=1e-9)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.5, float("nan")])
def test_the_shrinkage_must_be_a_share_above_zero(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="'shrinkage' parameter must be above 0"):
        Mahalanobis(bad)
