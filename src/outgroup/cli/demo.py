"""``outgroup demo``: what it is all about, without a download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import print_json, results, table

if TYPE_CHECKING:
    from outgroup.demo import DemoResult


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Where the files are left.")
    ] = Path("outgroup-demo"),
    json: options.Json = False,
) -> None:
    """Train on handwritten digits, and show what becomes of images that are none of them."""
    from outgroup.demo import run

    result = run(out)
    if json:
        print_json(
            {
                "rows": [
                    {
                        "name": row.name,
                        "right": row.right.to_dict(),
                        "called_other": row.called_other.to_dict(),
                        "accepted": {kind: r.to_dict() for kind, r in row.accepted.items()},
                    }
                    for row in result.rows
                ],
                "certificate": result.certificate,
                "model": str(result.model),
                "picture": str(result.picture),
            }
        )
        return
    _print(result)


def _print(result: DemoResult) -> None:
    console = results()
    kinds = list(result.rows[0].accepted)
    rows = [
        (
            row.name,
            _percent(row.right.value),
            _percent(row.called_other.value),
            *(_percent(row.accepted[kind].value) for kind in kinds),
        )
        for row in result.rows
    ]
    console.print(
        "Six handwritten digits are known. Training sees two others as negatives, and never the "
        f"unknown images: {', '.join(kinds)}.\n",
    )
    columns = ("", "right", "called other", *kinds)
    console.print(table("New images: known ones, and the share of unknown accepted", columns, rows))
    console.print()
    ours, _, strict = result.rows
    worst = max(kinds, key=lambda kind: strict.accepted[kind].value or 0.0)
    console.print(
        "What it means: right and called other are about new images of the known digits; the "
        "other columns are unknown images that were given a digit, which is always wrong.\n\n"
        f"A softmax that must be 95 % sure calls {_percent(strict.called_other.value)} of the "
        f"known digits other and accepts {_percent(strict.accepted[worst].value)} of the {worst}; "
        f"outgroup calls {_percent(ours.called_other.value)} other and accepts "
        f"{_percent(ours.accepted[worst].value)}.",
    )
    console.print()
    console.print(result.certificate)
    console.print()
    console.print(f"Model:   {result.model}", soft_wrap=True)
    console.print(f"Picture: {result.picture} (open it in a browser)", soft_wrap=True)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"
