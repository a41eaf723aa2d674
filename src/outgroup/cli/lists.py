"""``outgroup methods`` and ``outgroup backbones``: what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import print_json, results, table

#: What the name of a kind alone would not say.
TITLES = {
    "labeler": "labeler: the strategy with --multi-label",
    "generator": "generator: makes synthetic negatives",
}


def methods(json: options.Json = False) -> None:
    """List strategies, labelers, heads, detectors and generators, each with its source."""
    from outgroup.detectors import DETECTORS
    from outgroup.heads import HEADS
    from outgroup.multilabel import LABELERS
    from outgroup.strategies import STRATEGIES
    from outgroup.synthetic import GENERATORS

    kinds = {
        "strategy": STRATEGIES,
        "labeler": LABELERS,
        "head": HEADS,
        "detector": DETECTORS,
        "generator": GENERATORS,
    }
    listed = [
        {"kind": kind, "name": name, "summary": cls.summary, "reference": cls.reference}
        for kind, registry in kinds.items()
        for name, cls in registry  # type: ignore[attr-defined]
    ]
    if json:
        print_json(listed)
        return
    for kind in kinds:
        rows = [(m["name"], m["summary"], m["reference"]) for m in listed if m["kind"] == kind]
        results().print(
            table(TITLES.get(kind, kind), ("name", "what it does", "source"), rows, numbers=False)
        )
        results().print()


def backbones(
    json: options.Json = False,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="List the ImageNet classes and families with this in a name instead: what "
            "`train --map` takes with the bundled backbone.",
        ),
    ] = None,
) -> None:
    """List backbones, each with its source and licence."""
    from outgroup.backbones import list_backbones

    if classes is not None:
        _classes(classes, json)
        return

    listed = list_backbones()
    if json:
        print_json([vars(row) for row in listed])
        return
    rows = [(row.spec, row.summary, f"{row.licence}; {row.source}") for row in listed]
    columns = ("spec", "what it is", "licence and source")
    results().print(table("backbones", columns, rows, numbers=False))


def _classes(word: str, json: bool) -> None:
    from outgroup.backbones.imagenet_names import search_classes

    found = search_classes(word)
    if json:
        print_json([{"name": name, "indices": list(indices)} for name, indices in found])
        return
    rows = [(name, _ranges(indices)) for name, indices in found]
    results().print(table("ImageNet classes and families", ("name", "indices"), rows))


def _ranges(indices: Sequence[int]) -> str:
    """Return sorted numbers with those that follow each other as one.

    >>> _ranges([2, 3, 4, 7])
    '2-4, 7'
    """
    texts: list[str] = []
    first = indices[0]
    for this, following in zip(indices, [*indices[1:], None], strict=True):
        if following != this + 1:
            texts.append(str(this) if this == first else f"{first}-{this}")
            first = following or 0
    return ", ".join(texts)
