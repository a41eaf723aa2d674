"""What scikit-learn fits and NumPy scores gets the scores of scikit-learn."""

import numpy as np
import pytest
from sklearn import ensemble, svm

from outgroup.detectors.novelty import IsolationForest, OneClassSVM
from outgroup.errors import InvalidParameterError

RNG = np.random.default_rng(0)
Y = np.arange(300) % 2
X = RNG.normal(size=(300, 9)) + 4 * np.eye(2, 9)[Y]
ROWS = 2 * RNG.normal(size=(1500, 9))


def in_order(rows: np.ndarray) -> np.ndarray:
    return np.array(sorted(rows.tolist(), key=lambda row: np.array(row).tobytes()))


@pytest.mark.parametrize("nu", [0.05, 0.5])
def test_the_support_vector_machine_is_that_of_scikit_learn(nu: float) -> None:
    known, rows = (r / np.linalg.norm(r, axis=1, keepdims=True) for r in (X, ROWS))
    reference = svm.OneClassSVM(gamma="scale", nu=nu, tol=1e-6).fit(in_order(known))
    detector = OneClassSVM(nu).fit(X, Y)
    middle, scale = detector.standard
    found = detector.other_score(ROWS) * scale + middle
    # the weights of scikit-learn add up to nu n, those of the paper to 1
    expected = -reference.decision_function(rows) / (nu * len(X))
    np.testing.assert_allclose(found, expected, atol=1e-7)  # tolerance of the solver
    outside = detector.other_score(X) * scale + middle > 0
    assert outside.mean() == pytest.approx(nu, abs=0.03)


@pytest.mark.parametrize("n", [300, 20])
def test_the_forest_is_that_of_scikit_learn(n: int) -> None:
    known = in_order(X[:n].astype(np.float32).astype(np.float64))
    reference = ensemble.IsolationForest(n_estimators=50, max_samples=n // 2, random_state=3)
    reference.fit(known)
    found = IsolationForest(trees=50, seed=3).fit(X[:n], Y[:n]).other_score(ROWS)
    np.testing.assert_allclose(found, -reference.score_samples(ROWS), rtol=1e-9)


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, float("nan")])
def test_nu_must_be_a_share(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `nu`: must be between 0 and 1"):
        OneClassSVM(bad)


@pytest.mark.parametrize("bad", [0, 1.5, None])
def test_the_number_of_trees_must_be_a_whole_number(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `trees`: must be a whole number"):
        IsolationForest(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_gamma_must_be_above_0(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `gamma`: must be a number above 0"):
        OneClassSVM(gamma=bad)


def test_of_many_rows_the_same_2000_are_used_in_whatever_order_they_come() -> None:
    many = RNG.normal(size=(3000, 4)) + 4 * np.eye(2, 4)[np.arange(3000) % 2]
    one, two = (OneClassSVM().fit(X, np.zeros(3000, dtype=np.int64)) for X in (many, many[::-1]))
    np.testing.assert_array_equal(one.other_score(ROWS[:, :4]), two.other_score(ROWS[:, :4]))
    known = many / np.linalg.norm(many, axis=1, keepdims=True)
    sums = svm.OneClassSVM(gamma="scale", nu=0.1).fit(known).decision_function(known)
    assert np.corrcoef(one.other_score(many), -sums)[0, 1] > 0.9
    assert 0.1 * 2000 <= len(one.support) < 0.15 * 2000


def test_trees_have_the_same_number_of_rows_in_every_fold() -> None:
    forest = IsolationForest()
    forest.tune(X[:100], Y[:100])
    assert forest.frozen().rows == 50
    forest.tune(np.vstack([X, X]), np.r_[Y, Y])
    assert forest.frozen().rows == 256
