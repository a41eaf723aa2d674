import pytest

from outgroup._registry import Registry
from outgroup.errors import InvalidParameterError


class Cat:
    name: str


class Dog:
    name: str


def make_registry() -> Registry[object]:
    registry: Registry[object] = Registry("animal", "outgroup.errors")
    registry.register("cat")(Cat)
    registry.register("dog")(Dog)
    return registry


def test_a_registered_class_is_found_by_its_name_and_has_it() -> None:
    assert make_registry().get("dog") is Dog
    assert Dog.name == "dog"


def test_names_are_sorted_and_iteration_follows_them() -> None:
    registry = make_registry()
    assert registry.names() == ["cat", "dog"]
    assert [name for name, _ in registry] == ["cat", "dog"]
    assert "cat" in registry
    assert "cow" not in registry


def test_a_misspelt_name_is_answered_with_all_names_and_the_closest() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"`animal`: .* 'cat', 'dog', got 'dgo'\..* 'dog'"
    ):
        make_registry().get("dgo")


def test_a_name_that_is_no_text_is_an_invalid_parameter() -> None:
    with pytest.raises(InvalidParameterError, match="got"):
        make_registry().get(["dog"])  # type: ignore[arg-type]


def test_two_classes_with_one_name_are_an_error() -> None:
    with pytest.raises(RuntimeError, match="named 'cat'"):
        make_registry().register("cat")(Dog)
