"""What every registered labeler has to do; a new one is tested by being registered."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outgroup.artifact.states import flatten, restore_labeler
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import auroc
from outgroup.multilabel import LABELERS, Labeler, LabelTrainingSet, choose_labeler, fit_labels

NAMES = LABELERS.names()
CLASSES = ("a", "b", "c")
World = Callable[..., tuple[dict[str, np.ndarray], np.ndarray]]


def folds_of(Y: np.ndarray) -> np.ndarray:
    return np.random.default_rng(7).permutation(np.arange(len(Y)) % 5)


def fitted(name: str, features: dict[str, np.ndarray], Y: np.ndarray) -> Labeler:
    labeler = LABELERS.get(name)()
    labeler.cross_fit(features, Y, folds_of(Y))
    return labeler.fit(features, Y)


@pytest.mark.parametrize("name", NAMES)
def test_scores_tell_rows_with_a_label_from_rows_without(name: str, world: World) -> None:
    features, Y = world()
    labeler = LABELERS.get(name)()
    held_out = labeler.cross_fit(features, Y, folds_of(Y))
    fresh, Y_fresh = world(seed=1)
    scored = labeler.fit(features, Y).score(fresh)
    for (probabilities, other_score), true in ((held_out, Y), (scored, Y_fresh)):
        assert probabilities.shape == other_score.shape == true.shape
        assert probabilities.dtype == other_score.dtype == np.float64
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert np.isfinite(other_score).all()
        for k in range(3):  # higher = more surely without it
            has = true[:, k] == 1
            assert auroc(other_score[has, k], other_score[~has, k]) > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_from_its_state_it_gives_the_very_same_scores(name: str, world: World) -> None:
    features, Y = world()
    labeler = fitted(name, features, Y)
    described, arrays = flatten(labeler.state(), "strategy", "labeler")
    again = restore_labeler(json.loads(json.dumps(described)), arrays)
    assert type(again) is type(labeler)
    for one, two in zip(again.score(features), labeler.score(features), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_that_nobody_knows_is_not_taken_for_a_no(name: str, world: World) -> None:
    features, Y = world()
    hidden = Y.copy()
    hidden[(Y[:, 0] == 1) & (np.arange(len(Y)) % 2 == 0), 0] = -1
    fresh, Y_fresh = world(seed=1)
    has = Y_fresh[:, 0] == 1
    unknown = fitted(name, features, hidden).score(fresh).probabilities[has, 0]
    taken_for_no = np.where(hidden == -1, 0, hidden)
    misled = fitted(name, features, taken_for_no).score(fresh).probabilities[has, 0]
    assert unknown.mean() > misled.mean() + 0.1


def test_the_blend_names_hardly_anything_that_is_far_from_everything(
    world: World, far: Callable[..., Any]
) -> None:
    features, Y = world(none=0, d=48)  # no negatives at all
    given = {}
    for name in NAMES:
        model = fit_labels(LabelTrainingSet(features, Y, CLASSES), LABELERS.get(name)())
        given[name] = model.predict(far(d=48)).given.any(axis=1).mean()
    assert given["blend"] < 0.05
    assert given["sigmoid"] > 0.4  # linear sigmoids name garbage with certainty
    assert given["sigmoid-0.95"] > 0.4


def test_the_recipe_takes_095_whatever_the_data_and_learns_from_no_negatives(
    world: World,
) -> None:
    features, Y = world()
    model = fit_labels(LabelTrainingSet(features, Y, CLASSES), choose_labeler("sigmoid-0.95"))
    answers = model.predict(world(seed=1)[0])
    np.testing.assert_array_equal(answers.given, answers.class_scores >= 0.95)
    labelled = Y.any(axis=1)
    without = LABELERS.get("sigmoid-0.95")()
    rows = {"last": features["last"][labelled]}
    without.cross_fit(rows, Y[labelled], folds_of(Y)[labelled])
    without.fit(rows, Y[labelled])
    found = without.score(world(seed=1)[0]).probabilities
    np.testing.assert_allclose(found, answers.class_scores, atol=1e-9)


def test_auto_is_a_labeler_that_uses_negatives_and_a_typo_is_answered() -> None:
    assert choose_labeler("auto").name == "blend"
    with pytest.raises(InvalidParameterError, match="Did you mean 'sigmoid'"):
        choose_labeler("sigmiod")
