"""``outgroup pool purge`` and ``mine``: hidden positives of a pool, and negatives of a stream."""

from __future__ import annotations

import csv
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgroup._text import printable
from outgroup.cli import options
from outgroup.cli.output import (
    FAILED,
    INTERRUPTED,
    LISTED,
    errors,
    print_json,
    print_saved,
    print_table,
    results,
    write_suspects_page,
)
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.classifier.pool_purge import Purged
    from outgroup.mining import Mined


def purge(
    pool: options.Pool,
    known: Annotated[
        Path | None, options.option("DIR|CSV", "Images of the known classes, as for train.")
    ] = None,
    other: options.Other = None,
    sheet: Annotated[
        Path | None,
        options.option(
            "FILE", "Write a page with pictures of the suspects, each to be answered yes or no."
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        options.option("FILE", "Apply the answers saved by such a page; without --known."),
    ] = None,
    dry_run: Annotated[
        bool, options.flag("--dry-run", "Only say what would be put into quarantine.")
    ] = False,
    seed: options.Seed = 0,
    engine: options.Engine = "local",
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Put images that look like the known classes into quarantine; nothing is deleted."""
    from outgroup.classifier.pool_purge import answer, purge
    from outgroup.pool import Pool

    if (known is None) == (answers is None):
        got = "neither" if known is None else "both"
        raise InvalidParameterError(
            "Invalid `--known`: must be images of your classes, unless --answers is given, got "
            f"{got}."
        )
    opened = Pool(pool)
    if answers is not None:
        said = answer(opened, answers)
        if json:
            print_json({"pool": str(pool), "yes": said.n_yes, "no": said.n_no})
        else:
            kept = f"{said.n_no:,} are kept and not suspected again"
            results().print(f"{said.n_yes:,} stay in quarantine, {kept}.")
        return
    assert known is not None  # checked above
    options.check_writable(sheet, "--sheet")
    purged = purge(
        opened, known, other, dry_run=dry_run, seed=seed, engine=engine, cache=not no_cache
    )
    found = purged.found
    if sheet is not None:
        sentence = "" if found.share is None else found.share.sentence
        write_suspects_page(sheet, found.suspects, sentence)
    if not json:
        _print_purged(pool, purged, sheet, dry_run)
        return
    print_json(
        {
            "pool": str(pool),
            "dry_run": dry_run,
            "images": found.n_pool,
            "suspects": [suspect.to_dict() for suspect in found.suspects],
            "new": purged.n_new,
            "released": purged.n_released,
            "share": None if found.share is None else found.share.to_dict(),
            "no_share": found.no_share,
        }
    )


def _print_purged(pool: Path, purged: Purged, sheet: Path | None, dry_run: bool) -> None:
    console, found = results(), purged.found
    counts = Counter(suspect.label for suspect in found.suspects)
    n = len(found.suspects)
    if n:
        rows = [(name, f"{counts[name]:,}") for name in sorted(counts)]
        rows.append(("all", f"{n:,} of {found.n_pool:,}"))
        print_table("looks like", ("class", "images"), rows)
    else:
        console.print(f"None of {found.n_pool:,} images looks like your classes.")
    console.print()
    console.print(found.no_share if found.share is None else found.share.sentence)
    if purged.n_released:
        console.print(f"{purged.n_released:,} were skipped: they had been checked before.")
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


def mine(
    model: options.Model,
    known: Annotated[
        Path,
        options.option(
            "DIR|CSV",
            "The images of the classes that the model was trained on: a model file holds none.",
        ),
    ],
    stream: Annotated[
        list[str],
        options.option(
            "SOURCE|-",
            "Images that are none of the classes: pools or what `outgroup pool sources` lists, or "
            "- for paths on standard input, a line each, as many as come.",
        ),
    ],
    out: options.Out,
    other: options.Other = None,
    pool: options.Pools = None,
    target: Annotated[
        float | None,
        options.option(
            "SHARE", "Stop when at most this share of the stream is shown to be accepted."
        ),
    ] = 0.01,
    confidence: Annotated[
        float, options.option("SHARE", "Confidence of the bounds of all models.")
    ] = 0.95,
    images: Annotated[
        int | None, options.option("N", "Largest number of images taken from the stream.")
    ] = None,
    seconds: Annotated[float | None, options.option("S", "About how long it may take.")] = None,
    refits: Annotated[
        int, options.option("N", "Largest number of times that the model is trained again.")
    ] = 8,
    hardest: Annotated[
        int, options.option("N", "Number of the hardest negatives that are kept.")
    ] = 1000,
    uniform: Annotated[int, options.option("N", "Size of the uniform sample that is kept.")] = 1000,
    suspects: Annotated[
        Path | None,
        options.option(
            "FILE",
            "Write a CSV file of the images that look like a known class; none of them is trained "
            "on.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        options.option(
            "FILE",
            "Where the state is kept, so that the same command resumes a stopped run; deleted at "
            "the end. Default: the name of --out with .mining appended.",
        ),
    ] = None,
    seed: options.Seed = 0,
    engine: options.Engine = "local",
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Train a model on negatives of a stream that it accepts, until a bound says few are left."""
    from outgroup import ImageClassifier
    from outgroup import mine as mine_stream
    from outgroup.mining import Effort

    kept = out.with_name(f"{out.name}.mining") if state is None else state
    options.check_writable(out)
    options.check_writable(suspects, "--suspects")
    options.check_writable(kept, "--state")
    console = errors()
    mined = mine_stream(
        _images(stream, seed),
        ImageClassifier.load(model, cache=not no_cache),
        Effort(images, seconds, refits),
        target=target,
        data=known,
        other=other or None,
        pool=pool or None,
        confidence=confidence,
        hardest=hardest,
        uniform=uniform,
        seed=seed,
        engine=engine,
        state=kept,
        say=lambda line: console.print(line),
    )
    assert mined.classifier is not None
    mined.classifier.save(out)
    if suspects is not None:
        with suspects.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.writer(file)
            rows.writerow(["path", "looks_like", "other_score"])
            for one in mined.quarantined:
                rows.writerow([one.name or "", one.label, f"{one.other_score:.6g}"])
    if mined.stopped not in ("interrupted", "failed"):
        kept.unlink(missing_ok=True)
    if json:
        certificate = mined.model.certificate.to_dict()
        print_json({"model": str(out), **mined.to_dict(), "certificate": certificate})
    else:
        _print_mined(mined)
        print_saved(out, "FOLDER")
        if kept.exists():
            results().print("Run the same command again to continue.")
    if mined.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if mined.error is not None:
        raise typer.Exit(FAILED)


def _images(specs: list[str], seed: int) -> Any:
    """Return the stream that texts name: sources, or the paths on standard input."""
    from outgroup.mining import sources

    if "-" not in specs:
        return sources(specs, seed)
    if len(specs) > 1:
        raise InvalidParameterError(
            "Invalid `--stream`: must be - alone, or sources that have a name, got "
            f"{' and '.join(specs)}."
        )
    return _lines(sys.stdin)


def _lines(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        if path := line.rstrip("\r\n"):
            yield path


def _print_mined(mined: Mined) -> None:
    from outgroup.calibration.certificate import percent
    from outgroup.mining.mined import REASONS

    console = results()
    rows = [
        (
            "as given" if i == 0 else f"refit {i}",
            f"{stage.learned:,}",
            f"{stage.images:,}",
            f"{stage.accepted:,}",
            percent(stage.bound, up=True) if stage.images else "",
        )
        for i, stage in enumerate(mined.stages)
    ]
    print_table("On the stream", ("model", "mined", "counted", "accepted", "at most"), rows)
    console.print(f"\n{REASONS[mined.stopped]}")
    if mined.unreadable:
        console.print(f"{mined.unreadable:,} images could not be read, and were not counted.")
    if mined.repeated:
        console.print(f"{mined.repeated:,} images were not new, and were not counted.")
    if mined.n_quarantined:
        console.print(
            f"{mined.n_quarantined:,} images look like a known class; they were counted, but not "
            "trained on. Check them:"
        )
        for suspect in mined.quarantined[:LISTED]:
            name = printable(suspect.name or "(without a name)")
            console.print(f"  {name}: {printable(suspect.label)}", soft_wrap=True)
    console.print(f"\n{mined.sentence}")
    for guarantee in mined.model.certificate.guarantees:
        if guarantee.event != "accepted":
            console.print(guarantee.sentence)
