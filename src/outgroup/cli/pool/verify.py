"""``outgroup pool verify``: whether a pool is what its index says."""

from __future__ import annotations

from typing import Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import errors, print_json, printable, results
from outgroup.cli.pool.arguments import PoolPath

_LISTED = 20


def verify(
    pool: PoolPath,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair what is safe to: cut off what a stopped run left, count again, put "
            "damaged images into quarantine.",
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Check every image and embedding of a pool. Exit code 3 if something is damaged."""
    from outgroup.pool import Pool

    opened = Pool(pool)
    found = opened.verify(repair=repair)
    if json:
        print_json(found.to_dict())
    elif found.n_problems == 0:
        results().print(f"{found.images:,} images: all is well.")
    else:
        problems = "1 problem" if found.n_problems == 1 else f"{found.n_problems:,} problems"
        results().print(f"{found.images:,} images: {problems}.")
        for problem in found.problems[:_LISTED]:
            done = " (repaired)" if problem.repaired else ""
            results().print(printable(f"  {problem.where}: {problem.what}{done}"), soft_wrap=True)
        if found.n_problems > _LISTED:
            results().print(f"  and {found.n_problems - _LISTED:,} more")
        if not found.sound and not repair:
            errors().print(f"Now: outgroup pool verify {pool} --repair")
    if found.n_unsummed and not json:
        results().print(
            f"{found.n_unsummed:,} embeddings were kept by a version that wrote no checksums: "
            + (
                "these were written now."
                if repair
                else "whether a number has changed in them can't be told. With --repair they get "
                "checksums of what they are now."
            ),
            soft_wrap=True,
        )
    if not found.sound:
        raise typer.Exit(3)
