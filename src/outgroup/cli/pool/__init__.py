"""``outgroup pool``: collections of negatives on disk."""

from __future__ import annotations

from outgroup.cli.pool.add import add, build
from outgroup.cli.pool.embed import embed
from outgroup.cli.pool.mine import mine
from outgroup.cli.pool.purge import purge
from outgroup.cli.pool.show import show
from outgroup.cli.pool.verify import verify
from outgroup.cli.pool_sources import sources

HELP = "Collections of negatives on disk, with their embeddings: as large as the disk is."

COMMANDS = (build, add, embed, show, purge, mine, verify, sources)
