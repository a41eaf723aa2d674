"""Losses against their formulas in float64, and their gradients against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

import outgroup.finetune as losses  # noqa: E402
from outgroup.errors import InvalidParameterError  # noqa: E402
from outgroup.finetune import tuning_plan  # noqa: E402
from outgroup.finetune.objectives import (  # noqa: E402
    OBJECTIVES,
    choose_objective,
    none_of_these,
)

K = 3
TARGETS = np.array(
    [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0.7, 0.3, 0], [0.6, 0, 0], [0, 0, 0]], dtype=np.float64
)


def logits(columns: int) -> np.ndarray:
    return 2.0 * np.random.default_rng(columns).normal(size=(len(TARGETS), columns))


def softmax(row: np.ndarray) -> list[float]:
    total = sum(math.exp(z) for z in row)
    return [math.exp(z) / total for z in row]


def sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z))


def by_hand_other_class(row: np.ndarray, t: np.ndarray, gamma: float = 0.0) -> float:
    p, t = softmax(row), [*t, 1.0 - sum(t)]
    return -sum(t[k] * (1 - p[k]) ** gamma * math.log(p[k]) for k in range(K + 1))


def by_hand_sigmoid(
    row: np.ndarray, t: np.ndarray, gamma: float = 0.0, yes: float = 1.0, no: float = 1.0
) -> float:
    total = 0.0
    for k in range(K):
        s = sigmoid(row[k])
        total -= yes * t[k] * (1 - s) ** gamma * math.log(s)
        total -= no * (1 - t[k]) * s**gamma * math.log(1 - s)
    return total


def by_hand_exposure(row: np.ndarray, t: np.ndarray, weight: float = 0.5) -> float:
    p = softmax(row)
    known = -sum(t[k] * math.log(p[k]) for k in range(K))
    return known - weight * (1 - sum(t)) * sum(math.log(q) for q in p) / K


CASES: dict[str, tuple[Callable[..., torch.Tensor], Callable[..., float], int]] = {
    "other class": (losses.other_class, by_hand_other_class, K + 1),
    "zero rows": (losses.zero_row_bce, by_hand_sigmoid, K),
    "exposure": (losses.outlier_exposure, by_hand_exposure, K),
    "exposure, 2": (
        partial(losses.outlier_exposure, weight=2.0),
        partial(by_hand_exposure, weight=2.0),
        K,
    ),
    "focal sigmoid, alpha": (
        partial(losses.focal_sigmoid, gamma=2.0, alpha=0.25),
        partial(by_hand_sigmoid, gamma=2.0, yes=0.25, no=0.75),
        K,
    ),
}
for g in (0.0, 0.5, 1.0, 2.0):
    CASES[f"focal softmax, {g}"] = (
        partial(losses.focal_softmax, gamma=g),
        partial(by_hand_other_class, gamma=g),
        K + 1,
    )
    CASES[f"focal sigmoid, {g}"] = (
        partial(losses.focal_sigmoid, gamma=g),
        partial(by_hand_sigmoid, gamma=g),
        K,
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_value_is_that_of_the_formula(case: tuple) -> None:
    loss, by_hand, columns = case
    z = logits(columns)
    found = loss(torch.from_numpy(z), torch.from_numpy(TARGETS))
    expected = [by_hand(row, t) for row, t in zip(z, TARGETS, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_gradient_is_that_of_finite_differences(case: tuple) -> None:
    loss, _, columns = case
    z = torch.from_numpy(logits(columns)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.from_numpy(TARGETS)), (z,))


def test_focal_softmax_weighs_columns_and_ignores_negatives_without_a_column_for_them() -> None:
    z, t = torch.from_numpy(logits(K)), torch.from_numpy(TARGETS)
    found = losses.focal_softmax(z, t, gamma=1.0, alpha=[1.0, 2.0, 3.0])
    p = [softmax(row) for row in z.numpy()]
    assert found[1].item() == pytest.approx(-3 * (1 - p[1][2]) * math.log(p[1][2]), rel=1e-12)
    assert found[2].item() == found[5].item() == 0.0


@pytest.mark.parametrize("name", ["focal-softmax", "focal-sigmoid"])
def test_objectives_take_gamma_and_alpha_by_name(name: str) -> None:
    """Alpha weighs "yes, this class"; "no", and "other" of a softmax, weigh the rest to 1."""
    objective = choose_objective(f"{name},gamma=1,alpha=0.25")
    z = logits(K + objective.has_other)
    found = objective.loss(torch.from_numpy(z), torch.ones(len(z), 4), torch.from_numpy(TARGETS))
    for row, t, value in zip(z, TARGETS, found.tolist(), strict=True):
        if objective.has_other:
            p, rows = softmax(row), [*t, 1.0 - sum(t)]
            parts = [rows[k] * (1 - p[k]) * math.log(p[k]) for k in range(K + 1)]
            expected = -0.25 * sum(parts[:K]) - 0.75 * parts[K]
        else:
            expected = by_hand_sigmoid(row, t, gamma=1.0, yes=0.25, no=0.75)
        assert value == pytest.approx(expected, rel=1e-12)


def by_hand_objectosphere(z: np.ndarray, f: np.ndarray, t: np.ndarray) -> float:
    length = math.sqrt(sum(v * v for v in f))
    magnitude = sum(t) * max(3.0 - length, 0.0) ** 2 + (1 - sum(t)) * length**2
    return by_hand_exposure(z, t, weight=1.0) + 0.1 * magnitude


def test_objectosphere_is_its_formula_and_its_gradient_that_of_finite_differences() -> None:
    z, f = logits(K), np.random.default_rng(7).normal(size=(len(TARGETS), 4))
    loss = partial(losses.objectosphere, targets=torch.from_numpy(TARGETS), radius=3.0, weight=0.1)
    found = loss(torch.from_numpy(z), torch.from_numpy(f))
    expected = [by_hand_objectosphere(*row) for row in zip(z, f, TARGETS, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    inputs = [torch.from_numpy(values).requires_grad_() for values in (z, f)]
    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.isfinite(torch.autograd.grad(
        loss(inputs[0], inputs[1] * 0).sum(), inputs[1], allow_unused=True
    )[0]).all()  # fmt: skip


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_and_gradients_are_finite_for_large_logits(name: str) -> None:
    objective = choose_objective(name)
    columns = K + objective.has_other
    z = torch.tensor(
        50.0 * np.random.default_rng(0).choice([-1, 1], (len(TARGETS), columns)),
        dtype=torch.float32,
        requires_grad=True,
    )
    rows = torch.from_numpy(TARGETS).float()
    value = objective.loss(z, torch.ones(len(TARGETS), 4), rows)
    value.sum().backward()
    assert value.shape == (len(TARGETS),)
    assert torch.isfinite(value).all()
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_learns_to_score_negatives_as_more_other(name: str) -> None:
    """200 steps of gradient descent, with the features as parameters."""
    objective = choose_objective(name)
    y = torch.tensor([0, 1, 2, -1, -1, -1])
    rows = losses.target_rows(y, K)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(6, 8, generator=generator).requires_grad_()
    weight = torch.zeros(8, K + objective.has_other, requires_grad=True)
    optimiser = torch.optim.Adam([features, weight], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        objective.loss(features @ weight, features, rows).mean().backward()
        optimiser.step()
    with torch.no_grad():
        score = objective.other_score(features @ weight, features)
    assert score[:3].max() < score[3:].min()


def test_a_blend_costs_what_its_parts_cost() -> None:
    """The loss is linear in the targets."""
    one, none = torch.tensor([[1.0, 0, 0]]), torch.zeros(1, K)
    for name in OBJECTIVES:
        objective = choose_objective(name)
        z = torch.from_numpy(logits(K + objective.has_other)[:1]).float()
        f = torch.ones(1, 4)
        mixed = objective.loss(z, f, 0.7 * one + 0.3 * none)
        parts = 0.7 * objective.loss(z, f, one) + 0.3 * objective.loss(z, f, none)
        torch.testing.assert_close(mixed, parts)


def test_class_weights_make_classes_count_the_same() -> None:
    y = np.array([0] * 20 + [1] * 5 + [-1] * 100)
    weights = losses.class_weights(y, 3)
    np.testing.assert_allclose(weights.numpy(), [25 / 60, 25 / 15, 1.0], rtol=1e-6)
    assert (weights[0] * 20).item() == pytest.approx((weights[1] * 5).item())


def test_targets_of_negatives_are_rows_of_zeros_however_they_are_marked() -> None:
    rows = losses.target_rows(torch.tensor([2, -1, 3]), 3)
    assert rows.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert none_of_these(rows).tolist() == [0, 1, 1]


def test_every_objective_of_the_plan_exists() -> None:
    assert set(tuning_plan.OBJECTIVES) == set(OBJECTIVES)
    assert set(tuning_plan.MULTI_LABEL_OBJECTIVES) == {
        name for name in OBJECTIVES if name.endswith("sigmoid")
    }
    with pytest.raises(InvalidParameterError, match="Invalid `objective`"):
        choose_objective("hinge")


def test_every_public_name_can_be_imported() -> None:
    assert all(callable(getattr(losses, name)) for name in losses.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Plan'"):
        losses.Plan  # noqa: B018
