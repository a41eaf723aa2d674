"""Arguments and options that the commands of a pool share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PoolPath = Annotated[
    Path, typer.Argument(metavar="POOL", help="The folder of the pool.", show_default=False)
]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Where images are: a folder, whose sub-folders are sources of their own.",
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What the source is called. Without it, as its folders are."),
]
