import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.estimator import OpenSetClassifier
from outgroup.strategies import STRATEGIES

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


# `predict` returns an object array in which some rows, of the very images that were fitted too,
# are None: that is what the threshold is for. These checks subtract or sort what `predict`
# returned, and None can be neither subtracted nor sorted. Nothing else is wrong in them: the next
# test runs every check, without an exemption, on a classifier that only differs in keeping each
# row.
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


class KeepsEveryRow(OpenSetClassifier):
    def predict(self, X: np.ndarray) -> np.ndarray:
        best = np.argmax(self.predict_open(X).class_scores, axis=1)
        return self.classes_[best]


def test_the_contract_of_scikit_learn_is_kept_but_for_none() -> None:
    results = check_estimator(
        OpenSetClassifier(), expected_failed_checks=EXPECTED_FAILURES, on_skip=None
    )
    failed = {r["check_name"] for r in results if r["status"] == "xfail"}
    assert failed == set(EXPECTED_FAILURES)  # no exemption that is not needed
    errors = {type(r["exception"]) for r in results if r["status"] == "xfail"}
    assert errors == {TypeError}


@pytest.mark.parametrize("strategy", ["auto", "sigmoid"])
def test_where_no_row_is_other_the_contract_is_kept_in_full(strategy: str) -> None:
    results = check_estimator(KeepsEveryRow(strategy), on_skip=None)
    assert len(results) > 40


def test_a_pickled_classifier_gives_the_same_answers() -> None:
    X, y = world(others=40)
    clf = clone(SIGMOID).fit(X, y)
    assert pickle.loads(pickle.dumps(clf)).predict(X).tolist() == clf.predict(X).tolist()


def test_the_order_of_rows_plays_no_part_in_prediction() -> None:
    X, y = world(others=40)
    clf, order = clone(SIGMOID).fit(X, y), np.random.default_rng(0).permutation(len(X))
    assert clf.predict(X[order]).tolist() == clf.predict(X)[order].tolist()
    one_by_one = [clf.predict(row[np.newaxis])[0] for row in X]
    assert one_by_one == clf.predict(X).tolist()


def test_labels_or_none() -> None:
    X, y = world(others=60)
    answers = clone(SIGMOID).fit(X, y).predict(X)
    assert answers.dtype == object
    assert set(answers) == {"cat", "dog", "giraffe", None}
    assert np.mean([a == b for a, b in zip(answers, y, strict=True)]) > 0.95


@pytest.mark.parametrize("as_list", [False, True])
def test_none_in_y_and_the_argument_other_are_the_same(as_list: bool) -> None:
    X, y = world(others=60)
    known = y != None  # noqa: E711
    labelled = clone(SIGMOID).fit(X, list(y) if as_list else y)
    given = clone(SIGMOID).fit(X[known], y[known].astype(str), other=X[~known])
    np.testing.assert_array_equal(labelled.other_score(X), given.other_score(X))
    assert labelled.threshold_ == given.threshold_
    assert len(labelled.certificate_.promises) == 2


def test_both_kinds_of_negatives_are_put_together() -> None:
    X, y = world(others=60)
    known = y != None  # noqa: E711
    both = clone(SIGMOID).fit(X[:-20], y[:-20], other=X[-20:])
    assert both.certificate_.promises[1].n == 60
    assert known.sum() == both.certificate_.promises[0].n


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


def test_open_answers_carry_scores_and_can_be_decided_anew() -> None:
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


def test_clone_keeps_parameters_and_nothing_learned() -> None:
    clf = OpenSetClassifier("blend", max_known_rejected=0.1, n_folds=3, random_state=7)
    clf.fit(*known_world())
    copy = clone(clf)
    assert copy.get_params() == clf.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(known_world()[0])


def test_a_second_fit_keeps_nothing_of_the_first() -> None:
    X, y = known_world()
    used = OpenSetClassifier().fit(X[:, :5] * 100, np.where(y == "cat", "x", "y"))
    used.fit(X, y)
    fresh = OpenSetClassifier().fit(X, y)
    assert used.classes_.tolist() == ["cat", "dog", "giraffe"]
    assert used.threshold_ == fresh.threshold_
    np.testing.assert_array_equal(used.other_score(X), fresh.other_score(X))


def test_cross_validation_counts_right_answers() -> None:
    X, y = known_world()
    shares = cross_val_score(OpenSetClassifier(), X, y, cv=3)
    assert shares.min() > 0.8
    # scikit-learn's stratified splitters can't sort None; any other splitter will do
    splitter = KFold(3, shuffle=True, random_state=0)
    assert cross_val_score(clone(SIGMOID), *world(others=40), cv=splitter).min() > 0.8


def test_a_pipeline_and_a_grid_over_strategies() -> None:
    X, y = known_world()
    scaled = make_pipeline(StandardScaler(), OpenSetClassifier())
    assert scaled.fit(X, y).score(X, y) > 0.9
    names = ["softmax", "sigmoid", "detector"]
    grid = GridSearchCV(scaled, {"opensetclassifier__strategy": names}, cv=3)
    assert grid.fit(X, y).best_score_ > 0.8
    assert grid.best_params_["opensetclassifier__strategy"] in names
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()


def test_score_is_the_share_of_right_answers_none_for_other() -> None:
    X, y = world(others=40)
    clf = clone(SIGMOID).fit(X, y)
    right = np.array([a == b for a, b in zip(clf.predict(X), y, strict=True)])
    assert clf.score(X, y) == right.mean()
    weights = np.arange(len(y)) + 1.0
    assert clf.score(X, list(y), sample_weight=weights) == np.average(right, weights=weights)
    assert clf.score(X[y == None], [None] * 40) > 0.9  # noqa: E711


def test_groups_are_counted_in_the_promise_and_none_stands_alone() -> None:
    X, y = known_world()
    groups = [f"burst {i // 4}" for i in range(100)] + [None] * 20
    promise = OpenSetClassifier().fit(X, y, groups=groups).certificate_.promises[0]
    assert (promise.n, promise.unit) == (45, "groups")
    with_others = clone(SIGMOID).fit(X, y, groups=groups, other=X[:30] + 9)
    assert [p.n for p in with_others.certificate_.promises] == [45, 30]


def test_numbers_may_name_groups() -> None:
    X, y = known_world()
    promise = OpenSetClassifier().fit(X, y, groups=np.arange(120) // 2).certificate_.promises[0]
    assert promise.n == 60


def test_data_frames_keep_their_column_names() -> None:
    X, y = known_world()
    frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(8)])
    clf = OpenSetClassifier().fit(frame, pd.Series(y))
    assert clf.feature_names_in_.tolist() == list(frame)
    assert clf.predict(frame).tolist() == OpenSetClassifier().fit(X, y).predict(X).tolist()


def test_single_precision_decides_as_double_does() -> None:
    X, y = known_world()
    single = OpenSetClassifier("blend").fit(X.astype(np.float32), y)
    double = OpenSetClassifier("blend").fit(X, y)
    fresh = known_world(seed=3)[0]
    agree = single.predict(fresh.astype(np.float32)) == double.predict(fresh)
    assert agree.mean() > 0.98


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES.names() if name != "imagenet"])
def test_every_strategy_that_reads_embeddings_can_be_named(strategy: str) -> None:
    X, y = world(others=40)
    clf = OpenSetClassifier(strategy).fit(X, y)
    assert clf.model_.strategy.name == strategy
    assert clf.score(X, y) > 0.85


def fit_error(X: object, y: object, **parameters: object) -> str:
    fit = {k: parameters.pop(k) for k in ("groups", "other") if k in parameters}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        OpenSetClassifier(**parameters).fit(X, y, **fit)  # type: ignore[arg-type]
    return f"{type(caught.value).__name__}: {caught.value}"


def test_data_nothing_can_be_learned_from_are_refused_with_the_reason() -> None:
    X, y = known_world()
    broken = X.copy()
    broken[3, 2] = np.nan
    with_none = y.astype(object)
    with_none[:40] = None
    assert "NaN" in fit_error(broken, y)
    assert "NaN" in fit_error(broken, with_none)
    assert "NaN" in fit_error(X, y, other=broken)
    assert "8 features" in fit_error(X, y, other=X[:, :5])
    assert "no known images" in fit_error(X, [None] * 120)
    assert "tells classes from each other" in fit_error(X, ["cat"] * 120, strategy="softmax")
    assert "'rare' has 1 readable" in fit_error(X, [*y[:-1], "rare"])
    assert "Found input variables" in fit_error(X, with_none[:50])
    assert "inconsistent" in fit_error(X, y[:50])
    assert "one entry for each of the 120 rows" in fit_error(X, y, groups=["a"])
    assert "Got both" in fit_error(X, [None, *[1, "one"] * 59, 1])
    assert "requires y to be passed" in fit_error(X, None)
    assert "continuous" in fit_error(X, np.linspace(0, 1, 120))


def test_answers_of_a_backbone_can_not_be_read_off_an_array() -> None:
    X, y = known_world()
    assert "layer 'logits'. Got only 'last'" in fit_error(X, y, strategy="imagenet")


def test_parameters_that_can_not_be_used_are_refused_with_the_fix() -> None:
    X, y = known_world()
    assert "Did you mean 'sigmoid'?" in fit_error(X, y, strategy="sigmiod")
    assert "'max_known_rejected' parameter must be a share" in fit_error(X, y, max_known_rejected=5)
    assert "no negatives" in fit_error(X, y, max_other_accepted=0.1)
    assert "'n_folds' parameter must be" in fit_error(X, y, n_folds=1)
    assert "'confidence' parameter must be" in fit_error(X, y, confidence=95)
    assert "InfeasibleTargetError" in fit_error(X, y, max_known_rejected=0.01)
    for error in (InvalidDataError, InvalidParameterError, InfeasibleTargetError):
        assert issubclass(error, ValueError)


def test_a_promise_that_was_asked_for_is_on_the_certificate() -> None:
    X, y = world(n=70, others=120)
    clf = OpenSetClassifier("sigmoid", max_known_rejected=0.1, max_other_accepted=0.1).fit(X, y)
    known, others = clf.certificate_.promises
    assert known.bound <= 0.1 == known.asked
    assert others.bound <= 0.1 == others.asked


def test_nearest_rows_are_those_given_and_behind_them_those_of_other() -> None:
    X, y = known_world()
    negatives = world(n=0, others=30, seed=3)[0]
    clf = OpenSetClassifier("sigmoid").fit(X, y, other=negatives)
    answers = clf.predict_open(np.vstack([X[7:8], negatives[4:5]]))
    known, other = (answer.nearest[0] for answer in answers)
    assert (known.row, known.label, known.distance) == (7, y[7], 0.0)
    assert (other.row, other.label, other.distance) == (len(X) + 4, None, 0.0)
    again = pickle.loads(pickle.dumps(clf)).predict_open(X)
    assert [answer.nearest for answer in again] == [a.nearest for a in clf.predict_open(X)]


def test_a_head_is_taken_by_name_and_changes_the_answers() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 5)) + 3 * np.eye(3, 5)[y]
    plain = OpenSetClassifier(strategy="sigmoid").fit(X, y)
    focal = OpenSetClassifier(strategy="sigmoid", head="focal-sigmoid,gamma=3").fit(X, y)
    assert focal.model_.strategy.head.gamma == 3.0  # type: ignore[attr-defined]
    assert not np.allclose(plain.other_score(X), focal.other_score(X))
    with pytest.raises(InvalidParameterError, match="takes one of focal-sigmoid"):
        OpenSetClassifier(strategy="sigmoid", head="mlp").fit(X, y)
