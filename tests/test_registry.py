import pytest

from outgroup._registry import Registry
from outgroup.errors import InvalidParameterError


def make_registry() -> Registry[object]:
    registry: Registry[object] = Registry("animal", "outgroup.errors")
    registry.register("cat")(int)
    registry.register("dog")(str)
    return registry


def test_a_registered_class_is_found_by_name() -> None:
    assert make_registry().get("dog") is str


def test_names_are_sorted_and_iteration_follows_them() -> None:
    registry = make_registry()
    assert registry.names() == ["cat", "dog"]
    assert [name for name, _ in registry] == ["cat", "dog"]
    assert "cat" in registry
    assert "cow" not in registry


def test_a_typo_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InvalidParameterError, match=r"one of 'cat', 'dog'.*Got 'dgo'.*mean 'dog'"):
        make_registry().get("dgo")


def test_an_unhashable_name_is_an_invalid_parameter() -> None:
    with pytest.raises(InvalidParameterError, match="Got"):
        make_registry().get(["dog"])  # type: ignore[arg-type]


def test_two_classes_may_not_share_a_name() -> None:
    with pytest.raises(RuntimeError, match="named 'cat'"):
        make_registry().register("cat")(float)
