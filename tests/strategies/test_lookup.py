from typing import Any

import pytest

from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS
from outgroup.strategies import DEFAULT, STRATEGIES, choose_head, choose_strategy


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_a_strategy_is_chosen_by_name(name: str) -> None:
    assert choose_strategy(name).name == name


def test_auto_is_the_default_which_needs_no_negatives_and_uses_those_there_are() -> None:
    chosen = choose_strategy("auto")
    assert chosen.name == DEFAULT
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
        ("softmax:knn", r"'softmax' takes one of .*energy.* got 'knn'"),
        ("detector:energy", r"'detector' takes one of .*knn.* got 'energy'"),
        ("sigmoid:energy", r"'sigmoid' takes none as its detector"),
        ("softmax:enrgy", r"Did you mean 'energy'"),
        ("sotfmax:energy", r"Did you mean 'softmax'"),
    ],
)
def test_a_detector_that_does_not_go_with_the_strategy_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        choose_strategy(name)


@pytest.mark.parametrize("bad", ["automatic", "", None, 3, ["sigmoid"]])
def test_unknown_names_are_refused_with_all_names(bad: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"'blend', 'detector', .*got"):
        choose_strategy(bad)


@pytest.mark.parametrize("name", [name for name, cls in STRATEGIES if cls.takes_head])
def test_a_head_of_the_right_kind_is_chosen_with_its_options(name: str) -> None:
    kind = type(choose_strategy(name)).takes_head
    assert kind is not None
    fitting = [head for head, cls in HEADS if issubclass(cls, kind)]
    assert fitting
    for head in fitting:
        chosen = choose_strategy(name, head=f"{head},strength=0.5")
        assert chosen.head.name == head  # type: ignore[attr-defined]
        assert chosen.head.strength == 0.5  # type: ignore[attr-defined]
    for head in set(HEADS.names()) - set(fitting):
        with pytest.raises(InvalidParameterError, match=f"takes one of .*{fitting[0]}.*{head}"):
            choose_strategy(name, head=head)


def test_every_head_has_a_strategy_that_takes_it() -> None:
    kinds = tuple(cls.takes_head for _, cls in STRATEGIES if cls.takes_head)
    assert all(issubclass(cls, kinds) for _, cls in HEADS)


def test_options_of_a_head_are_read_as_python_values() -> None:
    head = choose_head(" mlp , hidden = 8 , class_weight=oversample, epochs=None ")
    given = {"hidden": 8, "class_weight": "oversample", "epochs": None}
    assert head.given() == {"strength": 0.01, "seed": 0, **given}
    assert choose_head("exposed-softmax,class_weight=None").given()["class_weight"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("focal-sotfmax", "Did you mean 'focal-softmax'"),
        ("linear-softmax,gamma=1", "has the parameters strength, class_weight, got 'gamma=1'"),
        ("focal-softmax,gamma", "got 'gamma'. Write name=value"),
        ("focal-softmax,", "got ''. Write name=value"),
        ("focal-softmax,gamma=1,gamma=2", "got 'gamma' twice"),
        ("focal-softmax,gamma=-1", "Invalid `gamma`: must be a number from 0 up, got -1"),
        ("focal-softmax,gamma=much", "Invalid `gamma`: must be a number from 0 up, got 'much'"),
        ("focal-softmax,gamma=", "Invalid `gamma`: must be a number from 0 up, got ''"),
        ("exposed-softmax,exposure=0", "Invalid `exposure`: must be a number above 0"),
        ("mlp,hidden=2.5", "Invalid `hidden`: must be a whole number"),
        ("linear-softmax,strength=True", "Invalid `strength`: must be above 0, or None"),
        (3, "Invalid `head`: must be one of"),
    ],
)
def test_invalid_heads_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        choose_strategy("blend", head=text)


def test_layers_are_those_that_the_head_reads() -> None:
    chosen = choose_strategy("blend", layers=["last", "second_last"])
    assert chosen.layers == ("last", "second_last")  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [[], "last", ["first"], ["last", "last"], [["last"]], 3])
def test_invalid_layers_are_refused(bad: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `layers`: must be a sequence"):
        choose_strategy("blend", layers=bad)


def test_a_strategy_without_a_head_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STRATEGIES.get("softmax"), "takes_head", None)
    for given in ({"head": "linear-softmax"}, {"layers": ["last"]}):
        with pytest.raises(InvalidParameterError, match="'softmax' has no head"):
            choose_strategy("softmax", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"head": "linear-sigmoid"}, {"layers": ["last"]}])
def test_where_auto_chooses_the_strategy_no_head_can_be_chosen(given: Any) -> None:
    with pytest.raises(
        InvalidParameterError,
        match="must be named where `head` or `layers` is given, such as 'blend'",
    ):
        choose_strategy("auto", **given)
