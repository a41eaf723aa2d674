import numpy as np
import pytest

from outgroup.calibration import Budget
from outgroup.errors import InfeasibleTargetError, InvalidParameterError
from outgroup.strategies.imagenet import ImageNet
from outgroup.training_set import TrainingSet
from outgroup.untrained import calibrated_model, uncalibrated_model

CLASSES = ("cat", "dog")


def strategy() -> ImageNet:
    return ImageNet([[0], [1, 2]], 10)


def data(n: int, labels: tuple[str | None, ...] = ("cat", "dog", None)) -> TrainingSet:
    rng = np.random.default_rng(0)
    names = [label for label in labels for _ in range(n)]
    logits = rng.normal(size=(len(names), 10))
    meant = {"cat": 0, "dog": 2, None: 7}
    logits[np.arange(len(names)), [meant[name] for name in names]] += 4
    layers = {"last": rng.normal(size=(len(names), 3)), "logits": logits}
    return TrainingSet.from_labels(layers, names, classes=CLASSES)


def test_without_an_image_the_threshold_is_even_odds_and_nothing_is_promised() -> None:
    model = uncalibrated_model(CLASSES, strategy())
    assert model.threshold == 0.0
    assert model.certificate.promises == ()
    assert model.certificate.sentence.startswith("Nothing is promised: no image has calibrated")
    p = np.full((2, 10), 1e-3)
    p[0, [0, 9]], p[1, [0, 9]] = (0.51, 0.49), (0.49, 0.51)
    labels = model.predict({"last": np.zeros((2, 3)), "logits": np.log(p)}).labels
    assert labels == ["cat", None]


def test_images_calibrate_it_by_their_own_scores() -> None:
    images = data(100)
    model = calibrated_model(images, strategy())
    scores = strategy().score(images.features).other_score
    np.testing.assert_array_equal(model.known_scores, scores[:200])
    np.testing.assert_array_equal(model.other_scores, scores[200:])
    known, other = model.certificate.promises
    assert (known.n, other.n, model.certificate.method) == (200, 100, "held-out")
    assert known.k / known.n <= 0.05


def test_a_single_image_is_enough_to_calibrate_and_promises_next_to_nothing() -> None:
    model = calibrated_model(data(1, ("cat",)), strategy())
    assert model.certificate.promises[0].bound == pytest.approx(0.95)


def test_a_promise_that_so_few_images_can_not_give_is_refused() -> None:
    with pytest.raises(InfeasibleTargetError) as caught:
        calibrated_model(data(10, ("cat", "dog")), strategy(), Budget(0.05))
    assert caught.value.n_needed == 59


def test_a_strategy_that_learns_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="must be one that learns nothing"):
        uncalibrated_model(CLASSES, ImageNet())
