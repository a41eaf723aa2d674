"""Files in a data set repository on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from outgroup.errors import InvalidParameterError, MissingExtraError, PoolSourceError
from outgroup.pool.containers import StoredFile, container_for
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._log import ReadingLog
from outgroup.pool.sources._patterns import expand_braces, is_pattern
from outgroup.pool.sources._stored import read_files
from outgroup.pool.sources.base import SOURCES, PoolSource

_SPEC = re.compile(
    r"hf://(?P<path>datasets/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(@[\w./-]+?)?(/[^#]*)?)"
    r"(#(?P<column>.+))?"
)

FORM = "hf://datasets/OWNER/NAME[@REVISION]/PATH"


@SOURCES.register("hub")
class HubSource(PoolSource):
    """Parquet files, archives or images of a data set repository on the Hugging Face hub.

    They are read over the network as they are needed and are not kept; the source is the name of
    the repository. To keep them, download them and give the folder.
    """

    form = FORM
    summary = "files of a data set on the Hugging Face hub; * and {a,b} in the path, #COLUMN behind"

    def __init__(self, source: Any, name: str | None = None) -> None:
        super().__init__(source, name)
        match = _SPEC.fullmatch(source)
        if match is None:
            raise InvalidParameterError(
                f"The 'source' parameter must be '{FORM}', such as "
                f"'hf://datasets/ethz/food101/data/*.parquet'. Got {source!r} instead."
            )
        self._path = match["path"].rstrip("/")
        self._column: str | None = match["column"]
        self._source: str = match["name"]
        _hub()

    @classmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether it begins with ``hf://``."""
        return isinstance(source, str) and source.startswith("hf://")

    def _read(self, log: ReadingLog) -> Iterator[Incoming]:
        system = _hub().HfFileSystem()
        paths = self._listed(system)
        for path in paths:
            if (container := container_for(path)) is not None:
                container.check()
        files = (
            StoredFile(f"hf://{path}", self._source, partial(system.open, path, "rb"))
            for path in paths
        )
        yield from read_files(files, log, name=self.name, column=self._column)

    def _listed(self, system: Any) -> list[str]:
        """Return the files that the path stands for, sorted for each of its patterns."""
        found: list[str] = []
        try:
            for path in expand_braces(self._path):
                if is_pattern(path):
                    found += sorted(system.glob(path))
                elif system.isdir(path):
                    # Beside the images there are a README and the like.
                    found += sorted(filter(container_for, system.find(path)))
                elif system.exists(path):
                    found.append(path)
        except Exception as error:  # the hub's client lets errors of its HTTP library through
            why = " ".join(str(error).split()).rstrip(".")
            raise PoolSourceError(
                f"hf://{self._path} can't be listed on the Hugging Face hub ({why}). Check the "
                "name and the network, or download the files and give their folder."
            ) from error
        if not found:
            raise InvalidParameterError(
                f"The 'source' parameter must name files that exist. There are none at "
                f"'hf://{self._path}'. See what there is on the data set's page."
            )
        return list(dict.fromkeys(found))


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError("A data set from the Hugging Face hub", "hub") from error
    return huggingface_hub
