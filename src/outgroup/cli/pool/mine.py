"""``outgroup pool mine``: a model and a stream of negatives in, a better model out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgroup.cli import options
from outgroup.cli.output import LISTED, errors, print_json, printable, results, table
from outgroup.cli.pool.arguments import EngineName
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.mining import Mined

#: Exit codes where the model was written, and yet not all went well.
FAILED, INTERRUPTED = 1, 130


def mine(
    model: options.Model,
    known: Annotated[
        Path,
        typer.Option(
            metavar="DIR|CSV",
            help="The images of the classes that the model learned from: a file holds none.",
        ),
    ],
    stream: Annotated[
        list[str],
        typer.Option(
            metavar="SOURCE|-",
            help="Images that are none of the classes: a pool or what `outgroup pool sources` "
            "lists, repeatable, or - for paths on standard input, a line each, as many as come.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The model file to write.")
    ],
    other: options.Other = None,
    pool: options.Pool = None,
    target: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Stop when at most this share of the stream is shown to be accepted.",
        ),
    ] = 0.01,
    confidence: Annotated[
        float, typer.Option(metavar="SHARE", help="Confidence of the bounds of all models.")
    ] = 0.95,
    images: Annotated[
        int | None, typer.Option(metavar="N", help="Images that are taken from the stream at most.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="How long it may take, about.")
    ] = None,
    refits: Annotated[
        int, typer.Option(metavar="N", help="How often the model learns anew at most.")
    ] = 8,
    hardest: Annotated[
        int, typer.Option(metavar="N", help="Hardest negatives that are kept.")
    ] = 1000,
    uniform: Annotated[
        int, typer.Option(metavar="N", help="Size of the uniform sample that is kept.")
    ] = 1000,
    suspects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV file to write of images that look like a known class; nothing was learned "
            "from them.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the state is kept, so that the same command goes on with a run that was "
            "stopped; deleted at the end. Without it, the name of --out with .mining behind it.",
        ),
    ] = None,
    seed: options.Seed = 0,
    engine: EngineName = "local",
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Teach a model the negatives of a stream that it accepts, until a bound says few are left."""
    from outgroup import ImageClassifier
    from outgroup import mine as mine_stream
    from outgroup.mining import Effort

    options.check_writable(out)
    if suspects is not None:
        options.check_writable(suspects, "--suspects")
    kept = out.with_name(f"{out.name}.mining") if state is None else state
    options.check_writable(kept, "--state")
    effort = Effort(images, seconds, refits)
    console = errors()
    mined = mine_stream(
        _images(stream, seed),
        ImageClassifier.load(model, cache=not no_cache),
        effort,
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
        _write_suspects(mined, suspects)
    if mined.stopped not in ("interrupted", "failed"):
        kept.unlink(missing_ok=True)
    _report(mined, out, json)
    if kept.exists() and not json:
        results().print("The same command goes on from here.")
    if mined.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if mined.error is not None:
        raise typer.Exit(FAILED)


def _images(specs: list[str], seed: int) -> Any:
    """Return the stream that texts name: sources, or the paths on standard input."""
    from outgroup.mining.streams import sources

    if "-" not in specs:
        return sources(specs, seed)
    if len(specs) > 1:
        raise InvalidParameterError(
            "The '--stream' parameter must be - alone, or sources that have a name. "
            f"Got {' and '.join(specs)} instead."
        )
    return _lines(sys.stdin)


def _lines(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        if path := line.rstrip("\r\n"):
            yield path


def _write_suspects(mined: Mined, path: Path) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "looks_like", "other_score"])
        rows.writerows([s.name or "", s.label, f"{s.other_score:.6g}"] for s in mined.quarantined)


def _report(mined: Mined, out: Path, json: bool) -> None:
    from outgroup.calibration.certificate import percent
    from outgroup.mining.mined import REASONS

    if json:
        certificate = mined.model.certificate.to_dict()
        print_json({"model": str(out), **mined.to_dict(), "certificate": certificate})
        return
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
    columns = ("model", "mined", "counted", "accepted", "at most")
    console.print(table("On the stream", columns, rows))
    console.print()
    console.print(REASONS[mined.stopped])
    apart = [
        (mined.unreadable, "could not be read"),
        (mined.repeated, "had been there before, or in training"),
    ]
    for n, what in apart:
        if n:
            console.print(f"{n:,} images {what}, and were not counted.")
    if mined.n_quarantined:
        console.print(
            f"{mined.n_quarantined:,} images look like a known class; they were counted, and "
            "nothing was learned from them. Have a look:"
        )
        for suspect in mined.quarantined[:LISTED]:
            name = printable(suspect.name or "(without a name)")
            console.print(f"  {name}: {printable(suspect.label)}", soft_wrap=True)
    console.print()
    console.print(mined.sentence)
    for promise in mined.model.certificate.promises:
        if promise.event != "accepted":
            console.print(promise.sentence)
    console.print()
    console.print(f"Saved {out} ({out.stat().st_size / 1e6:.1f} MB).", soft_wrap=True)
    console.print(f"Now: outgroup predict {shlex.quote(str(out))} FOLDER", soft_wrap=True)
