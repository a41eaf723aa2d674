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
        help="A folder, tar or zip archive, WebDataset shards, Parquet files, a CSV file with a "
        "column path, a data set on the Hugging Face hub: see `outgroup pool sources`.",
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What the source is called. Without it, as its folders are."),
]
EngineName = Annotated[
    str,
    typer.Option(
        metavar="ENGINE",
        help="What computes: local, the cores of this machine, or ray, the machines of the Ray "
        "cluster at RAY_ADDRESS (needs the extra ray). What comes out is the same.",
    ),
]
