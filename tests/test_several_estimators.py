from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from outgroup import MultiLabelOpenSetClassifier, MultiOutputOpenSetClassifier
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError


def labels_world(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 3)) < 0.4).astype(np.int64)
    X = rng.normal(size=(n, 8)) + 6 * Y @ np.eye(3, 8)
    return X, Y


def outputs_world(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    animal, size = rng.integers(0, 3, (2, n))
    X = rng.normal(size=(n, 10)) + 6 * np.eye(10)[animal] + 6 * np.eye(10)[4 + size]
    animals = np.array(["cat", "dog", None], dtype=object)[animal]
    return X, np.stack([animals, np.array([5, 20, 100], dtype=object)[size]], axis=1)


# What is answered holds None, which the checks that compare answers can't subtract.
SUBTRACTS = "compares predictions by assert_allclose, which can't subtract None"
EXPECTED_FAILURES = {
    "check_estimators_pickle": SUBTRACTS,
    "check_methods_sample_order_invariance": SUBTRACTS,
    "check_methods_subset_invariance": SUBTRACTS,
    "check_fit_idempotent": SUBTRACTS,
}


def test_the_contract_of_scikit_learn_is_kept_but_for_none() -> None:
    results = check_estimator(
        MultiOutputOpenSetClassifier(), expected_failed_checks=EXPECTED_FAILURES, on_skip=None
    )
    failed = {r["check_name"] for r in results if r["status"] == "xfail"}
    assert failed == set(EXPECTED_FAILURES)  # no exemption that is not needed
    assert len(results) > 35


class OfAnyVector(MultiLabelOpenSetClassifier):
    """Takes the vectors of numbers that the checks hand over for a column of marks."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> OfAnyVector:
        if y is None:
            return super().fit(X, y)
        values = np.asarray(y).reshape(len(y), -1)
        return super().fit(X, (values[:, :1] == values[0, 0]).astype(np.int64))

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        values = np.asarray(y).reshape(len(y), -1)
        return super().score(X, (values[:, :1] == values[0, 0]).astype(np.int64))


def test_the_contract_of_scikit_learn_is_kept_for_labels() -> None:
    results = check_estimator(OfAnyVector(), on_skip=None)
    assert len(results) > 35


def test_a_matrix_goes_in_and_a_matrix_comes_out() -> None:
    X, Y = labels_world()
    clf = MultiLabelOpenSetClassifier().fit(X, Y)
    fresh, true = labels_world(seed=1)
    answers = clf.predict(fresh)
    assert answers.shape == true.shape
    assert answers.dtype == np.int64
    assert (answers == true).all(axis=1).mean() > 0.85
    assert clf.score(fresh, true) > 0.9
    assert clf.classes_.tolist() == [0, 1, 2]
    assert len(clf.thresholds_) == 3
    np.testing.assert_array_equal(clf.predict_open(fresh).given, answers == 1)


def test_names_go_in_and_names_come_out() -> None:
    X, Y = labels_world()
    names = np.array(["cat", "dog", "giraffe"])
    lists = [names[row == 1].tolist() for row in Y]
    clf = MultiLabelOpenSetClassifier().fit(X, lists)
    assert clf.classes_.tolist() == ["cat", "dog", "giraffe"]
    as_matrix = MultiLabelOpenSetClassifier().fit(X, Y)
    np.testing.assert_array_equal(clf.predict(X), as_matrix.predict(X))
    assert clf.predict_labels(X)[0] == names[clf.predict(X)[0] == 1].tolist()
    assert clf.score(X, lists) == as_matrix.score(X, Y)
    with pytest.raises(InvalidDataError, match="not learned: zebra"):
        clf.score(X, [["zebra"], *lists[1:]])


def test_negatives_and_groups_are_counted() -> None:
    X, Y = labels_world()
    groups = [f"burst {i // 4}" for i in range(len(X))]
    clf = MultiLabelOpenSetClassifier().fit(X, Y, other=X[:40] + 9, groups=groups)
    none = (Y == 0).all(axis=1).sum()
    units = len({g for g, row in zip(groups, Y, strict=True) if not row.any()})
    assert none > units
    assert clf.certificate_.promises[-1].n == units + 40


def test_nan_and_minus_one_are_cells_that_nobody_knows() -> None:
    X, Y = labels_world()
    holes, nans = Y.copy(), Y.astype(float)
    holes[::4, 0], nans[::4, 0] = -1, np.nan
    one, two = (MultiLabelOpenSetClassifier().fit(X, M) for M in (holes, nans))
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)
    assert one.certificate_.promises[0].n == (holes[:, 0] == 1).sum()


def test_cross_validation_pipelines_and_grids() -> None:
    X, Y = labels_world()
    splitter = KFold(3, shuffle=True, random_state=0)
    assert cross_val_score(MultiLabelOpenSetClassifier(), X, Y, cv=splitter).min() > 0.8
    scaled = make_pipeline(StandardScaler(), MultiLabelOpenSetClassifier())
    names = ["blend", "sigmoid"]
    grid = GridSearchCV(scaled, {"multilabelopensetclassifier__strategy": names}, cv=splitter)
    assert grid.fit(X, Y).best_score_ > 0.8
    X, y = outputs_world()
    assert cross_val_score(MultiOutputOpenSetClassifier(), X, y, cv=splitter).min() > 0.8


@pytest.mark.parametrize(
    ("clf", "data"),
    [
        (MultiLabelOpenSetClassifier("sigmoid", n_folds=3), labels_world()),
        (MultiOutputOpenSetClassifier("sigmoid", n_folds=3), outputs_world()),
    ],
    ids=["labels", "outputs"],
)
def test_clone_and_pickle(
    clf: MultiLabelOpenSetClassifier, data: tuple[np.ndarray, np.ndarray]
) -> None:
    fitted = clone(clf).fit(*data)
    copy = clone(fitted)
    assert copy.get_params() == clf.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(data[0])
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict(data[0]).tolist() == fitted.predict(data[0]).tolist()


def test_each_output_answers_in_its_own_type_or_none() -> None:
    X, y = outputs_world()
    clf = MultiOutputOpenSetClassifier().fit(X, y)
    answers = clf.predict(X)
    assert answers.shape == y.shape
    assert answers.dtype == object
    assert {type(a) for a in answers[:, 0]} == {str, type(None)}
    assert {type(a) for a in answers[:, 1] if a is not None} == {int}
    assert clf.score(X, y) > 0.9
    assert [c.tolist() for c in clf.classes_] == [["cat", "dog"], [5, 20, 100]]
    assert len(clf.thresholds_) == 2


def test_an_output_is_learned_from_the_rows_that_are_labelled_in_it() -> None:
    X, y = outputs_world()
    y = y.copy()
    y[::3, 1] = np.nan
    clf = MultiOutputOpenSetClassifier().fit(X, y, other=X[:30] + 30)
    counted = [p.n for p in clf.certificate_.promises]
    assert counted[2:] == [160, 30]
    assert sum(counted[:2]) == 270
    assert (clf.predict(X[:30] + 30) == None).mean() > 0.9  # noqa: E711


def test_data_frames_will_do() -> None:
    X, y = outputs_world()
    frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(10)])
    clf = MultiOutputOpenSetClassifier().fit(frame, pd.DataFrame(y, columns=["animal", "size"]))
    assert clf.feature_names_in_.tolist() == list(frame)
    X, Y = labels_world()
    marked = MultiLabelOpenSetClassifier().fit(X, pd.DataFrame(Y))
    np.testing.assert_array_equal(
        marked.predict(X), MultiLabelOpenSetClassifier().fit(X, Y).predict(X)
    )


def test_what_can_not_be_used_is_refused_with_the_fix() -> None:
    X, Y = labels_world()
    with pytest.raises(InvalidDataError, match="matrix of 1, 0 and -1"):
        MultiLabelOpenSetClassifier().fit(X, Y * 3)
    with pytest.raises(InvalidDataError, match="Got a row 'cat'"):
        MultiLabelOpenSetClassifier().fit(X, ["cat"] * len(X))
    with pytest.raises(InvalidDataError, match="at least one label"):
        MultiLabelOpenSetClassifier().fit(X, [[]] * len(X))
    with pytest.raises(InvalidParameterError, match="Did you mean 'sigmoid'"):
        MultiLabelOpenSetClassifier("sigmiod").fit(X, Y)
    with pytest.raises(InfeasibleTargetError, match="Label '0'"):
        MultiLabelOpenSetClassifier(max_known_rejected=0.001).fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent"):
        MultiLabelOpenSetClassifier().fit(X, Y[:50])
    X, y = outputs_world()
    with pytest.raises(InvalidDataError, match="a column for each output"):
        MultiOutputOpenSetClassifier().fit(X, y[:, 0])
    with pytest.raises(ValueError, match="8 features"):
        MultiOutputOpenSetClassifier().fit(X[:, :8], y).predict(X)
