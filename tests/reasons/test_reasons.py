import numpy as np
import pytest

from outgroup.model import OpenSetModel, fit_model
from outgroup.predictions import Predictions
from outgroup.reasons import References, as_directions, learn_reasons
from outgroup.reasons.reasons import Reasons, reached_by
from outgroup.strategies import STRATEGIES
from outgroup.strategies.blend import Blend
from outgroup.training_set import TrainingSet

D = 24
#: All images have something in common, and classes differ in less, as embeddings of photos do.
CENTRES = 8 * np.eye(D)[0] + 5 * np.eye(D)[1:5]
NAMES = ("cat", "dog", "giraffe")


def draw(centre: np.ndarray, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, D)) + centre


def world(n: int = 120, seed: int = 0, n_classes: int = 3) -> TrainingSet:
    known = [draw(CENTRES[k], n, seed + k) for k in range(n_classes)]
    others = draw(-CENTRES[3], n, seed + 9)
    labels = [name for name in NAMES[:n_classes] for _ in range(n)]
    return TrainingSet.from_labels({"last": np.vstack([*known, others])}, labels + [None] * n)


def ask(model: OpenSetModel, X: np.ndarray) -> Predictions:
    return model.predict({"last": X})


def share_ambiguous(answers: Predictions) -> float:
    assert answers.ambiguous is not None
    return float(answers.ambiguous.mean())


@pytest.fixture(scope="module", params=[name for name, cls in STRATEGIES if not cls.needs_layers])
def model(request: pytest.FixtureRequest) -> OpenSetModel:
    return fit_model(world(), STRATEGIES.get(request.param)())


def test_images_between_two_classes_are_ambiguous(model: OpenSetModel) -> None:
    for a, b in ((0, 1), (0, 2), (1, 2)):
        between = (CENTRES[a] + CENTRES[b]) / 2
        (mean,) = ask(model, between[np.newaxis]).at(-1e9)
        assert (mean.reason, mean.label) == ("ambiguous", None)
        blends = (draw(CENTRES[a], 200, 50) + draw(CENTRES[b], 200, 60)) / 2
        assert share_ambiguous(ask(model, blends)) > 0.5


def test_images_far_from_all_classes_are_unknown(model: OpenSetModel) -> None:
    for far in (-CENTRES[0], -CENTRES[0] - CENTRES[1], 8 * np.eye(D)[10], -8 * np.eye(D)[0]):
        answers = ask(model, draw(far, 200, 70)).at(-1e9)
        assert {answer.reason for answer in answers} == {"unknown"}
        assert share_ambiguous(answers) == 0.0


def test_images_of_one_class_are_rarely_called_ambiguous(model: OpenSetModel) -> None:
    fresh = np.vstack([draw(CENTRES[k], 300, 80 + k) for k in range(3)])
    # 5 % are expected to fight, give or take: the limit comes from 360 images
    assert share_ambiguous(ask(model, fresh)) < 0.08


def test_a_reason_goes_with_the_threshold_and_the_label(model: OpenSetModel) -> None:
    between = (CENTRES[0] + CENTRES[1]) / 2
    answers = ask(model, np.vstack([between, CENTRES[0], -CENTRES[0]]))
    assert [answer.reason for answer in answers.at(1e9)] == ["known"] * 3
    lowest = answers.at(-1e9)
    assert [answer.reason for answer in lowest] == ["ambiguous", "unknown", "unknown"]
    for t in (-1e9, *answers.other_score, 1e9):
        for answer in answers.at(float(t)):
            assert (answer.reason == "known") == (answer.label is not None)
            assert answer.other == (answer.other_score > t)
        assert list(answers.at(float(t)).nearest or ()) == list(answers.nearest or ())


def test_between_is_not_enough_if_it_is_far_from_one_of_the_two() -> None:
    model = fit_model(world(), Blend())
    between = 3 * (CENTRES[0] + CENTRES[1]) / 2
    sideways = np.linspace(0, 60, 40)[:, np.newaxis] * np.eye(D)[10]
    answers = ask(model, between + sideways)
    found = answers.ambiguous
    assert found is not None
    assert found[0]
    assert not found[-1]
    assert (np.diff(found.astype(int)) <= 0).all()  # it stops once, on the way out


def test_fight_and_nearness_are_both_needed() -> None:
    directions = as_directions(np.eye(3))
    references = References(NAMES, directions, np.arange(3, dtype=np.int32), ("a", "b", "c"))
    reasons = Reasons(references, closeness=0.5, reach=np.array([0.3, 0.3, 0.1]))
    between = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0.1, 0], [0, 1, 1], [0, 0, 0]])
    scores = np.array(
        [[0.4, 0.3, 0], [0.4, 0.1, 0], [0.4, 0, 0.3], [0.4, 0.3, 0], [0, 0.4, 0.3], [0, 0, 0]]
    )
    found = reasons.ambiguous(scores, as_directions(between))
    assert found.tolist() == [True, False, False, False, False, False]


def test_one_class_fights_with_none() -> None:
    model = fit_model(world(n_classes=1), Blend())
    answers = ask(model, np.vstack([CENTRES, -CENTRES]))
    assert share_ambiguous(answers) == 0.0
    assert {answer.reason for answer in answers} <= {"known", "unknown"}


def test_the_limits_are_those_of_held_out_images() -> None:
    rng = np.random.default_rng(0)
    X, y = np.vstack([draw(CENTRES[k], 400, k) for k in range(2)]), np.repeat([0, 1], 400)
    scores = rng.uniform(size=(800, 2))
    reasons = learn_reasons(NAMES[:2], X, y, scores)
    ratio = scores.min(axis=1) / scores.max(axis=1)
    assert (ratio <= reasons.closeness).mean() == pytest.approx(0.95, abs=0.002)
    fresh = np.vstack([draw(CENTRES[k], 4000, 10 + k) for k in range(2)])
    distances = reasons.references.class_distances(as_directions(fresh))
    for k in range(2):
        own = distances[4000 * k : 4000 * (k + 1), k]
        # of new images, 1 % give or take: the limit comes from 400 of them
        assert 0.978 < (own <= reasons.reach[k]).mean() < 0.999


def test_negatives_have_no_say_in_the_limits() -> None:
    X, y = np.vstack([draw(CENTRES[k], 50, k) for k in range(3)]), np.repeat([0, 1, -1], 50)
    scores = np.random.default_rng(0).uniform(size=(150, 2))
    one = learn_reasons(NAMES[:2], X, y, scores)
    two = learn_reasons(NAMES[:2], X[:100], y[:100], scores[:100])
    assert one.closeness == two.closeness
    np.testing.assert_allclose(one.reach, two.reach, atol=1e-6)


def test_images_of_one_burst_do_not_make_the_reach_small() -> None:
    X = np.repeat(np.vstack([draw(CENTRES[k], 30, k) for k in range(2)]), 5, axis=0)
    X += 0.01 * np.random.default_rng(0).normal(size=X.shape)
    y, bursts = np.repeat([0, 1], 150), np.arange(300) // 5
    scores = np.tile([0.9, 0.1], (300, 1))
    with_groups = learn_reasons(NAMES[:2], X, y, scores, bursts)
    without = learn_reasons(NAMES[:2], X, y, scores)
    assert (without.reach < 0.01).all()
    assert (with_groups.reach > 0.1).all()


def test_a_class_of_images_all_alike_has_no_reach() -> None:
    X = np.vstack([np.tile(CENTRES[0], (10, 1)), draw(CENTRES[1], 10, 1)])
    scores = np.full((20, 2), 0.5)
    reasons = learn_reasons(NAMES[:2], X, np.repeat([0, 1], 10), scores)
    assert reasons.reach[0] == 0.0
    assert reasons.reach[1] > 0.0


def test_a_new_value_is_at_most_the_limit_with_the_probability_asked_for() -> None:
    rng = np.random.default_rng(0)
    kept = [rng.normal() <= reached_by(rng.normal(size=39), 0.95) for _ in range(4000)]
    assert 0.938 < np.mean(kept) < 0.962  # 38 of 39 + 1: 95 %, in 3.5 standard errors
