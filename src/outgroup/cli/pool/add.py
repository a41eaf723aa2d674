"""``outgroup pool build`` and ``add``: images in, a pool out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from outgroup.cli import options
from outgroup.cli.output import errors, print_json, printable, results, tell_files
from outgroup.cli.pool.arguments import EngineName, Name, PoolPath, Sources

if TYPE_CHECKING:
    from outgroup.pool import Added, Pool
    from outgroup.pool.engines import Engine
    from outgroup.pool.sources import PoolSource


def build(
    pool: PoolPath,
    sources: Sources,
    name: Name = None,
    backbone: options.BackboneName = "efficientnet-lite0",
    engine: EngineName = "local",
    json: options.Json = False,
) -> None:
    """Make a pool of images. The same command goes on with one that was stopped."""
    from outgroup.pool import Pool
    from outgroup.pool.engines import get_engine

    opened = _opened(sources, name)
    with get_engine(engine) as computes:
        _add(Pool.create(pool, backbone), pool, opened, computes, json)


def add(
    pool: PoolPath,
    sources: Sources,
    name: Name = None,
    engine: EngineName = "local",
    json: options.Json = False,
) -> None:
    """Add images to a pool that is there. Images that it has are passed over."""
    from outgroup.pool import Pool
    from outgroup.pool.engines import get_engine

    opened = _opened(sources, name)
    with get_engine(engine) as computes:
        _add(Pool(pool), pool, opened, computes, json)


def _opened(sources: list[str], name: str | None) -> list[tuple[str, PoolSource]]:
    """Return the sources, so that a wrong name is found before any work is done."""
    from outgroup.pool.sources import open_source

    return [(source, open_source(source, name)) for source in sources]


def _add(
    pool: Pool, path: Path, sources: list[tuple[str, PoolSource]], engine: Engine, json: bool
) -> None:
    from outgroup.errors import PoolSourceError

    told: list[dict[str, Any]] = []
    damaged = False
    for name, source in sources:
        before = len(pool)
        try:
            added = pool.add(source, engine=engine)
        except PoolSourceError as error:  # what can be read is in the pool, and others may be sound
            damaged = True
            errors().print(printable(str(error)), style="red")
            told.append({"source": name, "images": len(pool) - before, "error": str(error)})
            continue
        told.append({"source": name, **added.to_dict(), "n_skipped": source.n_skipped})
        if not json:
            _report(name, added, source)
    if json:
        print_json({"pool": str(path), "images": len(pool), "sources": told})
    else:
        console = results()
        console.print(f"\n{path}: {len(pool):,} images.", soft_wrap=True)
        if len(pool):
            console.print(f"Now: outgroup pool show {shlex.quote(str(path))}", soft_wrap=True)
    if damaged:
        raise typer.Exit(1)


def _report(name: str, added: Added, source: PoolSource) -> None:
    from outgroup.data import Skipped

    parts = [f"{added.images:,} images added"]
    if added.there:
        parts.append(f"{added.there:,} were there")
    if added.duplicates:
        copies = "is a copy of another" if added.duplicates == 1 else "are copies of others"
        parts.append(f"{added.duplicates:,} {copies}")
    if added.near_duplicates:
        parts.append(f"{added.near_duplicates:,} of the new ones nearly the same as others")
    if added.n_unreadable:
        parts.append(f"{added.n_unreadable:,} could not be read")
    if added.images:
        parts.append(f"{added.seen / max(added.seconds, 1e-9):,.0f} images/s")
    results().print(printable(f"{name}: {', '.join(parts)}."))
    unreadable = [Skipped(one.origin, one.reason) for one in added.unreadable]
    tell_files("could not be read", unreadable, added.n_unreadable)
    tell_files("not taken for images", source.skipped, source.n_skipped)
