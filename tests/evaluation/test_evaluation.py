"""What becomes of known and unknown images, with one class an image."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidDataError
from outgroup.evaluation import Evaluation, Rate, auroc, evaluate, fpr_at_tpr
from outgroup.label_schema import LabelSchema
from outgroup.predictions import Predictions

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)
NAMES = ("cat", "dog", "giraffe")
rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9).map(float)),
    min_size=1,
    max_size=40,
)


def answers(
    best: list[int], scores: list[float], threshold: float, errors: list[str | None] | None = None
) -> Predictions:
    """Return answers whose best class and other-score are given."""
    none = (None,) * len(best)
    return Predictions(
        LabelSchema.single(NAMES),
        np.eye(3)[np.array(best, dtype=np.int64)],
        np.array(scores, dtype=np.float64)[:, np.newaxis],
        threshold,
        none,
        none if errors is None else tuple(errors),
    )


def evaluated(
    true: list[int], best: list[int], scores: list[float], threshold: float, origins: object = None
) -> Evaluation:
    return evaluate(np.array(true), answers(best, scores, threshold), origins)  # type: ignore[arg-type]


def test_a_rate_is_a_share_with_its_interval() -> None:
    rate = Rate(3, 60)
    assert rate.value == 0.05
    low, high = rate.interval
    assert low < 0.05 < high
    assert rate.to_dict() == {"k": 3, "n": 60, "value": 0.05, "interval": [low, high]}
    assert str(rate) == "5.0 [1.0, 13.9]"


def test_a_rate_of_nothing_is_none_not_zero() -> None:
    assert Rate(0, 0).value is None
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert str(Rate(0, 0)).strip() == "none"


@PROPERTY
@given(rows)
def test_what_became_of_the_known_images_adds_up(data: list[tuple[int, int, float]]) -> None:
    true, best, scores = zip(*data, strict=True)
    result = evaluated(true, best, scores, threshold=5.0)
    assert [c.name for c in result.classes] == [NAMES[k] for k in sorted(set(true))]
    for one in (*result.classes, result.overall):
        assert one.recall.k + one.rejected.k + one.wrong_label.k == one.recall.n
    assert sum(c.recall.k for c in result.classes) == result.overall.recall.k
    assert sum(c.recall.n for c in result.classes) == result.overall.recall.n == len(data)
    assert result.overall.rejected.k == sum(score > 5.0 for score in scores)
    assert result.coverage == Rate(len(data) - result.overall.rejected.k, len(data))
    assert result.exact_match == result.all_right == result.overall.recall
    assert result.unknown == ()
    assert result.unknown_overall is None
    assert result.none_given == Rate(0, 0)


def test_each_class_is_counted_by_itself() -> None:
    result = evaluated([0, 0, 0, 1, OTHER], [0, 0, 1, 1, 1], [0, 9, 0, 0, 0], threshold=5)
    cat, dog = result.classes
    assert (cat.recall, cat.rejected, cat.wrong_label) == (Rate(1, 3), Rate(1, 3), Rate(1, 3))
    assert (dog.recall, dog.rejected, dog.wrong_label) == (Rate(1, 1), Rate(0, 1), Rate(0, 1))
    assert (cat.precision, dog.precision) == (Rate(1, 1), Rate(1, 3))  # unknown images count
    assert result.none_given == Rate(1, 1)


@PROPERTY
@given(rows)
def test_precision_and_f1_are_those_of_scikit_learn(data: list[tuple[int, int, float]]) -> None:
    true, best, scores = zip(*data, strict=True)
    true = [OTHER if k == 2 else k for k in true]
    if OTHER in true and len({*true}) == 1:
        return
    said = np.where(np.array(scores) <= 5.0, best, OTHER)
    result = evaluated(true, best, scores, threshold=5.0)
    for one in result.classes:
        k = NAMES.index(one.name)
        of_class = [value == k for value in true], said == k
        assert one.f1 is not None
        assert one.f1.value == pytest.approx(f1_score(*of_class, zero_division=0))
        expected = precision_score(*of_class, zero_division=0)
        assert (one.precision.value or 0.0) == pytest.approx(expected)


def test_unknowns_are_counted_by_folder_and_over_all() -> None:
    known = np.arange(100.0)
    folders = {"lego": [50.0, 98.0, 120.0], "faces": [200.0, 300.0]}
    scores = [*known, *folders["lego"], *folders["faces"]]
    origins = ["photos"] * 100 + ["lego"] * 3 + ["faces"] * 2
    result = evaluated([0] * 100 + [OTHER] * 5, [0] * 105, scores, 98.0, origins)
    lego, faces = result.unknown
    assert (lego.name, lego.accepted) == ("lego", Rate(2, 3))  # a tie is accepted
    assert (faces.name, faces.accepted, faces.auroc) == ("faces", Rate(0, 2), 1.0)
    assert lego.auroc == auroc(known, folders["lego"])
    assert lego.auroc_interval[0] < lego.auroc < lego.auroc_interval[1]
    assert lego.fpr95 == Rate(1, 3)
    assert lego.fpr95.value == fpr_at_tpr(known, folders["lego"])
    both = result.unknown_overall
    assert both is not None
    assert both.accepted == result.none_given == Rate(2, 5)
    assert both.auroc == auroc(known, [*folders["lego"], *folders["faces"]])
    assert result.by_origin == {"lego": Rate(2, 3), "faces": Rate(0, 2)}


def test_images_that_could_not_be_read_or_that_nobody_has_labelled_count_nowhere() -> None:
    scores = [0.0, 9.0, 0.0, 3.0, np.nan, 2.0]
    errors = [None, None, None, None, "broken", None]
    given_all = answers([0, 0, 1, 0, 0, 0], scores, 5.0, errors)
    result = evaluate(np.array([0, 0, 1, OTHER, 0, UNSEEN]), given_all, ["a"] * 6)
    few = evaluate(np.array([0, 0, 1, OTHER]), given_all[:4], ["a"] * 4)
    assert result.to_dict() == few.to_dict()


def test_an_evaluation_is_ready_for_json() -> None:
    result = evaluated([0, 1, OTHER, OTHER], [0, 1, 0, 0], [0, 2, 0.5, 3], 1.0).to_dict()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    together = ["macro_f1", "micro_f1", "exact_match", "all_right", "coverage", "none_given"]
    assert list(result) == [
        "classes", "overall", "unknown", "unknown_overall", *together, "by_origin"
    ]  # fmt: skip
    counts = ["name", "recall", "rejected", "wrong_label", "precision"]
    assert list(result["overall"]) == counts
    assert list(result["classes"][0]) == [*counts, "f1"]
    assert list(result["unknown"][0]) == ["name", "accepted", "auroc", "auroc_interval", "fpr95"]
    assert evaluated([0], [0], [0.0], 1.0).to_dict()["unknown_overall"] is None


@pytest.mark.parametrize(
    ("true", "n_answers", "origins", "message"),
    [
        ([], 0, None, "at least one known image"),
        ([OTHER, UNSEEN], 2, None, "at least one known image"),
        ([0], 2, None, "a row for each of 2 answers"),
        ([0, 0], 1, None, "a row for each of 1 answers"),
        ([0, 0], 2, ["a"], "got shape .* and 1 folders"),
    ],
)
def test_answers_labels_and_folders_must_be_of_the_same_images(
    true: list[int], n_answers: int, origins: list[str] | None, message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message):
        evaluated(true, [0] * n_answers, [0.0] * n_answers, 1.0, origins)
