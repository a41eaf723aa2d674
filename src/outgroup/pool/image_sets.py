"""Name open image sets, as in ``outgroup pool build P hf:food101``, and say what they show.

The facts are in ``image_sets.json``, with the pages that they were read from as ``seen``. They help
to choose a set and are not enforced. `classes` are the usual ones, not all. Terms are "unclear"
where the publisher names no licence, or had none from the photographers to pass on.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from outgroup.backbones.imagenet_classes import find_classes
from outgroup.errors import InvalidParameterError


@dataclass(frozen=True)
class ImageSet:
    """An open image set with a short name."""

    name: str
    repository: str
    files: str
    splits: tuple[str, ...]
    column: str
    images: int
    size: int
    resolution: str
    terms: str
    licence: str
    homepage: str
    classes: tuple[str, ...]
    seen: tuple[str, ...]

    @property
    def spec(self) -> str:
        """The same set as a location on the hub, for `open_source`."""
        return f"hf://datasets/{self.repository}/{self.files}#{self.column}"

    @property
    def terms_and_licence(self) -> str:
        """The licence, preceded by its terms unless it is a free one."""
        return self.licence if self.terms == "free" else f"{self.terms}: {self.licence}"

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON-able values."""
        return {**asdict(self), "spec": self.spec}


_DATA = json.loads(files("outgroup.pool").joinpath("image_sets.json").read_text("utf-8"))
_SYNONYMS: dict[str, str] = {
    other: word for word, others in _DATA["synonyms"].items() for other in others
}


def _image_set(facts: dict[str, Any]) -> ImageSet:
    facts = {key: tuple(v) if isinstance(v, list) else v for key, v in facts.items()}
    return ImageSet(**facts)


SETS = tuple(map(_image_set, _DATA["sets"]))


def image_set(name: str) -> ImageSet:
    """Return an image set by name."""
    names = [one.name for one in SETS]
    if name in names:
        return SETS[names.index(name)]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean 'hf:{close[0]}'?" if close else ""
    if "/" in name:
        hint = f" For another data set: 'hf://datasets/{name}'."
    raise InvalidParameterError(
        f"Invalid `source`: must be 'hf:' and one of {', '.join(names)}, got 'hf:{name}'.{hint}"
    )


def overlaps(name: str, classes: Iterable[str]) -> tuple[str, ...]:
    """Return which of the known classes an image set is likely to show, judged by words alone.

    >>> overlaps("oxford-pets", ["Cats", "giraffes", "beagle"])
    ('Cats', 'beagle')
    """
    words = {_singular(word) for word in image_set(name).classes}
    return tuple(one for one in classes if _is_among(_singular(one), words))


def _is_among(name: str, words: set[str]) -> bool:
    if name in words or any(_singular(part) in words for part in name.split()):
        return True
    indices = _imagenet_indices(name)
    return bool(indices) and any(indices <= _imagenet_indices(word) for word in words)


def _singular(name: str) -> str:
    """Return a name in lower case and singular, and a synonym as the word it stands for."""
    text = " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")):
        if text.endswith(ending):
            text = text[: -len(ending)] + singular
            return _SYNONYMS.get(text, text)
    text = text if text.endswith(("ss", "us")) else text.removesuffix("s")
    return _SYNONYMS.get(text, text)


@lru_cache(maxsize=1024)
def _imagenet_indices(word: str) -> frozenset[int]:
    """Return the ImageNet classes of a word; empty if it has none or is ambiguous."""
    try:
        return frozenset(find_classes(word))
    except InvalidParameterError:
        return frozenset()
