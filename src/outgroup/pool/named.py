"""Open image sets by short names, ``outgroup pool build P hf:food101``, and what is in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache

from outgroup.backbones.imagenet_names import find_classes
from outgroup.errors import InvalidParameterError
from outgroup.pool.named_sets import SETS, NamedSet

__all__ = ["SETS", "NamedSet", "named_set", "overlaps"]

#: Words for the same thing, for the search of overlaps.
SAME = {
    **dict.fromkeys(("automobile", "auto"), "car"),
    **dict.fromkeys(("aeroplane", "plane", "aircraft", "airliner"), "airplane"),
    **dict.fromkeys(("boat", "vessel"), "ship"),
    **dict.fromkeys(("person", "human", "man", "woman", "child", "men", "women"), "people"),
    **dict.fromkeys(("kitten", "kitty"), "cat"),
    **dict.fromkeys(("puppy", "doggy"), "dog"),
    **dict.fromkeys(("lorry", "pickup"), "truck"),
    **dict.fromkeys(("cattle", "ox", "bull"), "cow"),
    **dict.fromkeys(("bike", "cycle"), "bicycle"),
    **dict.fromkeys(("burger",), "hamburger"),
}


def named_set(name: str) -> NamedSet:
    """Return the image set of a name.

    Raises
    ------
    InvalidParameterError
        If there is none in the list.

    Examples
    --------
    >>> named_set("food101").images
    101000
    >>> named_set("fod101")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'source' parameter must be 'hf:' and one of
    caltech256, dtd, ..., tiny-imagenet. Got 'hf:fod101' instead. Did you mean 'hf:food101'?
    """
    for one in SETS:
        if one.name == name:
            return one
    close = difflib.get_close_matches(name, [one.name for one in SETS], n=1)
    hint = f" Did you mean 'hf:{close[0]}'?" if close else ""
    if "/" in name:
        hint = f" For another data set: 'hf://datasets/{name}'"
    listed = ", ".join(one.name for one in SETS)
    raise InvalidParameterError(
        f"The 'source' parameter must be 'hf:' and one of {listed}. Got 'hf:{name}' instead.{hint}"
    )


def overlaps(name: str, classes: Iterable[str]) -> tuple[str, ...]:
    """Return which of the user's classes an image set is likely to contain.

    Words are compared, in singular and plural and by a few synonyms, and a kind that ImageNet knows
    with its family ("beagle" with "dog"). Nothing that is found is no promise: no photo was looked
    at. `outgroup pool purge` looks at them.

    Parameters
    ----------
    name : str
        Of the image set.
    classes : iterable of str
        Names of the known classes.

    Examples
    --------
    >>> overlaps("oxford-pets", ["Cats", "giraffes", "beagle"])
    ('Cats', 'beagle')
    """
    words = {_plain(word) for word in named_set(name).classes}
    return tuple(one for one in classes if _in(one, words))


def _in(name: str, words: set[str]) -> bool:
    plain = _plain(name)
    if plain in words or any(part in words for part in map(_plain, plain.split())):
        return True
    own = _indices(plain)
    return bool(own) and any(own <= _indices(word) for word in words)


def _plain(name: str) -> str:
    """Return a name in lower case and the singular.

    >>> _plain("Gas_Pumps"), _plain("puppies"), _plain("buses"), _plain("men")
    ('gas pump', 'dog', 'bus', 'people')
    """
    text = " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")):
        if text.endswith(ending):
            text = text[: -len(ending)] + singular
            break
    else:
        if text.endswith("s") and not text.endswith(("ss", "us")):
            text = text[:-1]
    return SAME.get(text, text)


@lru_cache(maxsize=1024)
def _indices(word: str) -> frozenset[int]:
    """Return the ImageNet classes of a word; none if it has none, or means several things."""
    try:
        return frozenset(find_classes(word))
    except InvalidParameterError:
        return frozenset()
