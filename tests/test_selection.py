import pytest

from outgroup.errors import InvalidParameterError
from outgroup.selection import choose_strategy
from outgroup.strategies import STRATEGIES


@pytest.mark.parametrize("name", STRATEGIES.names())
@pytest.mark.parametrize("has_others", [True, False])
def test_a_named_strategy_is_taken_whatever_there_is(name: str, has_others: bool) -> None:
    assert choose_strategy(name, has_others).name == name


@pytest.mark.parametrize("has_others", [True, False])
def test_auto_is_a_strategy_that_can_be_had(has_others: bool) -> None:
    chosen = choose_strategy("auto", has_others)
    assert chosen.uses_others == has_others


def test_each_choice_is_a_strategy_of_its_own() -> None:
    assert choose_strategy("auto", True) is not choose_strategy("auto", True)


@pytest.mark.parametrize("bad", ["automatic", "", None, 3, ["sigmoid"]])
def test_a_typo_is_answered_with_the_names_there_are(bad: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"'blend', 'detector', .*Got"):
        choose_strategy(bad, has_others=True)
