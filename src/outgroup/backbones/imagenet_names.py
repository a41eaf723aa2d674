"""Finding ImageNet's classes by name: exact names, synonyms, and families of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from functools import lru_cache

from outgroup.backbones.imagenet_classes import imagenet_class_rows
from outgroup.errors import InvalidParameterError

#: Groups of classes by a common name. The classes of ILSVRC 2012 (O. Russakovsky et al., ImageNet
#: Large Scale Visual Recognition Challenge, IJCV 2015) are in the order of their WordNet ids, in
#: which related animals mostly stand together; first and last index, both included.
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

#: Names listed in a message.
LISTED = 8


def find_classes(name: str) -> tuple[int, ...]:
    """Return the indices of the ImageNet classes that a name stands for.

    Parameters
    ----------
    name : str
        A class's name, a synonym, a WordNet id ("n02123045"), an index ("281"), or one of
        `FAMILIES`; case, hyphens and a plural "s" play no part.

    Raises
    ------
    InvalidParameterError
        If there is no such name, or it is a synonym of several classes; the message names those
        that may be meant.

    Examples
    --------
    >>> find_classes("hotdog"), find_classes("Cats")
    ((934,), (281, 282, 283, 284, 285))
    >>> find_classes("crane")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The name 'crane' fits several classes of ImageNet: 134
    'crane bird', 517 'construction crane'. Take one of these names or numbers, or all of them.
    >>> find_classes("hotdgo")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: ImageNet has no class or family named 'hotdgo'. Did you
    mean 'hotdog'? `outgroup backbones --classes WORD` searches the names. What ImageNet lacks is
    learned from a few images instead: outgroup train DIR --strategy imagenet.
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
                    f"The name {name!r} fits several classes of ImageNet: {listed}. Take one of "
                    "these names or numbers, or all of them."
                )
            return found
    raise InvalidParameterError(_unknown(name))


def search_classes(word: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return families and classes with `word` in a name or synonym, and their indices.

    Where it is a word of its own in some, those with it inside another word are left out.

    Examples
    --------
    >>> search_classes("panda")
    [('red panda', (387,)), ('giant panda', (388,))]
    >>> search_classes("cats")[:3]
    [('big cat', (286, 287, 288, 289, 290, 291, 292, 293)), ('cat', (281, 282, 283, 284, 285)),
    ('tabby cat', (281,))]
    """
    inside: list[tuple[str, tuple[int, ...]]] = []
    by_itself: list[tuple[str, tuple[int, ...]]] = []
    keys = _keys(word)
    for name, indices, texts in _searched():
        if any(key in text for key in keys for text in texts):
            inside.append((name, indices))
            if any(f" {key} " in f" {text} " for key in keys for text in texts):
                by_itself.append((name, indices))
    return by_itself or inside


def names() -> dict[str, tuple[int, ...]]:
    """Return the classes of every name that stands for itself: names, families, ids, indices."""
    return _tables()[0]


def _searched() -> Iterator[tuple[str, tuple[int, ...], list[str]]]:
    for family in FAMILIES:
        yield family, names()[family], [family]
    for i, row in enumerate(imagenet_class_rows()):
        yield row.name, (i,), [_plain(text) for text in (row.name, *row.synonyms)]


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
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


def _keys(name: str) -> Sequence[str]:
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
        "WORD` searches the names. What ImageNet lacks is learned from a few images instead: "
        "outgroup train DIR --strategy imagenet."
    )
