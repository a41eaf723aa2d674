"""``outgroup pool purge``: what looks like the known classes goes into quarantine."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgroup.cli import options
from outgroup.cli.output import print_json, results, table
from outgroup.cli.pool.arguments import EngineName, PoolPath
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.classifier.pool_purge import Purged


def purge(
    pool: PoolPath,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|CSV", help="Images of the known classes, as for train.", show_default=False
        ),
    ] = None,
    other: options.Other = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a page with pictures of the suspects, for a yes or no."
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Take over the answers that such a page saves; with no --known."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be put into quarantine.")
    ] = False,
    seed: options.Seed = 0,
    engine: EngineName = "local",
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Put into quarantine what looks like the known classes; nothing is deleted."""
    from outgroup.classifier import pool_purge
    from outgroup.pool import Pool

    if (known is None) == (answers is None):
        raise InvalidParameterError(
            "The '--known' parameter must be images of your classes. Got "
            + ("none. Or give --answers, if you have looked." if known is None else
               "--answers, too. Give one of them.")
        )  # fmt: skip
    opened = Pool(pool)
    if answers is not None:
        said = pool_purge.answer(opened, answers)
        if json:
            print_json({"pool": str(pool), "yes": said.n_yes, "no": said.n_no})
        else:
            kept = f"{said.n_no:,} are kept and not suspected again"
            results().print(f"{said.n_yes:,} stay in quarantine, {kept}.")
        return
    if sheet is not None:
        options.check_writable(sheet, "--sheet")
    purged = pool_purge.purge(
        *(opened, known, other),
        dry_run=dry_run,
        seed=seed,
        engine=engine,
        cache=not no_cache,
    )
    if sheet is not None:
        _write(sheet, purged)
    if json:
        print_json({"pool": str(pool), "dry_run": dry_run, **_to_dict(purged)})
    else:
        _report(pool, purged, sheet, dry_run)


def _write(sheet: Path, purged: Purged) -> None:
    from outgroup.contamination import suspect_sheet

    share = purged.found.share
    said = "" if share is None else share.sentence
    sheet.write_text(suspect_sheet(purged.found.suspects, said=said), "utf-8")


def _to_dict(purged: Purged) -> dict[str, Any]:
    found = purged.found
    return {
        "images": found.n_pool,
        "suspects": [suspect.to_dict() for suspect in found.suspects],
        "new": purged.n_new,
        "vouched": purged.n_vouched,
        "share": None if found.share is None else found.share.to_dict(),
        "no_share": found.no_share,
    }


def _report(pool: Path, purged: Purged, sheet: Path | None, dry_run: bool) -> None:
    console, found = results(), purged.found
    counts = Counter(suspect.label for suspect in found.suspects)
    n = len(found.suspects)
    if n:
        rows = [(name, f"{counts[name]:,}") for name in sorted(counts)]
        rows.append(("all", f"{n:,} of {found.n_pool:,}"))
        console.print(table("looks like", ("class", "images"), rows))
    else:
        console.print(f"None of {found.n_pool:,} images looks like your classes.")
    console.print()
    console.print(found.no_share if found.share is None else found.share.sentence)
    if purged.n_vouched:
        console.print(f"{purged.n_vouched:,} that somebody has looked at were passed over.")
    if n and dry_run:
        console.print("Nothing was changed: this was a dry run.")
    elif n:
        console.print(
            f"{purged.n_new:,} were put into quarantine, {n - purged.n_new:,} were in it."
        )
    if sheet is not None:
        console.print(f"Wrote {sheet}. Open it, answer, save, and then:", soft_wrap=True)
        command = f"outgroup pool purge {shlex.quote(str(pool))} --answers answers.csv"
        console.print(command, soft_wrap=True)
    elif n:
        console.print("To see them: --sheet FILE.html.")
