"""Classes given by names of ImageNet, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outgroup.backbones import Backbone
from outgroup.backbones.imagenet_classes import find_classes, imagenet_class_names
from outgroup.errors import InvalidParameterError
from outgroup.strategies.imagenet import ImageNet

#: For each class the names that stand for it, one or many.
NameMap = Mapping[str, str | Sequence[str]]


def mapped_strategy(
    names: NameMap, backbone: Backbone, strategy: str
) -> tuple[tuple[str, ...], ImageNet]:
    """Return the classes of a map, sorted, and the strategy that reads them from the logits."""
    if strategy not in ("auto", ImageNet.name):
        raise InvalidParameterError(
            f"Invalid `strategy`: must be {ImageNet.name!r} or 'auto' where classes are given by a "
            f"map of names, got {strategy!r}."
        )
    if backbone.class_names != imagenet_class_names() or "logits" not in backbone.layers:
        raise InvalidParameterError(
            "Invalid `map`: takes names of ImageNet's classes, but the logits of the backbone "
            f"{backbone.name!r} are not known to be theirs. Take 'efficientnet-lite0', or leave "
            "the map out and give images."
        )
    checked = {name: _names_of(name, given) for name, given in _checked(names).items()}
    classes = tuple(sorted(checked))
    columns: list[list[int]] = []
    owner: dict[int, str] = {}
    for name in classes:
        found = sorted({i for text in checked[name] for i in find_classes(text)})
        for i in found:
            if owner.setdefault(i, name) != name:
                raise InvalidParameterError(
                    "Invalid `map`: must give each ImageNet class to one class, got "
                    f"{imagenet_class_names()[i]!r} for {owner[i]!r} and for {name!r}."
                )
        columns.append(found)
    return classes, ImageNet(columns, len(imagenet_class_names()))


def refuse_head(head: object, layers: object) -> None:
    """Refuse a head, or layers for it: where nothing is trained there is no head."""
    for name, given in (("head", head), ("layers", layers)):
        if given is not None:
            raise InvalidParameterError(
                f"Invalid `{name}`: must be None where classes are given by a map of names, as "
                f"nothing is trained, got {given!r}."
            )


def _checked(names: object) -> NameMap:
    if isinstance(names, Mapping) and names and all(isinstance(n, str) and n for n in names):
        return names
    raise InvalidParameterError(
        "Invalid `map`: must give at least one class and its names, as in "
        f"{{'cat': ['tabby', 'Persian cat']}}, got {names!r}."
    )


def _names_of(name: str, given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if isinstance(texts, Sequence) and texts and all(isinstance(t, str) for t in texts):
        return list(texts)
    raise InvalidParameterError(
        f"Invalid `map`: must give each class one name or a list of them, got {given!r} for "
        f"{name!r}."
    )
