"""Many problems side by side reach the minima they reach alone."""

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize
from scipy.special import expit

from outgroup.heads._lbfgs import minimise

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(12, 80, 5)) * 3.0 ** RNG.integers(-2, 3, (12, 1, 5))
SIGNS = RNG.choice([-1.0, 1.0], (12, 80))


def logistic(x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regressions on different rows, with a small penalty."""
    margins = SIGNS[which] * np.einsum("mnp,mp->mn", DATA[which], x)
    pull = -SIGNS[which] * expit(-margins) / 80
    value = np.logaddexp(0.0, -margins).mean(axis=1) + 0.005 * (x**2).sum(axis=1)
    return value, np.einsum("mnp,mn->mp", DATA[which], pull) + 0.01 * x


def test_each_problem_ends_at_its_own_minimum() -> None:
    found = minimise(logistic, np.zeros((12, 5)), 1e-12, 1.0)
    for k in range(12):
        only = np.array([k])
        best = scipy_minimize(
            lambda x, only=only: tuple(part[0] for part in logistic(x[np.newaxis], only)),
            np.zeros(5),
            jac=True,
            options={"gtol": 1e-9},
        )
        np.testing.assert_allclose(found[k], best.x, atol=1e-4)


def test_other_problems_do_not_change_a_solution() -> None:
    together = minimise(logistic, np.zeros((12, 5)), 1e-6, 1.0)
    for k in range(12):
        alone = minimise(lambda x, which, k=k: logistic(x, which + k), np.zeros((1, 5)), 1e-6, 1.0)
        np.testing.assert_allclose(together[k], alone[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("curvature", [1e-3, 1e3])
def test_a_wrong_first_guess_of_the_curvature_does_no_harm(curvature: float) -> None:
    found = minimise(logistic, np.zeros((12, 5)), 1e-12, curvature)
    np.testing.assert_allclose(found, minimise(logistic, np.zeros((12, 5)), 1e-12, 1.0), atol=1e-4)


def test_a_problem_that_starts_at_its_minimum_stays_there() -> None:
    def flat(x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(x)), np.zeros_like(x)

    np.testing.assert_array_equal(minimise(flat, np.ones((2, 3)), 1e-8, 1.0), np.ones((2, 3)))


def test_a_minimum_of_0_is_reached_soon_and_without_a_warning() -> None:
    """With rows of one class only the penalty is left, and its value falls for ever."""
    rounds = 0

    def penalty(x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal rounds
        rounds += 1
        return 0.5 * (x**2 * sizes[which]).sum(axis=1), x * sizes[which]

    sizes = 3.0 ** RNG.integers(-8, 3, (4, 6))
    found = minimise(penalty, np.ones((4, 6)), 1e-8, 1e3)
    np.testing.assert_allclose(found, 0.0, atol=1e-40)
    assert rounds < 400
