"""What is right and wrong with several labels, with columns, and with both."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.metrics import average_precision_score, f1_score

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidDataError
from outgroup.evaluation import Evaluation, Rate, auroc, average_precision, evaluate
from outgroup.label_schema import LabelSchema, Output, label_targets
from outgroup.predictions import Predictions

NAMES = ("a", "b", "c", "d")


def drawn(n: int = 300, none: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return marks of four labels, and scores that are lower where the label is there."""
    rng = np.random.default_rng(seed)
    true = np.zeros((n + none, 4), dtype=np.int64)
    true[:n] = rng.random((n, 4)) < 0.3
    return true, rng.normal(size=true.shape) - 2 * true


def of_labels(
    Y: np.ndarray, scores: np.ndarray, threshold: float = -1.0, origins: list[str] | None = None
) -> Evaluation:
    """Evaluate labels that are given where the score is at most the threshold."""
    n, k = np.shape(scores)
    schema = LabelSchema.multi_label(NAMES[:k] if k <= 4 else [f"l{i}" for i in range(k)])
    answers = Predictions(
        schema, np.full((n, k), 0.5), np.asarray(scores, float), threshold, (None,) * n, (None,) * n
    )
    return evaluate(label_targets(np.asarray(Y)), answers, origins)


def where(given: np.ndarray) -> np.ndarray:
    """Return scores by which these labels are given."""
    return -2.0 * np.asarray(given)


def test_f1_is_that_of_scikit_learn() -> None:
    true, scores = drawn()
    given = scores <= -1.0
    found = of_labels(true, scores)
    assert found.macro_f1.value == pytest.approx(f1_score(true, given, average="macro"))
    assert found.micro_f1.value == pytest.approx(f1_score(true, given, average="micro"))
    for k, label in enumerate(found.classes):
        assert label.f1 is not None
        assert label.f1.value == pytest.approx(f1_score(true[:, k], given[:, k]))
        assert label.recall.n == true[:, k].sum()
        assert label.precision.n == given[:, k].sum()


def test_each_label_has_a_threshold_of_its_own() -> None:
    true, scores = drawn()
    offsets = np.array([-1.0, 0.0, 1.0, 99.0])
    n = len(true)
    answers = Predictions(
        LabelSchema.multi_label(NAMES),
        np.full((n, 4), 0.5),
        scores,
        -0.5,
        (None,) * n,
        (None,) * n,
        offsets,
    )
    found = evaluate(label_targets(true), answers)
    given = scores <= offsets - 0.5
    assert [label.precision.n for label in found.classes] == given.sum(axis=0).tolist()
    none = (true == 0).all(axis=1)
    assert found.none_given == Rate(int(given[none].any(axis=1).sum()), int(none.sum()))
    for k, output in enumerate(found.outputs):
        lacks = true[:, k] == 0
        assert output.unknown_overall is not None
        assert output.unknown_overall.accepted.k == given[lacks, k].sum()
        assert output.unknown_overall.auroc == auroc(scores[~lacks, k], scores[lacks, k])


@pytest.mark.parametrize("digits", [1, 8])
def test_average_precision_is_that_of_scikit_learn_ties_included(digits: int) -> None:
    true, scores = drawn()
    rounded = scores.round(digits)
    found = of_labels(true, rounded)
    for k in range(4):
        expected = average_precision_score(true[:, k], -rounded[:, k])
        assert average_precision(true[:, k] == 1, rounded[:, k]) == pytest.approx(expected)
        figure = found.classes[k].average_precision
        assert figure is not None
        assert figure.value == pytest.approx(expected)
        assert figure.interval[0] < expected < figure.interval[1]


def test_answering_nothing_scores_zero_where_cells_would_say_97_percent() -> None:
    true = np.zeros((1000, 20), dtype=np.int64)
    true[np.arange(600), np.arange(600) % 20] = 1
    nothing = np.zeros(true.shape, dtype=bool)
    assert (nothing == true).mean() == 0.97
    found = of_labels(true, where(nothing))
    assert found.macro_f1.value == found.micro_f1.value == 0.0
    assert found.macro_f1.interval[0] == 0.0
    assert found.exact_match.k == found.coverage.k == found.none_given.k == 0
    assert all(label.f1 is not None and label.f1.value == 0.0 for label in found.classes)


def test_answering_everything_does_not_win_either() -> None:
    true, _ = drawn()
    right = of_labels(true, where(true))
    everything = of_labels(true, where(np.ones(true.shape)))
    assert right.macro_f1.value == right.micro_f1.value == 1.0
    assert right.exact_match.value == 1.0
    assert right.macro_f1.interval[0] < 1.0  # so many images are no certainty
    assert everything.macro_f1.value < 0.35
    assert everything.none_given.value == 1.0


def test_labels_that_are_absent_and_were_not_given_change_nothing() -> None:
    true, scores = drawn(none=0)
    one = of_labels(true, scores)
    more = np.zeros((5000, 4), dtype=np.int64)
    two = of_labels(np.vstack([true, more]), np.vstack([scores, np.full((5000, 4), 99.0)]))
    assert one.macro_f1 == two.macro_f1
    assert one.micro_f1 == two.micro_f1
    assert one.exact_match == two.exact_match


def test_a_label_that_no_image_has_counts_once_it_is_given() -> None:
    true = np.array([[1, 0], [1, 0], [0, 0]])
    assert of_labels(true, where(true)).macro_f1.value == 1.0
    assert [label.name for label in of_labels(true, where(true)).classes] == ["a"]
    found = of_labels(true, where(np.array([[1, 0], [1, 1], [0, 0]])))
    assert [label.name for label in found.classes] == ["a", "b"]
    assert found.macro_f1.value == 0.5


def test_labels_that_are_not_known_count_nowhere() -> None:
    true, scores = drawn()
    given = scores <= -1.0
    hidden = true.copy()
    hidden[::3, 1] = -1
    found = of_labels(hidden, scores)
    seen = hidden[:, 1] >= 0
    assert found.classes[1].f1 is not None
    assert found.classes[1].f1.value == pytest.approx(f1_score(true[seen, 1], given[seen, 1]))
    assert found.classes[0] == of_labels(true, scores).classes[0]
    assert found.exact_match.n == (seen & (hidden == 1).any(axis=1)).sum()


def test_the_interval_of_f1_covers_as_often_as_it_claims() -> None:
    rng = np.random.default_rng(0)
    inside, n, recall, false = 0, 60, 0.8, 0.1
    expected = 2 * recall / (2 * recall + (1 - recall) + false * 2)  # 2 images without for one with
    for _ in range(400):
        true = (np.arange(3 * n) < n).astype(np.int64)[:, np.newaxis]
        share = np.where(true[:, 0] == 1, recall, false)
        given = (rng.random(3 * n) < share)[:, np.newaxis]
        figure = of_labels(true, where(given)).classes[0].f1
        assert figure is not None
        inside += figure.interval[0] <= expected <= figure.interval[1]
    assert inside / 400 > beta.ppf(0.001, 381, 20)  # 95 %, less what 400 repeats may be off


def test_images_of_none_are_reported_by_folder() -> None:
    true = np.zeros((6, 4), dtype=np.int64)
    true[:2] = 1
    given = np.zeros(true.shape, dtype=bool)
    given[3, 0] = True
    found = of_labels(true, where(given), origins=["web", "web", "lego", "lego", "web", "web"])
    assert found.by_origin == {"lego": Rate(1, 2), "web": Rate(0, 2)}
    assert found.none_given == Rate(1, 4)
    assert list(found.to_dict()) == [
        "macro_f1", "micro_f1", "exact_match", "all_right", "coverage", "none_given", "by_origin",
        "labels",
    ]  # fmt: skip
    assert list(found.to_dict()["labels"][0])[-2:] == ["f1", "average_precision"]


def test_labels_that_can_not_be_counted_are_refused() -> None:
    with pytest.raises(InvalidDataError, match="at least one known image"):
        of_labels(np.array([[0]]), np.array([[0.0]]))
    with pytest.raises(InvalidDataError, match="a column for each of 1 outputs"):
        of_labels(np.array([[1, 0]]), np.array([[0.0]]))


COLUMNS = LabelSchema.columns({"animal": ["cat", "dog"], "colour": ["red"]})


def of_columns(said: list[list[int]], true: list[list[int]]) -> Evaluation:
    """Evaluate answers of an animal and a colour each; -1 is none of them."""
    best = np.array(said)
    animal = np.eye(2)[np.maximum(best[:, 0], 0)]
    answers = Predictions(
        COLUMNS,
        np.hstack([animal, np.ones((len(best), 1))]),
        np.where(best < 0, 0.9, 0.1),
        0.5,
        (None,) * len(best),
        (None,) * len(best),
    )
    return evaluate(np.array(true), answers)


def test_all_columns_of_an_image_have_to_be_right() -> None:
    true = [[0, 0], [0, OTHER], [OTHER, OTHER], [1, UNSEEN]]
    found = of_columns([[0, 0], [0, OTHER], [OTHER, OTHER], [1, 0]], true)
    assert found.all_right == Rate(1, 1)
    assert found.exact_match == Rate(2, 2)
    assert found.coverage == Rate(3, 3)
    assert found.none_given == Rate(0, 1)
    animal, colour = found.outputs
    assert (animal.name, animal.overall.recall) == ("animal", Rate(3, 3))
    assert (colour.name, colour.overall.recall) == ("colour", Rate(1, 1))
    assert animal.unknown_overall is not None
    assert animal.unknown_overall.accepted == Rate(0, 1)
    assert list(found.to_dict()["columns"]) == ["animal", "colour"]
    assert list(found.to_dict()["columns"]["colour"]) == [
        "classes", "overall", "unknown", "unknown_overall"
    ]  # fmt: skip
    assert of_columns([[-1, -1]] * 4, true).all_right == Rate(0, 1)
    assert of_columns([[0, -1]] * 4, true).all_right == Rate(0, 1)
    with pytest.raises(InvalidDataError, match="'colour'"):
        of_columns([[0, 0]] * 4, [[0, OTHER]] * 4)


def test_labels_and_a_column_are_counted_together() -> None:
    schema = LabelSchema((Output("cat", ("cat",)), *COLUMNS.outputs[:1]))
    true = np.array([[0, 1], [OTHER, 0], [0, UNSEEN], [OTHER, OTHER]])
    said = np.array([[0, 1], [0, 0], [OTHER, 1], [OTHER, 0]])
    answers = Predictions(
        schema,
        np.hstack([np.ones((4, 1)), np.eye(2)[said[:, 1]]]),
        np.where(said < 0, 0.9, 0.1),
        0.5,
        (None,) * 4,
        (None,) * 4,
    )
    found = evaluate(true, answers)
    assert [one.name for one in found.classes] == ["cat", "cat", "dog"]
    assert [one.recall for one in found.classes] == [Rate(1, 2), Rate(1, 1), Rate(1, 1)]
    assert [one.precision for one in found.classes] == [Rate(1, 2), Rate(1, 2), Rate(1, 1)]
    assert (found.exact_match, found.all_right) == (Rate(1, 2), Rate(1, 1))
    assert (found.coverage, found.none_given) == (Rate(3, 3), Rate(1, 1))
    assert [one.name for one in found.outputs] == ["cat", "animal"]
