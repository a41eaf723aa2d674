"""Detectors of the logits of a head, against SciPy and the formulas of the papers."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import entropy, weibull_min

from outgroup.detectors import LogitDetector
from outgroup.detectors.logits import (
    Energy,
    Entropy,
    GeneralisedEntropy,
    KLMatching,
    Margin,
    MaximumSoftmaxProbability,
    MaxLogit,
    OpenMax,
)
from outgroup.errors import InvalidParameterError

LOGITS = np.random.default_rng(0).normal(size=(200, 7)) * 10

RNG = np.random.default_rng(0)
Y = np.arange(120) % 4
KNOWN = 2 * RNG.normal(size=(120, 4)) + 6 * np.eye(4)[Y] - 3
ROWS = 4 * RNG.normal(size=(50, 4)) - 3


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


def test_a_shift_of_all_logits_changes_the_energy_but_no_score_of_the_softmax() -> None:
    for detector in (Entropy(), MaximumSoftmaxProbability(), Margin()):
        np.testing.assert_allclose(
            detector.other_score(LOGITS - 3), detector.other_score(LOGITS), atol=1e-12
        )
    for detector in (Energy(), MaxLogit()):
        np.testing.assert_allclose(
            detector.other_score(LOGITS - 3), detector.other_score(LOGITS) + 3, atol=1e-12
        )


@pytest.mark.parametrize("detector", [MaximumSoftmaxProbability(), Entropy()])
def test_scores_differ_where_all_probabilities_round_to_one(
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
def test_the_generalised_entropy_is_the_sum_over_the_most_probable_classes(top: int) -> None:
    p = np.sort(np.exp(log_softmax(LOGITS / 10, axis=1)), axis=1)[:, ::-1]
    expected = [sum(q**0.1 * (1 - q) ** 0.1 for q in row[:top]) for row in p]
    found = GeneralisedEntropy(top=top).other_score(LOGITS / 10)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_generalised_entropy_differs_where_all_probabilities_round_to_one() -> None:
    gaps = np.array([40.0, 60.0, 100.0, 600.0])
    found = GeneralisedEntropy().other_score(np.c_[gaps, np.zeros(4)])
    np.testing.assert_allclose(found, 2 * np.exp(-0.1 * gaps), rtol=1e-9)


@pytest.mark.parametrize("bad", [0.0, 1.0, -1.0, float("nan")])
def test_gamma_must_be_a_share(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `gamma`: must be between 0 and 1"):
        GeneralisedEntropy(gamma=bad)


def test_with_one_class_the_margin_is_zero() -> None:
    np.testing.assert_array_equal(Margin().other_score(np.array([[3.0], [-1.0]])), [0.0, 0.0])


def test_kl_matching_is_the_least_divergence_of_scipy() -> None:
    p, predicted = softmax(KNOWN, axis=1), KNOWN.argmax(axis=1)
    assert (predicted != Y).any()
    templates = [p[predicted == k].mean(axis=0) for k in range(4)]
    expected = [min(entropy(row, t) for t in templates) for row in softmax(ROWS, axis=1)]
    found = KLMatching().fit(KNOWN, Y).other_score(ROWS)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_class_that_is_never_predicted_has_no_template() -> None:
    detector = KLMatching().fit(KNOWN - [0, 0, 0, 100], Y)
    assert detector.log_templates.shape == (3, 4)


@pytest.mark.parametrize(("tail", "alpha"), [(20, 10), (8, 2), (15, 1), (None, 10)])
def test_openmax_is_the_formula_of_the_paper(tail: int | None, alpha: int) -> None:
    means, models = [], []
    for k in range(4):
        right = KNOWN[(KNOWN.argmax(axis=1) == Y) & (k == Y)]
        means.append(right.mean(axis=0))
        distances = np.sort([np.linalg.norm(row - means[k]) for row in right])
        shape, _, scale = weibull_min.fit(distances[-(tail or 3) :], floc=0)
        models.append(weibull_min(shape, scale=scale))
    revised_classes = min(alpha, 4)
    expected = []
    for row in ROWS:
        v = row - row.min()
        unknown, revised = 0.0, v.copy()
        for i, k in enumerate(np.argsort(-row)[:revised_classes]):
            outside = models[k].cdf(np.linalg.norm(row - means[k]))
            weight = 1 - (revised_classes - i) / revised_classes * outside
            revised[k] = v[k] * weight
            unknown += v[k] * (1 - weight)
        p = softmax(np.r_[unknown, revised])
        expected.append(np.log(p[0] / p[1:].sum()))
    found = OpenMax(tail, alpha).fit(KNOWN, Y).other_score(ROWS)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)  # two rough optima


def test_openmax_does_not_depend_on_a_shift_of_all_logits_of_a_row() -> None:
    one = OpenMax().fit(KNOWN, Y).other_score(ROWS)
    two = OpenMax().fit(KNOWN - 50, Y).other_score(ROWS - 50)
    np.testing.assert_allclose(two, one, rtol=1e-6)


def test_openmax_grows_with_the_distance_from_the_mean_of_a_class() -> None:
    detector = OpenMax().fit(KNOWN, Y)
    assert (detector.other_score(detector.means) < -2).all()
    away = detector.means[0] + np.outer([0, 10, 20, 40], [1.0, 0, 0, 0])
    assert (np.diff(detector.other_score(away)) > 0).all()
    assert detector.other_score(away)[-1] > 10


def test_openmax_allows_classes_without_rows_and_without_correct_ones() -> None:
    rows = Y != 3
    assert np.isfinite(OpenMax().fit(KNOWN[rows], Y[rows]).other_score(ROWS)).all()
    assert np.isfinite(OpenMax().fit(KNOWN, (Y + 1) % 4).other_score(ROWS)).all()
