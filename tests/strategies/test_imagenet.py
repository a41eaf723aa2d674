import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.evaluation import auroc
from outgroup.model import fit_model
from outgroup.strategies import FoldedRows
from outgroup.strategies.imagenet import ImageNet
from outgroup.training_set import TrainingSet

P = np.array([[0.5, 0.2, 0.1, 0.2], [0.05, 0.05, 0.8, 0.1]])


def answers(y: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Class 0 is taken for answers 0 and 1, class 1 for 2, everything else (-1) for 3 to 9."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(y), 10))
    meant = [rng.choice({0: [0, 1], 1: [2], -1: range(3, 10)}[k]) for k in y.tolist()]
    logits[np.arange(len(y)), meant] += 5
    return {"last": rng.normal(size=(len(y), 3)), "logits": logits}


def test_probabilities_of_the_named_columns_are_added_and_the_rest_is_other() -> None:
    strategy = ImageNet([[0, 1], [2]], 4)
    scores = strategy.score({"logits": np.log(P) + 7.0})
    np.testing.assert_allclose(scores.class_scores, [[0.7, 0.1], [0.1, 0.8]])
    np.testing.assert_allclose(scores.other_score, np.log([0.2 / 0.8, 0.1 / 0.9]))
    assert (scores.other_score < strategy.uncalibrated_threshold).all()


def test_named_columns_learn_nothing_from_images() -> None:
    y = np.repeat([0, 1, -1], 20)
    strategy, features = ImageNet([[0], [1, 2]], 10), answers(y)
    before = strategy.score(features)
    held_out = strategy.cross_fit(FoldedRows(features, y, np.arange(60) % 5))
    after = strategy.fit(features, y).score(features)
    for found in (held_out, after):
        np.testing.assert_array_equal(found.other_score, before.other_score)
    assert not strategy.learns


def test_it_learns_from_a_few_images_which_columns_mean_which_class() -> None:
    few, many = np.repeat([0, 1], 4), np.repeat([0, 1, -1], 200)
    strategy, features = ImageNet(), answers(few)
    strategy.cross_fit(FoldedRows(features, few, np.arange(8) % 4))
    found = strategy.fit(features, few).score(answers(many, seed=1))
    known = many >= 0
    assert (found.class_scores[known].argmax(axis=1) == many[known]).mean() > 0.95
    assert auroc(found.other_score[known], found.other_score[~known]) > 0.95
    assert (found.class_scores.sum(axis=1) < 1).all()


@pytest.mark.parametrize(
    ("columns", "n_answers"),
    [
        ([[0], []], 4),
        ([[0, 1], [1]], 4),
        ([[0, 0]], 4),
        ([[4]], 4),
        ([[-1]], 4),
        ([[0, 1], [2, 3]], 4),
        ([], 4),
        ([[0]], None),
    ],
)
def test_columns_that_do_not_fit_the_logits_are_refused(
    columns: list[list[int]], n_answers: int | None
) -> None:
    with pytest.raises(
        InvalidParameterError, match="Invalid `columns`: must name different columns"
    ):
        ImageNet(columns, n_answers)


def test_a_backbone_without_logits_is_refused() -> None:
    data = TrainingSet.from_labels({"last": np.eye(4)}, ["a", "a", "b", "b"])
    with pytest.raises(InvalidParameterError, match=r"'logits', got only 'last'\. Take a backb"):
        fit_model(data, ImageNet())
