import pytest

from outgroup.errors import InvalidParameterError
from outgroup.selection import choose_strategy
from outgroup.strategies import STRATEGIES


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_a_named_strategy_is_taken(name: str) -> None:
    assert choose_strategy(name).name == name


def test_auto_needs_no_negatives_and_uses_those_there_are() -> None:
    chosen = choose_strategy("auto")
    assert not chosen.needs_others
    assert chosen.uses_others


def test_each_choice_is_a_strategy_of_its_own() -> None:
    assert choose_strategy("auto") is not choose_strategy("auto")


@pytest.mark.parametrize("name", ["softmax:entropy", "detector:knn"])
def test_a_detector_is_named_behind_a_colon(name: str) -> None:
    chosen = choose_strategy(name)
    assert chosen.name == name.partition(":")[0]
    assert chosen.detector.name == name.partition(":")[2]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("softmax:knn", r"'softmax' takes one of .*energy.* Got 'knn'"),
        ("detector:energy", r"'detector' takes one of .*knn.* Got 'energy'"),
        ("sigmoid:energy", r"'sigmoid' takes none as its detector"),
        ("softmax:enrgy", r"Did you mean 'energy'"),
        ("sotfmax:energy", r"Did you mean 'softmax'"),
    ],
)
def test_a_detector_that_does_not_go_with_the_strategy_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        choose_strategy(name)


@pytest.mark.parametrize("bad", ["automatic", "", None, 3, ["sigmoid"]])
def test_a_typo_is_answered_with_the_names_there_are(bad: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"'blend', 'detector', .*Got"):
        choose_strategy(bad)
