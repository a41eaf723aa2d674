"""``outgroup pool build``, ``add``, ``embed``, ``show`` and ``verify``: pools on disk."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgroup._text import printable
from outgroup.cli import options
from outgroup.cli.output import (
    FAILED,
    UNREADABLE,
    errors,
    print_json,
    print_table,
    results,
    tell_files,
)

if TYPE_CHECKING:
    from outgroup.pool import Added, Counts, Pool
    from outgroup.pool.sources import PoolSource

_LEGEND = (
    "near: images in the pool that are nearly the same as an earlier one; they are held out "
    "together. copies: exact copies, not added again. unreadable: not added."
)

#: Sources and problems that are listed one by one.
_MOST_SOURCES, _MOST_PROBLEMS = 40, 20

SourceName = Annotated[
    str | None, options.option("NAME", "Name of the source. Default: the names of its folders.")
]


def build(
    pool: options.Pool,
    sources: options.Sources,
    name: SourceName = None,
    backbone: options.Backbone = "efficientnet-lite0",
    engine: options.Engine = "local",
    json: options.Json = False,
) -> None:
    """Build a pool from images. The same command resumes a stopped run."""
    from outgroup.pool import Pool

    _add(lambda: Pool.create(pool, backbone), pool, sources, name, engine, json)


def add(
    pool: options.Pool,
    sources: options.Sources,
    name: SourceName = None,
    engine: options.Engine = "local",
    json: options.Json = False,
) -> None:
    """Add images to a pool. Images that it has are skipped."""
    from outgroup.pool import Pool

    _add(lambda: Pool(pool), pool, sources, name, engine, json)


def _add(
    open_pool: Callable[[], Pool],
    path: Path,
    specs: list[str],
    name: str | None,
    engine: str,
    json: bool,
) -> None:
    from outgroup.errors import PoolSourceError
    from outgroup.pool.engine import get_engine
    from outgroup.pool.sources import open_source

    sources = [(spec, open_source(spec, name)) for spec in specs]  # a wrong one fails at once
    told: list[dict[str, Any]] = []
    damaged = False
    with get_engine(engine) as computes:
        pool = open_pool()
        for spec, source in sources:
            before = len(pool)
            try:
                added = pool.add(source, engine=computes)
            except PoolSourceError as error:  # what was read is in the pool; go on with the others
                damaged = True
                errors().print(printable(str(error)), style="red")
                told.append({"source": spec, "images": len(pool) - before, "error": str(error)})
                continue
            told.append({"source": spec, **added.to_dict(), "n_skipped": source.n_skipped})
            if not json:
                _print_added(spec, added, source)
        if json:
            print_json({"pool": str(path), "images": len(pool), "sources": told})
        else:
            console = results()
            console.print(f"\n{path}: {len(pool):,} images.", soft_wrap=True)
            if len(pool):
                console.print(f"Now: outgroup pool show {shlex.quote(str(path))}", soft_wrap=True)
    if damaged:
        raise typer.Exit(FAILED)


def _print_added(spec: str, added: Added, source: PoolSource) -> None:
    from outgroup.data import Skipped

    parts = [f"{added.images:,} images added"]
    if added.there:
        parts.append(f"{added.there:,} were in the pool already")
    if added.duplicates:
        copies = "is a copy of another" if added.duplicates == 1 else "are copies of others"
        parts.append(f"{added.duplicates:,} {copies}")
    if added.near_duplicates:
        parts.append(f"{added.near_duplicates:,} of the new ones nearly the same as others")
    if added.n_unreadable:
        parts.append(f"{added.n_unreadable:,} could not be read")
    if added.images:
        parts.append(f"{added.seen / max(added.seconds, 1e-9):,.0f} images/s")
    results().print(printable(f"{spec}: {', '.join(parts)}."))
    unreadable = [Skipped(one.origin, one.reason) for one in added.unreadable]
    tell_files("could not be read", unreadable, added.n_unreadable)
    tell_files("skipped (not an image)", source.skipped, source.n_skipped)


def embed(
    pool: options.Pool,
    backbone: Annotated[str, options.option("NAME", "The backbone, as for train.")],
    engine: options.Engine = "local",
    json: options.Json = False,
) -> None:
    """Add the embeddings of another backbone. The same command resumes a stopped run."""
    from outgroup.backbones import get_backbone
    from outgroup.pool import Pool

    opened, network = Pool(pool), get_backbone(backbone)
    new = opened.embed(network, engine=engine)
    there = opened.embedded_by(network)
    if json:
        print_json({"pool": str(pool), "backbone": network.name, "images": there, "new": new})
    else:
        before = f", {there - new:,} had been embedded before" if there > new else ""
        results().print(f"{new:,} images embedded by {network.name}{before}.", soft_wrap=True)


def show(
    pool: options.Pool,
    sheet: Annotated[
        Path | None,
        options.option("FILE", "Write a sheet with images of each source: .jpg or .html."),
    ] = None,
    every: Annotated[
        bool, options.flag("--all", f"List all sources, and not only the {_MOST_SOURCES} largest.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what a pool holds, by source."""
    from outgroup.pool import Counts, Pool
    from outgroup.report.contact_sheet import write_sheet

    options.check_writable(sheet, "--sheet")
    opened = Pool(pool)
    counts = opened.counts()
    total = sum(counts.values(), Counts())
    if sheet is not None:
        write_sheet(opened, sheet)
    if json:
        print_json(
            {
                "pool": str(pool),
                "images": len(opened),
                "backbone": opened.settings.backbone,
                "other_backbones": opened.other_backbones(),
                "total": asdict(total),
                "sources": {name: asdict(count) for name, count in counts.items()},
                "sheet": None if sheet is None else str(sheet),
            }
        )
        return
    largest = sorted(counts, key=lambda name: (-counts[name].images, name))
    n_listed = len(largest) if every else _MOST_SOURCES
    rows = [_count_row(name, counts[name]) for name in sorted(largest[:n_listed])]
    if left := [counts[name] for name in largest[n_listed:]]:
        rows.append(_count_row(f"({len(left):,} smaller ones)", sum(left, Counts())))
    rows.append(_count_row("all", total))
    columns = ("source", "kept", "quarantined", "near", "copies", "unreadable")
    console = results()
    print_table(f"{len(opened):,} images of {len(counts):,} sources", columns, rows)
    console.print(f"\n{_LEGEND}")
    layers = ", ".join(f"{name} {dim:,}" for name, dim in opened.layers.items())
    console.print(f"\nEmbeddings by {opened.settings.backbone}: {layers}.")
    for name, n in opened.other_backbones().items():
        console.print(f"Of {n:,} images there are embeddings by {name}, too.")
    if sheet is not None:
        console.print(f"\nSheet: {sheet}", soft_wrap=True)


def _count_row(name: str, count: Counts) -> tuple[str, ...]:
    in_pool = (count.kept, count.quarantined, count.near_duplicates)
    return (name, *(f"{n:,}" for n in (*in_pool, count.duplicates, count.unreadable)))


def verify(
    pool: options.Pool,
    repair: Annotated[
        bool,
        options.flag(
            "--repair",
            "Repair what is safe to repair: cut off what a stopped run left, count again, put "
            "damaged images into quarantine.",
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Check every image and embedding of a pool. Exit code 3 if something is damaged."""
    from outgroup.pool import Pool

    found = Pool(pool).verify(repair=repair)
    if json:
        print_json(found.to_dict())
    elif found.n_problems == 0:
        results().print(f"{found.images:,} images: no problems.")
    else:
        console = results()
        problems = "1 problem" if found.n_problems == 1 else f"{found.n_problems:,} problems"
        console.print(f"{found.images:,} images: {problems}.")
        for problem in found.problems[:_MOST_PROBLEMS]:
            done = " (repaired)" if problem.repaired else ""
            console.print(printable(f"  {problem.where}: {problem.what}{done}"), soft_wrap=True)
        if found.n_problems > _MOST_PROBLEMS:
            console.print(f"  and {found.n_problems - _MOST_PROBLEMS:,} more")
        if not found.sound and not repair:
            errors().print(f"Now: outgroup pool verify {shlex.quote(str(pool))} --repair")
    if not found.sound:
        raise typer.Exit(UNREADABLE)
