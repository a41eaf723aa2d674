"""``outgroup pool build`` and ``add``: images in, a pool out."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgroup.cli import options
from outgroup.cli.output import errors, print_json, printable, results, tell_files
from outgroup.cli.pool.arguments import Name, PoolPath, Sources

if TYPE_CHECKING:
    from outgroup.pool import Added, Pool


def build(
    pool: PoolPath,
    sources: Sources,
    name: Name = None,
    backbone: options.BackboneName = "efficientnet-lite0",
    json: options.Json = False,
) -> None:
    """Make a pool of images. The same command goes on with one that was stopped."""
    from outgroup.pool import Pool

    _add(Pool.create(pool, backbone), pool, sources, name, json)


def add(pool: PoolPath, sources: Sources, name: Name = None, json: options.Json = False) -> None:
    """Add images to a pool that is there. Images that it has are passed over."""
    from outgroup.pool import Pool

    _add(Pool(pool), pool, sources, name, json)


def _add(pool: Pool, path: Path, sources: list[str], name: str | None, json: bool) -> None:
    added = []
    for source in sources:
        added.append(pool.add(source, name=name))
        if not json:
            _report(source, added[-1])
    if json:
        print_json(
            {
                "pool": str(path),
                "images": len(pool),
                "sources": [_fields(s, a) for s, a in zip(sources, added, strict=True)],
            }
        )
        return
    console = results()
    console.print(f"\n{path}: {len(pool):,} images.", soft_wrap=True)
    console.print(f"Now: outgroup pool show {shlex.quote(str(path))}", soft_wrap=True)


def _fields(source: str, added: Added) -> dict[str, Any]:
    return {"source": source, **asdict(added)}


def _report(source: str, added: Added) -> None:
    from outgroup.datasets import Skipped

    parts = [f"{added.images:,} images added"]
    if added.there:
        parts.append(f"{added.there:,} were there")
    if added.duplicates:
        parts.append(f"{added.duplicates:,} are copies of others")
    if added.near_duplicates:
        parts.append(f"{added.near_duplicates:,} of the new ones nearly the same as others")
    if added.n_unreadable:
        parts.append(f"{added.n_unreadable:,} could not be read")
    if added.images:
        parts.append(f"{added.seen / max(added.seconds, 1e-9):,.0f} images/s")
    results().print(printable(f"{source}: {', '.join(parts)}."))
    tell_files("could not be read", [Skipped(u.origin, u.reason) for u in added.unreadable])
    if added.n_unreadable > len(added.unreadable):
        errors().print(f"There are {added.n_unreadable:,} of them.")
