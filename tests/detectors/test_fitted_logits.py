"""Detectors that learn what the logits of known images are."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy, weibull_min

from outgroup.detectors.kl_matching import KLMatching
from outgroup.detectors.openmax import OpenMax

RNG = np.random.default_rng(0)
Y = np.arange(120) % 4
LOGITS = 2 * RNG.normal(size=(120, 4)) + 6 * np.eye(4)[Y] - 3
ROWS = 4 * RNG.normal(size=(50, 4)) - 3


def test_kl_matching_is_the_least_divergence_of_scipy() -> None:
    p, called = softmax(LOGITS, axis=1), LOGITS.argmax(axis=1)
    assert (called != Y).any()
    templates = [p[called == k].mean(axis=0) for k in range(4)]
    expected = [min(entropy(row, t) for t in templates) for row in softmax(ROWS, axis=1)]
    found = KLMatching().fit(LOGITS, Y).other_score(ROWS)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_class_that_is_never_called_has_no_template() -> None:
    detector = KLMatching().fit(LOGITS - [0, 0, 0, 100], Y)
    assert detector.log_templates.shape == (3, 4)


@pytest.mark.parametrize(("tail", "alpha"), [(20, 10), (8, 2), (15, 1), (None, 10)])
def test_openmax_is_the_revision_of_the_paper_written_out(tail: int | None, alpha: int) -> None:
    means, models = [], []
    for k in range(4):
        right = LOGITS[(LOGITS.argmax(axis=1) == Y) & (k == Y)]
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
    found = OpenMax(tail, alpha).fit(LOGITS, Y).other_score(ROWS)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)  # scipy's optimum is loose


def test_openmax_does_not_see_a_shift_of_all_logits_of_a_row() -> None:
    one = OpenMax().fit(LOGITS, Y).other_score(ROWS)
    two = OpenMax().fit(LOGITS - 50, Y).other_score(ROWS - 50)
    np.testing.assert_allclose(two, one, rtol=1e-6)


def test_the_typical_row_of_a_class_is_known_and_the_farther_the_more_other() -> None:
    detector = OpenMax().fit(LOGITS, Y)
    assert (detector.other_score(detector.means) < -2).all()
    away = detector.means[0] + np.outer([0, 10, 20, 40], [1.0, 0, 0, 0])
    assert (np.diff(detector.other_score(away)) > 0).all()
    assert detector.other_score(away)[-1] > 10


def test_a_class_without_rows_and_one_that_is_always_wrong_are_no_error() -> None:
    rows = Y != 3
    assert np.isfinite(OpenMax().fit(LOGITS[rows], Y[rows]).other_score(ROWS)).all()
    assert np.isfinite(OpenMax().fit(LOGITS, (Y + 1) % 4).other_score(ROWS)).all()
