import numpy as np
import pytest

from outgroup._component import State
from outgroup.detectors.gaussian import Mahalanobis
from outgroup.detectors.neighbours import KNearestNeighbours
from outgroup.heads.linear import LinearSoftmax
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


def test_a_state_holds_chosen_values_as_parameters() -> None:
    X, y, folds = training_rows()
    head = LinearSoftmax()
    head.cross_fit(X, y, folds)
    assert head.strength is None
    found = head.fit(X, y).state().parameters
    assert found == {"strength": head.strength_, "class_weight": "balanced"}


def test_a_component_from_its_state_gives_the_same_logits_and_the_same_state() -> None:
    X, y, folds = training_rows()
    head = LinearSoftmax()
    head.cross_fit(X, y, folds)
    state = head.fit(X, y).state()
    again = LinearSoftmax.from_state(state, {})
    np.testing.assert_array_equal(again.logits(X), head.logits(X))
    assert again.state().parameters == state.parameters


def test_a_frozen_copy_keeps_the_chosen_parameters_and_nothing_else() -> None:
    X, y, folds = training_rows()
    blend = Blend()
    blend.cross_fit(FoldedRows({"last": X}, y, folds))
    frozen = blend.fit({"last": X}, y).frozen()
    assert frozen.scaling == blend.scaling_
    assert frozen.head.strength == blend.head.strength_
    assert frozen.last_shape.shrinkage == blend.last_shape.shrinkage_
    with pytest.raises(AttributeError):
        frozen.head.coef  # noqa: B018


def test_a_frozen_copy_of_an_unfitted_component_has_its_parameters() -> None:
    frozen = Mahalanobis(shrinkage=0.3).frozen()
    assert frozen.shrinkage == 0.3
    assert Mahalanobis().frozen().shrinkage is None
