"""Classes given by the names that the backbone's own classifier knows: no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outgroup.backbones import Backbone
from outgroup.backbones.imagenet_classes import imagenet_class_names
from outgroup.backbones.imagenet_names import find_classes
from outgroup.errors import InvalidParameterError
from outgroup.strategies.imagenet import ImageNet

#: For each class the names that stand for it, one or many.
NameMap = Mapping[str, str | Sequence[str]]


def mapped_strategy(
    names: NameMap, backbone: Backbone, strategy: str
) -> tuple[tuple[str, ...], ImageNet]:
    """Return the classes of a map, sorted, and the strategy that reads them off the backbone.

    Parameters
    ----------
    names : mapping of str to str or sequence of str
        For each class the ImageNet classes or families that mean it; see `find_classes`.
    backbone : Backbone
        It must give ImageNet's 1,000 logits.
    strategy : str
        What was asked for; with a map there is only "imagenet".

    Raises
    ------
    InvalidParameterError
        If another strategy was asked for, the backbone has other classes or none, a name is not
        ImageNet's, or two classes have the same one.
    """
    if strategy not in ("auto", ImageNet.name):
        raise InvalidParameterError(
            f"The 'strategy' parameter must be {ImageNet.name!r} or 'auto' where classes are given "
            f"by a map of names. Got {strategy!r} instead."
        )
    if backbone.class_names != imagenet_class_names() or "logits" not in backbone.layers:
        raise InvalidParameterError(
            "The 'map' parameter takes names of ImageNet's classes, and the backbone "
            f"{backbone.name!r} does not say that its logits are theirs. Take "
            "'efficientnet-lite0', or leave the map out and give images."
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
                    f"The 'map' parameter must give each ImageNet class to one class. Got "
                    f"{imagenet_class_names()[i]!r} for {owner[i]!r} and for {name!r}."
                )
        columns.append(found)
    return classes, ImageNet(columns, len(imagenet_class_names()))


def refuse_head(head: object, layers: object) -> None:
    """Refuse a head, or layers for one to read: where nothing is trained there is none."""
    for name, given in (("head", head), ("layers", layers)):
        if given is not None:
            raise InvalidParameterError(
                f"The {name!r} parameter must be None where classes are given by a map of names, "
                f"because nothing is trained. Got {given!r} instead."
            )


def _checked(names: object) -> NameMap:
    if isinstance(names, Mapping) and names and all(isinstance(n, str) and n for n in names):
        return names
    raise InvalidParameterError(
        "The 'map' parameter must give at least one class and its names, as in "
        f"{{'cat': ['tabby', 'Persian cat']}}. Got {names!r} instead."
    )


def _names_of(name: str, given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if isinstance(texts, Sequence) and texts and all(isinstance(t, str) for t in texts):
        return list(texts)
    raise InvalidParameterError(
        f"The 'map' parameter must give each class one name or a list of them. Got {given!r} for "
        f"{name!r}."
    )
