import numpy as np
import pytest
from scipy.special import logsumexp

from outgroup.detectors.energy import Energy
from outgroup.detectors.knn import KNearestNeighbours
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies import STRATEGIES
from outgroup.strategies.blend import Blend, centre_and_scale
from outgroup.strategies.detector import DetectorStrategy
from outgroup.strategies.other_class import OtherClass
from outgroup.strategies.sigmoid import Sigmoid
from outgroup.strategies.softmax import Softmax

RNG = np.random.default_rng(0)
Y = np.r_[np.repeat([0, 1], 30), np.full(20, -1)]
X = RNG.normal(size=(80, 6)) + 3 * np.eye(3, 6)[Y]
FRESH = RNG.normal(size=(50, 6)) + 2
FOLDS = RNG.permutation(np.arange(80) % 4)
KNOWN = Y >= 0


def test_there_are_the_ways_people_ask_about() -> None:
    assert {"softmax", "other-class", "sigmoid", "detector", "blend"} <= set(STRATEGIES.names())


def test_softmax_scores_the_logits_by_the_detector_it_is_given() -> None:
    strategy = Softmax(LinearSoftmax(0.1), Energy()).fit({"last": X}, Y)
    head = LinearSoftmax(0.1).fit(X[KNOWN], Y[KNOWN])
    scores = strategy.score({"last": FRESH})
    np.testing.assert_array_equal(scores.other_score, Energy().other_score(head.logits(FRESH)))
    np.testing.assert_array_equal(scores.class_scores, head.probabilities(head.logits(FRESH)))


def test_the_default_softmax_orders_as_one_minus_the_largest_probability() -> None:
    scores = Softmax(LinearSoftmax(0.1)).fit({"last": X}, Y).score({"last": FRESH})
    by_confidence = np.argsort(-scores.class_scores.max(axis=1))
    np.testing.assert_array_equal(np.argsort(scores.other_score), by_confidence)


def test_sigmoid_orders_as_one_minus_the_largest_sigmoid() -> None:
    strategy = Sigmoid(LinearSigmoid(0.1)).fit({"last": X}, Y)
    scores = strategy.score({"last": FRESH})
    np.testing.assert_array_equal(
        np.argsort(scores.other_score), np.argsort(-scores.class_scores.max(axis=1))
    )
    np.testing.assert_allclose(
        1 / (1 + np.exp(scores.other_score)), scores.class_scores.max(axis=1), rtol=1e-9
    )


def test_other_class_scores_the_odds_of_the_last_class() -> None:
    scores = OtherClass(LinearSoftmax(0.1)).fit({"last": X}, Y).score({"last": FRESH})
    head = LinearSoftmax(0.1).fit(X, np.where(Y < 0, 2, Y))
    logits = head.logits(FRESH)
    np.testing.assert_allclose(
        scores.other_score, logits[:, 2] - logsumexp(logits[:, :2], axis=1), atol=1e-12
    )
    other = 1 - scores.class_scores.sum(axis=1)
    np.testing.assert_allclose(scores.other_score, np.log(other / (1 - other)), rtol=1e-6)


def test_the_detector_decides_and_the_head_only_names() -> None:
    strategy = DetectorStrategy(LinearSoftmax(0.1), KNearestNeighbours(3)).fit({"last": X}, Y)
    knn = KNearestNeighbours(3).fit(X[KNOWN], Y[KNOWN])
    scores = strategy.score({"last": FRESH})
    np.testing.assert_array_equal(scores.other_score, knn.other_score(FRESH))


@pytest.mark.parametrize(("rows", "weight"), [(KNOWN, 1.0), (np.ones_like(KNOWN), 2.0)])
def test_blend_adds_both_scores_each_on_its_own_held_out_scale(
    rows: np.ndarray, weight: float
) -> None:
    features, y, folds = X[rows], Y[rows], FOLDS[rows]
    blend = Blend(LinearSigmoid(0.1), Mahalanobis(0.5), MaxLogit())
    held_out = blend.cross_fit({"last": features}, y, folds).other_score
    logits = LinearSigmoid(0.1).cross_fit(features, y, folds)
    expected = 0.0
    for share, part in (
        (1.0, Mahalanobis(0.5).cross_fit(features, y, folds)),
        (weight, MaxLogit().other_score(logits)),
    ):
        centre = np.median(part[y >= 0])
        z = (part - centre) / np.median(np.abs(part[y >= 0] - centre))
        expected = expected + share * np.log1p(np.exp(z))
    np.testing.assert_allclose(held_out, expected, rtol=1e-9, atol=1e-9)


def test_no_member_of_blend_can_outvote_the_other() -> None:
    blend = Blend(LinearSigmoid(0.1), Mahalanobis(0.5), MaxLogit(), [0.0, 1.0, 0.0, 1.0, 2.0])
    blend.fit({"last": X}, Y)
    loud = 1000.0 * np.vstack([FRESH, -FRESH])  # logits without bounds, on either side
    score = blend.score({"last": loud}).other_score
    assert (score >= blend.distance.other_score(loud)).all()
    assert (score >= -2.0 * blend.head.logits(loud).max(axis=1)).all()


def test_blend_given_its_scaling_keeps_it() -> None:
    scaling = [0.0, 1.0, 0.0, 2.0, 1.0]
    blend = Blend(LinearSigmoid(0.1), Mahalanobis(0.5), MaxLogit(), scaling=scaling)
    scores = blend.fit({"last": X}, Y).score({"last": FRESH})
    distance = Mahalanobis(0.5).fit(X[KNOWN], Y[KNOWN]).other_score(FRESH)
    logits = LinearSigmoid(0.1).fit(X, Y).logits(FRESH)
    expected = np.log1p(np.exp(distance)) + np.log1p(np.exp(-logits.max(axis=1) / 2))
    np.testing.assert_allclose(scores.other_score, expected, rtol=1e-9)
    blend.cross_fit({"last": X}, Y, FOLDS)
    assert blend.scaling_ == scaling


def test_scores_without_any_spread_are_left_on_their_scale() -> None:
    assert centre_and_scale(np.full(9, 3.0)) == (3.0, 1.0)


@pytest.mark.parametrize("name", [name for name, cls in STRATEGIES if not cls.uses_others])
def test_negatives_that_are_not_learned_from_are_scored_as_the_final_model_does(name: str) -> None:
    strategy = STRATEGIES.get(name)()
    held_out = strategy.cross_fit({"last": X}, Y, FOLDS)
    scored = strategy.fit({"last": X}, Y).score({"last": X[~KNOWN]})
    np.testing.assert_allclose(held_out.other_score[~KNOWN], scored.other_score, rtol=1e-12)
