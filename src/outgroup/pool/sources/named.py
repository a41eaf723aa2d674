"""``hf:NAME``: one of the image sets of the list in `outgroup.pool.named`."""

from __future__ import annotations

from typing import Any

from outgroup.pool.named import named_set
from outgroup.pool.sources.base import SOURCES
from outgroup.pool.sources.hub import HubSource

PREFIX = "hf:"


@SOURCES.register("named")
class NamedSource(HubSource):
    """An open image set by its short name, such as ``hf:food101``."""

    form = "hf:NAME"
    summary = "an open image set of the list that `outgroup pool sources` shows"

    def __init__(self, source: Any, name: str | None = None) -> None:
        self.named = named_set(source.removeprefix(PREFIX))
        super().__init__(self.named.spec, name)
        self._source = self.named.name

    @classmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether it begins with ``hf:`` and is no path on the hub."""
        return (
            isinstance(source, str) and source.startswith(PREFIX) and not source.startswith("hf://")
        )

    def length(self) -> int | None:
        """Return the number of images that the list states."""
        return self.named.images
