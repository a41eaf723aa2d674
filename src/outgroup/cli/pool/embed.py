"""``outgroup pool embed``: the embeddings of another backbone, beside those that are there."""

from __future__ import annotations

from typing import Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import print_json, results
from outgroup.cli.pool.arguments import EngineName, PoolPath


def embed(
    pool: PoolPath,
    backbone: Annotated[
        str,
        typer.Option(metavar="NAME", help="The network, as for train.", show_default=False),
    ],
    engine: EngineName = "local",
    json: options.Json = False,
) -> None:
    """Keep embeddings of another backbone, too. The same command goes on with a stopped run."""
    from outgroup.backbones import get_backbone
    from outgroup.pool import Pool

    opened, network = Pool(pool), get_backbone(backbone)
    new = opened.embed(network, engine=engine)
    there = opened.embedded_by(network)
    if json:
        print_json({"pool": str(pool), "backbone": network.name, "images": there, "new": new})
    else:
        before = f", {there - new:,} had been before" if there > new else ""
        results().print(f"{new:,} images embedded by {network.name}{before}.", soft_wrap=True)
