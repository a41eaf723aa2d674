"""Fitting a model to embeddings with any labels, and what it answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outgroup.calibration import Budget
from outgroup.calibration.bounds import upper_bound
from outgroup.detectors.gaussian import RelativeMahalanobis
from outgroup.errors import InfeasibleTargetError, InvalidParameterError
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.model import Model, calibrated_model, fit_model, fixed_model
from outgroup.strategies import (
    STRATEGIES,
    Features,
    FoldedRows,
    Scores,
    Strategy,
)
from outgroup.strategies.blend import Blend
from outgroup.strategies.distance import DetectorStrategy
from outgroup.strategies.imagenet import ImageNet
from outgroup.strategies.sigmoid import Sigmoid
from outgroup.strategies.softmax import Softmax
from outgroup.training_set import TrainingSet


def rows(n: int = 40, others: int = 0, seed: int = 0) -> tuple[np.ndarray, list[str | None]]:
    rng = np.random.default_rng(seed)
    kind = np.r_[np.repeat([0, 1, 2], n), np.full(others, 3)]
    names = np.array(["cat", "dog", "a class with a very long name", None], dtype=object)
    X = rng.normal(size=(len(kind), 8)) + 6 * np.eye(4, 8)[kind]
    return X.astype(np.float32), list(names[kind])


def training_set(n: int = 40, others: int = 0, **more: Any) -> TrainingSet:
    X, labels = rows(n, others)
    return TrainingSet.from_labels({"last": X}, labels, **more)


@pytest.fixture(scope="module")
def model() -> Model:
    return fit_model(training_set(others=40), Sigmoid())


class Spy(Strategy):
    """Keeps the folds it is given; its score is the first column, so nothing is learned."""

    name = "spy"
    summary = "keeps the folds it is given"

    def cross_fit(self, rows: FoldedRows) -> Scores:
        self.folds = rows.folds
        return self.score(rows.features)

    def fit(self, features: Features, y: np.ndarray) -> Strategy:
        self.n_classes = int(y.max()) + 1
        return self

    def score(self, features: Features) -> Scores:
        column = features["last"][:, 0].astype(np.float64)
        return Scores(np.full((len(column), 3), 0.5), column)


def test_rows_that_do_not_calibrate_are_learned_from_alone() -> None:
    """Every other image lies far out; only those that calibrate count."""
    data = training_set(others=40)
    calibrates = np.arange(len(data.y)) % 2 == 0
    X = data.features["last"].copy()
    X[~calibrates, 0] = 1e6
    spy = Spy()
    model = fit_model(replace(data, features={"last": X}, calibrates=calibrates), spy)
    alone = fit_model(data.subset(np.flatnonzero(calibrates)), Spy())
    assert model.threshold == alone.threshold
    assert model.certificate == alone.certificate
    assert [p.n for p in model.certificate.guarantees] == [60, 20]
    np.testing.assert_array_equal(model.known_scores, alone.known_scores)
    assert len(spy.folds) == len(data.y)  # all were there to learn from
    some = replace(data, calibrates=calibrates).subset(np.arange(1, 121))
    np.testing.assert_array_equal(some.calibrating, calibrates[1:121])


def test_groups_are_held_out_together_and_counted_once() -> None:
    groups = [f"burst {i // 4}" for i in range(120)]
    spy = Spy()
    fitted = fit_model(training_set(groups=groups), spy)
    assert (np.ptp(spy.folds.reshape(-1, 4), axis=1) == 0).all()
    guarantee = fitted.certificate.guarantees[0]
    assert (guarantee.n, guarantee.unit) == (30, "groups")


@pytest.mark.parametrize("known_groups", [False, True])
def test_negatives_of_one_folder_are_held_out_together(known_groups: bool) -> None:
    folder = [f"folder {i % 10}" for i in range(60)]
    groups = [f"burst {i // 2}" for i in range(120)] + [None] * 60 if known_groups else None
    spy = Spy()
    fit_model(training_set(others=60, groups=groups, origins=[""] * 120 + folder), spy)
    for name in set(folder):
        assert len(set(spy.folds[120:][np.array(folder) == name])) == 1


def test_with_fewer_folders_than_folds_negatives_are_split_one_by_one() -> None:
    spy = Spy()
    fit_model(training_set(others=60, origins=[""] * 120 + ["a", "b", "c"] * 20), spy)
    assert np.bincount(spy.folds[120:]).tolist() == [12] * 5


def test_groups_of_negatives_come_before_their_folders() -> None:
    groups = [None] * 120 + [f"video {i // 3}" for i in range(60)]
    spy = Spy()
    fitted = fit_model(training_set(others=60, groups=groups), spy)
    assert (np.ptp(spy.folds[120:].reshape(-1, 3), axis=1) == 0).all()
    known, others = fitted.certificate.guarantees
    assert (known.n, known.unit) == (120, "images")
    assert (others.n, others.unit) == (20, "groups")


def test_the_threshold_comes_from_the_held_out_scores(model: Model) -> None:
    assert model.known_scores.shape == (120,)
    assert model.other_scores.shape == (40,)
    known, others = model.certificate.guarantees
    assert known.k == (model.known_scores > model.threshold).sum()
    assert others.k == (model.other_scores <= model.threshold).sum()
    assert model.threshold in model.known_scores
    assert model.thresholds == {"": model.threshold}


def test_a_model_answers_with_its_labels(model: Model) -> None:
    X, labels = rows(others=40, seed=1)
    answers = model.predict({"last": X}, paths=[f"{i}.jpg" for i in range(160)])
    right = np.mean([a == b for a, b in zip(answers.labels, labels, strict=True)])
    assert right > 0.9
    assert answers[7].path == "7.jpg"
    assert answers.threshold == model.threshold
    assert set(answers.labels) == {*model.classes, None}


def test_rows_of_unreadable_images_are_not_looked_at(model: Model) -> None:
    X = rows(n=1)[0]
    X[1] = np.nan
    answers = model.predict({"last": X}, errors=[None, "broken", None])
    assert [a.reason for a in answers][1] == "unreadable"
    np.testing.assert_allclose(
        answers.other_score[[0, 2]], model.predict({"last": X[[0, 2]]}).other_score, rtol=1e-12
    )


def test_no_images_and_none_readable_are_no_error(model: Model) -> None:
    assert len(model.predict({"last": np.empty((0, 8), dtype=np.float32)})) == 0
    answers = model.predict({"last": np.full((2, 8), np.nan)}, errors=["broken"] * 2)
    assert [a.error for a in answers] == ["broken"] * 2
    assert answers.labels == [None, None]


@pytest.mark.parametrize("name", [name for name, cls in STRATEGIES if cls.needs_others])
def test_a_strategy_that_needs_negatives_says_so(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"'{name}' learns from negatives, and there"):
        fit_model(training_set(), STRATEGIES.get(name)())


def one_class(others: int) -> TrainingSet:
    X, labels = rows(others=others)
    keep = [i for i, label in enumerate(labels) if label in ("cat", None)]
    return TrainingSet.from_labels({"last": X[keep]}, [labels[i] for i in keep])


EMBEDDED = [name for name, cls in STRATEGIES if {*cls.needs_layers} <= {"last"}]
ALONE = [name for name in EMBEDDED if STRATEGIES.get(name).takes_one_class]
TELLING = [name for name in EMBEDDED if STRATEGIES.get(name).needs_two_classes]
LEARNING = [n for n in EMBEDDED if STRATEGIES.get(n).uses_others and n not in TELLING]


@pytest.mark.parametrize(
    ("name", "others"),
    [(n, 40) for n in sorted({*LEARNING, *ALONE})]
    + [(n, 0) for n in ALONE if not STRATEGIES.get(n).needs_others],
)
def test_one_class_is_told_from_everything_else(name: str, others: int) -> None:
    fitted = fit_model(one_class(others), STRATEGIES.get(name)())
    fresh = np.random.default_rng(9).normal(size=(200, 8)) + 6 * np.eye(4, 8)[[0, 3] * 100]
    labels = fitted.predict({"last": fresh.astype(np.float32)}).labels
    assert np.mean([label == "cat" for label in labels[::2]]) > 0.85
    assert np.mean([label is None for label in labels[1::2]]) > 0.95


@pytest.mark.parametrize(
    ("name", "others"),
    [(n, 0) for n in LEARNING if n not in ALONE and not STRATEGIES.get(n).needs_others]
    + [("softmax", 0), ("softmax", 40), *((n, 40) for n in TELLING)],
)
def test_strategies_that_tell_classes_from_each_other_need_more_than_one(
    name: str, others: int
) -> None:
    with pytest.raises(InvalidParameterError, match=r"only one, 'cat'\. Take 'one-class', 'blend'"):
        fit_model(one_class(others), STRATEGIES.get(name)())


def test_scores_that_are_all_the_same_make_no_model() -> None:
    strategy = DetectorStrategy(detector=RelativeMahalanobis())  # one class is all the classes
    with pytest.raises(InvalidParameterError, match="'detector' gives all images the same other-s"):
        fit_model(one_class(others=0), strategy)


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_budget_for_negatives_can_be_asked_of_every_strategy(name: str) -> None:
    budget = Budget("auto", max_other_accepted=0.2)
    fitted = fit_model(training_set(others=60), STRATEGIES.get(name)(), budget)
    known, others = fitted.certificate.guarantees
    assert others.bound <= 0.2
    assert others.population == "images like your negatives"
    assert known.event == "rejected"


def test_a_guarantee_that_can_not_be_given_is_refused() -> None:
    with pytest.raises(InfeasibleTargetError) as caught:
        fit_model(training_set(n=10), Blend(), Budget(0.05))
    assert caught.value.n_needed == 59


def test_the_same_data_and_seed_give_the_same_model() -> None:
    data = training_set(others=30)
    one, two, other = (fit_model(data, Sigmoid(), seed=seed) for seed in (0, 0, 1))
    assert one.threshold == two.threshold != other.threshold
    np.testing.assert_array_equal(one.known_scores, two.known_scores)


def test_the_number_of_folds_is_checked() -> None:
    with pytest.raises(InvalidParameterError, match="`n_folds`"):
        fit_model(training_set(), Softmax(), n_folds=1)


def test_a_model_is_not_changed_by_another_threshold(model: Model) -> None:
    stricter = replace(model, threshold=-100.0)
    X = rows()[0]
    assert set(stricter.predict({"last": X}).labels) == {None}
    assert None in model.classes or set(model.predict({"last": X}).labels) != {None}


def test_the_percentile_is_the_share_of_held_out_known_scores_below(model: Model) -> None:
    X = np.vstack([rows(n=5, others=5, seed=1)[0], np.full((1, 8), np.nan)])
    answers = model.predict({"last": X}, errors=[None] * 20 + ["broken"])
    for answer in answers[:20]:
        below = (model.known_scores < answer.other_score).mean()
        assert answer.percentile == pytest.approx(100 * below)
    assert answers[20].percentile is None
    lowest, highest = model.known_scores.min(), model.known_scores.max()
    X = np.zeros((2, 8))
    X[:, 0] = lowest, highest + 1e-9
    at = replace(model, strategies=(Spy(),)).predict({"last": X})
    assert [answer.percentile for answer in at] == [0.0, 100.0]


def test_the_nearest_rows_are_named(model: Model) -> None:
    data = training_set(others=40)
    answers = model.predict(data.features)
    for i, answer in enumerate(answers):
        assert len(answer.nearest) == 5
        assert (answer.nearest[0].row, answer.nearest[0].distance) == (i, 0.0)
        assert answer.nearest[0].path is None
        assert answer.nearest[0].label == (None if data.y[i] < 0 else data.classes[data.y[i]])
    named = replace(data, paths=[f"{i}.jpg" for i in range(160)])
    one = fit_model(named, Sigmoid()).predict(data.features, nearest=1)[7]
    assert [(near.path, near.row) for near in one.nearest] == [("7.jpg", None)]


def test_unreadable_images_are_near_nothing(model: Model) -> None:
    X = rows(n=1)[0]
    X[1] = np.nan
    answers = model.predict({"last": X}, errors=[None, "broken", None])
    assert [len(answer.nearest) for answer in answers] == [5, 0, 5]
    expected = model.predict({"last": X[2:]})[0]
    assert answers[2].nearest == expected.nearest


def test_another_threshold_looks_nothing_up_again(model: Model) -> None:
    answers = model.predict({"last": rows(others=40, seed=1)[0]})
    assert answers.at(-1e9).nearest is answers.nearest
    assert answers.at(-1e9).percentile is answers.percentile
    assert {answer.reason for answer in answers.at(1e9)} == {"known"}


@pytest.mark.parametrize("bad", [-1, 2.0, "all"])
def test_the_number_of_neighbours_is_checked(model: Model, bad: Any) -> None:
    with pytest.raises(InvalidParameterError, match="`nearest`"):
        model.predict({"last": rows(n=1)[0]}, nearest=bad)


def test_a_model_without_reasons_answers_all_the_same(model: Model) -> None:
    X = rows(others=40, seed=1)[0]
    bare = replace(model, reasons=None).predict({"last": X})
    full = model.predict({"last": X})
    assert bare.labels == full.labels
    assert {answer.reason for answer in bare} == {"known", "unknown"}
    assert {tuple(answer.nearest) for answer in bare} == {()}
    assert [answer.percentile for answer in bare] == [answer.percentile for answer in full]


def test_a_threshold_that_is_part_of_the_strategy_is_described_and_not_moved() -> None:
    rng = np.random.default_rng(0)
    kinds = np.r_[np.arange(150) % 3, np.full(60, 3)]
    X = rng.normal(size=(210, 8)) + 3 * np.eye(4, 8)[kinds]
    data = TrainingSet({"last": X}, np.where(kinds < 3, kinds, -1), ("a", "b", "c"))
    model = fit_model(data, STRATEGIES.get("sigmoid-0.95")())
    answers = model.predict({"last": X})
    surest = answers.class_scores.max(axis=1)
    assert [label is None for label in answers.labels] == (surest < 0.95).tolist()
    known, others = model.certificate.guarantees
    assert known.k == (model.known_scores > model.threshold).sum() > 0
    assert known.bound == upper_bound(known.k, 150)
    assert others.k == (model.other_scores <= model.threshold).sum()
    assert known.asked is others.asked is None
    with pytest.raises(InfeasibleTargetError, match="part of the strategy"):
        fit_model(data, STRATEGIES.get("sigmoid-0.95")(), Budget(0.05))
    with pytest.raises(InfeasibleTargetError, match="part of the strategy"):
        fit_model(data, STRATEGIES.get("sigmoid-0.95")(), Budget(max_other_accepted=0.05))
    alone = TrainingSet({"last": X[:150]}, kinds[:150], ("a", "b", "c"))
    with pytest.raises(InvalidParameterError, match="no negatives"):
        fit_model(alone, STRATEGIES.get("sigmoid-0.95")(), Budget(max_other_accepted=0.5))


# Models that learn nothing.

NAMED = LabelSchema.single(["cat", "dog"])


def imagenet() -> ImageNet:
    return ImageNet([[0], [1, 2]], 10)


def logits_of(n: int, labels: tuple[str | None, ...] = ("cat", "dog", None)) -> TrainingSet:
    rng = np.random.default_rng(0)
    names = [label for label in labels for _ in range(n)]
    logits = rng.normal(size=(len(names), 10))
    meant = {"cat": 0, "dog": 2, None: 7}
    logits[np.arange(len(names)), [meant[name] for name in names]] += 4
    layers = {"last": rng.normal(size=(len(names), 3)), "logits": logits}
    return TrainingSet.from_labels(layers, names, classes=("cat", "dog"))


def test_a_fixed_model_has_seen_no_image_and_guarantees_nothing() -> None:
    model = fixed_model(NAMED, imagenet(), ImageNet.uncalibrated_threshold)
    assert model.threshold == 0.0
    assert model.certificate.guarantees == ()
    assert model.certificate.sentence.startswith(
        "Nothing is guaranteed: the threshold is not calibrated"
    )
    p = np.full((2, 10), 1e-3)
    p[0, [0, 9]], p[1, [0, 9]] = (0.51, 0.49), (0.49, 0.51)
    answers = model.predict({"last": np.zeros((2, 3)), "logits": np.log(p)})
    assert answers.labels == ["cat", None]
    assert [answer.percentile for answer in answers] == [0.0, 0.0]


def test_images_calibrate_a_strategy_that_learns_nothing_by_their_own_scores() -> None:
    images = logits_of(100)
    model = calibrated_model(images, imagenet())
    scores = imagenet().score(images.features).other_score
    np.testing.assert_array_equal(model.known_scores, scores[:200])
    np.testing.assert_array_equal(model.other_scores, scores[200:])
    known, other = model.certificate.guarantees
    assert (known.n, other.n, model.certificate.method) == (200, 100, "held-out")
    assert known.k / known.n <= 0.05
    assert known.population == "images like your known ones"
    rows = calibrated_model(images, imagenet(), what="rows").certificate.guarantees
    assert [guarantee.population for guarantee in rows] == [
        "rows like your known ones", "rows like your negatives"
    ]  # fmt: skip


def test_a_single_image_is_enough_to_calibrate_and_guarantees_next_to_nothing() -> None:
    model = calibrated_model(logits_of(1, ("cat",)), imagenet())
    assert model.certificate.guarantees[0].bound == pytest.approx(0.95)


def test_a_guarantee_that_so_few_images_can_not_give_is_refused() -> None:
    with pytest.raises(InfeasibleTargetError) as caught:
        calibrated_model(logits_of(10, ("cat", "dog")), imagenet(), Budget(0.05))
    assert caught.value.n_needed == 59


def test_a_strategy_that_learns_has_to_be_fitted() -> None:
    with pytest.raises(InvalidParameterError, match="must be one that learns nothing from images"):
        calibrated_model(logits_of(10), ImageNet())


class Fixed(Strategy):
    """Reads the scores of two labels off the embeddings."""

    name = "fixed"
    for_labels = True

    @property
    def learns(self) -> bool:
        return False

    def cross_fit(self, rows: FoldedRows) -> Scores:
        return self.score(rows.features)

    def fit(self, features: Features, y: np.ndarray) -> Strategy:
        return self

    def score(self, features: Features) -> Scores:
        return Scores(np.full((len(features["last"]), 2), 0.5), features["last"][:, :2])


def test_labels_are_calibrated_each_by_the_images_that_have_it() -> None:
    rng = np.random.default_rng(0)
    Y = (rng.random((300, 2)) < 0.4).astype(np.int64)
    scores = rng.normal(size=(300, 2)) - 3 * Y
    data = TrainingSet({"last": scores}, label_targets(Y), LabelSchema.multi_label("ab"))
    model = calibrated_model(data, Fixed())
    fitted = fit_model(data, Fixed())
    assert model.thresholds == fitted.thresholds
    np.testing.assert_array_equal(model.known_scores, fitted.known_scores)
    for k, (name, guarantee) in enumerate(zip("ab", model.certificate.guarantees, strict=False)):
        has = Y[:, k] == 1
        assert (scores[has, k] > model.thresholds[name]).sum() == guarantee.k
        assert guarantee.n == has.sum()
