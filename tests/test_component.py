import numpy as np
import pytest

from outgroup._component import State
from outgroup.detectors.knn import KNearestNeighbours
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies import FoldedRows
from outgroup.strategies.blend import Blend


def training_rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    return rng.normal(size=(40, 4)) + 3 * np.eye(4)[y], y, np.arange(40) % 4


def test_a_state_is_the_name_parameters_and_arrays() -> None:
    X, y, _ = training_rows()
    state = KNearestNeighbours(k=3).fit(X, y).state()
    assert isinstance(state, State)
    assert (state.name, state.parameters, state.parts) == ("knn", {"k": 3}, {})
    assert list(state.arrays) == ["known"]


def test_a_state_holds_what_was_tuned_as_a_parameter() -> None:
    X, y, folds = training_rows()
    head = LinearSoftmax()
    head.cross_fit(X, y, folds)
    assert head.strength is None
    found = head.fit(X, y).state().parameters
    assert found == {"strength": head.strength_, "class_weight": "balanced"}


def test_a_component_from_its_state_answers_the_same_and_can_be_saved_again() -> None:
    X, y, folds = training_rows()
    head = LinearSoftmax()
    head.cross_fit(X, y, folds)
    state = head.fit(X, y).state()
    again = LinearSoftmax.from_state(state, {})
    np.testing.assert_array_equal(again.logits(X), head.logits(X))
    assert again.state().parameters == state.parameters


def test_frozen_keeps_what_was_tuned_and_nothing_that_was_learned() -> None:
    X, y, folds = training_rows()
    blend = Blend()
    blend.cross_fit(FoldedRows({"last": X}, y, folds))
    frozen = blend.fit({"last": X}, y).frozen()
    assert frozen.scaling == blend.scaling_
    assert frozen.head.strength == blend.head.strength_
    assert frozen.last_shape.shrinkage == blend.last_shape.shrinkage_
    with pytest.raises(AttributeError):
        frozen.head.coef  # noqa: B018


def test_frozen_without_a_fit_is_a_copy() -> None:
    frozen = Mahalanobis(shrinkage=0.3).frozen()
    assert frozen.shrinkage == 0.3
    assert Mahalanobis().frozen().shrinkage is None
