"""``outgroup methods``, ``backbones`` and ``pool sources``: list what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

from outgroup.cli import options
from outgroup.cli.output import print_json, print_table, results

#: Titles of tables where the name of the kind alone would not say what it is.
_TITLES = {
    "label strategy": "strategies with --multi-label",
    "generator": "generator: makes synthetic negatives",
}

#: Number of words of what is in an image set; --json has all.
_MOST_WORDS = 8


def methods(json: options.Json = False) -> None:
    """List strategies, heads, detectors and generators, each with its source."""
    from outgroup.detectors import DETECTORS
    from outgroup.heads import HEADS
    from outgroup.strategies import LABEL_STRATEGIES, STRATEGIES
    from outgroup.synthetic import GENERATORS

    kinds = {
        "strategy": STRATEGIES,
        "label strategy": LABEL_STRATEGIES,
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
    columns = ("name", "what it does", "source")
    for kind in kinds:
        rows = [(m["name"], m["summary"], m["reference"]) for m in listed if m["kind"] == kind]
        print_table(_TITLES.get(kind, kind), columns, rows, numbers=False)
        results().print()


def backbones(
    json: options.Json = False,
    classes: Annotated[
        str | None,
        options.option(
            "WORD",
            "List the ImageNet classes and families with this word in a name instead: what `train "
            "--map` takes with the bundled backbone.",
        ),
    ] = None,
) -> None:
    """List backbones, each with its source and licence."""
    from outgroup.backbones import BACKBONES
    from outgroup.backbones.imagenet_classes import search_classes

    if classes is not None:
        found = search_classes(classes)
        if json:
            print_json([{"name": name, "indices": list(indices)} for name, indices in found])
            return
        named = [(name, _ranges(indices)) for name, indices in found]
        print_table("ImageNet classes and families", ("name", "indices"), named)
        return
    if json:
        keys = ("spec", "summary", "licence", "source")
        print_json([{"name": name, **{k: getattr(f, k) for k in keys}} for name, f in BACKBONES])
        return
    rows = [(f.spec, f.summary, f"{f.licence}; {f.source}") for _, f in BACKBONES]
    print_table("backbones", ("spec", "what it is", "licence and source"), rows, numbers=False)


def sources(json: options.Json = False) -> None:
    """List what a pool can be built from, and open image sets with their licences and overlaps."""
    from outgroup.pool.image_sets import SETS
    from outgroup.pool.sources import SOURCES

    if json:
        kinds = [
            {"kind": kind, "spec": cls.form, "summary": cls.summary}
            for kind, cls in SOURCES.items()
        ]
        print_json({"kinds": kinds, "sets": [one.to_dict() for one in SETS]})
        return
    rows = [(cls.form, cls.summary) for cls in SOURCES.values()]
    print_table("sources", ("what to write", "what is read"), rows, numbers=False)
    results().print()
    named = [
        (
            f"hf:{one.name}",
            f"{one.images:,}; {one.resolution}; {_size(one.size)}",
            one.terms_and_licence,
            _some(one.classes),
        )
        for one in SETS
    ]
    print_table("image sets", ("name", "images", "licence", "contains"), named, numbers=False)
    results().print(
        "\nRead each set's own terms before you use it. What a set contains is no negative for a "
        "class of that name: run `outgroup pool purge`."
    )


def _ranges(indices: Sequence[int]) -> str:
    """Return sorted numbers with each run of consecutive ones as a range.

    >>> _ranges([2, 3, 4, 7])
    '2-4, 7'
    """
    runs = [
        [index for _, index in run]
        for _, run in groupby(enumerate(indices), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _some(words: Sequence[str]) -> str:
    more = len(words) - _MOST_WORDS
    return ", ".join(words[:_MOST_WORDS]) + (f" and {more} more" if more > 0 else "")


def _size(count: int) -> str:
    """Return a number of bytes in the usual units.

    >>> _size(5_059_972_308), _size(92_078_756)
    ('5.1 GB', '92 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
