"""Our detectors against pytorch-ood's, on the same arrays and, where there is one, the same layer.

``benchmarks/reference/pytorch_ood.py`` made the golden file. Where a detector differs on purpose,
its test says how, and shows that nothing else is different.
"""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr, weibull_min

from outgroup.detectors import DETECTORS, FeatureDetector, LogitDetector
from outgroup.detectors.gaussian import MahalanobisRaw, RelativeMahalanobis
from outgroup.detectors.linear_readout import NeuralCollapse, ReadoutDetector
from outgroup.detectors.logits import GeneralisedEntropy, KLMatching, OpenMax
from outgroup.detectors.neighbours import KNearestNeighbours
from outgroup.detectors.subspaces import VirtualLogit

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "pytorch_ood.json").read_text("utf-8"))
A = runpy.run_path(str(FOLDER / "inputs.py"))["inputs"](GOLDEN["seed"])
KNOWN, Y, ROWS = A["known"], A["y"], A["rows"]

#: So little of the identity in a covariance that it is the plain one.
PLAIN = 1e-9


def theirs(name: str) -> np.ndarray:
    return np.array(GOLDEN["scores"][name])


def with_their_layer(detector: ReadoutDetector) -> Any:
    """Return a detector that reads the given linear layer instead of one of its own.

    It learns what else it needs from logits that the layer gives the known rows, as theirs does:
    ours takes those of layers that have not seen the row. Its scores are left as they are.
    """
    detector.fit(KNOWN, Y)
    detector.weights, detector.bias = A["weights"].T, A["bias"]
    Z = detector._prepared(KNOWN)
    detector._learn(Z, detector.logits(detector._shaped(Z)))
    detector.standard = np.array([0.0, 1.0])
    return detector


def test_the_inputs_are_those_that_the_golden_file_was_made_of() -> None:
    assert {name: list(values.shape) for name, values in A.items()} == GOLDEN["shapes"]


@pytest.mark.parametrize("name", ["energy", "entropy", "max-logit"])
def test_scores_of_logits_are_equal(name: str) -> None:
    detector = DETECTORS.get(name)()
    assert isinstance(detector, LogitDetector)
    np.testing.assert_allclose(detector.other_score(A["logits"]), theirs(name), rtol=1e-9)


def test_ours_is_minus_the_logarithm_of_the_largest_probability() -> None:
    detector = DETECTORS.get("msp")()
    assert isinstance(detector, LogitDetector)
    np.testing.assert_allclose(-np.exp(-detector.other_score(A["logits"])), theirs("msp"))


def test_their_generalised_entropy_is_the_mean_of_what_ours_is_the_sum_of() -> None:
    found = GeneralisedEntropy(gamma=0.1).other_score(A["logits"])
    np.testing.assert_allclose(found / 3, theirs("gen"), rtol=1e-9)


def test_kl_matching_is_equal() -> None:
    found = KLMatching().fit(A["known_logits"], Y).other_score(A["logits"])
    np.testing.assert_allclose(found, theirs("kl-matching"), rtol=1e-9)


def test_openmax_revises_alike_by_tails_of_another_kind() -> None:
    # Theirs, as the paper's code, moves the tail by 10,000 before a Weibull is fitted to it, and
    # takes all rows of a class, rightly classified or not; ours is a Weibull from 0 of those that
    # are. Its score is a probability and ours the logarithm of its odds; its activations are as
    # they come and ours above the smallest, which is what it is given here.
    def above(logits: np.ndarray) -> np.ndarray:
        return np.asarray(logits - logits.min(axis=1, keepdims=True))

    known, V = above(A["known_logits"]), above(A["logits"])

    def odds(means: np.ndarray, outside: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        rank = np.argsort(np.argsort(-V, axis=1), axis=1)
        distances = (np.linalg.norm(V - m, axis=1) for m in means)
        F = np.stack([outside(d, k) for k, d in enumerate(distances)], axis=1)
        lost = (3 - rank) / 3 * F
        return np.asarray(np.exp((V * lost).sum(axis=1)) / np.exp(V * (1 - lost)).sum(axis=1))

    def moved(d: np.ndarray, k: int) -> np.ndarray:
        least, shape, scale = GOLDEN["openmax_tails"][k]
        return np.asarray(weibull_min.cdf(d + 10_000 - least, shape, scale=scale))

    all_rows = np.stack([known[k == Y].mean(axis=0) for k in range(3)])
    p = theirs("openmax")
    np.testing.assert_allclose(odds(all_rows, moved), p / (1 - p), rtol=1e-6)

    detector = OpenMax(tail=20, alpha=3).fit(known, Y)

    def from_zero(d: np.ndarray, k: int) -> np.ndarray:
        return np.asarray(weibull_min.cdf(d, detector.shapes[k], scale=detector.scales[k]))

    expected = np.log(odds(detector.means, from_zero))
    np.testing.assert_allclose(detector.other_score(V), expected, rtol=1e-6, atol=1e-9)


def test_their_mahalanobis_is_half_the_square_of_ours_over_a_sum_and_without_shrinkage() -> None:
    n = len(KNOWN) - 3

    def ours(shrinkage: float | None) -> np.ndarray:
        detector = MahalanobisRaw(shrinkage).fit(KNOWN, Y)
        return np.asarray((detector.other_score(ROWS) * detector.scale) ** 2 / (2 * n))

    np.testing.assert_allclose(ours(PLAIN), theirs("mahalanobis"), rtol=1e-5)
    # Ledoit and Wolf's share of the identity makes all directions more alike
    ratio = ours(None) / theirs("mahalanobis")
    assert ratio.min() < 0.7
    assert spearmanr(ours(None), theirs("mahalanobis")).statistic > 0.8


def test_their_relative_mahalanobis_divides_neither_square_by_the_number_of_rows() -> None:
    def unit(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    def squares(y: np.ndarray) -> np.ndarray:
        detector = MahalanobisRaw(PLAIN).fit(unit(KNOWN), y)
        return np.asarray((detector.other_score(unit(ROWS)) * detector.scale) ** 2)

    near, far = squares(Y), squares(0 * Y)
    expected = near / (len(KNOWN) - 3) - far / (len(KNOWN) - 1)
    np.testing.assert_allclose(expected, theirs("relative-mahalanobis"), rtol=2e-4, atol=1e-6)
    # ours does, so that what is the same in both cancels
    detector = RelativeMahalanobis(PLAIN).fit(KNOWN, Y)
    middle, scale = detector.standard
    found = detector.other_score(ROWS) * scale + middle
    np.testing.assert_allclose(found, near - far, rtol=1e-4)


def test_their_knn_is_the_length_of_the_chord_and_ours_one_minus_the_cosine() -> None:
    found = KNearestNeighbours(5).fit(KNOWN, Y).other_score(ROWS)
    np.testing.assert_allclose(np.sqrt(2 * found), theirs("knn"), rtol=1e-9)


@pytest.mark.parametrize("name", ["ash-b", "ash-s", "fdbd", "nnguide", "react", "scale"])
def test_with_the_same_layer_scores_are_equal(name: str) -> None:
    cls = DETECTORS.get(name)
    assert issubclass(cls, FeatureDetector)
    found = with_their_layer(cls()).other_score(ROWS)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, theirs(name), rtol=2e-5, atol=1e-6)  # theirs in float32


def test_react_cuts_where_theirs_does() -> None:
    assert with_their_layer(DETECTORS.get("react")()).cut == pytest.approx(  # type: ignore[arg-type]
        GOLDEN["react_cut"], rel=1e-6
    )


def test_nci_is_equal() -> None:
    found = with_their_layer(NeuralCollapse(alpha=0.001)).other_score(ROWS)
    np.testing.assert_allclose(found, theirs("nci"), rtol=2e-5, atol=1e-6)


def test_vim_is_equal_with_their_scale_of_the_virtual_logit() -> None:
    detector = with_their_layer(VirtualLogit(dimension=5))
    # theirs is of the rows that its subspace was fitted to, which are nearer to it than new ones
    assert 0.8 * GOLDEN["vim_alpha"] < detector.alpha < GOLDEN["vim_alpha"]
    detector.alpha = np.array([GOLDEN["vim_alpha"]])
    np.testing.assert_allclose(detector.other_score(ROWS), theirs("vim"), rtol=1e-4, atol=1e-5)


def test_every_score_of_the_golden_file_is_compared() -> None:
    assert set(GOLDEN["scores"]) <= set(DETECTORS.names())
    text = Path(__file__).read_text("utf-8")
    assert all(f'"{name}"' in text for name in GOLDEN["scores"])
