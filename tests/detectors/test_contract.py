"""What every registered detector has to do, and one that is registered outside the package."""

import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from outgroup import ImageClassifier, load
from outgroup.cli import app
from outgroup.detectors import (
    DETECTORS,
    Detector,
    FeatureDetector,
    FittedLogitDetector,
    LogitDetector,
)


class MedianDistance(FeatureDetector):
    """``|x - m|``, m the median of the known embeddings.

    References
    ----------
    Made up for these tests, 2026.
    """

    summary = "distance from the median of the known images"
    reference = "made up 2026"
    arrays = ("median",)

    def fit(self, X, y):
        self.median = np.median(np.asarray(X, dtype=np.float64), axis=0)
        return self

    def other_score(self, X):
        away = np.clip(X - self.median, -1e100, 1e100)
        return np.linalg.norm(away, axis=1)


MADE_UP = "made-up"


@pytest.fixture(scope="module", autouse=True)
def made_up() -> Iterator[None]:
    """Register a detector from outside the package while the tests of this module run."""
    before = dict(DETECTORS)
    DETECTORS.register(MADE_UP)(MedianDistance)
    yield
    DETECTORS._entries = before


NAMES = [*DETECTORS.names(), MADE_UP]
FEATURE = [*(n for n, cls in DETECTORS if issubclass(cls, FeatureDetector)), MADE_UP]
FITTED_LOGITS = [n for n, cls in DETECTORS if issubclass(cls, FittedLogitDetector)]
LEAVES_OUT = [n for n, cls in DETECTORS if issubclass(cls, FeatureDetector) and cls.leaves_out]

#: These see only which activations are large, or each activation alone, so they need classes that
#: differ in more than one activation: at the same distance, but along four columns.
WIDE = ("ash-b", "isolation-forest")
PROPERTY = settings(derandomize=True, deadline=None, max_examples=60)


@functools.cache
def fitted(name: str) -> tuple[Detector, np.ndarray, np.ndarray]:
    """Return a fitted detector, rows like its two classes, and rows far from both.

    It is made once and must not be changed. Rows for a detector of logits are logits: large for one
    class, or small and alike for all.
    """
    rng = np.random.default_rng(0)
    detector = DETECTORS.get(name)()
    y = np.repeat([0, 1], 60)
    if isinstance(detector, FeatureDetector):
        centres = 3 * np.repeat(np.eye(3), 4, axis=1) if name in WIDE else 6 * np.eye(3, 12)
        X = rng.normal(size=(120, 12)) + centres[y]
        detector.fit(X, y)
        return (
            detector,
            rng.normal(size=(80, 12)) + centres[y[20:100]],
            rng.normal(size=(80, 12)) + centres[2],
        )
    known = rng.normal(size=(80, 3)) + 8 * np.eye(3)[rng.integers(0, 3, 80)]
    if isinstance(detector, FittedLogitDetector):
        y = rng.integers(0, 3, 600)
        detector.fit(rng.normal(size=(600, 3)) + 8 * np.eye(3)[y], y)
    else:
        assert isinstance(detector, LogitDetector)
    return detector, known, 0.3 * rng.normal(size=(80, 3))


def feature_detector(name: str) -> FeatureDetector:
    detector = DETECTORS.get(name)()
    assert isinstance(detector, FeatureDetector)
    return detector


@pytest.mark.parametrize("name", NAMES)
def test_higher_is_more_other(name: str) -> None:
    detector, known, other = fitted(name)
    least = np.quantile(detector.other_score(known), 0.95)
    assert np.median(detector.other_score(other)) > least


@pytest.mark.parametrize("name", NAMES)
def test_each_row_gets_one_score_in_float64(name: str) -> None:
    detector, known, _ = fitted(name)
    found = detector.other_score(known)
    assert found.shape == (len(known),)
    assert found.dtype == np.float64
    assert detector.other_score(known[:0]).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_depend_on_the_order_of_rows(name: str) -> None:
    detector, known, other = fitted(name)
    rows = np.vstack([known, other])
    order = np.random.default_rng(1).permutation(len(rows))
    np.testing.assert_allclose(
        detector.other_score(rows[order]), detector.other_score(rows)[order], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_depend_on_the_size_of_the_batch(name: str) -> None:
    detector, known, other = fitted(name)
    rows = np.vstack([known, other])
    alone = np.concatenate([detector.other_score(row[np.newaxis]) for row in rows])
    np.testing.assert_allclose(alone, detector.other_score(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@PROPERTY
@given(data=st.data())
def test_any_finite_row_has_a_finite_score(name: str, data: st.DataObject) -> None:
    detector, known, _ = fitted(name)
    rows = data.draw(arrays(np.float64, (3, known.shape[1]), elements=st.floats(-1e150, 1e150)))
    assert np.isfinite(detector.other_score(rows)).all()


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_zeros_and_of_extreme_length_have_finite_scores(name: str) -> None:
    detector, known, _ = fitted(name)
    rows = np.vstack([0 * known[:1], 1e-200 * known[:1], 1e200 * known[:1]])
    assert np.isfinite(detector.other_score(rows)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_from_its_state_gives_the_very_same_scores(name: str) -> None:
    detector, known, other = fitted(name)
    state = detector.state()
    assert state.name == name
    again = DETECTORS.get(name).from_state(state, {})
    rows = np.vstack([known, other])
    np.testing.assert_array_equal(again.other_score(rows), detector.other_score(rows))


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_has_a_name_a_summary_and_a_reference(name: str) -> None:
    cls = DETECTORS.get(name)
    assert cls.name == name
    assert cls.summary
    assert any(character.isdigit() for character in cls.reference)  # a year
    assert "References" in (cls.__doc__ or "")
    assert cls.on == ("features" if issubclass(cls, FeatureDetector) else "logits")


@pytest.mark.parametrize("name", FEATURE)
def test_scores_do_not_depend_on_the_order_of_training_rows(name: str) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(50, 6)) + 2, np.arange(50) % 3
    order, rows = rng.permutation(50), rng.normal(size=(20, 6))
    one = feature_detector(name).fit(X, y)
    two = feature_detector(name).fit(X[order], y[order])
    np.testing.assert_allclose(one.other_score(rows), two.other_score(rows), rtol=1e-9)


@pytest.mark.parametrize("name", FEATURE)
def test_a_second_fit_keeps_nothing_of_the_first(name: str) -> None:
    rng = np.random.default_rng(3)
    y, rows = np.arange(50) % 2, rng.normal(size=(20, 6))
    first, second = rng.normal(size=(50, 6)), rng.normal(size=(50, 6)) * np.arange(1, 7) ** 2
    used = feature_detector(name).fit(first, y).fit(second, y)
    fresh = feature_detector(name).fit(second, y)
    np.testing.assert_array_equal(used.other_score(rows), fresh.other_score(rows))


def classes_and_negatives() -> tuple[np.ndarray, np.ndarray]:
    """Return 20 rows of each of three classes and 20 negatives, and their class indices."""
    y = np.r_[np.arange(60) % 3, np.full(20, -1)]
    return np.random.default_rng(4).normal(size=(80, 8)) + 3 * np.eye(4, 8)[y], y


@pytest.mark.parametrize("name", FEATURE)
def test_out_of_fold_scores_are_those_of_models_without_the_row(name: str) -> None:
    X, y = classes_and_negatives()
    folds = np.arange(80) % 4
    detector = feature_detector(name)
    held_out = detector.cross_fit(X, y, folds)
    used = (y >= 0) | detector.learns_from_others
    for fold in range(4):
        train, test = used & (folds != fold), used & (folds == fold)
        alone = detector.frozen().fit(X[train], y[train]).other_score(X[test])
        np.testing.assert_array_equal(held_out[test], alone)
    # no model was fitted to these negatives, so the final model scores them, as it will in use
    final = detector.fit(X[used], y[used])
    np.testing.assert_array_equal(held_out[~used], final.other_score(X[~used]))


@pytest.mark.parametrize("name", LEAVES_OUT)
def test_scores_of_rows_left_out_one_by_one_are_those_of_models_without_them(name: str) -> None:
    X, y = classes_and_negatives()
    folds, known = np.arange(80) % 4, y >= 0
    detector = feature_detector(name)
    held_out = detector.cross_fit(X, y, folds, one_by_one=True)
    used = known | detector.learns_from_others
    one_by_one = detector.cross_fit(X, y, np.arange(80))
    # each model has a scale of its own, which differs a little from row to row
    apart = np.abs(held_out - one_by_one)[known]
    assert np.median(apart) < 0.05 * one_by_one[known].std()
    assert np.corrcoef(held_out[known], one_by_one[known])[0, 1] > 0.995
    # negatives are still held out by fold, or no model is fitted to them
    np.testing.assert_array_equal(held_out[~known], detector.cross_fit(X, y, folds)[~known])
    left_out = detector.frozen().fit_left_out(X[used], y[used])
    np.testing.assert_array_equal(held_out[known], left_out)


@pytest.mark.parametrize("name", FEATURE)
def test_only_detectors_that_declare_it_learn_from_negatives(name: str) -> None:
    X, y = classes_and_negatives()
    folds, known = np.arange(80) % 4, y >= 0
    detector = feature_detector(name)
    having = detector.cross_fit(X, y, folds)
    without = detector.cross_fit(X[known], y[known], folds[known])
    if detector.learns_from_others:
        assert np.abs(having[known] - without).max() > 1e-3
    else:
        np.testing.assert_allclose(having[known], without, rtol=1e-9)


#: Detectors whose score is a distance: 0 on what is known exactly, and never less.
DISTANCES = [
    "knn",
    "knn-ratio",
    "mahalanobis",
    "mahalanobis-raw",
    "residual",
    "whitened-cosine",
]


@pytest.mark.parametrize("name", DISTANCES)
def test_identical_images_are_no_error(name: str) -> None:
    rows = np.random.default_rng(5).normal(size=(2, 20))
    y = np.repeat([0, 1], 7)
    found = feature_detector(name).fit(rows[y], y).other_score(np.vstack([rows, rows + 1]))
    assert found[:2].max() < 1e-6
    assert found[2:].min() > 1e-3
    assert found.max() < 1e3


@pytest.mark.parametrize("name", [n for n, cls in DETECTORS if "scale" in cls.arrays])
def test_a_new_known_row_typically_gets_one(name: str) -> None:
    draw = np.random.default_rng(5).normal
    y = np.arange(60) % 3
    X, new = (draw(size=(n, 150)) + 3 * np.eye(3, 150)[np.arange(n) % 3] for n in (60, 3000))
    found = feature_detector(name).fit(X, y).other_score(new)
    assert np.median(found) == pytest.approx(1.0, abs=0.05)


def degenerate() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(6)
    few, constant = rng.normal(size=(6, 40)), rng.normal(size=(30, 5))
    constant[:, 2:4] = 0.7, 0.0
    return {
        "two equal rows a class": (np.repeat(few[:2], 2, axis=0), np.repeat([0, 1], 2)),
        "all rows equal": (np.repeat(few[:1], 8, axis=0), np.repeat([0, 1], 4)),
        "all rows zero": (np.zeros((8, 5)), np.repeat([0, 1], 4)),
        "one class": (constant, np.zeros(30, dtype=np.int64)),
        "two rows a class": (few, np.repeat([0, 1, 2], 2)),
        "one row a class": (few, np.arange(6)),
        "constant columns": (constant, np.arange(30) % 2),
        "a zero row": (np.vstack([constant[:-1], np.zeros(5)]), np.arange(30) % 2),
        "very small": (1e-150 * constant, np.arange(30) % 2),
        "very large": (1e120 * constant, np.arange(30) % 2),
        "single precision": (constant.astype(np.float32), np.arange(30) % 2),
    }


@pytest.mark.parametrize("case", degenerate())
@pytest.mark.parametrize("name", FEATURE)
def test_scores_are_finite_whatever_the_training_rows(name: str, case: str) -> None:
    X, y = degenerate()[case]
    rows = np.vstack([X, 0 * X[:1], X[:1] + 1, -X, 1e150 * X[:1].astype(np.float64)])
    detector = feature_detector(name)
    assert np.isfinite(detector.cross_fit(X, y, np.arange(len(y)) // 2 % 2)).all()
    found = detector.fit(X, y).other_score(rows)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()


@pytest.mark.parametrize("case", degenerate())
@pytest.mark.parametrize("name", FITTED_LOGITS)
def test_scores_are_finite_whatever_the_training_logits(name: str, case: str) -> None:
    logits, y = degenerate()[case]
    logits = logits.astype(np.float64)
    rows = np.vstack([logits, 0 * logits[:1], logits[:1] + 1, -logits, 1e150 * logits[:1]])
    detector = DETECTORS.get(name)()
    assert isinstance(detector, FittedLogitDetector)
    assert np.isfinite(detector.fit(logits, y).other_score(rows)).all()


def test_finding_all_detectors_imports_neither_scipy_nor_scikit_learn() -> None:
    code = "from outgroup.detectors import DETECTORS; DETECTORS.names(); import sys"
    code += "; assert not {'scipy', 'sklearn'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_detector_from_outside_the_package_is_found_trained_saved_and_loaded(
    quick: str, photos: Path, new: Path, tmp_path: Path
) -> None:
    listed = CliRunner().invoke(app, ["methods", "--json"]).stdout
    assert f'"{MADE_UP}"' in listed
    classifier = ImageClassifier(strategy=f"detector:{MADE_UP}", backbone=quick, cache=False)
    answers = classifier.fit(photos).predict(new)
    again = load(classifier.save(tmp_path / "made_up.outgroup")).predict(new)
    assert [answer.label for answer in again] == [answer.label for answer in answers]
    np.testing.assert_array_equal(again.other_score, answers.other_score)
    pink = np.array(["pink" in str(answer.path) for answer in answers])
    assert answers.other_score[pink].min() > np.median(answers.other_score[~pink])
