"""`OpenSetClassifier.from_outputs`: a trained network with a calibrated threshold."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup import OpenSetClassifier
from outgroup.errors import InvalidDataError, InvalidParameterError

DIMENSIONS, K = 12, 3
CENTRES = 4.0 * np.eye(DIMENSIONS)
NAMES = np.array(["cat", "dog", "giraffe"])


def outputs(kinds: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features around one direction for each kind, and the logits of a linear head."""
    features = np.random.default_rng(seed).normal(size=(len(kinds), DIMENSIONS)) + CENTRES[kinds]
    return features, features[:, :K] - 1.0


@pytest.fixture(scope="module")
def known() -> np.ndarray:
    return np.repeat([0, 1, 2], 80)


@pytest.fixture(scope="module")
def fitted(known: np.ndarray) -> object:
    return OpenSetClassifier.from_outputs(*outputs(known, 0), NAMES[known])


def test_the_class_is_the_one_that_the_network_gives(fitted: object, known: np.ndarray) -> None:
    features, logits = outputs(known, 1)
    answers = fitted.predict(features, logits)  # type: ignore[attr-defined]
    best = NAMES[logits.argmax(1)]
    named = np.array([answer is not None for answer in answers])
    assert (answers[named] == best[named]).all()
    flipped = fitted.predict(features, logits[:, [1, 0, 2]])  # type: ignore[attr-defined]
    assert set(flipped[known == 0]) <= {"dog", "giraffe", None}


@pytest.mark.parametrize("strategy", ["blend", "softmax:energy", "detector:knn", "detector"])
def test_new_known_images_are_rejected_as_often_as_expected(
    strategy: str, known: np.ndarray
) -> None:
    rejected, accepted = [], []
    for seed in range(8):
        clf = OpenSetClassifier.from_outputs(
            *outputs(known, 2 * seed), NAMES[known], strategy=strategy, random_state=seed
        )
        new = outputs(np.tile(known, 4), 1000 + seed)
        rejected.append(np.mean([a is None for a in clf.predict(*new)]))
        unknown = outputs(np.full(200, 5), 2000 + seed)
        accepted.append(np.mean([a is not None for a in clf.predict(*unknown)]))
    assert 0.03 < np.mean(rejected) < 0.07
    assert np.mean(accepted) < (0.5 if strategy == "softmax:energy" else 0.1)


def test_negatives_count_in_the_guarantee(known: np.ndarray) -> None:
    other = outputs(np.repeat([4, 5], 100), 3)
    clf = OpenSetClassifier.from_outputs(
        *outputs(known, 0), NAMES[known], other=other, max_other_accepted=0.05
    )
    assert clf.certificate_.guarantees[1].n == 200
    features, logits = (np.vstack(pair) for pair in zip(outputs(known, 0), other, strict=True))
    labels = np.array([*NAMES[known], *[None] * 200], dtype=object)
    again = OpenSetClassifier.from_outputs(features, logits, labels, max_other_accepted=0.05)
    assert again.threshold_ == clf.threshold_


def test_columns_may_be_in_any_order_and_classes_of_any_type(known: np.ndarray) -> None:
    features, logits = outputs(known, 0)
    codes = np.array([30, 10, 20])
    clf = OpenSetClassifier.from_outputs(
        features, logits[:, [2, 0, 1]], codes[known], classes=[20, 30, 10]
    )
    answers = clf.predict(features, logits[:, [2, 0, 1]])
    named = np.array([answer is not None for answer in answers])
    assert (answers[named] == codes[logits.argmax(1)][named]).all()
    assert named.mean() > 0.9


def test_probabilities_are_those_asked_for(known: np.ndarray) -> None:
    features, logits = outputs(known, 0)
    for how, expected in (
        ("softmax", np.exp(logits) / np.exp(logits).sum(1, keepdims=True)),
        ("sigmoid", 1 / (1 + np.exp(-logits))),
    ):
        clf = OpenSetClassifier.from_outputs(features, logits, NAMES[known], probabilities=how)
        np.testing.assert_allclose(clf.predict_open(features, logits).class_scores, expected)


def test_images_of_one_group_count_once(known: np.ndarray) -> None:
    groups = [str(i // 2) for i in range(len(known))]
    clf = OpenSetClassifier.from_outputs(*outputs(known, 0), NAMES[known], groups=groups)
    assert clf.certificate_.guarantees[0].n == len(known) // 2


def broken(what: str, known: np.ndarray) -> dict:
    features, logits = outputs(known, 0)
    given = {"features": features, "logits": logits, "y": NAMES[known]}
    return {
        "a column more": {**given, "logits": np.hstack([logits, logits[:, :1]])},
        "rows": {**given, "logits": logits[1:]},
        "labels": {**given, "y": NAMES[known][1:]},
        "NaN": {**given, "features": np.where(features > 6, np.nan, features)},
        "flat": {**given, "features": features[:, 0]},
        "strange": {**given, "classes": ["cat", "dog", "horse"]},
        "strategy": {**given, "strategy": "imagenet"},
        "a class more": {**given, "strategy": "other-class", "other": (features, logits)},
        "probabilities": {**given, "probabilities": "hardmax"},
    }[what]


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("a column more", InvalidDataError, "column of logits for each of the 3 classes"),
        ("rows", InvalidDataError, "as many rows of features as of logits. Got 240 and 239"),
        ("labels", InvalidDataError, "one label for each of the 240 rows. Got 239"),
        ("NaN", InvalidDataError, "'features' have NaN"),
        ("flat", InvalidDataError, r"'features' must be an array of shape \(n, d\)"),
        ("strange", InvalidDataError, "does not have giraffe"),
        ("strategy", InvalidParameterError, "one with a head"),
        ("a class more", InvalidParameterError, "one with a head for the known classes"),
        ("probabilities", InvalidParameterError, "'softmax', 'sigmoid'"),
    ],
)
def test_what_can_not_be_used_is_refused(
    what: str, error: type, message: str, known: np.ndarray
) -> None:
    with pytest.raises(error, match=message):
        OpenSetClassifier.from_outputs(**broken(what, known))


def test_new_outputs_must_be_of_the_same_shape(fitted: object) -> None:
    with pytest.raises(InvalidDataError, match=r"'logits' must be an array of shape \(n, 3\)"):
        fitted.predict(np.zeros((2, DIMENSIONS)), np.zeros((2, 4)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(4))
def test_few_logits_do_not_hide_what_is_far_from_all_features(seed: int) -> None:
    """Cosines of two logits have a heavy tail, which must not dominate the sum."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat([0, 1], 100)
    features = rng.normal(size=(200, 8)) + 5 * np.eye(8)[kinds]
    clf = OpenSetClassifier.from_outputs(features, features[:, :2], NAMES[kinds])
    new = np.zeros((2, 8))
    new[0, 0], new[1, 1], new[1, 2] = 5.0, 1.0, 9.0
    assert clf.predict(new, new[:, :2]).tolist() == ["cat", None]
