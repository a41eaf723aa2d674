"""`OpenSetClassifier`: arrays in, classes or None out, by scikit-learn's contract."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from outgroup import OpenSetClassifier
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.strategies import LABEL_STRATEGIES, STRATEGIES

SIGMOID = OpenSetClassifier("sigmoid")


def world(n: int = 40, others: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in eight dimensions, and rows of none of them."""
    rng = np.random.default_rng(seed)
    kind = np.r_[np.repeat([0, 1, 2], n), np.full(others, 3)]
    X = rng.normal(size=(len(kind), 8)) + 6 * np.eye(4, 8)[kind]
    return X, np.array(["cat", "dog", "giraffe", None], dtype=object)[kind]


def known_world(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X, y = world(n, seed=seed)
    return X, y.astype(str)


def labels_world(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Any of three labels, as a matrix of 1 and 0."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 3)) < 0.4).astype(np.int64)
    return rng.normal(size=(n, 8)) + 6 * Y @ np.eye(3, 8), Y


def columns_world(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An animal, or none of them, and a size."""
    rng = np.random.default_rng(seed)
    animal, size = rng.integers(0, 3, (2, n))
    X = rng.normal(size=(n, 10)) + 6 * np.eye(10)[animal] + 6 * np.eye(10)[4 + size]
    animals = np.array(["cat", "dog", None], dtype=object)[animal]
    return X, np.stack([animals, np.array([5, 20, 100], dtype=object)[size]], axis=1)


WORLDS = {"classes": known_world, "labels": labels_world, "columns": columns_world}
KINDS = pytest.mark.parametrize("kind", WORLDS)

# `predict` returns an object array in which some rows, of the very images that were fitted too,
# are None: that is what the threshold is for. These checks subtract or sort what `predict`
# returned, and None can be neither subtracted nor sorted. Nothing else is wrong in them: the next
# tests run every check, without an exemption, on classifiers that only differ in their labels.
SUBTRACTS = "compares predictions by assert_allclose, which can't subtract None"
EXPECTED_FAILURES = {
    "check_estimators_pickle": SUBTRACTS,
    "check_classifier_data_not_an_array": SUBTRACTS,
    "check_supervised_y_2d": SUBTRACTS,
    "check_methods_sample_order_invariance": SUBTRACTS,
    "check_methods_subset_invariance": SUBTRACTS,
    "check_fit_idempotent": SUBTRACTS,
    "check_classifiers_train": "counts accuracy with accuracy_score, which can't sort None",
}

# Some checks draw labels that have little or nothing to do with the rows, which we warn of.
NOISE = pytest.mark.filterwarnings("ignore::outgroup.errors.DataWarning")


@NOISE
def test_the_contract_of_scikit_learn_is_kept_but_for_none() -> None:
    results = check_estimator(
        OpenSetClassifier(), expected_failed_checks=EXPECTED_FAILURES, on_skip=None
    )
    failed = {r["check_name"] for r in results if r["status"] == "xfail"}
    assert failed == set(EXPECTED_FAILURES)  # no exemption that is not needed
    assert {type(r["exception"]) for r in results if r["status"] == "xfail"} == {TypeError}


class KeepsEveryRow(OpenSetClassifier):
    def predict(self, X: np.ndarray) -> np.ndarray:
        answers = self.predict_open(X)
        if not answers.schema.is_single:
            return super().predict(X)
        return self.classes_[np.argmax(answers.class_scores, axis=1)]


@NOISE
@pytest.mark.parametrize("strategy", ["auto", "sigmoid"])
def test_the_contract_is_kept_in_full_where_no_row_is_other(strategy: str) -> None:
    assert len(check_estimator(KeepsEveryRow(strategy), on_skip=None)) > 40


class OfRows(OpenSetClassifier):
    """Takes the vectors that the checks give; no classifier to them, so that all y will do."""

    def fit(self, X: np.ndarray, y: Any) -> OfRows:
        return super().fit(X, y if y is None else self.of_vector(y))

    def score(self, X: np.ndarray, y: Any) -> float:
        return super().score(X, self.of_vector(y))

    def __sklearn_tags__(self) -> Any:
        tags = BaseEstimator.__sklearn_tags__(self)
        tags.target_tags.required = True
        return tags


class OfLabels(OfRows):
    def of_vector(self, y: Any) -> np.ndarray:
        values = np.asarray(y).ravel()
        return (values[:, np.newaxis] == np.unique(values)[:1].repeat(2)).astype(np.int64)


class OfColumns(OfRows):
    def of_vector(self, y: Any) -> np.ndarray:
        values = np.asarray(y).ravel().astype(str)
        return np.stack([values, values], axis=1)


@NOISE
def test_the_contract_is_kept_for_labels() -> None:
    assert len(check_estimator(OfLabels(), on_skip=None)) > 35


@NOISE
def test_the_contract_is_kept_for_columns_but_for_none() -> None:
    results = check_estimator(OfColumns(), expected_failed_checks=EXPECTED_FAILURES, on_skip=None)
    failed = {r["check_name"] for r in results if r["status"] == "xfail"}
    assert failed == {name for name in EXPECTED_FAILURES if "class" not in name} - {
        "check_supervised_y_2d"
    }
    assert len(results) > 35


@KINDS
def test_a_pickled_classifier_gives_the_same_answers_and_a_clone_has_learned_nothing(
    kind: str,
) -> None:
    X, y = WORLDS[kind]()
    clf = OpenSetClassifier("sigmoid", max_known_rejected=0.2, n_folds=3, random_state=7)
    fitted = clone(clf).fit(X, y)
    assert pickle.loads(pickle.dumps(fitted)).predict(X).tolist() == fitted.predict(X).tolist()
    copy = clone(fitted)
    assert copy.get_params() == clf.get_params()
    for method in (copy.predict, copy.predict_labels, copy.predict_open):
        with pytest.raises(NotFittedError):
            method(X)
    with pytest.raises(NotFittedError):
        copy.score(X, y)


@KINDS
def test_the_order_of_rows_plays_no_part_in_prediction(kind: str) -> None:
    X, y = WORLDS[kind]()
    clf, order = clone(SIGMOID).fit(X, y), np.random.default_rng(0).permutation(len(X))
    assert clf.predict(X[order]).tolist() == clf.predict(X)[order].tolist()
    one_by_one = [clf.predict(row[np.newaxis])[0] for row in X[:40]]
    assert np.array(one_by_one).tolist() == clf.predict(X)[:40].tolist()


def test_classes_or_none() -> None:
    X, y = world(others=60)
    answers = clone(SIGMOID).fit(X, y).predict(X)
    assert answers.dtype == object
    assert set(answers) == {"cat", "dog", "giraffe", None}
    assert np.mean([a == b for a, b in zip(answers, y, strict=True)]) > 0.95


def test_each_class_given_is_a_list_of_labels() -> None:
    X, y = world(others=60)
    clf = clone(SIGMOID).fit(X, y)
    answers = clf.predict(X).tolist()
    assert clf.predict_labels(X) == [[] if a is None else [a] for a in answers]


@pytest.mark.parametrize("as_list", [False, True])
def test_none_in_y_and_the_argument_other_are_the_same(as_list: bool) -> None:
    X, y = world(others=60)
    known = y != None  # noqa: E711
    labelled = clone(SIGMOID).fit(X, list(y) if as_list else y)
    given = clone(SIGMOID).fit(X[known], y[known].astype(str), other=X[~known])
    np.testing.assert_array_equal(labelled.other_score(X), given.other_score(X))
    assert labelled.threshold_ == given.threshold_ == given.thresholds_[0]
    assert len(labelled.certificate_.guarantees) == len(given.thresholds_) + 1 == 2


def test_both_kinds_of_negatives_are_put_together() -> None:
    X, y = world(others=60)
    both = clone(SIGMOID).fit(X[:-20], y[:-20], other=X[-20:])
    assert [guarantee.n for guarantee in both.certificate_.guarantees] == [120, 60]


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([3, 1, 20], int),
        (["cat", "a much longer name", "größe"], str),
        ([0.0, 1.0, 2.0], float),
        ([False, True, True], bool),
    ],
)
@pytest.mark.parametrize("others", [0, 40])
def test_answers_are_items_of_the_classes_in_their_own_type(
    names: list[object], kind: type, others: int
) -> None:
    X, y = world(others=others)
    mapping = dict(zip(["cat", "dog", "giraffe"], names, strict=True))
    labels: object = [None if label is None else mapping[label] for label in y]
    clf = clone(SIGMOID).fit(X, labels)
    answers = clf.predict(X)
    assert {type(a) for a in answers if a is not None} == {kind}
    assert {a for a in answers if a is not None} == set(names)
    assert sorted(clf.classes_.tolist()) == sorted(set(names))
    assert clf.score(X, labels) > 0.9


@pytest.mark.filterwarnings("ignore:A class is named:outgroup.errors.DataWarning")
def test_the_word_other_is_a_class_like_any() -> None:
    X, y = known_world()
    y[y == "dog"] = "other"
    clf = OpenSetClassifier().fit(X, y)
    assert "other" in clf.predict(X).tolist()
    assert clf.predict_open(X)[50].label == "other"


@pytest.mark.filterwarnings("ignore:A column-vector y:sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("others", [0, 40])
def test_a_matrix_of_one_column_is_a_vector(others: int) -> None:
    X, y = world(others=others)
    flat, column = (clone(SIGMOID).fit(X, values) for values in (y, y[:, np.newaxis]))
    assert column.predict(X).tolist() == flat.predict(X).tolist()
    assert column.classes_.tolist() == flat.classes_.tolist()
    assert column.score(X, y[:, np.newaxis]) == flat.score(X, y)


def test_open_answers_have_scores_and_can_be_decided_again() -> None:
    X, y = known_world()
    clf = OpenSetClassifier().fit(X, y)
    answers = clf.predict_open(X)
    assert answers.labels == clf.predict(X).tolist()
    np.testing.assert_array_equal(answers.other_score, clf.other_score(X))
    assert answers.at(np.inf).labels.count(None) == 0
    assert (answers.other_score > clf.threshold_).sum() == answers.labels.count(None)


def test_a_score_equal_to_the_threshold_is_known() -> None:
    X, y = known_world()
    clf = OpenSetClassifier().fit(X, y)
    ranked = np.argsort(clf.other_score(X))
    clf.model_ = replace(clf.model_, threshold=clf.other_score(X)[ranked[60]])
    kept = clf.predict(X) != None  # noqa: E711
    assert kept[ranked].tolist() == [True] * 61 + [False] * 59


def test_a_second_fit_keeps_nothing_of_the_first() -> None:
    X, y = known_world()
    used = OpenSetClassifier().fit(X[:, :5] * 100, np.where(y == "cat", "x", "y"))
    used.fit(*columns_world())
    used.fit(*labels_world())
    used.fit(X, y)
    fresh = OpenSetClassifier().fit(X, y)
    assert used.classes_.tolist() == ["cat", "dog", "giraffe"]
    assert used.threshold_ == fresh.threshold_
    assert used.predict(X).tolist() == fresh.predict(X).tolist()
    np.testing.assert_array_equal(used.other_score(X), fresh.other_score(X))


SPLITTER = KFold(3, shuffle=True, random_state=0)


def test_cross_validation_counts_right_answers() -> None:
    assert cross_val_score(OpenSetClassifier(), *known_world(), cv=3).min() > 0.8
    # scikit-learn's stratified splitters can't sort None; any other splitter will do
    for data in (world(others=40), labels_world(), columns_world()):
        assert cross_val_score(clone(SIGMOID), *data, cv=SPLITTER).min() > 0.8


def test_a_pipeline_and_a_grid_over_strategies() -> None:
    X, y = known_world()
    scaled = make_pipeline(StandardScaler(), OpenSetClassifier())
    assert scaled.fit(X, y).score(X, y) > 0.9
    cases = ((X, y, ["softmax", "sigmoid", "detector"]), (*labels_world(), ["blend", "sigmoid"]))
    for X, y, names in cases:
        grid = GridSearchCV(scaled, {"opensetclassifier__strategy": names}, cv=SPLITTER)
        assert grid.fit(X, y).best_score_ > 0.8
        assert grid.best_params_["opensetclassifier__strategy"] in names
        assert np.isfinite(grid.cv_results_["mean_test_score"]).all()


def test_score_is_the_share_of_right_answers_where_none_is_other() -> None:
    X, y = world(others=40)
    clf = clone(SIGMOID).fit(X, y)
    right = np.array([a == b for a, b in zip(clf.predict(X), y, strict=True)])
    assert clf.score(X, y) == right.mean()
    weights = np.arange(len(y)) + 1.0
    assert clf.score(X, list(y), sample_weight=weights) == np.average(right, weights=weights)
    assert clf.score(X[y == None], [None] * 40) > 0.9  # noqa: E711


def test_groups_are_counted_in_the_guarantee_and_none_stands_alone() -> None:
    X, y = known_world()
    groups = [f"burst {i // 4}" for i in range(100)] + [None] * 20
    guarantee = OpenSetClassifier().fit(X, y, groups=groups).certificate_.guarantees[0]
    assert (guarantee.n, guarantee.unit) == (45, "groups")
    with_others = clone(SIGMOID).fit(X, y, groups=groups, other=X[:30] + 9)
    assert [p.n for p in with_others.certificate_.guarantees] == [45, 30]
    by_number = OpenSetClassifier().fit(X, y, groups=np.arange(120) // 2)
    assert by_number.certificate_.guarantees[0].n == 60


def test_single_precision_decides_as_double_does() -> None:
    X, y = known_world()
    single = OpenSetClassifier("blend").fit(X.astype(np.float32), y)
    double = OpenSetClassifier("blend").fit(X, y)
    fresh = known_world(seed=3)[0]
    agree = single.predict(fresh.astype(np.float32)) == double.predict(fresh)
    assert agree.mean() > 0.98


@pytest.mark.parametrize(
    "strategy", [name for name, cls in STRATEGIES if {*cls.needs_layers} <= {"last"}]
)
def test_every_strategy_that_reads_embeddings_can_be_named(strategy: str) -> None:
    X, y = world(others=40)
    clf = OpenSetClassifier(strategy).fit(X, y)
    assert clf.model_.strategy.name == strategy
    assert clf.score(X, y) > 0.85


@pytest.mark.parametrize(
    "strategy", [name for name, cls in LABEL_STRATEGIES if {*cls.needs_layers} <= {"last"}]
)
def test_every_strategy_for_labels_can_be_named(strategy: str) -> None:
    X, Y = labels_world()
    clf = OpenSetClassifier(strategy).fit(X, Y)
    assert clf.model_.strategy.name == strategy
    assert clf.score(X, Y) > 0.85


def fit_error(X: object, y: object, **parameters: object) -> str:
    fit = {k: parameters.pop(k) for k in ("groups", "other") if k in parameters}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        OpenSetClassifier(**parameters).fit(X, y, **fit)  # type: ignore[arg-type]
    return f"{type(caught.value).__name__}: {caught.value}"


def test_data_that_nothing_can_be_learned_from_are_refused_with_the_reason() -> None:
    X, y = known_world()
    broken = X.copy()
    broken[3, 2] = np.nan
    with_none = y.astype(object)
    with_none[:40] = None
    assert "NaN" in fit_error(broken, y)
    assert "NaN" in fit_error(broken, with_none)
    assert "NaN" in fit_error(X, y, other=broken)
    assert "8 features" in fit_error(X, y, other=X[:, :5])
    assert "no known rows" in fit_error(X, [None] * 120)
    assert "tells classes from each other" in fit_error(X, ["cat"] * 120, strategy="softmax")
    assert "There are 1 readable images of class 'rare'" in fit_error(X, [*y[:-1], "rare"])
    assert "Found input variables" in fit_error(X, with_none[:50])
    assert "inconsistent" in fit_error(X, y[:50])
    assert "one entry for each of the 120 rows" in fit_error(X, y, groups=["a"])
    assert "got both" in fit_error(X, [None, *[1, "one"] * 59, 1])
    assert "requires y to be passed" in fit_error(X, None)
    assert "continuous" in fit_error(X, np.linspace(0, 1, 120))
    assert "1d array" in fit_error(X, "cat")


def test_logits_of_a_backbone_can_not_be_read_off_an_array() -> None:
    X, y = known_world()
    assert "layer 'logits', got only 'last'" in fit_error(X, y, strategy="imagenet")


def test_parameters_that_can_not_be_used_are_refused_with_the_fix() -> None:
    X, y = known_world()
    assert "Did you mean 'sigmoid'?" in fit_error(X, y, strategy="sigmiod")
    assert "Invalid `max_known_rejected`: must be a share" in fit_error(X, y, max_known_rejected=5)
    assert "no negatives" in fit_error(X, y, max_other_accepted=0.1)
    assert "Invalid `n_folds`: must be" in fit_error(X, y, n_folds=1)
    assert "Invalid `confidence`: must be" in fit_error(X, y, confidence=95)
    assert "InfeasibleTargetError" in fit_error(X, y, max_known_rejected=0.01)
    for error in (InvalidDataError, InvalidParameterError, InfeasibleTargetError):
        assert issubclass(error, ValueError)


def test_a_guarantee_that_was_asked_for_is_on_the_certificate() -> None:
    X, y = world(n=70, others=120)
    clf = OpenSetClassifier("sigmoid", max_known_rejected=0.1, max_other_accepted=0.1).fit(X, y)
    known, others = clf.certificate_.guarantees
    assert known.bound <= 0.1 == known.asked
    assert others.bound <= 0.1 == others.asked


@KINDS
def test_nearest_rows_are_those_given_and_behind_them_those_of_other(kind: str) -> None:
    X, y = WORLDS[kind]()
    negatives = -9 + world(n=0, others=30, seed=3)[0]
    negatives = np.hstack([negatives, np.zeros((30, 2))])[:, : X.shape[1]]
    clf = OpenSetClassifier("sigmoid").fit(X, y, other=negatives)
    answers = clf.predict_open(np.vstack([X[7:8], negatives[4:5]]))
    known, other = (answer.nearest[0] for answer in answers)
    text = {"classes": y[7], "labels": "0", "columns": f"0={y[7][0]}|1={y[7][1]}"}[kind]
    assert (known.row, known.label, known.distance) == (7, text, 0.0)
    assert (other.row, other.label, other.distance) == (len(X) + 4, None, 0.0)
    again = pickle.loads(pickle.dumps(clf)).predict_open(X)
    for one, two in zip(again, clf.predict_open(X), strict=True):
        assert [(near.row, near.label) for near in one.nearest] == [
            (near.row, near.label) for near in two.nearest
        ]


@KINDS
def test_a_head_is_chosen_by_name_and_changes_the_answers(kind: str) -> None:
    X, y = WORLDS[kind]()
    plain = OpenSetClassifier(strategy="sigmoid").fit(X, y)
    focal = OpenSetClassifier(strategy="sigmoid", head="focal-sigmoid,gamma=3").fit(X, y)
    for strategy in focal.model_.strategies:
        assert strategy.head.gamma == 3.0  # type: ignore[attr-defined]
    assert not np.allclose(plain.other_score(X), focal.other_score(X))
    with pytest.raises(InvalidParameterError, match="takes one of focal-sigmoid"):
        OpenSetClassifier(strategy="sigmoid", head="mlp").fit(X, y)
    with pytest.raises(InvalidParameterError, match="must be named where `head`"):
        OpenSetClassifier(head="focal-sigmoid").fit(X, y)


def test_a_matrix_of_marks_goes_in_and_one_comes_out() -> None:
    X, Y = labels_world()
    clf = OpenSetClassifier().fit(X, Y)
    fresh, true = labels_world(seed=1)
    answers = clf.predict(fresh)
    assert answers.shape == true.shape
    assert answers.dtype == np.int64
    assert (answers == true).all(axis=1).mean() > 0.85
    assert clf.score(fresh, true) > 0.9
    assert clf.classes_.tolist() == [0, 1, 2]
    assert clf.comparison_ is None
    assert len(clf.thresholds_) == 3
    np.testing.assert_array_equal(clf.predict_open(fresh).given, answers == 1)


NAMES = np.array(["cat", "dog", "giraffe"])


@pytest.mark.parametrize("made", [list, tuple, set])
def test_names_go_in_and_names_come_out(made: type) -> None:
    X, Y = labels_world()
    lists = [made(NAMES[row == 1].tolist()) for row in Y]
    clf = OpenSetClassifier().fit(X, lists)
    assert clf.classes_.tolist() == ["cat", "dog", "giraffe"]
    as_matrix = OpenSetClassifier().fit(X, Y)
    np.testing.assert_array_equal(clf.predict(X), as_matrix.predict(X))
    assert clf.predict_labels(X)[0] == NAMES[clf.predict(X)[0] == 1].tolist()
    assert as_matrix.predict_labels(X)[0] == np.flatnonzero(clf.predict(X)[0]).tolist()
    assert clf.score(X, lists) == clf.score(X, Y) == as_matrix.score(X, Y)
    series = OpenSetClassifier().fit(X, pd.Series(lists))
    np.testing.assert_array_equal(series.predict(X), clf.predict(X))


def test_names_that_were_not_learned_can_not_be_scored() -> None:
    X, Y = labels_world()
    lists = [NAMES[row == 1].tolist() for row in Y]
    with pytest.raises(InvalidDataError, match="not learned: zebra"):
        OpenSetClassifier().fit(X, lists).score(X, [["zebra"], *lists[1:]])
    with pytest.raises(InvalidDataError, match="not learned: cat, dog, giraffe"):
        OpenSetClassifier().fit(X, Y).score(X, lists)


def test_one_label_may_be_named() -> None:
    X, Y = labels_world()
    lists = [["cat"] if row[0] else [] for row in Y]
    clf = OpenSetClassifier().fit(X, lists)
    assert clf.predict(X).shape == (240, 1)
    assert np.mean([a == b for a, b in zip(clf.predict_labels(X), lists, strict=True)]) > 0.9


def test_negatives_and_groups_are_counted_with_labels() -> None:
    X, Y = labels_world()
    groups = [f"burst {i // 4}" for i in range(len(X))]
    clf = OpenSetClassifier().fit(X, Y, other=X[:40] + 9, groups=groups)
    none = (Y == 0).all(axis=1).sum()
    units = len({g for g, row in zip(groups, Y, strict=True) if not row.any()})
    assert none > units
    assert clf.certificate_.guarantees[-1].n == units + 40


@pytest.mark.parametrize("missing", [np.nan, pd.NA])
def test_nan_and_minus_one_are_labels_that_are_not_known(missing: object) -> None:
    X, Y = labels_world()
    holes, nans = Y.copy(), Y.astype(object)
    holes[::4, 0], nans[::4, 0] = -1, missing
    as_floats = [nans.astype(float)] if missing is np.nan else [pd.DataFrame(nans).astype("Int64")]
    one, *others = (OpenSetClassifier().fit(X, M) for M in (holes, nans, *as_floats))
    for other in others:
        np.testing.assert_array_equal(one.thresholds_, other.thresholds_)
    assert one.certificate_.guarantees[0].n == (holes[:, 0] == 1).sum()


def test_each_column_answers_in_its_own_type_or_none() -> None:
    X, y = columns_world()
    clf = OpenSetClassifier().fit(X, y)
    answers = clf.predict(X)
    assert answers.shape == y.shape
    assert answers.dtype == object
    assert {type(a) for a in answers[:, 0]} == {str, type(None)}
    assert {type(a) for a in answers[:, 1] if a is not None} == {int}
    assert clf.predict_labels(X) == [[a for a in row if a is not None] for row in answers.tolist()]
    assert clf.score(X, y) > 0.9
    assert [c.tolist() for c in clf.classes_] == [["cat", "dog"], [5, 20, 100]]
    assert clf.model_.classes == ("0=cat", "0=dog", "1=5", "1=20", "1=100")
    assert len(clf.thresholds_) == 2
    assert clf.comparison_ is None


def test_a_column_is_learned_from_the_rows_that_are_labelled_in_it() -> None:
    X, y = columns_world()
    y = y.copy()
    y[::3, 1] = np.nan
    clf = OpenSetClassifier().fit(X, y, other=X[:30] + 30)
    counted = [p.n for p in clf.certificate_.guarantees]
    assert counted[2:] == [160, 30]
    assert sum(counted[:2]) == 270
    assert (clf.predict(X[:30] + 30) == None).mean() > 0.9  # noqa: E711
    y[::3, 1] = clf.predict(X)[::3, 1]
    seen = np.arange(len(y)) % 3 > 0
    right = [a == b for a, b in zip(clf.predict(X)[seen, 1], y[seen, 1], strict=True)]
    y[::3, 1] = np.nan
    animals = [a == b for a, b in zip(clf.predict(X)[:, 0], y[:, 0], strict=True)]
    assert clf.score(X, y) == pytest.approx((np.mean(animals) + np.mean(right)) / 2)


@pytest.mark.parametrize(
    "made",
    [
        lambda y: y.tolist(),
        lambda y: pd.DataFrame(y, columns=["animal", "size"], dtype=object),
        lambda y: pd.DataFrame(y, dtype=object).astype({1: int}),
    ],
    ids=["lists", "frame", "columns of two types"],
)
def test_columns_may_be_a_table_of_any_kind(made: Any) -> None:
    X, y = columns_world()
    clf, expected = OpenSetClassifier().fit(X, made(y)), OpenSetClassifier().fit(X, y)
    assert clf.predict(X).tolist() == expected.predict(X).tolist()
    assert clf.score(X, made(y)) == expected.score(X, y)


def test_numbers_other_than_marks_are_classes_of_columns() -> None:
    X, Y = labels_world()
    clf = OpenSetClassifier().fit(X, Y + 1)
    assert [c.tolist() for c in clf.classes_] == [[1, 2]] * 3
    assert set(np.unique(clf.predict(X)[clf.predict(X) != None])) == {1, 2}  # noqa: E711


def test_columns_whose_only_class_is_their_number_are_columns() -> None:
    X, Y = labels_world()
    y = np.where(Y == 1, np.array(["0", "1", "2"], dtype=object), None)
    clf = OpenSetClassifier().fit(X, y)
    assert [c.tolist() for c in clf.classes_] == [["0"], ["1"], ["2"]]
    assert {*clf.predict(X).ravel()} == {"0", "1", "2", None}
    assert clf.score(X, y) > 0.9


def test_data_frames_keep_their_column_names() -> None:
    X, y = known_world()
    frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(8)])
    clf = OpenSetClassifier().fit(frame, pd.Series(y))
    assert clf.feature_names_in_.tolist() == list(frame)
    assert clf.predict(frame).tolist() == OpenSetClassifier().fit(X, y).predict(X).tolist()
    X, Y = labels_world()
    marked = OpenSetClassifier().fit(pd.DataFrame(X, columns=list(frame)), pd.DataFrame(Y))
    assert marked.feature_names_in_.tolist() == list(frame)
    np.testing.assert_array_equal(
        marked.predict(pd.DataFrame(X, columns=list(frame))),
        OpenSetClassifier().fit(X, Y).predict(X),
    )


def test_labels_and_columns_that_can_not_be_used_are_refused_with_the_fix() -> None:
    X, Y = labels_world()
    assert "got a row 'cat'" in fit_error(X, [["dog"], *["cat"] * (len(X) - 1)])
    assert "got a row [7]" in fit_error(X, [["dog"], *[[7]] * (len(X) - 1)])
    assert "at least one label" in fit_error(X, [[]] * len(X))
    assert "Did you mean 'sigmoid'" in fit_error(X, Y, strategy="sigmiod")
    assert "Label '0'" in fit_error(X, Y, max_known_rejected=0.001)
    assert "inconsistent" in fit_error(X, Y[:50])
    assert "images of label '1'" in fit_error(X, Y * [1, 0, 1])
    clf = OpenSetClassifier().fit(X, Y)
    with pytest.raises(InvalidParameterError, match="`sample_weight`: must be None with labels"):
        clf.score(X, Y, sample_weight=np.ones(len(X)))
    X, y = columns_world()
    assert "a column for each output, got shape (240, 2, 1)" in fit_error(X, y[:, :, np.newaxis])
    assert "Column 1: no row has a class" in fit_error(X, np.where([True, False], y, None))
    assert "Column '0': " in fit_error(X, y, max_known_rejected=0.001)
    assert "got both numbers and strings" in fit_error(X, np.vstack([[["cat", "5"]], y[1:]]))
    assert "Column 0 of `y` must hold classes, got fractions such as -2." in fit_error(X, X[:, :2])
    with pytest.raises(ValueError, match="8 features"):
        OpenSetClassifier().fit(X[:, :8], y).predict(X)
