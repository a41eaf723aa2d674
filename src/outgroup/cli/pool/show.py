"""``outgroup pool show``: what is in a pool, in numbers and in pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import print_json, results, table
from outgroup.cli.pool.arguments import PoolPath

if TYPE_CHECKING:
    from outgroup.pool import Counts, Pool

LEGEND = (
    "near: images in the pool that are nearly the same as an earlier one; they are held out "
    "together. copies: exact copies, not added again. unreadable: not added."
)
_MOST = 40


def show(
    pool: PoolPath,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a picture sheet with images of each source: .jpg or .html."
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help=f"List all sources, and not only the {_MOST} largest.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what a pool holds, by source."""
    from outgroup.pool import Counts, Pool
    from outgroup.pool.sheets import write_sheet

    if sheet is not None:
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
    _report(opened, counts, total, every)
    if sheet is not None:
        results().print(f"\nSheet: {sheet}", soft_wrap=True)


def _report(pool: Pool, counts: dict[str, Counts], total: Counts, every: bool) -> None:
    largest = sorted(counts, key=lambda name: (-counts[name].images, name))
    listed = sorted(largest if every else largest[:_MOST])
    rows = [_row(name, counts[name]) for name in listed]
    if len(listed) < len(counts):
        left = [counts[name] for name in largest[_MOST:]]
        some = type(total)()
        rows.append(_row(f"({len(left):,} smaller ones)", sum(left, some)))
    rows.append(_row("all", total))
    columns = ("source", "kept", "quarantined", "near", "copies", "unreadable")
    console = results()
    title = f"{len(pool):,} images of {len(counts):,} sources"
    console.print(table(title, columns, rows))
    console.print()
    console.print(LEGEND)
    console.print()
    layers = ", ".join(f"{name} {dim:,}" for name, dim in pool.layers.items())
    console.print(f"Embeddings by {pool.settings.backbone}: {layers}.")
    for name, n in pool.other_backbones().items():
        console.print(f"Of {n:,} images there are embeddings by {name}, too.")


def _row(name: str, count: Counts) -> tuple[str, ...]:
    numbers = (
        count.kept,
        count.quarantined,
        count.near_duplicates,
        count.duplicates,
        count.unreadable,
    )
    return (name, *(f"{n:,}" for n in numbers))
