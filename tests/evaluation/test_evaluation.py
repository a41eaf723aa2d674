import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.errors import InvalidDataError
from outgroup.evaluation import Rate, auroc, evaluate, fpr_at_tpr

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)
rows = st.lists(
    st.tuples(
        st.sampled_from(["cat", "dog", "giraffe"]),
        st.sampled_from(["cat", "dog", "giraffe", None]),
        st.integers(0, 9).map(float),
    ),
    min_size=1,
    max_size=40,
)


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
def test_what_became_of_the_known_images_adds_up(data: list[tuple[str, str | None, float]]) -> None:
    true, predicted, scores = zip(*data, strict=True)
    result = evaluate(true, predicted, scores, {}, threshold=5.0)
    assert [c.name for c in result.classes] == sorted(set(true))
    for one in (*result.classes, result.overall):
        assert one.recall.k + one.rejected.k + one.wrong_label.k == one.recall.n
    assert sum(c.recall.k for c in result.classes) == result.overall.recall.k
    assert sum(c.recall.n for c in result.classes) == result.overall.recall.n == len(data)
    assert result.overall.rejected.k == predicted.count(None)
    assert result.unknown == ()
    assert result.unknown_overall is None


def test_each_class_is_counted_by_itself() -> None:
    result = evaluate(
        ["cat", "cat", "cat", "dog"], ["cat", None, "dog", "dog"], [0, 9, 0, 0], {}, threshold=5
    )
    cat, dog = result.classes
    assert (cat.recall, cat.rejected, cat.wrong_label) == (Rate(1, 3), Rate(1, 3), Rate(1, 3))
    assert (dog.recall, dog.rejected, dog.wrong_label) == (Rate(1, 1), Rate(0, 1), Rate(0, 1))


def test_unknowns_are_counted_by_folder_and_over_all() -> None:
    known = np.arange(100.0)
    folders = {"lego": np.array([50.0, 98.0, 120.0]), "faces": np.array([200.0, 300.0]), "none": []}
    result = evaluate(["a"] * 100, ["a"] * 100, known, folders, threshold=98.0)
    lego, faces = result.unknown  # the empty folder is left out
    assert (lego.name, lego.accepted) == ("lego", Rate(2, 3))  # a tie is accepted
    assert (faces.name, faces.accepted, faces.auroc) == ("faces", Rate(0, 2), 1.0)
    assert lego.auroc == auroc(known, folders["lego"])
    assert lego.auroc_interval[0] < lego.auroc < lego.auroc_interval[1]
    assert lego.fpr95 == Rate(1, 3)
    assert lego.fpr95.value == fpr_at_tpr(known, folders["lego"])
    both = result.unknown_overall
    assert both is not None
    assert both.accepted == Rate(2, 5)
    assert both.auroc == auroc(known, [*folders["lego"], *folders["faces"]])


def test_only_empty_folders_are_no_unknowns() -> None:
    result = evaluate(["a"], ["a"], [0.0], {"none": []}, threshold=1.0)
    assert (result.unknown, result.unknown_overall) == ((), None)


def test_an_evaluation_is_ready_for_json() -> None:
    result = evaluate(["a", "b"], ["a", None], [0, 2], {"x": [0.5, 3]}, threshold=1.0).to_dict()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result) == ["classes", "overall", "unknown", "unknown_overall"]
    assert list(result["overall"]) == ["name", "recall", "rejected", "wrong_label"]
    assert list(result["unknown"][0]) == ["name", "accepted", "auroc", "auroc_interval", "fpr95"]
    assert evaluate(["a"], ["a"], [0], {}, threshold=1.0).to_dict()["unknown_overall"] is None


@pytest.mark.parametrize(
    ("true", "predicted", "scores"),
    [([], [], []), (["a"], [], [1.0]), (["a"], ["a"], [1.0, 2.0]), (["a"], ["a", None], [1.0])],
)
def test_known_images_need_an_answer_and_a_score_each(
    true: list[str], predicted: list[str | None], scores: list[float]
) -> None:
    with pytest.raises(InvalidDataError, match="at least one known image"):
        evaluate(true, predicted, scores, {}, threshold=1.0)
