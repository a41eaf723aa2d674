"""``outgroup pool sources``: what a pool can be built from, and open image sets by name."""

from __future__ import annotations

from collections.abc import Sequence

from outgroup.cli import options
from outgroup.cli.output import print_json, results, table

#: Words of what is in a set; --json has all.
LISTED = 8

GIGABYTE, MEGABYTE = 10**9, 10**6


def sources(json: options.Json = False) -> None:
    """List what a pool can be built from, and open image sets with their licences and overlaps."""
    from outgroup.pool.named import SETS
    from outgroup.pool.sources import SOURCES

    kinds = [{"kind": kind, "spec": cls.form, "summary": cls.summary} for kind, cls in SOURCES]
    if json:
        print_json({"kinds": kinds, "sets": [one.to_dict() for one in SETS]})
        return
    rows = [(kind["spec"], kind["summary"]) for kind in kinds]
    results().print(table("sources", ("what to write", "what is read"), rows, numbers=False))
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
    columns = ("name", "images", "licence", "has in it")
    results().print(table("image sets", columns, named, numbers=False))
    results().print()
    results().print(
        "Read each set's own terms before you use it. What a set has in it is no negative for a "
        "class of that name: run `outgroup pool purge`.",
    )


def _some(words: Sequence[str]) -> str:
    """Return the first words of many.

    >>> _some(["cat", "dog"])
    'cat, dog'
    """
    more = len(words) - LISTED
    return ", ".join(words[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _size(count: int) -> str:
    """Return a number of bytes as people write it.

    >>> _size(5_059_972_308), _size(92_078_756)
    ('5.1 GB', '92 MB')
    """
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{count / MEGABYTE:.0f} MB"
