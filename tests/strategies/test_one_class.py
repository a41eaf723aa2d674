import numpy as np
import pytest

from outgroup.detectors.answers import AnswerOdds, learned_shares, odds
from outgroup.evaluation import auroc
from outgroup.strategies import FoldedRows
from outgroup.strategies.blend import Blend, OneClass

RNG = np.random.default_rng(0)
N = 200
Y = np.r_[np.zeros(N, dtype=np.int64), np.full(N, -1)]
FOLDS = np.arange(2 * N) % 5


def images(kind: str, n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Embeddings of cats and of dogs are alike; the logits of the backbone are not."""
    rng = np.random.default_rng([seed, *map(ord, kind)])
    last, logits = rng.normal(size=(n, 20)), rng.normal(size=(n, 12))
    last[:, 0] += {"cat": 8, "dog": 8, "car": -8}[kind]
    answers = {"cat": [0, 1], "dog": [2, 3, 4, 5], "car": [6, 7]}[kind]
    logits[np.arange(n), rng.choice(answers, n)] += 6
    return {"last": last, "logits": logits}


def both(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.vstack([one[name], two[name]]) for name in one}


def fitted(others: bool, layers: tuple[str, ...] = ("last", "logits")) -> OneClass:
    rows = both(images("cat", N), images("car", N))
    kept = slice(None) if others else slice(N)
    features = {name: rows[name][kept] for name in layers}
    strategy = OneClass()
    strategy.cross_fit(FoldedRows(features, Y[kept], FOLDS[kept]))
    return strategy.fit(features, Y[kept])


@pytest.mark.parametrize("others", [True, False])
def test_logits_of_the_backbone_tell_apart_what_neither_distance_nor_negatives_can(
    others: bool,
) -> None:
    new = images("cat", 300, seed=1), images("dog", 300, seed=1), images("car", 300, seed=1)
    cats, dogs, cars = (fitted(others).score(rows).other_score for rows in new)
    assert auroc(cats, dogs) > 0.97
    assert auroc(cats, cars) > 0.99
    blind = fitted(others, ("last",))
    cats, dogs, cars = (blind.score({"last": rows["last"]}).other_score for rows in new)
    assert auroc(cats, dogs) < 0.6
    assert auroc(cats, cars) > 0.99


def test_with_negatives_the_probability_is_that_of_the_head() -> None:
    strategy = fitted(others=True)
    cats, cars = (strategy.score(images(kind, 300, seed=1)) for kind in ("cat", "car"))
    assert np.median(cats.class_scores) > 0.9
    assert np.median(cars.class_scores) < 0.1
    assert strategy.quantiles_ == []


def test_alone_the_probability_is_the_share_of_the_class_that_looks_more_other() -> None:
    strategy = fitted(others=False)
    cats, dogs = (strategy.score(images(kind, 2000, seed=1)) for kind in ("cat", "dog"))
    shares = cats.class_scores[:, 0]
    np.testing.assert_allclose(np.quantile(shares, [0.05, 0.5, 0.95]), [0.05, 0.5, 0.95], atol=0.06)
    order = np.argsort(cats.other_score)
    assert (np.diff(shares[order]) <= 0).all()
    assert np.median(dogs.class_scores) == 0.0


@pytest.mark.parametrize("strategy", [OneClass, Blend])
def test_a_head_that_has_nothing_to_tell_apart_does_not_count(
    strategy: type[Blend],
) -> None:
    features, folds = {"last": images("cat", N)["last"]}, FOLDS[:N]
    alone = strategy()
    found = alone.cross_fit(FoldedRows(features, Y[:N], folds)).other_score
    expected = np.zeros(N)
    for distance in (alone.last_shape, alone.last_neighbours):
        scores = distance.cross_fit(features["last"], Y[:N], folds)
        centre = np.median(scores)
        deviation = np.median(np.abs(scores - centre))
        scale = max(deviation, (np.quantile(scores, 0.9) - centre) / 1.9)
        expected += np.logaddexp(0, (scores - centre) / scale)
    np.testing.assert_allclose(found, expected)


def test_only_the_parts_that_count_are_kept() -> None:
    assert set(fitted(others=True).state().parts) == {
        "head", "last_shape", "last_neighbours", "logits_neighbours", "answers"
    }  # fmt: skip
    assert set(fitted(others=False, layers=("last",)).state().parts) == {
        "head",
        "last_shape",
        "last_neighbours",
    }


def test_shares_are_bayes_rule() -> None:
    logits = np.log([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    shares = learned_shares(logits, np.array([0, 0, 1]))
    one = (np.array([0.8 + 0.6, 0.1 + 0.3, 0.1 + 0.1]) + 1 / 3) / 3
    two = (np.array([0.1, 0.8, 0.1]) + 1 / 3) / 2
    np.testing.assert_allclose(shares, np.stack([one, two]) / (one + two + 1 / 3))
    classes, other = odds(logits, shares)
    p = np.exp(logits)
    np.testing.assert_allclose(classes, p @ shares.T)
    left = 1 - classes.sum(axis=1)
    np.testing.assert_allclose(other, np.log(left / (1 - left)))


def test_odds_keep_their_digits_where_probabilities_vanish() -> None:
    detector = AnswerOdds()
    detector.shares, detector.typical = np.array([[1.0, 0.0, 0.0]]), np.zeros(1)
    rows = np.array([[0.0, 3000.0, 2000.0], [0.0, 3001.0, 2000.0]])
    np.testing.assert_allclose(detector.other_score(rows), [3000.0, 3001.0])


def test_a_row_left_out_is_what_a_model_of_the_others_makes_of_it() -> None:
    logits, y = RNG.normal(size=(30, 5)) * 2, np.arange(30) % 2
    one_by_one = [
        odds(logits[[i]], learned_shares(np.delete(logits, i, 0), np.delete(y, i)))[1][0]
        for i in range(30)
    ]
    detector = AnswerOdds().fit(logits, y)
    np.testing.assert_allclose(detector.typical, [np.median(one_by_one)])
    expected = odds(logits, learned_shares(logits, y))[1] - np.median(one_by_one)
    np.testing.assert_allclose(detector.other_score(logits), expected)
